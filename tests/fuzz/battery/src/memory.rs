//! Counts the memory that one thread takes.
//!
//! Law: a decoder that reads `n` bytes holds at most [`allowed`]`(n)` at any moment. Messages of two bytes become
//! structures of some hundred; what must not be is memory that a few bytes ask for by naming a number.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Bytes that a value may take for each byte that it is read from: an empty message inside a message takes two
/// bytes on the wire, and the largest structure of ours some five hundred in memory, doubled while its list grows.
const PER_BYTE: usize = 1024;

/// Bytes that a decoder may take whatever it reads: tables of time zones are the most.
const ANYWAY: usize = 4 << 20;

/// The system's allocator, counting.
struct Counting;

thread_local! {
    /// Bytes held by this thread since it began to count; less than nothing if it frees what is older.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // While a thread ends its counters are gone, and nobody asks for them.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is handed to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory is the system's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Bytes that reading an input of this length may take.
#[must_use]
pub const fn allowed(input_bytes: usize) -> usize {
    ANYWAY + PER_BYTE * input_bytes
}

/// Runs the work, and says how many bytes this thread held at most, above what it held before.
pub fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_at_once_is_counted_and_what_was_given_back_is_not() {
        let once = peak(|| drop(std::hint::black_box(vec![0_u8; 100_000])));
        assert!((100_000..110_000).contains(&once), "{once}");
        let twice = peak(|| {
            for _ in 0..2 {
                drop(std::hint::black_box(vec![0_u8; 100_000]));
            }
        });
        assert!((100_000..110_000).contains(&twice), "{twice}");
    }
}
