//! Identifiers that are plain numbers.

use std::fmt;

use thiserror::Error;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// Wraps the number.
            #[must_use]
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// A physical node, as its operator numbered it. It keeps its number when its disk is replaced.
    NodeId(u64)
}
number_id! {
    /// A shard: one Raft group. [`ShardId::SYSTEM`] is the system shard, data shards count from 1.
    ShardId(u32)
}
number_id! {
    /// One replica of one shard. Never reused within its shard, not even after a lost disk: reuse can
    /// split the brain.
    ReplicaId(u64)
}
number_id! {
    /// Generation of a shard's range. 0: no range adopted yet, or, in a command, any epoch.
    Epoch(u64)
}
number_id! {
    /// A point on the 64-bit hash ring.
    RingPosition(u64)
}

impl ShardId {
    /// The shard that holds the cluster view; it owns no part of the ring.
    pub const SYSTEM: Self = Self(0);

    /// Whether this is the system shard.
    #[must_use]
    pub const fn is_system(self) -> bool {
        self.0 == Self::SYSTEM.0
    }
}

impl Default for Epoch {
    /// No range adopted yet.
    fn default() -> Self {
        Self(0)
    }
}

/// A class of sites: 1 pharmacy, 2 post office, 3 mart. Written with two digits: "01".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteType(u8);

impl SiteType {
    /// Pharmacies.
    pub const PHARMACY: Self = Self(1);
    /// Post offices.
    pub const POST_OFFICE: Self = Self(2);
    /// Marts.
    pub const MART: Self = Self(3);

    /// Reads the two digits.
    ///
    /// # Errors
    /// The text is not two ASCII digits, or is "00".
    pub fn parse(text: &str) -> Result<Self, SiteTypeError> {
        match text.as_bytes() {
            [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                Self::try_from(u32::from((tens - b'0') * 10 + (ones - b'0')))
            }
            _ => Err(SiteTypeError::NotTwoDigits),
        }
    }

    /// The number, 1 to 99.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u32> for SiteType {
    type Error = SiteTypeError;

    fn try_from(number: u32) -> Result<Self, SiteTypeError> {
        match u8::try_from(number) {
            Ok(number @ 1..=99) => Ok(Self(number)),
            _ => Err(SiteTypeError::OutOfRange),
        }
    }
}

impl fmt::Display for SiteType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// Why something is not a [`SiteType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SiteTypeError {
    /// The text has another shape.
    #[error("a site type is written with two digits")]
    NotTwoDigits,
    /// The number is not one of 1 to 99.
    #[error("a site type is a number from 1 to 99")]
    OutOfRange,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn site_types_read_and_print_two_digits() {
        assert_eq!(SiteType::parse("01"), Ok(SiteType::PHARMACY));
        assert_eq!(SiteType::parse("99").unwrap().to_string(), "99");
        assert_eq!(SiteType::MART.to_string(), "03");
        assert_eq!(SiteType::parse("00"), Err(SiteTypeError::OutOfRange));
        for text in ["", "1", "001", "a1", "+1", "１"] {
            assert_eq!(SiteType::parse(text), Err(SiteTypeError::NotTwoDigits));
        }
        assert_eq!(SiteType::try_from(100), Err(SiteTypeError::OutOfRange));
        assert_eq!(SiteType::try_from(257), Err(SiteTypeError::OutOfRange));
    }

    #[test]
    fn numbers_print_as_numbers() {
        assert_eq!(NodeId(7).to_string(), "7");
        assert!(ShardId(0).is_system() && !ShardId(1).is_system());
    }
}
