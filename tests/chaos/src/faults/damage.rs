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

use super::{Wound, table::Table};
use crate::{kind::Kind, links::Party, stage::Stage};

/// Damage is found when the node starts, or when everything is read once.
const NOTICED_AT_START_MAX: Duration = Duration::from_secs(10);
const NOTICED_ON_READING_MAX: Duration = Duration::from_secs(10);
/// Everything is read once within this; not where the cluster is too busy to be whole meanwhile.
const READ_WHOLE_MAX: Duration = Duration::from_secs(30);
/// A flipped bit may strike bytes that nobody ever reads again; then another is flipped.
const ATTEMPTS: usize = 4;
/// How long a node goes on after its disk was copied, and how long it is left alone before.
const LIFE_AFTER_COPY: Duration = Duration::from_secs(4);
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(15);
/// What a file loses at least: of a log, some seconds of what a busy node writes.
const CUT_BYTES_MIN: u64 = 64 << 10;

/// Between two attempts to read everything.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// For a file that is long enough to lose that much.
const LONG_FILE_TIME_MAX: Duration = Duration::from_secs(60);

/// The column family whose rows a verification reads, all of them.
const STATE_FAMILY: &str = "state";

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
        let flip = match wound.kind {
            Kind::BitFlip => {
                let flip = flip_bit(&data, attempt, dice)?;
                wound.saw(&flip.what);
                Some(flip)
            }
            _ => {
                wound.saw(cut_off(&data, dice)?);
                None
            }
        };
        match notices(stage, wound, node).await? {
            Notice::Said(said) => {
                wound.saw(said);
                return Ok(());
            }
            Notice::Nothing {
                everything_was_read,
            } => {
                let why = match &flip {
                    Some(flip) => flip.why_unnoticed(everything_was_read)?,
                    None => "not noticed".to_owned(),
                };
                wound.saw(why);
            }
        }
    }
    bail!("node {node} never noticed: {}", wound.proof.join("; "));
}

/// Whether a node finds out that its disk is not what it was.
enum Notice {
    /// It did, and ended.
    Said(String),
    /// It did not.
    Nothing {
        /// And not because nobody read what is wrong.
        everything_was_read: bool,
    },
}

/// Starts a node with a damaged disk, and waits until it ends by itself.
async fn notices(stage: &mut Stage, wound: &Wound, node: u16) -> anyhow::Result<Notice> {
    stage.start_again(Party::Node(node))?;
    let mut ended = stage.ends_by_itself(node, NOTICED_AT_START_MAX).await;
    let mut everything_was_read = false;
    if ended.is_none() {
        // Reads every row of every replica. A node that finds damage ends, and the comparison with it.
        let env = stage.env();
        let deadline = env.monotonic() + READ_WHOLE_MAX;
        while !everything_was_read && ended.is_none() && env.monotonic() < deadline {
            let left = deadline.saturating_sub(env.monotonic());
            let read = env.timeout(left, stage.cluster.verify()).await;
            everything_was_read = matches!(read, Ok(Ok(_)));
            ended = stage.ends_by_itself(node, READ_PAUSE).await;
        }
    }
    if ended.is_none() {
        ended = stage.ends_by_itself(node, NOTICED_ON_READING_MAX).await;
    }
    let Some(status) = ended else {
        return Ok(Notice::Nothing {
            everything_was_read,
        });
    };
    let log = stage.log_since(node, wound.log);
    let complaint = |line: &&str| COMPLAINTS.iter().any(|word| line.contains(word));
    let said = log.lines().rev().find(complaint);
    let said = said.with_context(|| format!("node {node} ended without saying why:\n{log}"))?;
    let end = said
        .char_indices()
        .nth(300)
        .map_or(said.len(), |(at, _)| at);
    let said = &said[..end];
    Ok(Notice::Said(format!(
        "node {node} ended with {status} and said: {said}"
    )))
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

/// A bit that was changed.
struct Flip {
    what: String,
    path: PathBuf,
    /// Byte.
    at: u64,
    /// What a table said of itself before.
    table: Option<Table>,
    /// Some table of the disk deletes ranges of rows, which nobody reads then.
    ranges_deleted: bool,
}

impl Flip {
    /// Why nobody noticed.
    ///
    /// # Errors
    /// Everything was read, and the bit lies among what is read then.
    fn why_unnoticed(&self, everything_was_read: bool) -> anyhow::Result<String> {
        // A node that starts writes a new log and a new manifest, and deletes what it no longer needs.
        if !self.path.exists() {
            return Ok("not noticed: the file is gone".to_owned());
        }
        let Some(table) = &self.table else {
            return Ok("not noticed: the file is there, and is no table".to_owned());
        };
        let why = match (&*table.family, everything_was_read) {
            (STATE_FAMILY, _) if self.at >= table.rows_bytes => "it lies behind the rows",
            (STATE_FAMILY, false) => "not everything was read",
            (STATE_FAMILY, true) if self.ranges_deleted => "its row may be deleted",
            (STATE_FAMILY, true) => bail!(
                "{}: it lies among rows of the state, all were read, and nobody noticed",
                self.what
            ),
            _ => "the table holds no state",
        };
        Ok(format!("not noticed: the file is there, but {why}"))
    }
}

/// In any file at first; then in one that is read whole at every start.
fn flip_bit(data: &Path, attempt: usize, dice: &mut StdRng) -> anyhow::Result<Flip> {
    let mut files = files(data)?;
    let mut tables = files.iter().filter_map(|(path, _)| table(path));
    let ranges_deleted = tables.any(|table| table.ranges_deleted > 0);
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    if attempt > 0 && files.iter().any(|(path, _)| is_log(path)) {
        files.retain(|(path, _)| is_log(path));
    }
    let (path, length) = &files[dice.random_range(0..files.len())];
    let at = dice.random_range(0..*length);
    let bit = dice.random_range(0..8);
    let table = table(path);
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at)?;
    Ok(Flip {
        what: format!("bit {bit} of byte {at} of {} changed", name(path)),
        path: path.clone(),
        at,
        table,
        ranges_deleted,
    })
}

fn table(path: &Path) -> Option<Table> {
    let is_table = path.extension().is_some_and(|extension| extension == "sst");
    is_table.then(|| Table::read(path)).flatten()
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
    match notices(stage, wound, node).await? {
        Notice::Said(said) => wound.saw(said),
        Notice::Nothing { .. } => bail!("node {node} serves from an old copy of its disk"),
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
    match notices(stage, wound, node).await? {
        Notice::Said(said) => wound.saw(said),
        Notice::Nothing { .. } => {
            bail!("node {node} serves under its old ids without its database")
        }
    }
    Ok(())
}

/// Takes a node's disk away and starts it: it joins as a new one, and every group that it was in changes
/// its members.
pub(super) fn replace(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let (node, data) = (wound.first()?, stage.data(wound.first()?));
    // Not where all nodes were killed, or where damage has ended it.
    stage.kill_if_it_runs(Party::Node(node))?;
    empty(&data)?;
    // If its power is cut next, what was deleted must not come back.
    File::open(&data)?.sync_all()?;
    stage.start_again(Party::Node(node))?;
    wound.over = Some(stage.env().monotonic());
    wound.emptied = Some(node);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_flip_among_rows_that_were_read_must_be_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("000123.sst");
        fs::write(&path, "rows").unwrap();
        let flip = |at, family: &str, ranges_deleted| Flip {
            what: "a bit changed".to_owned(),
            path: path.clone(),
            at,
            table: Some(Table {
                family: family.to_owned(),
                rows_bytes: 300,
                ranges_deleted: 0,
            }),
            ranges_deleted,
        };
        let among_rows = flip(299, STATE_FAMILY, false);
        assert!(among_rows.why_unnoticed(true).is_err());
        for (excused, everything_was_read) in [
            (&among_rows, false),
            (&flip(300, STATE_FAMILY, false), true),
            (&flip(299, STATE_FAMILY, true), true),
            (&flip(299, "raft", false), true),
        ] {
            let why = excused.why_unnoticed(everything_was_read).unwrap();
            assert!(why.contains("the file is there"), "{why}");
        }
        fs::remove_file(&path).unwrap();
        assert!(among_rows.why_unnoticed(true).unwrap().contains("gone"));
    }
}
