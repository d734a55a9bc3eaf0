//! Every law fires on the least that breaks it, and is silent on its legal neighbour.
//!
//! A case is a sequence of what the driver would feed: looks, frames, answers, views, disks. There is one shard;
//! replica `n` lives on node `n`. A case goes to all laws together, and names exactly those that are broken.

#![allow(clippy::unwrap_used, reason = "tests")]

mod acknowledged;
mod applied;
mod committed;
mod elections;
mod identity;
mod log_matching;
mod outbox;
mod purge;
mod ranges;

use quorate_core::ledger::ShardTotals;
use quorate_node::seams::{LogPosition, ObservedOutbox};
use quorate_proto::ids::{Epoch, NodeId, ReplicaId, RingPosition};
use quorate_proto::internal::{AppendMatched, AppendReply, AppendRequest, Envelope, VoteReply};
use quorate_proto::ring::RingRange;
use quorate_proto::storage::{LogId, Vote};

use super::*;

/// The shard of every case.
const SHARD: ShardId = ShardId::new(1);

/// A name, what happens, and the laws that it breaks.
type Case = (&'static str, Vec<Step>, &'static [&'static str]);

/// What the driver feeds, and what it looks at.
enum Step {
    /// A replica is looked at; the entries are its whole log.
    Look(Life, ObservedReplica, Vec<ObservedEntry>),
    /// A node's replica sends this to another.
    Sends(Place, envelope::Body),
    /// A node's replica sends a snapshot with this vote.
    SendsSnapshot(Place, Option<Vote>),
    /// A client is told that the entry of this index and term decided its request.
    Answered(u64, u64),
    /// A state is digested at an index.
    Digested(Place, u64, u8),
    /// A replica owns a range in an epoch.
    Owns(Place, u64, (u64, u64)),
    /// A node tells a view.
    Views(Place, ClusterView),
    /// A node gets another disk.
    Loses(Place, u64),
    /// From now on this is what a node's disk holds.
    Holds(Place, Row),
}

use Step::*;

/// A row of a disk that survives a power cut.
enum Row {
    /// An entry: its index and its term.
    Entry(u64, u64),
    /// The log is deleted up to here.
    Purged(u64),
    /// The state is applied up to here.
    Applied(u64),
    /// A vote: its term, and for whom.
    Vote(u64, u64),
}

#[derive(Default)]
struct Disk {
    entries: BTreeMap<u64, u64>,
    purged: u64,
    applied: Option<u64>,
    vote: Option<(u64, u64)>,
}

/// Disks that hold what a case says.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<Place, Disk>>);

impl Shelf {
    fn with<T>(&self, node: Place, ask: impl FnOnce(&mut Disk) -> T) -> T {
        ask(self.0.lock().unwrap().entry(node).or_default())
    }
}

impl Disks for Shelf {
    fn entry(&self, node: Place, _: ShardId, index: u64) -> OnDisk {
        self.with(node, |disk| match disk.entries.get(&index) {
            Some(term) => OnDisk::Entry(*term),
            None if index <= disk.purged => OnDisk::Purged,
            None => OnDisk::Missing,
        })
    }

    fn vote(&self, node: Place, _: ShardId) -> Option<(u64, u64)> {
        self.with(node, |disk| disk.vote)
    }

    fn applied(&self, node: Place, _: ShardId) -> Option<u64> {
        self.with(node, |disk| disk.applied)
    }
}

/// Feeds a case to all laws.
fn check<const N: usize>(cases: [Case; N]) {
    for (name, steps, broken) in cases {
        let shelf = Arc::new(Shelf::default());
        let judges = Judges::new(Arc::clone(&shelf) as _);
        for step in steps {
            take(&judges, &shelf, step);
        }
        let found = judges.found();
        let laws: Vec<_> = found.iter().map(|finding| finding.law).collect();
        assert_eq!(laws, broken, "{name}: {found:#?}");
    }
}

fn take(judges: &Judges, shelf: &Shelf, step: Step) {
    match step {
        Look(life, seen, mut log) => {
            // As the driver reads a log.
            let first = judges.entries_wanted(life, SHARD);
            log.retain(|entry| entry.position.index >= first);
            judges.replica(life, &seen, &log);
        }
        Sends(node, body) => {
            let envelope = Envelope {
                group: SHARD.get(),
                from_replica: node,
                body: Some(body),
                ..Envelope::default()
            };
            let frame = PeerFrame {
                envelopes: vec![envelope],
                ..PeerFrame::default()
            };
            judges.frame(node, &frame);
        }
        SendsSnapshot(node, vote) => {
            let header = SnapshotHeader {
                group: SHARD.get(),
                from_replica: node,
                vote,
                ..SnapshotHeader::default()
            };
            judges.snapshot(node, &header);
        }
        Answered(index, term) => judges.acknowledged(SHARD, index, term),
        Digested(node, index, digest) => {
            let state = ObservedState {
                at: at(1, index),
                digest: [digest; 32],
                owns: None,
                totals: ShardTotals::default(),
            };
            judges.state(life(node, 1), SHARD, &state);
        }
        Owns(node, epoch, (first, last)) => {
            let range = RingRange::new(RingPosition::new(first), RingPosition::new(last));
            let state = ObservedState {
                at: None,
                digest: [0; 32],
                owns: range.map(|range| (range, Epoch::new(epoch))),
                totals: ShardTotals::default(),
            };
            judges.state(life(node, 1), SHARD, &state);
        }
        Views(node, view) => judges.view(node, &view),
        Loses(node, disk) => judges.disk_replaced(node, disk),
        Holds(node, row) => shelf.with(node, |disk| match row {
            Row::Entry(index, term) => {
                disk.entries.insert(index, term);
            }
            Row::Purged(index) => disk.purged = index,
            Row::Applied(index) => disk.applied = Some(index),
            Row::Vote(term, replica) => disk.vote = Some((term, replica)),
        }),
    }
}

/// One life of a node on its first disk.
fn life(node: Place, start: u64) -> Life {
    Life {
        node,
        disk: 1,
        start,
    }
}

/// A place in the log, of the leader with the term's number.
fn at(term: u64, index: u64) -> Option<LogPosition> {
    Some(LogPosition {
        term,
        leader: term,
        index,
    })
}

/// A replica that has read its disk, and of which nothing else is known.
fn replica(replica: u64) -> ObservedReplica {
    ObservedReplica {
        shard: SHARD,
        replica: ReplicaId::new(replica),
        term: 1,
        voted_for: 1,
        vote_committed: true,
        leads: false,
        voters: Vec::new(),
        voters_at: None,
        members: (1..=6).map(|place| (place, NodeId::new(place))).collect(),
        last_index: None,
        committed: None,
        applied: None,
        durable: None,
        purged: None,
        outbox: ObservedOutbox::default(),
        failure: None,
    }
}

/// Looks at a replica in the first life of its node; its log is not looked at.
fn look(seen: ObservedReplica) -> Step {
    Look(life(seen.replica.get(), 1), seen, Vec::new())
}

/// The same after a restart.
fn look_again(seen: ObservedReplica) -> Step {
    Look(life(seen.replica.get(), 2), seen, Vec::new())
}

fn log_id(index: u64) -> Option<LogId> {
    Some(LogId {
        term: 1,
        leader_replica: 1,
        index,
    })
}

fn vote(term: u64, leader_replica: u64, committed: bool) -> Option<Vote> {
    Some(Vote {
        term,
        leader_replica,
        committed,
    })
}

/// A follower has synced everything up to here.
fn matched(index: u64) -> envelope::Body {
    let log_id = log_id(index);
    envelope::Body::AppendReply(AppendReply {
        result: Some(append_reply::Result::Matched(AppendMatched { log_id })),
    })
}

/// A leader sends entries, or what is committed.
fn append(vote: Option<Vote>, committed: Option<LogId>) -> envelope::Body {
    envelope::Body::Append(AppendRequest {
        vote,
        leader_commit: committed,
        ..AppendRequest::default()
    })
}

/// A replica tells its vote.
fn voted(term: u64, replica: u64) -> envelope::Body {
    envelope::Body::VoteReply(VoteReply {
        vote: vote(term, replica, false),
        ..VoteReply::default()
    })
}
