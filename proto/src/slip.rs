//! What a device signs on a slip. Pure.
//!
//! Law: two slips that differ in any field but the signature have different signed bytes. Each field is
//! written as its number in the message (1 byte), its length (4 bytes, big-endian) and its bytes, after a
//! prefix that no other signature of a device begins with. Deliberately absent: keys.

use crate::v1::Slip;

/// What the signed bytes begin with, so that a signature over a slip means nothing anywhere else.
const CONTEXT: &[u8] = b"quorate-slip-v1";

/// Bytes that the fields' numbers and lengths take.
const FRAMES_BYTES: usize = 11 * 5;

/// The bytes that the device's key signs.
#[must_use]
pub fn signed_bytes(slip: &Slip) -> Vec<u8> {
    // Every field by name: one that is added to the message does not compile until it is signed.
    let Slip {
        site_code,
        device_id,
        sequence,
        request_id,
        program,
        product,
        quantity,
        sold_at,
        proxy_ground,
        sealing_key_id,
        sealed_citizen,
        signature: _,
    } = slip;
    let texts = site_code.len() + device_id.len() + request_id.len() + program.len();
    let more = product.len() + proxy_ground.len() + sealing_key_id.len() + sealed_citizen.len();
    let capacity = CONTEXT.len() + FRAMES_BYTES + texts + more + 24;
    let mut signed = Signed(Vec::with_capacity(capacity));
    signed.0.extend_from_slice(CONTEXT);
    signed.field(1, site_code.as_bytes());
    signed.field(2, device_id.as_bytes());
    signed.field(3, &sequence.to_be_bytes());
    signed.field(4, request_id.as_bytes());
    signed.field(5, program.as_bytes());
    signed.field(6, product.as_bytes());
    signed.field(7, &quantity.to_be_bytes());
    match sold_at {
        Some(at) => {
            let mut instant = [0; 12];
            instant[..8].copy_from_slice(&at.seconds.to_be_bytes());
            instant[8..].copy_from_slice(&at.nanos.to_be_bytes());
            signed.field(8, &instant);
        }
        None => signed.field(8, &[]),
    }
    signed.field(9, proxy_ground.as_bytes());
    signed.field(10, sealing_key_id.as_bytes());
    signed.field(11, sealed_citizen);
    signed.0
}

struct Signed(Vec<u8>);

impl Signed {
    fn field(&mut self, number: u8, bytes: &[u8]) {
        // A message of 4 GiB is refused long before it could be a field.
        let length = u32::try_from(bytes.len()).expect("a field of a slip is shorter than 4 GiB");
        self.0.push(number);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use prost_types::Timestamp;

    use super::*;

    fn slip() -> Slip {
        Slip {
            site_code: "P-0001".to_owned(),
            device_id: "till-1".to_owned(),
            sequence: 7,
            request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".to_owned(),
            program: "mask".to_owned(),
            product: "kf-mask".to_owned(),
            quantity: 2,
            sold_at: Some(Timestamp {
                seconds: 1_583_886_300,
                nanos: 250_000_000,
            }),
            proxy_ground: "age".to_owned(),
            sealing_key_id: "0011223344556677".to_owned(),
            sealed_citizen: vec![0xa5; 4].into(),
            signature: vec![1; 64].into(),
        }
    }

    /// Golden: journals hold slips signed over these bytes, and gateways of later versions verify them.
    #[test]
    fn the_signed_bytes_never_change() {
        let mut hex = String::new();
        for byte in signed_bytes(&slip()) {
            write!(hex, "{byte:02x}").expect("a string takes text");
        }
        let golden = concat!(
            "71756f726174652d736c69702d7631",
            "0100000006502d30303031",
            "020000000674696c6c2d31",
            "03000000080000000000000007",
            "040000002430313930663361322d376331622d376434652d386630302d313233343536373839306162",
            "05000000046d61736b",
            "06000000076b662d6d61736b",
            "070000000400000002",
            "080000000c000000005e682fdc0ee6b280",
            "0900000003616765",
            "0a0000001030303131323233333434353536363737",
            "0b00000004a5a5a5a5",
        );
        assert_eq!(hex, golden);
    }

    #[test]
    fn every_field_but_the_signature_is_signed() {
        let base = signed_bytes(&slip());
        let changes: [fn(&mut Slip); 12] = [
            |slip| slip.site_code.push('x'),
            |slip| slip.device_id.push('x'),
            |slip| slip.sequence += 1,
            |slip| slip.request_id.push('x'),
            |slip| slip.program.push('x'),
            |slip| slip.product.push('x'),
            |slip| slip.quantity += 1,
            |slip| slip.sold_at = None,
            |slip| slip.sold_at = slip.sold_at.map(|at| Timestamp { nanos: 0, ..at }),
            |slip| slip.proxy_ground.push('x'),
            |slip| slip.sealing_key_id.push('x'),
            |slip| slip.sealed_citizen = vec![0xa5; 5].into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = slip();
            change(&mut changed);
            assert_ne!(signed_bytes(&changed), base, "change {index}");
        }
        let unsigned = Slip {
            signature: Default::default(),
            ..slip()
        };
        assert_eq!(signed_bytes(&unsigned), base);
    }

    #[test]
    fn text_does_not_move_between_fields() {
        let with = |program: &str, product: &str| {
            signed_bytes(&Slip {
                program: program.to_owned(),
                product: product.to_owned(),
                ..slip()
            })
        };
        assert_ne!(with("mask", ""), with("mas", "k"));
        assert_ne!(with("", "mask"), with("mask", ""));
    }
}
