//! What a batch adds to the counts for reports: summed in memory, written once at the end of the batch.

use std::collections::BTreeMap;

use quorate_proto::ids::{ProgramId, RuleId, ShardId};

use super::{
    calendar::{Calendar, Day},
    command::SaleSite,
    counts::{DayCounts, DayKey, ShadowCounts},
    judge::{self, Asked, Bought},
    program::Program,
    sale::Decision,
    state,
};
use crate::{error::CoreError, view::Overlay};

/// Sums of one batch.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    days: BTreeMap<(ProgramId, DayKey), DayCounts>,
    shadows: BTreeMap<(ProgramId, RuleId), ShadowCounts>,
}

impl Tallies {
    /// The counts of a day at sites such as this one.
    pub(super) fn day(&mut self, program: ProgramId, day: Day, site: &SaleSite) -> &mut DayCounts {
        let key = DayKey {
            date: day.number(),
            site_type: site.site_type,
            region: site.region,
        };
        self.days.entry((program, key)).or_default()
    }

    /// Counts what each shadow rule would have decided in place of the rule in force.
    pub(super) fn shadows(
        &mut self,
        program: &Program,
        calendar: &mut Calendar,
        asked: &Asked,
        bought: &[Bought],
        decision: &Decision<'_>,
    ) -> Result<(), CoreError> {
        let at_ms = decision.decided_at_ms;
        for rule in program.shadows_at(at_ms) {
            let judged = judge::judge_by(Some(rule), program, calendar, asked, bought, at_ms)?;
            let counts = self.shadows.entry((program.id(), rule.id)).or_default();
            counts.evaluated += 1;
            match (decision.result, judged.denied) {
                (Ok(_), Some(reason)) => counts.would_deny[reason.number() as usize] += 1,
                (Err(_), None) => counts.would_grant += 1,
                (Ok(_), None) | (Err(_), Some(_)) => {}
            }
        }
        Ok(())
    }

    /// Adds the sums to what is stored. The first sale of a day drops the days that are too old.
    pub(super) fn write(&self, overlay: &mut Overlay<'_>, shard: ShardId) -> Result<(), CoreError> {
        for ((program, day), counts) in &self.days {
            let is_new = state::add_day_counts(overlay, shard, program, day, counts)?;
            if is_new {
                state::drop_old_days(overlay, shard, program, day.date)?;
            }
        }
        for ((program, rule), counts) in &self.shadows {
            state::add_shadow_counts(overlay, shard, program, rule, counts)?;
        }
        Ok(())
    }
}
