//! Equal, different, silent and contradictory replicas.
#![allow(clippy::unwrap_used, reason = "tests")]

use quorate_proto::{internal::RecordTotals, storage::ShardTotals};

use super::*;

fn report(replica: u64, digest: u8) -> DigestReport {
    DigestReport {
        replica: ReplicaId(replica),
        digest: [digest; 32],
        totals: ShardTotals {
            grants: 10,
            units_granted: 19,
            voids: 2,
            units_voided: 4,
            denials: vec![0, 5, 0, 0, 3],
            grants_retired: 1,
            units_retired: 1,
            ..ShardTotals::default()
        },
        records: RecordTotals {
            citizens: 8,
            sites: 4,
            grants: 9,
            units: 18,
            records_over_limit: 0,
            outbox_rows: 12,
        },
    }
}

fn heard(digests: [Result<DigestReport, NodeCallError>; 3]) -> Vec<Heard> {
    let heard = |(node, digest)| Heard {
        replica: ReplicaId(node),
        node: NodeId(node),
        digest,
    };
    (1..).zip(digests).map(heard).collect()
}

fn judged(digests: [Result<DigestReport, NodeCallError>; 3]) -> ShardVerification {
    judge(ShardId(5), 77, heard(digests))
}

fn healths(verified: &ShardVerification) -> Vec<Health> {
    verified
        .replicas
        .iter()
        .map(ReplicaDigest::health)
        .collect()
}

#[test]
fn equal_replicas_are_well() {
    let verified = judged([1, 2, 3].map(|node| Ok(report(node, 7))));
    assert_eq!(verified.health(), Health::Ok, "{}", verified.detail);
    assert_eq!((verified.shard, verified.log_index), (5, 77));
    let totals = verified.totals.unwrap();
    assert_eq!((totals.grants, totals.grants_in_records), (10, 10));
    assert_eq!((totals.units_granted, totals.units_in_records), (19, 19));
    let denials: Vec<_> = totals
        .denials
        .iter()
        .map(|denial| (&*denial.reason, denial.count))
        .collect();
    assert_eq!(
        denials,
        [
            ("DENIAL_REASON_OVER_LIMIT", 5),
            ("DENIAL_REASON_PROGRAM_CLOSED", 3)
        ]
    );
}

#[test]
fn the_odd_one_out_is_bad() {
    let verified = judged([Ok(report(1, 7)), Ok(report(2, 8)), Ok(report(3, 7))]);
    assert_eq!(verified.health(), Health::Bad);
    assert_eq!(healths(&verified), [Health::Ok, Health::Bad, Health::Ok]);
    assert!(verified.totals.is_some());
}

#[test]
fn a_silent_replica_is_unknown() {
    let verified = judged([
        Ok(report(1, 7)),
        Err(NodeCallError::NotConnected),
        Ok(report(3, 7)),
    ]);
    assert_eq!(verified.health(), Health::Unknown);
    assert_eq!(
        healths(&verified),
        [Health::Ok, Health::Unknown, Health::Ok]
    );
    let damaged = Err(NodeCallError::Refused("damaged".to_owned()));
    let verified = judged([Ok(report(1, 7)), damaged, Ok(report(3, 7))]);
    assert_eq!(healths(&verified)[1], Health::Bad, "heard, and bad");
    let silent = [1, 2, 3].map(|_| Err(NodeCallError::TimedOut));
    let verified = judged(silent);
    assert_eq!(verified.health(), Health::Unknown);
    assert!(verified.totals.is_none());
}

#[test]
fn a_strangers_digest_does_not_count() {
    let verified = judged([Ok(report(1, 7)), Ok(report(9, 7)), Ok(report(3, 7))]);
    assert_eq!(verified.health(), Health::Bad);
    assert_eq!(
        verified.replicas[1].detail,
        "the node runs replica 9 instead"
    );
}

#[test]
fn books_that_do_not_balance_are_bad_however_equal() {
    type Change = fn(&mut DigestReport);
    let cases: [(Change, &str); 4] = [
        (|report| report.records.grants = 8, "sales granted"),
        (|report| report.records.units = 17, "units granted"),
        (|report| report.records.outbox_rows = 11, "rows for sites"),
        (
            |report| report.records.records_over_limit = 1,
            "over the limit",
        ),
    ];
    for (change, word) in cases {
        let verified = judged([1, 2, 3].map(|node| {
            let mut report = report(node, 7);
            change(&mut report);
            Ok(report)
        }));
        assert_eq!(verified.health(), Health::Bad);
        assert!(verified.detail.contains(word), "{}", verified.detail);
    }
}

#[test]
fn totals_add_up_over_shards() {
    let one = count(&report(1, 7));
    let both = sum([&one, &one].into_iter());
    assert_eq!((both.grants, both.citizens), (20, 16));
    assert_eq!(both.denials.len(), 2);
    assert_eq!(both.denials[0].count, 10);
}
