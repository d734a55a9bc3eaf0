//! One dated version of a ration's rule, as policy wrote it.
//!
//! Every part is a value that was checked when its [`super::Program`] was made. Deliberately absent:
//! deciding by it, which is [`super::judge`]'s.

use jiff::civil::Date;
use quorate_proto::ids::{GroundId, RuleId, SiteType};

/// One rule version: in force from its instant until that of the next active one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Names the version.
    pub id: RuleId,
    /// Unix milliseconds.
    pub effective_from_ms: i64,
    /// Units a person may take in one window.
    pub limit: u32,
    /// Largest quantity of one sale.
    pub sale_quantity_max: u32,
    /// Over which time sales add up.
    pub window: WindowKind,
    /// Other limits by year of birth; the first that fits.
    pub birth_year_limits: Vec<BirthYearLimit>,
    /// Whose day it is; `None`: everybody's, every day.
    pub rotation: Option<Rotation>,
    /// One sale in a window, or any number within the limit.
    pub single_visit: bool,
    /// Which classes of site may sell; empty: all.
    pub site_types: Vec<SiteType>,
    /// On what grounds somebody may buy for another; empty: nobody may.
    pub proxies: Vec<ProxyGround>,
    /// The buyer's day counts as well as the recipient's.
    pub proxy_either_day: bool,
    /// Whether it is enforced.
    pub state: RuleState,
    /// No sales at all: the end of a program, or a pause.
    pub closed: bool,
}

/// Whether a rule is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// In force from its instant.
    Active,
    /// Evaluated and counted, never enforced.
    Shadow,
    /// Listed because answers were given by it; never in force again.
    Withdrawn,
}

/// Over which time sales add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    /// Monday 00:00 to Sunday 24:00 in the program's time zone.
    CalendarWeek,
    /// The day of the sale and the days before it, this many together, in the program's time zone.
    RollingDays(u8),
    /// One window, both local dates inclusive; outside it the program is closed.
    FixedDates {
        /// First day.
        first: Date,
        /// Last day.
        last: Date,
    },
}

/// Years of birth, inclusive; `None`: open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BirthYears {
    /// First year.
    pub first: Option<u16>,
    /// Last year.
    pub last: Option<u16>,
}

impl BirthYears {
    /// Whether the year lies inside.
    #[must_use]
    pub fn contains(self, year: u16) -> bool {
        self.first.is_none_or(|first| first <= year) && self.last.is_none_or(|last| year <= last)
    }
}

/// Another limit for some years of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BirthYearLimit {
    /// For whom.
    pub born: BirthYears,
    /// Units a person may take in one window.
    pub limit: u32,
}

/// On what ground somebody may buy for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyGround {
    /// Names the ground. Several entries may share it.
    pub id: GroundId,
    /// The recipient's year of birth.
    pub born: BirthYears,
    /// Who may buy and with what papers, for the clerk.
    pub note: String,
}

/// Which digit tells a person's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationDigit {
    /// The last digit of the full year of birth.
    BirthYear,
    /// The last digit of the ID.
    Id,
}

/// Whose day it is, by weekday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Which digit counts.
    pub digit: RotationDigit,
    /// Whose day it is, from Monday to Sunday.
    pub days: [Digits; 7],
    /// The program's holidays are open to everybody.
    pub holidays_open: bool,
}

/// Some of the ten digits. Never none: a day that is nobody's is a closed rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits(u16);

impl Digits {
    /// All ten: an open day.
    pub const ALL: Self = Self(0x3ff);

    /// These digits; `None` if there are none, one is listed twice, or one is above 9.
    #[must_use]
    pub fn new(digits: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut set = 0;
        for digit in digits {
            let bit = (digit <= 9).then(|| 1_u16 << digit)?;
            if set & bit != 0 {
                return None;
            }
            set |= bit;
        }
        (set != 0).then_some(Self(set))
    }

    /// Whether the digit is one of them.
    #[must_use]
    pub fn contains(self, digit: u8) -> bool {
        digit <= 9 && self.0 & (1 << digit) != 0
    }

    /// The digits, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=9).filter(move |digit| self.contains(*digit))
    }
}
