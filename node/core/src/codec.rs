//! Every durable value, and nothing else, is made and read here.
//!
//! A value is an envelope: `version (1) ‖ protobuf ‖ CRC-32C of both, little-endian (4)`. The messages are
//! those of `quorate.storage.v1`; typed values of the core are converted on the way, and what breaks their
//! laws is refused. The bytes are pinned by `tests/golden`.
//!
//! The wire between gateway and node carries the same messages without an envelope: see
//! [`command_from_proto`], [`query_from_proto`], [`outcome_to_proto`] and [`answer_to_proto`].

mod answers;
mod citizen;
mod commands;
mod counts;
mod deliver;
mod fields;
mod outbox;
mod parts;
mod programs;
mod queries;
mod records;
mod stock;
mod wire;

use bytes::Bytes;
use prost::Message;
use quorate_proto::storage;
use thiserror::Error;

use crate::ledger::{
    Batch, CitizenRecord, DayCounts, OutboxRow, Program, RetiredUnits, ShadowCounts, ShardFacts,
    SiteRecord, SiteSale, StockJournal, StockRecord,
};

pub use answers::{answer_to_proto, outcome_to_proto, record_totals_to_proto, totals_to_proto};
pub use commands::{command_from_proto, command_to_proto};
pub use deliver::{audit_to_proto, delivery_from_proto, delivery_to_proto};
pub use programs::{program_from_proto, program_to_proto};
pub use queries::{query_from_proto, query_to_proto};
pub use records::profile_to_proto;
pub use stock::{site_state_to_proto, stock_from_proto, stock_to_proto};

/// Version of the envelope.
const VERSION: u8 = 1;

const CHECKSUM_BYTES: usize = 4;

/// Puts a message into an envelope.
#[must_use]
pub fn seal(message: &impl Message) -> Vec<u8> {
    seal_with(message.encoded_len(), |bytes| message.encode_raw(bytes))
}

/// Puts what `write` appends into an envelope; `len` is a guess at its length.
fn seal_with(len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + len + CHECKSUM_BYTES);
    bytes.push(VERSION);
    write(&mut bytes);
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Takes a message out of its envelope. `what` names it in the error.
///
/// # Errors
/// The envelope is cut, of another version, damaged, or holds no such message.
pub fn open<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, DecodeError> {
    decode(what, check_envelope(what, bytes)?)
}

/// Like [`open`]; byte fields of the message share the memory of `bytes`.
fn open_shared<M: Message + Default>(what: &'static str, bytes: &Bytes) -> Result<M, DecodeError> {
    let body = check_envelope(what, bytes)?;
    decode(what, bytes.slice_ref(body))
}

fn check_envelope<'b>(what: &'static str, bytes: &'b [u8]) -> Result<&'b [u8], DecodeError> {
    let Some((sealed, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(DecodeError::Short { what });
    };
    let (stored, computed) = (u32::from_le_bytes(*checksum), crc32c::crc32c(sealed));
    if stored != computed {
        return Err(DecodeError::Checksum {
            what,
            stored,
            computed,
        });
    }
    match sealed.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((&found, _)) => Err(DecodeError::Version { what, found }),
        None => Err(DecodeError::Short { what }),
    }
}

fn decode<M: Message + Default>(
    what: &'static str,
    body: impl bytes::Buf,
) -> Result<M, DecodeError> {
    M::decode(body).map_err(|error| DecodeError::Protobuf { what, error })
}

/// Why bytes are not the value they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Fewer bytes than an envelope has.
    #[error("{what}: cut short")]
    Short {
        /// The value.
        what: &'static str,
    },
    /// Written by another version of this program.
    #[error("{what}: version {found} of the format is not known here")]
    Version {
        /// The value.
        what: &'static str,
        /// Its version.
        found: u8,
    },
    /// The bytes are not those that were written.
    #[error("{what}: checksum {computed:08x}, but {stored:08x} was stored")]
    Checksum {
        /// The value.
        what: &'static str,
        /// As written.
        stored: u32,
        /// As read.
        computed: u32,
    },
    /// The bytes are no such message.
    #[error("{what}: {error}")]
    Protobuf {
        /// The value.
        what: &'static str,
        /// What the decoder says.
        error: prost::DecodeError,
    },
    /// A part without which the value has no meaning is absent.
    #[error("{what} is missing")]
    Missing {
        /// The part.
        what: &'static str,
    },
    /// A part breaks its law.
    #[error("{what}: {why}")]
    Invalid {
        /// The part.
        what: &'static str,
        /// The law; never the content.
        why: String,
    },
}

impl DecodeError {
    /// `what` is absent.
    #[must_use]
    pub fn missing(what: &'static str) -> Self {
        Self::Missing { what }
    }

    /// `what` breaks a law. `why` must not repeat the content.
    pub fn invalid(what: &'static str, why: impl ToString) -> Self {
        Self::Invalid {
            what,
            why: why.to_string(),
        }
    }
}

/// The payload of a data shard's log entry.
#[must_use]
pub fn encode_batch(batch: &Batch) -> Bytes {
    seal(&commands::batch_to_proto(batch)).into()
}

/// Reads what [`encode_batch`] wrote.
///
/// # Errors
/// The bytes are damaged, or a command breaks a law.
pub fn decode_batch(bytes: &Bytes) -> Result<Batch, DecodeError> {
    commands::batch_from_proto(open_shared("batch", bytes)?)
}

/// The payload of the system shard's log entry.
#[must_use]
pub fn encode_system_command(command: &storage::SystemCommand) -> Bytes {
    seal(command).into()
}

/// Reads what [`encode_system_command`] wrote. Whether the command makes sense is decided when it is applied.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_system_command(bytes: &Bytes) -> Result<storage::SystemCommand, DecodeError> {
    open_shared("system command", bytes)
}

/// The cluster view as the system shard stores it.
#[must_use]
pub fn encode_view(view: &storage::ClusterView) -> Vec<u8> {
    seal(view)
}

/// Reads what [`encode_view`] wrote.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_view(bytes: &[u8]) -> Result<storage::ClusterView, DecodeError> {
    open("cluster view", bytes)
}

/// A citizen's record.
#[must_use]
pub fn encode_citizen(record: &CitizenRecord) -> Vec<u8> {
    // A sale takes about 100 bytes, a denial about 70.
    let len = 128 * (record.sales.len() + record.denials.len());
    seal_with(len, |bytes| citizen::put_citizen(bytes, record))
}

/// Reads what [`encode_citizen`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the record.
pub fn decode_citizen(bytes: &[u8]) -> Result<CitizenRecord, DecodeError> {
    citizen::read_citizen(check_envelope("citizen record", bytes)?)
}

/// A site's record.
#[must_use]
pub fn encode_site(site: SiteRecord) -> Vec<u8> {
    seal(&records::site_to_proto(site))
}

/// Reads what [`encode_site`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the record.
pub fn decode_site(bytes: Vec<u8>) -> Result<SiteRecord, DecodeError> {
    records::site_from_proto(open_shared("site record", &bytes.into())?)
}

/// An outbox row.
#[must_use]
pub fn encode_outbox_row(row: &OutboxRow) -> Vec<u8> {
    seal_with(96, |bytes| outbox::put_outbox(bytes, row))
}

/// Reads what [`encode_outbox_row`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the row.
pub fn decode_outbox_row(bytes: &[u8]) -> Result<OutboxRow, DecodeError> {
    outbox::read_outbox(check_envelope("outbox row", bytes)?)
}

/// The stock of one product at one site.
#[must_use]
pub fn encode_stock(stock: &StockRecord) -> Vec<u8> {
    seal(&stock::stock_to_proto(stock))
}

/// Reads what [`encode_stock`] wrote.
///
/// # Errors
/// The bytes are damaged, or on hand is not the sum that it is.
pub fn decode_stock(bytes: Vec<u8>) -> Result<StockRecord, DecodeError> {
    stock::stock_from_proto(open("stock", &bytes)?)
}

/// What a site changed by itself.
#[must_use]
pub fn encode_journal(journal: &StockJournal) -> Vec<u8> {
    seal(&stock::journal_to_proto(journal))
}

/// Reads what [`encode_journal`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the changes.
pub fn decode_journal(bytes: Vec<u8>) -> Result<StockJournal, DecodeError> {
    stock::journal_from_proto(open_shared("list of stock changes", &bytes.into())?)
}

/// One sale in its site's list.
#[must_use]
pub fn encode_site_sale(sale: &SiteSale) -> Vec<u8> {
    seal(&deliver::site_sale_to_proto(sale))
}

/// Reads what [`encode_site_sale`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the sale.
pub fn decode_site_sale(bytes: &[u8]) -> Result<SiteSale, DecodeError> {
    deliver::site_sale_from_proto(&open("sale of a site", bytes)?)
}

/// How much of another shard's outbox was applied.
#[must_use]
pub fn encode_watermark(seq: u64) -> Vec<u8> {
    seal(&storage::Watermark { seq })
}

/// Reads what [`encode_watermark`] wrote.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_watermark(bytes: &[u8]) -> Result<u64, DecodeError> {
    open("watermark", bytes).map(|watermark: storage::Watermark| watermark.seq)
}

/// The facts of a shard.
#[must_use]
pub fn encode_facts(facts: &ShardFacts) -> Vec<u8> {
    seal(&records::facts_to_proto(facts))
}

/// Reads what [`encode_facts`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the facts.
pub fn decode_facts(bytes: Vec<u8>) -> Result<ShardFacts, DecodeError> {
    records::facts_from_proto(&open("shard facts", &bytes)?)
}

/// A program as a shard stores it.
#[must_use]
pub fn encode_program(program: &Program) -> Vec<u8> {
    seal(&program_to_proto(program))
}

/// Reads what [`encode_program`] wrote.
///
/// # Errors
/// The bytes are damaged, or break a law of the program.
pub fn decode_program(bytes: Vec<u8>) -> Result<Program, DecodeError> {
    program_from_proto(open("program", &bytes)?)
}

/// Sales and refusals of one day, site type and region.
#[must_use]
pub fn encode_day_counts(counts: &DayCounts) -> Vec<u8> {
    seal(&counts::day_to_proto(counts))
}

/// Reads what [`encode_day_counts`] wrote.
///
/// # Errors
/// The bytes are damaged, or count a reason that is not known here.
pub fn decode_day_counts(bytes: &[u8]) -> Result<DayCounts, DecodeError> {
    counts::day_from_proto(&open("day counts", bytes)?)
}

/// What one shadow rule would have decided.
#[must_use]
pub fn encode_shadow_counts(counts: &ShadowCounts) -> Vec<u8> {
    seal(&counts::shadow_to_proto(counts))
}

/// Reads what [`encode_shadow_counts`] wrote.
///
/// # Errors
/// The bytes are damaged, or count a reason that is not known here.
pub fn decode_shadow_counts(bytes: &[u8]) -> Result<ShadowCounts, DecodeError> {
    counts::shadow_from_proto(&open("shadow counts", bytes)?)
}

/// Units whose sales left the citizens' records.
#[must_use]
pub fn encode_retired_units(units: &RetiredUnits) -> Vec<u8> {
    seal(&counts::retired_to_proto(units))
}

/// Reads what [`encode_retired_units`] wrote.
///
/// # Errors
/// The bytes are damaged.
pub fn decode_retired_units(bytes: &[u8]) -> Result<RetiredUnits, DecodeError> {
    open("retired units", bytes).map(|message| counts::retired_from_proto(&message))
}

#[cfg(test)]
mod tests;
