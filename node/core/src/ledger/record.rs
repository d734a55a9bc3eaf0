//! What a shard remembers.

use quorate_proto::{
    ids::{
        DeviceId, Epoch, GroundId, ProductId, ProgramId, RequestId, RingPosition, RuleId, SiteCode,
        SiteType,
    },
    ring::RingRange,
};

use super::{
    command::{SaleSite, VoidBy},
    counts::ReasonCounts,
    outcome::{DenialReason, VoidRefusal},
    program::Program,
    region::Region,
};

/// One citizen in one program.
///
/// Invariants: sales ascend by `recorded_at_ms`, denials by `decided_at_ms`; a request id occurs once
/// inside the retention time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CitizenRecord {
    /// Granted sales and slips, in the order in which they were recorded.
    pub sales: Vec<Sale>,
    /// Denied sales, oldest first.
    pub denials: Vec<Denial>,
}

/// How a sale came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaleKind {
    /// Decided and recorded in one step.
    Online,
    /// Made without a connection and handed in later.
    Paper,
}

/// A sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Names the sale.
    pub request_id: RequestId,
    /// Units.
    pub quantity: u32,
    /// Where.
    pub site: SaleSite,
    /// When it was made, Unix milliseconds: this puts it into a window. An online sale is decided then.
    pub sold_at_ms: i64,
    /// Its place in the order of the record, Unix milliseconds. Online: `sold_at_ms`, or a little later where
    /// several acts fall into one millisecond. Paper: when it was handed in.
    pub recorded_at_ms: i64,
    /// How it came in.
    pub kind: SaleKind,
    /// No flag is defined yet: 0.
    pub flags: u32,
    /// The rule version in force when it was made; `None`: none was, and it is a slip.
    pub rule: Option<RuleId>,
    /// Units that remained in the window after it.
    pub remaining: u32,
    /// Units that the rule allowed in the window.
    pub limit: u32,
    /// As answered, Unix milliseconds.
    pub next_eligible_ms: Option<i64>,
    /// What was sold; `None`: the program's first product.
    pub product: Option<ProductId>,
    /// The ground on which somebody else bought, if somebody did.
    pub proxy_ground: Option<GroundId>,
    /// Slips only: units above what was left in the window of the sale when it was recorded.
    pub over_by: u32,
    /// Slips only: why it would have been denied, but for the quantity.
    pub irregularity: Option<DenialReason>,
    /// Attempts to undo it, oldest first; at most one succeeded.
    pub void_attempts: Vec<VoidAttempt>,
}

impl Sale {
    /// When the sale was undone, Unix milliseconds.
    #[must_use]
    pub fn voided_at_ms(&self) -> Option<i64> {
        let mut attempts = self.void_attempts.iter();
        let undid = attempts.find(|attempt| attempt.refused.is_none())?;
        Some(undid.decided_at_ms)
    }
}

/// An attempt to undo a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoidAttempt {
    /// Names the attempt.
    pub request_id: RequestId,
    /// Who tried.
    pub by: VoidBy,
    /// Why not; `None`: it undid the sale.
    pub refused: Option<VoidRefusal>,
    /// Units available after it, in the window of that time.
    pub remaining: u32,
    /// Unix milliseconds.
    pub decided_at_ms: i64,
}

/// A denied sale, kept so that a repeated request repeats its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Names the request.
    pub request_id: RequestId,
    /// Units asked for.
    pub quantity: u32,
    /// Where.
    pub site_code: SiteCode,
    /// Why.
    pub reason: DenialReason,
    /// Units that were available.
    pub remaining: u32,
    /// Units that the rule allowed.
    pub limit: u32,
    /// As answered, Unix milliseconds.
    pub next_eligible_ms: Option<i64>,
    /// Unix milliseconds.
    pub decided_at_ms: i64,
    /// The rule version that decided; `None`: none was in force.
    pub rule: Option<RuleId>,
    /// What was asked for; `None`: the program's first product.
    pub product: Option<ProductId>,
    /// The ground on which somebody else would have bought, if somebody would.
    pub proxy_ground: Option<GroundId>,
}

/// One site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteRecord {
    /// Who and where.
    pub profile: SiteProfile,
    /// Enrolled devices, in the order of their enrolment.
    pub devices: Vec<Device>,
    /// It may not sell.
    pub suspended: bool,
    /// A line for the public; empty: none.
    pub notice: String,
    /// Last change of profile, suspension or notice, Unix milliseconds.
    pub updated_at_ms: i64,
}

impl SiteRecord {
    /// A site that nothing but its profile is known of.
    #[must_use]
    pub fn new(profile: SiteProfile) -> Self {
        Self {
            profile,
            devices: Vec::new(),
            suspended: false,
            notice: String::new(),
            updated_at_ms: 0,
        }
    }

    /// The device of that id.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.device_id == id)
    }
}

/// Who and where a site is.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteProfile {
    /// Code of the site.
    pub code: SiteCode,
    /// Name on the sign.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// Its class.
    pub site_type: SiteType,
    /// Where on the map, if known.
    pub coordinates: Option<Coordinates>,
    /// Province or metropolitan city.
    pub region: Region,
}

/// A point on the map, WGS 84 degrees. Both numbers are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// -90 to 90.
    pub latitude: f64,
    /// -180 to 180.
    pub longitude: f64,
}

/// An enrolled device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device, unique within its site.
    pub device_id: DeviceId,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
    /// Unix milliseconds.
    pub enrolled_at_ms: i64,
}

/// What happened to a sale, for its site's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxKind {
    /// Units left the site.
    Sold,
    /// Units came back.
    Voided,
}

/// What a sale or void tells its site's shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The site.
    pub site_code: SiteCode,
    /// The program.
    pub program: ProgramId,
    /// The sale, also in the row of its void.
    pub request_id: RequestId,
    /// Of what.
    pub product: ProductId,
    /// Units.
    pub quantity: u32,
    /// What happened.
    pub kind: OutboxKind,
    /// When it happened, Unix milliseconds.
    pub at_ms: i64,
    /// When the sale was made, Unix milliseconds.
    pub sold_at_ms: i64,
    /// How the sale came in.
    pub sale_kind: SaleKind,
    /// Slips only: units above what was left.
    pub over_by: u32,
}

impl OutboxRow {
    /// That a sale was made.
    pub(super) fn sold(sale: &Sale, program: &Program) -> Self {
        Self {
            site_code: sale.site.code,
            program: program.id(),
            request_id: sale.request_id,
            product: sale.product.unwrap_or_else(|| program.first_product()),
            quantity: sale.quantity,
            kind: OutboxKind::Sold,
            at_ms: sale.sold_at_ms,
            sold_at_ms: sale.sold_at_ms,
            sale_kind: sale.kind,
            over_by: sale.over_by,
        }
    }

    /// That a sale was undone at this instant, Unix milliseconds.
    pub(super) fn voided(sale: &Sale, program: &Program, at_ms: i64) -> Self {
        Self {
            kind: OutboxKind::Voided,
            at_ms,
            ..Self::sold(sale, program)
        }
    }
}

/// What a shard knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardFacts {
    /// The part of the ring, once adopted.
    pub(crate) range: Option<RingRange>,
    /// Generation of the range; 0: none adopted yet.
    pub(crate) epoch: Epoch,
    /// Latest time of any batch, Unix milliseconds.
    pub(crate) clock_ms: i64,
    /// Outbox rows ever written: the newest row's sequence number; they count from 1.
    pub(crate) outbox_rows: u64,
    /// Rows up to and including this one have reached their sites' shards.
    pub(crate) outbox_acknowledged: u64,
    /// Rows up to and including this one are deleted: those that were acknowledged a while ago.
    pub(crate) outbox_trimmed: u64,
    /// Acknowledged rows up to and including this one are deleted next.
    pub(crate) outbox_trim_next: u64,
    /// Since when they have been acknowledged, Unix milliseconds.
    pub(crate) outbox_trim_since_ms: i64,
    /// Counted since the shard was created.
    pub(crate) totals: ShardTotals,
}

impl ShardFacts {
    /// The part of the ring; `None`: not adopted yet.
    #[must_use]
    pub fn range(&self) -> Option<RingRange> {
        self.range
    }

    /// Generation of the range; 0: none adopted yet.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Latest time of any batch, Unix milliseconds. The shard's time never goes back behind it.
    #[must_use]
    pub fn clock_ms(&self) -> i64 {
        self.clock_ms
    }

    /// Outbox rows ever written, and the sequence number of the newest: they count from 1.
    #[must_use]
    pub fn outbox_rows(&self) -> u64 {
        self.outbox_rows
    }

    /// Outbox rows up to and including this sequence number have reached their sites' shards.
    #[must_use]
    pub fn outbox_acknowledged(&self) -> u64 {
        self.outbox_acknowledged
    }

    /// Outbox rows up to and including this sequence number are deleted.
    #[must_use]
    pub fn outbox_trimmed(&self) -> u64 {
        self.outbox_trimmed
    }

    /// Counted since the shard was created.
    #[must_use]
    pub fn totals(&self) -> &ShardTotals {
        &self.totals
    }

    /// Whether this shard owns the position.
    #[must_use]
    pub fn owns(&self, position: RingPosition) -> bool {
        self.range.is_some_and(|range| range.contains(position))
    }
}

/// Counted since the shard was created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardTotals {
    /// Granted sales; slips are not among them.
    pub grants: u64,
    /// Units of them.
    pub units_granted: u64,
    /// Slips recorded.
    pub slips: u64,
    /// Units of them.
    pub units_on_slips: u64,
    /// Slips that exceeded what was left.
    pub slips_over_quota: u64,
    /// Sales and slips undone.
    pub voids: u64,
    /// Units of them.
    pub units_voided: u64,
    /// Denials by reason.
    pub denials: ReasonCounts,
    /// Sales and slips dropped from records after the retention time, undone ones included.
    pub grants_retired: u64,
    /// Units of them.
    pub units_retired: u64,
}
