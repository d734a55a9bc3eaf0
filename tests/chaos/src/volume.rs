//! A file system for each node, in a file of its own, so that power can be taken from one node alone and
//! its disk can be full without filling the machine's.
//!
//! Invariant: whatever this makes carries [`PREFIX`] in its path, is taken away when it is dropped, and,
//! after a run that was killed, by [`clean_up`], which touches nothing else.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// In the path of everything that a run makes.
pub const PREFIX: &str = "quorate-chaos-";
/// Of one node; the file is sparse.
const VOLUME_BYTES: u64 = 2 << 30;
const BALLAST: &str = "ballast";

/// One mounted file system.
#[derive(Debug)]
pub struct Volume {
    image: PathBuf,
    mount_point: PathBuf,
    power_switch: PathBuf,
    mounted: bool,
}

/// Compiles the program that takes the power from a file system.
pub(crate) fn build_power_switch(directory: &Path) -> anyhow::Result<PathBuf> {
    let out = directory.join("powercut");
    crate::shim::compile(include_str!("../c/powercut.c"), &out, &[])?;
    Ok(out)
}

impl Volume {
    /// Makes and mounts an empty one.
    pub(crate) fn new(
        image: &Path,
        mount_point: &Path,
        power_switch: &Path,
    ) -> anyhow::Result<Self> {
        let file = File::create(image)?;
        file.set_len(VOLUME_BYTES)?;
        // Room is given to all of it at once, where that can be done: a file that grows makes the syncs of other nodes'
        // images wait for its blocks, which disks of their own would not.
        let _given = fallocate(&file, FallocateFlags::empty(), 0, VOLUME_BYTES);
        // Nothing in reserve for root, who runs the nodes: full shall be full.
        run(Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0", "-E", "nodiscard"])
            .arg(image))?;
        fs::create_dir_all(mount_point)?;
        let mut volume = Self {
            image: image.to_owned(),
            mount_point: mount_point.to_owned(),
            power_switch: power_switch.to_owned(),
            mounted: false,
        };
        volume.mount()?;
        Ok(volume)
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        // Nothing is to become durable by the passing of time: only what is synced.
        let mount = ["-t", "ext4", "-o", "loop,noatime,commit=300"];
        let (image, at) = (&self.image, &self.mount_point);
        run(Command::new("mount").args(mount).arg(image).arg(at))?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.mount_point))?;
        self.mounted = false;
        Ok(())
    }

    /// Takes the power. Whoever writes to it fails from now on.
    pub(crate) fn cut_power(&self) -> anyhow::Result<()> {
        run(Command::new(&self.power_switch).arg(&self.mount_point))
    }

    /// Gives the power back: what was synced is there. Nobody may have files open.
    pub(crate) fn restore_power(&mut self) -> anyhow::Result<()> {
        self.unmount()?;
        self.mount()
    }

    /// Takes all the room that is left; how many bytes that were.
    pub(crate) fn fill(&self) -> anyhow::Result<u64> {
        let ballast = File::create(self.mount_point.join(BALLAST))?;
        let mut taken = 0;
        let mut step = 64 << 20;
        while step >= 4096 {
            let room = statvfs(&self.mount_point)?;
            let free = room.f_bavail * room.f_bsize;
            let piece = step.min(free);
            if piece == 0 {
                break;
            }
            match fallocate(&ballast, FallocateFlags::empty(), taken, piece) {
                Ok(()) => taken += piece,
                // The system keeps some for itself: smaller pieces still fit.
                Err(_) => step /= 4,
            }
        }
        ensure!(taken > 0, "{} was full already", self.mount_point.display());
        Ok(taken)
    }

    /// Gives the room back.
    pub(crate) fn unfill(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.mount_point.join(BALLAST))?)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            // A process may need another moment to let go; the mount goes when it does.
            let lazily = run(Command::new("umount").arg("-l").arg(&self.mount_point));
            if let Err(error) = lazily {
                eprintln!("a mount stays; `make chaos-clean` removes it: {error:#}");
            }
        }
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("{command:?} ended with {}: {}", output.status, said.trim())
}

/// Tries everything that a volume needs, on a small one.
///
/// # Errors
/// What is missing.
pub(crate) fn probe(directory: &Path) -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "not run as root");
    let switch = build_power_switch(directory)?;
    let mount_point = directory.join("mounted");
    let volume = Volume::new(&directory.join("probe.img"), &mount_point, &switch);
    let mut volume = volume.context("a volume cannot be made")?;
    fs::write(mount_point.join("synced"), "1")?;
    File::open(mount_point.join("synced"))?.sync_all()?;
    File::open(&mount_point)?.sync_all()?;
    fs::write(mount_point.join("not synced"), "1")?;
    volume.cut_power()?;
    volume.restore_power()?;
    ensure!(
        mount_point.join("synced").exists(),
        "a power cut lost what was synced"
    );
    ensure!(
        !mount_point.join("not synced").exists(),
        "a power cut loses nothing"
    );
    Ok(())
}

/// Where a run of this process has its files: below the system's place for temporary files.
#[must_use]
pub fn run_directory_prefix() -> String {
    format!("{PREFIX}{}-", std::process::id())
}

/// Takes away what a run that was killed has left: mounts, and its directories. Returns what was removed. Runs
/// that are under way keep theirs.
///
/// # Errors
/// Something cannot be removed.
pub fn clean_up(temporary: &Path) -> anyhow::Result<Vec<String>> {
    let mut removed = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    // Newest first: a mount below another goes before it.
    for at in mounts.lines().rev().filter_map(ours) {
        run(Command::new("umount").arg("-l").arg(&at))?;
        removed.push(format!("mount {at}"));
    }
    for entry in fs::read_dir(temporary)?.flatten() {
        if is_left(&entry.file_name().to_string_lossy()) {
            fs::remove_dir_all(entry.path())?;
            removed.push(format!("directory {}", entry.path().display()));
        }
    }
    Ok(removed)
}

/// Whether a directory is that of a run which has ended.
fn is_left(name: &str) -> bool {
    let run = name.strip_prefix(PREFIX);
    let pid = run.and_then(|run| run.split('-').next());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

/// The mount point of a line of `/proc/self/mounts`, if it is one of ours.
fn ours(line: &str) -> Option<String> {
    let mut fields = line.split_whitespace();
    let (device, at) = (fields.next()?, fields.next()?);
    let ours = device.starts_with("/dev/loop") && at.split('/').any(is_left);
    ours.then(|| at.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_of_chaos_runs_are_taken_away() {
        let line = |device: &str, at: &str| ours(&format!("{device} {at} ext4 rw 0 0"));
        // No process has this number: it is beyond the largest that there can be.
        let at = "/tmp/quorate-chaos-99999999-x/cluster-x/node-1/data";
        assert_eq!(line("/dev/loop3", at).as_deref(), Some(at));
        assert_eq!(line("/dev/vda", at), None);
        let under_way = format!("/tmp/{}x/node-1/data", run_directory_prefix());
        assert_eq!(line("/dev/loop3", &under_way), None);
        assert_eq!(line("/dev/loop3", "/srv/quorate-chaos"), None);
        assert_eq!(line("/dev/loop3", "/mnt/image"), None);
    }
}
