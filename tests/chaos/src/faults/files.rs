//! Files of a node's disk that are damaged: which, how, and what excuses a node that does not notice.
//!
//! A node that starts looks at the length of every table that it needs and reads its logs to their ends. Then it writes
//! a new log and a new manifest, and deletes every file that it no longer needs: a table that is still there is needed,
//! and of logs and manifests none is left, needed or not.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{bail, ensure};
use rand::{RngExt as _, rngs::StdRng};

use super::table::Table;

/// What a file loses at least: of a log, some seconds of what a busy node writes.
const CUT_BYTES_MIN: u64 = 64 << 10;

/// The column family whose rows a verification reads, all of them.
const STATE_FAMILY: &str = "state";

/// A file that was damaged.
pub(super) struct Damage {
    /// In words.
    pub(super) what: String,
    path: PathBuf,
    how: How,
}

enum How {
    Flipped(Flip),
    Cut(Cut),
}

/// Where a bit was changed.
struct Flip {
    /// Byte.
    at: u64,
    /// What a table said of itself before.
    table: Option<Table>,
    /// Some table of the disk deletes ranges of rows, which nobody reads then.
    ranges_deleted: bool,
}

/// Which file lost its end.
enum Cut {
    /// The log that was written last: other nodes have heard how many synced writes it held.
    NewestLog,
    /// A table.
    Table,
    /// An older log, which may not be needed any more, or a manifest, an older state of which may do.
    Other,
}

impl Damage {
    /// Why nobody noticed. `everything_was_read`: the node came up, was heard by the others, and read all its state.
    ///
    /// # Errors
    /// The node needed what was damaged.
    pub(super) fn why_unnoticed(&self, everything_was_read: bool) -> anyhow::Result<String> {
        let is_there = self.path.exists();
        let excuse = match &self.how {
            How::Flipped(flip) => flip.excuse(is_there, everything_was_read),
            How::Cut(cut) => cut.excuse(is_there, everything_was_read),
        };
        match excuse {
            Ok(excuse) => Ok(format!("not noticed: {excuse}")),
            Err(needed) => bail!("{}: {needed}, and nobody noticed", self.what),
        }
    }
}

impl Flip {
    /// What excuses a node that does not notice, or else why it has to.
    fn excuse(
        &self,
        is_there: bool,
        everything_was_read: bool,
    ) -> Result<&'static str, &'static str> {
        let table = match &self.table {
            _ if !is_there => return Ok("the file is gone"),
            Some(table) => table,
            None => return Ok("the file is there, and is no table"),
        };
        match (&*table.family, everything_was_read) {
            (STATE_FAMILY, _) if self.at >= table.rows_bytes => Ok("it lies behind the rows"),
            (STATE_FAMILY, false) => Ok("not everything was read"),
            (STATE_FAMILY, true) if self.ranges_deleted => Ok("its row may be deleted"),
            (STATE_FAMILY, true) => Err("it lies among rows of the state, all were read"),
            _ => Ok("the table holds no state"),
        }
    }
}

impl Cut {
    /// What excuses a node that does not notice, or else why it has to.
    fn excuse(
        &self,
        is_there: bool,
        everything_was_read: bool,
    ) -> Result<&'static str, &'static str> {
        match self {
            _ if !everything_was_read => Ok("not everything was read"),
            Self::NewestLog => Err("others have heard of more synced writes than it holds"),
            Self::Table if is_there => Err("the node needs this table"),
            Self::Table => Ok("the file is gone"),
            Self::Other => Ok("it was a manifest or an older log"),
        }
    }
}

/// In any file at first; then in one that is read whole at every start.
pub(super) fn flip_bit(data: &Path, attempt: usize, dice: &mut StdRng) -> anyhow::Result<Damage> {
    let mut files = durable_files(data)?;
    let mut tables = files.iter().filter_map(|(path, _)| table(path));
    let ranges_deleted = tables.any(|table| table.ranges_deleted > 0);
    if attempt > 0 && files.iter().any(|(path, _)| is_a(path, "log")) {
        files.retain(|(path, _)| is_a(path, "log"));
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
    Ok(Damage {
        what: format!("bit {bit} of byte {at} of {} changed", name(path)),
        path: path.clone(),
        how: How::Flipped(Flip {
            at,
            table,
            ranges_deleted,
        }),
    })
}

/// Of a file that is long enough.
pub(super) fn cut_off(data: &Path, dice: &mut StdRng) -> anyhow::Result<Damage> {
    let files = long_files(data)?;
    ensure!(!files.is_empty(), "no file is long enough to be cut");
    let (path, length) = &files[dice.random_range(0..files.len())];
    let left = dice.random_range(length / 2..=length - CUT_BYTES_MIN);
    let cut = if newest_log(data)?.as_ref() == Some(path) {
        Cut::NewestLog
    } else if is_a(path, "sst") {
        Cut::Table
    } else {
        Cut::Other
    };
    File::options().write(true).open(path)?.set_len(left)?;
    Ok(Damage {
        what: format!("{} was cut from {length} to {left} bytes", name(path)),
        path: path.clone(),
        how: How::Cut(cut),
    })
}

/// Whether there is a file that can be cut.
pub(super) fn has_long_file(data: &Path) -> anyhow::Result<bool> {
    Ok(!long_files(data)?.is_empty())
}

fn long_files(data: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut files = durable_files(data)?;
    files.retain(|(_, length)| *length > 2 * CUT_BYTES_MIN);
    Ok(files)
}

/// The files of a node that hold anything, with their lengths, largest first.
fn durable_files(data: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for directory in [data.to_owned(), data.join("db")] {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            // A node that runs deletes what it no longer needs.
            let Ok(about) = entry.metadata() else {
                continue;
            };
            let path = entry.path();
            let name = name(&path);
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

/// The log with the highest number. It may be empty still.
fn newest_log(data: &Path) -> anyhow::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in fs::read_dir(data.join("db"))? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number
            && is_a(&path, "log")
        {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

fn table(path: &Path) -> Option<Table> {
    is_a(path, "sst").then(|| Table::read(path)).flatten()
}

fn is_a(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_flip_among_rows_that_were_read_must_be_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("000123.sst");
        fs::write(&path, "rows").unwrap();
        let flip = |at, family: &str, ranges_deleted| Damage {
            what: "a bit changed".to_owned(),
            path: path.clone(),
            how: How::Flipped(Flip {
                at,
                table: Some(Table {
                    family: family.to_owned(),
                    rows_bytes: 300,
                    ranges_deleted: 0,
                }),
                ranges_deleted,
            }),
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
            assert!(!why.contains("gone"), "{why}");
        }
        fs::remove_file(&path).unwrap();
        assert!(among_rows.why_unnoticed(true).unwrap().contains("gone"));
    }

    #[test]
    fn a_cut_of_what_the_node_needs_must_be_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("000123.sst");
        fs::write(&path, "rows").unwrap();
        let cut = |of| Damage {
            what: "it was cut".to_owned(),
            path: path.clone(),
            how: How::Cut(of),
        };
        for needed in [cut(Cut::NewestLog), cut(Cut::Table)] {
            assert!(needed.why_unnoticed(true).is_err());
            assert!(needed.why_unnoticed(false).is_ok());
        }
        assert!(cut(Cut::Other).why_unnoticed(true).is_ok());
        fs::remove_file(&path).unwrap();
        assert!(cut(Cut::Table).why_unnoticed(true).is_ok());
        // Every start takes its place.
        assert!(cut(Cut::NewestLog).why_unnoticed(true).is_err());
    }

    #[test]
    fn a_log_is_the_newest_until_there_is_another() {
        let data = tempfile::tempdir().unwrap();
        let database = data.path().join("db");
        fs::create_dir(&database).unwrap();
        let mut dice = StdRng::seed_from_u64(1);
        let mut cut = || {
            let long = vec![1_u8; 3 * CUT_BYTES_MIN as usize];
            fs::write(database.join("000999.log"), long).unwrap();
            cut_off(data.path(), &mut dice).unwrap().how
        };
        assert!(matches!(cut(), How::Cut(Cut::NewestLog)));
        fs::write(database.join("001000.log"), "").unwrap();
        assert!(matches!(cut(), How::Cut(Cut::Other)));
    }
}
