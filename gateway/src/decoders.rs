//! Everything here that reads bytes of strangers, by name, for fuzzers. Hidden: no part of the gateway's
//! interface.
//!
//! Law: none of these panics, and none takes memory out of proportion to its bytes. Deliberately absent: what
//! the values are used for.

use prost::Message;
use quorate_proto::{
    admin,
    ids::{DeviceId, ShardId, SiteCode},
    internal::{self, query_reply, shard_reply},
    storage::outcome,
    v1,
};
use zeroize::Zeroizing;

use crate::{
    model::{Checkpoint, PutDevice, PutSites, RecordSlip},
    national_id::NationalId,
    nodes::decode::{self, Heard, Wire},
    nodes::pipeline::Reply,
    nodes::{Operation, audit, calls, sites},
    public,
    service::{admin::import, border, deadline, slips},
    session::{Challenger, Tokens, session_of, signed_by, signed_slip},
};

pub mod valid;

#[cfg(test)]
mod tests;

use valid::{CLUSTER_ID, DEVICE, KEY};

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[
    ("gateway-record", record),
    ("gateway-slip", slip),
    ("gateway-slip-upload", slip_upload),
    ("gateway-session-token", session_token),
    ("gateway-session-claims", session_claims),
    ("gateway-challenge", challenge),
    ("gateway-national-id", national_id),
    ("gateway-program", program),
    ("gateway-import", import_sites),
    ("gateway-deadline", deadline),
    ("gateway-node-replies", node_replies),
    ("gateway-node-reports", node_reports),
    ("gateway-stock-account", stock_account),
    ("gateway-cluster-news", cluster_news),
    ("gateway-site-frame", site_frame),
    ("gateway-public-legacy", public_legacy),
    ("gateway-public-v1", public_v1),
    ("gateway-public-deltas", public_deltas),
];

/// 11 March 2020, 09:00 in Seoul, Unix milliseconds.
const NOW_MS: i64 = 1_583_884_800_000;

fn record(bytes: &[u8]) {
    let Ok(mut request) = v1::RecordRequest::decode(bytes) else {
        return;
    };
    let _ = border::request_id("request_id", &request.request_id);
    let _ = border::optional_product("product", &request.product);
    let _ = border::quantity(request.quantity);
    if let Some(id) = request.citizen.take() {
        let _ = NationalId::parse(&id.scheme, Zeroizing::new(id.number), NOW_MS);
    }
}

fn slip(bytes: &[u8]) {
    if let Ok(slip) = v1::Slip::decode(bytes) {
        read_slip(&slip);
    }
}

fn slip_upload(bytes: &[u8]) {
    if let Ok(v1::UploadSlipsRequest { slip: Some(slip) }) = v1::UploadSlipsRequest::decode(bytes) {
        read_slip(&slip);
    }
}

fn read_slip(slip: &v1::Slip) {
    let _ = slips::parse::parse(slip);
    let signed = quorate_proto::slip::signed_bytes(slip);
    signed_slip(&DEVICE, &signed, &slip.signature);
}

fn session_token(bytes: &[u8]) {
    if let (Ok(text), Some(tokens)) = (std::str::from_utf8(bytes), Tokens::new(&KEY, CLUSTER_ID)) {
        let _ = tokens.verify(text, NOW_MS);
    }
}

/// What a token holds once it was opened.
fn session_claims(bytes: &[u8]) {
    if let Ok(claims) = std::str::from_utf8(bytes) {
        drop(session_of(claims));
    }
}

fn challenge(bytes: &[u8]) {
    let (Ok(site), Ok(device)) = (SiteCode::parse("P-1"), DeviceId::parse("till-1")) else {
        return;
    };
    let _ = Challenger::new(&KEY, CLUSTER_ID).check(bytes, &site, &device, NOW_MS);
    let (public, rest) = bytes.split_at(bytes.len().min(32));
    let (signature, challenge) = rest.split_at(rest.len().min(64));
    signed_by(public, challenge, signature);
}

fn national_id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for scheme in ["KR-RRN", "TW-NID", "VOUCHER", text] {
        let _ = NationalId::parse(scheme, Zeroizing::new(text.to_owned()), NOW_MS);
    }
}

fn program(bytes: &[u8]) {
    if let Ok(admin::PutProgramRequest {
        program: Some(program),
        ..
    }) = admin::PutProgramRequest::decode(bytes)
    {
        let _ = quorate_proto::program::to_definition(program);
    }
}

/// A batch of sites.
fn import_sites(bytes: &[u8]) {
    if let Ok(batch) = admin::ImportSitesRequest::decode(bytes) {
        drop(import::read(batch));
    }
}

/// The header of a call. Law: no call gets more time than its service grants.
fn deadline(header: &[u8]) {
    deadline::has_passed(header);
    for patience in [deadline::TERMINAL, deadline::OPERATOR] {
        let time = deadline::time_for_answer(Some(header), patience);
        assert!(
            time <= patience.max,
            "a call got {time:?}, and {:?} is the most",
            patience.max
        );
    }
}

fn node_replies(bytes: &[u8]) {
    let Ok(frame) = internal::ReplyFrame::decode(bytes) else {
        return;
    };
    for reply in frame.replies {
        let reply = match reply.body {
            Some(shard_reply::Body::Write(write)) => Reply::Write(write),
            Some(shard_reply::Body::Query(query)) => Reply::Query(query),
            Some(shard_reply::Body::Refusal(refusal)) => Reply::Refusal(refusal),
            None => continue,
        };
        match decode::heard(reply, ShardId(1)) {
            Ok(Heard::Answer(Wire::Outcome(outcome), _)) => read_outcome(outcome),
            Ok(Heard::Answer(Wire::Read(read), _)) => read_read(read),
            Ok(Heard::Rejected(_) | Heard::NotAnswered { .. }) | Err(_) => {}
        }
    }
}

fn read_outcome(outcome: outcome::Body) {
    match outcome {
        outcome::Body::Record(record) => drop(decode::recorded(record)),
        outcome::Body::Void(void) => drop(decode::voided(void)),
        outcome::Body::Slip(_) => drop(RecordSlip::decode(Wire::Outcome(outcome))),
        outcome::Body::Stock(stock) => {
            decode::stock::site_suspended(&stock);
            decode::stock::stock_changed(stock);
        }
        outcome::Body::PutSites(_) => drop(PutSites::decode(Wire::Outcome(outcome))),
        outcome::Body::PutDevice(_) => drop(PutDevice::decode(Wire::Outcome(outcome))),
        outcome::Body::Done(_) => drop(Checkpoint::decode(Wire::Outcome(outcome))),
        // Sorted out by `heard`.
        outcome::Body::Error(_) => {}
    }
}

fn read_read(read: query_reply::Body) {
    match read {
        query_reply::Body::Check(check) => drop(decode::verdict(check.verdict)),
        query_reply::Body::List(list) => {
            for sale in list.sales {
                drop(decode::sale(sale));
            }
        }
        query_reply::Body::Device(device) => drop(decode::found_device(device)),
        query_reply::Body::Stock(stock) => drop(decode::stock::found_stock(stock)),
        query_reply::Body::SiteSales(sales) => drop(decode::stock::site_sales(sales)),
        query_reply::Body::OverQuota(sales) => drop(decode::report::over_quota(sales)),
        query_reply::Body::Daily(daily) => drop(decode::report::days(daily)),
        query_reply::Body::Shadow(shadow) => drop(decode::report::shadows(shadow)),
        query_reply::Body::Error(_) => {}
    }
}

/// What a node says to an operator.
fn node_reports(bytes: &[u8]) {
    if let Ok(status) = internal::StatusResponse::decode(bytes) {
        drop(calls::node_report(status));
    }
    if let Ok(digest) = internal::DigestResponse::decode(bytes) {
        drop(calls::digest_report(digest));
    }
}

/// A part of a shard's account.
fn stock_account(bytes: &[u8]) {
    if let Ok(part) = internal::AuditStockResponse::decode(bytes) {
        let _ = audit::read(part, &mut |_| {});
    }
}

fn cluster_news(bytes: &[u8]) {
    if let Ok(event) = internal::ClusterEvent::decode(bytes) {
        drop(decode::news(event));
    }
}

fn site_frame(bytes: &[u8]) {
    if let Ok(frame) = internal::SiteFrame::decode(bytes) {
        drop(sites::site_frame(frame));
    }
}

fn public_legacy(bytes: &[u8]) {
    if let Ok(query) = std::str::from_utf8(bytes) {
        public::legacy::read(query);
    }
}

fn public_v1(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let (query, accept) = text.split_once('\n').unwrap_or((text, ""));
        public::v1::read(query, accept);
    }
}

/// The query, and behind a line break the id of the last event.
fn public_deltas(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let (query, last_id) = text.split_once('\n').unwrap_or((text, ""));
        public::v1::deltas::read(query, last_id);
    }
}
