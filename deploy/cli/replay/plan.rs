//! From a record of levels to what clerks and buyers do: goods in, sales that pass each level at its time,
//! the stop button.
//!
//! Pure. Laws: every recorded level is reached by one act at its recorded time; between two of them the
//! public sees the first; nobody buys more than two. A level that the record skips cannot be skipped by
//! sales of two: there the clerk counts again. A level that follows a break resumes the sale. A rise is
//! goods coming in. Deliberately absent: who buys, and the clock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, civil::DateTime};
use quorate_files::{level::Level, record::Transition};
use quorate_proto::ids::SiteCode;

/// What a pharmacy was given a day.
const GOODS_IN: u32 = 250;

/// What one person takes. Every quantity here is a multiple of it, so that bands are entered exactly.
pub(super) const UNITS_A_BUYER: u32 = 2;

/// Sales of a day begin at this hour where the level before was read on an earlier day.
const FIRST_HOUR: i8 = 8;

/// Something that is done at one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Goods come in.
    Receive(u32),
    /// Somebody buys [`UNITS_A_BUYER`].
    Sell,
    /// The clerk counts, and finds so many units less.
    Miss(u32),
    Stop,
    Resume,
}

impl Act {
    /// Units that it adds to the shelf.
    pub(super) fn units(self) -> i64 {
        match self {
            Self::Receive(units) => i64::from(units),
            Self::Sell => -i64::from(UNITS_A_BUYER),
            Self::Miss(units) => -i64::from(units),
            Self::Stop | Self::Resume => 0,
        }
    }
}

/// The way to one recorded level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) transition: Transition,
    /// When each buyer comes before it; none of them changes the level.
    pub(super) buyers: Vec<DateTime>,
    /// Done in this order at the recorded time, when all buyers have been served; the last changes the level.
    pub(super) acts: Vec<Act>,
    /// The public sees the level already.
    pub(super) unchanged: bool,
}

/// What happens at each site, in order.
pub(super) type Plan = BTreeMap<SiteCode, Vec<Stage>>;

/// Plans a record, which is ordered by time.
pub(super) fn plan(transitions: &[Transition]) -> Plan {
    let mut counters: BTreeMap<SiteCode, Counter> = BTreeMap::new();
    let mut plan = Plan::new();
    for transition in transitions {
        let counter = counters.entry(transition.site).or_default();
        plan.entry(transition.site)
            .or_default()
            .push(counter.stage(*transition));
    }
    plan
}

/// One site as the plan goes along.
#[derive(Default)]
struct Counter {
    /// `None` until the site has reported something.
    shown: Option<Level>,
    on_hand: u32,
    last_at: Option<DateTime>,
}

impl Counter {
    fn stage(&mut self, transition: Transition) -> Stage {
        let unchanged = self.shown == Some(transition.level);
        let (buyers, acts) = match transition.level {
            Level::Break if unchanged => (0, Vec::new()),
            Level::Break => (0, vec![Act::Stop]),
            level if self.shown == Some(Level::Break) => self.behind_the_curtain(level),
            level if self.shown.is_none() || Level::of(self.on_hand) >= level => self.rise(level),
            level => self.fall(level),
        };
        let buyers = self.spread(buyers, transition.at);
        self.shown = Some(transition.level);
        self.last_at = Some(transition.at);
        Stage {
            transition,
            buyers,
            acts,
            unchanged,
        }
    }

    /// Goods come in, unless the level is there.
    fn rise(&mut self, level: Level) -> (u32, Vec<Act>) {
        let wanted = match level {
            Level::Plenty => self.on_hand + GOODS_IN,
            Level::Several => highest(Level::Several),
            Level::Few => highest(Level::Few),
            // One unit is as good as none, and says that the site reports.
            Level::Empty | Level::Break => 1,
        };
        let goods = wanted.saturating_sub(self.on_hand);
        let is_there = self.shown == Some(level) && level != Level::Plenty;
        if is_there || goods == 0 {
            return (0, Vec::new());
        }
        self.on_hand += goods;
        (0, vec![Act::Receive(goods)])
    }

    /// Buyers take what is above the edge; the next one passes it.
    fn fall(&mut self, level: Level) -> (u32, Vec<Act>) {
        let edge = Level::of(self.on_hand).least();
        let buyers = self.on_hand.saturating_sub(edge) / UNITS_A_BUYER;
        self.on_hand -= buyers * UNITS_A_BUYER;
        let act = if Level::of(self.on_hand.saturating_sub(UNITS_A_BUYER)) == level {
            self.on_hand -= UNITS_A_BUYER;
            Act::Sell
        } else {
            let missed = self.on_hand - highest(level);
            self.on_hand -= missed;
            Act::Miss(missed)
        };
        (buyers, vec![act])
    }

    /// During a break nobody sees what is on hand: any level can be reached before the sale is resumed.
    fn behind_the_curtain(&mut self, level: Level) -> (u32, Vec<Act>) {
        let mut acts = Vec::new();
        let mut buyers = 0;
        if Level::of(self.on_hand) < level {
            // What is odd stays: nobody sells two units of one.
            let most = highest(level) + 1;
            buyers = (self.on_hand - most).div_ceil(UNITS_A_BUYER);
            self.on_hand -= buyers * UNITS_A_BUYER;
        } else if Level::of(self.on_hand) > level {
            let (_, goods) = self.rise(level);
            acts = goods;
        }
        acts.push(Act::Resume);
        (buyers, acts)
    }

    /// So many buyers, evenly over the time since the level before, with some room at the end.
    fn spread(&self, buyers: u32, until: DateTime) -> Vec<DateTime> {
        let opening = until.date().at(FIRST_HOUR, 0, 0, 0);
        let from = match self.last_at {
            Some(last) if last.date() == until.date() => last,
            _ => opening.min(until),
        };
        let span_s = until.duration_since(from).as_secs();
        (1..=buyers)
            .map(|number| {
                let share_s = span_s * i64::from(number) / i64::from(buyers + 2);
                from + SignedDuration::from_secs(share_s)
            })
            .collect()
    }
}

/// The largest even number of units that shows this level; for plenty, a day's goods.
const fn highest(level: Level) -> u32 {
    match level {
        Level::Plenty => GOODS_IN,
        Level::Several => 98,
        Level::Few => 28,
        Level::Empty | Level::Break => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn transitions(levels: &[(&str, Level)]) -> Vec<Transition> {
        levels
            .iter()
            .map(|(at, level)| Transition {
                at: format!("2020-03-{at}").parse().unwrap(),
                site: SiteCode::parse("31897100").unwrap(),
                level: *level,
            })
            .collect()
    }

    /// Plays stages on paper: what the public sees after each act, without repetitions.
    fn seen(stages: &[Stage]) -> Vec<Level> {
        let (mut on_hand, mut stopped, mut reported) = (0_i64, false, false);
        let mut seen: Vec<Level> = Vec::new();
        for stage in stages {
            let buyers = stage.buyers.iter().map(|_| Act::Sell);
            for act in buyers.chain(stage.acts.iter().copied()) {
                on_hand += act.units();
                match act {
                    Act::Stop => stopped = true,
                    Act::Resume => stopped = false,
                    Act::Receive(_) | Act::Sell | Act::Miss(_) => {}
                }
                reported = true;
                assert!(on_hand >= 0, "sold what was not there");
                let level = match stopped {
                    true => Level::Break,
                    false => Level::of(u32::try_from(on_hand).unwrap()),
                };
                if seen.last() != Some(&level) {
                    seen.push(level);
                }
            }
        }
        assert!(reported || stages.is_empty());
        seen
    }

    fn stages(levels: &[(&str, Level)]) -> Vec<Stage> {
        plan(&transitions(levels)).into_values().next().unwrap()
    }

    use Level::{Break, Empty, Few, Plenty, Several};

    #[test]
    fn an_ordinary_day() {
        let stages = stages(&[
            ("17T17:07:18", Plenty),
            ("17T18:06:41", Several),
            ("17T19:26:21", Few),
            ("17T19:52:00", Empty),
        ]);
        assert_eq!(seen(&stages), [Plenty, Several, Few, Empty]);
        assert_eq!(stages[0].acts, [Act::Receive(250)]);
        assert_eq!(stages[1].buyers.len(), 75);
        assert!(stages[1..].iter().all(|stage| stage.acts == [Act::Sell]));
        for pair in stages.windows(2) {
            let times = &pair[1].buyers;
            assert!(times.is_sorted());
            assert!(times.first().unwrap() > &pair[0].transition.at);
            assert!(times.last().unwrap() < &pair[1].transition.at);
        }
    }

    #[test]
    fn a_skipped_level_is_counted_away() {
        let stages = stages(&[
            ("17T11:47:26", Plenty),
            ("17T12:17:57", Several),
            ("17T12:27:25", Empty),
        ]);
        assert_eq!(seen(&stages), [Plenty, Several, Empty]);
        assert_eq!(stages[2].acts, [Act::Miss(30)]);
    }

    #[test]
    fn a_level_behind_a_break_resumes_the_sale() {
        let stages = stages(&[
            ("18T17:06:32", Plenty),
            ("18T18:56:29", Several),
            ("18T20:21:44", Break),
            ("18T20:51:55", Few),
            ("19T09:00:00", Plenty),
        ]);
        assert_eq!(seen(&stages), [Plenty, Several, Break, Few, Plenty]);
        assert_eq!(stages[3].acts, [Act::Resume]);
        assert!(!stages[3].buyers.is_empty());
    }

    #[test]
    fn goods_after_a_break_come_in_before_the_sale_is_resumed() {
        let stages = stages(&[
            ("18T13:56:59", Empty),
            ("18T18:56:23", Break),
            ("21T13:51:20", Plenty),
        ]);
        assert_eq!(seen(&stages), [Empty, Break, Plenty]);
        assert_eq!(stages[2].acts.last(), Some(&Act::Resume));
    }

    #[test]
    fn what_is_shown_already_is_said_to_be() {
        let stages = stages(&[("17T09:00:00", Plenty), ("18T09:00:00", Plenty)]);
        assert!(!stages[0].unchanged && stages[1].unchanged);
        assert_eq!(stages[1].acts, [Act::Receive(250)]);
    }

    proptest! {
        #[test]
        fn any_record_is_shown_as_it_was(levels in prop::collection::vec(0_usize..5, 1..30)) {
            let start: DateTime = "2020-03-16T08:00:00".parse().unwrap();
            let record: Vec<_> = levels
                .iter()
                .enumerate()
                .map(|(number, level)| Transition {
                    at: start + SignedDuration::from_mins(200 * number as i64 + 60),
                    site: SiteCode::parse("1").unwrap(),
                    level: Level::ALL[*level],
                })
                .collect();
            let mut expected: Vec<_> = record.iter().map(|transition| transition.level).collect();
            expected.dedup();
            let stages = plan(&record).into_values().next().unwrap();
            prop_assert_eq!(seen(&stages), expected);
        }
    }
}
