//! The levels of stock that the public sees, and where they begin and end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A level as the public answers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 100 units or more.
    Plenty,
    /// 30 to 99.
    #[serde(rename = "some")]
    Several,
    /// 2 to 29.
    Few,
    /// None, or one.
    Empty,
    /// The site has stopped its sale, whatever it holds.
    Break,
}

impl Level {
    /// Every level, from the highest.
    pub const ALL: [Self; 5] = [
        Self::Plenty,
        Self::Several,
        Self::Few,
        Self::Empty,
        Self::Break,
    ];

    /// What a site shows that sells.
    #[must_use]
    pub const fn of(available: u32) -> Self {
        match available {
            100.. => Self::Plenty,
            30..=99 => Self::Several,
            2..=29 => Self::Few,
            0..=1 => Self::Empty,
        }
    }

    /// The fewest units at which it is shown; 0 for a break.
    #[must_use]
    pub const fn least(self) -> u32 {
        match self {
            Self::Plenty => 100,
            Self::Several => 30,
            Self::Few => 2,
            Self::Empty | Self::Break => 0,
        }
    }

    /// The name in public answers and in the columns of a record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plenty => "plenty",
            Self::Several => "some",
            Self::Few => "few",
            Self::Empty => "empty",
            Self::Break => "break",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_begins_at_its_least() {
        for level in [Level::Plenty, Level::Several, Level::Few, Level::Empty] {
            assert_eq!(Level::of(level.least()), level);
            if level.least() > 0 {
                assert_ne!(Level::of(level.least() - 1), level);
            }
        }
    }

    #[test]
    fn names_are_those_of_the_answers() {
        for level in Level::ALL {
            let json = serde_json::to_value(level).expect("a level is text");
            assert_eq!(json, level.name());
        }
    }
}
