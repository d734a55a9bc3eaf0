//! Stock as a clerk reads it.

use jiff::tz::TimeZone;
use quorate_client::model::{NoticeSet, ProductStock, SiteSale, SiteStock, StockChanged};

use crate::{
    output::{Painter, Style, facts, table},
    rows::{Column, Row, number, text},
    show::site_type,
    time,
};

/// What was changed, and what is there now.
pub(super) fn changed(
    headline: &str,
    changed: &StockChanged,
    zone: &TimeZone,
    painter: Painter,
) -> String {
    let mut text = painter.paint(Style::Good, headline);
    if changed.repeated_answer {
        let faint = "  (entered before; this is the stock as it is now)";
        text.push_str(&painter.paint(Style::Faint, faint));
    }
    let request = facts([("request", changed.request_id.to_string())]);
    let products = products(std::slice::from_ref(&changed.stock), zone);
    format!("{text}\n{request}\n\n{products}")
}

/// A new notice.
pub(super) fn notice(set: &NoticeSet, notice: &str, painter: Painter) -> String {
    let mut headline = match notice.is_empty() {
        true => painter.paint(Style::Good, "NO NOTICE: it is taken away"),
        false => painter.paint(Style::Good, &format!("NOTICE: {notice}")),
    };
    if set.repeated_answer {
        headline.push_str(&painter.paint(Style::Faint, "  (entered before)"));
    }
    let request = facts([("request", set.request_id.to_string())]);
    format!("{headline}\n{request}")
}

/// A site and all it has.
pub(super) fn site(site: &SiteStock, zone: &TimeZone, painter: Painter) -> String {
    let mut text = painter.paint(Style::Strong, &site.site_name);
    text.push_str(&format!(
        " ({}, {})",
        site.site_code,
        site_type(site.site_type)
    ));
    if site.suspended {
        let suspended = "\nSUSPENDED: sales here are denied; ask the operator";
        text.push_str(&painter.paint(Style::Bad, suspended));
    }
    if !site.notice.is_empty() {
        text.push_str(&format!("\nnotice: {}", site.notice));
    }
    text.push_str("\n\n");
    text.push_str(&match site.products.is_empty() {
        true => "no goods yet: enter them with `quorate stock receive N`".to_owned(),
        false => products(&site.products, zone),
    });
    text
}

fn products(products: &[ProductStock], zone: &TimeZone) -> String {
    let rows = products.iter().map(|stock| {
        [
            stock.product.clone(),
            stock.on_hand.to_string(),
            stock.held.to_string(),
            match stock.sales_stopped {
                true => "stopped".to_owned(),
                false => stock.available.to_string(),
            },
            stock.received.to_string(),
            format!("{:+}", stock.adjusted),
            stock.sold.to_string(),
            stock.voided.to_string(),
            stock
                .last_received_at
                .map_or_else(|| "-".to_owned(), |at| time::short(at, zone)),
        ]
    });
    let head = [
        "product", "on hand", "held", "public", "received", "adjusted", "sold", "undone",
        "goods in",
    ];
    table(head, &[1, 2, 3, 4, 5, 6, 7], rows)
}

impl Row for SiteSale {
    const COLUMNS: &'static [Column] = &[
        text("sold", 24),
        number("units", 5),
        text("product", 12),
        text("how", 6),
        number("over by", 7),
        text("undone", 24),
        text("request", 36),
    ];
    const CSV: &'static [&'static str] = &[
        "sold_at",
        "quantity",
        "product",
        "kind",
        "over_by",
        "voided_at",
        "request_id",
    ];

    fn cells(&self, zone: &TimeZone) -> Vec<String> {
        vec![
            time::short(self.sold_at, zone),
            self.quantity.to_string(),
            self.product.clone(),
            self.kind.to_string(),
            match self.over_by {
                0 => String::new(),
                over_by => over_by.to_string(),
            },
            self.voided_at
                .map_or_else(String::new, |at| time::short(at, zone)),
            self.request_id.to_string(),
        ]
    }

    fn csv(&self, zone: &TimeZone) -> Vec<String> {
        vec![
            time::rfc3339(self.sold_at, zone),
            self.quantity.to_string(),
            self.product.clone(),
            self.kind.to_string(),
            self.over_by.to_string(),
            self.voided_at
                .map_or_else(String::new, |at| time::rfc3339(at, zone)),
            self.request_id.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use quorate_client::model::Position;
    use quorate_proto::ids::{RequestId, SiteType};

    use super::*;
    use crate::output::{Format, Output};

    fn masks() -> ProductStock {
        ProductStock {
            product: "kf-mask".to_owned(),
            received: 250,
            adjusted: -2,
            sold: 10,
            voided: 0,
            on_hand: 238,
            held: 40,
            available: 198,
            sales_stopped: false,
            last_received_at: Some("2020-03-10T23:40:00Z".parse().unwrap()),
            updated_at: "2020-03-11T00:00:00Z".parse().unwrap(),
        }
    }

    const POSITION: Position = Position {
        shard: 1,
        term: 1,
        log_index: 1,
        ordinal: 0,
    };

    fn plain() -> Painter {
        Output::new(Format::Table, true).painter()
    }

    #[test]
    fn a_change_shows_what_is_there_now() {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let answer = StockChanged {
            request_id: RequestId::from_bytes([1; 16]).unwrap(),
            repeated_answer: true,
            stock: masks(),
            position: POSITION,
        };
        let expected = "\
RECEIVED: 250  (entered before; this is the stock as it is now)
  request  01010101-0101-0101-0101-010101010101

PRODUCT  ON HAND  HELD  PUBLIC  RECEIVED  ADJUSTED  SOLD  UNDONE  GOODS IN
kf-mask      238    40     198       250        -2    10       0  Wed 11 Mar 2020 08:40:00";
        assert_eq!(changed("RECEIVED: 250", &answer, &zone, plain()), expected);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["stock"]["on_hand"], 238);
    }

    #[test]
    fn a_site_says_what_stops_it() {
        let stopped = ProductStock {
            sales_stopped: true,
            ..masks()
        };
        let mut stock = SiteStock {
            site_code: "11841176".to_owned(),
            site_name: "보승약국".to_owned(),
            site_type: SiteType::PHARMACY,
            suspended: true,
            notice: "번호표 8시 30분부터".to_owned(),
            products: vec![stopped],
            position: POSITION,
        };
        let text = site(&stock, &TimeZone::UTC, plain());
        assert!(
            text.starts_with("보승약국 (11841176, pharmacy)\nSUSPENDED: "),
            "{text}"
        );
        assert!(
            text.contains("notice: 번호표") && text.contains(" stopped "),
            "{text}"
        );
        stock.products.clear();
        let text = site(&stock, &TimeZone::UTC, plain());
        assert!(text.contains("quorate stock receive"), "{text}");
    }
}
