//! What is counted of one citizen, and the conservation of units: what the ledger shows last is what receipts say.

use super::{answers, violation};
use crate::{
    case::{Case, Request, is_answered_read},
    facts::Totals,
    history::{Call, Reply, SlipOutcome},
    report::{Law, Report, Violation},
};

/// Sums over citizens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) citizens: usize,
    pub(crate) operations: usize,
    /// As the clients' receipts say.
    pub(crate) receipts: Totals,
    pub(crate) denials: u64,
    pub(crate) slips_over_quota: u64,
    pub(crate) unknown: u64,
    pub(crate) not_done: u64,
    /// A request was never resolved: the cluster may count more than the receipts.
    pub(crate) open: bool,
    /// A sale was recorded, and no answer tells whether online or on paper.
    pub(crate) either: bool,
}

impl Counts {
    pub(crate) fn add(&mut self, case: &Case<'_>) {
        self.citizens += 1;
        for (_, record) in case.records {
            self.unknown += u64::from(matches!(record.reply, Reply::Unknown { .. }));
            self.not_done += u64::from(matches!(record.reply, Reply::NotDone { .. }));
            self.operations += usize::from(is_answered_read(record));
        }
        for request in &case.requests {
            self.operations += usize::from(request.is_operation());
            let Some((_, told)) = request.told else {
                self.open |= request.maybe_done && !answers::found_out_on_paper(case, request);
                continue;
            };
            // A slip that repeats a sale made online is that sale, whether or not its own answer was seen.
            let online = case.sale_requests(request.id).iter();
            let mut online = online.filter(|other| matches!(other.call, Call::Sell { .. }));
            let repeats = online.next().map(|sale| match sale.verdict() {
                Some(verdict) => verdict.granted(),
                None => sale.maybe_done && !request.fresh,
            });
            let receipts = &mut self.receipts;
            match (request.call, &told.reply) {
                (Call::Sell { quantity, .. }, Reply::Verdict(verdict)) if verdict.granted() => {
                    receipts.grants += 1;
                    receipts.units_granted += u64::from(*quantity);
                }
                (Call::Sell { .. }, Reply::Verdict(_)) => self.denials += 1,
                (Call::Slip { quantity, .. }, Reply::HandedIn(reply))
                    if reply.outcome.recorded() && repeats != Some(true) =>
                {
                    receipts.slips += 1;
                    receipts.units_on_slips += u64::from(*quantity);
                    let over = reply.outcome == SlipOutcome::OverQuotaRecorded;
                    self.slips_over_quota += u64::from(over);
                }
                (Call::Slip { quantity, .. }, Reply::HandedIn(_))
                    if untold_online(case, request) =>
                {
                    self.either |= request.maybe_done;
                    receipts.grants += 1;
                    receipts.units_granted += u64::from(*quantity);
                }
                (Call::Void { .. } | Call::Correct { .. }, Reply::Voided(reply))
                    if reply.voided() =>
                {
                    receipts.voids += 1;
                    receipts.units_voided += u64::from(reply.quantity);
                }
                _ => {}
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.citizens += other.citizens;
        self.operations += other.operations;
        let (own, others) = (&mut self.receipts, &other.receipts);
        own.grants += others.grants;
        own.units_granted += others.units_granted;
        own.slips += others.slips;
        own.units_on_slips += others.units_on_slips;
        own.voids += others.voids;
        own.units_voided += others.units_voided;
        self.denials += other.denials;
        self.slips_over_quota += other.slips_over_quota;
        self.unknown += other.unknown;
        self.not_done += other.not_done;
        self.open |= other.open;
        self.either |= other.either;
    }

    pub(crate) fn report(&self, calls: usize) -> Report {
        Report {
            calls,
            operations: self.operations,
            citizens: self.citizens,
            shards: 0,
            grants: self.receipts.grants,
            units_granted: self.receipts.units_granted,
            denials: self.denials,
            voids: self.receipts.voids,
            units_voided: self.receipts.units_voided,
            slips: self.receipts.slips,
            units_on_slips: self.receipts.units_on_slips,
            slips_over_quota: self.slips_over_quota,
            unknown: self.unknown,
            not_done: self.not_done,
            violations_total: 0,
            violations: Vec::new(),
        }
    }
}

/// Whether a slip says what became of a sale online that was not answered: it had been granted.
fn untold_online(case: &Case<'_>, slip: &Request<'_>) -> bool {
    let same = case.sale_requests(slip.id).iter();
    let mut sales = same.filter(|other| matches!(other.call, Call::Sell { .. }));
    !slip.fresh && sales.any(|sale| sale.told.is_none() && sale.maybe_done)
}

/// Units in the last list that are not undone are those on receipts less those given back.
pub(crate) fn conserved(case: &Case<'_>) -> Option<Violation> {
    let (list, purchases) = answers::last_list(case)?;
    let mut counts = Counts::default();
    counts.add(case);
    if counts.open {
        return None;
    }
    let Totals {
        units_granted,
        units_on_slips,
        units_voided,
        ..
    } = counts.receipts;
    let receipts = (units_granted + units_on_slips).checked_sub(units_voided);
    let kept = purchases.iter().filter(|sale| !sale.voided);
    let ledger: u64 = kept.map(|sale| u64::from(sale.quantity)).sum();
    if receipts == Some(ledger) {
        return None;
    }
    let why = format!(
        "the ledger holds {ledger} units, receipts say {units_granted} granted + {units_on_slips} on paper - {units_voided} undone"
    );
    Some(violation(
        Law::Conservation,
        Some(case.citizen),
        [list],
        why,
    ))
}
