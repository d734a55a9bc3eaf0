//! Requests about stock, read into types. Pure; every bound is checked here and named.

use jiff::tz::TimeZone;
use quorate_proto::{
    ids::RequestId,
    status::ErrorReason,
    v1::{
        AdjustStockRequest, AdjustmentReason, ReceiveStockRequest, SetHeldRequest, SetNoticeRequest,
    },
};
use tonic::Status;

use crate::{
    directory::View,
    limits,
    model::stock::StockChange,
    service::{border, dates, errors},
};

const UNITS_MAX: u32 = limits::STOCK_CHANGE_UNITS_MAX;

pub(super) fn received(
    message: ReceiveStockRequest,
    view: &View,
) -> Result<(RequestId, StockChange), Status> {
    let request_id = border::request_id("request_id", &message.request_id)?;
    let product = border::product(view, &message.product)?;
    if !(1..=UNITS_MAX).contains(&message.quantity) {
        let text = "the quantity must be 1 to 1,000,000";
        return Err(errors::wrong_field(
            ErrorReason::InvalidQuantity,
            "quantity",
            text,
        ));
    }
    Ok((request_id, StockChange::Received(product, message.quantity)))
}

pub(super) fn adjusted(
    message: AdjustStockRequest,
    view: &View,
) -> Result<(RequestId, StockChange), Status> {
    let request_id = border::request_id("request_id", &message.request_id)?;
    let product = border::product(view, &message.product)?;
    if !(1..=UNITS_MAX).contains(&message.delta.unsigned_abs()) {
        let text = "the change must be -1,000,000 to 1,000,000 and not 0";
        return Err(errors::invalid("delta", text));
    }
    let reason = match AdjustmentReason::try_from(message.reason) {
        Ok(AdjustmentReason::Unspecified) | Err(_) => {
            let text = "a reason is required: counted, damaged, returned, transferred or other";
            return Err(errors::invalid("reason", text));
        }
        Ok(reason) => reason,
    };
    border::line("note", &message.note, limits::STOCK_TEXT_BYTES_MAX)?;
    if reason == AdjustmentReason::Other && message.note.trim().is_empty() {
        let text = "a note is required where the reason is OTHER";
        return Err(errors::invalid("note", text));
    }
    let change = StockChange::Adjusted(product, message.delta, reason, message.note);
    Ok((request_id, change))
}

pub(super) fn held(
    message: SetHeldRequest,
    view: &View,
) -> Result<(RequestId, StockChange), Status> {
    let request_id = border::request_id("request_id", &message.request_id)?;
    let product = border::product(view, &message.product)?;
    if message.held > UNITS_MAX {
        return Err(errors::invalid("held", "at most 1,000,000 can be held"));
    }
    Ok((request_id, StockChange::Held(product, message.held)))
}

pub(super) fn stopped(
    request_id: &str,
    product: &str,
    stopped: bool,
    view: &View,
) -> Result<(RequestId, StockChange), Status> {
    let request_id = border::request_id("request_id", request_id)?;
    let product = border::product(view, product)?;
    Ok((request_id, StockChange::Stopped(product, stopped)))
}

pub(super) fn notice(message: SetNoticeRequest) -> Result<(RequestId, StockChange), Status> {
    let request_id = border::request_id("request_id", &message.request_id)?;
    border::line("notice", &message.notice, limits::STOCK_TEXT_BYTES_MAX)?;
    Ok((request_id, StockChange::Notice(message.notice)))
}

/// The instants of a day, which is today or yesterday by the shard's time: no others are kept.
pub(super) fn day(text: &str, zone: &TimeZone, clock_ms: i64) -> Result<(i64, i64), Status> {
    let out_of_time = || errors::invalid("date", "the calendar does not reach that far");
    let today = dates::date_at(clock_ms, zone).ok_or_else(out_of_time)?;
    let yesterday = today.yesterday().map_err(|_| out_of_time())?;
    let asked = match text {
        "" => today,
        text => dates::date("date", text)?,
    };
    if asked != today && asked != yesterday {
        let text = format!("sales are listed for today, {today}, and yesterday, {yesterday}, only");
        return Err(errors::invalid("date", text));
    }
    dates::bounds_ms(asked, zone).ok_or_else(out_of_time)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use jiff::tz::TimeZoneDatabase;
    use quorate_proto::{
        ids::{ProductId, ProgramId},
        status::{METADATA_FIELD, metadata_of, reason_of},
    };

    use super::*;
    use crate::directory::{Program, tests::view};

    const ID: &str = "0190f3a2-7c1b-7d4e-8f00-1234567890ab";

    fn shop() -> View {
        let product = |id: &&str| ProductId::parse(id).unwrap();
        let program = |id: &str, products: &[&str]| Program {
            id: ProgramId::parse(id).unwrap(),
            version: 1,
            zone: TimeZone::UTC,
            products: products.iter().map(product).collect(),
            definition: std::sync::Arc::default(),
        };
        View {
            programs: vec![
                program("mask", &["kf-mask", "surgical"]),
                program("soap", &["soap"]),
            ],
            ..view(1, "demo", 1)
        }
    }

    fn field(status: &Status) -> String {
        metadata_of(status, METADATA_FIELD).unwrap()
    }

    #[test]
    fn the_first_product_is_meant_where_none_is_named() {
        for (named, meant) in [("", "kf-mask"), ("surgical", "surgical"), ("soap", "soap")] {
            let message = ReceiveStockRequest {
                request_id: ID.into(),
                product: named.into(),
                quantity: 5,
            };
            let (_, change) = received(message, &shop()).unwrap();
            let product = ProductId::parse(meant).unwrap();
            assert_eq!(change, StockChange::Received(product, 5));
        }
    }

    #[test]
    fn bounds_of_goods_in_and_tickets_are_named() {
        for (quantity, ok) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
            let message = ReceiveStockRequest {
                request_id: ID.into(),
                product: String::new(),
                quantity,
            };
            let read = received(message, &shop());
            assert_eq!(read.is_ok(), ok, "{quantity}");
            if let Err(status) = read {
                assert_eq!(reason_of(&status), Some(ErrorReason::InvalidQuantity));
                assert_eq!(field(&status), "quantity");
            }
        }
        for (held_units, ok) in [(0, true), (1_000_000, true), (1_000_001, false)] {
            let message = SetHeldRequest {
                request_id: ID.into(),
                product: String::new(),
                held: held_units,
            };
            let read = held(message, &shop());
            assert_eq!(read.is_ok(), ok, "{held_units}");
            assert!(read.err().is_none_or(|status| field(&status) == "held"));
        }
    }

    #[test]
    fn an_adjustment_says_why() {
        use AdjustmentReason as R;
        let cases: [(i32, i32, &str, Option<&str>); 11] = [
            (5, R::Counted.into(), "", None),
            (-1_000_000, R::Damaged.into(), "wet", None),
            (1, R::Other.into(), "found in the cellar", None),
            (0, R::Counted.into(), "", Some("delta")),
            (1_000_001, R::Counted.into(), "", Some("delta")),
            (i32::MIN, R::Counted.into(), "", Some("delta")),
            (1, 0, "", Some("reason")),
            (1, 77, "", Some("reason")),
            (1, R::Other.into(), " ", Some("note")),
            (1, R::Counted.into(), "two\nlines", Some("note")),
            (1, R::Counted.into(), &"x".repeat(201), Some("note")),
        ];
        for (delta, reason, note, fault) in cases {
            let message = AdjustStockRequest {
                request_id: ID.into(),
                product: String::new(),
                delta,
                reason,
                note: note.into(),
            };
            let read = adjusted(message, &shop());
            let named = read.err().map(|status| field(&status));
            assert_eq!(named.as_deref(), fault, "{delta} {reason} {note:?}");
        }
    }

    #[test]
    fn the_rest_is_named_too() {
        let unknown = stopped(ID, "beer", true, &shop()).unwrap_err();
        assert_eq!(field(&unknown), "product");
        let malformed = stopped(ID, "Kf Mask", true, &shop()).unwrap_err();
        assert_eq!(field(&malformed), "product");
        let no_id = stopped("", "", true, &shop()).unwrap_err();
        assert_eq!(field(&no_id), "request_id");
        let nothing_rationed = stopped(ID, "", true, &view(1, "demo", 1)).unwrap_err();
        assert_eq!(
            reason_of(&nothing_rationed),
            Some(ErrorReason::UnknownProgram)
        );
        let set = |text: &str| {
            notice(SetNoticeRequest {
                request_id: ID.into(),
                notice: text.into(),
            })
        };
        assert!(set("").is_ok() && set("번호표 8시 30분부터").is_ok());
        for wrong in ["x".repeat(201), "a\u{7}".to_owned()] {
            assert_eq!(field(&set(&wrong).unwrap_err()), "notice");
        }
    }

    #[test]
    fn only_today_and_yesterday_are_listed() {
        let zone = TimeZoneDatabase::bundled().get("Asia/Seoul").unwrap();
        // 2020-03-11 00:00 in Korea.
        let midnight_ms = 1_583_852_400_000;
        let day_ms = 86_400_000;
        let today = (midnight_ms, midnight_ms + day_ms);
        let yesterday = (midnight_ms - day_ms, midnight_ms);
        let noon = midnight_ms + day_ms / 2;
        assert_eq!(day("", &zone, noon).unwrap(), today);
        assert_eq!(day("", &zone, midnight_ms - 1).unwrap(), yesterday);
        assert_eq!(day("2020-03-11", &zone, noon).unwrap(), today);
        assert_eq!(day("2020-03-10", &zone, noon).unwrap(), yesterday);
        for wrong in ["2020-03-09", "2020-03-12", "yesterday"] {
            let status = day(wrong, &zone, noon).unwrap_err();
            assert_eq!(field(&status), "date", "{wrong}");
        }
        let status = day("2020-03-09", &zone, noon).unwrap_err();
        assert!(status.message().contains("today, 2020-03-11"), "{status:?}");
    }
}
