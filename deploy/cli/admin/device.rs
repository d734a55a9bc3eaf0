//! `quorate admin device enroll`.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use quorate_client::DeviceKey;
use quorate_proto::ids::{DeviceId, SiteCode};
use serde_json::json;

use crate::{
    config::keys,
    exit::{Exit, Failure},
    output::Style,
    reach::Reach,
};

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Register a device's key at a site; makes the key if there is none
    Enroll(EnrollArgs),
}

#[derive(Args, Debug)]
pub(crate) struct EnrollArgs {
    /// The site's code
    #[arg(long, value_name = "CODE")]
    site: SiteCode,

    /// The device's name at that site
    #[arg(long, value_name = "NAME")]
    device: DeviceId,

    /// The device's private key, 64 hexadecimal digits; a new one is written here if there is no such file
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(crate) async fn run(command: DeviceCommand, reach: &Reach) -> Result<Exit, Failure> {
    let DeviceCommand::Enroll(args) = command;
    let operator = reach.operator()?;
    let key = read_or_make(&args.key, reach)?;
    let public_key = key.public();
    let is_new = operator
        .enroll_device(args.site, args.device, public_key, reach.time_limit)
        .await?;
    let result = json!({
        "site": args.site.to_string(),
        "device": args.device.to_string(),
        "already_enrolled": !is_new,
    });
    reach.output.print(&result, |painter| {
        let headline = match is_new {
            true => "enrolled",
            false => "was enrolled already",
        };
        format!(
            "{}\n\nfor the context of that device:\n\n[terminal]\nsite = \"{}\"\ndevice = \"{}\"\nkey = {:?}",
            painter.paint(Style::Good, headline),
            args.site,
            args.device,
            args.key
        )
    })?;
    Ok(Exit::Ok)
}

fn read_or_make(path: &Path, reach: &Reach) -> Result<DeviceKey, Failure> {
    let key = DeviceKey::generate(&reach.env);
    match keys::write_key(path, &key.seed()) {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok(DeviceKey::from_seed(&*keys::read_key(path)?))
        }
        Err(error) => Err(Failure::usage(format!(
            "cannot write {}: {error}",
            path.display()
        ))),
    }
}
