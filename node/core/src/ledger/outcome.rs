//! What a shard answers. A denial and a refusal are answers like any other.

use quorate_proto::{
    ids::{ProductId, RuleId},
    v1,
};

use super::{
    calendar::Window,
    counts::{DailyAnswer, ShadowRow},
    lists::{OverQuotaAnswer, SiteSalesAnswer},
    record::{Sale, SiteProfile},
    shown::ShownSite,
    stock::StockRecord,
};

/// The result of one command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Of a sale.
    Record(RecordOutcome),
    /// Of a slip.
    Slip(SlipOutcome),
    /// Of a void.
    Void(VoidOutcome),
    /// Of site profiles.
    PutSites(PutSitesOutcome),
    /// Of a device key.
    PutDevice(PutDeviceOutcome),
    /// Of a change that a site made by itself, or of its suspension.
    Stock(StockOutcome),
    /// Done, nothing to say.
    Done,
    /// Could not be decided; nothing was written.
    Error(CommandError),
}

/// Whether a sale may be made, and the state of the ration.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Why not; `None`: granted.
    pub denied: Option<DenialReason>,
    /// Units still available in the window, after this answer.
    pub remaining: u32,
    /// Units that the rule allows in the window.
    pub limit: u32,
    /// Unix milliseconds. The first instant at which such a sale can be granted again: set if nothing
    /// remains or the sale was denied, but not where waiting cannot help and asking for less can.
    pub next_eligible_ms: Option<i64>,
    /// The window that holds `decided_at_ms`; `None` while no rule is in force.
    pub window: Option<Window>,
    /// The rule version that decided; `None` while none is in force.
    pub rule: Option<RuleId>,
    /// Unix milliseconds.
    pub decided_at_ms: i64,
    /// Sales in the window that were not undone at that time, newest first.
    pub purchases: Vec<Sale>,
}

/// The result of a sale.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordOutcome {
    /// The decision.
    pub verdict: Verdict,
    /// Whether it was made earlier, for the same request id.
    pub repeated: bool,
}

/// The result of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlipOutcome {
    /// What became of it.
    pub result: SlipResult,
    /// Why it would have been denied, but for the quantity; as it was found when it was recorded.
    pub irregularity: Option<DenialReason>,
    /// Units above what was left in the window of the sale when it was recorded.
    pub over_by: u32,
    /// Units available now.
    pub remaining: u32,
}

/// What became of a slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipResult {
    /// Recorded, within the ration.
    Accepted,
    /// Recorded before; counted once.
    Duplicate,
    /// Recorded, beyond the ration.
    OverQuotaRecorded,
    /// Not recorded, and never will be.
    Rejected(SlipRejection),
}

/// The result of a void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoidOutcome {
    /// Why not; `None`: voided.
    pub refused: Option<VoidRefusal>,
    /// Units given back; 0 if refused.
    pub quantity: u32,
    /// Units available in the current window, after this answer.
    pub remaining: u32,
    /// Unix milliseconds.
    pub decided_at_ms: i64,
    /// Whether it was decided earlier, for the same request id.
    pub repeated: bool,
}

/// What happened to the profiles of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutSitesOutcome {
    /// New sites.
    pub added: u32,
    /// Known sites with another profile.
    pub replaced: u32,
    /// Known sites with the same profile.
    pub unchanged: u32,
}

/// What happened to the key of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutDeviceOutcome {
    /// The key was registered.
    Enrolled,
    /// The same key was registered before.
    AlreadyEnrolled,
    /// There is no such site.
    SiteUnknown,
    /// Another key is registered for this device.
    KeyConflict,
}

/// The result of a change that a site made by itself, or of its suspension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockOutcome {
    /// There is no such site; nothing was written.
    SiteUnknown,
    /// It is done.
    Answered {
        /// The stock after it, or as it is now if it was done before; `None`: it was not about a product.
        stock: Option<(ProductId, StockRecord)>,
        /// Whether it was done before.
        repeated: bool,
    },
}

/// Why a command or query could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// The fault.
    pub kind: CommandErrorKind,
    /// In words; holds nothing secret.
    pub detail: String,
}

/// The faults of [`CommandError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandErrorKind {
    /// The request id was used before, with other content.
    RequestIdConflict,
    /// No such program.
    UnknownProgram,
    /// The key lies outside the shard's range, or the epoch differs.
    WrongShard,
    /// The quantity is above the rule's largest single sale.
    QuantityTooLarge,
    /// There are as many of these as there may be.
    TooMany,
    /// The program has no such product.
    UnknownProduct,
}

impl CommandError {
    pub(crate) fn new(kind: CommandErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl From<CommandError> for Outcome {
    fn from(error: CommandError) -> Self {
        Self::Error(error)
    }
}

/// What was read for a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Whether this quantity may be sold now.
    Check(Verdict),
    /// Every sale inside the retention time, newest first.
    List(Vec<Sale>),
    /// What a login needs.
    Device(DeviceAnswer),
    /// Sales and refusals by day.
    Daily(DailyAnswer),
    /// What the shadow rules would have decided.
    Shadow(Vec<ShadowRow>),
    /// What a site has.
    Stock {
        /// `None`: no such site.
        site: Option<ShownSite>,
        /// The shard's time, Unix milliseconds.
        now_ms: i64,
    },
    /// What a site sold.
    SiteSales(SiteSalesAnswer),
    /// What was sold on paper beyond the ration.
    OverQuota(OverQuotaAnswer),
    /// The query itself was wrong.
    Error(CommandError),
}

/// What a login needs.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceAnswer {
    /// `None`: no such site.
    pub site: Option<SiteProfile>,
    /// `None`: no such device at that site.
    pub public_key: Option<[u8; 32]>,
}

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident from $wire:ty { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number on the wire and on disk; never 0.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => <$wire>::$variant as u32,)*
                }
            }

            /// The value of that number.
            #[must_use]
            pub const fn from_number(number: u32) -> Option<Self> {
                $(if number == <$wire>::$variant as u32 {
                    return Some(Self::$variant);
                })*
                None
            }
        }
    };
}

closed_enum! {
    /// Why a sale was denied.
    DenialReason from v1::DenialReason {
        /// More than the rule leaves in this window.
        OverLimit,
        /// Another day is this person's.
        NotYourDay,
        /// One visit in a window.
        AlreadyVisited,
        /// No rule is in force.
        ProgramClosed,
        /// The rule does not admit this class of site.
        SiteTypeNotAllowed,
        /// Nobody may buy for this person.
        ProxyNotAllowed,
        /// More than one sale may hold.
        QuantityTooLarge,
        /// The site may not sell.
        SiteSuspended,
    }
}

closed_enum! {
    /// Why a shard does not record a slip.
    SlipRejection from v1::SlipRejection {
        /// Sold longer ago than the retention time.
        TooOld,
        /// Sold later than now.
        InTheFuture,
        /// No such program.
        UnknownProgram,
        /// The program has no such product.
        UnknownProduct,
        /// The request id names something else.
        RequestIdConflict,
    }
}

closed_enum! {
    /// Why a void was refused.
    VoidRefusal from v1::VoidRefusal {
        /// No such sale inside the retention time.
        SaleNotFound,
        /// The sale is another site's.
        OtherSite,
        /// The day of the sale is over.
        TooLate,
        /// The sale was undone before.
        AlreadyVoided,
    }
}

closed_enum! {
    /// Why a count was corrected.
    AdjustmentReason from v1::AdjustmentReason {
        /// Counted again.
        Counted,
        /// Goods were damaged.
        Damaged,
        /// Goods were given back to the supplier.
        Returned,
        /// Goods were given to, or taken from, another site.
        Transferred,
        /// The note says what.
        Other,
    }
}
