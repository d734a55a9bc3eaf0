//! Answers as a clerk reads them: the verdict first and large, then why, then the details.

use jiff::tz::TimeZone;
use quorate_client::model::{
    Decision, DenialReason, Position, Purchase, Recorded, Sales, Verdict, VoidOutcome, Voided,
    Warning,
};
use quorate_proto::ids::SiteType;

use crate::{
    output::{Painter, Style, facts, table},
    time,
};

/// The answer to a check of `quantity` units.
pub(crate) fn check(verdict: &Verdict, quantity: u32, zone: &TimeZone, painter: Painter) -> String {
    let headline = match verdict.decision {
        Decision::Granted => painter.paint(
            Style::Good,
            &format!("YES: {} may be sold now", units(quantity)),
        ),
        Decision::Denied(reason) => denial(reason, verdict, painter),
    };
    with_details(headline, Vec::new(), verdict, zone, painter)
}

/// The answer to a sale of `quantity` units.
pub(crate) fn sale(
    recorded: &Recorded,
    quantity: u32,
    zone: &TimeZone,
    painter: Painter,
) -> String {
    let verdict = &recorded.verdict;
    let mut headline = match verdict.decision {
        Decision::Granted => painter.paint(
            Style::Good,
            &format!("GRANTED: {}, recorded", units(quantity)),
        ),
        Decision::Denied(reason) => denial(reason, verdict, painter),
    };
    if recorded.repeated_answer {
        headline.push_str(&painter.paint(Style::Faint, "  (the answer given before)"));
    }
    let request = vec![("request", recorded.request_id.to_string())];
    with_details(headline, request, verdict, zone, painter)
}

/// The answer to a void.
pub(crate) fn void(voided: &Voided, zone: &TimeZone, painter: Painter) -> String {
    let mut text = match voided.outcome {
        VoidOutcome::Voided => painter.paint(
            Style::Good,
            &format!("UNDONE: {} given back", units(voided.quantity)),
        ),
        VoidOutcome::Refused(refusal) => {
            painter.paint(Style::Bad, &format!("NOT UNDONE: {refusal}"))
        }
    };
    if voided.repeated_answer {
        text.push_str(&painter.paint(Style::Faint, "  (the answer given before)"));
    }
    let details = facts([
        ("left now", units(voided.remaining)),
        ("request", voided.request_id.to_string()),
        ("decided", time::short(voided.decided_at, zone)),
        ("position", position(voided.position)),
    ]);
    format!("{text}\n{details}")
}

/// What a person bought.
pub(crate) fn history(sales: &Sales, zone: &TimeZone, painter: Painter) -> String {
    let mut text = purchases_or_none(&sales.purchases, zone, painter);
    note(&sales.warnings, painter, &mut text);
    text
}

/// Purchases, as whoever settles a dispute needs them.
pub(crate) fn purchases_or_none(bought: &[Purchase], zone: &TimeZone, painter: Painter) -> String {
    match bought.is_empty() {
        true => painter.paint(Style::Faint, "nothing bought"),
        false => purchases(bought, zone),
    }
}

fn note(warnings: &[Warning], painter: Painter, text: &mut String) {
    for warning in warnings {
        text.push('\n');
        text.push_str(&painter.paint(Style::Doubtful, &format!("note: {warning}")));
    }
}

fn denial(reason: DenialReason, verdict: &Verdict, painter: Painter) -> String {
    let left = match reason {
        DenialReason::OverLimit => {
            format!(": {} of {} left", verdict.remaining, verdict.limit)
        }
        _ => String::new(),
    };
    painter.paint(Style::Bad, &format!("DENIED: {reason}{left}"))
}

fn with_details(
    headline: String,
    mut details: Vec<(&str, String)>,
    verdict: &Verdict,
    zone: &TimeZone,
    painter: Painter,
) -> String {
    let mut text = headline;
    note(&verdict.warnings, painter, &mut text);
    if let Some(at) = verdict.next_eligible {
        details.push(("next sale", time::day_and_time(at, zone)));
    }
    details.push((
        "left now",
        format!("{} of {}", verdict.remaining, verdict.limit),
    ));
    if let Some(window) = verdict.window {
        // The end is exclusive: people name the last day inside.
        let last = window
            .end
            .saturating_sub(jiff::SignedDuration::from_secs(1));
        let last = last.unwrap_or(window.end);
        let (first, last) = (time::day(window.start, zone), time::day(last, zone));
        details.push(("counted", format!("{first} to {last}")));
    }
    details.push(("rule", verdict.rule_version.clone()));
    details.push(("decided", time::short(verdict.decided_at, zone)));
    details.push(("position", position(verdict.position)));
    text.push('\n');
    text.push_str(&facts(details));
    if !verdict.purchases.is_empty() {
        text.push_str("\n\n");
        text.push_str(&purchases(&verdict.purchases, zone));
    }
    text
}

fn purchases(purchases: &[Purchase], zone: &TimeZone) -> String {
    let rows = purchases.iter().map(|purchase| {
        let place = match (purchase.own_site, purchase.region.is_empty()) {
            (true, _) => "this site".to_owned(),
            (false, true) => "-".to_owned(),
            (false, false) => purchase.region.clone(),
        };
        [
            time::short(purchase.sold_at, zone),
            purchase.quantity.to_string(),
            site_type(purchase.site_type),
            place,
            purchase.kind.to_string(),
            remarks(purchase, zone),
            purchase.request_id.to_string(),
        ]
    });
    let head = [
        "bought", "units", "at", "where", "how", "remarks", "request",
    ];
    table(head, &[1], rows)
}

/// All that tells a typo from a theft, and an error from a correction.
fn remarks(purchase: &Purchase, zone: &TimeZone) -> String {
    let mut remarks = Vec::new();
    if !purchase.proxy_ground.is_empty() {
        remarks.push(format!("bought by another ({})", purchase.proxy_ground));
    }
    if purchase.over_by > 0 {
        remarks.push(format!("{} over the ration", purchase.over_by));
    }
    if let Some(irregularity) = purchase.irregularity {
        remarks.push(irregularity.to_string());
    }
    if let Some(at) = purchase.voided_at {
        let by = match &*purchase.void_case_number {
            "" => "undone",
            _ => "corrected",
        };
        remarks.push(format!("{by} {}", time::short(at, zone)));
    }
    if !purchase.void_case_number.is_empty() {
        remarks.push(format!("case {}", purchase.void_case_number));
    }
    remarks.join("; ")
}

pub(crate) fn site_type(site_type: SiteType) -> String {
    match site_type {
        SiteType::PHARMACY => "pharmacy".to_owned(),
        SiteType::POST_OFFICE => "post office".to_owned(),
        SiteType::MART => "mart".to_owned(),
        other => format!("type {other}"),
    }
}

fn position(position: Position) -> String {
    let Position {
        shard,
        term,
        log_index,
        ordinal,
    } = position;
    format!("shard {shard}, term {term}, entry {log_index}, answer {ordinal}")
}

pub(crate) fn units(quantity: u32) -> String {
    match quantity {
        1 => "1 unit".to_owned(),
        _ => format!("{quantity} units"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;
    use quorate_client::model::{SaleKind, Window};
    use quorate_proto::ids::RequestId;

    use super::*;
    use crate::output::{Format, Output};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn denied() -> Verdict {
        Verdict {
            decision: Decision::Denied(DenialReason::OverLimit),
            remaining: 0,
            limit: 2,
            next_eligible: Some(at("2020-03-15T15:00:00Z")),
            window: Some(Window {
                start: at("2020-03-08T15:00:00Z"),
                end: at("2020-03-15T15:00:00Z"),
            }),
            rule_version: "2020-03-09".to_owned(),
            decided_at: at("2020-03-11T00:00:00Z"),
            purchases: Vec::new(),
            position: Position {
                shard: 3,
                term: 1,
                log_index: 42,
                ordinal: 0,
            },
            warnings: vec![Warning::IdChecksumMismatch],
        }
    }

    #[test]
    fn a_denial_says_why_and_when_to_come_back() {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let painter = Output::new(Format::Table, true).painter();
        let text = check(&denied(), 1, &zone, painter);
        let expected = "\
DENIED: more than this person may still take: 0 of 2 left
note: the ID's check digit does not match: read the card again
  next sale  Monday 16 March 2020, 00:00 (Asia/Seoul)
  left now   0 of 2
  counted    Mon 9 Mar 2020 to Sun 15 Mar 2020
  rule       2020-03-09
  decided    Wed 11 Mar 2020 09:00:00
  position   shard 3, term 1, entry 42, answer 0";
        assert_eq!(text, expected);
    }

    #[test]
    fn history_tells_a_typo_from_a_theft() {
        let purchase = |quantity| Purchase {
            request_id: RequestId::from_bytes([1; 16]).unwrap(),
            quantity,
            sold_at: at("2020-03-10T23:40:00Z"),
            site_type: SiteType::POST_OFFICE,
            region: "부산광역시".to_owned(),
            voided_at: None,
            own_site: false,
            kind: SaleKind::Online,
            product: "kf-mask".to_owned(),
            rule_version: "2020-03-09".to_owned(),
            over_by: 0,
            irregularity: None,
            proxy_ground: String::new(),
            void_case_number: String::new(),
        };
        let purchases = [
            purchase(1),
            Purchase {
                kind: SaleKind::Paper,
                over_by: 2,
                irregularity: Some(DenialReason::NotYourDay),
                proxy_ground: "family".to_owned(),
                voided_at: Some(at("2020-03-11T01:00:00Z")),
                void_case_number: "C-17".to_owned(),
                ..purchase(4)
            },
        ];
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        let painter = Output::new(Format::Table, true).painter();
        let text = purchases_or_none(&purchases, &zone, painter);
        let line = "Wed 11 Mar 2020 08:40:00      4  post office  부산광역시  paper   \
                    bought by another (family); 2 over the ration; not this person's day; \
                    corrected Wed 11 Mar 2020 10:00:00; case C-17  \
                    01010101-0101-0101-0101-010101010101";
        assert_eq!(text.lines().nth(2), Some(line), "{text}");
        assert_eq!(purchases_or_none(&[], &zone, painter), "nothing bought");
    }

    #[test]
    fn the_json_of_a_sale_is_flat_and_stable() {
        let recorded = Recorded {
            request_id: RequestId::from_bytes([1; 16]).unwrap(),
            repeated_answer: true,
            verdict: denied(),
        };
        let json = serde_json::to_value(&recorded).unwrap();
        assert_eq!(json["request_id"], "01010101-0101-0101-0101-010101010101");
        assert_eq!(json["repeated_answer"], true);
        assert_eq!(json["decision"], "DENIED");
        assert_eq!(json["reason"], "OVER_LIMIT");
        assert_eq!(json["next_eligible"], "2020-03-15T15:00:00Z");
        assert_eq!(json["position"]["log_index"], 42);
    }
}
