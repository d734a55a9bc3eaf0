//! Which node to ask next. Pure.

use quorate_proto::ids::{NodeId, ReplicaId};

/// The last node that said it does not lead the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) by: NodeId,
    /// Whom it believes to lead.
    pub(crate) hint: Option<NodeId>,
}

/// The node to ask, or `None` if it is better to wait for news.
///
/// In this order: whoever the last refusal named; the known leader, unless it has just refused; and
/// while no leader is known at all, any replica that can be reached, because it may know more.
pub(crate) fn next_node(
    replicas: &[(ReplicaId, NodeId)],
    leader: Option<NodeId>,
    refused: Option<Refused>,
    is_open: &dyn Fn(NodeId) -> bool,
) -> Option<NodeId> {
    let refused_by = refused.map(|refused| refused.by);
    if let Some(hint) = refused.and_then(|refused| refused.hint)
        && Some(hint) != refused_by
        && replicas.iter().any(|(_, node)| *node == hint)
    {
        return Some(hint);
    }
    match leader {
        Some(leader) => (Some(leader) != refused_by).then_some(leader),
        None => {
            let mut nodes = replicas.iter().map(|(_, node)| *node);
            nodes.find(|node| Some(*node) != refused_by && is_open(*node))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let replicas: Vec<_> = (1..=3).map(|id| (ReplicaId(id), NodeId(id))).collect();
        // Known leader; refused by and its hint; nodes that can be reached; where to.
        type Case = (
            Option<u64>,
            Option<(u64, Option<u64>)>,
            &'static [u64],
            Option<u64>,
        );
        let cases: [Case; 12] = [
            // The leader is asked even when it seems out of reach: nobody else can answer.
            (Some(2), None, &[1, 2, 3], Some(2)),
            (Some(2), None, &[1], Some(2)),
            // A refusal with a hint is followed.
            (Some(2), Some((2, Some(3))), &[1, 2, 3], Some(3)),
            (None, Some((2, Some(3))), &[1, 2, 3], Some(3)),
            // A refusal without one: nobody to ask but by waiting.
            (Some(2), Some((2, None)), &[1, 2, 3], None),
            // News came between: the leader is another by now.
            (Some(3), Some((2, None)), &[1, 2, 3], Some(3)),
            // A node that names itself, or a node without a replica, is not followed.
            (Some(2), Some((2, Some(2))), &[1, 2, 3], None),
            (Some(1), Some((2, Some(9))), &[1, 2, 3], Some(1)),
            // No leader known: anyone within reach, but not the same one twice in a row.
            (None, None, &[2, 3], Some(2)),
            (None, Some((2, None)), &[2, 3], Some(3)),
            (None, Some((2, None)), &[2], None),
            (None, None, &[], None),
        ];
        for (leader, refused, open, expected) in cases {
            let refused = refused.map(|(by, hint)| Refused {
                by: NodeId(by),
                hint: hint.map(NodeId),
            });
            let is_open = |node: NodeId| open.contains(&node.get());
            let next = next_node(&replicas, leader.map(NodeId), refused, &is_open);
            assert_eq!(
                next,
                expected.map(NodeId),
                "{leader:?} {refused:?} {open:?}"
            );
        }
    }
}
