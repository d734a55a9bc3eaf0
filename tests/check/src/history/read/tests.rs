#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    facts::{Fact, Replica, Shelf, Totals},
    generate::{self, Options},
    history::Reason,
    rules::BirthYearLimit,
};

fn read(text: &[u8]) -> Result<History, HistoryError> {
    History::read(text, 2)
}

/// A short history with everything in it.
fn sample() -> History {
    let mut options = Options::new(7, 600);
    options.rules.rules[0]
        .birth_year_limits
        .push(BirthYearLimit {
            first: Some(2002),
            last: None,
            limit: 15,
        });
    options.rules.rules[0].may_deny = Some(vec![Reason::SiteSuspended]);
    let mut history = generate::generate(&options);
    let listed = history
        .records
        .iter()
        .filter_map(|record| record.reply.purchases());
    let listed = listed.flatten().copied().take(3).collect();
    history.facts.extend([
        Fact::Shelf(Shelf {
            site: "12345678".to_owned(),
            clients: vec![0, 3],
            listed,
            ..Shelf::default()
        }),
        Fact::Totals(Totals::default()),
        Fact::Replica(Replica {
            shard: 1,
            node: 2,
            index: 3,
            digest: "00ff".to_owned(),
        }),
    ]);
    history
}

#[test]
fn a_history_survives_its_file() {
    let history = sample();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.jsonl");
    history.save(&path).unwrap();
    assert_eq!(History::load(&path).unwrap(), history);
    assert_eq!(std::fs::read(&path).unwrap(), history.to_text());
}

#[test]
fn records_stand_where_their_lines_are_said_to_be() {
    let history = sample();
    let text = String::from_utf8(history.to_text()).unwrap();
    for (at, record) in history.records.iter().enumerate() {
        let line = text.lines().nth(History::line_of(at) - 1).unwrap();
        assert_eq!(serde_json::from_str::<Record>(line).unwrap(), *record);
    }
}

/// The example of `docs/history.md`, as it stands there.
#[test]
fn the_documented_example_is_read_and_lawful() {
    let doc = include_str!("../../../../../docs/history.md");
    let (_, rest) = doc.split_once("```jsonl\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let history = read(example.as_bytes()).unwrap();
    assert!(history.records.len() > 5 && history.facts.len() > 2);
    crate::check(&history).assert_clean();
}

#[test]
fn errors_name_line_and_field() {
    let text = String::from_utf8(sample().to_text()).unwrap();
    let first = text.lines().next().unwrap();
    let with = |line: &str| format!("{first}\n{}\n{line}\n", text.lines().nth(1).unwrap());
    let cases = [
        (
            with(r#"{"client":1,"start_us":"x"}"#),
            "line 3: ",
            "start_us",
        ),
        (
            with(
                r#"{"client":1,"start_us":1,"end_us":2,"citizen":3,"call":{"sell":{"request":"no","quantity":1}},"reply":{}}"#,
            ),
            "line 3: ",
            "call.sell.request",
        ),
        (
            with(r#"{"client":1,"colour":2}"#),
            "line 3: unknown field `colour`",
            "colour",
        ),
        (
            with(r#"{"client":1}"#),
            "line 3: missing field `start_us`",
            ".",
        ),
        (
            with(r#"{"totals":{"grants":-1}}"#),
            "line 3: ",
            "totals.grants",
        ),
        (with("nonsense"), "line 3: ", "."),
        (
            with(&"x".repeat(limits::LINE_BYTES_MAX + 1)),
            "line 3 is longer",
            "",
        ),
        (r#"{"history":2,"rules":[]}"#.to_owned(), "format 2", ""),
        (
            r#"{"history":1}"#.to_owned(),
            "line 1: missing field `rules`",
            ".",
        ),
        (String::new(), "empty", ""),
        (
            r#"{"history":1,"time_zone":"Asia/Nowhere","rules":[]}"#.to_owned(),
            "line 1: there is no time zone",
            "",
        ),
        (
            with(
                r#"{"totals":{"grants":0,"units_granted":0,"slips":0,"units_on_slips":0,"voids":0,"units_voided":0}}"#,
            ) + text.lines().nth(1).unwrap(),
            "line 4: a record behind a fact",
            "",
        ),
    ];
    for (text, says, field) in cases {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(
            field.is_empty() || error.ends_with(&format!("(at `{field}`)")),
            "{error}"
        );
    }
}

/// Blocks end in the middle of lines; the result is that of one block.
#[test]
fn many_small_reads_are_one_history() {
    struct Trickle<'a>(&'a [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(to.len()).min(777);
            to[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let mut history = generate::generate(&Options::new(3, 30_000));
    let text = history.to_text();
    assert!(text.len() > 2 * limits::BLOCK_BYTES, "several blocks");
    assert_eq!(History::read(Trickle(&text), 2).unwrap(), history);
    // The last line may lack its end.
    let unended = &text[..text.len() - 1];
    assert_eq!(read(unended).unwrap(), history);
    let cut = text.len() - 40;
    let line = history.records.len() + 1;
    let error = read(&text[..cut]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("line {line}: ")), "{error}");
    history.records.clear();
    assert_eq!(read(&history.to_text()).unwrap(), history);
}
