//! What one run has shown, step by step, and which bars it missed.

use std::collections::BTreeMap;

use quorate_harness::checker::Report as Judged;
use serde::{Deserialize, Serialize};

use super::spread::Spread;
use crate::kind::Kind;

/// After a leader's death every shard grants again within this, 99 times of a hundred.
pub const SILENCE_MS_P99_MAX: u64 = 2_000;
/// After the end of any fault goodput is back within this.
pub const RECOVERY_MS_MAX: u64 = 5_000;
/// What clients of other shards keep of their rate while a leader is lost, in percent.
pub const OTHERS_KEPT_PERCENT_MIN: u64 = 80;
/// From here on a run is long enough for everything that a workload does to have happened.
const LONG_RUN_SECONDS: u64 = 300;

/// One run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunReport {
    /// Of the schedule.
    pub seed: u64,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// How long it took.
    pub seconds: u64,
    /// What was under test, as `git describe` names it; empty outside a checkout.
    pub commit: String,
    /// Processors and memory.
    pub machine: String,
    /// Clients of the workload.
    pub clients: u32,
    /// Milliseconds from one call of each to its next, on average.
    pub interval_ms: u64,
    /// Sales made before the first fault.
    pub fill: u64,
    /// Kinds that the run was to bring.
    #[serde(with = "names")]
    pub asked: Vec<Kind>,
    /// Kinds that the machine did not permit, and why.
    pub missing: BTreeMap<String, String>,
    /// Calls that were judged: every attempt.
    pub calls: usize,
    /// What they come to: reads that were answered, and requests, each with all its attempts.
    pub operations: usize,
    /// Sales granted, each counted once.
    pub grants: u64,
    /// Sales denied.
    pub denials: u64,
    /// Slips recorded.
    pub slips: u64,
    /// Attempts whose outcome was unknown when they ended.
    pub unknown_attempts: u64,
    /// Answers that repeated an earlier one, to a request that was sent again.
    pub repeated: u64,
    /// Of single nodes; one of all at once is one of each.
    pub power_cuts: usize,
    /// Counted over the steps.
    pub counts: Counts,
    /// The bars that were missed, in words.
    pub missed: Vec<String>,
    /// What should have happened and did not, in words.
    pub lacked: Vec<String>,
    /// What was broken; empty: nothing.
    pub failure: String,
    /// Each step.
    pub steps: Vec<StepReport>,
}

/// What is counted over the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps after which goodput lay below the bar once more, after it had been back.
    pub relapses: usize,
    /// Shards that lost their leader, and for which the time to the next grant is known.
    pub silences: usize,
    /// Those of which it is known only that it was longer than some time: a second loss came too soon.
    pub cut_short: usize,
    /// Those of which nothing is known.
    pub not_measured: usize,
}

/// One step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepReport {
    /// One kind, or two.
    #[serde(with = "names")]
    pub kinds: Vec<Kind>,
    /// Answers a second in the seconds before it.
    pub before_per_second: f64,
    /// Answers a second that had to be back.
    pub usual_per_second: f64,
    /// From the first strike to the end of the last fault.
    pub struck_ms: u64,
    /// From there until goodput was back for good.
    pub recovery_ms: u64,
    /// How long goodput lay below the bar once more, after it had first been back.
    pub relapse_ms: u64,
    /// From the end of the last fault until the cluster was whole.
    pub whole_ms: u64,
    /// Answers in each second from the first strike to the end of the watch.
    pub answers_by_second: Vec<u64>,
    /// For each shard that lost its leader, the time until it granted again.
    pub silences_ms: Vec<u64>,
    /// The same where a second loss ended the measurement: at least so long.
    pub cut_short_ms: Vec<u64>,
    /// Shards that lost their leader and were not measured.
    pub not_measured: usize,
    /// What clients of the other shards kept of their rate in the worst second, where a leader alone was lost.
    pub others_kept_percent: Option<u64>,
    /// What shows that the faults struck.
    pub proof: Vec<String>,
}

impl StepReport {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let silence = self.silences_ms.iter().max();
        let silence = silence.map_or(String::new(), |ms| format!(", shards grant after {ms} ms"));
        let relapse = match self.relapse_ms {
            0 => String::new(),
            ms => format!(", below once more for {ms} ms"),
        };
        let kept = self.others_kept_percent;
        let kept = kept.map_or(String::new(), |kept| {
            format!(", other shards kept {kept} %")
        });
        let slow = match self.recovery_ms > RECOVERY_MS_MAX {
            true => format!(", second by second {:?}", self.answers_by_second),
            false => String::new(),
        };
        format!(
            "{}: {:.0}/s back after {} ms{relapse}, whole after {} ms{silence}{kept}{slow} [{}]",
            self.names(),
            self.usual_per_second,
            self.recovery_ms,
            self.whole_ms,
            self.proof.join(" | ")
        )
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        names.join(" + ")
    }

    /// The times that count for the bar. One that was cut short says something only once it was too long.
    pub(super) fn known_silences(&self) -> Vec<u64> {
        let cut_short = self.cut_short_ms.iter().copied();
        let too_long = cut_short.filter(|ms| *ms > SILENCE_MS_P99_MAX);
        self.silences_ms.iter().copied().chain(too_long).collect()
    }
}

impl RunReport {
    /// Adds what was judged, and how many answers repeated an earlier one.
    pub fn judged(&mut self, judged: &Judged, repeated: u64) {
        self.calls += judged.calls;
        self.operations += judged.operations;
        self.grants += judged.grants;
        self.denials += judged.denials;
        self.slips += judged.slips;
        self.unknown_attempts += judged.unknown;
        self.repeated += repeated;
    }

    /// Once it is over: counts its steps, and says in words what it missed and what it lacked.
    pub fn conclude(&mut self) {
        let sum = |of: fn(&StepReport) -> usize| self.steps.iter().map(of).sum();
        self.counts = Counts {
            relapses: sum(|step| usize::from(step.relapse_ms > 0)),
            silences: sum(|step| step.silences_ms.len()),
            cut_short: sum(|step| step.cut_short_ms.len()),
            not_measured: sum(|step| step.not_measured),
        };
        self.missed = self.bars_missed();
        self.lacked = self.not_exercised();
    }

    /// Power cuts of all nodes at once.
    pub(super) fn power_cuts_of_all(&self) -> usize {
        let struck = self.steps.iter().flat_map(|step| &step.kinds);
        struck.filter(|kind| **kind == Kind::PowerCutAll).count()
    }

    /// The kinds that were asked for and did not come up.
    #[must_use]
    pub fn never(&self) -> Vec<&'static str> {
        let came_up = |kind: &Kind| self.steps.iter().any(|step| step.kinds.contains(kind));
        let never = self.asked.iter().filter(|kind| !came_up(kind));
        never.map(|kind| kind.name()).collect()
    }

    fn bars_missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let deaths: Vec<&StepReport> = self
            .steps
            .iter()
            .filter(|step| matches!(step.kinds[..], [kind] if kind.leader_dies()))
            .collect();
        let known = deaths.iter().flat_map(|step| step.known_silences());
        let silence = Spread::of(known.collect());
        if silence.p99 > SILENCE_MS_P99_MAX {
            missed.push(format!(
                "after a leader's death, of {} shards 99 % grant again after {} ms; the bar is {SILENCE_MS_P99_MAX}",
                silence.count, silence.p99
            ));
        }
        if silence.count == 0 && !deaths.is_empty() {
            missed.push(format!(
                "leaders died in {} steps, and no shard's time to the next grant was measured",
                deaths.len()
            ));
        }
        for step in &self.steps {
            if step.recovery_ms > RECOVERY_MS_MAX {
                missed.push(format!(
                    "after {} goodput was back for good after {} ms; the bar is {RECOVERY_MS_MAX}",
                    step.names(),
                    step.recovery_ms
                ));
            }
            if let Some(kept) = step.others_kept_percent
                && kept < OTHERS_KEPT_PERCENT_MIN
            {
                missed.push(format!(
                    "during {} clients of other shards kept {kept} % of their rate in the worst second; the bar is {OTHERS_KEPT_PERCENT_MIN}",
                    step.names()
                ));
            }
        }
        missed
    }

    /// A run that never saw an answer lost or repeated has not tried what it is there for.
    fn not_exercised(&self) -> Vec<String> {
        if self.seconds < LONG_RUN_SECONDS {
            return Vec::new();
        }
        let loses_answers = |kind: &Kind| {
            matches!(
                kind,
                Kind::KillNode
                    | Kind::KillGateway
                    | Kind::KillAll
                    | Kind::PowerCut
                    | Kind::PowerCutAll
            )
        };
        let mut expected = vec![("slips", self.slips), ("repeated requests", self.repeated)];
        if self.asked.iter().any(loses_answers) {
            expected.push(("attempts with unknown outcome", self.unknown_attempts));
        }
        let lacked = expected.into_iter().filter(|(_, count)| *count == 0);
        lacked
            .map(|(what, _)| format!("there were no {what}"))
            .collect()
    }
}

/// Kinds by their names.
mod names {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Kind;

    pub(super) fn serialize<S: Serializer>(kinds: &[Kind], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(kinds.iter().map(|kind| kind.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Kind>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let kinds = names.iter().map(|name| name.parse());
        kinds.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kinds: &[Kind], recovery_ms: u64, silences_ms: &[u64]) -> StepReport {
        StepReport {
            kinds: kinds.to_vec(),
            recovery_ms,
            silences_ms: silences_ms.to_vec(),
            ..StepReport::default()
        }
    }

    fn concluded(steps: Vec<StepReport>) -> RunReport {
        let mut run = RunReport {
            steps,
            ..RunReport::default()
        };
        run.conclude();
        run
    }

    #[test]
    fn a_missed_bar_is_named() {
        let run = concluded(vec![
            step(&[Kind::KillNode], 40, &[2_001]),
            // Two faults at once: no time is promised for the shards, one is for goodput.
            step(&[Kind::KillNode, Kind::SlowLinks], 5_001, &[9_000]),
            StepReport {
                others_kept_percent: Some(79),
                ..step(&[Kind::PauseNode], 0, &[9_000])
            },
        ]);
        assert_eq!(run.missed.len(), 3, "{:?}", run.missed);
        assert_eq!(run.counts.silences, 3);
        let kept = StepReport {
            others_kept_percent: Some(80),
            ..step(&[Kind::KillNode], 5_000, &[2_000])
        };
        assert!(concluded(vec![kept]).missed.is_empty());
    }

    #[test]
    fn a_bar_without_samples_is_missed() {
        let unmeasured = StepReport {
            not_measured: 3,
            cut_short_ms: vec![1_999],
            ..step(&[Kind::PowerCut], 0, &[])
        };
        let run = concluded(vec![unmeasured]);
        assert_eq!(run.missed.len(), 1, "{:?}", run.missed);
        assert_eq!((run.counts.cut_short, run.counts.not_measured), (1, 3));
        assert!(
            concluded(vec![step(&[Kind::SlowSync], 0, &[])])
                .missed
                .is_empty()
        );
    }

    #[test]
    fn a_silence_that_was_cut_short_counts_once_it_was_too_long() {
        let cut_short = StepReport {
            cut_short_ms: vec![1_000, 2_500],
            ..step(&[Kind::KillNode], 0, &[1_200])
        };
        assert_eq!(cut_short.known_silences(), [1_200, 2_500]);
        assert_eq!(concluded(vec![cut_short]).missed.len(), 1);
    }

    #[test]
    fn a_long_run_that_tried_nothing_lacks_it() {
        let mut run = RunReport {
            seconds: LONG_RUN_SECONDS,
            asked: vec![Kind::KillNode, Kind::BitFlip],
            steps: vec![step(&[Kind::KillNode], 0, &[1_000])],
            ..RunReport::default()
        };
        run.conclude();
        assert_eq!(run.lacked.len(), 3, "{:?}", run.lacked);
        assert_eq!(run.never(), ["bit-flip"]);
        let counted = RunReport {
            slips: 1,
            repeated: 1,
            unknown_attempts: 1,
            ..run.clone()
        };
        let short = RunReport {
            seconds: LONG_RUN_SECONDS - 1,
            ..run
        };
        for mut enough in [counted, short] {
            enough.conclude();
            assert!(enough.lacked.is_empty(), "{:?}", enough.lacked);
        }
    }
}
