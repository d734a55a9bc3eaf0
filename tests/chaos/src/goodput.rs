//! Answers a second, before, during and after a fault: sampled while a run goes on, judged by pure functions.
//!
//! A step is watched from the instant its last fault was over. Goodput is back when the last slump is over: a
//! run of windows below [`SHARE`] that is long or deep; from then on the mean must be back as well. A dip that
//! is neither is a hiccup of a busy machine, and is told apart.

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
/// What must be back of the usual rate.
const SHARE: f64 = 0.95;
/// A run of windows below [`SHARE`] that lasts longer than this is a slump.
const DIP_MAX: Duration = Duration::from_millis(1_500);
/// And so is one with a window below this share, however short.
const DEEP: f64 = 0.8;
/// The rate before a strike may lie below that of earlier steps by so much: what lies further below is what
/// they have left behind, and does not lower what must be back.
const SAG: f64 = 0.97;

/// When, and how many answers there were by then.
type Sample = (Duration, u64);

/// What became of the rate after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// From the end of the fault until the rate was back for good; `None`: not yet.
    pub(crate) after: Option<Duration>,
    /// How long it lay below [`SHARE`] once more, after it had first been back.
    pub(crate) relapse: Duration,
}

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

    /// Watches until then, and on until the rate is back, but no longer than `limit` after `ended`.
    pub(crate) async fn recovery(
        &self,
        ended: Duration,
        usual: f64,
        until: Duration,
        limit: Duration,
    ) -> Recovery {
        loop {
            let now = self.env.monotonic();
            if now >= until {
                let recovery = recovery(&lock(&self.samples), ended, usual);
                if recovery.after.is_some() || now > ended + limit {
                    return recovery;
                }
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

/// What a rate is held against: the rate just before, unless that has sagged below those before the round's
/// earlier steps, or lies above what clients ask for, as where calls that were late came at once.
pub(crate) fn usual_rate(before: f64, earlier: &[f64], asked: f64) -> f64 {
    before.max(SAG * median(earlier.to_vec())).min(asked)
}

/// Judges what was counted since a fault was over.
fn recovery(samples: &[Sample], ended: Duration, usual: f64) -> Recovery {
    let samples = &samples[samples.partition_point(|(at, _)| *at < ended)..];
    let windows: Vec<(Duration, f64)> = rates(samples).collect();
    let is_good = |&(_, rate): &(Duration, f64)| rate >= SHARE * usual;
    let mut recovery = Recovery {
        after: None,
        relapse: Duration::ZERO,
    };
    let Some(first_good) = windows.iter().position(is_good) else {
        return recovery;
    };
    let mut back = first_good;
    let mut at = first_good;
    while let Some(dip) = windows[at..].iter().position(|window| !is_good(window)) {
        let begin = at + dip;
        let later = windows[begin..].iter().position(is_good);
        at = later.map_or(windows.len(), |later| begin + later);
        let end = windows.get(at).unwrap_or(&windows[at - 1]).0;
        let time = end - windows[begin].0;
        recovery.relapse += time;
        let lies_deep = windows[begin..at]
            .iter()
            .any(|(_, rate)| *rate < DEEP * usual);
        if time > DIP_MAX || lies_deep {
            back = at;
        }
    }
    let mean_is_back = |since: Duration| {
        let begin = samples.partition_point(|(at, _)| *at < since);
        let rest = samples.get(begin).zip(samples.last());
        rest.is_some_and(|((at, count), (until, until_count))| {
            let time = (*until - *at).as_secs_f64();
            (until_count - count) as f64 >= SHARE * usual * time
        })
    };
    let for_good = windows[back..]
        .iter()
        .find(|window| is_good(window) && mean_is_back(window.0));
    recovery.after = for_good.map(|(at, _)| *at - ended);
    recovery
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: f64 = 1_000.0;

    /// A sample each twentieth of a second for twenty seconds; `share` of the usual rate at each tenth.
    fn played(share: impl Fn(u64) -> f64) -> Vec<Sample> {
        let mut answers = 0.0;
        let mut samples = vec![(Duration::ZERO, 0)];
        for twentieth in 0..400_u64 {
            answers += share(twentieth / 2) * USUAL / 20.0;
            let at = Duration::from_millis(50) * u32::try_from(twentieth + 1).unwrap_or(u32::MAX);
            samples.push((at, answers.round() as u64));
        }
        samples
    }

    /// Milliseconds until the rate was back, and of relapse.
    fn judged(ended_ms: u64, share: impl Fn(u64) -> f64) -> (Option<u64>, u64) {
        let recovery = recovery(&played(share), Duration::from_millis(ended_ms), USUAL);
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        (recovery.after.map(millis), millis(recovery.relapse))
    }

    /// Nothing at these tenths of a second, the usual rate at all others.
    fn out(tenths: std::ops::Range<u64>) -> impl Fn(u64) -> f64 {
        move |tenth| f64::from(u8::from(!tenths.contains(&tenth)))
    }

    #[test]
    fn a_rate_that_was_never_gone_is_back_at_once() {
        assert_eq!(judged(6_000, |_| 1.0), (Some(0), 0));
    }

    #[test]
    fn a_rate_is_back_when_the_outage_is_over() {
        // One window may begin a sample early: nineteen twentieths of the rate are enough.
        assert_eq!(judged(6_000, out(50..80)), (Some(1_950), 0));
        assert_eq!(judged(6_000, out(50..1_000)), (None, 0));
    }

    #[test]
    fn a_fault_that_ended_inside_its_strike_is_measured_from_there() {
        assert_eq!(judged(4_000, out(40..100)), (Some(5_950), 0));
    }

    #[test]
    fn a_slump_after_a_good_second_is_not_yet_recovery() {
        let refilled = |tenth: u64| match tenth {
            50..60 => 0.0,
            80..150 => 0.7,
            _ => 1.0,
        };
        let (after, relapse) = judged(5_000, refilled);
        assert!(
            after.is_some_and(|ms| (9_700..=10_000).contains(&ms)),
            "{after:?}"
        );
        assert!((7_000..=8_000).contains(&relapse), "{relapse}");
        // Short, but deep.
        let (after, _) = judged(5_000, out(120..125));
        assert!(
            after.is_some_and(|ms| (7_400..=7_500).contains(&ms)),
            "{after:?}"
        );
        // Shallow, but long.
        let (after, _) = judged(
            5_000,
            |tenth| if (80..110).contains(&tenth) { 0.9 } else { 1.0 },
        );
        assert!(
            after.is_some_and(|ms| (5_000..=6_000).contains(&ms)),
            "{after:?}"
        );
    }

    #[test]
    fn a_slump_that_lasts_leaves_the_rate_unrecovered() {
        let (after, _) = judged(5_000, |tenth| if tenth < 100 { 1.0 } else { 0.7 });
        assert_eq!(after, None);
    }

    #[test]
    fn a_hiccup_is_told_and_is_no_slump() {
        let (after, relapse) = judged(5_000, |tenth| if tenth == 120 { 0.1 } else { 1.0 });
        assert_eq!(after, Some(0));
        assert!((700..=1_500).contains(&relapse), "{relapse}");
    }

    #[test]
    fn what_piled_up_in_an_outage_is_not_recovery() {
        // All who waited are answered at once; then everything stands for two seconds more.
        let burst = |tenth: u64| match tenth {
            50..60 | 63..83 => 0.0,
            60..63 => 5.0,
            _ => 1.0,
        };
        let (after, _) = judged(5_000, burst);
        assert!(
            after.is_some_and(|ms| (3_200..=3_400).contains(&ms)),
            "{after:?}"
        );
    }

    #[test]
    fn good_windows_between_bad_ones_do_not_make_a_mean() {
        let limps = |tenth: u64| match tenth {
            50.. if tenth % 20 < 11 => 0.88,
            _ => 1.0,
        };
        let (after, _) = judged(5_000, limps);
        assert!(after.is_some_and(|ms| ms >= 10_000), "{after:?}");
    }

    #[test]
    fn a_baseline_that_sags_hides_no_slump() {
        let earlier = [1_000.0, 1_010.0, 990.0];
        for (before, earlier, usual) in [
            (900.0, &earlier[..], 970.0),
            (990.0, &earlier, 990.0),
            (990.0, &[], 990.0),
            (1_050.0, &earlier, 1_005.0),
        ] {
            assert!((usual_rate(before, earlier, 1_005.0) - usual).abs() < 0.001);
        }
        // Held against nine tenths, nine tenths would be everything.
        let sagged = |usual| recovery(&played(|_| 0.9), Duration::from_secs(5), usual).after;
        assert_eq!(sagged(900.0), Some(Duration::ZERO));
        assert_eq!(sagged(usual_rate(900.0, &[USUAL], USUAL)), None);
    }

    #[test]
    fn the_usual_rate_ignores_a_short_outage() {
        let samples = played(out(50..80));
        let rates: Vec<f64> = rates(&samples).map(|(_, rate)| rate).collect();
        assert!((median(rates) - USUAL).abs() < 20.0);
    }
}
