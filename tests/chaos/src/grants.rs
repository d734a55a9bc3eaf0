//! How long a shard grants nothing after its leader was lost: one prober for each, asking for one sale until
//! it is answered. The sales are part of the run's history.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quorate_client::{Terminal, new_request_id};
use quorate_harness::{
    cluster::Cluster, history::Call, probe::citizen_of_each_shard, recorder::Recorder,
};
use quorate_link::{Env, TaskHandle};

use crate::report::SILENCE_MS_P99_MAX;

/// A shard that grants nothing for so long is lost, not slow.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const PROBE_PAUSE: Duration = Duration::from_millis(5);
/// A shard that was silent for so long before it lost a leader once more counts as silent until it grants: the
/// next loss must not hide it.
const SILENCE_SEEN: Duration = Duration::from_millis(SILENCE_MS_P99_MAX);

/// What a node that is about to be struck leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Led {
    /// Data shards that it leads.
    pub(crate) shards: Vec<u32>,
    /// Data shards of which nobody could say who leads them: it may be this one.
    pub(crate) unknown: usize,
}

/// How long shards granted nothing after they had lost their leader: one entry for each shard and loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Silences {
    /// From the loss until the next grant.
    pub(crate) measured: Vec<Duration>,
    /// From a loss until the next one, which came before a grant: the silence was at least so long.
    pub(crate) cut_short: Vec<Duration>,
    /// Shards that lost their leader, or may have, while another was silent already or nobody knew who led.
    pub(crate) not_measured: usize,
}

/// Losses, and who is silent since. Pure: instants are handed in.
///
/// Invariant: every shard that lost its leader ends up in one of the three parts of [`Silences`], once for each
/// loss.
#[derive(Debug, Default)]
struct Book {
    /// When each was. A silence that another loss interrupts is not the time that one death costs.
    losses: Vec<Duration>,
    /// Shards whose prober was not answered yet.
    silent: usize,
    told: Silences,
}

/// One shard's silence, under way.
#[derive(Clone, Copy, Debug)]
struct Silence {
    lost: Duration,
    /// Losses that there had been by then, this one included.
    losses: usize,
}

impl Book {
    /// A leader was lost at this instant, with that many shards whose silence can be measured, and that many whose
    /// silence cannot. Returns what each of the former is to be answered with; `None`: nothing can be measured while
    /// another shard is silent, as when a second node of three is struck.
    fn lost(&mut self, at: Duration, measurable: usize, others: usize) -> Option<Silence> {
        self.losses.push(at);
        self.told.not_measured += others;
        if self.silent > 0 {
            self.told.not_measured += measurable;
            return None;
        }
        self.silent = measurable;
        Some(Silence {
            lost: at,
            losses: self.losses.len(),
        })
    }

    /// A shard that was silent grants again.
    fn granted(&mut self, silence: Silence, now: Duration) {
        self.silent -= 1;
        let lost_again = self.losses.get(silence.losses);
        match lost_again.map(|again| again.saturating_sub(silence.lost)) {
            Some(until_then) if until_then < SILENCE_SEEN => self.told.cut_short.push(until_then),
            _ => {
                let whole = now.saturating_sub(silence.lost);
                self.told.measured.push(whole);
            }
        }
    }
}

/// Probers of one cluster.
pub(crate) struct Probes {
    env: Env,
    round: Option<Round>,
    running: Vec<TaskHandle>,
    book: Arc<Mutex<Book>>,
}

/// Whom the probers of one round sell to, and where that is recorded.
struct Round {
    recorder: Arc<Recorder>,
    people: BTreeMap<u32, u64>,
    terminals: Vec<Terminal>,
    first_client: u32,
}

impl Probes {
    pub(crate) fn new(env: Env) -> Self {
        Self {
            env,
            round: None,
            running: Vec::new(),
            book: Arc::default(),
        }
    }

    /// Finds someone in each shard, from index `first` on. Clients from `first_client` on are the probers.
    ///
    /// # Errors
    /// The cluster is not well.
    pub(crate) async fn prepare(
        &mut self,
        cluster: &Cluster,
        recorder: Arc<Recorder>,
        first: u64,
        first_client: u32,
    ) -> anyhow::Result<()> {
        let people = citizen_of_each_shard(cluster, first).await?;
        let mut terminals = Vec::new();
        for number in 0..people.len() {
            let terminal = cluster.terminal(first_client as usize + number)?;
            terminal.log_in(Duration::from_secs(20)).await?;
            terminals.push(terminal);
        }
        self.round = Some(Round {
            recorder,
            people,
            terminals,
            first_client,
        });
        Ok(())
    }

    /// The leader of these shards was lost at this instant, just before it was struck.
    ///
    /// # Errors
    /// The probers have no numbers.
    pub(crate) fn leader_lost(&mut self, led: &Led, at: Duration) -> anyhow::Result<()> {
        let Some(round) = &self.round else {
            return Ok(());
        };
        let probed = round.people.iter().enumerate();
        let probed: Vec<_> = probed
            .filter(|(_, (shard, _))| led.shards.contains(shard))
            .collect();
        let others = led.shards.len() - probed.len() + led.unknown;
        let Some(silence) = lock(&self.book).lost(at, probed.len(), others) else {
            return Ok(());
        };
        for (number, (_, &citizen)) in probed {
            let client = round.first_client + u32::try_from(number)?;
            let terminal = round.terminals[number].clone();
            let (env, recorder) = (self.env.clone(), round.recorder.clone());
            let book = self.book.clone();
            let call = Call::Sell {
                request: new_request_id(&env),
                quantity: 1,
            };
            let probe = async move {
                loop {
                    let reply = recorder.call(client, &terminal, citizen, call).await;
                    if reply.position().is_some() {
                        break;
                    }
                    env.sleep(PROBE_PAUSE).await;
                }
                lock(&book).granted(silence, env.monotonic());
            };
            self.running.push(self.env.spawn("probe", Box::pin(probe)));
        }
        Ok(())
    }

    /// Waits until every shard grants again, but not for ever.
    pub(crate) async fn granting_within(&self, limit: Duration) {
        let deadline = self.env.monotonic() + limit;
        while lock(&self.book).silent > 0 && self.env.monotonic() < deadline {
            self.env.sleep(PROBE_PAUSE).await;
        }
    }

    async fn all_answered(&mut self) -> anyhow::Result<()> {
        let deadline = self.env.monotonic() + SILENCE_MAX;
        for mut probe in self.running.drain(..) {
            let left = deadline.saturating_sub(self.env.monotonic());
            let ended = self.env.timeout(left, probe.finished()).await;
            ensure!(ended.is_ok(), "a shard granted nothing for {SILENCE_MAX:?}");
        }
        Ok(())
    }

    /// How long each shard was silent after each loss since this was asked last, once all of them grant again.
    ///
    /// # Errors
    /// One stays silent.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Silences> {
        self.all_answered()
            .await
            .context("after a leader was lost")?;
        Ok(std::mem::take(&mut lock(&self.book).told))
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_silence_lasts_from_the_loss_to_the_grant() {
        let mut book = Book::default();
        let silence = book.lost(ms(1_000), 2, 0).unwrap();
        book.granted(silence, ms(1_700));
        assert_eq!(book.silent, 1);
        book.granted(silence, ms(2_900));
        // The next loss is another matter.
        let next = book.lost(ms(9_000), 1, 0).unwrap();
        book.granted(next, ms(9_100));
        let measured = vec![ms(700), ms(1_900), ms(100)];
        let expected = Silences {
            measured,
            ..Silences::default()
        };
        assert_eq!(book.told, expected);
    }

    #[test]
    fn a_silence_that_a_loss_interrupts_is_told_as_cut_short() {
        let mut book = Book::default();
        let silence = book.lost(ms(1_000), 3, 0).unwrap();
        book.granted(silence, ms(1_200));
        // Five shards more lose their leader while two are silent.
        assert!(book.lost(ms(1_500), 5, 0).is_none());
        assert!(book.lost(ms(1_900), 1, 0).is_none());
        book.granted(silence, ms(4_000));
        book.granted(silence, ms(5_000));
        let expected = Silences {
            measured: vec![ms(200)],
            cut_short: vec![ms(500), ms(500)],
            not_measured: 6,
        };
        assert_eq!(book.told, expected);
        assert_eq!(book.silent, 0);
    }

    #[test]
    fn a_silence_that_was_too_long_already_counts_though_interrupted() {
        let mut book = Book::default();
        let silence = book.lost(Duration::ZERO, 1, 0).unwrap();
        assert!(book.lost(SILENCE_SEEN, 1, 0).is_none());
        book.granted(silence, ms(7_000));
        assert_eq!(book.told.measured, [ms(7_000)]);
        assert!(book.told.cut_short.is_empty());
    }

    #[test]
    fn shards_of_which_nobody_knows_the_leader_are_counted() {
        let mut book = Book::default();
        let silence = book.lost(ms(1_000), 1, 7).unwrap();
        book.granted(silence, ms(1_300));
        assert_eq!(book.told.not_measured, 7);
        // Whom it struck nobody knows: not one prober, and the next loss is measured again.
        assert!(book.lost(ms(2_000), 0, 8).is_some());
        assert!(book.lost(ms(3_000), 8, 0).is_some());
        assert_eq!((book.told.not_measured, book.silent), (15, 8));
    }
}
