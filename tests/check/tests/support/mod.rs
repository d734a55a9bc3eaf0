//! Lawful histories, and ways to find and change what is in them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by tests that use parts of it"
)]

use std::collections::BTreeMap;

use quorate_check::{
    Law, check,
    facts::Shelf,
    generate::{Options, generate},
    history::{Call, History, Position, Purchase, Record, Reply, SlipOutcome, SlipReply, Verdict},
};
use quorate_proto::ids::RequestId;

/// Units that [`lawful`] allows.
pub(crate) const LIMIT: u32 = 10;

/// A lawful history, with the limit above.
pub(crate) fn lawful(seed: u64, calls: usize) -> History {
    generate(&Options::new(seed, calls))
}

/// A record in the middle of those that fit.
///
/// # Panics
/// None fits.
pub(crate) fn find(history: &History, fits: impl Fn(&Record) -> bool) -> usize {
    let fitting: Vec<usize> = (0..history.records.len())
        .filter(|&at| fits(&history.records[at]))
        .collect();
    fitting[fitting.len() / 2]
}

pub(crate) fn id_of(history: &History, record: usize) -> RequestId {
    history.records[record].call.request().unwrap()
}

pub(crate) fn position(history: &History, record: usize) -> Position {
    history.records[record].reply.position().unwrap()
}

pub(crate) fn verdict(record: &Record) -> Option<&Verdict> {
    match &record.reply {
        Reply::Verdict(verdict) => Some(verdict),
        _ => None,
    }
}

pub(crate) fn verdict_mut(record: &mut Record) -> &mut Verdict {
    match &mut record.reply {
        Reply::Verdict(verdict) => verdict,
        other => panic!("no verdict: {other:?}"),
    }
}

pub(crate) fn slip_mut(record: &mut Record) -> &mut SlipReply {
    match &mut record.reply {
        Reply::HandedIn(reply) => reply,
        other => panic!("no slip: {other:?}"),
    }
}

pub(crate) fn purchases_mut(record: &mut Record) -> Option<&mut Vec<Purchase>> {
    match &mut record.reply {
        Reply::Verdict(verdict) => Some(&mut verdict.purchases),
        Reply::Listed(list) => Some(&mut list.purchases),
        _ => None,
    }
}

pub(crate) fn is_fresh_grant(record: &Record) -> bool {
    matches!(record.call, Call::Sell { .. })
        && verdict(record).is_some_and(|verdict| verdict.granted() && !verdict.repeated)
}

pub(crate) fn is_check(record: &Record) -> bool {
    matches!(record.call, Call::Check { .. })
}

pub(crate) fn is_slip(record: &Record, outcome: SlipOutcome) -> bool {
    matches!(&record.reply, Reply::HandedIn(reply) if reply.outcome == outcome)
}

/// As if a sale had never been recorded.
pub(crate) fn hide(history: &mut History, lost: RequestId) {
    for record in &mut history.records {
        if let Some(shown) = purchases_mut(record) {
            shown.retain(|sale| sale.request != lost);
        }
    }
}

/// The only shelf of an honest cluster: everybody stands there.
pub(crate) fn shelf(history: &History) -> Shelf {
    let mut sales: BTreeMap<RequestId, (u32, bool)> = BTreeMap::new();
    for record in &history.records {
        let recorded = match &record.reply {
            Reply::Verdict(verdict) => verdict.granted(),
            Reply::HandedIn(reply) => reply.outcome.recorded(),
            _ => false,
        };
        if let Call::Sell { request, quantity }
        | Call::Slip {
            request, quantity, ..
        } = record.call
            && recorded
        {
            sales.insert(request, (quantity, false));
        }
    }
    for record in &history.records {
        if let Call::Void { sale, .. } | Call::Correct { sale, .. } = record.call
            && matches!(&record.reply, Reply::Voided(reply) if reply.voided())
        {
            sales.get_mut(&sale).unwrap().1 = true;
        }
    }
    let units = |voided: bool| -> u64 {
        let counted = sales.values().filter(|sale| sale.1 || !voided);
        counted.map(|sale| u64::from(sale.0)).sum()
    };
    let (sold, voided) = (units(false), units(true));
    Shelf {
        site: "1".to_owned(),
        clients: (0..64).collect(),
        brought: 5_000,
        counted: -20,
        received: 5_000,
        adjusted: -20,
        sold,
        voided,
        on_hand: 4_980 - sold as i64 + voided as i64,
        listed: sales
            .into_iter()
            .map(|(request, (quantity, voided))| Shelf::sale(request, quantity, voided))
            .collect(),
    }
}

/// Breaks lawful histories and expects the checker to name the breach, with lines that exist. `both`: the
/// judge that ignores positions must see it too.
///
/// # Panics
/// It does not.
pub(crate) fn planted(law: Law, both: bool, plant: impl Fn(&mut History)) {
    for seed in 0..5 {
        let mut history = lawful(seed, 1_500);
        check(&history).assert_clean();
        plant(&mut history);
        let report = check(&history);
        let found = report.violations.iter().find(|found| found.law == law);
        let found = found.unwrap_or_else(|| panic!("{law:?}, seed {seed}: {report}"));
        let last = History::line_of(history.records.len() + history.facts.len());
        assert!(
            found.lines.iter().all(|line| (2..last).contains(line)),
            "{found}"
        );
        assert!(!found.why.is_empty());
        if both {
            assert!(report.breaks(Law::Linearizable), "seed {seed}: {report}");
        }
    }
}
