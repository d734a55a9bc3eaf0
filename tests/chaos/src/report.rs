//! What runs have shown: a file that grows by one entry a run, so that an hour can be had in pieces.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::Context as _;
use quorate_harness::checker::Report as Judged;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// After a leader's death every shard grants again within this, 99 times of a hundred.
pub const SILENCE_MS_P99_MAX: u64 = 2_000;
/// After the end of any fault goodput is back within this.
pub const RECOVERY_MS_MAX: u64 = 5_000;

/// All runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Added up over all runs.
    pub totals: Totals,
    /// By kind, over all runs.
    pub kinds: BTreeMap<String, KindReport>,
    /// Each run.
    pub runs: Vec<RunReport>,
}

/// Sums over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Runs.
    pub runs: usize,
    /// Seconds of all runs, judgement included.
    pub seconds: u64,
    /// Faults that struck.
    pub faults: usize,
    /// Calls that were judged.
    pub operations: usize,
    /// Of single nodes.
    pub power_cuts: usize,
    /// Outcomes that were unknown at first, each resolved since.
    pub unknown_resolved: u64,
    /// Runs that broke a promise, or did not end.
    pub failed: usize,
}

/// One run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunReport {
    /// Of the schedule.
    pub seed: u64,
    /// Unix milliseconds.
    pub started_ms: i64,
    /// How long it took.
    pub seconds: u64,
    /// Processors and memory.
    pub machine: String,
    /// Calls that were judged.
    pub operations: usize,
    /// Sales granted, each counted once.
    pub grants: u64,
    /// Sales denied.
    pub denials: u64,
    /// Slips recorded.
    pub slips: u64,
    /// Outcomes that were unknown at first.
    pub unknown: u64,
    /// Of single nodes.
    pub power_cuts: usize,
    /// Kinds that the machine did not permit, and why.
    pub missing: BTreeMap<String, String>,
    /// What was broken; empty: nothing.
    pub failure: String,
    /// Each step.
    pub steps: Vec<StepReport>,
}

/// One step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepReport {
    /// One kind, or two.
    #[serde(with = "names")]
    pub kinds: Vec<Kind>,
    /// Answers a second before it.
    pub usual_per_second: f64,
    /// From the first strike to the end of the last fault.
    pub struck_ms: u64,
    /// From there until goodput was back.
    pub recovery_ms: u64,
    /// Answers in each second from the first strike until goodput was back.
    #[serde(default)]
    pub answers_by_second: Vec<u64>,
    /// For each shard that lost its leader, the time until it granted again.
    pub silences_ms: Vec<u64>,
    /// What shows that the faults struck.
    pub proof: Vec<String>,
}

/// What is known of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KindReport {
    /// Steps with this kind alone.
    pub alone: usize,
    /// Steps with another as well.
    pub mixed: usize,
    /// Time until goodput was back, in milliseconds, alone.
    pub recovery_alone: Spread,
    /// The same, mixed.
    pub recovery_mixed: Spread,
    /// Time until a shard granted again, in milliseconds, alone.
    pub silence_alone: Spread,
}

/// How values are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// Half are no more than this.
    pub p50: u64,
    /// Ninety-nine of a hundred are no more than this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    /// Of these values.
    #[must_use]
    pub fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let rank = |share: f64| {
            let rank = (values.len() as f64 * share).ceil() as usize;
            values.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self {
            count: values.len(),
            p50: rank(0.5),
            p99: rank(0.99),
            max: values.last().copied().unwrap_or(0),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => Ok(()),
            _ => write!(f, "{} / {} / {}", self.p50, self.p99, self.max),
        }
    }
}

impl StepReport {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        let silence = self.silences_ms.iter().max();
        let silence = silence.map_or(String::new(), |ms| format!(", shards grant after {ms} ms"));
        let slow = match self.recovery_ms > RECOVERY_MS_MAX {
            true => format!(", second by second {:?}", self.answers_by_second),
            false => String::new(),
        };
        format!(
            "{}: {:.0}/s back after {} ms{silence}{slow} [{}]",
            names.join(" + "),
            self.usual_per_second,
            self.recovery_ms,
            self.proof.join(" | ")
        )
    }
}

impl RunReport {
    /// Adds what was judged.
    pub fn judged(&mut self, judged: &Judged) {
        self.operations += judged.calls;
        self.grants += judged.grants;
        self.denials += judged.denials;
        self.slips += judged.slips;
        self.unknown += judged.unknown;
    }

    /// The bars that this run missed, in words.
    #[must_use]
    pub fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        let silence = Spread::of(deaths(&self.steps));
        if silence.p99 > SILENCE_MS_P99_MAX {
            missed.push(format!(
                "after a leader's death, of {} shards 99 % grant again after {} ms; the bar is {SILENCE_MS_P99_MAX}",
                silence.count, silence.p99
            ));
        }
        for step in &self.steps {
            if step.recovery_ms > RECOVERY_MS_MAX {
                missed.push(format!(
                    "after {:?} goodput was back after {} ms; the bar is {RECOVERY_MS_MAX}",
                    step.kinds, step.recovery_ms
                ));
            }
        }
        missed
    }
}

/// How long shards were silent whose leader died, in steps with nothing else.
fn deaths(steps: &[StepReport]) -> Vec<u64> {
    let dead = steps
        .iter()
        .filter(|step| matches!(step.kinds[..], [kind] if kind.leader_dies()));
    dead.flat_map(|step| step.silences_ms.clone()).collect()
}

impl Report {
    /// The file's, or an empty one where there is none.
    ///
    /// # Errors
    /// The file is something else.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| path.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Adds a run and reckons everything anew.
    pub fn add(&mut self, run: RunReport) {
        self.runs.push(run);
        self.totals = Totals::default();
        self.kinds = BTreeMap::new();
        for run in &self.runs {
            self.totals.runs += 1;
            self.totals.seconds += run.seconds;
            self.totals.operations += run.operations;
            self.totals.power_cuts += run.power_cuts;
            self.totals.unknown_resolved += run.unknown;
            self.totals.failed += usize::from(!run.failure.is_empty());
            self.totals.faults += run.steps.iter().map(|step| step.kinds.len()).sum::<usize>();
        }
        let steps: Vec<&StepReport> = self.runs.iter().flat_map(|run| &run.steps).collect();
        for kind in Kind::ALL {
            let of_kind = |alone: bool| {
                let steps = steps.iter().copied();
                let steps = steps.filter(move |step| step.kinds.contains(&kind));
                steps.filter(move |step| (step.kinds.len() == 1) == alone)
            };
            let recovery =
                |alone| Spread::of(of_kind(alone).map(|step| step.recovery_ms).collect());
            let silences = of_kind(true).flat_map(|step| step.silences_ms.clone());
            let known = KindReport {
                alone: of_kind(true).count(),
                mixed: of_kind(false).count(),
                recovery_alone: recovery(true),
                recovery_mixed: recovery(false),
                silence_alone: Spread::of(silences.collect()),
            };
            if known.alone + known.mixed > 0 {
                self.kinds.insert(kind.name().to_owned(), known);
            }
        }
    }

    /// For people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let totals = &self.totals;
        let mut text = format!(
            "# Chaos on real processes\n\n\
             {} runs, {} minutes, {} faults, {} operations judged, {} power cuts of single nodes,\n\
             {} unknown outcomes, each resolved. Runs that broke a promise or did not end: {}.\n\n\
             Milliseconds; p50 / p99 / most. Goodput is back when 95 % of the answers a second before the fault are.\n\n\
             | kind | alone | mixed | goodput back, alone | goodput back, mixed | shards grant again, alone |\n\
             |---|---:|---:|---:|---:|---:|\n",
            totals.runs,
            totals.seconds / 60,
            totals.faults,
            totals.operations,
            totals.power_cuts,
            totals.unknown_resolved,
            totals.failed
        );
        for (name, kind) in &self.kinds {
            text += &format!(
                "| {name} | {} | {} | {} | {} | {} |\n",
                kind.alone,
                kind.mixed,
                kind.recovery_alone,
                kind.recovery_mixed,
                kind.silence_alone
            );
        }
        text
    }

    /// Writes the file, and one for people beside it, each whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let json = serde_json::to_string_pretty(self)? + "\n";
        for (extension, text) in [("json", json), ("md", self.to_markdown())] {
            let draft = path.with_extension("new");
            fs::write(&draft, text)?;
            fs::rename(draft, path.with_extension(extension))?;
        }
        Ok(())
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
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn step(kinds: &[Kind], recovery_ms: u64, silences_ms: &[u64]) -> StepReport {
        StepReport {
            kinds: kinds.to_vec(),
            recovery_ms,
            silences_ms: silences_ms.to_vec(),
            ..StepReport::default()
        }
    }

    #[test]
    fn runs_add_up_in_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chaos/report.json");
        for seed in 1..=2 {
            let mut report = Report::load(&path).unwrap();
            report.add(RunReport {
                seed,
                operations: 100,
                power_cuts: 3,
                steps: vec![step(&[Kind::KillNode], 40, &[1_500, 1_900])],
                ..RunReport::default()
            });
            report.save(&path).unwrap();
        }
        let report = Report::load(&path).unwrap();
        assert_eq!(
            (report.totals.operations, report.totals.power_cuts),
            (200, 6)
        );
        let killed = &report.kinds["kill-node"];
        assert_eq!((killed.alone, killed.silence_alone.max), (2, 1_900));
        assert!(report.runs[0].missed().is_empty());
    }

    #[test]
    fn a_missed_bar_is_named() {
        let run = RunReport {
            steps: vec![
                step(&[Kind::KillNode], 40, &[2_001]),
                // Two faults at once: no time is promised for the shards, one is for goodput.
                step(&[Kind::KillNode, Kind::SlowLinks], 5_001, &[9_000]),
            ],
            ..RunReport::default()
        };
        assert_eq!(run.missed().len(), 2, "{:?}", run.missed());
    }

    #[test]
    fn a_spread_has_its_ranks() {
        let spread = Spread::of((1..=200).rev().collect());
        assert_eq!((spread.p50, spread.p99, spread.max), (100, 198, 200));
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }
}
