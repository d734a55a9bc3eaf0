//! The ledger: what a data shard decides, remembers and answers.
//!
//! [`apply_batch()`] decides committed commands; [`Answerer`] reads. Both see a citizen's record through the
//! same assessment, so a check never says other than a sale at the same instant would.
//!
//! Invariants: a granted sale never makes the live sales of its window exceed the rule in force; a request
//! id that is repeated inside the retention time repeats its answer; a sale or void, its outbox row and the
//! totals are written together. Deliberately absent: deciding *where* a command goes.

mod account;
mod answer;
mod batch;
mod calendar;
mod claims;
mod command;
mod counts;
mod deliver;
mod explain;
mod history;
mod judge;
mod lists;
mod outcome;
mod program;
mod query;
mod record;
mod region;
mod report;
mod rule;
mod sale;
mod shown;
mod site;
mod slip;
mod state;
mod stock;
mod tallies;
mod void;

pub use answer::Answerer;
pub use batch::apply_batch;
pub use calendar::Window;
pub use claims::{Claims, Proxy};
pub use command::{
    AdoptRange, Batch, Command, CommandBody, Correction, PutDevice, RecordSale, RecordSlip,
    SaleSite, SuspendSite, VoidBy, VoidSale,
};
pub use counts::{
    DailyAnswer, DailyRow, DayCounts, DayKey, ReasonCounts, RetiredUnits, ShadowCounts, ShadowRow,
};
pub use deliver::{DeliverStock, DeliveredRow, ListedSale, SiteSale, outbox_rows};
pub use explain::{Explanation, Situation, explain};
pub use lists::{OverQuotaAnswer, SiteSalesAnswer};
pub use outcome::{
    AdjustmentReason, Answer, CommandError, CommandErrorKind, DenialReason, DeviceAnswer, Outcome,
    PutDeviceOutcome, PutSitesOutcome, RecordOutcome, SlipOutcome, SlipRejection, SlipResult,
    StockOutcome, Verdict, VoidOutcome, VoidRefusal,
};
pub use program::{Product, Program, ProgramDraft, ProgramError, RuleLaw};
pub use query::{
    CheckQuery, DailyQuery, DeviceQuery, ListQuery, OverQuotaQuery, Query, ShadowQuery,
    SiteSalesQuery, StockQuery,
};
pub use record::{
    CitizenRecord, Coordinates, Denial, Device, OutboxKind, OutboxRow, Sale, SaleKind, ShardFacts,
    ShardTotals, SiteProfile, SiteRecord, VoidAttempt,
};
pub use region::Region;
pub use rule::{
    BirthYearLimit, BirthYears, Digits, ProxyGround, Rotation, RotationDigit, Rule, RuleState,
    WindowKind,
};
pub use shown::{ShownSite, shown_site, site_keys};
pub use state::{facts, program_versions};
pub use stock::{
    ChangeStock, StockAdjustment, StockChange, StockChangeKind, StockJournal, StockRecord,
};

pub(crate) use history::units_at_grant;
pub(crate) use state::{KnownProgram, load_programs};
