//! Changes valid bytes, from a seed: the changes that decoders stumble over.

use rand::{Rng, RngExt as _, rngs::StdRng};

/// Longest input, bytes.
const BYTES_MAX: usize = 8 * 1024;

/// Numbers at which something ends.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, b'"', b','];

/// Arbitrary bytes, mostly few.
pub(crate) fn arbitrary(random: &mut StdRng) -> Vec<u8> {
    let most = *[4, 32, 256, BYTES_MAX]
        .get(random.random_range(0..4))
        .unwrap_or(&4);
    let mut bytes = vec![0; random.random_range(0..=most)];
    random.fill_bytes(&mut bytes);
    if random.random_ratio(1, 3) {
        for byte in &mut bytes {
            *byte = 0x20 + *byte % 0x5f;
        }
    }
    bytes
}

/// The bytes with one to eight changes.
pub(crate) fn changed(random: &mut StdRng, valid: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..random.random_range(1..=8) {
        change(random, &mut bytes, other);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(random: &mut StdRng, bytes: &mut Vec<u8>, other: &[u8]) {
    if bytes.is_empty() {
        bytes.push(random.random());
        return;
    }
    let at = random.random_range(0..bytes.len());
    let until = (at + random.random_range(1..=16)).min(bytes.len());
    match random.random_range(0..9) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes[at] = EDGES[random.random_range(0..EDGES.len())],
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..until)),
        5 => {
            let again = bytes[at..until].to_vec();
            bytes.splice(at..at, again);
        }
        6 => {
            // A number in many bytes: lengths and counts that promise more than there is.
            let count = random.random_range(1..=10);
            bytes.splice(at..at, std::iter::repeat_n(0xff, count));
        }
        7 if !other.is_empty() => {
            let from = random.random_range(0..other.len());
            let to = (from + random.random_range(1..=64)).min(other.len());
            bytes.splice(at..until, other[from..to].iter().copied());
        }
        _ => {
            let again = bytes.clone();
            bytes.extend(again);
            bytes.truncate(BYTES_MAX);
        }
    }
}
