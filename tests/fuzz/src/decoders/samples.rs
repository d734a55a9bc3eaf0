//! Valid inputs to start from, by the name of their decoder.

mod certificate;
mod client;
mod gateway;
mod messages;
mod node;
mod paper;
mod replies;

use quorate_check::generate::{self, Options};

pub(super) use messages::{command_frames, deliveries};
pub(super) use paper::{journals, slips};

const REQUEST: [u8; 16] = [0xaa; 16];

/// 11 March 2020, 09:05 in Seoul, Unix milliseconds.
const SOLD_AT_MS: i64 = 1_583_885_100_000;

/// For the decoder of that name behind the door of a crate.
pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    [
        certificate::of(name),
        client::of(name),
        gateway::of(name),
        node::of(name),
        paper::of(name),
    ]
    .concat()
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Small ones: each is judged whole.
pub(super) fn histories() -> Vec<Vec<u8>> {
    [12, 40]
        .map(|calls| generate::generate(&Options::new(calls as u64, calls)).to_text())
        .to_vec()
}
