//! What is read of gateways' answers, by name, for fuzzers. Hidden: no part of the interface.
//!
//! Law: none of these panics, and none takes memory out of proportion to its bytes. Bytes do not say which message
//! they are: each is read as every message of its group.

use prost::Message;
use quorate_proto::{admin, ids::RequestId, v1};

use crate::{codec, public::EventParser};

/// A name, and what reads bytes and forgets what it read.
pub type Decoder = (&'static str, fn(&[u8]));

/// By name.
pub const ALL: &[Decoder] = &[
    ("client-ration-answer", ration),
    ("client-stock-answer", stock),
    ("client-slip-answer", slip),
    ("client-session", session),
    ("client-operator-answer", operator),
    ("client-report", report),
    ("client-event", event),
];

/// The request that is answered.
pub const REQUEST: [u8; 16] = [3; 16];

fn ration(bytes: &[u8]) {
    let Ok(request) = RequestId::from_bytes(REQUEST) else {
        return;
    };
    if let Ok(answer) = v1::CheckResponse::decode(bytes) {
        let _ = codec::verdict(answer.verdict);
    }
    if let Ok(answer) = v1::RecordResponse::decode(bytes) {
        let _ = codec::recorded(request, answer);
    }
    if let Ok(answer) = v1::VoidResponse::decode(bytes) {
        let _ = codec::voided(request, answer);
    }
    if let Ok(answer) = v1::ListSalesResponse::decode(bytes) {
        let _ = codec::sales(answer);
    }
}

fn stock(bytes: &[u8]) {
    let Ok(request) = RequestId::from_bytes(REQUEST) else {
        return;
    };
    if let Ok(answer) = v1::StockResponse::decode(bytes) {
        let _ = codec::stock_changed(request, answer);
    }
    if let Ok(answer) = v1::SetNoticeResponse::decode(bytes) {
        let _ = codec::notice_set(request, answer);
    }
    if let Ok(answer) = v1::GetStockResponse::decode(bytes) {
        let _ = codec::site_stock(answer);
    }
    if let Ok(page) = v1::ListSiteSalesResponse::decode(bytes) {
        let _ = codec::site_sales(page);
    }
}

fn slip(bytes: &[u8]) {
    if let Ok(answer) = v1::UploadSlipsResponse::decode(bytes) {
        let _ = codec::slip_answer(&answer);
    }
}

fn session(bytes: &[u8]) {
    if let Ok(answer) = v1::OpenSessionResponse::decode(bytes) {
        let _ = codec::sealing_key(answer.sealing_key.as_ref());
        let _ = answer.expires_at.map(codec::time);
    }
}

fn operator(bytes: &[u8]) {
    if let Ok(answer) = admin::GetStatusResponse::decode(bytes) {
        let _ = codec::status(answer);
    }
    if let Ok(answer) = admin::VerifyResponse::decode(bytes) {
        let _ = codec::verification(answer);
    }
    if let Ok(answer) = admin::GetShadowCountsResponse::decode(bytes) {
        let _ = codec::shadow_counts(answer);
    }
}

fn report(bytes: &[u8]) {
    let Ok(request) = RequestId::from_bytes(REQUEST) else {
        return;
    };
    if let Ok(answer) = admin::ListCitizenSalesResponse::decode(bytes) {
        let _ = codec::citizen_sales(answer);
    }
    if let Ok(answer) = admin::CorrectSaleResponse::decode(bytes) {
        let _ = codec::corrected(request, answer);
    }
    if let Ok(page) = admin::ReportOverQuotaResponse::decode(bytes) {
        let _ = codec::over_quota(page);
    }
    if let Ok(page) = admin::ReportDailyResponse::decode(bytes) {
        let _ = codec::daily(page);
    }
}

fn event(bytes: &[u8]) {
    let mut parser = EventParser::default();
    parser.push(bytes);
    while parser.take().is_some() {}
}
