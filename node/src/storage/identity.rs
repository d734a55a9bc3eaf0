//! Whose disk this is: a small text file written once, when the disk is first used.
//!
//! The incarnation tells the cluster that a node came back with an empty disk, whose replicas must be
//! replaced under new ids and never revived under the old ones.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use quorate_proto::ids::NodeId;

const FILE: &str = "NODE";
const HEADING: &str = "quorate node disk, format 1";

/// What the disk says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskIdentity {
    pub(crate) cluster_id: String,
    pub(crate) node: NodeId,
    /// Drawn at random when the disk was first used; never 0.
    pub(crate) incarnation: u64,
    /// Whether the disk was first used when the cluster was founded.
    pub(crate) founding: bool,
}

/// Why the disk cannot be used by this node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("cannot read or write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path} is damaged at line {line}: restore it, or empty the directory and let the node rejoin"
    )]
    Damaged { path: PathBuf, line: usize },
    #[error(
        "{path} belongs to node {found} of cluster {found_cluster:?}, but this is node {expected} of cluster {expected_cluster:?}"
    )]
    Foreign {
        path: PathBuf,
        found: NodeId,
        found_cluster: String,
        expected: NodeId,
        expected_cluster: String,
    },
}

impl DiskIdentity {
    /// The identity on disk, or `None` if the directory was never used.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = dir.join(FILE);
        match fs::read(&path) {
            // A line that is no text any more is as wrong as any other.
            Ok(bytes) => parse(&String::from_utf8_lossy(&bytes))
                .map(Some)
                .map_err(|line| IdentityError::Damaged { path, line }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(IdentityError::Io { path, source }),
        }
    }

    /// Writes the identity so that it survives a power cut, replacing none.
    pub(crate) fn create(&self, dir: &Path) -> Result<(), IdentityError> {
        let path = dir.join(FILE);
        let write = || -> io::Result<()> {
            fs::create_dir_all(dir)?;
            let draft = dir.join(format!("{FILE}.new"));
            let mut file = File::create(&draft)?;
            file.write_all(self.render().as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(dir)?.sync_all()
        };
        write().map_err(|source| IdentityError::Io { path, source })
    }

    /// Refuses a disk of another node or cluster.
    pub(crate) fn check(
        &self,
        dir: &Path,
        cluster_id: &str,
        node: NodeId,
    ) -> Result<(), IdentityError> {
        if self.cluster_id == cluster_id && self.node == node {
            return Ok(());
        }
        Err(IdentityError::Foreign {
            path: dir.join(FILE),
            found: self.node,
            found_cluster: self.cluster_id.clone(),
            expected: node,
            expected_cluster: cluster_id.to_owned(),
        })
    }

    fn render(&self) -> String {
        let body = format!(
            "{HEADING}\ncluster {}\nnode {}\nincarnation {}\nfounding {}\n",
            self.cluster_id,
            self.node.get(),
            self.incarnation,
            self.founding
        );
        let checksum = crc32c::crc32c(body.as_bytes());
        format!("{body}checksum {checksum:08x}\n")
    }
}

/// Parses the file; the error is the 1-based line that is wrong.
pub(crate) fn parse(text: &str) -> Result<DiskIdentity, usize> {
    let lines: Vec<&str> = text.lines().collect();
    let field = |index: usize, name: &str| -> Result<&str, usize> {
        lines
            .get(index)
            .and_then(|line| line.strip_prefix(name))
            .ok_or(index + 1)
    };
    field(0, HEADING)?;
    let identity = DiskIdentity {
        cluster_id: field(1, "cluster ")?.to_owned(),
        node: NodeId::new(field(2, "node ")?.parse().map_err(|_| 3usize)?),
        incarnation: field(3, "incarnation ")?.parse().map_err(|_| 4usize)?,
        founding: field(4, "founding ")?.parse().map_err(|_| 5usize)?,
    };
    field(5, "checksum ")?;
    if identity.render() == text {
        Ok(identity)
    } else {
        Err(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> DiskIdentity {
        DiskIdentity {
            cluster_id: "demo".to_owned(),
            node: NodeId::new(3),
            incarnation: 42,
            founding: true,
        }
    }

    #[test]
    fn an_unused_directory_has_no_identity() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert_eq!(DiskIdentity::read(dir.path()).expect("readable"), None);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let dir = tempfile::tempdir().expect("temporary directory");
        identity().create(dir.path()).expect("writable");
        assert_eq!(
            DiskIdentity::read(dir.path()).expect("readable"),
            Some(identity())
        );
    }

    #[test]
    fn a_changed_byte_is_named_by_line() {
        let text = identity().render().replace("node 3", "node 4");
        assert_eq!(parse(&text), Err(6));
        assert_eq!(parse("quorate node disk, format 1\n"), Err(2));
    }

    #[test]
    fn a_byte_that_is_no_text_is_damage() {
        let dir = tempfile::tempdir().expect("temporary directory");
        identity().create(dir.path()).expect("writable");
        let path = dir.path().join(FILE);
        let mut bytes = fs::read(&path).expect("readable");
        let name = bytes.windows(4).position(|at| at == b"demo");
        bytes[name.expect("it names the cluster")] ^= 0x80;
        fs::write(&path, bytes).expect("writable");
        let read = DiskIdentity::read(dir.path());
        assert!(
            matches!(read, Err(IdentityError::Damaged { line: 6, .. })),
            "{read:?}"
        );
    }

    #[test]
    fn a_foreign_disk_is_refused() {
        let dir = Path::new("data");
        assert!(identity().check(dir, "demo", NodeId::new(3)).is_ok());
        assert!(identity().check(dir, "demo", NodeId::new(4)).is_err());
        assert!(identity().check(dir, "other", NodeId::new(3)).is_err());
    }
}
