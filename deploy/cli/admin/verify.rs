//! `quorate admin verify`: replicas hold the same, and the sums agree.

use std::time::Duration;

use quorate_client::model::{Health, StockVerification, Totals, Verification};

use crate::{
    exit::{Exit, Failure},
    output::{Painter, Style, facts, table, thousands},
    reach::Reach,
};

/// Verifying reads every record; the usual time limit of a call says nothing about it.
pub(crate) const VERIFY_TIME_MIN: Duration = Duration::from_secs(300);

pub(crate) async fn run(reach: &Reach) -> Result<Exit, Failure> {
    let time_limit = reach.time_limit.max(VERIFY_TIME_MIN);
    let verification = reach.operator()?.verify(time_limit).await?;
    reach
        .output
        .print(&verification, |painter| render(&verification, painter))?;
    Ok(exit(verification.health))
}

/// What could not be compared is no difference, and is not agreement either.
const fn exit(health: Health) -> Exit {
    match health {
        Health::Ok => Exit::Ok,
        Health::Bad => Exit::Difference,
        Health::Unknown => Exit::Unavailable,
    }
}

fn render(verification: &Verification, painter: Painter) -> String {
    let headline = match verification.health {
        Health::Ok => painter.paint(
            Style::Good,
            "SAME: all replicas agree, and all sums, and the stock of every site",
        ),
        Health::Bad => painter.paint(Style::Bad, "DIFFERENT: see below"),
        Health::Unknown => {
            painter.paint(Style::Doubtful, "UNKNOWN: not everything could be compared")
        }
    };
    let rows = verification.shards.iter().map(|shard| {
        let mut details = vec![shard.detail.clone()];
        details.extend(
            shard
                .replicas
                .iter()
                .filter(|replica| replica.health != Health::Ok)
                .map(|replica| format!("node {}: {}", replica.node_id, replica.detail)),
        );
        details.retain(|detail| !detail.is_empty());
        let digest = shard
            .replicas
            .iter()
            .find(|replica| replica.health == Health::Ok)
            .map_or("-", |replica| {
                replica.digest.get(..12).unwrap_or(&replica.digest)
            });
        let heard = shard
            .replicas
            .iter()
            .filter(|replica| replica.health != Health::Unknown)
            .count();
        [
            shard.shard.to_string(),
            shard.health.to_string(),
            shard.log_index.to_string(),
            format!("{heard} of {}", shard.replicas.len()),
            digest.to_owned(),
            thousands(shard.totals.grants),
            thousands(shard.totals.citizens),
            details.join("; "),
        ]
    });
    let head = [
        "shard", "health", "at entry", "replicas", "digest", "grants", "citizens", "",
    ];
    let shards = table(head, &[0, 2, 5, 6], rows);
    let mut text = format!("{headline}\n{}", totals(verification));
    text.push_str(&format!("\n\n{shards}"));
    if !verification.stock.differences.is_empty() {
        text.push_str(&format!("\n\n{}", differences(&verification.stock)));
    }
    text
}

/// Sites whose stock is not what the records say; at most those that the gateway lists.
fn differences(stock: &StockVerification) -> String {
    let rows = stock.differences.iter().map(|difference| {
        [
            difference.site_code.clone(),
            difference.product.clone(),
            difference.on_hand.to_string(),
            difference.expected.to_string(),
        ]
    });
    table(["site", "product", "on hand", "expected"], &[2, 3], rows)
}

/// 25,439 sites and products agree with the records.
fn stock_text(stock: &StockVerification) -> String {
    match stock.health {
        Health::Ok => format!(
            "{} sites and products agree with the records",
            thousands(stock.compared)
        ),
        Health::Bad | Health::Unknown => format!("{}: {}", stock.health, stock.detail),
    }
}

fn totals(verification: &Verification) -> String {
    let totals = &verification.totals;
    facts([
        ("stock", stock_text(&verification.stock)),
        (
            "sales",
            counted_twice(totals.grants + totals.slips, totals.grants_in_records),
        ),
        (
            "units",
            counted_twice(
                totals.units_granted + totals.units_on_slips,
                totals.units_in_records,
            ),
        ),
        (
            "slips",
            format!(
                "{} ({} units), {} beyond the ration",
                thousands(totals.slips),
                thousands(totals.units_on_slips),
                thousands(totals.slips_over_quota)
            ),
        ),
        (
            "undone",
            format!(
                "{} ({} units)",
                thousands(totals.voids),
                thousands(totals.units_voided)
            ),
        ),
        ("denials", denials_text(totals)),
        ("citizens", thousands(totals.citizens)),
        ("sites", thousands(totals.sites)),
        ("outbox rows", thousands(totals.outbox_rows)),
        ("over limit", thousands(totals.records_over_limit)),
    ])
}

/// As they were decided, online or on slips, and as the records hold them.
fn counted_twice(decided: u64, in_records: u64) -> String {
    format!(
        "{} granted or on slips, and {} in the records",
        thousands(decided),
        thousands(in_records)
    )
}

/// 12 OVER_LIMIT, 3 PROGRAM_CLOSED.
fn denials_text(totals: &Totals) -> String {
    let counted: Vec<_> = totals
        .denials
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{} {reason}", thousands(*count)))
        .collect();
    if counted.is_empty() {
        "0".to_owned()
    } else {
        counted.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use quorate_client::model::StockDifference;

    use super::*;

    #[test]
    fn only_a_known_difference_is_a_difference() {
        assert_eq!(exit(Health::Ok), Exit::Ok);
        assert_eq!(exit(Health::Bad), Exit::Difference);
        assert_eq!(exit(Health::Unknown), Exit::Unavailable);
    }

    #[test]
    fn stock_that_differs_is_shown_site_by_site() {
        let mut stock = StockVerification {
            health: Health::Ok,
            detail: String::new(),
            compared: 25_439,
            differences: Vec::new(),
        };
        assert_eq!(
            stock_text(&stock),
            "25,439 sites and products agree with the records"
        );
        stock.health = Health::Bad;
        stock.detail = "1 of 25439 sites and products differ".to_owned();
        stock.differences.push(StockDifference {
            site_code: "P-1".to_owned(),
            product: "mask".to_owned(),
            on_hand: -7,
            expected: 245,
        });
        assert!(stock_text(&stock).contains("1 of 25439"));
        let shown = differences(&stock);
        for word in ["P-1", "mask", "-7", "245"] {
            assert!(shown.contains(word), "{word} is missing:\n{shown}");
        }
    }

    #[test]
    fn denials_are_listed_by_reason() {
        let totals = Totals {
            denials: [
                ("OVER_LIMIT".to_owned(), 1200),
                ("NOT_YOUR_DAY".to_owned(), 0),
            ]
            .into(),
            ..Totals::default()
        };
        assert_eq!(denials_text(&totals), "1,200 OVER_LIMIT");
        assert_eq!(denials_text(&Totals::default()), "0");
    }
}
