//! Where a journal's bytes are: the seam, and the file system behind it.
//!
//! Laws of the seam: what was appended before a `sync` that returned is there after a loss of power; what was
//! appended after the last one may be there in whole, in part or not at all; `replace` leaves the old bytes
//! or the new ones. Deliberately absent: what the bytes mean.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A file that grows at its end.
pub trait JournalFile: Send {
    /// Everything, from the beginning.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self) -> io::Result<Vec<u8>>;
    /// Adds at the end.
    ///
    /// # Errors
    /// Any part of it may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable.
    ///
    /// # Errors
    /// Nobody knows what is durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts everything after the first `length` bytes, durably.
    ///
    /// # Errors
    /// It may have been cut or not.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Puts other bytes in the place of all, durably.
    ///
    /// # Errors
    /// The old bytes are there, or the new ones.
    fn replace(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Why a journal's file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program has it open.
    #[error("{} is in use by another program; one counter, one journal", .0.display())]
    InUse(PathBuf),
    /// The file system refused.
    #[error("cannot open {}: {source}", path.display())]
    Io {
        /// Of the journal.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A file on a disk, readable by its owner only, and locked against a second program.
#[derive(Debug)]
pub struct DiskFile {
    path: PathBuf,
    file: File,
    /// Held for as long as this lives. A file of its own, because `replace` changes the other.
    _lock: File,
}

impl DiskFile {
    /// Opens the journal, or makes an empty one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let lock = private()
            .create(true)
            .truncate(false)
            .open(beside(path, "lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let file = private()
            .create(true)
            .append(true)
            .open(path)
            .map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync_directory(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            _lock: lock,
        })
    }
}

impl JournalFile for DiskFile {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&self.path)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let new = beside(&self.path, "new");
        let mut file = private().create(true).truncate(true).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_directory(&self.path)?;
        self.file = private().append(true).open(&self.path)?;
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// A new name in a directory is durable once the directory is.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_grows_is_cut_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("slips.journal");
        let mut file = DiskFile::open(&path).unwrap();
        file.append(b"one").unwrap();
        file.append(b"two").unwrap();
        file.sync().unwrap();
        assert_eq!(file.read().unwrap(), b"onetwo");
        file.truncate(3).unwrap();
        file.append(b"2").unwrap();
        assert_eq!(file.read().unwrap(), b"one2");
        file.replace(b"new").unwrap();
        file.append(b"er").unwrap();
        drop(file);
        let mut file = DiskFile::open(&path).unwrap();
        assert_eq!(file.read().unwrap(), b"newer");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn one_program_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("slips.journal");
        let first = DiskFile::open(&path).unwrap();
        assert!(matches!(DiskFile::open(&path), Err(OpenError::InUse(_))));
        drop(first);
        DiskFile::open(&path).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = DiskFile::open(Path::new("no-such-place/slips.journal")).unwrap_err();
        assert!(error.to_string().contains("no-such-place"), "{error}");
    }
}
