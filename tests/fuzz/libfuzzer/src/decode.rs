//! Reads what libFuzzer thinks of, with the decoder that `FUZZ_DECODER` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use quorate_fuzz::{Decoder, decoders, memory};

static DECODER: OnceLock<Decoder> = OnceLock::new();

fn decoder() -> &'static Decoder {
    DECODER.get_or_init(|| {
        let name = std::env::var("FUZZ_DECODER").expect("FUZZ_DECODER names a decoder");
        decoders::named(&name).unwrap_or_else(|| panic!("there is no decoder {name}"))
    })
}

fuzz_target!(init: { decoder(); }, |bytes: &[u8]| {
    let decoder = decoder();
    let held = memory::peak(|| (decoder.read)(bytes));
    let allowed = memory::allowed(bytes.len());
    assert!(held <= allowed, "held {held} bytes, {allowed} are allowed");
});
