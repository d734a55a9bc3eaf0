//! Two lies about time, each seen by one law alone: a shard whose clock runs backwards between citizens, and
//! places in the log that hide an order which clients know to be another.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use quorate_check::{
    Law, check,
    history::{
        Call, History, ListReply, Position, Purchase, Record, Reply, Verdict, VoidReply, Window,
    },
    rules::{Rule, Rules, WindowKind},
};
use quorate_proto::ids::RequestId;
use support::*;

/// Nothing but this law is broken.
fn only(law: Law, history: &History) {
    let report = check(history);
    assert!(report.breaks(law), "{report}");
    assert!(
        report.violations.iter().all(|found| found.law == law),
        "{report}"
    );
}

/// A leader of a later term stamps with a clock that is a minute behind: whoever is new is decided before the
/// past. Nobody's own order is disturbed, so only the order along the shard's log tells.
#[test]
fn a_shards_time_that_runs_backwards_between_citizens() {
    for seed in 0..5 {
        let mut history = lawful(seed, 1_500);
        check(&history).assert_clean();
        let late = history
            .records
            .iter()
            .filter(|record| is_fresh_grant(record));
        let late = late.map(|record| record.citizen).max().unwrap();
        for record in &mut history.records {
            if record.citizen == late {
                match &mut record.reply {
                    Reply::Verdict(verdict) => verdict.decided_ms -= 60_000,
                    Reply::Voided(reply) => reply.decided_ms -= 60_000,
                    _ => {}
                }
            }
        }
        only(Law::LogOrder, &history);
        let found = check(&history).violations.swap_remove(0);
        assert_eq!((found.citizen, found.lines.len()), (None, 2), "{found}");
    }
}

const WINDOW: Window = Window {
    start_ms: 1_583_679_600_000,
    end_ms: 1_584_284_400_000,
};
/// Inside the window.
const DECIDED_MS: i64 = 1_583_884_800_000;
/// Of the first sale, of its void, of the second sale.
const FIRST: u8 = 1;
const VOID: u8 = 2;
const SECOND: u8 = 3;

fn id(last: u8) -> RequestId {
    let mut bytes = [0; 16];
    bytes[15] = last;
    RequestId::from_bytes(bytes).unwrap()
}

fn bought(request: u8, quantity: u32, voided: bool) -> Purchase {
    Purchase {
        request: id(request),
        quantity,
        voided,
    }
}

fn at(index: u64) -> Position {
    (1, 1, index, 0).into()
}

fn lost() -> Reply {
    Reply::Unknown {
        cause: "connection lost".to_owned(),
    }
}

/// A grant, stamped so many milliseconds behind the first.
fn granted(remaining: u32, after_ms: i64, purchases: Vec<Purchase>, position: Position) -> Verdict {
    Verdict {
        denied: None,
        remaining,
        limit: 10,
        window_ms: Some(WINDOW),
        decided_ms: DECIDED_MS + after_ms,
        purchases,
        repeated: after_ms > 0,
        position,
    }
}

/// Six units are bought, and the purchase is undone; four more are bought. The first answers of the void and of
/// the second sale are lost. Repeated, they say that the sale was decided before the void: six and four of ten
/// were held at once. Both places are of the repetitions, in the order in which they were asked for. The second
/// sale was first asked for at `asked_us`; the void had been told by 500.
fn sold_before_the_void(asked_us: u64) -> History {
    let sell = |request, quantity| Call::Sell {
        request: id(request),
        quantity,
    };
    let void = Call::Void {
        request: id(VOID),
        sale: id(FIRST),
    };
    let first = granted(4, 0, vec![bought(FIRST, 6, false)], at(1));
    let both = vec![bought(FIRST, 6, false), bought(SECOND, 4, false)];
    let second = granted(0, 1, both, at(11));
    let voided = VoidReply {
        refused: None,
        quantity: 6,
        remaining: 6,
        decided_ms: DECIDED_MS + 2,
        repeated: true,
        position: at(10),
    };
    let listed = ListReply {
        purchases: vec![bought(FIRST, 6, true), bought(SECOND, 4, false)],
        position: at(11),
    };
    let calls = [
        (0, 100, sell(FIRST, 6), Reply::Verdict(first)),
        (200, 300, void, lost()),
        (400, 500, void, Reply::Voided(voided)),
        (asked_us, asked_us + 100, sell(SECOND, 4), lost()),
        (800, 900, sell(SECOND, 4), Reply::Verdict(second)),
        (1_000, 1_100, Call::List, Reply::Listed(listed)),
    ];
    let records = calls.into_iter().zip(0..);
    let records = records.map(|((start_us, end_us, call, reply), client)| Record {
        client,
        start_us,
        end_us,
        citizen: 7,
        call,
        reply,
    });
    let rule = Rule::new(10, WindowKind::CalendarWeek);
    History::new(Rules::one("Asia/Seoul", rule), records.collect())
}

/// Nobody saw the entries that decided, and along the log any order between them will do. But the void had been
/// told before the sale was asked for.
#[test]
fn places_that_hide_the_real_order() {
    only(Law::Linearizable, &sold_before_the_void(600));
    // Asked for before the void was told, the sale may well have come first.
    check(&sold_before_the_void(350)).assert_clean();
}
