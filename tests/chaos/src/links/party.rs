//! Who is at the other end of a connection: the process that holds the socket, looked up in `/proc`.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::Path,
    sync::{PoisonError, RwLock},
};

/// One process of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// By number, from 1.
    Node(u16),
    /// By number, from 1.
    Gateway(u16),
    /// The test itself, or a process that has ended.
    Other,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(number) => write!(f, "node-{number}"),
            Self::Gateway(number) => write!(f, "gateway-{number}"),
            Self::Other => write!(f, "other"),
        }
    }
}

/// Which process is whom, right now.
#[derive(Debug, Default)]
pub struct Parties {
    pids: RwLock<BTreeMap<Party, u32>>,
}

impl Parties {
    /// A process was started.
    pub fn started(&self, party: Party, pid: u32) {
        let mut pids = self.pids.write().unwrap_or_else(PoisonError::into_inner);
        pids.insert(party, pid);
    }

    /// Who connected from loopback port `from` to loopback port `to`.
    #[must_use]
    pub fn behind(&self, from: u16, to: u16) -> Party {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let Some(inode) = inode_of(&sockets, from, to) else {
            return Party::Other;
        };
        let socket = format!("socket:[{inode}]");
        let pids = self.pids.read().unwrap_or_else(PoisonError::into_inner);
        let holder = pids.iter().find(|(_, pid)| holds(**pid, &socket));
        holder.map_or(Party::Other, |(party, _)| *party)
    }
}

/// The inode of a socket, by its ports, from the text of `/proc/net/tcp`.
fn inode_of(sockets: &str, local: u16, remote: u16) -> Option<u64> {
    let ends = (
        format!("0100007F:{local:04X}"),
        format!("0100007F:{remote:04X}"),
    );
    sockets.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let found = (fields.next()?, fields.next()?);
        let inode = fields.nth(6)?;
        (found == (ends.0.as_str(), ends.1.as_str())).then(|| inode.parse().ok())?
    })
}

fn holds(pid: u32, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|to| to == Path::new(socket)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_holder_of_a_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let parties = Parties::default();
        let connection = TcpStream::connect(to).unwrap();
        let from = connection.local_addr().unwrap().port();
        assert_eq!(parties.behind(from, to.port()), Party::Other);
        parties.started(Party::Node(2), std::process::id());
        assert_eq!(parties.behind(from, to.port()), Party::Node(2));
        assert_eq!(
            parties.behind(to.port(), from),
            Party::Other,
            "not accepted yet"
        );
    }
}
