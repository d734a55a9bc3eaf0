//! The name of a region, held inline: it is part of every sale, and a record holds many.

use std::fmt;

use crate::limits;

/// Province or metropolitan city; empty where it is not known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region {
    bytes: [u8; limits::REGION_BYTES_MAX],
    len: u8,
}

const _: () = assert!(
    limits::REGION_BYTES_MAX <= u8::MAX as usize,
    "the length of a region is kept in one byte"
);

impl Region {
    /// The name, or nothing if it is longer than [`limits::REGION_BYTES_MAX`].
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; limits::REGION_BYTES_MAX];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Self {
            bytes,
            len: name.len() as u8,
        })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a region was made from a text")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_and_bounded() {
        for name in ["", "서울특별시", &"x".repeat(limits::REGION_BYTES_MAX)] {
            let region = Region::new(name);
            assert_eq!(
                region.map(|region| region.to_string()).as_deref(),
                Some(name)
            );
        }
        assert_eq!(Region::new(&"x".repeat(limits::REGION_BYTES_MAX + 1)), None);
        assert_ne!(Region::new("a"), Region::new("a\0"));
    }
}
