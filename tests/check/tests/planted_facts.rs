//! What a cluster says of itself is proven too: counts, replicas and shelves that are not what clients know.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use quorate_check::{
    Law, check,
    facts::{Fact, Replica, Shelf, Totals},
};
use quorate_proto::ids::RequestId;
use support::*;

#[test]
fn a_cluster_that_counts_otherwise() {
    planted(Law::Conservation, false, |history| {
        let report = check(history);
        history.facts.push(Fact::Totals(Totals {
            grants: report.grants,
            units_granted: report.units_granted + 1,
            slips: report.slips,
            units_on_slips: report.units_on_slips,
            voids: report.voids,
            units_voided: report.units_voided,
        }));
    });
}

#[test]
fn replicas_that_differ() {
    planted(Law::Replicas, false, |history| {
        for (node, digest) in [(1, "aa"), (2, "aa"), (3, "ab")] {
            history.facts.push(Fact::Replica(Replica {
                shard: 1,
                node,
                index: 9,
                digest: digest.to_owned(),
            }));
        }
    });
}

/// A shelf that shows something else than an honest one.
fn shelf_planted(law: Law, plant: impl Fn(&mut Shelf)) {
    planted(law, false, |history| {
        history.facts.push(Fact::Shelf(shelf(history)));
        check(history).assert_clean();
        let Some(Fact::Shelf(shelf)) = history.facts.last_mut() else {
            unreachable!("it was pushed just now")
        };
        plant(shelf);
    });
}

#[test]
fn a_sale_delivered_twice_and_a_void_that_never_arrived() {
    shelf_planted(Law::Shelf, |shelf| {
        shelf.sold += 3;
        shelf.on_hand -= 3;
    });
    shelf_planted(Law::Shelf, |shelf| {
        shelf.voided -= 1;
        shelf.on_hand -= 1;
    });
}

#[test]
fn a_sum_that_does_not_add_up_and_an_adjustment_made_twice() {
    shelf_planted(Law::Shelf, |shelf| shelf.on_hand += 1);
    shelf_planted(Law::Shelf, |shelf| {
        shelf.adjusted -= 20;
        shelf.on_hand -= 20;
    });
}

#[test]
fn a_list_that_lacks_a_sale_or_has_one_twice_or_anothers() {
    shelf_planted(Law::ShelfList, |shelf| shelf.listed.truncate(1));
    shelf_planted(Law::ShelfList, |shelf| shelf.listed.push(shelf.listed[0]));
    shelf_planted(Law::ShelfList, |shelf| shelf.listed[2].quantity += 1);
    shelf_planted(Law::ShelfList, |shelf| {
        let foreign = RequestId::from_bytes([0xff; 16]).unwrap();
        shelf.listed.push(Shelf::sale(foreign, 1, false));
    });
}
