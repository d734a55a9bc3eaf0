//! What a shard is asked to decide and record.

use std::num::NonZeroU32;

use quorate_proto::{
    ids::{
        CitizenKey, DeviceId, Epoch, GroundId, ProductId, ProgramId, RequestId, SiteCode, SiteType,
    },
    ring::RingRange,
};

use super::{
    claims::{Claims, Proxy},
    deliver::DeliverStock,
    program::Program,
    record::SiteProfile,
    region::Region,
    stock::ChangeStock,
};

/// Commands decided together at one instant: the payload of one log entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The leader's clock, Unix milliseconds. A shard's time never goes back: an earlier time than that of
    /// the batch before counts as that one.
    pub time_ms: i64,
    /// Decided in this order; each sees what those before it wrote.
    pub commands: Vec<Command>,
}

impl Batch {
    /// Whether replicas are to be compared at the log index of this batch.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        self.commands
            .iter()
            .any(|command| matches!(command.body, CommandBody::Checkpoint { .. }))
    }
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The epoch by which the sender routed; 0: any.
    pub epoch: Epoch,
    /// What to do.
    pub body: CommandBody,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandBody {
    /// Decides a sale and records it.
    RecordSale(RecordSale),
    /// Records a sale that was made on paper.
    RecordSlip(RecordSlip),
    /// Undoes a sale.
    VoidSale(VoidSale),
    /// Adds or replaces site profiles.
    PutSites(Vec<SiteProfile>),
    /// Registers the key of a device.
    PutDevice(PutDevice),
    /// Adds or replaces a program.
    PutProgram(Program),
    /// Fixes a log index at which replicas are compared.
    Checkpoint {
        /// Chosen by whoever asked.
        id: u64,
    },
    /// Gives the shard its range. The first command of every shard.
    AdoptRange(AdoptRange),
    /// A site changes its stock or its notice.
    ChangeStock(ChangeStock),
    /// Suspends a site, or lifts it.
    SuspendSite(SuspendSite),
    /// Applies rows of a shard's outbox to the sites here.
    DeliverStock(DeliverStock),
    /// Notes that this shard's outbox rows up to and including `seq` have been applied by their sites'
    /// shards.
    AcknowledgeOutbox {
        /// Sequence number.
        seq: u64,
    },
}

/// Where a sale is made, as the session says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaleSite {
    /// Code of the site.
    pub code: SiteCode,
    /// Its class.
    pub site_type: SiteType,
    /// Province or metropolitan city.
    pub region: Region,
}

/// Decides a sale and records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSale {
    /// Names this sale; a repeat repeats the answer.
    pub request_id: RequestId,
    /// Who buys.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
    /// Of what; `None`: the program's first product.
    pub product: Option<ProductId>,
    /// Units.
    pub quantity: NonZeroU32,
    /// Where.
    pub site: SaleSite,
    /// Whether the site may not sell, as the gateway knows it.
    pub site_suspended: bool,
    /// What the person's ID says.
    pub claims: Claims,
    /// Who buys for the person, if somebody does.
    pub proxy: Option<Proxy>,
}

/// Records a sale that was made on paper, whatever the rule says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSlip {
    /// Names this sale: chosen when the slip was written.
    pub request_id: RequestId,
    /// Whose ration it is.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
    /// Of what; `None`: the program's first product.
    pub product: Option<ProductId>,
    /// Units.
    pub quantity: NonZeroU32,
    /// Where.
    pub site: SaleSite,
    /// Whether the site may not sell, as the gateway knows it.
    pub site_suspended: bool,
    /// What the person's ID says.
    pub claims: Claims,
    /// The ground on which somebody else bought, if somebody did.
    pub proxy_ground: Option<GroundId>,
    /// When it was sold, by the device's clock, Unix milliseconds.
    pub sold_at_ms: i64,
    /// The device that signed it.
    pub device_id: DeviceId,
    /// Counts the device's slips from 1.
    pub sequence: u64,
}

/// Undoes a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoidSale {
    /// Names this void, not the sale.
    pub request_id: RequestId,
    /// Who bought.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
    /// The sale.
    pub sale_request_id: RequestId,
    /// Who asks.
    pub by: VoidBy,
    /// What the person's ID says: what remains may depend on it.
    pub claims: Claims,
}

/// Who undoes a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoidBy {
    /// The site that sold, on the day of the sale.
    Site(SiteCode),
    /// An administrator: a sale of any site, on any day.
    Administrator(Correction),
}

/// Why and by whom a sale was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Where the dispute is kept.
    pub case_number: String,
    /// In words.
    pub reason: String,
    /// The operator's name, from the certificate.
    pub operator: String,
}

/// Registers the key of a device at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutDevice {
    /// The site; it must be known.
    pub site_code: SiteCode,
    /// The device, unique within the site.
    pub device_id: DeviceId,
    /// Ed25519 public key.
    pub public_key: [u8; 32],
}

/// Suspends a site, or lifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendSite {
    /// The site; it must be known.
    pub site_code: SiteCode,
    /// False lifts it.
    pub suspended: bool,
}

/// Gives a shard its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdoptRange {
    /// The part of the ring.
    pub range: RingRange,
    /// Generation of the range, 1 or more.
    pub epoch: Epoch,
}
