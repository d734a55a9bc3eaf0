#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const KR: &str = include_str!("../../../programs/kr-mask-2020.yaml");
const TW: &str = include_str!("../../../programs/tw-mask-2020.yaml");
const SAMPLE: &str = include_str!("../../../config/program.yaml");

fn read(text: &str) -> Result<Program, String> {
    parse(Path::new("p.yaml"), text).map_err(|error| error.to_string())
}

#[test]
fn the_shipped_programs_are_valid() {
    for (text, id, rules) in [
        (KR, "kr-mask-2020", 12),
        (TW, "tw-mask-2020", 4),
        (SAMPLE, "mask", 2),
    ] {
        let program = read(text).unwrap();
        assert_eq!((program.id().as_str(), program.rules().len()), (id, rules));
    }
}

#[test]
fn faults_are_named_with_file_line_and_nearest_key() {
    let broken = |from: &str, to: &str| read(&SAMPLE.replacen(from, to, 1)).unwrap_err();
    let mistyped = broken("largest_sale: 2", "largest_sales: 2");
    assert!(mistyped.starts_with("p.yaml:"), "{mistyped}");
    assert!(
        mistyped.contains("did you mean `largest_sale`?"),
        "{mistyped}"
    );
    for (from, to, words) in [
        ("limit: 2", "limit: two", "p.yaml:"),
        ("    limit: 2\n", "", "rule 2020-03-09: `limit` is missing"),
        ("Asia/Seoul", "Asia/Nowhere", "`time_zone`"),
        ("2020-03-09T00:00", "9 March", "`from`"),
        ("limit: 2", "limit: 0", "rule 2020-03-09: the limit"),
        ("visit: split", "visit: [", "p.yaml:"),
        (
            "window: calendar-week",
            "window: {rolling_days: 32}",
            "rule 2020-03-09: the window",
        ),
    ] {
        let fault = broken(from, to);
        assert!(fault.contains(words), "{fault:?} does not say {words:?}");
    }
}

#[test]
fn years_are_read_as_they_are_written() {
    let born = |first, last| BirthYears { first, last };
    for (text, expected) in [
        ("2002..", born(Some(2002), None)),
        ("..1940", born(None, Some(1940))),
        ("2002..2009", born(Some(2002), Some(2009))),
        ("1987", born(Some(1987), Some(1987))),
    ] {
        assert_eq!(years(text), Ok(expected));
    }
    for text in ["", "soon", "2002-2009", "0..", "70000"] {
        assert!(years(text).is_err(), "{text:?}");
    }
}

/// Names of names of names: a few lines that would unfold to thousands of millions of entries.
const UNFOLDING: &str = "\
a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]
h: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g]
holidays: *h
";

#[test]
fn whatever_a_program_file_holds_it_is_read_in_bounded_memory() {
    let decoder = quorate_battery::Decoder {
        name: "program-yaml",
        read: |bytes| {
            if let Ok(text) = std::str::from_utf8(bytes) {
                drop(parse(Path::new("p.yaml"), text));
            }
        },
        seeds: vec![
            include_bytes!("../../../programs/kr-mask-2020.yaml")[..4_000].to_vec(),
            UNFOLDING.into(),
            "[".repeat(4_000).into(),
        ],
    };
    quorate_battery::battery(&decoder, 4, 500);
}
