//! Programs: what breaks a law of theirs at the cluster, and what is wrong in their files.

use std::fs;

use anyhow::{Context as _, ensure};
use quorate_harness::cluster::{Cluster, PROGRAM as RATION};
use quorate_proto::{
    admin::{
        CalendarWeek, FixedDates, ListProgramsRequest, Product, Program, PutProgramRequest,
        RollingDays, Rotation, RotationDay, RuleVersion, rule_version::Window,
    },
    status::ErrorReason::InvalidField,
};

use crate::{admin::operator, wire::expect};

type Spoil = fn(&mut Program);

fn rule(program: &mut Program) -> &mut RuleVersion {
    &mut program.rules[0]
}

fn another(program: &mut Program, spoil: impl FnOnce(&mut RuleVersion)) {
    let mut rule = program.rules[0].clone();
    rule.id = "another".to_owned();
    rule.effective_from_ms += 1000;
    spoil(&mut rule);
    program.rules.push(rule);
}

/// What breaks the laws of a program, whatever was there before, and the words that must be said.
const UNLAWFUL: [(Spoil, &str, &str); 23] = [
    (|it| it.id.clear(), "program.id", "id"),
    (|it| it.id = "NO PROGRAM!".to_owned(), "program.id", "id"),
    (|it| it.rules.clear(), "program.rules", "1 to 64"),
    (
        |it| {
            let rule = it.rules[0].clone();
            it.rules = vec![rule; 65];
        },
        "program.rules",
        "1 to 64",
    ),
    (|it| rule(it).id.clear(), "program.rules[0].id", "id"),
    (
        |it| rule(it).window = None,
        "program.rules[0].window",
        "window",
    ),
    (
        |it| rule(it).site_types = vec!["pharmacy".to_owned()],
        "program.rules[0].site_types",
        "two digits",
    ),
    (
        |it| it.time_zone = "Asia/Nowhere".to_owned(),
        "program",
        "time zone",
    ),
    (|it| rule(it).limit = 0, "program", "limit"),
    (|it| rule(it).limit = u32::MAX, "program", "limit"),
    (
        |it| rule(it).sale_quantity_max = 0,
        "program",
        "largest sale",
    ),
    (
        |it| rule(it).window = Some(Window::RollingDays(RollingDays { days: 32 })),
        "program",
        "window",
    ),
    (
        |it| {
            rule(it).window = Some(Window::FixedDates(FixedDates {
                first: "2020-03-08".to_owned(),
                last: "2020-03-06".to_owned(),
            }));
        },
        "program",
        "window",
    ),
    (
        |it| {
            rule(it).window = Some(Window::FixedDates(FixedDates {
                first: "soon".to_owned(),
                last: "later".to_owned(),
            }));
        },
        "program",
        "date",
    ),
    (|it| rule(it).effective_from_ms = -1, "program", "calendar"),
    (
        |it| another(it, |rule| rule.id = "first".to_owned()),
        "program",
        "twice",
    ),
    (
        |it| another(it, |rule| rule.effective_from_ms -= 2000),
        "program",
        "another",
    ),
    (|it| rule(it).state = 7, "program", "state"),
    (
        |it| {
            rule(it).rotation = Some(Rotation {
                digit: 1,
                days: vec![RotationDay {
                    weekday: 8,
                    digits: vec![1],
                }],
                holidays_open: false,
            });
        },
        "program",
        "weekday",
    ),
    (
        |it| {
            rule(it).rotation = Some(Rotation {
                digit: 1,
                days: vec![RotationDay {
                    weekday: 1,
                    digits: vec![10],
                }],
                holidays_open: false,
            });
        },
        "program",
        "digit",
    ),
    (
        |it| {
            let soap = Product {
                id: "soap".to_owned(),
                name: "Soap".to_owned(),
            };
            it.products = vec![soap.clone(), soap];
        },
        "program",
        "soap is listed twice",
    ),
    (
        |it| it.holidays = vec!["2020-02-30".to_owned()],
        "program",
        "holiday",
    ),
    (
        |it| it.holidays = vec!["2020-05-05".to_owned(); 2],
        "program",
        "2020-05-05 is listed twice",
    ),
];

/// What the program that is in force may not become.
const NO_SUCCESSOR: [(Spoil, &str); 5] = [
    (
        |it| it.time_zone = "Asia/Taipei".to_owned(),
        "time zone of a program cannot change",
    ),
    (
        |it| {
            it.products = vec![Product {
                id: "soap".to_owned(),
                name: "Soap".to_owned(),
            }];
        },
        "first product of a program cannot change",
    ),
    (
        |it| rule(it).id = "renamed".to_owned(),
        "rule harness cannot be removed",
    ),
    (
        |it| rule(it).window = Some(Window::RollingDays(RollingDays { days: 7 })),
        "window of rule harness cannot change",
    ),
    // In force already: too late to reach every shard first.
    (|it| rule(it).limit += 1, "--now"),
];

pub(crate) async fn broken_laws(cluster: &Cluster) -> anyhow::Result<()> {
    let mut client = operator(cluster).await?;
    let before = client.list_programs(ListProgramsRequest {}).await?;
    let before = before.into_inner().programs;
    let put = |program, expected_version| PutProgramRequest {
        program,
        expected_version,
        immediate: false,
    };
    let mut refused = async |request: PutProgramRequest, field: &str, words: &str| {
        let shown = format!("{request:?}");
        let error = client.put_program(request).await;
        let error = error.err().with_context(|| shown)?;
        expect(&error, InvalidField, Some(field), "");
        let said = error.message().to_owned();
        ensure!(said.contains(words), "{said:?} does not say {words:?}");
        anyhow::Ok(())
    };
    refused(put(None, 0), "program", "required").await?;
    for (spoil, field, words) in UNLAWFUL {
        let mut program = Program {
            id: "fresh".to_owned(),
            time_zone: "Asia/Seoul".to_owned(),
            rules: vec![RuleVersion {
                id: "first".to_owned(),
                effective_from_ms: 1_577_836_800_000,
                limit: 2,
                sale_quantity_max: 2,
                window: Some(Window::CalendarWeek(CalendarWeek {})),
                ..RuleVersion::default()
            }],
            ..Program::default()
        };
        spoil(&mut program);
        refused(put(Some(program), 0), field, words).await?;
    }
    let ration = before.iter().find(|program| program.id == RATION);
    let ration = ration.context("the program is not listed")?;
    for (spoil, words) in NO_SUCCESSOR {
        let mut program = ration.clone();
        spoil(&mut program);
        refused(put(Some(program), 0), "program", words).await?;
    }
    let mut newer = ration.clone();
    another(&mut newer, |rule| {
        rule.effective_from_ms = 4_000_000_000_000
    });
    let behind = put(Some(newer), ration.version + 7);
    refused(behind, "program", "look at it again").await?;

    let after = client.list_programs(ListProgramsRequest {}).await?;
    ensure!(
        after.into_inner().programs == before,
        "a refused program changed something"
    );
    Ok(())
}

/// Lines of the sample file, what they become, and the words that must be said.
const FILE_FAULTS: [(&str, &str, &str); 13] = [
    (
        "largest_sale: 2",
        "largest_sales: 2",
        "did you mean `largest_sale`?",
    ),
    ("limit: 2", "limit: two", "faulty.yaml:"),
    ("limit: 2", "limit: 0", "rule 2020-03-09: the limit"),
    ("limit: 2", "limit: -1", "faulty.yaml:"),
    ("    limit: 2\n", "", "rule 2020-03-09: `limit` is missing"),
    ("Asia/Seoul", "Asia/Nowhere", "`time_zone`"),
    ("id: mask", "id: NO PROGRAM!", "`id`"),
    ("2020-03-09T00:00", "9 March", "`from`"),
    ("2020-04-27T00:00", "2020-03-08T00:00", "rule 2020-04-27"),
    ("visit: split", "visit: often", "faulty.yaml:"),
    ("visit: split", "visit: [", "faulty.yaml:"),
    (
        "window: calendar-week",
        "window: {rolling_days: 32}",
        "rule 2020-03-09: the window",
    ),
    (
        "window: calendar-week",
        "window: {dates: {first: 2020-03-08, last: 2020-03-06}}",
        "rule 2020-03-09: the window",
    ),
];

pub(crate) fn wrong_files(cluster: &Cluster) -> anyhow::Result<()> {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config/program.yaml");
    let sample = fs::read_to_string(sample)?;
    let cli = cluster.cli();
    let file = cluster.path("faulty.yaml");
    let path = file.to_string_lossy().into_owned();
    let mut texts = vec![
        (String::new(), "faulty.yaml"),
        ("- a\n- b\n".to_owned(), "faulty.yaml"),
        (
            "id: mask\ntime_zone: Asia/Seoul\nrules: []\n".to_owned(),
            "1 to 64 rules",
        ),
    ];
    for (from, to, words) in FILE_FAULTS {
        let faulty = sample.replacen(from, to, 1);
        ensure!(faulty != sample, "the sample has no {from:?}");
        texts.push((faulty, words));
    }
    for (text, words) in texts {
        fs::write(&file, &text)?;
        let said = cli.complaint(2, &["admin", "program", "validate", &path])?;
        for part in [words, "faulty.yaml"] {
            ensure!(said.contains(part), "{said:?} does not say {part:?}");
        }
    }
    // What does not validate is not sent either.
    let said = cli.complaint(2, &["admin", "program", "apply", &path])?;
    ensure!(said.contains("faulty.yaml"), "{said}");
    fs::write(&file, [0xff, 0xfe, 0x00])?;
    let said = cli.complaint(2, &["admin", "program", "validate", &path])?;
    ensure!(said.contains("faulty.yaml"), "{said}");
    let missing = cluster.path("missing.yaml");
    let missing = missing.to_string_lossy().into_owned();
    let said = cli.complaint(2, &["admin", "program", "validate", &missing])?;
    ensure!(said.contains("cannot read"), "{said}");
    Ok(())
}
