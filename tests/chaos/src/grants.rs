//! How long a shard grants nothing after its leader was lost: one prober for each, asking for one sale until
//! it is answered. The sales are part of the run's history.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
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

/// Probers of one cluster.
pub(crate) struct Probes {
    env: Env,
    round: Option<Round>,
    running: Vec<TaskHandle>,
    /// Probers that were not answered yet.
    silent: Arc<AtomicUsize>,
    /// When each loss was: a prober whose shard soon lost a leader once more measures nothing.
    losses: Arc<Mutex<Vec<Duration>>>,
    times: Arc<Mutex<Vec<Duration>>>,
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
            silent: Arc::default(),
            losses: Arc::default(),
            times: Arc::default(),
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

    /// The leader of these shards was lost just now. While a shard is still silent from an earlier loss, as when a
    /// second node of three is struck, there is nothing to measure, neither from now on nor from then.
    ///
    /// # Errors
    /// The probers have no numbers.
    pub(crate) fn leader_lost(&mut self, shards: &[u32]) -> anyhow::Result<()> {
        let lost = self.env.monotonic();
        let following = {
            let mut losses = lock(&self.losses);
            losses.push(lost);
            losses.len()
        };
        let Some(round) = &self.round else {
            return Ok(());
        };
        if self.silent.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        for (number, (shard, &citizen)) in round.people.iter().enumerate() {
            if !shards.contains(shard) {
                continue;
            }
            let client = round.first_client + u32::try_from(number)?;
            let terminal = round.terminals[number].clone();
            let (env, recorder) = (self.env.clone(), round.recorder.clone());
            let (times, silent) = (self.times.clone(), self.silent.clone());
            let losses = self.losses.clone();
            silent.fetch_add(1, Ordering::Relaxed);
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
                silent.fetch_sub(1, Ordering::Relaxed);
                let lost_again = lock(&losses).get(following).copied();
                if lost_again.is_some_and(|again| again - lost < SILENCE_SEEN) {
                    return;
                }
                lock(&times).push(env.monotonic() - lost);
            };
            self.running.push(self.env.spawn("probe", Box::pin(probe)));
        }
        Ok(())
    }

    /// Waits until every shard grants again, but not for ever.
    pub(crate) async fn granting_within(&self, limit: Duration) {
        let deadline = self.env.monotonic() + limit;
        while self.silent.load(Ordering::Relaxed) > 0 && self.env.monotonic() < deadline {
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

    /// How long each shard was silent after each loss, once all of them grant again.
    ///
    /// # Errors
    /// One stays silent.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Vec<Duration>> {
        self.all_answered()
            .await
            .context("after a leader was lost")?;
        Ok(std::mem::take(&mut lock(&self.times)))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
