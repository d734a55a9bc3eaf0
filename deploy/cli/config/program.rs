//! A ration program as an operator writes it: a YAML file.
//!
//! Invariant: what is read here has passed the laws that the cluster checks, so that a file that validates
//! is refused for its instants only.

use std::{fs, path::Path};

use jiff::{
    civil::{Date, DateTime},
    tz::TimeZoneDatabase,
};
use quorate_core::ledger::{
    BirthYearLimit, BirthYears, Digits, Product, Program, ProgramDraft, ProxyGround, Rotation,
    RotationDigit, Rule, RuleState, WindowKind,
};
use quorate_proto::ids::{GroundId, ProductId, ProgramId, RuleId, SiteType};
use serde::Deserialize;

use super::ConfigError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramFile {
    /// At most 32 lower-case letters, digits and '-'.
    id: String,
    /// IANA name of the zone that its days are of.
    time_zone: String,
    /// The first is meant where none is named.
    #[serde(default)]
    products: Vec<ProductEntry>,
    #[serde(default)]
    holidays: Vec<String>,
    rules: Vec<RuleEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductEntry {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    /// Named in every verdict.
    id: String,
    /// On the clocks of the time zone: "2020-03-09T00:00".
    from: String,
    /// Units a person may take in one window.
    limit: Option<u32>,
    /// Others, by year of birth.
    #[serde(default)]
    limits: Vec<LimitEntry>,
    /// Largest quantity of one sale.
    largest_sale: Option<u32>,
    window: Option<WindowEntry>,
    #[serde(default)]
    visit: Visit,
    rotation: Option<RotationEntry>,
    /// Empty: all.
    #[serde(default)]
    site_types: Vec<String>,
    #[serde(default)]
    proxies: Vec<ProxyEntry>,
    #[serde(default)]
    proxy_day: ProxyDay,
    #[serde(default)]
    state: State,
    #[serde(default)]
    closed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitEntry {
    /// "2002..", "..1940", "2002..2009" or "1987".
    born: String,
    limit: u32,
}

#[derive(Debug, Deserialize)]
enum WindowEntry {
    #[serde(rename = "calendar-week")]
    CalendarWeek,
    #[serde(rename = "rolling_days")]
    RollingDays(u8),
    #[serde(rename = "dates")]
    Dates(DatesEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatesEntry {
    first: String,
    last: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Visit {
    Single,
    #[default]
    Split,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum ProxyDay {
    #[default]
    Recipient,
    Either,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    #[default]
    Active,
    Shadow,
    Withdrawn,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationEntry {
    digit: DigitEntry,
    #[serde(default)]
    holidays_open: bool,
    days: DaysEntry,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DigitEntry {
    BirthYear,
    Id,
}

/// Days that are left out are open to everybody.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DaysEntry {
    mon: Option<Vec<u32>>,
    tue: Option<Vec<u32>>,
    wed: Option<Vec<u32>>,
    thu: Option<Vec<u32>>,
    fri: Option<Vec<u32>>,
    sat: Option<Vec<u32>>,
    sun: Option<Vec<u32>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyEntry {
    ground: String,
    /// Of the recipient; left out: any year.
    born: Option<String>,
    #[serde(default)]
    note: String,
}

/// Reads a program and checks its laws.
///
/// # Errors
/// Names the file, and the line or the rule.
pub(crate) fn load(path: &Path) -> Result<Program, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

/// Reads the text of a program file.
///
/// # Errors
/// Names the file, and the line or the rule.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Program, ConfigError> {
    let file: ProgramFile =
        serde_saphyr::from_str(text).map_err(|error| syntax_fault(path, &error))?;
    to_program(file).map_err(|message| ConfigError::Invalid {
        path: path.to_owned(),
        message,
    })
}

fn syntax_fault(path: &Path, error: &serde_saphyr::Error) -> ConfigError {
    let line = error.location();
    let line = line.and_then(|location| usize::try_from(location.line()).ok());
    match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField {
            field, expected, ..
        } => {
            let valid = expected.iter().map(|key| (*key).to_owned()).collect();
            ConfigError::unknown_key(path, line, field.clone(), valid)
        }
        other => {
            let message = other.to_string();
            // The position is said apart.
            let message = message.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or_default();
            ConfigError::fault(path, line, message)
        }
    }
}

fn to_program(file: ProgramFile) -> Result<Program, String> {
    let zone = TimeZoneDatabase::bundled()
        .get(&file.time_zone)
        .map_err(|_| {
            format!(
                "`time_zone`: {:?} is no IANA time zone, such as \"Asia/Seoul\"",
                file.time_zone
            )
        })?;
    let products = file.products.into_iter().map(|product| {
        Ok(Product {
            id: ProductId::parse(&product.id)
                .map_err(|error| format!("product {:?}: the id {error}", product.id))?,
            name: product.name,
        })
    });
    let rules = file.rules.into_iter().map(|entry| {
        let id = entry.id.clone();
        rule(entry, &zone).map_err(|why| format!("rule {id}: {why}"))
    });
    let draft = ProgramDraft {
        id: ProgramId::parse(&file.id).map_err(|error| format!("`id`: {error}"))?,
        products: products.collect::<Result<_, String>>()?,
        holidays: file
            .holidays
            .iter()
            .map(|text| date("holidays", text))
            .collect::<Result<_, _>>()?,
        rules: rules.collect::<Result<_, String>>()?,
        time_zone: file.time_zone,
        version: 0,
    };
    Program::new(draft).map_err(|law| law.to_string())
}

fn rule(entry: RuleEntry, zone: &jiff::tz::TimeZone) -> Result<Rule, String> {
    let from: DateTime = entry
        .from
        .parse()
        .map_err(|_| "`from` is written as 2020-03-09T00:00".to_owned())?;
    let from = zone
        .to_timestamp(from)
        .map_err(|_| "`from` lies outside the calendar".to_owned())?;
    let needed = |name: &str| format!("`{name}` is missing");
    let open = !entry.closed;
    let number = |number: Option<u32>, name: &str| match number {
        None if open => Err(needed(name)),
        number => Ok(number.unwrap_or_default()),
    };
    let limits = entry.limits.iter().map(|other| {
        Ok(BirthYearLimit {
            born: years(&other.born)?,
            limit: other.limit,
        })
    });
    let site_types = entry.site_types.iter().map(|text| {
        SiteType::parse(text).map_err(|error| format!("`site_types`: {error}, such as \"01\""))
    });
    let proxies = entry.proxies.into_iter().map(|proxy| {
        Ok(ProxyGround {
            id: GroundId::parse(&proxy.ground)
                .map_err(|error| format!("proxy ground {:?} {error}", proxy.ground))?,
            born: proxy
                .born
                .as_deref()
                .map_or(Ok(BirthYears::default()), years)?,
            note: proxy.note,
        })
    });
    Ok(Rule {
        id: RuleId::parse(&entry.id).map_err(|error| format!("the id {error}"))?,
        effective_from_ms: from.as_millisecond(),
        limit: number(entry.limit, "limit")?,
        sale_quantity_max: number(entry.largest_sale, "largest_sale")?,
        window: match entry.window {
            Some(window) => window_kind(&window)?,
            None if open => return Err(needed("window")),
            None => WindowKind::CalendarWeek,
        },
        birth_year_limits: limits.collect::<Result<_, String>>()?,
        rotation: entry.rotation.as_ref().map(rotation).transpose()?,
        single_visit: entry.visit == Visit::Single,
        site_types: site_types.collect::<Result<_, String>>()?,
        proxies: proxies.collect::<Result<_, String>>()?,
        proxy_either_day: entry.proxy_day == ProxyDay::Either,
        state: match entry.state {
            State::Active => RuleState::Active,
            State::Shadow => RuleState::Shadow,
            State::Withdrawn => RuleState::Withdrawn,
        },
        closed: entry.closed,
    })
}

fn window_kind(window: &WindowEntry) -> Result<WindowKind, String> {
    Ok(match window {
        WindowEntry::CalendarWeek => WindowKind::CalendarWeek,
        WindowEntry::RollingDays(days) => WindowKind::RollingDays(*days),
        WindowEntry::Dates(dates) => WindowKind::FixedDates {
            first: date("window", &dates.first)?,
            last: date("window", &dates.last)?,
        },
    })
}

fn rotation(entry: &RotationEntry) -> Result<Rotation, String> {
    let days = &entry.days;
    let listed = [
        &days.mon, &days.tue, &days.wed, &days.thu, &days.fri, &days.sat, &days.sun,
    ];
    let mut digits = [Digits::ALL; 7];
    for (slot, listed) in digits.iter_mut().zip(listed) {
        if let Some(listed) = listed {
            *slot = Digits::new(listed.iter().copied()).ok_or_else(|| {
                "`rotation`: a day lists one or more of the digits 0 to 9, each once".to_owned()
            })?;
        }
    }
    Ok(Rotation {
        digit: match entry.digit {
            DigitEntry::BirthYear => RotationDigit::BirthYear,
            DigitEntry::Id => RotationDigit::Id,
        },
        days: digits,
        holidays_open: entry.holidays_open,
    })
}

/// "2002..", "..1940", "2002..2009" or "1987".
fn years(text: &str) -> Result<BirthYears, String> {
    let wrong = || format!("`born`: {text:?} is not written as 2002.., ..1940, 2002..2009 or 1987");
    let year = |part: &str| match part {
        "" => Ok(None),
        part => match part.parse::<u16>() {
            Ok(year @ 1..) => Ok(Some(year)),
            _ => Err(wrong()),
        },
    };
    match text.split_once("..") {
        Some((first, last)) => Ok(BirthYears {
            first: year(first)?,
            last: year(last)?,
        }),
        None if text.is_empty() => Err(wrong()),
        None => Ok(BirthYears {
            first: year(text)?,
            last: year(text)?,
        }),
    }
}

fn date(field: &str, text: &str) -> Result<Date, String> {
    text.parse()
        .map_err(|_| format!("`{field}`: {text:?} is no date such as 2020-05-05"))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod oracle;
