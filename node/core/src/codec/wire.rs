//! Protobuf's wire format, as far as the hot records need it.
//!
//! A citizen's record is read and written with every sale. Going through the generated messages would
//! allocate several times for each sale in it, and that would be most of the cost of deciding one. The bytes
//! are exactly those of the generated messages: tests hold both against each other.

use super::DecodeError;

const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// Longest varint, bytes.
const VARINT_BYTES_MAX: usize = 10;

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
}

/// Reads the fields of one message in their order.
pub(super) struct Fields<'b> {
    what: &'static str,
    rest: &'b [u8],
}

impl<'b> Fields<'b> {
    /// `what` names the message in errors.
    pub(super) fn new(what: &'static str, bytes: &'b [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// The next field's number and value; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'b>)>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            BYTES => {
                let len = usize::try_from(self.varint()?).map_err(|_| self.malformed())?;
                let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
                    return Err(self.malformed());
                };
                self.rest = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(self.malformed()),
        };
        Ok(Some((key >> 3, value)))
    }

    /// A field that this program does not know, or one of another type: never skipped, because writing the
    /// record back would lose it.
    pub(super) fn unknown(&self) -> DecodeError {
        DecodeError::invalid(self.what, "holds a field that is not known here")
    }

    fn malformed(&self) -> DecodeError {
        DecodeError::invalid(self.what, "is not a message")
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for (index, byte) in self.rest.iter().enumerate().take(VARINT_BYTES_MAX) {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte holds the last of 64 bits.
            if index == VARINT_BYTES_MAX - 1 && bits > 1 {
                return Err(self.malformed());
            }
            number |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(number);
            }
        }
        Err(self.malformed())
    }
}

/// Writes a number; 0 is the default and left out.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        put_varint(out, field << 3 | VARINT);
        put_varint(out, number);
    }
}

/// Writes a time; 0 is the default and left out. Negative numbers take ten bytes, as int64 does.
pub(super) fn put_time(out: &mut Vec<u8>, field: u64, time_ms: i64) {
    put_number(out, field, time_ms as u64);
}

/// Writes a number that may be absent: present, it is written even if it is 0.
pub(super) fn put_optional_time(out: &mut Vec<u8>, field: u64, time_ms: Option<i64>) {
    if let Some(time_ms) = time_ms {
        put_varint(out, field << 3 | VARINT);
        put_varint(out, time_ms as u64);
    }
}

/// Writes bytes or text; empty is the default and left out.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_varint(out, field << 3 | BYTES);
        put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
}

/// Writes a message inside a message.
pub(super) fn put_message(out: &mut Vec<u8>, field: u64, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, field << 3 | BYTES);
    let start = out.len();
    write(out);
    let end = out.len();
    put_varint(out, (end - start) as u64);
    // The length was written behind the message and belongs in front of it.
    let length_bytes = out.len() - end;
    out[start..].rotate_right(length_bytes);
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, DecodeError> {
        let mut fields = Fields::new("test", bytes);
        let mut all = Vec::new();
        while let Some(field) = fields.next()? {
            all.push(field);
        }
        Ok(all)
    }

    #[test]
    fn numbers_of_every_length_round_trip() {
        for shift in 0..64 {
            for number in [1 << shift, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_number(&mut bytes, 3, number);
                assert_eq!(read(&bytes).unwrap(), [(3, Value::Varint(number))]);
            }
        }
    }

    #[test]
    fn messages_of_every_length_round_trip() {
        for len in [0, 1, 127, 128, 300, 20_000] {
            let mut bytes = Vec::new();
            put_message(&mut bytes, 1, |out| out.resize(out.len() + len, 7));
            put_bytes(&mut bytes, 2, b"after");
            let fields = read(&bytes).unwrap();
            let message = vec![7; len];
            assert_eq!(
                fields,
                [(1, Value::Bytes(&message)), (2, Value::Bytes(b"after"))]
            );
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x0a, 0x02, 0x01],
            &[0x0d, 1, 2, 3, 4],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
            ],
            &[
                0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01,
            ],
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
        ] {
            assert!(read(bytes).is_err(), "{bytes:02x?}");
        }
    }
}
