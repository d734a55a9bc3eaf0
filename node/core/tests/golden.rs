//! Durable bytes, pinned. A difference here means that what was written before can no longer be read, or
//! is read as something else: it needs a new version of the format, never a new vector alone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod samples;

use std::{fmt::Write as _, fs, path::PathBuf};

use common::{NINE_MS, Shard, citizen, mask, profile, program, request, rule, sale, site, void};
use quorate_core::{
    codec, keys,
    ledger::{
        AdoptRange, Batch, BirthYearLimit, BirthYears, ChangeStock, CitizenRecord, Claims, Command,
        CommandBody, Coordinates, Correction, DayCounts, DayKey, Denial, DenialReason, Device,
        Digits, OutboxKind, OutboxRow, Product, Program, ProgramDraft, Proxy, ProxyGround,
        PutDevice, RecordSale, RecordSlip, RetiredUnits, Rotation, RotationDigit, RuleState, Sale,
        SaleKind, ShadowCounts, SiteRecord, SuspendSite, VoidAttempt, VoidBy, VoidRefusal,
        VoidSale, WindowKind,
    },
};
use quorate_proto::{
    ids::{DeviceId, Epoch, GroundId, NodeId, ProductId, RuleId, ShardId, SiteType},
    ring::RingRange,
};
use samples::{
    cluster::{log_rows, system_commands, view},
    sites::{delivery, site_key, site_rows, stock_changes},
};

/// Set to write the vectors instead of comparing them.
const BLESS: &str = "QUORATE_BLESS";

/// Names and bytes, in the order of the file.
type Vectors = Vec<(&'static str, Vec<u8>)>;

/// Compares vectors with their file, or writes the file.
fn check(file: &str, vectors: &Vectors) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(file);
    let mut text = String::new();
    for (name, bytes) in vectors {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        writeln!(text, "{name} {hex}").unwrap();
    }
    if blessed() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let pinned = fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<_> = text
        .lines()
        .filter(|line| !pinned.lines().any(|pinned| pinned == *line))
        .chain(
            pinned
                .lines()
                .filter(|line| !text.lines().any(|new| new == *line)),
        )
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        text == pinned,
        "durable bytes differ from {}: {changed:?}\n\
         If old data can still be read, pin the new bytes with\n\
         {BLESS}=1 cargo test --release -p quorate-core --test golden",
        path.display()
    );
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
fn blessed() -> bool {
    std::env::var_os(BLESS).is_some()
}

#[test]
fn keys_are_pinned() {
    let shard = ShardId(7);
    let (first, end) = keys::data_range(RingRange::FULL);
    let vectors = vec![
        ("applied", keys::applied(shard)),
        ("facts", keys::facts(shard)),
        ("program", keys::program(shard, &mask())),
        ("cluster-view", keys::cluster_view()),
        ("day-counts", keys::day_counts(shard, &mask(), &day())),
        (
            "shadow-counts",
            keys::shadow_counts(shard, &mask(), &RuleId::parse("r1").unwrap()),
        ),
        (
            "retired-units",
            keys::retired_units(shard, &site(1).code, &product()),
        ),
        ("citizen", keys::citizen(&citizen(1), &mask())),
        ("watermark", keys::watermark(shard, ShardId(8))),
        ("site", keys::site(&site(1).code)),
        ("stock", keys::stock(&site_key(), &product())),
        ("stock-journal", keys::journal(&site_key())),
        (
            "site-sale",
            keys::site_sale(&site_key(), NINE_MS, request(1)),
        ),
        (
            "over-quota-sale",
            keys::over_quota(&site_key(), NINE_MS, request(1)),
        ),
        ("outbox", keys::outbox(shard, 258)),
        ("data-first", first),
        ("data-end", end),
        ("log-vote", keys::raft::vote(shard)),
        ("log-replica", keys::raft::replica(shard)),
        ("log-purged", keys::raft::purged(shard)),
        ("log-committed", keys::raft::committed(shard)),
        ("log-installing", keys::raft::installing(shard)),
        ("log-entry", keys::raft::entry(shard, 258)),
        ("disk-commits", keys::raft::disk_commits()),
        ("heard-of-disk", keys::raft::heard_of_disk(NodeId(7))),
    ];
    check("keys.hex", &vectors);
}

#[test]
fn values_are_pinned() {
    let outbox = |kind| OutboxRow {
        kind,
        ..delivery().rows.remove(0).row
    };
    let mut vectors = vec![
        (
            "citizen-empty",
            codec::encode_citizen(&CitizenRecord::default()),
        ),
        ("citizen", codec::encode_citizen(&record())),
        ("site", codec::encode_site(site_record())),
        (
            "outbox-sold",
            codec::encode_outbox_row(&outbox(OutboxKind::Sold)),
        ),
        (
            "outbox-voided",
            codec::encode_outbox_row(&outbox(OutboxKind::Voided)),
        ),
        ("facts", facts()),
        ("program", codec::encode_program(&programs())),
        (
            "program-with-everything",
            codec::encode_program(&everything()),
        ),
        ("day-counts", codec::encode_day_counts(&day_counts())),
        (
            "shadow-counts",
            codec::encode_shadow_counts(&shadow_counts()),
        ),
        (
            "retired-units",
            codec::encode_retired_units(&retired_units()),
        ),
        ("batch", codec::encode_batch(&batch()).to_vec()),
        ("view", codec::encode_view(&view())),
    ];
    vectors.extend(site_rows());
    vectors.extend(system_commands());
    vectors.extend(log_rows());
    check("values.hex", &vectors);
}

#[test]
fn values_read_back() {
    let read = |bytes: Vec<u8>| codec::decode_citizen(&bytes).unwrap();
    assert_eq!(read(codec::encode_citizen(&record())), record());
    let site = codec::decode_site(codec::encode_site(site_record())).unwrap();
    assert_eq!(site, site_record());
    let bytes = codec::encode_program(&programs());
    assert_eq!(codec::decode_program(bytes).unwrap(), programs());
    assert_eq!(
        codec::decode_batch(&codec::encode_batch(&batch())).unwrap(),
        batch()
    );
    assert_eq!(
        codec::decode_view(&codec::encode_view(&view())).unwrap(),
        view()
    );
    let bytes = codec::encode_program(&everything());
    assert_eq!(codec::decode_program(bytes).unwrap(), everything());
    let bytes = codec::encode_day_counts(&day_counts());
    assert_eq!(codec::decode_day_counts(&bytes).unwrap(), day_counts());
    let bytes = codec::encode_shadow_counts(&shadow_counts());
    assert_eq!(
        codec::decode_shadow_counts(&bytes).unwrap(),
        shadow_counts()
    );
    let bytes = codec::encode_retired_units(&retired_units());
    assert_eq!(
        codec::decode_retired_units(&bytes).unwrap(),
        retired_units()
    );
    let read = codec::decode_facts(facts()).unwrap();
    assert_eq!(codec::encode_facts(&read), facts());
}

fn product() -> ProductId {
    ProductId::parse("kf94").unwrap()
}

fn ground() -> GroundId {
    GroundId::parse("family").unwrap()
}

fn correction() -> Correction {
    Correction {
        case_number: "2020-117".to_owned(),
        reason: "mistyped ID".to_owned(),
        operator: "ops".to_owned(),
    }
}

fn day() -> DayKey {
    DayKey {
        date: 20_200_311,
        site_type: SiteType::PHARMACY,
        region: site(1).region,
    }
}

fn day_counts() -> DayCounts {
    DayCounts {
        online_sales: 1,
        online_units: 2,
        paper_sales: 3,
        paper_units: 4,
        over_quota_sales: 5,
        voids: 6,
        units_voided: 7,
        denials: [0, 1, 2, 3, 4, 5, 6, 7, 8],
    }
}

fn shadow_counts() -> ShadowCounts {
    ShadowCounts {
        evaluated: 9,
        would_deny: [0, 8, 7, 6, 5, 4, 3, 2, 1],
        would_grant: 10,
    }
}

fn retired_units() -> RetiredUnits {
    RetiredUnits { sold: 3, voided: 1 }
}

/// A program in which every field is used.
fn everything() -> Program {
    let mut days = [Digits::ALL; 7];
    days[0] = Digits::new([1, 6]).unwrap();
    let mut rolling = rule("rolling", 1, 3, 3);
    rolling.window = WindowKind::RollingDays(7);
    rolling.birth_year_limits = vec![BirthYearLimit {
        born: BirthYears {
            first: Some(2002),
            last: None,
        },
        limit: 5,
    }];
    rolling.rotation = Some(Rotation {
        digit: RotationDigit::Id,
        days,
        holidays_open: true,
    });
    rolling.single_visit = true;
    rolling.site_types = vec![SiteType::PHARMACY, SiteType::MART];
    rolling.proxies = vec![ProxyGround {
        id: ground(),
        born: BirthYears {
            first: None,
            last: Some(1940),
        },
        note: "with a certificate".to_owned(),
    }];
    rolling.proxy_either_day = true;
    rolling.state = RuleState::Shadow;
    let mut fixed = rule("fixed", 2, 0, 0);
    fixed.window = WindowKind::FixedDates {
        first: "2020-03-06".parse().unwrap(),
        last: "2020-03-08".parse().unwrap(),
    };
    fixed.closed = true;
    fixed.state = RuleState::Withdrawn;
    Program::new(ProgramDraft {
        products: vec![Product {
            id: product(),
            name: "KF94".to_owned(),
        }],
        holidays: vec!["2020-05-05".parse().unwrap()],
        ..common::draft(&[rolling, fixed], 3)
    })
    .unwrap()
}

fn record() -> CitizenRecord {
    let attempt = |id, refused, decided_at_ms| VoidAttempt {
        request_id: request(id),
        by: VoidBy::Site(site(2).code),
        refused,
        remaining: 1,
        decided_at_ms,
    };
    let sale = Sale {
        request_id: request(1),
        quantity: 2,
        site: site(1),
        sold_at_ms: NINE_MS,
        recorded_at_ms: NINE_MS + 1,
        kind: SaleKind::Online,
        flags: 0,
        rule: Some(RuleId::parse("2020-03-09").unwrap()),
        remaining: 0,
        limit: 2,
        next_eligible_ms: Some(NINE_MS + 6),
        product: None,
        proxy_ground: None,
        over_by: 0,
        irregularity: None,
        void_attempts: vec![
            attempt(3, Some(VoidRefusal::OtherSite), NINE_MS + 2),
            attempt(4, None, NINE_MS + 3),
        ],
    };
    let denial = |id, rule| Denial {
        request_id: request(id),
        quantity: 1,
        site_code: site(1).code,
        reason: DenialReason::OverLimit,
        remaining: 0,
        limit: 2,
        next_eligible_ms: Some(NINE_MS + 5),
        decided_at_ms: NINE_MS + 4,
        rule,
        product: Some(product()),
        proxy_ground: Some(ground()),
    };
    let slip = Sale {
        request_id: request(2),
        recorded_at_ms: NINE_MS + 7,
        kind: SaleKind::Paper,
        rule: None,
        product: Some(product()),
        proxy_ground: Some(ground()),
        over_by: 2,
        irregularity: Some(DenialReason::ProgramClosed),
        next_eligible_ms: None,
        void_attempts: vec![VoidAttempt {
            by: VoidBy::Administrator(correction()),
            ..attempt(7, None, NINE_MS + 8)
        }],
        ..sale.clone()
    };
    CitizenRecord {
        denials: vec![denial(5, sale.rule), denial(6, None)],
        sales: vec![sale, slip],
    }
}

fn site_record() -> SiteRecord {
    let mut profile = profile(1, "약국");
    profile.coordinates = Some(Coordinates {
        latitude: 37.5665,
        longitude: 126.978,
    });
    SiteRecord {
        profile,
        suspended: true,
        notice: "from 2 pm".to_owned(),
        updated_at_ms: NINE_MS,
        devices: vec![Device {
            device_id: DeviceId::parse("till-1").unwrap(),
            public_key: [5; 32],
            enrolled_at_ms: NINE_MS,
        }],
    }
}

/// Facts with every counter moved.
fn facts() -> Vec<u8> {
    let mut shard = Shard::new(2, 2);
    shard.sell(1, 7, 2);
    shard.sell(2, 7, 1);
    shard.void(3, 7, 1);
    shard.now_ms += quorate_core::limits::RETENTION_MS + common::DAY_MS;
    shard.sell(4, 7, 1);
    // Acknowledged, deleted and acknowledged again.
    shard.one(CommandBody::AcknowledgeOutbox { seq: 1 });
    shard.now_ms += quorate_core::limits::OUTBOX_KEPT_MS;
    shard.one(CommandBody::AcknowledgeOutbox { seq: 2 });
    codec::encode_facts(&shard.facts())
}

fn programs() -> quorate_core::ledger::Program {
    let rules = [
        rule("2020-03-09", 0, 2, 2),
        rule("2020-04-27", NINE_MS, 3, 3),
    ];
    program(&rules, 9)
}

/// One command of each kind.
fn batch() -> Batch {
    let device = PutDevice {
        site_code: site(1).code,
        device_id: DeviceId::parse("till-1").unwrap(),
        public_key: [5; 32],
    };
    let adopt = AdoptRange {
        range: RingRange::FULL,
        epoch: Epoch(1),
    };
    let CommandBody::RecordSale(plain) = sale(1, 7, 2, 1) else {
        unreachable!("a sale is one");
    };
    let proxied = RecordSale {
        product: Some(product()),
        site_suspended: true,
        claims: Claims {
            birth_year: None,
            id_digit: Some(0),
        },
        proxy: Some(Proxy {
            ground: ground(),
            buyer: Some(Claims::default()),
        }),
        ..plain
    };
    let slip = RecordSlip {
        request_id: plain.request_id,
        citizen: plain.citizen,
        program: plain.program,
        product: Some(product()),
        quantity: plain.quantity,
        site: plain.site,
        site_suspended: false,
        claims: plain.claims,
        proxy_ground: Some(ground()),
        sold_at_ms: NINE_MS,
        device_id: device.device_id,
        sequence: 12,
    };
    let CommandBody::VoidSale(undo) = void(3, 7, 1, 1) else {
        unreachable!("a void is one");
    };
    let corrected = VoidSale {
        by: VoidBy::Administrator(correction()),
        ..undo
    };
    let bodies = [
        sale(1, 7, 2, 1),
        CommandBody::RecordSale(proxied),
        CommandBody::RecordSlip(slip),
        void(2, 7, 1, 1),
        CommandBody::VoidSale(corrected),
        CommandBody::PutSites(vec![site_record().profile, profile(2, "")]),
        CommandBody::PutDevice(device),
        CommandBody::PutProgram(programs()),
        CommandBody::Checkpoint { id: 300 },
        CommandBody::AdoptRange(adopt),
        CommandBody::SuspendSite(SuspendSite {
            site_code: site(1).code,
            suspended: true,
        }),
        CommandBody::DeliverStock(delivery()),
        CommandBody::AcknowledgeOutbox { seq: 258 },
    ];
    let changes = stock_changes().into_iter().map(|change| {
        CommandBody::ChangeStock(ChangeStock {
            site_code: site(1).code,
            change,
        })
    });
    Batch {
        time_ms: NINE_MS,
        commands: (0..)
            .zip(bodies.into_iter().chain(changes))
            .map(|(epoch, body)| Command {
                epoch: Epoch(epoch),
                body,
            })
            .collect(),
    }
}
