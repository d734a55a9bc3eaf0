//! Answers a second, before, during and after a fault: sampled while a run goes on, judged by pure functions.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quorate_link::{Env, TaskHandle};

/// How often answers are counted.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);
/// A rate is taken over so much time.
const WINDOW: Duration = Duration::from_secs(1);
/// What must be back of the rate before the fault.
const SHARE: f64 = 0.95;

/// When, and how many answers there were by then.
type Sample = (Duration, u64);

/// Counts answers until it is dropped.
pub(crate) struct Goodput {
    env: Env,
    samples: Arc<Mutex<Vec<Sample>>>,
    sampler: TaskHandle,
}

impl Goodput {
    pub(crate) fn watch(env: Env, answers: Arc<AtomicU64>) -> Self {
        let samples: Arc<Mutex<Vec<Sample>>> = Arc::default();
        let (to, clock) = (samples.clone(), env.clone());
        let sample = async move {
            loop {
                let now = (clock.monotonic(), answers.load(Ordering::Relaxed));
                lock(&to).push(now);
                clock.sleep(SAMPLE_INTERVAL).await;
            }
        };
        let sampler = env.spawn("goodput", Box::pin(sample));
        Self {
            env,
            samples,
            sampler,
        }
    }

    /// The usual rate of the last `time`, in answers a second.
    pub(crate) fn usual(&self, time: Duration) -> f64 {
        let since = self.env.monotonic().saturating_sub(time);
        let samples = lock(&self.samples);
        let from = samples.partition_point(|(at, _)| *at < since);
        median(rates(&samples[from..]).map(|(_, rate)| rate).collect())
    }

    /// Answers in each second from `begun` on.
    pub(crate) fn by_second(&self, begun: Duration) -> Vec<u64> {
        let samples = lock(&self.samples);
        let from = samples.partition_point(|(at, _)| *at < begun);
        let (mut seconds, mut next) = (Vec::new(), begun + Duration::from_secs(1));
        let mut counted = samples.get(from).map_or(0, |(_, count)| *count);
        for &(at, count) in &samples[from..] {
            if at >= next {
                seconds.push(count - counted);
                counted = count;
                next += Duration::from_secs(1);
            }
        }
        seconds
    }

    /// Waits until the rate is back, and says how long after `end` that was; `None` if it is not within `limit`.
    pub(crate) async fn recovered(
        &self,
        end: Duration,
        usual: f64,
        limit: Duration,
    ) -> Option<Duration> {
        loop {
            if let Some(time) = recovered_after(&lock(&self.samples), end, usual) {
                return Some(time);
            }
            if self.env.monotonic() > end + limit + WINDOW {
                return None;
            }
            self.env.sleep(SAMPLE_INTERVAL).await;
        }
    }
}

impl Drop for Goodput {
    fn drop(&mut self) {
        self.sampler.abort();
    }
}

fn lock(samples: &Mutex<Vec<Sample>>) -> MutexGuard<'_, Vec<Sample>> {
    samples.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rate of the [`WINDOW`] that begins with each sample, where it is over.
fn rates(samples: &[Sample]) -> impl Iterator<Item = (Duration, f64)> {
    samples
        .iter()
        .enumerate()
        .filter_map(|(index, &(at, count))| {
            let later = &samples[index..];
            let end = later.partition_point(|(later, _)| *later < at + WINDOW);
            let &(until, until_count) = later.get(end)?;
            let rate = (until_count - count) as f64 / (until - at).as_secs_f64();
            Some((at, rate))
        })
}

/// How long after `end` the first window begins in which the rate is back.
fn recovered_after(samples: &[Sample], end: Duration, usual: f64) -> Option<Duration> {
    let from = samples.partition_point(|(at, _)| *at < end);
    let back = rates(&samples[from..]).find(|(_, rate)| *rate >= SHARE * usual);
    back.map(|(at, _)| at - end)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred answers each tenth of a second, but none from 5 s to 8 s.
    fn outage() -> Vec<Sample> {
        let mut count = 0;
        (0..200_u64)
            .map(|tenth| {
                if !(50..80).contains(&tenth) {
                    count += 100;
                }
                (Duration::from_millis(tenth * 100), count)
            })
            .collect()
    }

    #[test]
    fn recovery_is_the_first_window_at_the_usual_rate() {
        let end = Duration::from_secs(6);
        let back = recovered_after(&outage(), end, 1000.0);
        let expected = Duration::from_millis(1_800)..=Duration::from_millis(2_000);
        assert!(
            back.is_some_and(|back| expected.contains(&back)),
            "{back:?}"
        );
        assert_eq!(recovered_after(&outage(), end, 2000.0), None);
        let never_gone = recovered_after(&outage(), Duration::from_secs(9), 1000.0);
        assert_eq!(never_gone, Some(Duration::ZERO));
    }

    #[test]
    fn the_usual_rate_ignores_a_short_outage() {
        let rates: Vec<f64> = rates(&outage()).map(|(_, rate)| rate).collect();
        assert!((median(rates) - 1000.0).abs() < 20.0);
    }
}
