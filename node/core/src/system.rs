//! The system shard: who is where, and which programs there are.
//!
//! State owned: one cluster view, a single row. Invariants: its version grows by one with every actual
//! change and never otherwise; a replica id is never used twice in a shard; what is refused changes nothing
//! and says why in a sentence. Deliberately absent: time, and any opinion on who is alive.
//!
//! The view is small and travels whole, so it is handled as the message it travels in.

mod bootstrap;
mod nodes;
mod programs;

use quorate_proto::{ids::ShardId, storage::system_command::Body};

pub use quorate_proto::storage::{ClusterView, SystemCommand, SystemOutcome};

use crate::{
    codec,
    error::CoreError,
    keys,
    view::{Overlay, View},
};

/// The cluster view; `None` before the cluster has been formed.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn view(view: &dyn View) -> Result<Option<ClusterView>, CoreError> {
    let key = keys::cluster_view();
    let Some(bytes) = view.get(&key)? else {
        return Ok(None);
    };
    codec::decode_view(&bytes)
        .map(Some)
        .map_err(|fault| CoreError::Damaged { key, fault })
}

/// Applies one command.
///
/// # Errors
/// The state cannot be read, or is damaged.
pub fn apply(
    overlay: &mut Overlay<'_>,
    command: &SystemCommand,
) -> Result<SystemOutcome, CoreError> {
    let current = view(&*overlay)?;
    let version = current.as_ref().map_or(0, |view| view.version);
    match decide(current, command) {
        Ok(Change::Nothing) => Ok(SystemOutcome {
            refused: String::new(),
            view_version: version,
        }),
        Ok(Change::To(mut changed)) => {
            changed.version = version + 1;
            overlay.put(keys::cluster_view(), codec::encode_view(&changed));
            Ok(SystemOutcome {
                refused: String::new(),
                view_version: changed.version,
            })
        }
        Err(Refused(refused)) => Ok(SystemOutcome {
            refused,
            view_version: version,
        }),
    }
}

/// What a command does to the view.
enum Change {
    Nothing,
    To(ClusterView),
}

/// Why a command does nothing, as a sentence.
#[derive(Debug)]
struct Refused(String);

fn decide(current: Option<ClusterView>, command: &SystemCommand) -> Result<Change, Refused> {
    let Some(body) = &command.body else {
        return Err(Refused("the command is empty".to_owned()));
    };
    let view = match (current, body) {
        (None, Body::Bootstrap(bootstrap)) => {
            return bootstrap::first_view(bootstrap).map(Change::To);
        }
        (Some(_), Body::Bootstrap(_)) => return Ok(Change::Nothing),
        (None, _) => return Err(Refused("the cluster has not been formed yet".to_owned())),
        (Some(view), _) => view,
    };
    match body {
        Body::RegisterNode(register) => nodes::register(view, register),
        Body::ShardFormed(formed) => shard_formed(view, ShardId(formed.shard), formed.replica),
        Body::PutProgram(put) => programs::put(view, put),
        Body::Bootstrap(_) => Ok(Change::Nothing),
    }
}

/// Notes that a shard's group exists. A late or repeated notice changes nothing.
fn shard_formed(mut view: ClusterView, shard: ShardId, replica: u64) -> Result<Change, Refused> {
    let record = view.shards.iter_mut().find(|r| r.shard == shard.get());
    match record {
        None => Err(Refused(format!("there is no shard {shard}"))),
        Some(record) if replica != 0 && record.forming_replica == replica => {
            record.forming_replica = 0;
            Ok(Change::To(view))
        }
        Some(_) => Ok(Change::Nothing),
    }
}

#[cfg(test)]
mod tests;
