//! National IDs: read at the border, turned into a key, forgotten.
//!
//! [`NationalId`] is the only type that holds an ID. Invariants: it cannot be printed, copied or
//! serialized; its memory is overwritten when it is dropped, and so is the text it was read from; no
//! error of this module repeats any part of what was read. A scheme is a plug: one module that reads its
//! shape and says what rules may ask of it. Deliberately absent: storing, comparing or returning an ID. What
//! leaves this module is a [`CitizenKey`], [`Claims`] and a warning.

mod korea;
mod taiwan;
mod voucher;

use hmac::Mac as _;
use quorate_proto::ids::CitizenKey;
use zeroize::Zeroizing;

use crate::{
    mac::{self, KeyedMac},
    model::Claims,
};

/// Longest ID of any scheme in its canonical form, bytes.
const BYTES_MAX: usize = 32;

/// The kinds of IDs that are known here. None of the names begins another, so that a name and an ID run
/// together to the same bytes for one pair only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// The Korean resident registration number.
    KrRrn,
    /// The Taiwanese national identification number.
    TwNid,
    /// A voucher of a household: whoever holds it buys.
    Voucher,
}

impl Scheme {
    const ALL: [Scheme; 3] = [Scheme::KrRrn, Scheme::TwNid, Scheme::Voucher];

    const fn name(self) -> &'static str {
        match self {
            Scheme::KrRrn => "KR-RRN",
            Scheme::TwNid => "TW-NID",
            Scheme::Voucher => "VOUCHER",
        }
    }
}

/// A well-formed national ID.
pub(crate) struct NationalId {
    scheme: Scheme,
    canonical: Canonical,
    claims: Claims,
    checksum_matches: bool,
}

/// An ID in the one form in which it is hashed.
struct Canonical {
    bytes: Zeroizing<[u8; BYTES_MAX]>,
    len: usize,
}

impl Canonical {
    /// Takes the characters one by one; what does not fit is left out, and no scheme has as much.
    fn of(characters: impl Iterator<Item = u8>) -> Canonical {
        let mut canonical = Canonical {
            bytes: Zeroizing::new([0; BYTES_MAX]),
            len: 0,
        };
        for (place, character) in canonical.bytes.iter_mut().zip(characters) {
            *place = character;
            canonical.len += 1;
        }
        canonical
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What is wrong with an ID. The field at fault is the scheme for [`NationalIdError::Scheme`] and the number
/// for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NationalIdError {
    /// The scheme is none that this gateway knows.
    #[error("the ID scheme is not known; \"KR-RRN\", \"TW-NID\" and \"VOUCHER\" are")]
    Scheme,
    /// Not 13 characters, or 14 with the hyphen.
    #[error("the number must have 13 digits, with or without a hyphen after the sixth")]
    KoreanLength,
    /// A character is not a digit, or the hyphen is elsewhere.
    #[error("the number may hold digits only, and a hyphen after the sixth")]
    KoreanCharacter,
    /// No calendar has this day.
    #[error("the number's first seven digits name an impossible date of birth")]
    ImpossibleDate,
    /// The day of birth has not come yet in Korea.
    #[error("the number's first seven digits name a date of birth in the future")]
    FutureDate,
    /// Another shape.
    #[error("the number must be one letter and nine digits")]
    TaiwaneseShape,
    /// Another shape.
    #[error("a voucher must have 6 to 32 letters and digits")]
    VoucherShape,
}

impl NationalIdError {
    /// The field of an ID's message that is at fault.
    pub(crate) fn field(self) -> &'static str {
        match self {
            NationalIdError::Scheme => "scheme",
            _ => "number",
        }
    }
}

impl NationalId {
    /// Reads an ID as it stands on the card. The text is overwritten when this returns.
    ///
    /// # Errors
    /// Says what is wrong and never repeats it.
    pub(crate) fn parse(
        scheme: &str,
        number: Zeroizing<String>,
        now_unix_ms: i64,
    ) -> Result<NationalId, NationalIdError> {
        let known = Scheme::ALL.into_iter().find(|known| known.name() == scheme);
        match known.ok_or(NationalIdError::Scheme)? {
            Scheme::KrRrn => korea::parse(number.as_bytes(), now_unix_ms),
            Scheme::TwNid => taiwan::parse(number.as_bytes()),
            Scheme::Voucher => voucher::parse(number.as_bytes()),
        }
    }

    /// What rules may ask of the holder.
    pub(crate) fn claims(&self) -> Claims {
        self.claims
    }

    /// Whether the check digit is right, where the scheme has one. A mismatch is a reason to read the card
    /// again and never one to refuse: Korean numbers issued since October 2020 carry no check digit, and
    /// nothing tells them apart.
    pub(crate) fn checksum_matches(&self) -> bool {
        self.checksum_matches
    }
}

/// Turns IDs into keys: the one thing that only a gateway can do, because only it holds the pepper.
pub(crate) struct CitizenHasher {
    keyed: KeyedMac,
}

impl CitizenHasher {
    /// Holds the pepper in its keyed form only.
    pub(crate) fn new(pepper: &[u8; 32]) -> CitizenHasher {
        CitizenHasher {
            keyed: mac::keyed(pepper),
        }
    }

    /// The first 16 bytes of `HMAC-SHA256(pepper, scheme ‖ ID)`: the scheme's ASCII name, then the ID's ASCII
    /// characters without hyphen, letters in upper case.
    pub(crate) fn key(&self, id: &NationalId) -> CitizenKey {
        let mut mac = self.keyed.clone();
        mac.update(id.scheme.name().as_bytes());
        mac.update(id.canonical.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        CitizenKey::new(key)
    }
}

/// Does not compile when the ID becomes printable, copyable or serializable.
const _: () = {
    trait HasOneAnswer<Which> {
        fn answer() {}
    }
    impl<T: ?Sized> HasOneAnswer<()> for T {}

    macro_rules! never {
        ($marker:ident, $forbidden:path) => {
            struct $marker;
            impl<T: ?Sized + $forbidden> HasOneAnswer<$marker> for T {}
        };
    }
    never!(Debug, std::fmt::Debug);
    never!(Display, std::fmt::Display);
    never!(Cloned, Clone);
    never!(Serialized, serde::Serialize);

    // With one of these traits there are two answers, and the compiler refuses to choose.
    let _ = <NationalId as HasOneAnswer<_>>::answer;
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn parse(scheme: &str, number: &str) -> Result<NationalId, NationalIdError> {
        NationalId::parse(scheme, number.to_owned().into(), 1_584_241_200_000)
    }

    #[test]
    fn an_unknown_scheme_is_named() {
        let foreign = parse("JP-MYNUMBER", "900101-1000000");
        assert_eq!(foreign.err(), Some(NationalIdError::Scheme));
        assert_eq!(NationalIdError::Scheme.field(), "scheme");
        assert_eq!(NationalIdError::FutureDate.field(), "number");
        for scheme in Scheme::ALL {
            let message = NationalIdError::Scheme.to_string();
            assert!(message.contains(scheme.name()), "{message}");
            let begins = |other: &Scheme| other.name().starts_with(scheme.name());
            assert_eq!(Scheme::ALL.iter().filter(|other| begins(other)).count(), 1);
        }
    }

    #[test]
    fn the_key_depends_on_pepper_scheme_and_id_and_on_nothing_else() {
        let key = |pepper, scheme, number| {
            CitizenHasher::new(&[pepper; 32]).key(&parse(scheme, number).ok().unwrap())
        };
        let one = key(7, "KR-RRN", "9001011234568");
        assert_eq!(one, key(7, "KR-RRN", "900101-1234568"));
        assert_ne!(one, key(7, "KR-RRN", "900101-1234567"));
        assert_ne!(one, key(8, "KR-RRN", "900101-1234568"));
        let voucher = key(7, "VOUCHER", "A123456789");
        assert_eq!(voucher, key(7, "VOUCHER", "a123456789"));
        assert_ne!(voucher, key(7, "TW-NID", "A123456789"));

        for (scheme, number) in [("KR-RRN", "9001011234568"), ("TW-NID", "A123456789")] {
            let mut mac = mac::keyed(&[7; 32]);
            mac.update(format!("{scheme}{number}").as_bytes());
            assert_eq!(
                key(7, scheme, number).get()[..],
                mac.finalize().into_bytes()[..16]
            );
        }
    }
}
