//! Ranges: in every version of the cluster view the data shards cover the ring without gap or overlap, an epoch
//! of a shard has one range, and one version is one view.

use std::collections::BTreeMap;

use prost::Message as _;
use quorate_proto::storage::ClusterView;

use super::Finding;
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
            let known = *self
                .ranges
                .entry((shard.shard, shard.epoch))
                .or_insert((first, last));
            if known != (first, last) {
                broken(format!(
                    "shard {} has two ranges in epoch {}: {known:?} and {:?}",
                    shard.shard,
                    shard.epoch,
                    (first, last)
                ));
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
}
