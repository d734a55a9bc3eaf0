//! Which pieces of the site feed count: pure bookkeeping of terms and snapshots, shard by shard.
//!
//! State owned: for each shard the newest term heard, and, while a snapshot comes in, which sites it has
//! named. Laws: a piece of an older term is void; a newer term begins with a snapshot, and until then its
//! pieces are void; sites that a whole snapshot did not name are no more, unless another shard has named
//! them since. Deliberately absent: the sites themselves.

use std::collections::{BTreeMap, HashMap, HashSet};

use quorate_proto::ids::{ShardId, SiteCode};

use super::SiteNews;

/// One piece of a shard's feed.
#[derive(Clone, Debug)]
pub(crate) struct SiteFrame {
    pub(crate) shard: ShardId,
    pub(crate) term: u64,
    pub(crate) snapshot_start: bool,
    pub(crate) snapshot_end: bool,
    pub(crate) sites: Vec<SiteNews>,
    /// Age of what the shard, as a source of sales, has not yet delivered, milliseconds.
    pub(crate) outbox_lag_ms: u64,
}

#[derive(Debug, Default)]
struct ShardFeed {
    term: u64,
    /// Sites named since the snapshot began; `None` outside a snapshot.
    named: Option<HashSet<SiteCode>>,
    is_complete: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    shards: BTreeMap<ShardId, ShardFeed>,
    /// The shard that named a site last.
    owners: HashMap<SiteCode, ShardId>,
}

impl Feeds {
    /// Whether the piece counts. To be asked once for each piece, before anything is taken from it.
    pub(super) fn accept(&mut self, frame: &SiteFrame) -> bool {
        let feed = self.shards.entry(frame.shard).or_default();
        if frame.snapshot_start && frame.term >= feed.term {
            feed.term = frame.term;
            feed.named = Some(HashSet::new());
            return true;
        }
        frame.term == feed.term && (feed.is_complete || feed.named.is_some())
    }

    /// A site that an accepted piece names.
    pub(super) fn named(&mut self, shard: ShardId, site: SiteCode) {
        self.owners.insert(site, shard);
        let feed = self.shards.entry(shard).or_default();
        if let Some(named) = &mut feed.named {
            named.insert(site);
        }
    }

    /// The snapshot is whole: the sites that are no more.
    pub(super) fn finish(&mut self, shard: ShardId) -> Vec<SiteCode> {
        let feed = self.shards.entry(shard).or_default();
        let Some(named) = feed.named.take() else {
            return Vec::new();
        };
        feed.is_complete = true;
        let is_gone =
            |(site, owner): &(&SiteCode, &ShardId)| **owner == shard && !named.contains(*site);
        let mut gone: Vec<SiteCode> = self
            .owners
            .iter()
            .filter(is_gone)
            .map(|(site, _)| *site)
            .collect();
        gone.sort_unstable();
        for site in &gone {
            self.owners.remove(site);
        }
        gone
    }

    /// Whether a whole snapshot of the shard has been heard.
    pub(super) fn is_complete(&self, shard: ShardId) -> bool {
        self.shards.get(&shard).is_some_and(|feed| feed.is_complete)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SHARD: ShardId = ShardId(1);

    fn frame(shard: ShardId, term: u64, start: bool, end: bool) -> SiteFrame {
        SiteFrame {
            shard,
            term,
            snapshot_start: start,
            snapshot_end: end,
            sites: Vec::new(),
            outbox_lag_ms: 0,
        }
    }

    fn code(text: &str) -> SiteCode {
        SiteCode::parse(text).unwrap()
    }

    fn snapshot(feeds: &mut Feeds, shard: ShardId, term: u64, sites: &[&str]) -> Vec<SiteCode> {
        assert!(feeds.accept(&frame(shard, term, true, true)));
        for site in sites {
            feeds.named(shard, code(site));
        }
        feeds.finish(shard)
    }

    #[test]
    fn a_feed_begins_with_a_snapshot() {
        let mut feeds = Feeds::default();
        assert!(!feeds.accept(&frame(SHARD, 3, false, false)));
        assert!(feeds.accept(&frame(SHARD, 3, true, false)));
        assert!(feeds.accept(&frame(SHARD, 3, false, false)));
        assert!(!feeds.is_complete(SHARD));
        feeds.finish(SHARD);
        assert!(feeds.is_complete(SHARD));
    }

    #[test]
    fn older_terms_are_void_and_newer_ones_begin_anew() {
        let mut feeds = Feeds::default();
        snapshot(&mut feeds, SHARD, 5, &["A"]);
        assert!(!feeds.accept(&frame(SHARD, 4, false, false)));
        assert!(!feeds.accept(&frame(SHARD, 4, true, true)));
        assert!(!feeds.accept(&frame(SHARD, 6, false, false)));
        assert!(feeds.accept(&frame(SHARD, 5, false, false)));
        assert!(feeds.accept(&frame(SHARD, 6, true, false)));
        assert!(!feeds.accept(&frame(SHARD, 5, false, false)));
    }

    #[test]
    fn what_a_whole_snapshot_does_not_name_is_gone() {
        let mut feeds = Feeds::default();
        assert!(snapshot(&mut feeds, SHARD, 1, &["A", "B", "C"]).is_empty());
        assert_eq!(
            snapshot(&mut feeds, SHARD, 2, &["B"]),
            [code("A"), code("C")]
        );
        // The same leader heard again after a lost connection.
        assert!(snapshot(&mut feeds, SHARD, 2, &["B", "D"]).is_empty());
    }

    #[test]
    fn a_snapshot_that_broke_off_takes_nothing_away() {
        let mut feeds = Feeds::default();
        snapshot(&mut feeds, SHARD, 1, &["A", "B"]);
        assert!(feeds.accept(&frame(SHARD, 1, true, false)));
        feeds.named(SHARD, code("A"));
        // The connection was lost here; the next snapshot counts alone.
        assert!(snapshot(&mut feeds, SHARD, 1, &["A", "B"]).is_empty());
    }

    #[test]
    fn a_site_that_moved_to_another_shard_stays() {
        let mut feeds = Feeds::default();
        snapshot(&mut feeds, SHARD, 1, &["A", "B"]);
        snapshot(&mut feeds, ShardId(2), 1, &["B"]);
        assert!(snapshot(&mut feeds, SHARD, 2, &["A"]).is_empty());
    }
}
