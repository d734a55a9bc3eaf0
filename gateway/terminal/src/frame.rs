//! Records as bytes one after the other, and back again after whatever has happened to them. Pure.
//!
//! A frame is a mark (4 bytes), the length of its body (4, big-endian), the CRC-32C of its body (4,
//! big-endian), and the body. Laws: a body is returned only if its checksum is right; bytes that are no frame are
//! passed over up to the next frame, so that damage costs what it hit; what follows the last frame is a torn
//! tail.

use std::ops::Range;

use crate::limits::RECORD_BYTES_MAX;

/// Begins every frame; the digit is the format's version.
const MARK: &[u8; 4] = b"QSJ1";
const HEAD_BYTES: usize = 12;

/// A frame around `body`.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    assert!(
        body.len() <= RECORD_BYTES_MAX,
        "a record has at most {RECORD_BYTES_MAX} bytes, this one {}",
        body.len()
    );
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(MARK);
    bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(body).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What was found in a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where the bodies are, in order.
    pub(crate) bodies: Vec<Range<usize>>,
    /// Bytes between frames that are none.
    pub(crate) damaged_bytes: usize,
    /// Where the last frame ends; what follows is torn.
    pub(crate) end: usize,
}

/// Finds every whole frame.
pub(crate) fn scan(bytes: &[u8]) -> Scan {
    let mut scan = Scan::default();
    let mut at = 0;
    while at < bytes.len() {
        match body_at(bytes, at) {
            Some(body) => {
                scan.damaged_bytes += at - scan.end;
                at = body.end;
                scan.end = at;
                scan.bodies.push(body);
            }
            None => at += 1,
        }
    }
    scan
}

fn body_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let head = bytes.get(at..at + HEAD_BYTES)?;
    let number = |from: usize| {
        let [a, b, c, d] = [head[from], head[from + 1], head[from + 2], head[from + 3]];
        u32::from_be_bytes([a, b, c, d])
    };
    let length = number(4) as usize;
    if !head.starts_with(MARK) || length > RECORD_BYTES_MAX {
        return None;
    }
    let body = at + HEAD_BYTES..at + HEAD_BYTES + length;
    let found = bytes.get(body.clone())?;
    (crc32c::crc32c(found) == number(8)).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(bytes: &[u8]) -> Vec<&[u8]> {
        let scan = scan(bytes);
        scan.bodies.into_iter().map(|body| &bytes[body]).collect()
    }

    fn three() -> Vec<u8> {
        [frame(b"one"), frame(b""), frame(b"three")].concat()
    }

    /// Golden: journals outlive the program that wrote them.
    #[test]
    fn the_bytes_never_change() {
        let checksum = crc32c::crc32c(b"one").to_be_bytes();
        assert_eq!(&frame(b"one")[..8], b"QSJ1\0\0\0\x03");
        assert_eq!(frame(b"one")[8..12], checksum);
        // The published check value of CRC-32C.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn every_cut_leaves_the_whole_frames() {
        let bytes = three();
        let ends = [15, 27, 44];
        for cut in 0..=bytes.len() {
            let found = scan(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(found.bodies.len(), whole, "cut at {cut}");
            assert_eq!(found.damaged_bytes, 0);
            let end = if whole == 0 { 0 } else { ends[whole - 1] };
            assert_eq!(found.end, end, "cut at {cut}");
        }
        assert_eq!(bodies(&bytes), [&b"one"[..], b"", b"three"]);
    }

    #[test]
    fn damage_costs_the_frame_it_hit() {
        for at in 15..27 {
            let mut bytes = three();
            bytes[at] ^= 0xff;
            assert_eq!(bodies(&bytes), [&b"one"[..], b"three"], "byte {at}");
            assert_eq!(scan(&bytes).damaged_bytes, 12);
        }
    }
}
