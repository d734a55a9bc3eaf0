//! Faults that cost a node its disk: changed and missing bytes, an old copy, nothing at all. Always on a
//! minority; the node must notice before it serves anything from there.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rand::{RngExt as _, rngs::StdRng};

use super::Wound;
use crate::{kind::Kind, links::Party, stage::Stage};

/// Damage is found when the node starts, or when everything is read once.
const NOTICED_AT_START_MAX: Duration = Duration::from_secs(10);
const NOTICED_ON_READING_MAX: Duration = Duration::from_secs(10);
/// A flipped bit may strike bytes that nobody ever reads again; then another is flipped.
const ATTEMPTS: usize = 4;
/// How long a node goes on after its disk was copied, and how long it is left alone before.
const LIFE_AFTER_COPY: Duration = Duration::from_secs(4);
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(15);
/// What a file loses at least: of a log, some seconds of what a busy node writes.
const CUT_BYTES_MIN: u64 = 64 << 10;

/// For a file that is long enough to lose that much.
const LONG_FILE_TIME_MAX: Duration = Duration::from_secs(60);

/// What a node says of damage. Each names what is wrong, none is a panic.
const COMPLAINTS: [&str; 4] = ["damaged", "Corruption", "older copy", "checksum"];

pub(super) async fn change_files(
    stage: &mut Stage,
    wound: &mut Wound,
    dice: &mut StdRng,
) -> anyhow::Result<()> {
    let (node, data, env) = (wound.first()?, stage.data(wound.first()?), stage.env());
    for attempt in 0..ATTEMPTS {
        if wound.kind == Kind::Truncation {
            let deadline = env.monotonic() + LONG_FILE_TIME_MAX;
            while long_files(&data)?.is_empty() {
                ensure!(env.monotonic() < deadline, "no file of node {node} grows");
                env.sleep(Duration::from_millis(100)).await;
            }
        }
        stage.kill(Party::Node(node))?;
        let what = match wound.kind {
            Kind::BitFlip => flip_bit(&data, attempt, dice)?,
            _ => cut_off(&data, dice)?,
        };
        wound.saw(what);
        if let Some(said) = noticed(stage, wound, node).await? {
            wound.saw(format!("node {node} said: {said}"));
            return Ok(());
        }
    }
    bail!("node {node} never noticed: {}", wound.proof.join("; "));
}

/// Starts a node with a damaged disk, and waits until it ends by itself; what it said, if it did.
async fn noticed(stage: &mut Stage, wound: &Wound, node: u16) -> anyhow::Result<Option<String>> {
    stage.start_again(Party::Node(node))?;
    if !stage.ends_by_itself(node, NOTICED_AT_START_MAX).await {
        // Reads every row of every replica. A node that finds damage ends, and the comparison with it.
        let everything = stage.cluster.verify();
        let env = stage.env();
        let _whatever_it_says = env.timeout(NOTICED_ON_READING_MAX, everything).await;
        if !stage.ends_by_itself(node, NOTICED_ON_READING_MAX).await {
            return Ok(None);
        }
    }
    let log = stage.log_since(node, wound.log);
    let complaint = |line: &&str| COMPLAINTS.iter().any(|word| line.contains(word));
    let said = log.lines().rev().find(complaint);
    let said = said.with_context(|| format!("node {node} ended without saying why:\n{log}"))?;
    let end = said
        .char_indices()
        .nth(300)
        .map_or(said.len(), |(at, _)| at);
    Ok(Some(said[..end].to_owned()))
}

/// The files of a node that hold anything, largest first.
fn files(data: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for directory in [data.to_owned(), data.join("db")] {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // A node that runs deletes what it no longer needs.
            let Ok(about) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let durable = name == "NODE"
                || name.ends_with(".log")
                || name.ends_with(".sst")
                || name.starts_with("MANIFEST");
            if about.is_file() && about.len() > 0 && durable {
                files.push((path, about.len()));
            }
        }
    }
    files.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    ensure!(!files.is_empty(), "{} holds nothing", data.display());
    Ok(files)
}

/// In any file at first; then in one that is read whole at every start.
fn flip_bit(data: &Path, attempt: usize, dice: &mut StdRng) -> anyhow::Result<String> {
    let mut files = files(data)?;
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    if attempt > 0 && files.iter().any(|(path, _)| is_log(path)) {
        files.retain(|(path, _)| is_log(path));
    }
    let (path, length) = &files[dice.random_range(0..files.len())];
    let at = dice.random_range(0..*length);
    let bit = dice.random_range(0..8);
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at)?;
    Ok(format!("bit {bit} of byte {at} of {} changed", name(path)))
}

fn long_files(data: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut files = files(data)?;
    files.retain(|(_, length)| *length > 2 * CUT_BYTES_MIN);
    Ok(files)
}

fn cut_off(data: &Path, dice: &mut StdRng) -> anyhow::Result<String> {
    let files = long_files(data)?;
    ensure!(!files.is_empty(), "no file is long enough to be cut");
    let (path, length) = &files[dice.random_range(0..files.len())];
    let left = dice.random_range(length / 2..=length - CUT_BYTES_MIN);
    File::options().write(true).open(path)?.set_len(left)?;
    Ok(format!(
        "{} was cut from {length} to {left} bytes",
        name(path)
    ))
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What a copy holds, the node has long gone beyond when it gets it back: it has forgotten votes and entries
/// that it has vouched for.
pub(super) async fn put_old_copy_back(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let (data, env) = (stage.data(node), stage.env());
    let copy = stage.cluster.path(&format!("chaos/copy-of-{node}"));
    stage.kill(Party::Node(node))?;
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    copy_into(&data, &copy)?;
    stage.start_again(Party::Node(node))?;
    stage.whole_within(WHOLE_AGAIN_MAX).await;
    env.sleep(LIFE_AFTER_COPY).await;
    stage.kill(Party::Node(node))?;
    empty(&data)?;
    copy_into(&copy, &data)?;
    fs::remove_dir_all(&copy)?;
    match noticed(stage, wound, node).await? {
        Some(said) => wound.saw(format!("node {node} said: {said}")),
        None => bail!("node {node} serves from an old copy of its disk"),
    }
    Ok(())
}

/// Leaves a node the file that says whose disk it is, as if it had just been set up: under the same replica ids
/// it has forgotten everything.
pub(super) async fn lose_database(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let database = stage.data(node).join("db");
    stage.kill(Party::Node(node))?;
    fs::remove_dir_all(&database).with_context(|| format!("delete {}", database.display()))?;
    match noticed(stage, wound, node).await? {
        Some(said) => wound.saw(format!("node {node} said: {said}")),
        None => bail!("node {node} serves under its old ids without its database"),
    }
    Ok(())
}

/// Takes a node's disk away and starts it: it joins as a new one, and every group that it was in changes
/// its members.
pub(super) fn replace(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    stage.kill(Party::Node(node))?;
    empty(&stage.data(node))?;
    stage.start_again(Party::Node(node))?;
    wound.saw(format!("node {node} was replaced"));
    Ok(())
}

fn copy_into(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    let status = Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(to)
        .status()?;
    ensure!(status.success(), "cannot copy {}", from.display());
    Ok(())
}

/// The directory itself may be a mount point and stays.
fn empty(directory: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
