//! The hand-written form against the generated messages.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::{
    collection::vec,
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use prost::Message as _;
use quorate_proto::storage as pb;

use quorate_proto::ids::{ProgramId, RequestId, SiteCode, SiteType};

use super::*;
use crate::codec::{
    decode_citizen, decode_outbox_row, encode_citizen, encode_outbox_row, open,
    records::sale_to_proto, seal, seal_with,
};
use crate::ledger::{OutboxKind, OutboxRow, Region};

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>(), 0..200u32]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(0),
        Just(i64::MIN),
        any::<i64>(),
        0..2_000_000_000_000i64
    ]
}

fn request_id() -> impl Strategy<Value = RequestId> {
    any::<[u8; 16]>().prop_filter_map("nil", |bytes| RequestId::from_bytes(bytes).ok())
}

fn site_code() -> impl Strategy<Value = SiteCode> {
    "[A-Za-z0-9-]{1,32}".prop_map(|text| SiteCode::parse(&text).unwrap())
}

fn rule() -> impl Strategy<Value = RuleId> {
    "[A-Za-z0-9.-]{1,32}".prop_map(|text| RuleId::parse(&text).unwrap())
}

fn site() -> impl Strategy<Value = SaleSite> {
    (site_code(), 1..100u32, "[가-힣a-z]{0,21}").prop_map(|(code, site_type, region)| SaleSite {
        code,
        site_type: SiteType::try_from(site_type).unwrap(),
        region: Region::new(&region).unwrap(),
    })
}

fn void_by() -> impl Strategy<Value = VoidBy> {
    let text = || "[가-힣a-z ]{0,12}";
    prop_oneof![
        site_code().prop_map(VoidBy::Site),
        (text(), text(), text()).prop_map(|(case_number, reason, operator)| {
            VoidBy::Administrator(Correction {
                case_number,
                reason,
                operator,
            })
        }),
    ]
}

fn product() -> impl Strategy<Value = ProductId> {
    "[a-z0-9-]{1,32}".prop_map(|text| ProductId::parse(&text).unwrap())
}

fn ground() -> impl Strategy<Value = GroundId> {
    "[a-z0-9-]{1,32}".prop_map(|text| GroundId::parse(&text).unwrap())
}

fn kind() -> impl Strategy<Value = SaleKind> {
    prop_oneof![Just(SaleKind::Online), Just(SaleKind::Paper)]
}

fn reason() -> impl Strategy<Value = DenialReason> {
    (0..DenialReason::ALL.len()).prop_map(|index| DenialReason::ALL[index])
}

fn attempt() -> impl Strategy<Value = VoidAttempt> {
    let refused = option::of(0..VoidRefusal::ALL.len());
    (request_id(), void_by(), refused, number(), time()).prop_map(
        |(request_id, by, refused, remaining, decided_at_ms)| VoidAttempt {
            request_id,
            by,
            refused: refused.map(|index| VoidRefusal::ALL[index]),
            remaining,
            decided_at_ms,
        },
    )
}

fn sale() -> impl Strategy<Value = Sale> {
    let numbers = (number(), number(), number(), number());
    let times = (time(), time(), option::of(time()));
    let terms = (option::of(product()), option::of(ground()));
    let paper = (kind(), number(), option::of(reason()));
    (
        request_id(),
        site(),
        numbers,
        times,
        option::of(rule()),
        terms,
        paper,
        vec(attempt(), 0..3),
    )
        .prop_map(
            |(request_id, site, numbers, times, rule, terms, paper, void_attempts)| Sale {
                request_id,
                quantity: numbers.0,
                site,
                sold_at_ms: times.0,
                recorded_at_ms: times.1,
                kind: paper.0,
                flags: numbers.1,
                rule,
                remaining: numbers.2,
                limit: numbers.3,
                next_eligible_ms: times.2,
                product: terms.0,
                proxy_ground: terms.1,
                over_by: paper.1,
                irregularity: paper.2,
                void_attempts,
            },
        )
}

fn denial() -> impl Strategy<Value = Denial> {
    let numbers = (number(), number(), number(), 0..DenialReason::ALL.len());
    let times = (option::of(time()), time());
    (
        request_id(),
        site_code(),
        numbers,
        times,
        option::of(rule()),
        option::of(product()),
        option::of(ground()),
    )
        .prop_map(
            |(request_id, site_code, numbers, times, rule, product, proxy_ground)| Denial {
                request_id,
                quantity: numbers.0,
                site_code,
                reason: DenialReason::ALL[numbers.3],
                remaining: numbers.1,
                limit: numbers.2,
                next_eligible_ms: times.0,
                decided_at_ms: times.1,
                rule,
                product,
                proxy_ground,
            },
        )
}

fn record() -> impl Strategy<Value = CitizenRecord> {
    (vec(sale(), 0..4), vec(denial(), 0..4)).prop_map(|(mut sales, mut denials)| {
        sales.sort_by_key(|sale| sale.recorded_at_ms);
        denials.sort_by_key(|denial| denial.decided_at_ms);
        CitizenRecord { sales, denials }
    })
}

fn run<S: Strategy>(strategy: S, check: impl Fn(S::Value)) {
    let config = Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |value| {
            check(value);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_record_is_written_as_its_message_would_be() {
    run(record(), |record| {
        let bytes = encode_citizen(&record);
        let message: pb::CitizenRecord = open("citizen record", &bytes).unwrap();
        assert_eq!(seal(&message), bytes);
        let sales: Vec<_> = record.sales.iter().cloned().map(sale_to_proto).collect();
        assert_eq!(message.sales, sales);
        assert_eq!(decode_citizen(&bytes).unwrap(), record);
    });
}

#[test]
fn an_outbox_row_is_written_as_its_message_would_be() {
    let row = (
        (site_code(), request_id(), product(), kind()),
        (number(), number()),
        (time(), time()),
        any::<bool>(),
    );
    run(row, |(names, numbers, times, sold)| {
        let (site_code, request_id, product, sale_kind) = names;
        let row = OutboxRow {
            site_code,
            program: ProgramId::parse("mask").unwrap(),
            request_id,
            product,
            quantity: numbers.0,
            kind: if sold {
                OutboxKind::Sold
            } else {
                OutboxKind::Voided
            },
            at_ms: times.0,
            sold_at_ms: times.1,
            sale_kind,
            over_by: numbers.1,
        };
        let bytes = encode_outbox_row(&row);
        let message: pb::OutboxRow = open("outbox row", &bytes).unwrap();
        assert_eq!(seal(&message), bytes);
        assert_eq!(decode_outbox_row(&bytes).unwrap(), row);
    });
}

#[test]
fn what_this_program_does_not_know_is_refused() {
    let sale = |kind, number: u32| {
        let mut bytes = Vec::new();
        put_message(&mut bytes, 1, |out| {
            let known = pb::Sale {
                request_id: vec![1; 16].into(),
                site_code: "P-1".to_owned(),
                site_type: 1,
                rule_version: "r1".to_owned(),
                kind,
                ..Default::default()
            };
            known.encode_raw(out);
            put_number(out, 19, number.into());
        });
        decode_citizen(&seal_with(0, |out| out.extend_from_slice(&bytes)))
    };
    assert_eq!(sale(0, 0).unwrap().sales.len(), 1);
    assert_eq!(sale(1, 0).unwrap().sales[0].kind, SaleKind::Paper);
    assert!(sale(2, 0).is_err(), "a kind");
    assert!(sale(0, 1).is_err(), "a field");
}

#[test]
fn any_bytes_are_a_record_or_an_error() {
    run((record(), any::<u64>()), |(record, change)| {
        let mut body = Vec::new();
        put_citizen(&mut body, &record);
        if !body.is_empty() {
            let at = change as usize % body.len();
            body[at] = (change >> 32) as u8;
            body.truncate(body.len() - (change >> 40) as usize % 2);
        }
        // Whatever it reads as, it must neither panic nor lose anything when it is written back.
        if let Ok(read) = read_citizen(&body) {
            let again = encode_citizen(&read);
            assert_eq!(decode_citizen(&again).unwrap(), read);
        }
    });
}
