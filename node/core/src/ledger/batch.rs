//! Applies the commands of one batch, in order, at one instant.

use std::collections::BTreeMap;

use quorate_proto::ids::{Epoch, ProgramId, RingPosition, ShardId};

use super::{
    account::Account,
    calendar::Calendar,
    command::{AdoptRange, Batch, Command, CommandBody},
    deliver,
    outcome::{CommandError, CommandErrorKind, Outcome},
    program::Program,
    record::{OutboxRow, Sale, SaleKind, ShardFacts},
    sale, site, slip,
    state::{self, KnownProgram},
    stock,
    tallies::Tallies,
    void,
};
use crate::{
    error::CoreError,
    planted::{self, Bug},
    view::Overlay,
};

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
    let mut time_ms = batch.time_ms;
    if planted::is(Bug::ClockInApply) {
        time_ms += (planted::unlike() % 50) as i64;
    }
    facts.clock_ms = facts.clock_ms.max(time_ms);
    let mut step = Step {
        now_ms: facts.clock_ms,
        overlay,
        shard,
        facts,
        tallies: Tallies::default(),
        programs: BTreeMap::new(),
    };
    let mut outcomes = Vec::with_capacity(batch.commands.len());
    for command in &batch.commands {
        outcomes.push(step.apply(command)?);
    }
    step.tallies.write(step.overlay, shard)?;
    state::store_facts(step.overlay, shard, &step.facts);
    Ok(outcomes)
}

/// A batch being applied: the state with its writes so far, and what is read once per batch.
pub(super) struct Step<'s, 'v> {
    pub(super) overlay: &'s mut Overlay<'v>,
    pub(super) shard: ShardId,
    pub(super) facts: ShardFacts,
    pub(super) now_ms: i64,
    pub(super) tallies: Tallies,
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
            CommandBody::RecordSlip(command) => slip::record(self, command),
            CommandBody::VoidSale(command) => void::void(self, command),
            CommandBody::PutSites(profiles) => site::put_sites(self, profiles),
            CommandBody::PutDevice(command) => site::put_device(self, command),
            CommandBody::PutProgram(program) => self.put_program(program),
            CommandBody::Checkpoint { .. } => Ok(Outcome::Done),
            CommandBody::AdoptRange(adopt) => Ok(self.adopt_range(*adopt)),
            CommandBody::ChangeStock(command) => stock::change(self, command),
            CommandBody::SuspendSite(command) => site::suspend(self, command),
            CommandBody::DeliverStock(command) => deliver::deliver(self, command),
            CommandBody::AcknowledgeOutbox { seq } => Ok(deliver::acknowledge(self, *seq)),
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
        program: &Program,
        calendar: &mut Calendar,
    ) -> Result<(), CoreError> {
        let retired = account.retire(program, calendar)?;
        self.facts.totals.grants_retired += retired.sales;
        self.facts.totals.units_retired += retired.units;
        for ((site, product), units) in &retired.by_stock {
            state::add_retired_units(self.overlay, self.shard, site, product, *units)?;
        }
        state::store_record(self.overlay, key, &account.record);
        Ok(())
    }

    /// Counts a sale that is being recorded, and tells its site's shard.
    pub(super) fn note_sale(
        &mut self,
        sale: &Sale,
        program: &Program,
        calendar: &mut Calendar,
    ) -> Result<(), CoreError> {
        let totals = &mut self.facts.totals;
        match sale.kind {
            SaleKind::Online => {
                totals.grants += 1;
                totals.units_granted += u64::from(sale.quantity);
            }
            SaleKind::Paper => {
                totals.slips += 1;
                totals.units_on_slips += u64::from(sale.quantity);
                totals.slips_over_quota += u64::from(sale.over_by > 0);
            }
        }
        let day = calendar.day(sale.sold_at_ms)?;
        self.tallies
            .day(program.id(), day, &sale.site)
            .add_sale(sale);
        let row = OutboxRow::sold(sale, program);
        state::append_outbox(self.overlay, self.shard, &mut self.facts, &row);
        Ok(())
    }

    /// Counts that a sale is undone, and tells its site's shard.
    pub(super) fn note_void(
        &mut self,
        sale: &Sale,
        program: &Program,
        calendar: &mut Calendar,
        at_ms: i64,
    ) -> Result<(), CoreError> {
        self.facts.totals.voids += 1;
        self.facts.totals.units_voided += u64::from(sale.quantity);
        let day = calendar.day(sale.sold_at_ms)?;
        self.tallies
            .day(program.id(), day, &sale.site)
            .add_void(sale);
        let row = OutboxRow::voided(sale, program, at_ms);
        state::append_outbox(self.overlay, self.shard, &mut self.facts, &row);
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
    if facts.owns(position) || planted::is(Bug::WrongShardWrite) {
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
