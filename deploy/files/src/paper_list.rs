//! A list of sales on paper, typed in as CSV: read, and turned into sales. Pure.
//!
//! Laws: a line that is wrong is named by its number and column and holds up no other; no error repeats any part
//! of an ID; the same line of the same list names the same sale, however often and in whatever order it comes.

use std::{collections::HashMap, io};

use jiff::{civil, tz::TimeZone};
use quorate_client::{
    DeviceKey,
    model::{NationalId, PaperSale},
};
use quorate_proto::ids::{GroundId, ProductId, ProgramId, SiteCode};
use zeroize::Zeroizing;

/// Lines of one file: a counter that wrote every sale of five weeks by hand.
const LINES_MAX: usize = 100_000;

/// The columns, as each language names them.
const COLUMNS: [[&str; 2]; 5] = [
    ["date", "날짜"],
    ["time", "시각"],
    ["id", "주민등록번호"],
    ["quantity", "수량"],
    ["proxy_reason", "대리사유"],
];
const DATE: usize = 0;
const TIME: usize = 1;
const ID: usize = 2;
const QUANTITY: usize = 3;
const PROXY: usize = 4;

/// What every line shares.
#[derive(Debug)]
pub struct ListContext<'a> {
    /// Where it was sold.
    pub site: SiteCode,
    /// The key of the device that hands the list in; it names the sales.
    pub key: &'a DeviceKey,
    /// Of which program.
    pub program: ProgramId,
    /// `None`: the program's first.
    pub product: Option<ProductId>,
    /// Of the IDs.
    pub scheme: &'a str,
    /// In which days and times are written.
    pub zone: &'a TimeZone,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// A list that was read.
#[derive(Debug, Default)]
pub struct PaperList {
    /// By the number of their line in the file, the head being line 1.
    pub sales: Vec<(u64, PaperSale)>,
    /// The others.
    pub bad_lines: Vec<BadLine>,
}

/// A line that is no sale.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BadLine {
    /// The head is line 1.
    pub line: u64,
    /// Empty: the line as a whole.
    pub column: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Reads a list.
///
/// # Errors
/// The head lacks a column, or there are too many lines.
pub fn read(file: impl io::Read, context: &ListContext) -> Result<PaperList, String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(file);
    let head = reader
        .headers()
        .map_err(|_| "the first line cannot be read as CSV in UTF-8".to_owned())?;
    let places = find_columns(head)?;
    let mut list = PaperList::default();
    let mut seen = HashMap::new();
    for (index, record) in reader.into_records().enumerate() {
        if index >= LINES_MAX {
            return Err(format!(
                "more than {LINES_MAX} lines: hand in several files"
            ));
        }
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // The library's words could show what it read.
                let line = error
                    .position()
                    .map_or(index as u64 + 2, csv::Position::line);
                list.bad_lines.push(BadLine {
                    line,
                    column: "",
                    message: "cannot be read as CSV in UTF-8".to_owned(),
                });
                continue;
            }
        };
        let line = record
            .position()
            .map_or(index as u64 + 2, csv::Position::line);
        match sale(&record, &places, context, &mut seen) {
            Ok(sale) => list.sales.push((line, sale)),
            Err((column, message)) => list.bad_lines.push(BadLine {
                line,
                column: COLUMNS[column][0],
                message,
            }),
        }
    }
    Ok(list)
}

fn find_columns(head: &csv::StringRecord) -> Result<[Option<usize>; 5], String> {
    let mut places = [None; 5];
    for (place, names) in places.iter_mut().zip(COLUMNS) {
        *place = head.iter().position(|title| {
            let title = title.trim_start_matches('\u{feff}');
            names.iter().any(|name| title.eq_ignore_ascii_case(name))
        });
    }
    let missing = COLUMNS.iter().zip(&places).take(PROXY);
    let missing: Vec<_> = missing
        .filter(|(_, place)| place.is_none())
        .map(|(names, _)| format!("`{}`", names[0]))
        .collect();
    match missing.is_empty() {
        true => Ok(places),
        false => Err(format!(
            "the first line must name the columns date, time, id, quantity and, if needed, proxy_reason; {} missing",
            missing.join(", ")
        )),
    }
}

fn sale(
    record: &csv::StringRecord,
    places: &[Option<usize>; 5],
    context: &ListContext,
    seen: &mut HashMap<Vec<u8>, u64>,
) -> Result<PaperSale, (usize, String)> {
    let field = |column: usize| {
        let place: Option<usize> = places[column];
        place.and_then(|place| record.get(place)).unwrap_or("")
    };
    let date = read_date(field(DATE)).ok_or_else(|| {
        let message = "a date is written as 2020-03-11";
        (DATE, message.to_owned())
    })?;
    let time: civil::Time = field(TIME).parse().map_err(|_| {
        let message = "a time is written as 09:05 or 09:05:30";
        (TIME, message.to_owned())
    })?;
    let sold_at = date.to_datetime(time).to_zoned(context.zone.clone());
    let sold_at = sold_at.map_err(|_| (DATE, "there is no such day and time".to_owned()))?;
    let citizen = NationalId::new(context.scheme, field(ID));
    citizen
        .check_shape(context.now_ms)
        .map_err(|error| (ID, error.to_string()))?;
    let quantity: u32 = field(QUANTITY).parse().unwrap_or(0);
    if quantity == 0 {
        return Err((
            QUANTITY,
            "a quantity is a whole number, 1 or more".to_owned(),
        ));
    }
    let proxy_ground = match field(PROXY) {
        "" => None,
        ground => Some(GroundId::parse(ground).map_err(|_| {
            let message = "a ground is named as in the rule, such as `family`";
            (PROXY, message.to_owned())
        })?),
    };
    let sold_at_ms = sold_at.timestamp().as_millisecond();
    let digits = Zeroizing::new(field(ID).replace('-', ""));
    let content = Zeroizing::new(
        [
            context.program.as_bytes(),
            b"|",
            context.product.as_ref().map_or(b"", |id| id.as_bytes()),
            b"|",
            &sold_at_ms.to_be_bytes(),
            digits.as_bytes(),
            b"|",
            &quantity.to_be_bytes(),
            field(PROXY).as_bytes(),
        ]
        .concat(),
    );
    // Two equal lines are two sales: the first, and the second, whenever the file is read.
    let nth = seen.entry(hash_of(context, &content)).or_insert(0);
    *nth += 1;
    let parts = [context.site.as_bytes(), &content, &nth.to_be_bytes()];
    Ok(PaperSale {
        request_id: context.key.request_id(&parts),
        sequence: 0,
        citizen,
        program: context.program,
        product: context.product,
        quantity,
        sold_at_ms,
        proxy_ground,
    })
}

/// Remembers that a content was seen without keeping it.
fn hash_of(context: &ListContext, content: &[u8]) -> Vec<u8> {
    context.key.request_id(&[b"seen", content]).get().to_vec()
}

/// 2020-03-11, 2020/03/11 or 2020.03.11.
fn read_date(text: &str) -> Option<civil::Date> {
    text.replace(['/', '.'], "-").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeSet;

    use super::*;

    fn read_text(text: &str) -> Result<PaperList, String> {
        read_bytes(text.as_bytes())
    }

    fn read_bytes(bytes: &[u8]) -> Result<PaperList, String> {
        let zone = TimeZone::get("Asia/Seoul").unwrap();
        read(
            bytes,
            &ListContext {
                site: SiteCode::parse("P-0001").unwrap(),
                key: &DeviceKey::from_seed(&[5; 32]),
                program: ProgramId::parse("mask").unwrap(),
                product: None,
                scheme: NationalId::KR_RRN,
                zone: &zone,
                // 2020-03-15 12:00 in Korea.
                now_ms: 1_584_241_200_000,
            },
        )
    }

    fn ids(list: &PaperList) -> BTreeSet<[u8; 16]> {
        let sales = list.sales.iter();
        sales.map(|(_, sale)| sale.request_id.get()).collect()
    }

    const LINES: [&str; 3] = [
        "2020-03-11,09:05,900101-1234568,2,",
        "2020/03/11,09:05:30,8001011234560,1,family",
        "2020.03.11,09:05,900101-1234568,2,",
    ];

    #[test]
    fn a_list_is_read_in_either_language_and_local_time() {
        for head in [
            "date,time,id,quantity,proxy_reason",
            "\u{feff}날짜,시각,주민등록번호,수량,대리사유",
        ] {
            let list = read_text(&format!("{head}\n{}\n", LINES.join("\n"))).unwrap();
            assert_eq!(list.bad_lines, []);
            let (line, sale) = &list.sales[1];
            assert_eq!((*line, sale.quantity, sale.sequence), (3, 1, 0));
            assert_eq!(sale.sold_at_ms, 1_583_885_130_000);
            assert_eq!(sale.proxy_ground.unwrap().as_str(), "family");
            assert_eq!(list.sales[0].1.proxy_ground, None);
        }
    }

    #[test]
    fn the_same_lines_name_the_same_sales_in_any_order() {
        let head = "date,time,id,quantity";
        let once = read_text(&format!("{head}\n{}\n", LINES.join("\n"))).unwrap();
        let mut reversed = LINES;
        reversed.reverse();
        let again = read_text(&format!("{head}\n{}\n", reversed.join("\n"))).unwrap();
        // The first and the last line are equal, and two sales.
        assert_eq!(ids(&once).len(), 3);
        assert_eq!(ids(&once), ids(&again));
        let other = read_text(&format!("{head}\n{}\n", LINES[0].replace(",2,", ",1,"))).unwrap();
        assert!(ids(&other).is_disjoint(&ids(&once)));
    }

    #[test]
    fn bad_lines_are_named_and_hold_up_no_other() {
        let list = read_text(
            "quantity,id,date,time\n\
             2,900101-1234568,2020-03-11,09:05\n\
             two,900101-1234568,2020-03-11,09:05\n\
             2,901301-1234568,2020-03-11,09:05\n\
             2,900101-1234568,2020-02-30,09:05\n\
             2,900101-1234568,2020-03-11,25:05\n\
             2\n\
             0,900101-1234568,2020-03-11,09:05\n\
             1,900101-1234568,2020-03-11,09:06\n",
        )
        .unwrap();
        assert_eq!(list.sales.len(), 2);
        let faults: Vec<_> = list
            .bad_lines
            .iter()
            .map(|bad| (bad.line, bad.column))
            .collect();
        let expected = [
            (3, "quantity"),
            (4, "id"),
            (5, "date"),
            (6, "time"),
            (7, "date"),
            (8, "quantity"),
        ];
        assert_eq!(faults, expected);
        let said = format!("{:?}", list.bad_lines);
        assert!(
            !said.contains("9013") && !said.contains("1234568"),
            "{said}"
        );
    }

    #[test]
    fn a_head_without_its_columns_is_refused() {
        let error = read_text("date,time\n").err().unwrap();
        assert!(error.contains("`id`, `quantity` missing"), "{error}");
        assert!(read_text("").is_err());
    }
}
