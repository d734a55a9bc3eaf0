//! Answers what was counted.

use quorate_proto::ids::{ProgramId, ShardId};

use super::{
    counts::{DailyAnswer, DailyRow, ShadowRow},
    query::DailyQuery,
    state,
};
use crate::{
    codec::{self, DecodeError},
    error::CoreError,
    keys,
    view::View,
};

/// One page of sales and refusals by day.
pub(super) fn daily(
    view: &dyn View,
    shard: ShardId,
    query: &DailyQuery,
) -> Result<DailyAnswer, CoreError> {
    let (first, last) = (query.first_date, query.last_date);
    let (mut first, end) = keys::day_counts_between(shard, &query.program, first, last);
    // A page goes on behind the last key of the one before, and never leaves the range asked for.
    if query.after > first {
        first.clone_from(&query.after);
        first.push(0);
    }
    let (found, more) = state::page(view, &first, &end, query.limit as usize)?;
    let next = match found.last() {
        Some((key, _)) if more => key.clone(),
        _ => Vec::new(),
    };
    let rows = found.into_iter().map(|(key, value)| {
        let day = keys::day_of(&key, &query.program);
        let day = day.ok_or_else(|| DecodeError::invalid("key", "names no day"));
        match day.and_then(|day| Ok((day, codec::decode_day_counts(&value)?))) {
            Ok((day, counts)) => Ok(DailyRow { day, counts }),
            Err(fault) => Err(CoreError::Damaged { key, fault }),
        }
    });
    Ok(DailyAnswer {
        rows: rows.collect::<Result<_, _>>()?,
        next,
    })
}

/// Every shadow rule of a program that was counted.
pub(super) fn shadows(
    view: &dyn View,
    shard: ShardId,
    program: &ProgramId,
) -> Result<Vec<ShadowRow>, CoreError> {
    let (first, end) = keys::shadow_counts_of(shard, program);
    let (found, _) = state::page(view, &first, &end, usize::MAX)?;
    let rows = found.into_iter().map(|(key, value)| {
        let rule = keys::rule_of_shadow(&key, program);
        let rule = rule.ok_or_else(|| DecodeError::invalid("key", "names no rule"));
        match rule.and_then(|rule| Ok((rule, codec::decode_shadow_counts(&value)?))) {
            Ok((rule, counts)) => Ok(ShadowRow { rule, counts }),
            Err(fault) => Err(CoreError::Damaged { key, fault }),
        }
    });
    rows.collect()
}
