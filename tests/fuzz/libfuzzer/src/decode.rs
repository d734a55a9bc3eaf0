//! Reads what libFuzzer thinks of, with the decoder that `FUZZ_DECODER` names. With `FUZZ_CORPUS` it only writes
//! what each decoder starts from into a directory of its name below that one, and prints the names.
#![no_main]

use std::{env, ffi::OsString, fs, io, path::Path, process, sync::OnceLock};

use libfuzzer_sys::fuzz_target;
use quorate_fuzz::{Decoder, decoders, memory};

static DECODER: OnceLock<Decoder> = OnceLock::new();

fn decoder() -> &'static Decoder {
    DECODER.get_or_init(|| {
        if let Some(root) = env::var_os("FUZZ_CORPUS") {
            write_corpus(root).expect("a directory that can be written to");
            process::exit(0);
        }
        let name = env::var("FUZZ_DECODER").expect("FUZZ_DECODER names a decoder");
        decoders::named(&name).unwrap_or_else(|| panic!("there is no decoder {name}"))
    })
}

fn write_corpus(root: OsString) -> io::Result<()> {
    for decoder in decoders::all() {
        let directory = Path::new(&root).join(decoder.name);
        fs::create_dir_all(&directory)?;
        for (number, seed) in decoder.seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
        println!("{}", decoder.name);
    }
    Ok(())
}

fuzz_target!(init: { decoder(); }, |bytes: &[u8]| {
    let decoder = decoder();
    let held = memory::peak(|| (decoder.read)(bytes));
    let allowed = memory::allowed(bytes.len());
    assert!(held <= allowed, "held {held} bytes, {allowed} are allowed");
});
