//! Compiles the contract with `protox`: no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 10] = [
    "quorate/v1/ration.proto",
    "quorate/v1/slips.proto",
    "quorate/v1/stock.proto",
    "quorate/admin/v1/admin.proto",
    "quorate/internal/v1/shard.proto",
    "quorate/internal/v1/cluster.proto",
    "quorate/internal/v1/peer.proto",
    "quorate/storage/v1/log.proto",
    "quorate/storage/v1/state.proto",
    "quorate/storage/v1/system.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "Cargo tells a build script where to write through the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=quorate");
    let descriptors = protox::compile(FILES, ["."])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".")
        // A derived `Debug` would print the national ID.
        .skip_debug(["quorate.v1.CitizenId"])
        .compile_fds(descriptors)?;
    Ok(())
}
