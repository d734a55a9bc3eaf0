#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use quorate_proto::{
    ids::NodeId,
    shard_map::ShardMap,
    storage::{
        Bootstrap, CalendarWeek, NodeRecord, ProgramDefinition, PutProgramDefinition, RegisterNode,
        Rule, ShardFormed, rule,
    },
};

use super::*;
use crate::limits;

#[derive(Clone, Default)]
struct Cluster {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn node(node_id: u64, incarnation: u64) -> NodeRecord {
    NodeRecord {
        node_id,
        incarnation,
        address: format!("127.0.0.1:{}", 7000 + node_id),
        zone: "a".to_owned(),
    }
}

fn bootstrap(shards: u32, nodes: &[u64]) -> Body {
    Body::Bootstrap(Bootstrap {
        cluster_id: "test".to_owned(),
        fingerprint: "f".repeat(64),
        shards,
        nodes: nodes.iter().map(|id| node(*id, 1)).collect(),
    })
}

fn register(record: NodeRecord) -> Body {
    Body::RegisterNode(RegisterNode {
        node: Some(record),
        fingerprint: "f".repeat(64),
        founding: false,
    })
}

fn register_founding(record: NodeRecord) -> Body {
    Body::RegisterNode(RegisterNode {
        node: Some(record),
        fingerprint: "f".repeat(64),
        founding: true,
    })
}

fn formed(shard: u32, replica: u64) -> Body {
    Body::ShardFormed(ShardFormed { shard, replica })
}

fn program(limit: u32) -> ProgramDefinition {
    ProgramDefinition {
        id: "mask".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        rules: vec![Rule {
            id: "r1".to_owned(),
            effective_from_ms: 0,
            limit,
            sale_quantity_max: 1,
            window: Some(rule::Window::CalendarWeek(CalendarWeek {})),
            ..Rule::default()
        }],
        version: 77,
        ..ProgramDefinition::default()
    }
}

fn put(program: ProgramDefinition) -> Body {
    Body::PutProgram(PutProgramDefinition {
        program: Some(program),
        immediate: true,
        ..PutProgramDefinition::default()
    })
}

impl Cluster {
    fn formed(shards: u32, nodes: &[u64]) -> Self {
        let mut cluster = Self::default();
        assert_eq!(cluster.apply(bootstrap(shards, nodes)), Ok(1));
        for shard in 0..=shards {
            cluster.apply(formed(shard, 1)).unwrap();
        }
        cluster
    }

    /// The view's version afterwards, or why the command was refused. Checks that exactly what is
    /// reported as a change is one, and that every view is a valid map.
    fn apply(&mut self, body: Body) -> Result<u64, String> {
        let before = self.rows.clone();
        let version_before = self.view().map_or(0, |view| view.version);
        let mut overlay = Overlay::new(&before);
        let logged = codec::encode_system_command(&SystemCommand { body: Some(body) });
        let command = codec::decode_system_command(&logged).unwrap();
        let outcome = super::apply(&mut overlay, &command).unwrap();
        for (key, value) in overlay.into_writes() {
            self.rows.insert(key, value.unwrap());
        }
        let changed = self.rows != before;
        assert_eq!(outcome.view_version, version_before + u64::from(changed));
        assert!(outcome.refused.is_empty() || !changed);
        if let Some(view) = self.view() {
            assert_eq!(view.version, outcome.view_version);
            ShardMap::new(&view).unwrap();
        }
        match outcome.refused {
            refused if refused.is_empty() => Ok(outcome.view_version),
            refused => Err(refused),
        }
    }

    fn view(&self) -> Option<ClusterView> {
        super::view(&self.rows).unwrap()
    }

    fn map(&self) -> ShardMap {
        ShardMap::new(&self.view().unwrap()).unwrap()
    }
}

#[test]
fn the_first_view_spreads_replicas_and_leaders() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.apply(bootstrap(8, &[30, 10, 20, 40])), Ok(1));
    let map = cluster.map();
    assert_eq!(map.shards().len(), 8);
    let hosts: Vec<_> = map.system().replicas.iter().map(|r| r.1.get()).collect();
    assert_eq!(hosts, [10, 20, 30], "the first three by id");

    let mut replicas = BTreeMap::<NodeId, usize>::new();
    let mut forming = BTreeMap::<NodeId, usize>::new();
    for shard in map.shards() {
        assert_eq!(shard.epoch.get(), 1);
        let ids: Vec<_> = shard.replicas.iter().map(|r| r.0.get()).collect();
        assert_eq!(ids, [1, 2, 3]);
        for (_, node) in &shard.replicas {
            *replicas.entry(*node).or_default() += 1;
        }
        let first = shard.node_of(shard.forming.unwrap()).unwrap();
        *forming.entry(first).or_default() += 1;
    }
    assert!(replicas.values().all(|count| *count == 6), "{replicas:?}");
    assert!(forming.values().all(|count| *count == 2), "{forming:?}");

    let view = cluster.view();
    assert_eq!(cluster.apply(bootstrap(3, &[1, 2, 3])), Ok(1), "ignored");
    assert_eq!(cluster.view(), view);
}

#[test]
fn small_clusters_have_fewer_replicas() {
    let mut cluster = Cluster::default();
    cluster.apply(bootstrap(2, &[5])).unwrap();
    assert_eq!(cluster.map().system().replicas.len(), 1);
    assert_eq!(cluster.view().unwrap().shards[1].next_replica_id, 2);
}

#[test]
fn a_bootstrap_that_makes_no_sense_is_refused() {
    for body in [
        bootstrap(0, &[1]),
        bootstrap(limits::SHARDS_MAX + 1, &[1]),
        bootstrap(1, &[]),
        bootstrap(1, &[1, 2, 1]),
        bootstrap(1, &[0]),
    ] {
        let mut cluster = Cluster::default();
        assert!(cluster.apply(body).is_err());
        assert_eq!(cluster.view(), None);
    }
}

#[test]
fn before_the_cluster_is_formed_nothing_else_is_possible() {
    let mut cluster = Cluster::default();
    for body in [register(node(1, 1)), formed(1, 1), put(program(2))] {
        assert!(cluster.apply(body).unwrap_err().contains("not been formed"));
    }
}

#[test]
fn a_node_joins_moves_and_stays() {
    let mut cluster = Cluster::formed(2, &[1, 2, 3]);
    let version = cluster.view().unwrap().version;
    assert_eq!(
        cluster.apply(register(node(2, 1))),
        Ok(version),
        "known already"
    );
    let mut moved = node(2, 1);
    moved.address = "127.0.0.1:9".to_owned();
    assert_eq!(cluster.apply(register(moved)), Ok(version + 1));
    assert_eq!(
        cluster.map().node(NodeId(2)).unwrap().address,
        "127.0.0.1:9"
    );
    assert_eq!(cluster.apply(register(node(4, 9))), Ok(version + 2));
    assert_eq!(cluster.map().nodes().len(), 4);
    assert!(
        cluster
            .map()
            .shards()
            .iter()
            .all(|s| s.replica_on(NodeId(4)).is_none())
    );

    let mut nowhere = node(5, 1);
    nowhere.address.clear();
    assert!(cluster.apply(register(nowhere)).is_err());
}

#[test]
fn a_founding_node_keeps_its_replicas_when_it_first_names_its_disk() {
    let mut cluster = Cluster::default();
    let Body::Bootstrap(mut founding) = bootstrap(2, &[1, 2, 3]) else {
        panic!("not a bootstrap");
    };
    for node in &mut founding.nodes {
        node.incarnation = 0;
    }
    cluster.apply(Body::Bootstrap(founding)).unwrap();
    let before = cluster.map();
    cluster.apply(register_founding(node(2, 7))).unwrap();
    assert_eq!(cluster.map().shards(), before.shards());
    // The founding disk of node 3 was lost before it could register.
    for shard in 0..=2 {
        cluster.apply(formed(shard, 1)).unwrap();
        cluster.apply(formed(shard, 2)).unwrap();
    }
    cluster.apply(register(node(3, 9))).unwrap();
    let replaced = cluster.map().system().replica_on(NodeId(3));
    assert_ne!(replaced, before.system().replica_on(NodeId(3)));
    for shard in 0..=2 {
        cluster.apply(formed(shard, 1)).unwrap();
    }
    cluster.apply(register(node(2, 8))).unwrap();
    let replaced = cluster.map().system().replica_on(NodeId(2));
    assert_ne!(replaced, before.system().replica_on(NodeId(2)));
}

#[test]
fn another_configuration_is_refused_naming_both() {
    let mut cluster = Cluster::formed(2, &[1, 2, 3]);
    let refused = cluster.apply(Body::RegisterNode(RegisterNode {
        node: Some(node(4, 1)),
        fingerprint: "e".repeat(64),
        founding: false,
    }));
    let words = refused.unwrap_err();
    for named in ["node 4", "eeee", "ffff"] {
        assert!(words.contains(named), "{words}");
    }
}

#[test]
fn a_lost_disk_gets_replica_ids_that_were_never_used() {
    let mut cluster = Cluster::formed(4, &[1, 2, 3]);
    let mut used: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for incarnation in 2..6 {
        for node_id in [2, 3, 2] {
            let before = cluster.map();
            cluster
                .apply(register(node(node_id, 10 * incarnation + node_id)))
                .unwrap();
            let after = cluster.map();
            for shard in [before.system()].into_iter().chain(before.shards()) {
                let lost = shard.replica_on(NodeId(node_id)).unwrap().get();
                let ids = used.entry(shard.shard.get()).or_default();
                let now = after.shard(shard.shard).unwrap();
                let fresh = now.replica_on(NodeId(node_id)).unwrap().get();
                // The second registration of node 2 in a round repeats the first.
                if fresh != lost {
                    ids.push(lost);
                }
                assert!(!ids.contains(&fresh));
                for other in [1, 2, 3].into_iter().filter(|other| *other != node_id) {
                    let other = NodeId(other);
                    assert_eq!(shard.replica_on(other), now.replica_on(other));
                }
            }
        }
    }
    assert_eq!(used[&0].len(), 8);
}

#[test]
fn a_disk_lost_while_forming_has_to_wait() {
    let mut cluster = Cluster::default();
    cluster.apply(bootstrap(3, &[1, 2, 3])).unwrap();
    cluster.apply(formed(0, 1)).unwrap();
    let forming = cluster.map().shards()[1].node_of(quorate_proto::ids::ReplicaId(1));
    let lost = node(forming.unwrap().get(), 2);
    let words = cluster.apply(register(lost.clone())).unwrap_err();
    assert!(words.contains("forming shard 2"), "{words}");
    cluster.apply(formed(2, 1)).unwrap();
    cluster.apply(register(lost)).unwrap();
}

#[test]
fn a_shard_is_reported_as_formed_once() {
    let mut cluster = Cluster::default();
    cluster.apply(bootstrap(2, &[1, 2, 3])).unwrap();
    assert_eq!(
        cluster.apply(formed(1, 2)),
        Ok(1),
        "not the forming replica"
    );
    assert_eq!(cluster.apply(formed(1, 1)), Ok(2));
    assert_eq!(cluster.apply(formed(1, 1)), Ok(2));
    assert_eq!(cluster.apply(formed(1, 0)), Ok(2));
    assert_eq!(cluster.map().shard(ShardId(1)).unwrap().forming, None);
    assert!(cluster.apply(formed(9, 1)).is_err());
}

#[test]
fn a_program_grows_by_versions() {
    let mut cluster = Cluster::formed(1, &[1]);
    let version = cluster.view().unwrap().version;
    let stored = |cluster: &Cluster| cluster.view().unwrap().programs;
    assert_eq!(cluster.apply(put(program(2))), Ok(version + 1));
    assert_eq!(
        stored(&cluster)[0].version,
        1,
        "the sender's number is not looked at"
    );
    assert_eq!(cluster.apply(put(program(2))), Ok(version + 1));
    assert_eq!(cluster.apply(put(program(3))), Ok(version + 2));
    assert_eq!(
        (
            stored(&cluster)[0].version,
            stored(&cluster)[0].rules[0].limit
        ),
        (2, 3)
    );

    let mut other = program(2);
    other.id = "gloves".to_owned();
    cluster.apply(put(other)).unwrap();
    let ids: Vec<_> = stored(&cluster).into_iter().map(|p| p.id).collect();
    assert_eq!(ids, ["gloves", "mask"]);
}

#[test]
fn a_program_that_breaks_a_law_is_refused_in_words() {
    let mut cluster = Cluster::formed(1, &[1]);
    cluster.apply(put(program(2))).unwrap();
    type Break = (&'static str, fn(&mut ProgramDefinition));
    let breaks: [Break; 4] = [
        ("limit", |p| p.rules[0].limit = 0),
        ("time zone of a program cannot change", |p| {
            p.time_zone = "Asia/Tokyo".to_owned()
        }),
        ("rule r1 cannot be removed", |p| {
            p.rules[0].id = "r2".to_owned()
        }),
        ("program id", |p| p.id = "Mask!".to_owned()),
    ];
    for (words, break_it) in breaks {
        let mut broken = program(2);
        break_it(&mut broken);
        let refused = cluster.apply(put(broken)).unwrap_err();
        assert!(
            refused.contains(words),
            "{refused:?} does not say {words:?}"
        );
    }
    assert!(
        cluster
            .apply(Body::PutProgram(PutProgramDefinition::default()))
            .is_err()
    );
}

#[test]
fn an_empty_command_is_refused() {
    let rows = BTreeMap::new();
    let mut overlay = Overlay::new(&rows);
    let outcome = super::apply(&mut overlay, &SystemCommand::default()).unwrap();
    assert_eq!(outcome.refused, "the command is empty");
}

#[test]
fn a_change_must_leave_time_to_reach_every_shard() {
    let now_ms = 1_000_000_000;
    let earliest_ms = now_ms + limits::PROGRAM_LEAD_MS;
    let with_rule = |from_ms, limit| {
        let mut changed = program(1);
        changed.rules.push(Rule {
            id: "r2".to_owned(),
            effective_from_ms: from_ms,
            ..program(limit).rules[0].clone()
        });
        changed
    };
    let propose = |program, immediate, expected_version| {
        Body::PutProgram(PutProgramDefinition {
            program: Some(program),
            expected_version,
            proposed_at_ms: now_ms,
            immediate,
        })
    };
    let mut cluster = Cluster::formed(1, &[1, 2, 3]);
    cluster.apply(propose(program(1), false, 0)).unwrap();
    let near = cluster.apply(propose(with_rule(earliest_ms - 1, 2), false, 1));
    let said = near.unwrap_err();
    for words in ["rule r2", "--now", "1970-01-12"] {
        assert!(said.contains(words), "{said}");
    }
    let stale = cluster.apply(propose(with_rule(earliest_ms, 2), false, 7));
    assert!(stale.unwrap_err().contains("version 1"));
    cluster
        .apply(propose(with_rule(earliest_ms, 2), false, 1))
        .unwrap();
    // Sent again because its answer was lost: it was done, and must not be told as refused.
    cluster
        .apply(propose(with_rule(earliest_ms, 2), false, 1))
        .unwrap();
    // What lies ahead may still change; what is in force may not, but at once.
    cluster
        .apply(propose(with_rule(earliest_ms, 3), false, 2))
        .unwrap();
    let mut shorter = with_rule(earliest_ms, 3);
    shorter.rules[0].limit = 9;
    assert!(cluster.apply(propose(shorter.clone(), false, 3)).is_err());
    cluster.apply(propose(shorter.clone(), true, 3)).unwrap();
    shorter.holidays.push("1970-01-02".to_owned());
    assert!(cluster.apply(propose(shorter, false, 4)).is_err());
}
