//! Condenses a shard into a digest and counts it again from its records.
//!
//! Invariant: two replicas that stand at the same log index give the same summary; any difference in any
//! row but the applied point, which names the entry and not the state, gives another digest.

use std::collections::BTreeMap;

use quorate_proto::ids::{ProgramId, ShardId};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::{Auditor, StockAudit},
    codec::{self, DecodeError},
    error::CoreError,
    keys::{self, StateKind},
    ledger::{self, CitizenRecord, KnownProgram, SaleKind, ShardTotals},
    view::{View, ViewError},
};

/// A shard, condensed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSummary {
    /// SHA-256 over every row but the applied point, in key order: length of key and of value (4 bytes
    /// each, big-endian), key, value.
    pub digest: [u8; 32],
    /// As kept with every command.
    pub totals: ShardTotals,
    /// As counted again from the rows.
    pub records: RecordTotals,
    /// What the rows say about stock.
    pub stock: StockAudit,
}

/// What the rows of a shard add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordTotals {
    /// Citizen records.
    pub citizens: u64,
    /// Sites.
    pub sites: u64,
    /// Sales in the records, undone ones included.
    pub grants: u64,
    /// Units of them.
    pub units: u64,
    /// Records with a sale that was granted beyond its rule: right after it, the units that counted in its
    /// window were more than the limit it was granted under. Sound: sales that were dropped are missing
    /// from the sum, so no honest record is ever counted.
    pub records_over_limit: u64,
    /// Outbox rows present, and those deleted.
    pub outbox_rows: u64,
}

/// Reads every row of a shard.
///
/// # Errors
/// The state cannot be read, or a row is damaged.
pub fn summarize(view: &dyn View, shard: ShardId) -> Result<ShardSummary, CoreError> {
    let facts = ledger::facts(view, shard)?;
    let mut tally = Tally {
        hasher: Sha256::new(),
        programs: ledger::load_programs(view, shard)?,
        records: RecordTotals {
            outbox_rows: facts.outbox_trimmed(),
            ..RecordTotals::default()
        },
        auditor: Auditor::default(),
    };
    let applied = keys::applied(shard);
    for (first, end) in keys::ranges(shard, facts.range()) {
        let mut failed = None;
        let scanned = view.scan(&first, &end, &mut |key, value| {
            if key == applied {
                return Ok(());
            }
            tally.add(key, value).map_err(|error| {
                let end_of_scan = ViewError::new(&error);
                failed = Some(error);
                end_of_scan
            })
        });
        match failed {
            Some(error) => return Err(error),
            None => scanned?,
        }
    }
    Ok(ShardSummary {
        digest: tally.hasher.finalize().into(),
        totals: facts.totals().clone(),
        records: tally.records,
        stock: tally.auditor.finish(facts.clock_ms()),
    })
}

struct Tally {
    hasher: Sha256,
    programs: BTreeMap<ProgramId, KnownProgram>,
    records: RecordTotals,
    auditor: Auditor,
}

impl Tally {
    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<(), CoreError> {
        for part in [key, value] {
            // A row is far smaller than 4 GiB: the engine and the log entry it came in bound it.
            self.hasher.update((part.len() as u32).to_be_bytes());
        }
        self.hasher.update(key);
        self.hasher.update(value);

        let damaged = |fault| CoreError::Damaged {
            key: key.to_vec(),
            fault,
        };
        if let Some(kind) = StateKind::of(key) {
            self.auditor.add_row(kind, key, value).map_err(damaged)?;
        }
        match StateKind::of(key) {
            Some(StateKind::Citizen) => {
                let record = codec::decode_citizen(value).map_err(damaged)?;
                self.add_citizen(key, &record)
            }
            Some(StateKind::Site) => {
                self.records.sites += 1;
                Ok(())
            }
            Some(StateKind::Outbox) => {
                self.records.outbox_rows += 1;
                Ok(())
            }
            Some(StateKind::StockJournal) => codec::decode_journal(value.to_vec())
                .map(drop)
                .map_err(damaged),
            Some(StateKind::DayCounts) => {
                codec::decode_day_counts(value).map(drop).map_err(damaged)
            }
            Some(StateKind::ShadowCounts) => codec::decode_shadow_counts(value)
                .map(drop)
                .map_err(damaged),
            Some(StateKind::SiteSale | StateKind::OverQuotaSale) => {
                codec::decode_site_sale(value).map(drop).map_err(damaged)
            }
            // Read by the auditor.
            Some(StateKind::Stock | StateKind::Retired | StateKind::Watermark) => Ok(()),
            Some(StateKind::Facts | StateKind::Program) => Ok(()),
            Some(StateKind::ClusterView) => codec::decode_view(value).map(drop).map_err(damaged),
            Some(StateKind::Applied) | None => Err(damaged(DecodeError::invalid(
                "key",
                "no row of this kind belongs here",
            ))),
        }
    }

    fn add_citizen(&mut self, key: &[u8], record: &CitizenRecord) -> Result<(), CoreError> {
        self.records.citizens += 1;
        self.records.grants += record.sales.len() as u64;
        let units = record.sales.iter().map(|sale| u64::from(sale.quantity));
        self.records.units += units.sum::<u64>();

        let known = keys::program_of_citizen_key(key).and_then(|id| self.programs.get_mut(&id));
        let Some(KnownProgram { program, calendar }) = known else {
            let row = keys::describe(key);
            return Err(CoreError::Law(format!("the {row} is of no known program")));
        };
        self.auditor.add_citizen(record, program);
        for (index, sale) in record.sales.iter().enumerate() {
            // A slip is recorded whatever the rule says.
            if sale.kind == SaleKind::Paper {
                continue;
            }
            let units = ledger::units_at_grant(record, index, program, calendar)?;
            if units > u64::from(sale.limit) {
                self.records.records_over_limit += 1;
                break;
            }
        }
        Ok(())
    }
}
