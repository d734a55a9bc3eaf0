//! Identifiers that are short texts of a small alphabet, held inline.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// ASCII text of at most `N` bytes, padded with zeros: comparing the arrays compares the texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Inline<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Inline<N> {
    const FITS: () = assert!(N <= u8::MAX as usize, "the length is kept in one byte");

    fn parse(text: &str, allowed: impl Fn(u8) -> bool) -> Result<Self, TextError> {
        let () = Self::FITS;
        let source = text.as_bytes();
        if source.is_empty() {
            return Err(TextError::Empty);
        }
        if source.len() > N {
            return Err(TextError::TooLong { bytes_max: N });
        }
        if !source.iter().copied().all(allowed) {
            return Err(TextError::Alphabet);
        }
        let mut bytes = [0; N];
        bytes[..source.len()].copy_from_slice(source);
        Ok(Self {
            bytes,
            len: source.len() as u8,
        })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("an inline text holds ASCII only")
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $bytes_max:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Inline<$bytes_max>);

        impl $name {
            /// Longest text, bytes.
            pub const BYTES_MAX: usize = $bytes_max;

            /// Accepts the text if its length and alphabet are right.
            ///
            /// # Errors
            /// Names the fault, never the text.
            pub fn parse(text: &str) -> Result<Self, TextError> {
                Inline::parse(text, $allowed).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The text's bytes, all ASCII.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// The text.
            #[must_use]
            pub fn get(&self) -> &str {
                self.as_str()
            }
        }

        impl TryFrom<&str> for $name {
            type Error = TextError;

            fn try_from(text: &str) -> Result<Self, TextError> {
                Self::parse(text)
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    };
}

text_id! {
    /// Code of a site: 1 to 32 ASCII letters, digits and hyphens.
    SiteCode, 32, |byte| byte.is_ascii_alphanumeric() || byte == b'-'
}
text_id! {
    /// A terminal, unique within its site: 1 to 64 ASCII letters, digits and hyphens.
    DeviceId, 64, |byte| byte.is_ascii_alphanumeric() || byte == b'-'
}
text_id! {
    /// A ration program: 1 to 32 lower-case ASCII letters, digits and hyphens.
    ProgramId, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}
text_id! {
    /// What is rationed by a program and stocked at a site: 1 to 32 lower-case ASCII letters, digits and
    /// hyphens.
    ProductId, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}
text_id! {
    /// On what ground somebody buys for another: 1 to 32 lower-case ASCII letters, digits and hyphens.
    GroundId, 32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}
text_id! {
    /// One dated version of a program's rule: 1 to 32 ASCII letters, digits, hyphens and dots.
    RuleId, 32, |byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

impl From<ProgramId> for ProductId {
    /// The one product of a program that lists none is named as the program.
    fn from(program: ProgramId) -> Self {
        Self(program.0)
    }
}

/// Why a text is not the identifier it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing was given.
    #[error("must not be empty")]
    Empty,
    /// Longer than the identifier may be.
    #[error("must not be longer than {bytes_max} bytes")]
    TooLong {
        /// The longest allowed, bytes.
        bytes_max: usize,
    },
    /// A byte outside the alphabet.
    #[error("holds a character that is not allowed here")]
    Alphabet,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lengths_and_alphabets_are_checked() {
        assert_eq!(
            SiteCode::parse("12345678-A").unwrap().as_str(),
            "12345678-A"
        );
        assert_eq!(SiteCode::parse(""), Err(TextError::Empty));
        assert_eq!(
            SiteCode::parse(&"x".repeat(33)),
            Err(TextError::TooLong { bytes_max: 32 })
        );
        assert_eq!(SiteCode::parse("a b"), Err(TextError::Alphabet));
        assert_eq!(SiteCode::parse("약국"), Err(TextError::Alphabet));
        assert!(DeviceId::parse(&"x".repeat(64)).is_ok());
        assert_eq!(ProgramId::parse("Mask"), Err(TextError::Alphabet));
        assert_eq!(ProgramId::parse("mask-2").unwrap().to_string(), "mask-2");
    }

    #[test]
    fn order_is_that_of_the_texts() {
        let mut texts = ["b", "a", "ab", "a-", "aa", "B"];
        let mut ids = texts.map(|text| SiteCode::parse(text).unwrap());
        texts.sort_unstable();
        ids.sort_unstable();
        assert_eq!(ids.map(|id| id.to_string()), texts.map(str::to_owned));
    }

    #[test]
    fn errors_echo_nothing() {
        let error = SiteCode::parse("secret value").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
