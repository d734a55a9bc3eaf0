//! Brings one group in line with the cluster view: its members, its range, its programs.
//!
//! Only the leader acts, one step at a time, and every step may be repeated: whoever leads next goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::codec;
use quorate_core::ledger::{self, AdoptRange, Batch, Command, CommandBody};
use quorate_link::env::Env;
use quorate_proto::ids::{Epoch, ShardId};
use quorate_proto::shard_map::ShardInfo;
use quorate_proto::storage::{ShardFormed, SystemCommand, system_command};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::limits;
use crate::raft::{self, Group, Proposed};
use crate::system::{ProposeSystem, View};

/// Tends one group until the node stops.
pub(super) async fn run_tender(
    group: Arc<Group>,
    mut view: watch::Receiver<Option<Arc<View>>>,
    system: Arc<dyn ProposeSystem>,
    env: Env,
    failure: Failure,
) {
    let mut leadership = group.leadership();
    loop {
        let known = view.borrow_and_update().clone();
        let here = leadership.borrow_and_update().here;
        let mut pause = limits::RECONCILE_INTERVAL;
        if here
            && let Some(known) = known
            && !tend(&group, &known, &*system, &env, &failure).await
        {
            pause = limits::RECONCILE_RETRY;
        }
        let pause = env.sleep(pause);
        tokio::select! {
            biased;
            changed = leadership.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            changed = view.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = pause => {}
        }
    }
}

/// One round; false if a step did not get through and is worth trying again soon.
async fn tend(
    group: &Group,
    view: &View,
    system: &dyn ProposeSystem,
    env: &Env,
    failure: &Failure,
) -> bool {
    let shard = group.shard();
    let Some(info) = view.map.shard(shard) else {
        return true;
    };
    let wanted: BTreeMap<u64, raft::Host> = info
        .replicas
        .iter()
        .map(|(replica, node)| (replica.get(), raft::Host(node.get())))
        .collect();
    if let Err(error) = group.approach_members(&wanted).await {
        tracing::debug!(%shard, error, "the members stay as they are");
    }
    if info.forming.is_some() {
        let formed = SystemCommand {
            body: Some(system_command::Body::ShardFormed(ShardFormed {
                shard: shard.get(),
                replica: info.forming.map_or(0, |replica| replica.get()),
            })),
        };
        if let Err(error) = system.propose(formed).await {
            tracing::debug!(%shard, %error, "the system shard has not heard that the group is formed");
        }
    }
    if shard == ShardId::SYSTEM {
        return true;
    }
    match missing(group, view, info) {
        Ok(commands) if commands.is_empty() => true,
        Ok(commands) => {
            let batch = Batch {
                time_ms: env.unix_ms(),
                commands,
            };
            let pending = group.submit(codec::encode_batch(&batch)).await;
            let proposed = pending.outcome().await;
            tracing::debug!(%shard, ?proposed, "bringing the shard in line with the view");
            matches!(proposed, Proposed::Applied { .. })
        }
        Err(error) => {
            failure.raise(error);
            true
        }
    }
}

/// What the shard's state lacks of the view.
fn missing(
    group: &Group,
    view: &View,
    info: &ShardInfo,
) -> Result<Vec<Command>, quorate_core::CoreError> {
    group.state().read(|state, _| {
        let mut commands = Vec::new();
        let facts = ledger::facts(state, group.shard())?;
        if facts.epoch() == Epoch::new(0)
            && let Some(range) = info.range
        {
            commands.push(CommandBody::AdoptRange(AdoptRange {
                range,
                epoch: info.epoch,
            }));
        }
        let held: BTreeMap<_, _> = ledger::program_versions(state, group.shard())?
            .into_iter()
            .collect();
        for program in &view.programs {
            let current = held
                .get(&program.id())
                .is_some_and(|version| *version >= program.version());
            if !current {
                commands.push(CommandBody::PutProgram(program.clone()));
            }
        }
        Ok(commands
            .into_iter()
            .map(|body| Command {
                epoch: Epoch::new(0),
                body,
            })
            .collect())
    })
}
