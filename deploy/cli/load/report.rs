//! What a load came to, for people and for programs.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    LoadArgs, Profile,
    counters::Comparison,
    player::Played,
    tally::{Answers, Latency},
};
use crate::{
    exit::Exit,
    output::{Painter, Style, facts, table, thousands},
};

/// Names and units never change their meaning; latencies are microseconds.
#[derive(Serialize)]
pub(super) struct Report {
    profile: &'static str,
    seed: u64,
    /// Closed loop; `None`: open loop.
    clients: Option<u32>,
    /// Open loop, arrivals a second.
    rate: Option<f64>,
    connections: u32,
    threads: u16,
    /// Measured time, without the warm-up.
    elapsed_seconds: f64,
    /// Cores that the generator kept busy, warm-up included.
    generator_cores: f64,
    sales: Calls,
    checks: Calls,
    resent: Resent,
    unknown: Unknown,
    /// Attempts beyond the first of their calls.
    retries: u64,
    /// Calls without an answer, by cause.
    not_answered: BTreeMap<String, u64>,
    /// `None`: not asked for.
    verify: Option<Comparison>,
    /// Definite answers, of any kind.
    answered: u64,
}

/// Calls of one kind that were answered.
#[derive(Serialize)]
struct Calls {
    granted: u64,
    units: u64,
    denied: BTreeMap<&'static str, u64>,
    /// Answers inside the measured time; the two below are about these.
    measured: u64,
    per_second: f64,
    latency_us: Option<Latency>,
}

/// Requests that were sent again on purpose.
#[derive(Serialize)]
struct Resent {
    count: u64,
    /// Answers that were not the first answer repeated. Must be 0.
    unequal: u64,
}

/// Sales whose outcome was unknown when they were sent.
#[derive(Serialize)]
struct Unknown {
    count: u64,
    /// Learnt by sending them again.
    resolved: u64,
    /// Still unknown.
    left: usize,
}

impl Calls {
    fn new(answers: &Answers, elapsed: Duration) -> Self {
        let measured = answers.measured();
        Self {
            granted: answers.granted,
            units: answers.units,
            denied: answers
                .denied
                .iter()
                .map(|(reason, count)| (reason.name(), *count))
                .collect(),
            measured,
            per_second: ratio(measured as f64, elapsed.as_secs_f64()),
            latency_us: (measured > 0).then(|| answers.latency()),
        }
    }

    fn answered(&self) -> u64 {
        self.granted + self.denied.values().sum::<u64>()
    }
}

impl Report {
    pub(super) fn new(
        args: &LoadArgs,
        seed: u64,
        played: &Played,
        verify: Option<Comparison>,
    ) -> Self {
        let tally = &played.tally;
        let processor = played.processor.as_secs_f64();
        Self {
            profile: match args.profile {
                Profile::Steady => "steady",
                Profile::Morning => "morning",
            },
            seed,
            clients: args.rate.is_none().then_some(args.clients),
            rate: args.rate,
            connections: args.connections,
            threads: args.threads,
            elapsed_seconds: played.elapsed.as_secs_f64(),
            generator_cores: ratio(processor, played.wall.as_secs_f64()),
            sales: Calls::new(&tally.sales, played.elapsed),
            checks: Calls::new(&tally.checks, played.elapsed),
            resent: Resent {
                count: tally.resent,
                unequal: tally.resent_unequal,
            },
            unknown: Unknown {
                count: tally.unknown,
                resolved: tally.resolved,
                left: played.unresolved,
            },
            retries: played.retries,
            not_answered: tally.not_answered.clone(),
            verify,
            answered: tally.answered(),
        }
    }

    /// Worst first: a broken promise, an open question, no service.
    pub(super) fn exit(&self) -> Exit {
        let differs = self.verify.as_ref().is_some_and(|verify| !verify.agrees);
        // An outcome that is still unknown may explain a difference; nothing explains an unequal answer.
        if self.resent.unequal > 0 || (differs && self.unknown.left == 0) {
            Exit::Difference
        } else if self.unknown.left > 0 {
            Exit::Unknown
        } else if self.answered == 0 {
            Exit::Unavailable
        } else {
            Exit::Ok
        }
    }

    pub(super) fn render(&self, painter: Painter) -> String {
        let mode = match (self.clients, self.rate) {
            (Some(clients), _) => format!("{} clients", thousands(clients.into())),
            (None, Some(rate)) => format!("{rate} arrivals a second"),
            (None, None) => String::new(),
        };
        let headline = format!(
            "{} requests answered, {:.1} s measured: {mode}, {} connections, seed {}",
            thousands(self.answered),
            self.elapsed_seconds,
            self.connections,
            self.seed
        );
        let kinds = [("sales", &self.sales), ("checks", &self.checks)];
        let rows = kinds
            .iter()
            .filter_map(|(name, calls)| Some((name, calls, calls.latency_us?)))
            .map(|(name, calls, latency)| {
                [
                    (*name).to_owned(),
                    thousands(calls.measured),
                    thousands(calls.per_second.round() as u64),
                    millis(latency.p50),
                    millis(latency.p90),
                    millis(latency.p99),
                    millis(latency.p99_9),
                    millis(latency.max),
                ]
            });
        let head = [
            "measured",
            "answers",
            "per second",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
        ];
        let latencies = table(head, &[1, 2, 3, 4, 5, 6, 7], rows);
        let mut text = format!(
            "{}\n\n{latencies}\n\n{}",
            painter.paint(Style::Strong, &headline),
            facts(self.facts())
        );
        if let Some(verdict) = self.verdict(painter) {
            text.push_str("\n\n");
            text.push_str(&verdict);
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![(
            "granted",
            format!(
                "{} sales, {} units",
                thousands(self.sales.granted),
                thousands(self.sales.units)
            ),
        )];
        facts.push(("denied", reasons(&self.sales.denied)));
        if self.checks.answered() > 0 {
            let yes = thousands(self.checks.granted);
            let no = thousands(self.checks.answered() - self.checks.granted);
            facts.push(("checked", format!("{yes} yes, {no} no")));
        }
        if self.resent.count > 0 {
            let count = thousands(self.resent.count);
            let unequal = thousands(self.resent.unequal);
            facts.push((
                "sent again",
                format!("{count} requests, {unequal} answers not the same"),
            ));
        }
        facts.push(("retries", thousands(self.retries)));
        if !self.not_answered.is_empty() {
            facts.push(("not answered", reasons(&self.not_answered)));
        }
        if self.unknown.count > 0 {
            facts.push((
                "unknown",
                format!(
                    "{} at first, {} learnt by asking again, {} left",
                    thousands(self.unknown.count),
                    thousands(self.unknown.resolved),
                    thousands(self.unknown.left as u64)
                ),
            ));
        }
        facts.push(("generator", format!("{:.2} cores", self.generator_cores)));
        facts
    }

    fn verdict(&self, painter: Painter) -> Option<String> {
        let verify = self.verify.as_ref()?;
        if verify.agrees {
            let text = format!(
                "SAME: the cluster counts {} grants, {} units, and the same denials",
                thousands(verify.cluster.grants),
                thousands(verify.cluster.units)
            );
            return Some(painter.paint(Style::Good, &text));
        }
        let rows = [("here", &verify.own), ("cluster", &verify.cluster)].map(|(who, counters)| {
            [
                who.to_owned(),
                thousands(counters.grants),
                thousands(counters.units),
                reasons(&counters.denials),
            ]
        });
        let text = "DIFFERENT: the cluster does not count what was answered here";
        Some(format!(
            "{}\n{}",
            painter.paint(Style::Bad, text),
            table(["counted", "grants", "units", "denials"], &[1, 2], rows)
        ))
    }
}

fn reasons<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    if counts.is_empty() {
        return "0".to_owned();
    }
    let each = counts
        .iter()
        .map(|(reason, count)| format!("{} {reason}", thousands(*count)));
    each.collect::<Vec<_>>().join(", ")
}

fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::counters::Counters;

    fn report() -> Report {
        let none = |granted| Calls {
            granted,
            units: granted,
            denied: BTreeMap::new(),
            measured: 0,
            per_second: 0.0,
            latency_us: None,
        };
        Report {
            profile: "steady",
            seed: 1,
            clients: Some(64),
            rate: None,
            connections: 8,
            threads: 1,
            elapsed_seconds: 10.0,
            generator_cores: 0.5,
            sales: none(10),
            checks: none(0),
            resent: Resent {
                count: 0,
                unequal: 0,
            },
            unknown: Unknown {
                count: 0,
                resolved: 0,
                left: 0,
            },
            retries: 0,
            not_answered: BTreeMap::new(),
            verify: None,
            answered: 10,
        }
    }

    fn differing() -> Comparison {
        let cluster = Counters {
            grants: 11,
            ..Counters::default()
        };
        Comparison::new(Counters::default(), cluster)
    }

    #[test]
    fn the_exit_code_tells_the_worst() {
        assert_eq!(report().exit(), Exit::Ok);
        let differs = Report {
            verify: Some(differing()),
            ..report()
        };
        assert_eq!(differs.exit(), Exit::Difference);
        let open = Report {
            unknown: Unknown {
                count: 1,
                resolved: 0,
                left: 1,
            },
            ..differs
        };
        assert_eq!(open.exit(), Exit::Unknown);
        let unequal = Report {
            resent: Resent {
                count: 2,
                unequal: 1,
            },
            ..open
        };
        assert_eq!(unequal.exit(), Exit::Difference);
        let silent = Report {
            answered: 0,
            ..report()
        };
        assert_eq!(silent.exit(), Exit::Unavailable);
    }
}
