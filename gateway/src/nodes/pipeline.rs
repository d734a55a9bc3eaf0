//! The commands on their way to one node: queued, then in flight, then answered or lost.
//!
//! State owned: the queue, the commands in flight by correlation, and the generation of the stream that
//! carries them. Laws: a command moves from the queue into flight in the same step in which it is put
//! into a frame, so "certainly never sent" is exactly "still in the queue"; every command's caller gets
//! one answer, at the latest when its stream ends; a stream of an earlier generation takes and delivers
//! nothing. Deliberately absent: sockets and timers. The lock is never held across a wait.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use quorate_proto::{
    ids::{Epoch, ShardId},
    internal::{CommandFrame, ShardCommand, ShardReply, shard_command, shard_reply},
};
use tokio::sync::oneshot;

use crate::limits;

/// What a node said to one command.
pub(crate) type Reply = shard_reply::Body;

/// The stream ended before the node answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Whether the command may have reached the node.
    pub(crate) maybe_sent: bool,
}

/// Why a command was not taken. It was certainly not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubmitError {
    /// There is no stream to the node.
    Closed,
    /// Too many commands are on their way to it.
    Full,
}

/// A command to be sent.
pub(crate) struct Outgoing {
    pub(crate) shard: ShardId,
    pub(crate) epoch: Epoch,
    /// By the monotonic clock.
    pub(crate) deadline: Duration,
    pub(crate) body: shard_command::Body,
    /// About how long the command is when encoded, bytes.
    pub(crate) bytes: usize,
}

/// A caller waiting for the answer to one command. Dropping it gives the command up.
pub(crate) struct Waiting {
    /// How many commands had been queued before this one.
    ticket: u64,
    answer: oneshot::Receiver<Result<Reply, Lost>>,
}

impl Waiting {
    /// The answer. May be called again if the wait was cancelled.
    pub(crate) async fn answer(&mut self) -> Result<Reply, Lost> {
        let lost = Lost { maybe_sent: true };
        (&mut self.answer).await.unwrap_or(Err(lost))
    }
}

struct Queued {
    command: Outgoing,
    caller: oneshot::Sender<Result<Reply, Lost>>,
}

struct InFlight {
    shard: ShardId,
    deadline: Duration,
    caller: oneshot::Sender<Result<Reply, Lost>>,
}

/// The number of a stream, in the order in which streams to this node were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

#[derive(Default)]
struct State {
    generation: u64,
    /// Whether commands are taken.
    open: bool,
    queue: VecDeque<Queued>,
    /// Commands ever taken out of the queue; see [`Waiting::ticket`].
    dequeued: u64,
    in_flight: HashMap<u64, InFlight>,
    /// Commands queued and in flight, by shard.
    by_shard: HashMap<ShardId, usize>,
    next_correlation: u64,
    /// Of the stream, while it waits for commands.
    waker: Option<Waker>,
    /// When the last frame of replies came, by the monotonic clock.
    last_reply: Duration,
}

/// See the module's documentation.
pub(crate) struct Pipeline {
    cluster_id: String,
    state: Mutex<State>,
}

impl Pipeline {
    pub(crate) fn new(cluster_id: &str) -> Pipeline {
        Pipeline {
            cluster_id: cluster_id.to_owned(),
            state: Mutex::default(),
        }
    }

    /// Whether there is a stream that takes commands.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Queues a command.
    pub(crate) fn submit(&self, command: Outgoing) -> Result<Waiting, SubmitError> {
        let (caller, answer) = oneshot::channel();
        let (ticket, waker) = {
            let mut state = self.lock();
            if !state.open {
                return Err(SubmitError::Closed);
            }
            let underway = state.queue.len() + state.in_flight.len();
            let of_shard = state.by_shard.entry(command.shard).or_default();
            if underway >= limits::IN_FLIGHT_PER_NODE_MAX
                || *of_shard >= limits::IN_FLIGHT_PER_SHARD_MAX
            {
                return Err(SubmitError::Full);
            }
            *of_shard += 1;
            let ticket = state.dequeued + state.queue.len() as u64;
            state.queue.push_back(Queued { command, caller });
            (ticket, state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(Waiting { ticket, answer })
    }

    /// Gives a command up. Returns whether it may have been sent; if not, it never will be.
    pub(crate) fn give_up(&self, mut waiting: Waiting) -> bool {
        // First nobody waits, then the question: a frame put together in between passes it over.
        waiting.answer.close();
        self.lock().dequeued > waiting.ticket
    }

    /// Begins a new stream, which takes no commands until [`Pipeline::open`].
    pub(crate) fn attach(&self, now: Duration) -> Generation {
        let mut state = self.lock();
        assert!(
            !state.open && state.queue.is_empty() && state.in_flight.is_empty(),
            "a stream begins only after the one before it was closed"
        );
        state.generation += 1;
        state.last_reply = now;
        Generation(state.generation)
    }

    /// The node accepted the stream: commands are taken.
    pub(crate) fn open(&self, generation: Generation) {
        let mut state = self.lock();
        if state.generation == generation.0 {
            state.open = true;
        }
    }

    /// The stream ended: every command on its way is lost.
    pub(crate) fn close(&self) {
        let (queue, in_flight, waker) = {
            let mut state = self.lock();
            state.open = false;
            // The old stream, if anybody still polls it, is over.
            state.generation += 1;
            state.dequeued += state.queue.len() as u64;
            state.by_shard.clear();
            (
                std::mem::take(&mut state.queue),
                std::mem::take(&mut state.in_flight),
                state.waker.take(),
            )
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        // A caller that gave up is not there to be told.
        for queued in queue {
            let _ = queued.caller.send(Err(Lost { maybe_sent: false }));
        }
        // In the order in which they were sent, so that the same run is the same twice.
        let mut in_flight: Vec<(u64, InFlight)> = in_flight.into_iter().collect();
        in_flight.sort_unstable_by_key(|(correlation, _)| *correlation);
        for (_, in_flight) in in_flight {
            let _ = in_flight.caller.send(Err(Lost { maybe_sent: true }));
        }
    }

    /// Everything that is queued, up to the bounds of a frame. Pending while nothing is; `None` when the
    /// stream is over.
    pub(crate) fn poll_frame(
        &self,
        generation: Generation,
        now: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Option<CommandFrame>> {
        let mut state = self.lock();
        if state.generation != generation.0 {
            return Poll::Ready(None);
        }
        let commands = state.take_commands(now);
        if commands.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(self.frame(commands)))
    }

    /// A frame that says who we are and asks nothing: the first of every stream.
    pub(crate) fn greeting(&self) -> CommandFrame {
        self.frame(Vec::new())
    }

    fn frame(&self, commands: Vec<ShardCommand>) -> CommandFrame {
        CommandFrame {
            cluster_id: self.cluster_id.clone(),
            commands,
        }
    }

    /// Hands replies to those who wait for them.
    pub(crate) fn deliver(&self, generation: Generation, replies: Vec<ShardReply>, now: Duration) {
        let mut answered = Vec::with_capacity(replies.len());
        {
            let mut state = self.lock();
            if state.generation != generation.0 {
                return;
            }
            state.last_reply = now;
            for reply in replies {
                // Unknown: given up as overdue, and late after all.
                if let Some(in_flight) = state.in_flight.remove(&reply.correlation) {
                    state.leave(in_flight.shard);
                    answered.push((in_flight.caller, reply.body));
                }
            }
        }
        for (caller, body) in answered {
            // A reply without a body is of a kind we do not know: it says nothing about the outcome.
            let answer = body.ok_or(Lost { maybe_sent: true });
            let _ = caller.send(answer);
        }
    }

    /// Forgets commands that the node should have answered long ago. Returns whether the stream as a
    /// whole is dead: something is overdue, and nothing at all was answered for as long.
    pub(crate) fn drop_overdue(&self, now: Duration) -> bool {
        let mut state = self.lock();
        let silent = now.saturating_sub(state.last_reply) > limits::OVERDUE_GRACE;
        let is_overdue =
            |_: &u64, in_flight: &mut InFlight| in_flight.deadline + limits::OVERDUE_GRACE < now;
        // Their callers' deadlines have passed, so nobody waits for them.
        let overdue: Vec<ShardId> = state
            .in_flight
            .extract_if(is_overdue)
            .map(|(_, in_flight)| in_flight.shard)
            .collect();
        for shard in &overdue {
            state.leave(*shard);
        }
        silent && !overdue.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, so the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A command of this shard is no longer on its way.
    fn leave(&mut self, shard: ShardId) {
        if let Some(count) = self.by_shard.get_mut(&shard) {
            *count = count.saturating_sub(1);
        }
    }

    fn take_commands(&mut self, now: Duration) -> Vec<ShardCommand> {
        let mut commands = Vec::with_capacity(self.queue.len().min(limits::FRAME_COMMANDS_MAX));
        let mut bytes = 0;
        while commands.len() < limits::FRAME_COMMANDS_MAX && bytes < limits::FRAME_BYTES_TARGET {
            let Some(Queued { command, caller }) = self.queue.pop_front() else {
                break;
            };
            self.dequeued += 1;
            let time_left = command.deadline.saturating_sub(now);
            if caller.is_closed() || time_left < limits::TIME_LEFT_MIN {
                self.leave(command.shard);
                let _ = caller.send(Err(Lost { maybe_sent: false }));
                continue;
            }
            bytes += command.bytes;
            let correlation = self.next_correlation;
            self.next_correlation += 1;
            commands.push(ShardCommand {
                correlation,
                shard: command.shard.get(),
                epoch: command.epoch.get(),
                time_left_ms: u32::try_from(time_left.as_millis()).unwrap_or(u32::MAX),
                body: Some(command.body),
            });
            let in_flight = InFlight {
                shard: command.shard,
                deadline: command.deadline,
                caller,
            };
            self.in_flight.insert(correlation, in_flight);
        }
        commands
    }
}

#[cfg(test)]
mod tests;
