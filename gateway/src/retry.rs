//! Whether a question may be asked again, and what to tell the caller if not. Pure.
//!
//! State owned: what is known of one call so far. Laws: nothing is asked again after the deadline; a
//! write that may have been recorded is never reported as not done, whatever was heard after it; every
//! repetition carries the same request id, which is what makes it safe.

use std::time::Duration;

use crate::limits;

/// How one attempt ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// No map, no leader known, or no stream to it. Nothing was sent.
    NoRoute,
    /// Our own queue to the node is full. Nothing was sent.
    QueueFull,
    /// The node does not lead the shard. Nothing was done.
    NotLeader {
        /// Whether it said who does.
        hinted: bool,
    },
    /// The node does not hold the shard, or the shard not the key. Nothing was done.
    WrongShard,
    /// The shard's queue is full. Nothing was done.
    Busy,
    /// The node found the deadline passed. Nothing was done.
    DeadlinePassed,
    /// The node proposed it and does not know what became of it.
    OutcomeUnknown,
    /// The node could not read it: one of us is wrong. Nothing was done.
    Malformed,
    /// The stream ended.
    Lost {
        /// Whether it may have reached the node.
        maybe_sent: bool,
    },
    /// Another node leads the shard by now.
    Superseded {
        /// Whether it may have reached the old leader.
        maybe_sent: bool,
    },
    /// The caller's deadline passed without a reply.
    Silent {
        /// Whether it may have reached the node.
        maybe_sent: bool,
    },
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask again at once.
    Now,
    /// Ask again after a pause of up to this; news of the cluster end it early.
    After(Duration),
    /// Tell the caller.
    Fail(Failure),
}

/// What a caller is told. All but the first mean that nothing was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may have been recorded.
    OutcomeUnknown,
    /// The shard could not be reached in time.
    Unavailable,
    /// Too many others are asking.
    Overloaded,
    /// The deadline passed first.
    DeadlinePassed,
    /// The gateway and the node disagree about the contract.
    Internal,
}

/// One call so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Whether an unheard success would change anything.
    writes: bool,
    /// Whether an attempt may have been recorded.
    maybe_done: bool,
    busy: u32,
    hints: u32,
    pauses: u32,
}

impl Progress {
    pub(crate) fn new(writes: bool) -> Progress {
        Progress {
            writes,
            maybe_done: false,
            busy: 0,
            hints: 0,
            pauses: 0,
        }
    }

    /// Judges an attempt. `time_left` is what remains of the caller's deadline.
    pub(crate) fn after(&mut self, attempt: Attempt, time_left: Duration) -> Next {
        self.maybe_done |= self.writes && maybe_done(attempt);
        if time_left.is_zero() {
            return Next::Fail(self.failure(attempt));
        }
        match attempt {
            Attempt::Lost { .. } | Attempt::Superseded { .. } => Next::Now,
            Attempt::NotLeader { hinted: true } if self.hints < limits::HINTS_FOLLOWED_MAX => {
                self.hints += 1;
                Next::Now
            }
            Attempt::NotLeader { hinted: true }
            | Attempt::NoRoute
            | Attempt::NotLeader { hinted: false }
            | Attempt::WrongShard
            | Attempt::OutcomeUnknown => Next::After(self.no_leader_pause()),
            Attempt::Busy | Attempt::QueueFull => {
                self.busy += 1;
                if self.busy < limits::BUSY_ATTEMPTS_MAX {
                    Next::After(limits::BUSY_PAUSE * self.busy)
                } else if self.maybe_done {
                    // Worth the wait: the answer decides whether a sale exists.
                    Next::After(self.no_leader_pause())
                } else {
                    Next::Fail(self.failure(attempt))
                }
            }
            Attempt::DeadlinePassed | Attempt::Silent { .. } | Attempt::Malformed => {
                Next::Fail(self.failure(attempt))
            }
        }
    }

    fn no_leader_pause(&mut self) -> Duration {
        let doublings = self.pauses.min(16);
        self.pauses += 1;
        limits::NO_LEADER_PAUSE_MAX.min(limits::NO_LEADER_PAUSE_MIN * (1 << doublings))
    }

    fn failure(&self, last: Attempt) -> Failure {
        if self.maybe_done {
            return Failure::OutcomeUnknown;
        }
        match last {
            Attempt::Busy | Attempt::QueueFull => Failure::Overloaded,
            Attempt::DeadlinePassed | Attempt::Silent { .. } => Failure::DeadlinePassed,
            Attempt::Malformed => Failure::Internal,
            Attempt::NoRoute
            | Attempt::NotLeader { .. }
            | Attempt::WrongShard
            | Attempt::OutcomeUnknown
            | Attempt::Lost { .. }
            | Attempt::Superseded { .. } => Failure::Unavailable,
        }
    }
}

/// Whether the command may have been recorded by this attempt.
fn maybe_done(attempt: Attempt) -> bool {
    match attempt {
        Attempt::OutcomeUnknown => true,
        Attempt::Lost { maybe_sent }
        | Attempt::Superseded { maybe_sent }
        | Attempt::Silent { maybe_sent } => maybe_sent,
        Attempt::NoRoute
        | Attempt::QueueFull
        | Attempt::NotLeader { .. }
        | Attempt::WrongShard
        | Attempt::Busy
        | Attempt::DeadlinePassed
        | Attempt::Malformed => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Attempt; 15] = [
        Attempt::NoRoute,
        Attempt::QueueFull,
        Attempt::NotLeader { hinted: true },
        Attempt::NotLeader { hinted: false },
        Attempt::WrongShard,
        Attempt::Busy,
        Attempt::DeadlinePassed,
        Attempt::OutcomeUnknown,
        Attempt::Malformed,
        Attempt::Lost { maybe_sent: false },
        Attempt::Lost { maybe_sent: true },
        Attempt::Superseded { maybe_sent: false },
        Attempt::Superseded { maybe_sent: true },
        Attempt::Silent { maybe_sent: false },
        Attempt::Silent { maybe_sent: true },
    ];

    const LEFT: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_attempt_of_a_write() {
        use Failure::*;
        let pause = Next::After(limits::NO_LEADER_PAUSE_MIN);
        let busy = Next::After(limits::BUSY_PAUSE);
        // What to do with time left, and what to say without.
        let expected = [
            (pause, Unavailable),
            (busy, Overloaded),
            (Next::Now, Unavailable),
            (pause, Unavailable),
            (pause, Unavailable),
            (busy, Overloaded),
            (Next::Fail(DeadlinePassed), DeadlinePassed),
            (pause, OutcomeUnknown),
            (Next::Fail(Internal), Internal),
            (Next::Now, Unavailable),
            (Next::Now, OutcomeUnknown),
            (Next::Now, Unavailable),
            (Next::Now, OutcomeUnknown),
            (Next::Fail(DeadlinePassed), DeadlinePassed),
            (Next::Fail(OutcomeUnknown), OutcomeUnknown),
        ];
        for (attempt, (next, failure)) in ALL.into_iter().zip(expected) {
            assert_eq!(
                Progress::new(true).after(attempt, LEFT),
                next,
                "{attempt:?}"
            );
            assert_eq!(
                Progress::new(true).after(attempt, Duration::ZERO),
                Next::Fail(failure),
                "{attempt:?} at the deadline"
            );
        }
    }

    #[test]
    fn a_read_has_no_unknown_outcome() {
        for first in ALL {
            for second in ALL {
                let mut progress = Progress::new(false);
                progress.after(first, LEFT);
                let last = progress.after(second, Duration::ZERO);
                assert_ne!(last, Next::Fail(Failure::OutcomeUnknown));
            }
        }
    }

    #[test]
    fn once_maybe_recorded_always_maybe_recorded() {
        for first in ALL.into_iter().filter(|attempt| maybe_done(*attempt)) {
            for second in ALL {
                let mut progress = Progress::new(true);
                progress.after(first, LEFT);
                assert_eq!(
                    progress.after(second, Duration::ZERO),
                    Next::Fail(Failure::OutcomeUnknown),
                    "{first:?} then {second:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_asked_again_after_the_deadline() {
        for attempt in ALL {
            let next = Progress::new(true).after(attempt, Duration::ZERO);
            assert!(matches!(next, Next::Fail(_)), "{attempt:?}");
        }
    }

    #[test]
    fn a_full_queue_is_tried_three_times() {
        let mut progress = Progress::new(true);
        assert_eq!(
            progress.after(Attempt::Busy, LEFT),
            Next::After(limits::BUSY_PAUSE)
        );
        assert_eq!(
            progress.after(Attempt::QueueFull, LEFT),
            Next::After(limits::BUSY_PAUSE * 2)
        );
        assert_eq!(
            progress.after(Attempt::Busy, LEFT),
            Next::Fail(Failure::Overloaded)
        );
    }

    #[test]
    fn two_nodes_that_name_each_other_do_not_spin() {
        let mut progress = Progress::new(true);
        let hinted = Attempt::NotLeader { hinted: true };
        for _ in 0..limits::HINTS_FOLLOWED_MAX {
            assert_eq!(progress.after(hinted, LEFT), Next::Now);
        }
        assert!(matches!(progress.after(hinted, LEFT), Next::After(_)));
    }

    #[test]
    fn pauses_double_up_to_their_bound() {
        let mut progress = Progress::new(true);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            match progress.after(Attempt::NoRoute, LEFT) {
                Next::After(pause) => pauses.push(pause),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses[0], limits::NO_LEADER_PAUSE_MIN);
        assert_eq!(pauses[1], limits::NO_LEADER_PAUSE_MIN * 2);
        assert_eq!(pauses[39], limits::NO_LEADER_PAUSE_MAX);
        assert!(pauses.is_sorted());
    }
}
