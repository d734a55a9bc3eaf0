//! The laws, each family in its own file.

pub(crate) mod answers;
pub(crate) mod counts;
pub(crate) mod facts;
pub(crate) mod order;
pub(crate) mod replay;

use crate::{
    history::History,
    report::{Law, Violation},
};

/// A violation; `records`: places in the history.
pub(crate) fn violation(
    law: Law,
    citizen: Option<u64>,
    records: impl IntoIterator<Item = usize>,
    why: impl Into<String>,
) -> Violation {
    let mut lines: Vec<usize> = records.into_iter().map(History::line_of).collect();
    lines.sort_unstable();
    lines.dedup();
    Violation {
        law,
        lines,
        citizen,
        why: why.into(),
    }
}
