//! Applies the commands of one batch, in order, at one instant.

use std::collections::BTreeMap;

use quorate_proto::ids::{Epoch, ProgramId, RingPosition, ShardId};

use super::{
    account::Account,
    calendar::Calendar,
    command::{AdoptRange, Batch, Command, CommandBody},
    outcome::{CommandError, CommandErrorKind, Outcome},
    program::Program,
    record::ShardFacts,
    sale, site,
    state::{self, KnownProgram},
    stock, void,
};
use crate::{error::CoreError, view::Overlay};

/// Decides every command of a batch. Outcomes come in the order of the commands; the writes are in the
/// overlay. An outcome that is an error wrote nothing.
///
/// # Errors
/// The state cannot be read, is damaged, or the time is beyond the calendar. The overlay is then to be
/// thrown away.
pub fn apply_batch(
    overlay: &mut Overlay<'_>,
    shard: ShardId,
    batch: &Batch,
) -> Result<Vec<Outcome>, CoreError> {
    let mut facts = state::facts(&*overlay, shard)?;
    facts.clock_ms = facts.clock_ms.max(batch.time_ms);
    let mut step = Step {
        now_ms: facts.clock_ms,
        overlay,
        shard,
        facts,
        programs: BTreeMap::new(),
    };
    let mut outcomes = Vec::with_capacity(batch.commands.len());
    for command in &batch.commands {
        outcomes.push(step.apply(command)?);
    }
    state::store_facts(step.overlay, shard, &step.facts);
    Ok(outcomes)
}

/// A batch being applied: the state with its writes so far, and what is read once per batch.
pub(super) struct Step<'s, 'v> {
    pub(super) overlay: &'s mut Overlay<'v>,
    pub(super) shard: ShardId,
    pub(super) facts: ShardFacts,
    pub(super) now_ms: i64,
    programs: BTreeMap<ProgramId, KnownProgram>,
}

impl Step<'_, '_> {
    fn apply(&mut self, command: &Command) -> Result<Outcome, CoreError> {
        if let CommandBody::AdoptRange(adopt) = &command.body {
            return Ok(self.adopt_range(*adopt));
        }
        if command.epoch != Epoch(0) && command.epoch != self.facts.epoch {
            return Ok(wrong_epoch(command.epoch, self.facts.epoch));
        }
        match &command.body {
            CommandBody::RecordSale(command) => sale::record(self, command),
            CommandBody::VoidSale(command) => void::void(self, command),
            CommandBody::PutSites(profiles) => site::put_sites(self, profiles),
            CommandBody::PutDevice(command) => site::put_device(self, command),
            CommandBody::PutProgram(program) => self.put_program(program),
            CommandBody::Checkpoint { .. } => Ok(Outcome::Done),
            CommandBody::AdoptRange(adopt) => Ok(self.adopt_range(*adopt)),
            CommandBody::ChangeStock(command) => stock::change(self, command),
            CommandBody::SuspendSite(command) => site::suspend(self, command),
        }
    }

    /// Refuses a key that is not this shard's.
    pub(super) fn check_owner(&self, position: RingPosition) -> Result<(), CommandError> {
        check_owner(&self.facts, position)
    }

    /// Takes a program out of the batch's memory, reading it at its first use; give it back with
    /// [`Step::keep_program`]. `None`: unknown here.
    pub(super) fn take_program(
        &mut self,
        id: &ProgramId,
    ) -> Result<Option<KnownProgram>, CoreError> {
        match self.programs.remove(id) {
            Some(known) => Ok(Some(known)),
            None => state::load_program(&*self.overlay, self.shard, id),
        }
    }

    /// Keeps a program for the commands that follow.
    pub(super) fn keep_program(&mut self, known: KnownProgram) {
        self.programs.insert(known.program.id(), known);
    }

    /// Writes a record back, without what is forgotten.
    pub(super) fn store_account(
        &mut self,
        key: Vec<u8>,
        mut account: Account,
        calendar: &mut Calendar,
    ) -> Result<(), CoreError> {
        let retired = account.retire(calendar)?;
        self.facts.totals.grants_retired += retired.sales;
        self.facts.totals.units_retired += retired.units;
        state::store_record(self.overlay, key, &account.record);
        Ok(())
    }

    /// A program that is not newer changes nothing; nor does one that breaks the law of succession, which
    /// the system shard never sends.
    fn put_program(&mut self, program: &Program) -> Result<Outcome, CoreError> {
        let stored = self.take_program(&program.id())?;
        let known = match stored {
            Some(stored)
                if stored.program.version() >= program.version()
                    || stored.program.check_successor(program).is_err() =>
            {
                stored
            }
            _ => {
                state::store_program(self.overlay, self.shard, program);
                KnownProgram::new(program.clone())
            }
        };
        self.keep_program(known);
        Ok(Outcome::Done)
    }

    fn adopt_range(&mut self, adopt: AdoptRange) -> Outcome {
        match self.facts.range {
            None => {
                self.facts.range = Some(adopt.range);
                self.facts.epoch = adopt.epoch;
                Outcome::Done
            }
            Some(range) if range == adopt.range && self.facts.epoch == adopt.epoch => Outcome::Done,
            Some(_) => wrong_epoch(adopt.epoch, self.facts.epoch),
        }
    }
}

/// Refuses a position outside the shard's range.
pub(super) fn check_owner(facts: &ShardFacts, position: RingPosition) -> Result<(), CommandError> {
    if facts.owns(position) {
        return Ok(());
    }
    let detail = match facts.range {
        Some(range) => format!("this shard owns {range}, not the key's position"),
        None => "this shard has not adopted a range yet".to_owned(),
    };
    Err(CommandError::new(CommandErrorKind::WrongShard, detail))
}

fn wrong_epoch(asked: Epoch, current: Epoch) -> Outcome {
    let detail = format!("this shard is at epoch {current}, the command at {asked}");
    CommandError::new(CommandErrorKind::WrongShard, detail).into()
}
