//! What a shard owns, its sites and devices, and damage that must never pass unseen.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    EPOCH, SHARD, Shard, citizen, error_kind, mask, profile, program, recorded, rule, sale, site,
    void,
};
use quorate_core::{
    CoreError, Overlay, checkpoint, codec, keys,
    ledger::{
        self, AdoptRange, Answer, Batch, CommandBody, CommandErrorKind, DeviceQuery, ListQuery,
        Outcome, PutDevice, PutDeviceOutcome, PutSitesOutcome, Query,
    },
};
use quorate_proto::{
    ids::{DeviceId, Epoch, RingPosition, SiteKey},
    ring::{RingRange, even_split},
};

fn adopt(range: RingRange, epoch: u64) -> CommandBody {
    CommandBody::AdoptRange(AdoptRange {
        range,
        epoch: Epoch(epoch),
    })
}

fn device(at_site: u64, id: &str, key: u8) -> CommandBody {
    CommandBody::PutDevice(PutDevice {
        site_code: site(at_site).code,
        device_id: DeviceId::parse(id).unwrap(),
        public_key: [key; 32],
    })
}

fn wrong_shard(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Error(error) if error.kind == CommandErrorKind::WrongShard)
}

#[test]
fn a_shard_without_a_range_owns_nothing() {
    let mut shard = Shard::empty();
    let bodies = vec![
        CommandBody::PutProgram(program(&[rule("r1", 0, 2, 2)], 1)),
        sale(1, 7, 1, 1),
        CommandBody::PutSites(vec![profile(1, "one")]),
        CommandBody::Checkpoint { id: 1 },
    ];
    let outcomes = shard.batch(bodies);
    let wrong: Vec<_> = outcomes.iter().map(wrong_shard).collect();
    assert_eq!(wrong, [false, true, true, false]);
}

#[test]
fn a_range_is_adopted_once() {
    let halves = even_split(2);
    let mut shard = Shard::empty();
    assert_eq!(shard.one(adopt(halves[0], 1)), Outcome::Done);
    let rows = shard.rows.clone();
    assert_eq!(shard.one(adopt(halves[0], 1)), Outcome::Done);
    assert!(wrong_shard(&shard.one(adopt(halves[1], 1))));
    assert!(wrong_shard(&shard.one(adopt(halves[0], 2))));
    assert_eq!(shard.rows, rows);
    assert_eq!(shard.facts().range(), Some(halves[0]));
    assert_eq!(shard.facts().epoch(), EPOCH);
}

#[test]
fn keys_outside_the_range_are_turned_away() {
    for half in even_split(2) {
        let mut shard = Shard::empty();
        shard.one(adopt(half, 1));
        shard.one(CommandBody::PutProgram(program(&[rule("r1", 0, 2, 2)], 1)));
        for who in 0..20 {
            let outside = !half.contains(citizen(who).position());
            for body in [sale(who, who, 1, 1), void(100 + who, who, who, 1)] {
                assert_eq!(wrong_shard(&shard.one(body)), outside);
            }
            let list = Query::List(ListQuery {
                citizen: citizen(who),
                program: mask(),
            });
            let refused = matches!(shard.answer(&list), Answer::Error(_));
            assert_eq!(refused, outside);
        }
        for number in 0..20 {
            let outside = !half.contains(SiteKey::of(&site(number).code).position());
            let put = shard.one(CommandBody::PutSites(vec![profile(number, "")]));
            assert_eq!(wrong_shard(&put), outside);
            assert_eq!(wrong_shard(&shard.one(device(number, "d", 1))), outside);
        }
        let mixed = (0..20).map(|number| profile(number, "new")).collect();
        let rows = shard.rows.clone();
        assert!(wrong_shard(&shard.one(CommandBody::PutSites(mixed))));
        assert_eq!(shard.rows, rows, "all or nothing");
    }
}

#[test]
fn sites_are_added_replaced_or_left_and_keep_their_devices() {
    let mut shard = Shard::new(2, 2);
    let counts = |added, replaced, unchanged| {
        Outcome::PutSites(PutSitesOutcome {
            added,
            replaced,
            unchanged,
        })
    };
    let put = |profiles| CommandBody::PutSites(profiles);
    let first = vec![profile(1, "one"), profile(2, "two"), profile(1, "uno")];
    assert_eq!(shard.one(put(first)), counts(2, 1, 0));
    let enrolled = shard.batch(vec![
        device(1, "till", 5),
        device(1, "till", 5),
        device(1, "till", 6),
        device(3, "till", 5),
    ]);
    let expected = [
        PutDeviceOutcome::Enrolled,
        PutDeviceOutcome::AlreadyEnrolled,
        PutDeviceOutcome::KeyConflict,
        PutDeviceOutcome::SiteUnknown,
    ];
    assert_eq!(enrolled, expected.map(Outcome::PutDevice));
    let second = vec![profile(1, "eins"), profile(2, "two")];
    assert_eq!(shard.one(put(second)), counts(0, 1, 1));

    let ask = |number, id| {
        let query = Query::Device(DeviceQuery {
            site_code: site(number).code,
            device_id: DeviceId::parse(id).unwrap(),
        });
        match shard.answer(&query) {
            Answer::Device(device) => (device.site.map(|site| site.name), device.public_key),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(1, "till"), (Some("eins".to_owned()), Some([5; 32])));
    assert_eq!(ask(1, "other"), (Some("eins".to_owned()), None));
    assert_eq!(ask(3, "till"), (None, None));
}

#[test]
fn one_flipped_bit_in_any_row_is_found() {
    let mut shard = Shard::new(2, 2);
    shard.one(CommandBody::PutSites(vec![profile(1, "one")]));
    shard.sell(1, 7, 2);
    shard.sell(2, 7, 2);
    for (key, value) in shard.rows.clone() {
        for at in 0..value.len() {
            let mut damaged = shard.rows.clone();
            damaged.get_mut(&key).unwrap()[at] ^= 0x10;
            let found = checkpoint::summarize(&damaged, SHARD);
            assert!(
                matches!(&found, Err(CoreError::Damaged { key: named, .. }) if *named == key),
                "{found:?}"
            );
        }
    }
}

#[test]
fn damage_stops_a_batch_and_is_named_without_the_citizen() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    let key = keys::citizen(&citizen(7), &mask());
    shard.rows.get_mut(&key).unwrap().truncate(20);
    let batch = Batch {
        time_ms: shard.now_ms,
        commands: vec![ledger::Command {
            epoch: Epoch(0),
            body: sale(2, 7, 1, 1),
        }],
    };
    let error = ledger::apply_batch(&mut Overlay::new(&shard.rows), SHARD, &batch).unwrap_err();
    let words = error.to_string();
    assert!(words.starts_with("the citizen record at "), "{words}");
    assert!(words.contains("checksum"), "{words}");
    let whole = format!("{:032x}", u128::from_be_bytes(citizen(7).get()));
    assert!(!words.contains(&whole[..8]), "{words}");
}

#[test]
fn equal_states_have_equal_digests_and_others_do_not() {
    let build = |quantity| {
        let mut shard = Shard::new(2, 2);
        shard.one(CommandBody::PutSites(vec![profile(1, "one")]));
        shard.sell(1, 7, quantity);
        shard
    };
    let (one, mut other) = (build(1), build(1));
    let summary = one.summary();
    assert_eq!(summary, other.summary());
    other
        .rows
        .insert(keys::applied(SHARD), b"anything".to_vec());
    assert_eq!(
        summary,
        other.summary(),
        "the applied point is not part of it"
    );
    assert_ne!(summary.digest, build(2).summary().digest);
    let records = summary.records;
    assert_eq!(
        (records.citizens, records.sites, records.outbox_rows),
        (1, 1, 1)
    );

    // Rows of a neighbour, of other positions and of other groups, are not looked at.
    let halves = even_split(2);
    let mut left = Shard::empty();
    left.one(adopt(halves[0], 1));
    let digest = left.summary().digest;
    left.rows
        .insert(keys::data_range(halves[1]).0, b"foreign".to_vec());
    left.rows.insert(
        keys::facts(quorate_proto::ids::ShardId(2)),
        b"foreign".to_vec(),
    );
    assert_eq!(left.summary().digest, digest);
    assert!(halves[1].contains(RingPosition(u64::MAX)));
}

#[test]
fn a_record_over_its_limit_is_counted() {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    let key = keys::citizen(&citizen(7), &mask());
    let mut record = codec::decode_citizen(&shard.rows[&key]).unwrap();
    let mut planted = record.sales[0].clone();
    planted.request_id = common::request(99);
    record.sales.push(planted);
    shard
        .rows
        .insert(key.clone(), codec::encode_citizen(&record));
    assert_eq!(shard.summary().records.records_over_limit, 1);
    assert_eq!(shard.summary().records.units, 4);

    // Undone before the second sale, the first does not count; undone after it, it does.
    let attempt = ledger::VoidAttempt {
        request_id: common::request(98),
        by: ledger::VoidBy::Site(site(1).code),
        refused: None,
        remaining: 2,
        decided_at_ms: record.sales[0].sold_at_ms + 5,
    };
    record.sales[0].void_attempts.push(attempt);
    for (second_at, over) in [(10, 0), (3, 1)] {
        record.sales[1].recorded_at_ms = record.sales[0].sold_at_ms + second_at;
        shard
            .rows
            .insert(key.clone(), codec::encode_citizen(&record));
        assert_eq!(shard.summary().records.records_over_limit, over);
    }
}

#[test]
fn a_sale_of_the_last_unit_is_granted_once_among_a_thousand() {
    let mut shard = Shard::new(2, 2);
    shard.sell(0, 7, 1);
    let outcomes = shard.batch((1..=1000).map(|id| sale(id, 7, 1, 1)).collect());
    let granted = outcomes.into_iter().map(recorded);
    let granted = granted.filter(|record| record.verdict.denied.is_none());
    assert_eq!(granted.count(), 1);
    let same = shard.batch(vec![sale(5000, 8, 1, 1); 50]);
    let repeats = same.iter().skip(1).map(|outcome| recorded(outcome.clone()));
    let first = recorded(same[0].clone());
    assert!(
        repeats
            .clone()
            .all(|repeat| repeat.repeated && repeat.verdict == first.verdict)
    );
    assert_eq!(repeats.count(), 49);
    assert_eq!(
        error_kind(&shard.one(sale(5000, 8, 2, 1))),
        CommandErrorKind::RequestIdConflict
    );
}
