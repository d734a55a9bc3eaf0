//! A sale on paper as its device signs it: sealed, signed, and in bytes that a journal can keep.
//!
//! Invariants: the ID is in a [`SignedSlip`] in sealed form only; a slip that was read back is the one that was
//! written, bit for bit, so that handing it in twice is handing in the same. Deliberately absent: files.

use std::fmt;

use prost::Message as _;
use quorate_link::{Env, SealError, SealingKey};
use quorate_proto::{ids::RequestId, slip::signed_bytes, v1};
use thiserror::Error;

use crate::{model::PaperSale, session::TerminalIdentity};

/// A slip that can be handed in. Cheap enough to clone; holds no ID in the clear.
#[derive(Clone, PartialEq)]
pub struct SignedSlip {
    slip: v1::Slip,
    request_id: RequestId,
}

/// The bytes are no slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("these bytes are no slip")]
pub struct NoSlip;

impl SignedSlip {
    /// Seals the ID and signs the whole. Draws on chance: two slips of one sale differ in their sealed ID.
    ///
    /// # Errors
    /// See [`SealError`].
    pub fn write(
        sale: &PaperSale,
        by: &TerminalIdentity,
        key: &SealingKey,
        env: &Env,
    ) -> Result<Self, SealError> {
        let PaperSale {
            request_id,
            citizen,
            ..
        } = sale;
        let sealed = key.seal(citizen.scheme(), citizen.number(), *request_id, env)?;
        let mut slip = v1::Slip {
            site_code: by.site.to_string(),
            device_id: by.device.to_string(),
            sequence: sale.sequence,
            request_id: request_id.to_string(),
            program: sale.program.to_string(),
            product: sale.product.map_or_else(String::new, |id| id.to_string()),
            quantity: sale.quantity,
            sold_at: Some(prost_types::Timestamp {
                seconds: sale.sold_at_ms.div_euclid(1000),
                // Below 1,000 and so below 2^31 after the multiplication.
                nanos: (sale.sold_at_ms.rem_euclid(1000) * 1_000_000) as i32,
            }),
            proxy_ground: sale
                .proxy_ground
                .map_or_else(String::new, |id| id.to_string()),
            sealing_key_id: key.id().to_owned(),
            sealed_citizen: sealed.into(),
            signature: bytes::Bytes::new(),
        };
        slip.signature = by.key.sign(&signed_bytes(&slip)).to_vec().into();
        Ok(Self {
            slip,
            request_id: *request_id,
        })
    }

    /// The bytes to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.slip.encode_to_vec()
    }

    /// Reads kept bytes. Nothing but their shape is checked: who keeps them vouches for them.
    ///
    /// # Errors
    /// They are no slip.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoSlip> {
        let slip = v1::Slip::decode(bytes).map_err(|_| NoSlip)?;
        let request_id = RequestId::parse(&slip.request_id).map_err(|_| NoSlip)?;
        if slip.sold_at.is_none() {
            return Err(NoSlip);
        }
        Ok(Self { slip, request_id })
    }

    /// Names the sale.
    #[must_use]
    pub const fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Counts the device's slips from 1; 0: typed in.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.slip.sequence
    }

    /// Units.
    #[must_use]
    pub const fn quantity(&self) -> u32 {
        self.slip.quantity
    }

    /// The program's id.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.slip.program
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn sold_at_ms(&self) -> i64 {
        let at = self.slip.sold_at.unwrap_or_default();
        at.seconds * 1000 + i64::from(at.nanos / 1_000_000)
    }

    /// The ground on which somebody else bought; empty if nobody did.
    #[must_use]
    pub fn proxy_ground(&self) -> &str {
        &self.slip.proxy_ground
    }

    pub(crate) fn to_wire(&self) -> v1::Slip {
        self.slip.clone()
    }
}

impl fmt::Debug for SignedSlip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedSlip")
            .field("sequence", &self.slip.sequence)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use quorate_link::SealingSecret;
    use quorate_proto::ids::{DeviceId, ProgramId, SiteCode};

    use super::*;
    use crate::{DeviceKey, model::NationalId};

    #[test]
    fn a_slip_survives_its_bytes_and_hides_its_id() {
        let env = Env::system();
        let identity = TerminalIdentity {
            site: SiteCode::parse("P-0001").unwrap(),
            device: DeviceId::parse("till-1").unwrap(),
            key: DeviceKey::generate(&env),
        };
        let secret = SealingSecret::from_bytes(&[7; 32]);
        let sale = PaperSale {
            request_id: RequestId::from_bytes([3; 16]).unwrap(),
            sequence: 9,
            citizen: NationalId::new(NationalId::KR_RRN, "900101-1234568"),
            program: ProgramId::parse("mask").unwrap(),
            product: None,
            quantity: 2,
            sold_at_ms: -1,
            proxy_ground: None,
        };
        let slip = SignedSlip::write(&sale, &identity, secret.public(), &env).unwrap();
        let bytes = slip.to_bytes();
        assert!(!bytes.windows(6).any(|bytes| bytes == b"900101"));
        assert_eq!(SignedSlip::from_bytes(&bytes).unwrap(), slip);
        assert_eq!((slip.sold_at_ms(), slip.sequence()), (-1, 9));
        let clear = secret
            .open(&slip.to_wire().sealed_citizen, sale.request_id)
            .unwrap();
        assert_eq!(*clear.number, "900101-1234568");
        for cut in [0, 1, bytes.len() / 2] {
            assert!(SignedSlip::from_bytes(&bytes[..cut]).is_err());
        }
    }
}
