//! Writes what each decoder starts from into a directory of its name, and prints the names.

use std::{error::Error, fs, path::Path};

use quorate_fuzz::decoders;

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::args_os()
        .nth(1)
        .ok_or("usage: corpus DIRECTORY")?;
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
