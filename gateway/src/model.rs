//! What the gateway asks of shards and what they answer, typed.
//!
//! Everything here has been validated: messages of the wire stop at `service` on one side and at `nodes`
//! on the other. Deliberately absent: national IDs, which have become keys before they get here.

pub(crate) mod report;
pub(crate) mod stock;

use std::sync::Arc;

use bytes::Bytes;
use quorate_proto::{
    ids::{
        CitizenKey, DeviceId, GroundId, ProductId, ProgramId, RequestId, RingPosition, ShardId,
        SiteCode, SiteKey,
    },
    v1::{DenialReason, SaleKind, SlipRejection, VoidRefusal},
};

use crate::session::Session;

/// Which shard a question belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that owns this position when the question is sent.
    Position(RingPosition),
    /// This one.
    Shard(ShardId),
}

/// Where in a shard's log an answer was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) shard: ShardId,
    pub(crate) term: u64,
    pub(crate) log_index: u64,
    /// Orders the answers of one entry; 0 for reads.
    pub(crate) ordinal: u32,
}

/// An answer and its proof of order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered<T> {
    pub(crate) answer: T,
    pub(crate) position: Position,
}

/// One person in one program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beneficiary {
    pub(crate) citizen: CitizenKey,
    pub(crate) program: ProgramId,
}

impl Beneficiary {
    pub(crate) fn place(&self) -> Place {
        Place::Position(self.citizen.position())
    }
}

/// What an ID says of its holder, as far as rules ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Full year; `None`: the ID does not say.
    pub(crate) birth_year: Option<u16>,
    /// The last digit of the ID; `None`: it has none.
    pub(crate) id_digit: Option<u8>,
}

/// Somebody buys for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) ground: GroundId,
    /// `None`: the buyer's ID was not given.
    pub(crate) buyer: Option<Claims>,
}

/// What is asked for, by whom, where.
pub(crate) struct Purchase {
    pub(crate) beneficiary: Beneficiary,
    pub(crate) claims: Claims,
    /// `None`: the program's first product.
    pub(crate) product: Option<ProductId>,
    pub(crate) quantity: u32,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) session: Session,
}

/// Decide and record a sale.
pub(crate) struct Record {
    pub(crate) request_id: RequestId,
    pub(crate) purchase: Purchase,
}

/// Decide and record nothing.
pub(crate) struct Check {
    pub(crate) purchase: Purchase,
}

/// Record a sale that was made on paper.
pub(crate) struct RecordSlip {
    pub(crate) request_id: RequestId,
    pub(crate) beneficiary: Beneficiary,
    pub(crate) claims: Claims,
    pub(crate) quantity: u32,
    /// `None`: the program's first.
    pub(crate) product: Option<ProductId>,
    pub(crate) proxy_ground: Option<GroundId>,
    pub(crate) sold_at_ms: i64,
    /// The device that wrote it.
    pub(crate) device: DeviceId,
    pub(crate) sequence: u64,
    /// Of the device that hands it in: the same site's.
    pub(crate) session: Session,
}

/// Undo a sale.
pub(crate) struct Void {
    pub(crate) request_id: RequestId,
    pub(crate) beneficiary: Beneficiary,
    pub(crate) claims: Claims,
    pub(crate) sale_request_id: RequestId,
    pub(crate) site: SiteCode,
}

/// Undo a sale of any site, on any day inside the retention time.
pub(crate) struct Correct {
    pub(crate) request_id: RequestId,
    pub(crate) beneficiary: Beneficiary,
    pub(crate) claims: Claims,
    pub(crate) sale_request_id: RequestId,
    pub(crate) case_number: String,
    pub(crate) reason: String,
    /// Name in the operator's certificate.
    pub(crate) operator: String,
}

/// List a person's sales.
pub(crate) struct List {
    pub(crate) beneficiary: Beneficiary,
}

/// What a login needs to know.
pub(crate) struct FindDevice {
    pub(crate) site: SiteCode,
    pub(crate) device: DeviceId,
}

/// Add or replace sites of one shard.
pub(crate) struct PutSites {
    pub(crate) sites: Vec<Site>,
}

/// Register a device's key.
pub(crate) struct PutDevice {
    pub(crate) site: SiteCode,
    pub(crate) device: DeviceId,
    /// Ed25519.
    pub(crate) public_key: [u8; 32],
}

/// Fix a log index at which replicas are compared.
pub(crate) struct Checkpoint {
    pub(crate) id: u64,
}

/// A site's profile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Site {
    pub(crate) code: SiteCode,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) site_type: quorate_proto::ids::SiteType,
    /// Latitude and longitude, WGS 84 degrees.
    pub(crate) location: Option<(f64, f64)>,
    pub(crate) region: Arc<str>,
}

impl Site {
    pub(crate) fn position(&self) -> RingPosition {
        SiteKey::of(&self.code).position()
    }
}

/// The shard of a site.
pub(crate) fn place_of(site: &SiteCode) -> Place {
    Place::Position(SiteKey::of(site).position())
}

/// A decision and the state of the ration it was taken in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    /// Why it was denied; `None`: granted.
    pub(crate) denied: Option<DenialReason>,
    pub(crate) remaining: u32,
    pub(crate) limit: u32,
    pub(crate) next_eligible_ms: Option<i64>,
    /// Start and end, the end exclusive; `None` while no rule is in force.
    pub(crate) window_ms: Option<(i64, i64)>,
    /// Empty while no rule is in force.
    pub(crate) rule_version: String,
    pub(crate) decided_at_ms: i64,
    /// Newest first.
    pub(crate) purchases: Vec<Sale>,
}

/// One recorded sale.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sale {
    pub(crate) request_id: RequestId,
    pub(crate) quantity: u32,
    pub(crate) sold_at_ms: i64,
    pub(crate) site_code: String,
    pub(crate) site_type: quorate_proto::ids::SiteType,
    pub(crate) region: String,
    pub(crate) voided_at_ms: Option<i64>,
    /// Of an administrator's correction; empty: there was none.
    pub(crate) void_case_number: String,
    pub(crate) kind: SaleKind,
    pub(crate) product: String,
    /// The rule in force; empty: none was.
    pub(crate) rule_version: String,
    /// Paper sales only: units above what the rule left.
    pub(crate) over_by: u32,
    /// Paper sales only: what else the rule had against it.
    pub(crate) irregularity: Option<DenialReason>,
    /// On what ground somebody else bought; empty: nobody did.
    pub(crate) proxy_ground: String,
}

/// Answer to [`Record`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) verdict: Verdict,
    pub(crate) repeated_answer: bool,
}

/// What became of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlipDecision {
    Accepted,
    Duplicate,
    OverQuotaRecorded,
    Rejected(SlipRejection),
}

/// Answer to [`RecordSlip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlipRecorded {
    pub(crate) decision: SlipDecision,
    /// Why the rule would have denied it for another reason than the quantity.
    pub(crate) irregularity: Option<DenialReason>,
    pub(crate) over_by: u32,
    pub(crate) remaining: u32,
}

/// Answer to [`Void`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Voided {
    /// Why not; `None`: voided.
    pub(crate) refusal: Option<VoidRefusal>,
    pub(crate) quantity: u32,
    pub(crate) remaining: u32,
    pub(crate) decided_at_ms: i64,
    pub(crate) repeated_answer: bool,
}

/// Answer to [`FindDevice`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundDevice {
    /// `None`: no such site.
    pub(crate) site: Option<Site>,
    /// `None`: no such device at that site.
    pub(crate) public_key: Option<Bytes>,
}

/// Answer to [`PutSites`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SitesPut {
    pub(crate) added: u32,
    pub(crate) replaced: u32,
    pub(crate) unchanged: u32,
}

/// Answer to [`PutDevice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DevicePut {
    Enrolled,
    AlreadyEnrolled,
    /// The device is enrolled with another key.
    KeyConflict,
    /// No such site.
    SiteUnknown,
}

/// The shard read the question and found it wrong. Nothing was written, and asking again will not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The request id was used before, with other content.
    RequestIdConflict,
    UnknownProgram,
    UnknownProduct,
    /// Above the rule's largest single sale.
    QuantityTooLarge,
    /// The site has as many devices, or products, as it may have.
    TooMany,
}
