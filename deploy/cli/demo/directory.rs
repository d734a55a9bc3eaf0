//! The demo's directory: one demo at a time, never somebody else's files, and the disk has room.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

use super::{DemoArgs, layout::Shape};
use crate::{
    config::{self, cluster::ClockEntry},
    exit::Failure,
    output::bytes,
};

const LOCK_FILE: &str = ".lock";
const SHAPE_FILE: &str = "demo.toml";

/// Written last when a directory is prepared.
const LAST_FILE: &str = "context.toml";

/// Less free space than this is as good as a full disk: logs and databases of three nodes begin with some
/// tens of megabytes.
const FREE_BYTES_MIN: u64 = 256 << 20;

/// Makes the directory and locks it until the returned file is dropped, or the process dies.
///
/// # Errors
/// Another demo uses it, it holds something else, or the disk is full.
pub(super) fn take(root: &Path, fresh: bool) -> Result<File, Failure> {
    fs::create_dir_all(root).map_err(|error| cannot_write(root, &error))?;
    let path = root.join(LOCK_FILE);
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| cannot_write(&path, &error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(
                Failure::usage(format!("another demo is running in {}", root.display()))
                    .next("stop it, or choose another directory with --dir"),
            );
        }
        Err(TryLockError::Error(error)) => return Err(cannot_write(&path, &error)),
    }
    refuse_foreign(root)?;
    // A directory that was not prepared to the end was never used.
    if fresh || !root.join(LAST_FILE).exists() {
        empty(root)?;
    }
    enough_room(root)?;
    Ok(lock)
}

/// How large the demo is, and whether that was just decided.
///
/// # Errors
/// The directory holds a demo of another size than the arguments ask for.
pub(super) fn shape(args: &DemoArgs, now_ms: i64) -> Result<(Shape, bool), Failure> {
    let path = args.dir.join(SHAPE_FILE);
    if !path.exists() {
        let usual = Shape::default();
        let shape = Shape {
            nodes: args.nodes.unwrap_or(usual.nodes),
            shards: args.shards.unwrap_or(usual.shards),
            gateways: args.gateways.unwrap_or(usual.gateways),
            port_base: args.port_base.unwrap_or(usual.port_base),
            program: args.program.unwrap_or_default(),
            clock: args.clock.map(|starts_at| ClockEntry {
                starts_at,
                started_real_ms: now_ms,
                speed: args.speed.unwrap_or(1),
            }),
        };
        let text = toml::to_string(&shape)
            .map_err(|error| Failure::unexpected(format!("cannot write TOML: {error}")))?;
        fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
        return Ok((shape, true));
    }
    let shape = config::load::<Shape>(&path)?.value;
    let asked_and_there = [
        ("--nodes", args.nodes.map(u64::from), u64::from(shape.nodes)),
        ("--shards", args.shards.map(u64::from), shape.shards.into()),
        (
            "--gateways",
            args.gateways.map(u64::from),
            shape.gateways.into(),
        ),
        (
            "--port-base",
            args.port_base.map(u64::from),
            shape.port_base.into(),
        ),
    ];
    if args.program.is_some_and(|asked| asked != shape.program) {
        return Err(made_otherwise(args, "--program", shape.program.id()));
    }
    let begins = |clock: ClockEntry| clock.starts_at.to_string();
    let clock_there = shape.clock.map_or("nothing".to_owned(), begins);
    if args
        .clock
        .is_some_and(|asked| Some(asked) != shape.clock.map(|clock| clock.starts_at))
    {
        return Err(made_otherwise(args, "--clock", &clock_there));
    }
    let asked_and_there = asked_and_there.into_iter().chain([(
        "--speed",
        args.speed.map(u64::from),
        shape.clock.map_or(1, |clock| clock.speed.into()),
    )]);
    for (option, asked, there) in asked_and_there {
        if asked.is_some_and(|asked| asked != there) {
            return Err(made_otherwise(args, option, &there.to_string()));
        }
    }
    Ok((shape, false))
}

fn made_otherwise(args: &DemoArgs, option: &str, there: &str) -> Failure {
    Failure::usage(format!(
        "{} was made with {option} {there}",
        args.dir.display()
    ))
    .next(format!(
        "leave {option} out, add --fresh to begin anew, or choose another --dir"
    ))
}

/// A directory that is neither empty nor a demo's is left alone.
fn refuse_foreign(root: &Path) -> Result<(), Failure> {
    if root.join(SHAPE_FILE).exists() {
        return Ok(());
    }
    let entries = fs::read_dir(root).map_err(|error| cannot_write(root, &error))?;
    let foreign = entries
        .flatten()
        .any(|entry| entry.file_name() != LOCK_FILE);
    if foreign {
        return Err(
            Failure::usage(format!("{} holds something else", root.display()))
                .next("choose an empty or a new directory with --dir"),
        );
    }
    Ok(())
}

/// Deletes everything but the lock.
fn empty(root: &Path) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        Failure::unexpected(format!("cannot empty {}: {error}", root.display()))
    };
    for entry in fs::read_dir(root).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        // The file that makes it a demo's directory goes last.
        if entry.file_name() == LOCK_FILE || entry.file_name() == SHAPE_FILE {
            continue;
        }
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = match is_dir {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
        removed.map_err(|error| failed(&error))?;
    }
    match fs::remove_file(root.join(SHAPE_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn enough_room(root: &Path) -> Result<(), Failure> {
    let Ok(disk) = rustix::fs::statvfs(root) else {
        // Some file systems do not tell; a full one will be noticed when it is written to.
        return Ok(());
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= FREE_BYTES_MIN {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "the disk that holds {} is full: {} are free, and the demo needs {}",
        root.display(),
        bytes(free),
        bytes(FREE_BYTES_MIN)
    ))
    .next("free some space, or choose another disk with --dir"))
}

/// One clear sentence for a file that cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::usage(format!("the disk that holds {} is full", path.display()))
                .next("free some space, or choose another disk with --dir")
        }
        _ => Failure::usage(format!("cannot write {}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;

    use super::*;

    fn args(root: &Path) -> DemoArgs {
        DemoArgs {
            dir: root.to_owned(),
            fresh: false,
            nodes: None,
            shards: None,
            gateways: None,
            port_base: None,
            program: None,
            clock: None,
            speed: None,
        }
    }

    #[test]
    fn one_demo_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = take(root.path(), false).unwrap();
        let failure = take(root.path(), false).unwrap_err();
        assert!(failure.to_string().starts_with("another demo is running"));
        drop(first);
        take(root.path(), false).unwrap();
    }

    #[test]
    fn other_peoples_files_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let thesis = root.path().join("thesis.txt");
        fs::write(&thesis, "precious").unwrap();
        for fresh in [false, true] {
            let failure = take(root.path(), fresh).unwrap_err();
            assert!(failure.to_string().contains("holds something else"));
        }
        assert!(thesis.exists());
    }

    #[test]
    fn a_demo_keeps_its_size() {
        let root = tempfile::tempdir().unwrap();
        let _lock = take(root.path(), false).unwrap();
        let (shape_at_first, is_new) = shape(&args(root.path()), 1).unwrap();
        assert!(is_new);
        fs::write(root.path().join(LAST_FILE), "").unwrap();
        assert_eq!(
            shape(&args(root.path()), 2).unwrap(),
            (shape_at_first, false)
        );
        let larger = DemoArgs {
            nodes: Some(5),
            ..args(root.path())
        };
        let failure = shape(&larger, 2).unwrap_err();
        assert!(failure.to_string().contains("was made with --nodes 3"));
        let on_a_clock = DemoArgs {
            clock: Some(Timestamp::UNIX_EPOCH),
            ..args(root.path())
        };
        let failure = shape(&on_a_clock, 2).unwrap_err();
        assert!(
            failure
                .to_string()
                .contains("was made with --clock nothing")
        );
    }

    #[test]
    fn a_clock_goes_on_where_it_was() {
        let root = tempfile::tempdir().unwrap();
        let _lock = take(root.path(), false).unwrap();
        let on_a_clock = || DemoArgs {
            clock: Some(Timestamp::UNIX_EPOCH),
            speed: Some(60),
            ..args(root.path())
        };
        let (at_first, _) = shape(&on_a_clock(), 1_000).unwrap();
        fs::write(root.path().join(LAST_FILE), "").unwrap();
        let (later, _) = shape(&on_a_clock(), 9_000).unwrap();
        assert_eq!(at_first.clock.unwrap().started_real_ms, 1_000);
        assert_eq!(later, at_first);
        let (unasked, _) = shape(&args(root.path()), 9_000).unwrap();
        assert_eq!(unasked, at_first);
    }

    #[test]
    fn fresh_or_half_prepared_begins_anew() {
        let root = tempfile::tempdir().unwrap();
        drop(take(root.path(), false).unwrap());
        shape(&args(root.path()), 1).unwrap();
        fs::create_dir(root.path().join("ca")).unwrap();
        // Interrupted before the last file: taken again, it is empty.
        drop(take(root.path(), false).unwrap());
        assert!(!root.path().join("ca").exists());
        shape(&args(root.path()), 1).unwrap();
        fs::write(root.path().join(LAST_FILE), "").unwrap();
        drop(take(root.path(), false).unwrap());
        assert!(root.path().join(LAST_FILE).exists());
        drop(take(root.path(), true).unwrap());
        assert!(!root.path().join(LAST_FILE).exists());
    }

    #[test]
    fn a_full_disk_is_called_full() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let failure = cannot_write(Path::new("demo"), &error);
        assert!(failure.to_string().contains("is full; free some space"));
    }
}
