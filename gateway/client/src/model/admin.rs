//! What an operator is told, and what an operator hands in.

use std::{collections::BTreeMap, fmt};

use quorate_proto::ids::{SiteCode, SiteType};
use serde::{Serialize, Serializer};

/// Three-valued: what was not heard is unknown, not bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Ok,
    /// Known not to be as it should.
    Bad,
    /// Nobody could tell.
    Unknown,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        })
    }
}

/// The cluster as its nodes report it right now.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterStatus {
    /// Its name.
    pub cluster_id: String,
    /// Version of the view this is based on.
    pub view_version: u64,
    /// Of the whole.
    pub health: Health,
    /// Every node of the view.
    pub nodes: Vec<NodeStatus>,
    /// The system shard first.
    pub shards: Vec<ShardStatus>,
    /// Every program.
    pub programs: Vec<ProgramStatus>,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its number.
    pub node_id: u64,
    /// Where it is reached.
    pub address: String,
    /// Its failure zone.
    pub zone: String,
    /// Of the node.
    pub health: Health,
    /// Why it is not ok.
    pub detail: String,
    /// Shards it leads.
    pub leaders: u32,
    /// Replicas it holds.
    pub replicas: u32,
    /// Resident memory, bytes.
    pub memory_bytes: u64,
    /// Written to storage since the process started, bytes.
    pub written_bytes: u64,
}

/// One shard.
#[derive(Clone, Debug, Serialize)]
pub struct ShardStatus {
    /// Its number; 0 is the system shard.
    pub shard: u32,
    /// First ring position it owns, 16 hex digits.
    #[serde(serialize_with = "as_hex")]
    pub range_first: u64,
    /// Last ring position it owns, 16 hex digits.
    #[serde(serialize_with = "as_hex")]
    pub range_last: u64,
    /// Generation of the range.
    pub epoch: u64,
    /// Of the shard.
    pub health: Health,
    /// Why it is not ok.
    pub detail: String,
    /// `None` if no leader is known.
    pub leader_node: Option<u64>,
    /// Raft term.
    pub term: u64,
    /// Its replicas.
    pub replicas: Vec<ReplicaStatus>,
    /// Sales and voids not yet known to have reached their sites' stock; 0 where no leader is known.
    pub outbox_pending: u64,
    /// Age of the oldest of them, milliseconds of real time.
    pub outbox_lag_ms: u64,
}

/// One replica.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaStatus {
    /// Its number within the shard.
    pub replica_id: u64,
    /// Where it lives.
    pub node_id: u64,
    /// Of the replica.
    pub health: Health,
    /// Why it is not ok.
    pub detail: String,
    /// Last entry applied.
    pub applied_index: u64,
    /// Entries behind the leader.
    pub lag: u64,
    /// Whether it votes.
    pub voter: bool,
}

/// How far a program has come.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramStatus {
    /// Its id.
    pub program: String,
    /// Newest version.
    pub version: u64,
    /// Shards that decide by it.
    pub shards_current: u32,
    /// All data shards.
    pub shards_total: u32,
}

/// What replicas hold, compared at equal log index.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Bad: a difference was found.
    pub health: Health,
    /// Every data shard.
    pub shards: Vec<ShardVerification>,
    /// Over all of them.
    pub totals: Totals,
    /// The sites' stock against the citizens' records.
    pub stock: StockVerification,
}

/// Whether every site has what the citizens' records say that it must have.
#[derive(Clone, Debug, Serialize)]
pub struct StockVerification {
    /// Bad: a difference was found.
    pub health: Health,
    /// Which, or why it could not be compared.
    pub detail: String,
    /// Sites and products compared.
    pub compared: u64,
    /// The first of the differences.
    pub differences: Vec<StockDifference>,
}

/// A site that does not have what it must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockDifference {
    /// Code of the site.
    pub site_code: String,
    /// The product.
    pub product: String,
    /// Units, as the site's shard keeps it.
    pub on_hand: i64,
    /// Units, with what was sold and voided taken from the citizens' records.
    pub expected: i64,
}

/// One shard's replicas, compared.
#[derive(Clone, Debug, Serialize)]
pub struct ShardVerification {
    /// Its number.
    pub shard: u32,
    /// Bad: a difference was found.
    pub health: Health,
    /// Which.
    pub detail: String,
    /// Where they were compared.
    pub log_index: u64,
    /// Every replica.
    pub replicas: Vec<ReplicaDigest>,
    /// What the shard holds.
    pub totals: Totals,
}

/// What one replica holds.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaDigest {
    /// Its number within the shard.
    pub replica_id: u64,
    /// Where it lives.
    pub node_id: u64,
    /// Unknown: it did not answer.
    pub health: Health,
    /// Why it is not ok.
    pub detail: String,
    /// SHA-256 over every key and value, hex; empty if not known.
    pub digest: String,
}

/// Counted since the shard was created, and counted again from the records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Sales granted.
    pub grants: u64,
    /// Their units.
    pub units_granted: u64,
    /// Sales undone.
    pub voids: u64,
    /// Their units.
    pub units_voided: u64,
    /// Sales denied, by name of the reason; checks are not counted.
    pub denials: BTreeMap<String, u64>,
    /// Distinct citizens.
    pub citizens: u64,
    /// Sites.
    pub sites: u64,
    /// Outbox rows ever written.
    pub outbox_rows: u64,
    /// Sales found in the records, slips, those undone and those dropped after retention included.
    pub grants_in_records: u64,
    /// Their units.
    pub units_in_records: u64,
    /// Records above the limit in some window. Must be 0.
    pub records_over_limit: u64,
    /// Sales recorded from paper; not part of the grants.
    pub slips: u64,
    /// Their units.
    pub units_on_slips: u64,
    /// Of them, those beyond the ration.
    pub slips_over_quota: u64,
}

/// How a program is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutProgram {
    /// Refused if the program's version is another one; 0: any.
    pub expected_version: u64,
    /// Change decisions at once, shard by shard.
    pub immediate: bool,
}

/// What became of a program that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramPut {
    /// The version it has now.
    pub version: u64,
    /// The same program was there already.
    pub unchanged: bool,
}

/// What the shadow rules of a program would have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowReport {
    /// By rule.
    pub rules: Vec<ShadowCounts>,
    /// Shards that answered.
    pub shards_counted: u32,
    /// Of so many.
    pub shards_total: u32,
}

/// What one shadow rule would have decided since it was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowCounts {
    /// The rule version.
    pub rule: String,
    /// Sales decided while it was in shadow.
    pub evaluated: u64,
    /// Granted, and it would have denied them: reasons and how many.
    pub would_deny: Vec<(String, u64)>,
    /// Denied, and it would have granted them.
    pub would_grant: u64,
}

/// A sales site.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its code.
    pub code: SiteCode,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Its kind.
    pub site_type: SiteType,
    /// WGS 84 degrees, latitude and longitude.
    pub coordinates: Option<(f64, f64)>,
    /// Province or metropolitan city; empty if not known.
    pub region: String,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Sites that were not there.
    pub added: u64,
    /// Sites that were other.
    pub replaced: u64,
    /// Sites that were the same.
    pub unchanged: u64,
}

fn as_hex<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:016x}"))
}
