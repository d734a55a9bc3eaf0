//! Which replicas there are: a node that lost its disk must come back under ids that no replica ever had.

use std::collections::BTreeMap;

use anyhow::ensure;
use quorate_client::model::ClusterStatus;

/// For each shard, the system shard among them, its replicas: on which node, and under which id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replicas(BTreeMap<u32, Vec<(u64, u64)>>);

impl Replicas {
    pub(crate) fn of(status: &ClusterStatus) -> Self {
        let shards = status.shards.iter().map(|shard| {
            let replicas = shard.replicas.iter();
            let ids = replicas.map(|replica| (replica.node_id, replica.replica_id));
            (shard.shard, ids.collect())
        });
        Self(shards.collect())
    }

    /// Ensures that a node which was emptied since `before` has a replica of every shard, each newer than all that
    /// the shard had. Returns how many those are.
    ///
    /// # Errors
    /// One is missing, or not new.
    pub(crate) fn all_new_on(&self, node: u16, before: &Self) -> anyhow::Result<usize> {
        for (shard, old) in &before.0 {
            let newest = old.iter().map(|(_, id)| *id).max().unwrap_or(0);
            let now = self.0.get(shard).into_iter().flatten();
            let there: Vec<u64> = now
                .filter(|(at, _)| *at == u64::from(node))
                .map(|(_, id)| *id)
                .collect();
            ensure!(
                !there.is_empty() && there.iter().all(|id| *id > newest),
                "node {node} lost its disk and has replicas {there:?} of shard {shard}, where there were {old:?}"
            );
        }
        ensure!(!before.0.is_empty(), "nobody knows the replicas before");
        Ok(before.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn replicas(shards: &[(u32, &[(u64, u64)])]) -> Replicas {
        let shards = shards.iter();
        Replicas(shards.map(|(shard, ids)| (*shard, ids.to_vec())).collect())
    }

    #[test]
    fn only_new_ids_show_that_a_node_was_replaced() {
        let others = [(1, 5), (2, 2)];
        let with = |ids: &[u64]| -> Vec<(u64, u64)> {
            let there = ids.iter().map(|id| (3, *id));
            others.into_iter().chain(there).collect()
        };
        let system = with(&[6]);
        let before = replicas(&[(0, &with(&[3])), (1, &with(&[3]))]);
        let now = replicas(&[(0, &system), (1, &with(&[7]))]);
        assert_eq!(now.all_new_on(3, &before).unwrap(), 2);
        for (wrong, ids) in [
            ("the old one", &[3][..]),
            ("older than another", &[4]),
            ("the old one beside the new one", &[3, 7]),
            ("none", &[]),
        ] {
            let now = replicas(&[(0, &system), (1, &with(ids))]);
            assert!(now.all_new_on(3, &before).is_err(), "{wrong}");
        }
        assert!(now.all_new_on(3, &Replicas::default()).is_err());
    }
}
