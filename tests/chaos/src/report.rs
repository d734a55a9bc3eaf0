//! What runs have shown: a file that grows by one entry a run, so that an hour can be had in pieces.
//!
//! * [`run`]: one run, its steps, and the bars that it missed; [`spread`]: ranks.
//!
//! The file holds a line for each kind and each step, so that a change of it can be read.

mod run;
mod spread;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    run::{
        Counts, OTHERS_KEPT_PERCENT_MIN, RECOVERY_MS_MAX, RunReport, SILENCE_MS_P99_MAX, StepReport,
    },
    spread::Spread,
};
use crate::{kind::Kind, stage::NODES};

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
    /// Calls that were judged: every attempt.
    pub calls: usize,
    /// Operations that were judged.
    pub operations: usize,
    /// Of single nodes; one of all at once is one of each.
    pub power_cuts: usize,
    /// Of all nodes at once.
    pub power_cuts_of_all: usize,
    /// Attempts whose outcome was unknown when they ended, each resolved since.
    pub unknown_attempts: u64,
    /// Runs that broke a promise, or did not end.
    pub failed: usize,
}

impl Totals {
    /// Power cuts of one node alone.
    #[must_use]
    pub fn power_cuts_of_one(&self) -> usize {
        let with_others = self.power_cuts_of_all * usize::from(NODES);
        self.power_cuts.saturating_sub(with_others)
    }
}

/// What is known of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct KindReport {
    /// Steps with this kind alone.
    pub alone: usize,
    /// Steps with another as well.
    pub mixed: usize,
    /// Time until goodput was back for good, in milliseconds, alone.
    pub recovery_alone: Spread,
    /// The same, mixed.
    pub recovery_mixed: Spread,
    /// How long goodput lay below the bar once more, in milliseconds, alone or mixed, where it did.
    pub relapse: Spread,
    /// Time until a shard granted again, in milliseconds, alone.
    pub silence_alone: Spread,
    /// Shards whose silence was cut short, or not measured at all, alone.
    pub silence_unknown: usize,
    /// What clients of other shards kept of their rate in the worst second of all.
    pub others_kept_percent: Option<u64>,
}

impl KindReport {
    fn of<'a>(kind: Kind, steps: impl Iterator<Item = &'a StepReport>) -> Self {
        let steps = steps.filter(|step| step.kinds.contains(&kind));
        let (alone, mixed): (Vec<&StepReport>, Vec<&StepReport>) =
            steps.partition(|step| step.kinds.len() == 1);
        let recovery =
            |steps: &[&StepReport]| Spread::of(steps.iter().map(|step| step.recovery_ms).collect());
        let both = alone.iter().chain(&mixed);
        let relapses = both.map(|step| step.relapse_ms).filter(|ms| *ms > 0);
        let silences = alone.iter().flat_map(|step| step.known_silences());
        let known: usize = silences.clone().count();
        let lost = alone
            .iter()
            .map(|step| step.silences_ms.len() + step.cut_short_ms.len() + step.not_measured);
        let lost: usize = lost.sum();
        Self {
            alone: alone.len(),
            mixed: mixed.len(),
            recovery_alone: recovery(&alone),
            recovery_mixed: recovery(&mixed),
            relapse: Spread::of(relapses.collect()),
            silence_alone: Spread::of(silences.collect()),
            silence_unknown: lost - known,
            others_kept_percent: alone
                .iter()
                .filter_map(|step| step.others_kept_percent)
                .min(),
        }
    }

    fn row(&self, name: &str) -> String {
        let unknown = match self.silence_unknown {
            0 => String::new(),
            unknown => unknown.to_string(),
        };
        let kept = self.others_kept_percent;
        let kept = kept.map_or(String::new(), |kept| format!("{kept} %"));
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {unknown} | {kept} |\n",
            self.alone,
            self.mixed,
            self.recovery_alone,
            self.recovery_mixed,
            self.relapse,
            self.silence_alone,
        )
    }
}

impl RunReport {
    fn row(&self) -> String {
        let started = Timestamp::from_millisecond(self.started_ms);
        let started = started.map_or(String::new(), |at| {
            at.strftime("%Y-%m-%d %H:%M").to_string()
        });
        let or_none = |words: String| match words.is_empty() {
            true => "none".to_owned(),
            // One row, whatever was said.
            false => words.replace('\n', " ").replace('|', "/"),
        };
        let failure = self.failure.lines().next().unwrap_or_default().to_owned();
        let missed: Vec<String> = self.missed.iter().chain(&self.lacked).cloned().collect();
        format!(
            "| {started} | {} | {} | {} | {} | {} | {} | {} |\n",
            self.commit,
            self.seconds / 60,
            self.steps.len(),
            self.calls,
            self.operations,
            or_none(failure),
            or_none(missed.join("; "))
        )
    }
}

impl Report {
    /// The file's, or an empty one where there is none.
    ///
    /// # Errors
    /// The file is something else.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} holds no such report", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Adds a run that is over, and reckons everything anew.
    pub fn add(&mut self, mut run: RunReport) {
        run.conclude();
        self.runs.push(run);
        self.totals = Totals::default();
        self.kinds = BTreeMap::new();
        for run in &self.runs {
            self.totals.runs += 1;
            self.totals.seconds += run.seconds;
            self.totals.calls += run.calls;
            self.totals.operations += run.operations;
            self.totals.power_cuts += run.power_cuts;
            self.totals.power_cuts_of_all += run.power_cuts_of_all();
            self.totals.unknown_attempts += run.unknown_attempts;
            self.totals.failed += usize::from(!run.failure.is_empty());
            self.totals.faults += run.steps.iter().map(|step| step.kinds.len()).sum::<usize>();
        }
        for kind in Kind::ALL {
            let steps = self.runs.iter().flat_map(|run| &run.steps);
            let known = KindReport::of(kind, steps);
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
             {} runs, {} minutes, {} faults, {} calls judged, {} power cuts of one node and {} of all {NODES} at once,\n\
             {} attempts with unknown outcome, each resolved. Runs that broke a promise or did not end: {}.\n\n\
             A call is one attempt; an operation is a read that was answered, or a request with all its attempts: {}.\n\n\
             | begun (UTC) | commit | minutes | steps | calls | operations | failure | bars missed |\n\
             |---|---|---:|---:|---:|---:|---|---|\n",
            totals.runs,
            totals.seconds / 60,
            totals.faults,
            totals.calls,
            totals.power_cuts_of_one(),
            totals.power_cuts_of_all,
            totals.unknown_attempts,
            totals.failed,
            totals.operations
        );
        text.extend(self.runs.iter().map(RunReport::row));
        text += "\nMilliseconds; p50 / p99 / most. What is measured from when to when is told in\n\
                 [reliability](../reliability.md#chaos-on-real-processes).\n\n\
                 | kind | alone | mixed | goodput back, alone | goodput back, mixed | below once more | shards grant again, alone | not known of how many | others kept at least |\n\
                 |---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        text.extend(self.kinds.iter().map(|(name, kind)| kind.row(name)));
        text
    }

    /// A line for each kind and each step.
    fn to_json(&self) -> anyhow::Result<String> {
        let mut kinds = Vec::new();
        for (name, kind) in &self.kinds {
            let (name, kind) = (serde_json::to_string(name)?, serde_json::to_string(kind)?);
            kinds.push(format!("{name}: {kind}"));
        }
        let mut runs = Vec::new();
        for run in &self.runs {
            let steps: Result<Vec<String>, _> =
                run.steps.iter().map(serde_json::to_string).collect();
            let about = RunReport {
                steps: Vec::new(),
                ..run.clone()
            };
            let about = serde_json::to_string(&about)?;
            let about = about.strip_suffix("[]}").context("steps come last")?;
            runs.push(format!("{about}[\n{}\n]}}", steps?.join(",\n")));
        }
        Ok(format!(
            "{{\n\"totals\": {},\n\"kinds\": {{\n{}\n}},\n\"runs\": [\n{}\n]\n}}\n",
            serde_json::to_string(&self.totals)?,
            kinds.join(",\n"),
            runs.join(",\n")
        ))
    }

    /// Writes the file, and one for people beside it, each whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let texts = [("json", self.to_json()?), ("md", self.to_markdown())];
        for (extension, text) in texts {
            let draft = path.with_extension("new");
            fs::write(&draft, text)?;
            fs::rename(draft, path.with_extension(extension))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn killed(silences_ms: &[u64]) -> StepReport {
        StepReport {
            kinds: vec![Kind::KillNode],
            recovery_ms: 40,
            silences_ms: silences_ms.to_vec(),
            ..StepReport::default()
        }
    }

    fn saved(path: &Path) -> Report {
        for seed in 1..=2 {
            let mut report = Report::load(path).unwrap();
            let cut_short = StepReport {
                relapse_ms: 700,
                cut_short_ms: vec![900],
                not_measured: 2,
                others_kept_percent: Some(90 + seed),
                ..killed(&[1_700])
            };
            report.add(RunReport {
                seed,
                calls: 100,
                operations: 60,
                power_cuts: 3,
                steps: vec![killed(&[1_500, 1_900]), cut_short],
                ..RunReport::default()
            });
            report.save(path).unwrap();
        }
        Report::load(path).unwrap()
    }

    #[test]
    fn runs_add_up_in_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let report = saved(&directory.path().join("chaos/report.json"));
        assert_eq!((report.totals.calls, report.totals.operations), (200, 120));
        assert_eq!(report.totals.power_cuts, 6);
        let killed = &report.kinds["kill-node"];
        assert_eq!((killed.alone, killed.silence_alone.max), (4, 1_900));
        assert_eq!((killed.relapse.count, killed.silence_unknown), (2, 6));
        assert_eq!(killed.others_kept_percent, Some(91));
        assert!(report.runs[0].missed.is_empty());
        assert_eq!(report.runs[1].counts.not_measured, 2);
    }

    #[test]
    fn a_step_is_a_line_and_so_is_a_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        let report = saved(&path);
        let json = fs::read_to_string(&path).unwrap();
        let steps = json.lines().filter(|line| line.starts_with("{\"kinds\":"));
        assert_eq!(steps.count(), 4);
        assert!(json.lines().count() < 20, "{json}");
        let empty = Report::default().to_json().unwrap();
        assert!(serde_json::from_str::<Report>(&empty).is_ok(), "{empty}");

        let mut failed = report;
        failed.add(RunReport {
            failure: "round 1\nmuch | more".to_owned(),
            missed: Vec::new(),
            ..RunReport::default()
        });
        let text = failed.to_markdown();
        let rows = text.lines().filter(|line| line.starts_with("| 1970"));
        assert_eq!(rows.count(), 3, "{text}");
        assert!(text.contains("| round 1 | none |"), "{text}");
        assert!(text.contains("attempts with unknown outcome"), "{text}");
    }

    #[test]
    fn a_power_cut_of_all_nodes_is_one() {
        let all_at_once = StepReport {
            kinds: vec![Kind::PowerCutAll, Kind::KillGateway],
            ..StepReport::default()
        };
        let mut report = Report::default();
        report.add(RunReport {
            power_cuts: 5,
            steps: vec![all_at_once],
            ..RunReport::default()
        });
        let totals = report.totals;
        assert_eq!(
            (totals.power_cuts_of_one(), totals.power_cuts_of_all),
            (2, 1)
        );
        let text = report.to_markdown();
        let cuts = "2 power cuts of one node and 1 of all 3 at once";
        assert!(text.contains(cuts), "{text}");
    }

    #[test]
    fn a_file_of_another_format_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, r#"{"totals": {}, "kinds": {}, "runs": []}"#).unwrap();
        assert!(Report::load(&path).is_err());
    }
}
