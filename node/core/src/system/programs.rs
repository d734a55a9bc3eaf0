//! Programs as operators define them.

use quorate_proto::storage::{ClusterView, PutProgramDefinition};

use super::{Change, Refused};
use crate::{codec, limits};

/// Adds a program or its next version. The sender's version number is not looked at. A definition equal to
/// the current one changes nothing.
pub(super) fn put(mut view: ClusterView, put: &PutProgramDefinition) -> Result<Change, Refused> {
    let Some(definition) = &put.program else {
        return Err(Refused("the program is missing".to_owned()));
    };
    let known = view.programs.iter().position(|p| p.id == definition.id);
    let mut newer = definition.clone();
    newer.version = known.map_or(0, |at| view.programs[at].version) + 1;
    let program = codec::program_from_proto(newer).map_err(|why| Refused(why.to_string()))?;
    let mut newer = codec::program_to_proto(&program);

    match known {
        Some(at) => {
            let current = codec::program_from_proto(view.programs[at].clone())
                .map_err(|why| Refused(format!("the stored program is not valid: {why}")))?;
            current
                .check_successor(&program)
                .map_err(|why| Refused(why.to_string()))?;
            let next_version = newer.version;
            newer.version = current.version();
            if newer == view.programs[at] {
                return Ok(Change::Nothing);
            }
            newer.version = next_version;
            view.programs[at] = newer;
        }
        None if view.programs.len() >= limits::PROGRAMS_MAX => {
            let most = limits::PROGRAMS_MAX;
            return Err(Refused(format!("a cluster has at most {most} programs")));
        }
        None => {
            view.programs.push(newer);
            view.programs.sort_by(|one, other| one.id.cmp(&other.id));
        }
    }
    Ok(Change::To(view))
}
