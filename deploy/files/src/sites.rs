//! A file of sites, read row by row: what is right is kept, what is wrong is listed by its line.
//!
//! Real files are messy: spaces at both ends and doubled inside, no coordinates, no province. That is
//! cleaned, not refused. Refused is what would make the site unusable: no code, no kind, half a place.

use std::{collections::HashMap, io};

use csv::StringRecord;
use quorate_client::model::Site;
use quorate_gateway::region_of;
use quorate_proto::ids::{SiteCode, SiteType};
use serde::Serialize;

/// The columns that the head must name, in any order; others are ignored.
pub const COLUMNS: [&str; 6] = ["addr", "code", "latitude", "longitude", "name", "type"];

/// Longest name and address, bytes; what gateways accept.
const NAME_BYTES_MAX: usize = 256;
const ADDRESS_BYTES_MAX: usize = 512;

/// The sites of a file, and the rows that are none.
#[derive(Debug)]
pub struct SitesFile {
    /// In the order of the file, each code once.
    pub sites: Vec<Site>,
    /// What was left out.
    pub bad_rows: Vec<BadRow>,
}

/// A row that was left out.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Line of the file at which the row begins; the head is line 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: String,
}

/// Why a file is none of sites.
#[derive(Debug, thiserror::Error)]
pub enum NoSites {
    /// As CSV.
    #[error("it cannot be read")]
    Unreadable(#[from] csv::Error),
    /// The head lacks one of [`COLUMNS`].
    #[error("there is no column `{0}`")]
    NoColumn(&'static str),
}

impl SitesFile {
    /// Sites of which no place is known.
    #[must_use]
    pub fn without_coordinates(&self) -> usize {
        let without = |site: &&Site| site.coordinates.is_none();
        self.sites.iter().filter(without).count()
    }

    /// Sites whose address names no province that is known.
    #[must_use]
    pub fn without_region(&self) -> usize {
        let without = |site: &&Site| site.region.is_empty();
        self.sites.iter().filter(without).count()
    }
}

/// Reads a whole file.
///
/// # Errors
/// It cannot be read, or its head lacks a column.
pub fn read(file: impl io::Read) -> Result<SitesFile, NoSites> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let columns = columns(reader.headers()?).map_err(NoSites::NoColumn)?;
    let mut file = SitesFile {
        sites: Vec::new(),
        bad_rows: Vec::new(),
    };
    let mut lines_by_code = HashMap::new();
    let mut row = StringRecord::new();
    loop {
        let line = reader.position().line();
        let site = match reader.read_record(&mut row) {
            Ok(false) => return Ok(file),
            Ok(true) => parse_row(&row, &columns),
            Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                Err("the row is not UTF-8".to_owned())
            }
            Err(error) => return Err(error.into()),
        };
        // Blank lines before a row are not part of it.
        let line = row.position().map_or(line, csv::Position::line);
        let site = site.and_then(|site| match lines_by_code.insert(site.code, line) {
            None => Ok(site),
            Some(before) => {
                lines_by_code.insert(site.code, before);
                Err(format!("code {} is already on line {before}", site.code))
            }
        });
        match site {
            Ok(site) => file.sites.push(site),
            Err(fault) => file.bad_rows.push(BadRow { line, fault }),
        }
    }
}

/// Where each of [`COLUMNS`] is; others are ignored.
fn columns(head: &StringRecord) -> Result<[usize; COLUMNS.len()], &'static str> {
    let mut indices = [0; COLUMNS.len()];
    for (index, column) in indices.iter_mut().zip(COLUMNS) {
        // A spreadsheet may have put a byte order mark in front.
        let is_it = |name: &str| name.trim_start_matches('\u{feff}').trim() == column;
        *index = head.iter().position(is_it).ok_or(column)?;
    }
    Ok(indices)
}

fn parse_row(row: &StringRecord, columns: &[usize; COLUMNS.len()]) -> Result<Site, String> {
    let [address, code, latitude, longitude, name, kind] =
        columns.map(|column| row.get(column).map(str::trim));
    let missing = |column: &str| format!("the row ends before `{column}`");
    let code = code.ok_or_else(|| missing("code"))?;
    let kind = kind.ok_or_else(|| missing("type"))?;
    let latitude = latitude.ok_or_else(|| missing("latitude"))?;
    let longitude = longitude.ok_or_else(|| missing("longitude"))?;
    let name = tidy(name.ok_or_else(|| missing("name"))?);
    let address = tidy(address.ok_or_else(|| missing("addr"))?);
    for (column, text, bytes_max) in [
        ("name", &name, NAME_BYTES_MAX),
        ("addr", &address, ADDRESS_BYTES_MAX),
    ] {
        if text.is_empty() {
            return Err(format!("`{column}` is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("`{column}` holds a control character"));
        }
        if text.len() > bytes_max {
            return Err(format!("`{column}` is longer than {bytes_max} bytes"));
        }
    }
    Ok(Site {
        code: SiteCode::parse(code).map_err(|error| format!("`code`: {error}"))?,
        site_type: SiteType::parse(kind).map_err(|error| format!("`type`: {error}"))?,
        coordinates: coordinates(latitude, longitude)?,
        region: region_of(&address).to_owned(),
        name,
        address,
    })
}

/// Without spaces at the ends or doubled, and without a comma left over at the end.
fn tidy(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches([',', ' ']).to_owned()
}

/// WGS 84 degrees; both or neither.
fn coordinates(latitude: &str, longitude: &str) -> Result<Option<(f64, f64)>, String> {
    match (latitude.is_empty(), longitude.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some((
            degrees("latitude", latitude, 90.0)?,
            degrees("longitude", longitude, 180.0)?,
        ))),
        (true, false) => Err("`latitude` is empty and `longitude` is not".to_owned()),
        (false, true) => Err("`longitude` is empty and `latitude` is not".to_owned()),
    }
}

fn degrees(column: &str, text: &str, max: f64) -> Result<f64, String> {
    let value: f64 = text
        .parse()
        .map_err(|_| format!("`{column}` is no number"))?;
    if value.is_finite() && value.abs() <= max {
        Ok(value)
    } else {
        Err(format!("`{column}` is beyond {max} degrees"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const HEAD: &str = "addr,code,latitude,longitude,name,type\n";

    fn parse_text(text: &str) -> SitesFile {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_messy_row_is_cleaned() {
        let text = format!(
            "{HEAD}\" 경북  고령군 쌍림면 대가야로 608 ,\",5038300744,35.6791963,128.2422529,고령쌍림우체국,02\n"
        );
        let file = parse_text(&text);
        assert!(file.bad_rows.is_empty());
        let site = &file.sites[0];
        assert_eq!(site.address, "경북 고령군 쌍림면 대가야로 608");
        assert_eq!(site.region, "경상북도");
        assert_eq!(site.site_type, SiteType::POST_OFFICE);
        assert_eq!(site.coordinates, Some((35.6791963, 128.2422529)));
    }

    #[test]
    fn a_site_without_coordinates_is_a_site() {
        let file = parse_text(&format!("{HEAD}서울특별시 중구,1,,,가나약국,01\n"));
        assert_eq!(file.sites[0].coordinates, None);
        assert_eq!(file.without_coordinates(), 1);
    }

    #[test]
    fn bad_rows_are_listed_by_line_and_left_out() {
        let text = format!(
            "{HEAD}a,1,,,one,01\n\
             a,2 3,,,space,01\n\
             a,,,,nothing,01\n\
             a,4,,,kind,1\n\
             a,5,35.1,,half,01\n\
             a,6,x,128,letters,01\n\
             a,7,91,128,far,01\n\
             a,8,,,,01\n\
             a,1,,,again,01\n\
             a,9\n\
             a,10,NaN,128,none,01\n\
             a,12,,,be\u{7}ll,01\n\
             ,13,,,nowhere,01\n\
             \n\
             a,11,,,last,03\n"
        );
        let file = parse_text(&text);
        let codes: Vec<_> = file
            .sites
            .iter()
            .map(|site| site.code.to_string())
            .collect();
        assert_eq!(codes, ["1", "11"]);
        let bad: Vec<_> = file
            .bad_rows
            .iter()
            .map(|row| (row.line, row.fault.as_str()))
            .collect();
        let lines: Vec<_> = bad.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(bad[7].1, "code 1 is already on line 2");
        assert_eq!(bad[8].1, "the row ends before `type`");
        assert!(bad[3].1.contains("`longitude` is empty"), "{bad:?}");
    }

    #[test]
    fn a_row_over_several_lines_is_named_by_its_first() {
        let text = format!("{HEAD}\"a\nb\",1,,,one,01\na,!,,,two,01\n");
        let file = parse_text(&text);
        assert_eq!(file.sites[0].address, "a b");
        assert_eq!(file.bad_rows[0].line, 4);
    }

    #[test]
    fn what_is_not_utf8_is_one_bad_row() {
        let mut bytes = HEAD.as_bytes().to_vec();
        bytes.extend(b"a,1,,,\xff\xfe,01\na,2,,,two,01\n");
        let file = read(&bytes[..]).unwrap();
        assert_eq!(file.sites.len(), 1);
        assert_eq!(file.bad_rows[0].fault, "the row is not UTF-8");
        assert_eq!(file.bad_rows[0].line, 2);
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = read(&b"addr,code,lat,longitude,name,type\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "there is no column `latitude`");
    }

    #[test]
    fn columns_may_come_in_any_order() {
        let text = "\u{feff}type,name,code,addr,extra,latitude,longitude\n01,one,7,a,?,,\n";
        assert_eq!(parse_text(text).sites[0].code.as_str(), "7");
    }
}
