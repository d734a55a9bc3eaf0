//! What a site changes by itself, what is delivered to it, and what it is asked.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{DAY_MS, NINE_MS, Shard, error_kind, mask, profile, request, site};
use quorate_core::{
    checkpoint, codec, keys,
    ledger::{
        AdjustmentReason, Answer, ChangeStock, CommandBody, CommandErrorKind, DeliverStock,
        DeliveredRow, OutboxKind, OutboxRow, Outcome, OverQuotaQuery, PutDevice, PutDeviceOutcome,
        Query, SaleKind, ShownSite, SiteSalesQuery, StockAdjustment, StockChange, StockChangeKind,
        StockOutcome, StockQuery, StockRecord, SuspendSite, shown_site, site_keys,
    },
    limits,
};
use quorate_proto::{
    ids::{DeviceId, ProductId, ShardId, SiteKey},
    ring::RingRange,
};

const SOURCE: ShardId = ShardId(9);

fn product(number: usize) -> ProductId {
    ProductId::parse(&format!("product-{number}")).unwrap()
}

fn change(id: u64, at_site: u64, kind: StockChangeKind) -> CommandBody {
    CommandBody::ChangeStock(ChangeStock {
        site_code: site(at_site).code,
        change: StockChange {
            request_id: request(id),
            at_ms: 0,
            device_id: Some(DeviceId::parse("till-1").unwrap()),
            kind,
        },
    })
}

fn received(id: u64, units: u32) -> CommandBody {
    change(id, 1, StockChangeKind::Received(product(1), units))
}

/// The stock after a change, and whether it was a repeat.
fn stock(outcome: Outcome) -> (Option<StockRecord>, bool) {
    match outcome {
        Outcome::Stock(StockOutcome::Answered { stock, repeated }) => {
            (stock.map(|(_, stock)| stock), repeated)
        }
        other => panic!("no stock: {other:?}"),
    }
}

fn shard() -> Shard {
    let mut shard = Shard::new(4, 2);
    let sites = vec![profile(1, "One"), profile(2, "Two")];
    shard.one(CommandBody::PutSites(sites));
    shard
}

fn row(seq: u64, at_site: u64, quantity: u32, kind: OutboxKind, sold_at_ms: i64) -> DeliveredRow {
    DeliveredRow {
        seq,
        row: OutboxRow {
            site_code: site(at_site).code,
            program: mask(),
            request_id: request(quantity.into()),
            product: product(1),
            quantity,
            kind,
            at_ms: sold_at_ms + 5,
            sold_at_ms,
            sale_kind: SaleKind::Online,
            over_by: 0,
        },
    }
}

fn delivery(through: u64, rows: Vec<DeliveredRow>) -> CommandBody {
    CommandBody::DeliverStock(DeliverStock {
        source: SOURCE,
        through,
        rows,
    })
}

fn shown(shard: &Shard, number: u64) -> ShownSite {
    let key = SiteKey::of(&site(number).code);
    shown_site(&shard.rows, &key).unwrap().unwrap()
}

fn kept(shard: &Shard, number: u64) -> StockRecord {
    shown(shard, number).products[0].1
}

#[test]
fn on_hand_is_the_sum_of_what_happened() {
    let mut shard = shard();
    let (after, _) = stock(shard.one(received(1, 250)));
    assert_eq!(after.unwrap().on_hand(), 250);
    let adjustment = StockAdjustment {
        delta: -7,
        reason: AdjustmentReason::Damaged,
        note: "a torn box".to_owned(),
    };
    shard.one(change(
        2,
        1,
        StockChangeKind::Adjusted(product(1), adjustment),
    ));
    shard.one(delivery(
        3,
        vec![
            row(1, 1, 2, OutboxKind::Sold, NINE_MS),
            row(3, 1, 3, OutboxKind::Sold, NINE_MS),
        ],
    ));
    shard.one(delivery(4, vec![row(4, 1, 2, OutboxKind::Voided, NINE_MS)]));
    shard.one(change(3, 1, StockChangeKind::Held(product(1), 30)));
    let (after, _) = stock(shard.one(change(
        4,
        1,
        StockChangeKind::SalesStopped(product(1), true),
    )));
    assert_eq!(
        after.unwrap(),
        StockRecord {
            received: 250,
            adjusted: -7,
            sold: 5,
            voided: 2,
            held: 30,
            sales_stopped: true,
            last_received_ms: Some(NINE_MS),
            updated_at_ms: NINE_MS,
        }
    );
    assert_eq!(after.unwrap().on_hand(), 240);

    // Sold before it was entered.
    shard.one(delivery(5, vec![row(5, 2, 4, OutboxKind::Sold, NINE_MS)]));
    assert_eq!(kept(&shard, 2).on_hand(), -4);
}

#[test]
fn a_change_that_is_repeated_changes_nothing_and_another_one_of_its_name_is_refused() {
    let mut shard = shard();
    assert!(!stock(shard.one(received(1, 250))).1);
    shard.one(received(2, 10));
    shard.now_ms += 34 * DAY_MS;
    let (after, repeated) = stock(shard.one(received(1, 250)));
    assert!(repeated);
    assert_eq!(after.unwrap().on_hand(), 260, "the stock as it is now");
    let refused = [
        received(1, 251),
        change(1, 1, StockChangeKind::Held(product(1), 250)),
        change(1, 1, StockChangeKind::Received(product(2), 250)),
    ];
    for command in refused {
        let outcome = shard.one(command);
        assert_eq!(error_kind(&outcome), CommandErrorKind::RequestIdConflict);
    }
    // Another site's names are its own.
    shard.one(change(1, 2, StockChangeKind::Received(product(1), 5)));
    assert_eq!(kept(&shard, 2).received, 5);

    // After the retention time it is a new one.
    shard.now_ms += DAY_MS;
    assert!(!stock(shard.one(received(1, 250))).1);
    assert_eq!(kept(&shard, 1).received, 510);
}

#[test]
fn what_is_kept_of_a_site_is_bounded() {
    let mut shard = shard();
    for id in 0..limits::STOCK_CHANGES_KEPT_MAX as u64 + 10 {
        shard.one(change(id, 1, StockChangeKind::Held(product(1), id as u32)));
    }
    let key = keys::journal(&SiteKey::of(&site(1).code));
    let journal = codec::decode_journal(shard.rows[&key].clone()).unwrap();
    assert_eq!(journal.changes.len(), limits::STOCK_CHANGES_KEPT_MAX);
    assert_eq!(
        journal.changes[0].request_id,
        request(10),
        "the oldest went"
    );

    for number in 2..=limits::SITE_PRODUCTS_MAX {
        shard.one(change(
            5000 + number as u64,
            1,
            StockChangeKind::Held(product(number), 1),
        ));
    }
    let one_more = StockChangeKind::Held(product(limits::SITE_PRODUCTS_MAX + 1), 1);
    let outcome = shard.one(change(6000, 1, one_more));
    assert_eq!(error_kind(&outcome), CommandErrorKind::TooMany);

    let device = |number: usize| {
        CommandBody::PutDevice(PutDevice {
            site_code: site(2).code,
            device_id: DeviceId::parse(&format!("till-{number}")).unwrap(),
            public_key: [1; 32],
        })
    };
    let devices = (0..limits::SITE_DEVICES_MAX).map(device).collect();
    shard.batch(devices);
    let outcome = shard.one(device(limits::SITE_DEVICES_MAX));
    assert_eq!(error_kind(&outcome), CommandErrorKind::TooMany);
    let known = shard.one(device(3));
    assert_eq!(known, Outcome::PutDevice(PutDeviceOutcome::AlreadyEnrolled));
}

#[test]
fn a_site_is_suspended_and_noticed_and_keeps_both_when_it_is_imported_again() {
    let mut shard = shard();
    let suspend = |suspended| {
        CommandBody::SuspendSite(SuspendSite {
            site_code: site(1).code,
            suspended,
        })
    };
    assert_eq!(stock(shard.one(suspend(true))), (None, false));
    assert_eq!(stock(shard.one(suspend(true))), (None, true));
    let notice = StockChangeKind::Notice("tickets from 08:30".to_owned());
    shard.now_ms += 1000;
    assert_eq!(
        stock(shard.one(change(1, 1, notice.clone()))),
        (None, false)
    );
    assert_eq!(stock(shard.one(change(1, 1, notice))), (None, true));
    assert_eq!(shown(&shard, 1).updated_at_ms, NINE_MS + 1000);
    shard.now_ms += 1000;
    shard.one(CommandBody::PutSites(vec![profile(1, "One")]));
    assert_eq!(
        shown(&shard, 1).updated_at_ms,
        NINE_MS + 1000,
        "the same profile"
    );
    shard.one(CommandBody::PutSites(vec![profile(1, "Renamed")]));
    let after = shown(&shard, 1);
    assert!(after.suspended);
    assert_eq!(after.notice, "tickets from 08:30");
    assert_eq!(
        (after.profile.name.as_str(), after.updated_at_ms),
        ("Renamed", NINE_MS + 2000)
    );
    for stranger in [
        change(9, 7, StockChangeKind::Held(product(1), 1)),
        CommandBody::SuspendSite(SuspendSite {
            site_code: site(7).code,
            suspended: true,
        }),
    ] {
        assert_eq!(
            shard.one(stranger),
            Outcome::Stock(StockOutcome::SiteUnknown)
        );
    }
}

#[test]
fn a_delivery_that_comes_again_or_overlaps_applies_nothing_twice() {
    let mut shard = shard();
    let sold = |seq: u64| row(seq, 1, seq as u32, OutboxKind::Sold, NINE_MS);
    shard.one(delivery(3, vec![sold(2), sold(3)]));
    for again in [
        delivery(3, vec![sold(2), sold(3)]),
        delivery(2, vec![sold(2)]),
        delivery(5, vec![sold(3)]),
    ] {
        assert_eq!(shard.one(again), Outcome::Done);
        assert_eq!(kept(&shard, 1).sold, 5);
    }
    shard.one(delivery(9, vec![sold(3), sold(7)]));
    assert_eq!(kept(&shard, 1).sold, 12);
    // Another source counts for itself.
    let other = CommandBody::DeliverStock(DeliverStock {
        source: ShardId(8),
        through: 1,
        rows: vec![row(1, 1, 1, OutboxKind::Sold, NINE_MS)],
    });
    shard.one(other);
    assert_eq!(kept(&shard, 1).sold, 13);
    let audit = checkpoint::summarize(&shard.rows, common::SHARD)
        .unwrap()
        .stock;
    assert_eq!(audit.watermarks, [(ShardId(8), 1), (SOURCE, 9)]);
}

#[test]
fn a_row_for_another_shards_site_refuses_the_whole_delivery() {
    let mut shard = Shard::empty();
    let half = quorate_proto::ring::even_split(2)[0];
    shard.one(CommandBody::AdoptRange(quorate_core::ledger::AdoptRange {
        range: half,
        epoch: common::EPOCH,
    }));
    let (mine, other): (Vec<u64>, Vec<u64>) =
        (1..50).partition(|number| half.contains(SiteKey::of(&site(*number).code).position()));
    let rows = vec![
        row(1, mine[0], 1, OutboxKind::Sold, NINE_MS),
        row(2, other[0], 1, OutboxKind::Sold, NINE_MS),
    ];
    let before = shard.rows.clone();
    let outcome = shard.one(delivery(2, rows));
    assert_eq!(error_kind(&outcome), CommandErrorKind::WrongShard);
    assert_eq!(shard.rows, before);
}

fn sales(shard: &Shard, from_ms: i64, to_ms: i64, limit: u32) -> Vec<(u32, Option<i64>)> {
    let mut query = SiteSalesQuery {
        site_code: site(1).code,
        from_ms,
        to_ms,
        after: Vec::new(),
        limit,
    };
    let mut sales = Vec::new();
    loop {
        let Answer::SiteSales(page) = shard.answer(&Query::SiteSales(query.clone())) else {
            panic!("no sales");
        };
        assert!(page.sales.len() <= limit as usize);
        let listed = page.sales.iter();
        sales.extend(listed.map(|it| (it.sale.quantity, it.sale.voided_at_ms)));
        if page.next.is_empty() {
            return sales;
        }
        query.after = page.next;
    }
}

#[test]
fn a_site_lists_its_own_sales_of_two_days() {
    let mut shard = shard();
    let sold = |seq: u64, at_ms| row(seq, 1, seq as u32, OutboxKind::Sold, at_ms);
    let rows = (1..=9).map(|seq| sold(seq, NINE_MS + 1000 * seq as i64));
    shard.one(delivery(9, rows.collect()));
    shard.one(delivery(
        10,
        vec![row(10, 2, 77, OutboxKind::Sold, NINE_MS)],
    ));
    let all: Vec<(u32, Option<i64>)> = (1..=9).map(|units| (units, None)).collect();
    for limit in [1, 2, 4, 500] {
        assert_eq!(sales(&shard, NINE_MS, NINE_MS + DAY_MS, limit), all);
    }
    assert_eq!(sales(&shard, NINE_MS + 3000, NINE_MS + 5000, 10), all[2..4]);

    let mut undone = row(11, 1, 4, OutboxKind::Voided, NINE_MS + 4000);
    undone.row.at_ms = NINE_MS + 9000;
    shard.one(delivery(11, vec![undone]));
    assert_eq!(
        sales(&shard, NINE_MS + 4000, NINE_MS + 4001, 10),
        [(4, Some(NINE_MS + 9000))]
    );

    // Two days later the list is short again; a void of what has gone still counts.
    shard.now_ms += 3 * DAY_MS;
    shard.one(delivery(12, vec![sold(12, shard.now_ms)]));
    assert_eq!(sales(&shard, 0, i64::MAX, 500), [(12, None)]);
    shard.one(delivery(
        13,
        vec![row(13, 1, 5, OutboxKind::Voided, NINE_MS + 5000)],
    ));
    assert_eq!(sales(&shard, 0, i64::MAX, 500), [(12, None)]);
    assert_eq!(kept(&shard, 1).voided, 9);
    // A paper sale that is handed in later than that is counted and not listed.
    shard.one(delivery(14, vec![sold(14, NINE_MS)]));
    assert_eq!(sales(&shard, 0, i64::MAX, 500), [(12, None)]);
    assert_eq!(kept(&shard, 1).sold, 45 + 12 + 14);
}

#[test]
fn paper_sales_beyond_the_ration_are_listed_for_the_retention_time() {
    let mut shard = shard();
    let over = |seq: u64, at_site: u64, at_ms: i64| {
        let mut over = row(seq, at_site, seq as u32, OutboxKind::Sold, at_ms);
        over.row.sale_kind = SaleKind::Paper;
        over.row.over_by = 1;
        over
    };
    let week_ago = NINE_MS - 7 * DAY_MS;
    shard.one(delivery(
        4,
        vec![
            over(1, 1, week_ago),
            over(2, 2, week_ago),
            over(3, 1, NINE_MS),
            row(4, 1, 4, OutboxKind::Sold, NINE_MS),
        ],
    ));
    let listed = |shard: &Shard, from_ms: i64, limit: u32| {
        let mut query = OverQuotaQuery {
            from_ms,
            to_ms: i64::MAX,
            after: Vec::new(),
            limit,
        };
        let mut units = Vec::new();
        loop {
            let Answer::OverQuota(page) = shard.answer(&Query::OverQuota(query.clone())) else {
                panic!("no list");
            };
            for (site, sale) in &page.sales {
                let name = site.as_ref().unwrap().name.clone();
                units.push((name, sale.sale.quantity, sale.sale.over_by));
            }
            if page.next.is_empty() {
                units.sort();
                return units;
            }
            query.after = page.next;
        }
    };
    let one = |units| ("One".to_owned(), units, 1);
    let two = |units| ("Two".to_owned(), units, 1);
    for limit in [1, 2, 500] {
        assert_eq!(listed(&shard, 0, limit), [one(1), one(3), two(2)]);
    }
    assert_eq!(listed(&shard, NINE_MS, 1), [one(3)]);
    let site = shard.answer(&Query::Stock(StockQuery {
        site_code: site(1).code,
    }));
    let Answer::Stock {
        site: Some(site),
        now_ms,
    } = site
    else {
        panic!("no site");
    };
    assert_eq!((site.products[0].1.sold, now_ms), (8, NINE_MS));

    shard.now_ms += 30 * DAY_MS;
    shard.one(delivery(
        5,
        vec![row(5, 1, 5, OutboxKind::Sold, shard.now_ms)],
    ));
    assert_eq!(
        listed(&shard, 0, 500),
        [one(3), two(2)],
        "the touched site's old sale is gone"
    );
}

#[test]
fn acknowledged_rows_stay_for_a_minute_and_are_counted_for_ever() {
    let mut shard = shard();
    for id in 1..=6 {
        assert!(shard.sell(id, id, 1).denied.is_none());
    }
    let acknowledge = |seq| CommandBody::AcknowledgeOutbox { seq };
    shard.one(acknowledge(4));
    shard.one(acknowledge(2));
    shard.one(acknowledge(400));
    let facts = shard.facts();
    assert_eq!((facts.outbox_acknowledged(), facts.outbox_rows()), (6, 6));
    let rows = |shard: &Shard| shard.summary().stock.rows.len();
    assert_eq!(rows(&shard), 6);
    shard.now_ms += limits::OUTBOX_KEPT_MS - 1;
    shard.one(acknowledge(6));
    assert_eq!(rows(&shard), 6);
    shard.now_ms += 1;
    shard.one(acknowledge(6));
    assert_eq!(rows(&shard), 2, "what was acknowledged first");
    shard.now_ms += limits::OUTBOX_KEPT_MS;
    shard.one(acknowledge(6));
    assert_eq!((rows(&shard), shard.facts().outbox_trimmed()), (0, 6));
    assert_eq!(shard.summary().records.outbox_rows, 6);
}

#[test]
fn sites_are_listed_page_by_page_in_the_order_of_their_keys() {
    let mut shard = shard();
    let more = (3..30).map(|number| profile(number, "More")).collect();
    shard.one(CommandBody::PutSites(more));
    let mut expected: Vec<SiteKey> = (1..30).map(|n| SiteKey::of(&site(n).code)).collect();
    expected.sort();
    for max in [1, 7, 29, 100] {
        let mut listed: Vec<SiteKey> = Vec::new();
        loop {
            let after = listed.last().copied();
            let page = site_keys(&shard.rows, RingRange::FULL, after, max).unwrap();
            let last = page.len() < max;
            listed.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(listed, expected);
    }
    let nowhere = SiteKey::of(&site(99).code);
    assert_eq!(shown_site(&shard.rows, &nowhere).unwrap(), None);
}
