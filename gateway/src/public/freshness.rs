//! How old the data is. Pure.

use std::{collections::BTreeMap, time::Duration};

use quorate_proto::ids::ShardId;

use super::snapshot::Heard;

/// How old what is served may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freshness {
    /// At most this old, milliseconds: since the shard that was silent longest was heard, and what its
    /// sales took to reach their sites. `None` until every shard has been heard.
    pub(super) lag_ms: Option<u64>,
    /// Everything decided up to here is in what is served, Unix milliseconds.
    pub(super) as_of_ms: Option<i64>,
    pub(super) shards: usize,
    /// Of these, those whose sites are all known.
    pub(super) shards_heard: usize,
}

/// What one shard adds, milliseconds.
pub(super) fn lag_ms(heard: &Heard, now: Duration) -> u64 {
    let silent = now.saturating_sub(heard.at).as_millis();
    let silent_ms = u64::try_from(silent).unwrap_or(u64::MAX);
    silent_ms.saturating_add(heard.outbox_lag_ms)
}

impl Freshness {
    /// Of `shards`, at `now` by the monotonic clock.
    pub(super) fn of(
        shards: impl Iterator<Item = ShardId>,
        heard: &BTreeMap<ShardId, Heard>,
        now: Duration,
    ) -> Freshness {
        let mut all = Freshness {
            lag_ms: Some(0),
            as_of_ms: Some(i64::MAX),
            shards: 0,
            shards_heard: 0,
        };
        for shard in shards {
            all.shards += 1;
            let Some(heard) = heard.get(&shard).filter(|heard| heard.is_complete) else {
                (all.lag_ms, all.as_of_ms) = (None, None);
                continue;
            };
            all.shards_heard += 1;
            let outbox_ms = i64::try_from(heard.outbox_lag_ms).unwrap_or(i64::MAX);
            let as_of_ms = heard.at_unix_ms.saturating_sub(outbox_ms);
            all.lag_ms = all.lag_ms.map(|most| most.max(lag_ms(heard, now)));
            all.as_of_ms = all.as_of_ms.map(|first| first.min(as_of_ms));
        }
        if all.shards == 0 {
            (all.lag_ms, all.as_of_ms) = (None, None);
        }
        all
    }

    /// Whether every shard has been heard.
    pub(super) fn is_complete(&self) -> bool {
        self.shards > 0 && self.shards_heard == self.shards
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(is_complete: bool, at_ms: u64, outbox_lag_ms: u64) -> Heard {
        Heard {
            is_complete,
            at: Duration::from_millis(at_ms),
            at_unix_ms: 1_000_000 + i64::try_from(at_ms).unwrap_or(i64::MAX),
            outbox_lag_ms,
        }
    }

    #[test]
    fn the_oldest_part_decides() {
        let shards = [ShardId(1), ShardId(2)];
        let heard = BTreeMap::from([
            (ShardId(1), heard(true, 900, 0)),
            (ShardId(2), heard(true, 950, 200)),
        ]);
        let now = Duration::from_millis(1000);
        let freshness = Freshness::of(shards.into_iter(), &heard, now);
        assert_eq!(freshness.lag_ms, Some(250));
        assert_eq!(freshness.as_of_ms, Some(1_000_750));
        assert!(freshness.is_complete());
    }

    #[test]
    fn a_shard_that_was_not_heard_makes_the_age_unknown() {
        let shards = [ShardId(1), ShardId(2), ShardId(3)];
        let heard = BTreeMap::from([
            (ShardId(1), heard(true, 900, 0)),
            (ShardId(2), heard(false, 900, 0)),
        ]);
        let freshness = Freshness::of(shards.into_iter(), &heard, Duration::from_secs(1));
        assert_eq!((freshness.lag_ms, freshness.as_of_ms), (None, None));
        assert_eq!((freshness.shards, freshness.shards_heard), (3, 1));
        let none = Freshness::of(std::iter::empty(), &heard, Duration::from_secs(1));
        assert!(!none.is_complete());
        assert_eq!(none.lag_ms, None);
    }
}
