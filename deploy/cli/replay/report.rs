//! What a replay found: a line for every recorded level, for people and for programs.

use std::time::Duration;

use quorate_files::level::Level;
use serde::Serialize;

use super::compare::{Comparison, Row, Sighting, VIAS, Via};
use crate::output::{Painter, Style, facts, table};

/// Everything that is said of a replay.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    equal: bool,
    /// Cluster time per real time.
    speed: f64,
    bar_ms: u128,
    levels: Vec<LevelLine>,
    /// Shown, and not on record.
    surplus: Vec<SurplusLine>,
    lag_ms: Lags,
}

#[derive(Debug, Serialize)]
struct LevelLine {
    site: String,
    /// Local time of the record.
    recorded_at: String,
    level: Level,
    /// Real time from the recorded time until it was shown; `null`: never.
    masks_lag_ms: Option<i64>,
    deltas_lag_ms: Option<i64>,
    /// It was shown already; nothing had to change.
    unchanged: bool,
    equal: bool,
}

#[derive(Debug, Serialize)]
struct SurplusLine {
    site: String,
    level: Level,
    via: Via,
    /// Real time since the replay began.
    at_ms: u128,
}

/// Of all levels in both answers, milliseconds.
#[derive(Debug, Default, Serialize)]
struct Lags {
    p50: i64,
    p99: i64,
    most: i64,
}

impl Report {
    pub(super) fn new(comparison: &Comparison, speed: f64, bar: Duration) -> Self {
        Self {
            equal: comparison.equal(bar),
            speed,
            bar_ms: bar.as_millis(),
            levels: comparison
                .rows
                .iter()
                .map(|row| LevelLine::new(row, bar))
                .collect(),
            surplus: comparison.surplus.iter().map(SurplusLine::new).collect(),
            lag_ms: Lags::of(&comparison.lags_ms()),
        }
    }

    pub(super) const fn equal(&self) -> bool {
        self.equal
    }

    pub(super) fn render(&self, painter: Painter) -> String {
        let rows = self.levels.iter().map(|line| {
            [
                line.site.clone(),
                line.recorded_at.clone(),
                line.level.to_string(),
                line.lag(line.masks_lag_ms),
                line.lag(line.deltas_lag_ms),
                if line.equal { "" } else { "differs" }.to_owned(),
            ]
        });
        let head = ["site", "recorded", "level", "masks", "deltas", ""];
        let mut text = table(head, &[3, 4], rows);
        text.push_str("\n\n");
        for line in &self.surplus {
            text.push_str(&format!(
                "site {} showed {}, which is not on record\n",
                line.site, line.level
            ));
        }
        let (style, headline) = match self.equal {
            true => (
                Style::Good,
                "EQUAL: the public saw every recorded level in order and in time",
            ),
            false => (
                Style::Bad,
                "DIFFERENT: the public did not see what is on record",
            ),
        };
        text.push_str(&painter.paint(style, headline));
        text.push('\n');
        let bar_s = self.bar_ms as f64 / 1000.0;
        text.push_str(&facts([
            ("levels", self.levels.len().to_string()),
            (
                "lag",
                format!(
                    "p50 {} · p99 {} · most {}",
                    seconds(self.lag_ms.p50),
                    seconds(self.lag_ms.p99),
                    seconds(self.lag_ms.most)
                ),
            ),
            (
                "bar",
                format!(
                    "{bar_s} s, which is {:.1} min on a clock {:.0} times as fast",
                    bar_s * self.speed / 60.0,
                    self.speed
                ),
            ),
        ]));
        text
    }
}

impl LevelLine {
    fn new(row: &Row, bar: Duration) -> Self {
        let transition = row.expected.transition;
        let [masks_lag_ms, deltas_lag_ms] = row.lags_ms;
        const { assert!(matches!(VIAS, [Via::Masks, Via::Deltas])) };
        Self {
            site: transition.site.to_string(),
            recorded_at: transition.at.strftime("%a %-d %b %Y %H:%M:%S").to_string(),
            level: transition.level,
            masks_lag_ms,
            deltas_lag_ms,
            unchanged: row.expected.unchanged,
            equal: row.equal(bar),
        }
    }

    fn lag(&self, lag_ms: Option<i64>) -> String {
        match lag_ms {
            _ if self.unchanged => "as before".to_owned(),
            Some(lag_ms) => seconds(lag_ms),
            None => "never".to_owned(),
        }
    }
}

impl SurplusLine {
    fn new(sighting: &Sighting) -> Self {
        Self {
            site: sighting.site.to_string(),
            level: sighting.level,
            via: sighting.via,
            at_ms: sighting.at.as_millis(),
        }
    }
}

impl Lags {
    /// Of sorted values.
    fn of(sorted: &[i64]) -> Self {
        let at = |share: f64| {
            let index = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(index.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            most: at(1.0),
        }
    }
}

fn seconds(ms: i64) -> String {
    format!("{:.2} s", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use quorate_files::record::Transition;
    use quorate_proto::ids::SiteCode;

    use super::*;
    use crate::{
        output::{Format, Output},
        replay::compare::Expected,
    };

    #[test]
    fn a_report_names_what_differs() {
        let site = SiteCode::parse("31897100").unwrap();
        let row = |level, lags_ms| Row {
            expected: Expected {
                transition: Transition {
                    at: "2020-03-17T17:07:18".parse().unwrap(),
                    site,
                    level,
                },
                due: Duration::from_secs(1),
                unchanged: false,
            },
            lags_ms,
        };
        let comparison = Comparison {
            rows: vec![
                row(Level::Plenty, [Some(210), Some(180)]),
                row(Level::Few, [None, Some(40)]),
            ],
            surplus: vec![Sighting {
                via: Via::Masks,
                site,
                level: Level::Empty,
                at: Duration::from_secs(9),
            }],
        };
        let report = Report::new(&comparison, 1800.0, Duration::from_secs(2));
        assert!(!report.equal());
        let text = report.render(Output::new(Format::Table, true).painter());
        for part in [
            "31897100  Tue 17 Mar 2020 17:07:18  plenty  0.21 s  0.18 s",
            "never  0.04 s  differs",
            "site 31897100 showed empty, which is not on record",
            "DIFFERENT",
            "lag     p50 0.18 s · p99 0.21 s · most 0.21 s",
            "2 s, which is 60.0 min on a clock 1800 times as fast",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn lags_are_ranked() {
        let sorted: Vec<i64> = (1..=200).collect();
        let lags = Lags::of(&sorted);
        assert_eq!((lags.p50, lags.p99, lags.most), (100, 198, 200));
        assert_eq!(Lags::of(&[]).most, 0);
    }
}
