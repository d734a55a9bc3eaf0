//! Faults that cost a node its disk: changed and missing bytes, an old copy, nothing at all. Always on a
//! minority; the node must notice before it serves anything from there.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rand::rngs::StdRng;

use super::{Wound, files};
use crate::{kind::Kind, links::Party, stage::Stage};

/// Damage is found when the node starts, or when everything is read once.
const NOTICED_AT_START_MAX: Duration = Duration::from_secs(10);
const NOTICED_ON_READING_MAX: Duration = Duration::from_secs(10);
/// Everything is read once within this; not where the cluster is too busy to be whole meanwhile.
const READ_WHOLE_MAX: Duration = Duration::from_secs(30);
/// Damage may strike what nobody needs or reads again; then something else is damaged.
const ATTEMPTS: usize = 4;
/// How long a node goes on after its disk was copied, and how long it is left alone before.
const LIFE_AFTER_COPY: Duration = Duration::from_secs(4);
const WHOLE_AGAIN_MAX: Duration = Duration::from_secs(15);

/// Between two attempts to read everything.
const READ_PAUSE: Duration = Duration::from_millis(200);

/// For a file that is long enough to be cut.
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
            while !files::has_long_file(&data)? {
                ensure!(env.monotonic() < deadline, "no file of node {node} grows");
                env.sleep(Duration::from_millis(100)).await;
            }
        }
        stage.kill(Party::Node(node))?;
        let damage = match wound.kind {
            Kind::BitFlip => files::flip_bit(&data, attempt, dice)?,
            _ => files::cut_off(&data, dice)?,
        };
        wound.saw(&damage.what);
        match notices(stage, wound, node).await? {
            Notice::Said(said) => {
                wound.saw(said);
                return Ok(());
            }
            Notice::Nothing {
                everything_was_read,
            } => wound.saw(damage.why_unnoticed(everything_was_read)?),
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
