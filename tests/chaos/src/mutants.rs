//! `make chaos-mutants`: plants one bug after the other in every process of a cluster, and shows that chaos catches it.
//!
//! Each run is a process of its own, whose nodes and gateways inherit the bug. Laws: a run with a bug must break a
//! promise, and as many steps without one must end well. Deliberately absent: `docs/chaos/report.json`, to which
//! nothing is added; and bugs of which a fault need not show anything, see `docs/reliability.md`.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use anyhow::{Context as _, ensure};
use quorate_chaos::{
    kind::Kind,
    report::{Report, RunReport},
    volume,
};
use quorate_harness::checker::Law;

use crate::Options;

/// Bugs, and the kind of fault that must show each.
const PAIRS: [(&str, Kind); 4] = [
    // Seconds of acknowledged sales are on no disk.
    ("unsynced-log", Kind::PowerCutAll),
    // Clients send some requests again anyhow, and all whose answer the fault took.
    ("double-apply", Kind::KillNode),
    // The next leader delivers again what the last one had no time to acknowledge.
    ("outbox-twice", Kind::KillNode),
    // Deliveries to the dead node fail.
    ("outbox-lost", Kind::KillNode),
];
/// What the program under test reads its bug's name from.
const VARIABLE: &str = "QUORATE_PLANT";
/// Steps that a bug may take to be caught, each judged by itself.
const STEPS_MAX: usize = 4;
/// Of every schedule, if no other is asked for.
const SEED: u64 = 1;
/// What a failure that names no law says where the cluster is not what it must be.
const SIGNS: [&str; 8] = [
    "verify: ",
    "the counts do not add up",
    "panicked",
    "ended by itself",
    "not so after",
    "calls not answered after",
    "were not granted within",
    "granted nothing for",
];

/// Plants the bugs that were named, or all, and prints a table.
///
/// # Errors
/// One was not caught, or a run without a bug did not end well.
pub(crate) fn plant(options: &Options) -> anyhow::Result<()> {
    let is_asked = |bug: &str| {
        let mut names = options.mutants.iter();
        names.any(|name| name == bug || name == "all")
    };
    let mut pairs = PAIRS.to_vec();
    pairs.retain(|(bug, _)| is_asked(bug));
    let known = PAIRS.map(|(bug, _)| bug).join(", ");
    ensure!(!pairs.is_empty(), "bugs that chaos can catch: {known}");
    let workshop = env::temp_dir().join(volume::run_directory_prefix() + "mutants");
    fs::create_dir_all(&workshop)?;
    let hunt = Hunt { options, workshop };
    let done = hunt.all(&pairs);
    fs::remove_dir_all(&hunt.workshop)?;
    done
}

struct Hunt<'o> {
    options: &'o Options,
    /// Where the runs leave their reports.
    workshop: PathBuf,
}

/// A run that is over.
struct Ended {
    report: RunReport,
    /// Where it has kept its files, if it failed.
    kept: PathBuf,
}

impl Hunt<'_> {
    fn all(&self, pairs: &[(&str, Kind)]) -> anyhow::Result<()> {
        let mut table = "| bug | kind | steps | seconds | what broke |\n".to_owned();
        table += "|---|---|---|---|---|";
        let mut wrong = Vec::new();
        let mut steps_by_kind: BTreeMap<Kind, usize> = BTreeMap::new();
        for &(bug, kind) in pairs {
            println!("{kind} with {bug}; again: make chaos-mutants BUG={bug}");
            let ended = self.run(kind, STEPS_MAX, Some(bug))?;
            let (steps, seconds) = (ended.steps(), ended.report.seconds);
            let broken = broken_promise(&ended.report.failure).filter(|_| steps > 0);
            let told = broken.as_deref().unwrap_or("nothing");
            table += &format!("\n| `{bug}` | `{kind}` | {steps} | {seconds} | {told} |");
            if broken.is_some() {
                fs::remove_dir_all(&ended.kept)?;
                let most = steps_by_kind.entry(kind).or_default();
                *most = steps.max(*most);
            } else {
                wrong.push(format!("{bug} broke nothing. {}", ended.report.failure));
            }
        }
        for (kind, steps) in steps_by_kind {
            println!("{kind} without a bug");
            let failure = self.run(kind, steps, None)?.report.failure;
            if !failure.is_empty() {
                wrong.push(format!("{kind} fails without a bug: {failure}"));
            }
        }
        println!("{table}");
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }

    fn run(&self, kind: Kind, steps: usize, bug: Option<&str>) -> anyhow::Result<Ended> {
        let name = format!("{kind}-{}.json", bug.unwrap_or("sound"));
        let path = self.workshop.join(name);
        let mut child = self.start(kind, steps, bug, &path)?;
        let kept = format!("{}{}-run", volume::PREFIX, child.id());
        // How it ended is in its report.
        child.wait()?;
        let report = Report::load(&path)?.runs.pop();
        Ok(Ended {
            report: report.with_context(|| format!("a run of {kind} did not begin"))?,
            kept: env::temp_dir().join(kept),
        })
    }

    fn start(
        &self,
        kind: Kind,
        steps: usize,
        bug: Option<&str>,
        report: &Path,
    ) -> anyhow::Result<Child> {
        let options = self.options;
        let seed = options.seed.unwrap_or(SEED);
        let mut chaos = Command::new(env::current_exe()?);
        chaos
            .args(["--alone", "--allow-slow", "--round", "1"])
            .args(["--kinds", kind.name()])
            .args(["--steps", &steps.to_string()])
            .args(["--seed", &seed.to_string()])
            .args(["--clients", &options.clients.to_string()])
            .args(["--interval", &options.interval.to_string()])
            .arg("--report")
            .arg(report);
        if let Some(program) = &options.program {
            chaos.arg("--program").arg(program);
        }
        match bug {
            Some(bug) => chaos.env(VARIABLE, bug),
            None => chaos.env_remove(VARIABLE),
        };
        Ok(chaos.spawn()?)
    }
}

impl Ended {
    /// Steps that were over, and the one in which it failed.
    fn steps(&self) -> usize {
        let over = self.report.steps.len();
        let next = format!("step {}: ", over + 1);
        over + usize::from(self.report.failure.contains(&next))
    }
}

/// The promise that a failure tells of: the first law that it names, or how the cluster is not what it must be.
fn broken_promise(failure: &str) -> Option<String> {
    let names_a_law = |line: &&str| {
        let name = line.split_once(": ").map(|(name, _)| name);
        Law::ALL.iter().any(|law| name == Some(law.name()))
    };
    let law = failure.lines().map(str::trim_start).find(names_a_law);
    let sign = || {
        let at = SIGNS.iter().find_map(|sign| failure.find(*sign))?;
        Some(&failure[at..])
    };
    let told = law.or_else(sign)?;
    let line: String = told.lines().next()?.chars().take(110).collect();
    Some(line.replace('|', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_law() {
        let law = "everything is kept in /tmp/x: round 1: history: y: 9 calls, 2 violations\n  \
                   one-answer: citizen 7: granted | twice [line 3, 4]\n  shelf: it lacks 2";
        let told = "one-answer: citizen 7: granted / twice [line 3, 4]";
        assert_eq!(broken_promise(law).as_deref(), Some(told));
        let gone = "everything is kept in /x: step 2: [KillNode]: node 1 ended by itself, with 1";
        let told = "ended by itself, with 1";
        assert_eq!(broken_promise(gone).as_deref(), Some(told));
        for other in ["", "step 1: kill-node on nodes [1] was not exercised"] {
            assert_eq!(broken_promise(other), None, "{other}");
        }
    }

    #[test]
    fn the_step_in_which_a_run_failed_counts() {
        let ended = |failure: &str| Ended {
            report: RunReport {
                failure: failure.to_owned(),
                steps: vec![quorate_chaos::report::StepReport::default()],
                ..RunReport::default()
            },
            kept: PathBuf::new(),
        };
        assert_eq!(ended("round 1: shelf").steps(), 1);
        assert_eq!(ended("step 2: [KillNode]: gone").steps(), 2);
    }
}
