//! The border between messages and types: no protobuf type goes past this module and its callers in
//! `terminal` and `operator`.

mod admin;
mod ration;
mod report;
mod slips;
mod stock;

pub(crate) use admin::{shadow_counts, site_to_wire, status, verification};
pub(crate) use ration::{recorded, sales, time, time_to_wire, verdict, voided};
pub(crate) use report::{citizen_sales, corrected, daily, over_quota};
pub(crate) use slips::{sealing_key, slip_answer};
pub(crate) use stock::{
    notice_set, product_to_wire, reason_to_wire, site_sales, site_stock, stock_changed,
};
