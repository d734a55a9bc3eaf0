//! Every file here, by name, for fuzzers. Hidden: no part of the interface.
//!
//! Law: none of these panics, and none takes memory out of proportion to its bytes.

use jiff::tz::TimeZone;
use quorate_client::{DeviceKey, model::NationalId};
use quorate_proto::ids::{ProgramId, SiteCode};

use crate::{paper_list, record, sites};

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[
    ("file-paper-list", paper_list),
    ("file-sites", sites),
    ("file-record", record),
];

/// 15 March 2020, 12:00 in Seoul, Unix milliseconds.
const NOW_MS: i64 = 1_584_241_200_000;

fn paper_list(bytes: &[u8]) {
    let (Ok(site), Ok(program)) = (SiteCode::parse("P-0001"), ProgramId::parse("mask")) else {
        return;
    };
    let Ok(zone) = TimeZone::get("Asia/Seoul") else {
        return;
    };
    let context = paper_list::ListContext {
        site,
        key: &DeviceKey::from_seed(&[5; 32]),
        program,
        product: None,
        scheme: NationalId::KR_RRN,
        zone: &zone,
        now_ms: NOW_MS,
    };
    drop(paper_list::read(bytes, &context));
}

fn sites(bytes: &[u8]) {
    drop(sites::read(bytes));
}

fn record(bytes: &[u8]) {
    drop(record::read(bytes, None));
}
