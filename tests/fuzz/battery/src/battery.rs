//! Throws bytes at a decoder.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{memory, mutate};

/// Something that reads strangers' bytes.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Names it.
    pub name: &'static str,
    /// Reads, and forgets what it read.
    pub read: fn(&[u8]),
    /// Valid inputs.
    pub seeds: Vec<Vec<u8>>,
}

/// Reads every valid input, `cases` changed ones and as many arbitrary ones.
///
/// # Panics
/// The decoder panicked, or held more memory than [`memory::allowed`]. The message holds the input.
pub fn battery(decoder: &Decoder, seed: u64, cases: usize) {
    for valid in &decoder.seeds {
        throw(decoder, valid);
    }
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..cases {
        throw(decoder, &mutate::arbitrary(&mut random));
        if !decoder.seeds.is_empty() {
            let any = |random: &mut StdRng| random.random_range(0..decoder.seeds.len());
            let (one, other) = (any(&mut random), any(&mut random));
            let (one, other) = (&decoder.seeds[one], &decoder.seeds[other]);
            throw(decoder, &mutate::changed(&mut random, one, other));
        }
    }
}

/// Reads one input.
fn throw(decoder: &Decoder, bytes: &[u8]) {
    let mut panicked = false;
    let held = memory::peak(|| {
        panicked = catch_unwind(AssertUnwindSafe(|| (decoder.read)(bytes))).is_err();
    });
    assert!(!panicked, "{} panicked on {}", decoder.name, hex(bytes));
    let allowed = memory::allowed(bytes.len());
    assert!(
        held <= allowed,
        "{} held {held} bytes, {allowed} are allowed, for {}",
        decoder.name,
        hex(bytes)
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(read: fn(&[u8])) -> bool {
        let decoder = Decoder {
            name: "planted",
            read,
            seeds: vec![b"\x08valid".to_vec()],
        };
        catch_unwind(AssertUnwindSafe(|| battery(&decoder, 1, 300))).is_err()
    }

    #[test]
    fn a_decoder_that_panics_is_found() {
        assert!(fails(|bytes| assert!(bytes.first() != Some(&0xff))));
        assert!(!fails(|_| {}));
    }

    /// It believes the length that the bytes name.
    #[test]
    fn a_decoder_that_takes_too_much_memory_is_found() {
        assert!(fails(|bytes| {
            let length = usize::from(bytes.first().copied().unwrap_or(0));
            drop(std::hint::black_box(vec![0_u8; length << 18]));
        }));
    }
}
