//! Our types as messages of the public contract. Pure, one way.

use bytes::Bytes;
mod stock;

use prost_types::Timestamp;
use quorate_link::SealingKey;
use quorate_proto::{
    ids::{RequestId, SiteCode},
    v1::{self, Decision},
};

use crate::{
    model::{Answered, Position, Recorded, Sale, Verdict, Voided},
    session::Session,
};

pub(crate) use stock::{found_stock, notice_set, site_sale, stock_changed};

pub(crate) fn timestamp(unix_ms: i64) -> Timestamp {
    Timestamp {
        seconds: unix_ms.div_euclid(1000),
        // Below 1,000 and so below 2^31 after the multiplication.
        nanos: (unix_ms.rem_euclid(1000) * 1_000_000) as i32,
    }
}

pub(crate) fn sealing_key(key: &SealingKey) -> v1::SealingKey {
    v1::SealingKey {
        id: key.id().to_owned(),
        public_key: Bytes::copy_from_slice(key.public()),
    }
}

/// The other way round, whole milliseconds; `None`: it is no instant that this calendar reaches.
pub(crate) fn unix_ms(time: &Timestamp) -> Option<i64> {
    let nanos = u32::try_from(time.nanos)
        .ok()
        .filter(|n| *n < 1_000_000_000)?;
    let ms = time.seconds.checked_mul(1000)?;
    ms.checked_add(i64::from(nanos / 1_000_000))
}

pub(crate) fn position(position: Position) -> v1::LogPosition {
    v1::LogPosition {
        shard: position.shard.get(),
        term: position.term,
        log_index: position.log_index,
        ordinal: position.ordinal,
    }
}

pub(crate) fn verdict(
    verdict: Verdict,
    at: Position,
    session: &Session,
    warnings: &[v1::Warning],
) -> v1::Verdict {
    let (window_start, window_end) = verdict.window_ms.unzip();
    v1::Verdict {
        decision: match verdict.denied {
            None => Decision::Granted,
            Some(_) => Decision::Denied,
        }
        .into(),
        reason: verdict.denied.map_or(0, i32::from),
        remaining: verdict.remaining,
        limit: verdict.limit,
        next_eligible_time: verdict.next_eligible_ms.map(timestamp),
        window_start: window_start.map(timestamp),
        window_end: window_end.map(timestamp),
        rule_version: verdict.rule_version,
        decided_at: Some(timestamp(verdict.decided_at_ms)),
        purchases: purchases(verdict.purchases, session),
        position: Some(position(at)),
        warnings: warnings.iter().map(|warning| i32::from(*warning)).collect(),
    }
}

/// As a terminal may see them.
pub(crate) fn purchases(sales: Vec<Sale>, session: &Session) -> Vec<v1::Purchase> {
    let purchase = |sale| purchase(sale, Some(&session.site));
    sales.into_iter().map(purchase).collect()
}

/// As an operator sees them, who has no site.
pub(crate) fn purchases_anywhere(sales: Vec<Sale>) -> Vec<v1::Purchase> {
    let purchase = |sale| purchase(sale, None);
    sales.into_iter().map(purchase).collect()
}

fn purchase(sale: Sale, own_site: Option<&SiteCode>) -> v1::Purchase {
    v1::Purchase {
        request_id: sale.request_id.to_string(),
        quantity: sale.quantity,
        sold_at: Some(timestamp(sale.sold_at_ms)),
        site_type: sale.site_type.to_string(),
        region: sale.region,
        voided_at: sale.voided_at_ms.map(timestamp),
        own_site: own_site.is_some_and(|own| own.as_str() == sale.site_code),
        kind: sale.kind.into(),
        product: sale.product,
        rule_version: sale.rule_version,
        over_by: sale.over_by,
        irregularity: sale.irregularity.map_or(0, i32::from),
        proxy_ground: sale.proxy_ground,
        void_case_number: sale.void_case_number,
    }
}

pub(crate) fn recorded(
    answered: Answered<Recorded>,
    request_id: RequestId,
    session: &Session,
    warnings: &[v1::Warning],
) -> v1::RecordResponse {
    let Answered { answer, position } = answered;
    v1::RecordResponse {
        verdict: Some(verdict(answer.verdict, position, session, warnings)),
        request_id: request_id.to_string(),
        repeated_answer: answer.repeated_answer,
    }
}

pub(crate) fn voided(answered: Answered<Voided>, request_id: RequestId) -> v1::VoidResponse {
    let Answered {
        answer,
        position: at,
    } = answered;
    v1::VoidResponse {
        voided: answer.refusal.is_none(),
        refusal: answer.refusal.map_or(0, i32::from),
        quantity: answer.quantity,
        remaining: answer.remaining,
        decided_at: Some(timestamp(answer.decided_at_ms)),
        position: Some(position(at)),
        request_id: request_id.to_string(),
        repeated_answer: answer.repeated_answer,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::{
        ids::{DeviceId, ShardId, SiteCode, SiteType},
        v1::DenialReason,
    };

    use super::*;

    fn session() -> Session {
        Session {
            site: SiteCode::parse("A").unwrap(),
            site_type: SiteType::PHARMACY,
            region: "Seoul".into(),
            device: DeviceId::parse("1").unwrap(),
            is_suspended: false,
            expires_ms: 0,
        }
    }

    fn sale(site: &str) -> Sale {
        Sale {
            request_id: RequestId::from_bytes([7; 16]).unwrap(),
            quantity: 1,
            sold_at_ms: 1,
            site_code: site.to_owned(),
            site_type: SiteType::MART,
            region: "Busan".to_owned(),
            voided_at_ms: Some(9),
            void_case_number: "C-1".to_owned(),
            kind: v1::SaleKind::Paper,
            product: "kf-mask".to_owned(),
            rule_version: "r1".to_owned(),
            over_by: 1,
            irregularity: Some(DenialReason::NotYourDay),
            proxy_ground: "family".to_owned(),
        }
    }

    #[test]
    fn instants_before_1970_are_instants() {
        let cases = [(1500, 1, 500), (0, 0, 0), (-1, -1, 999), (-1500, -2, 500)];
        for (ms, seconds, thousandths) in cases {
            let expected = Timestamp {
                seconds,
                nanos: thousandths * 1_000_000,
            };
            assert_eq!(timestamp(ms), expected, "{ms}");
            assert_eq!(unix_ms(&expected), Some(ms));
        }
    }

    #[test]
    fn a_denial_carries_all_that_the_clerk_needs() {
        let denied = Verdict {
            denied: Some(DenialReason::OverLimit),
            remaining: 0,
            limit: 2,
            next_eligible_ms: Some(2000),
            window_ms: Some((1000, 2000)),
            rule_version: "r1".to_owned(),
            decided_at_ms: 1500,
            purchases: vec![sale("A"), sale("B")],
        };
        let at = Position {
            shard: ShardId(3),
            term: 4,
            log_index: 5,
            ordinal: 6,
        };
        let warning = v1::Warning::IdChecksumMismatch;
        let message = verdict(denied, at, &session(), &[warning]);
        assert_eq!(message.decision(), Decision::Denied);
        assert_eq!(message.reason(), DenialReason::OverLimit);
        assert_eq!(message.next_eligible_time, Some(timestamp(2000)));
        assert_eq!(message.warnings().collect::<Vec<_>>(), [warning]);
        let own: Vec<_> = message.purchases.iter().map(|p| p.own_site).collect();
        assert_eq!(own, [true, false]);
        let purchase = &message.purchases[0];
        assert_eq!(purchase.site_type, "03");
        assert_eq!(purchase.kind(), v1::SaleKind::Paper);
        assert_eq!(purchase.irregularity(), DenialReason::NotYourDay);
        assert_eq!((purchase.over_by, &*purchase.product), (1, "kf-mask"));
        assert_eq!(purchase.voided_at, Some(timestamp(9)));
        assert_eq!(purchase.void_case_number, "C-1");
        assert_eq!(message.position.unwrap().ordinal, 6);
    }

    #[test]
    fn without_a_rule_there_is_no_window() {
        let closed = Verdict {
            denied: Some(DenialReason::ProgramClosed),
            remaining: 0,
            limit: 0,
            next_eligible_ms: None,
            window_ms: None,
            rule_version: String::new(),
            decided_at_ms: 0,
            purchases: Vec::new(),
        };
        let at = Position {
            shard: ShardId(1),
            term: 1,
            log_index: 1,
            ordinal: 0,
        };
        let message = verdict(closed, at, &session(), &[]);
        assert_eq!((message.window_start, message.window_end), (None, None));
    }
}
