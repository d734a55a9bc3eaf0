//! Faults of what a process may have: files, memory.

use std::fs;

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::{END_BY_ITSELF_MAX, Wound, proof};
use crate::{
    links::Party,
    stage::{Stage, process},
};

/// Files that a node may still open: fewer than it has connections.
const FILES_LEFT: u64 = 2;

fn pid(stage: &mut Stage, node: u16) -> anyhow::Result<u32> {
    let pid = process(&mut stage.cluster, Party::Node(node))?.pid();
    pid.with_context(|| format!("node {node} does not run"))
}

fn limit(pid: u32, resource: Resource, soft: Option<u64>) -> anyhow::Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    let hard = prlimit(
        pid,
        resource,
        Rlimit {
            current: soft,
            maximum: None,
        },
    );
    // Who may not raise the hard limit keeps it.
    if hard.is_err() {
        let maximum = rustix::process::getrlimit(resource).maximum;
        let current = soft.or(maximum);
        prlimit(pid, resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

/// Open files of a process: how many there are, and how many of them are connections.
fn open_files(pid: u32) -> anyhow::Result<(u64, u64)> {
    let (mut all, mut sockets) = (0, 0);
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))?.flatten() {
        all += 1;
        let to = fs::read_link(entry.path()).unwrap_or_default();
        sockets += u64::from(to.to_string_lossy().starts_with("socket:"));
    }
    Ok((all, sockets))
}

/// Then every connection breaks, and must be made anew without a file to be had.
pub(super) fn no_files(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let pid = pid(stage, node)?;
    let (all, sockets) = open_files(pid)?;
    let left = all.saturating_sub(sockets) + FILES_LEFT;
    limit(pid, Resource::Nofile, Some(left))?;
    stage.links.break_all();
    Ok(())
}

pub(super) fn files_again(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    const FILES: u64 = 20_000;
    let node = wound.first()?;
    let log = stage.log_since(node, wound.log);
    ensure!(
        log.contains("Too many open files") || log.contains("os error 24"),
        "node {node} had files enough"
    );
    wound.saw(format!("node {node} had no file left"));
    if stage.cluster.node(node.into()).is_running() {
        let pid = pid(stage, node)?;
        return limit(pid, Resource::Nofile, Some(FILES));
    }
    wound.saw(format!("node {node} ended"));
    stage.start_again(Party::Node(node))
}

/// No more than it has now, and not even that where it gives some back.
pub(super) fn no_memory(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let pid = pid(stage, wound.first()?)?;
    limit(pid, Resource::As, Some(1 << 20))
}

/// Who may panic over it is told by what it says.
pub(super) async fn memory_again(stage: &mut Stage, wound: &mut Wound) -> anyhow::Result<()> {
    let node = wound.first()?;
    let ended = stage.ends_by_itself(node, END_BY_ITSELF_MAX).await;
    let status = ended.with_context(|| format!("node {node} had memory enough"))?;
    let log = stage.unsearched(Party::Node(node))?;
    let said = proof::died_of_memory(&log);
    let said = said.with_context(|| format!("node {node} ended with {status}"))?;
    wound.saw(format!("node {node} ended with {status} and said: {said}"));
    stage.start_again(Party::Node(node))
}
