//! Ranges: in every version of the cluster view the data shards cover the ring without gap or overlap, an epoch
//! of a shard has one range, in the view and in the state of its replicas, and one version is one view.

use std::collections::BTreeMap;

use prost::Message as _;
use quorate_proto::ids::{Epoch, ShardId};
use quorate_proto::ring::RingRange;
use quorate_proto::storage::ClusterView;

use super::{Finding, Life};
use crate::net::Place;

const LAW: &str = "ranges";

/// What must be remembered.
#[derive(Default)]
pub(super) struct Ranges {
    versions: BTreeMap<u64, Vec<u8>>,
    /// By shard and epoch.
    ranges: BTreeMap<(u32, u64), (u64, u64)>,
    epochs: BTreeMap<(Place, u32), u64>,
}

impl Ranges {
    pub(super) fn view(&mut self, node: Place, view: &ClusterView, found: &mut Vec<Finding>) {
        let mut broken = |detail: String| found.push(Finding { law: LAW, detail });
        let bytes = view.encode_to_vec();
        let version = view.version;
        if *self
            .versions
            .entry(version)
            .or_insert_with(|| bytes.clone())
            != bytes
        {
            broken(format!("node {node} tells another view {version}"));
        }
        let mut next = Some(0);
        let mut shards: Vec<_> = view
            .shards
            .iter()
            .filter(|shard| shard.shard != 0)
            .collect();
        shards.sort_by_key(|shard| shard.range_first);
        for shard in shards {
            let (first, last) = (shard.range_first, shard.range_last);
            if Some(first) != next || last < first {
                broken(format!(
                    "view {version}: shard {} has {first}..={last}, expected from {next:?}",
                    shard.shard
                ));
            }
            next = last.checked_add(1);
            if let Some(two) = self.two_ranges(shard.shard, shard.epoch, (first, last)) {
                broken(two);
            }
            let epoch = self.epochs.entry((node, shard.shard)).or_default();
            if shard.epoch < *epoch {
                broken(format!("the epoch of shard {} fell", shard.shard));
            }
            *epoch = shard.epoch;
        }
        if next.is_some() {
            broken(format!("view {version} ends at {next:?}"));
        }
    }

    /// A replica owns this part of the ring.
    pub(super) fn owns(
        &mut self,
        life: Life,
        shard: ShardId,
        range: RingRange,
        epoch: Epoch,
        found: &mut Vec<Finding>,
    ) {
        let range = (range.first().get(), range.last().get());
        if let Some(two) = self.two_ranges(shard.get(), epoch.get(), range) {
            let detail = format!("{two}, on node {}", life.node);
            found.push(Finding { law: LAW, detail });
        }
    }

    /// What is wrong if an epoch of a shard has another range already.
    fn two_ranges(&mut self, shard: u32, epoch: u64, range: (u64, u64)) -> Option<String> {
        let known = *self.ranges.entry((shard, epoch)).or_insert(range);
        (known != range).then(|| {
            format!("shard {shard} has two ranges in epoch {epoch}: {known:?} and {range:?}")
        })
    }
}
