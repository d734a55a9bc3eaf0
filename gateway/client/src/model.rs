//! Answers as types that carry their proof. They serialise to the JSON that `quorate -o json` prints;
//! names and units of that JSON never change their meaning.

mod admin;
mod report;
mod request;
mod shape;
mod slip;
mod stock;
mod verdict;

pub use admin::{
    Changes, ClusterStatus, Health, NodeStatus, ProgramPut, ProgramStatus, PutProgram,
    ReplicaDigest, ReplicaStatus, ShadowCounts, ShadowReport, ShardStatus, ShardVerification, Site,
    StockDifference, StockVerification, Totals, Verification,
};
pub use report::{Correction, DailyCounts, OverQuotaSale};
pub use request::{NationalId, Proxy, Sale, Undo};
pub use shape::IdShapeError;
pub use slip::{PaperSale, SlipAnswer, SlipOutcome, SlipRejection};
pub use stock::{
    Adjustment, AdjustmentReason, NoticeSet, ProductStock, SaleKind, SiteSale, SiteStock,
    StockChanged,
};
pub use verdict::{
    Decision, DenialReason, Position, Purchase, Recorded, Sales, Verdict, VoidOutcome, VoidRefusal,
    Voided, Warning, Window,
};
