//! Is there an order of one citizen's operations in which the model gives every answer? A search in the manner
//! of Wing and Gong, with a memory of dead ends.
//!
//! Each operation has a span; one that ends before another begins comes before it. The same search serves two
//! judges, by what the spans are made of:
//! * [`along_the_log`]: an operation whose entry was seen is a point at its position. One that is known only by a
//!   repeated answer lies between what had ended before it was sent and that repetition.
//! * [`along_real_time`]: from the first call to the first answer, positions ignored.
//!
//! Stamps of one citizen's commands never decrease, so commands that carry one are placed in the order of their
//! stamps; without that, a thousand denials at once could be tried in any order.
//!
//! An operation that was never told spans to the end, and may be left out. A read that fits is taken at once: it
//! changes nothing, so taking it later opens no way that taking it now closes.

use std::collections::HashSet;

use crate::{
    bits::Bits,
    case::{Case, Operation, Stamp, Told},
    limits,
    model::{Account, Effect},
};

/// When an operation may take its place: not before `start`, and before whatever starts after `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u64,
    end: u64,
    /// It may never have happened.
    optional: bool,
}

/// What a search comes to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is such an order.
    Found,
    /// There is none. Where the search came furthest, this operation could not come next.
    Nowhere(Box<DeadEnd>),
    /// Too many unknown outcomes, or too many dead ends.
    Inconclusive(&'static str),
}

/// As far as the search came.
#[derive(Clone, Debug)]
pub(crate) struct DeadEnd {
    /// Place in the list of operations.
    pub(crate) operation: usize,
    pub(crate) account: Account,
    pub(crate) why: Told,
}

/// Where an entry stands among the placed ones; a read comes behind every command of its entry.
pub(crate) fn place_of(operation: &Operation<'_>) -> Option<(u64, u64)> {
    let at = operation.place?;
    let ordinal = if operation.is_read() {
        u64::MAX
    } else {
        at.ordinal.into()
    };
    Some((at.index, ordinal))
}

/// Spans by log position. One citizen is decided in one shard; another judge sees to that.
pub(crate) fn along_the_log(operations: &[Operation<'_>]) -> Vec<Span> {
    let mut placed: Vec<((u64, u64), usize)> = operations
        .iter()
        .enumerate()
        .filter_map(|(at, operation)| Some((place_of(operation)?, at)))
        .collect();
    placed.sort_unstable();
    let mut spans: Vec<Span> = operations
        .iter()
        .map(|operation| {
            if operation.place.is_some() {
                return Span::default();
            }
            let ended = |&(_, at): &((u64, u64), usize)| {
                operations[at]
                    .told_us
                    .is_some_and(|told_us| told_us < operation.start_us)
            };
            let behind = placed.iter().rposition(ended).map_or(0, |last| last + 1);
            let before = operation.before.map(|at| (at.index, at.ordinal.into()));
            let until = before.map(|before| placed.partition_point(|(place, _)| *place < before));
            Span {
                start: 2 * behind as u64,
                end: until.map_or(u64::MAX, |until| 2 * until.max(behind) as u64),
                optional: operation.told_us.is_none(),
            }
        })
        .collect();
    for (number, (_, at)) in placed.into_iter().enumerate() {
        let point = 2 * number as u64 + 1;
        spans[at] = Span {
            start: point,
            end: point,
            optional: false,
        };
    }
    spans
}

/// Spans by the clients' clock.
pub(crate) fn along_real_time(operations: &[Operation<'_>]) -> Vec<Span> {
    let span = |operation: &Operation<'_>| Span {
        start: operation.start_us,
        end: operation.told_us.unwrap_or(u64::MAX),
        optional: operation.told_us.is_none(),
    };
    operations.iter().map(span).collect()
}

impl Default for Span {
    fn default() -> Self {
        Self {
            start: 0,
            end: u64::MAX,
            optional: true,
        }
    }
}

/// Searches for an order.
pub(crate) fn search(case: &Case<'_>, operations: &[Operation<'_>], spans: &[Span]) -> Outcome {
    let unknown = spans.iter().filter(|span| span.optional).count();
    if unknown > limits::UNKNOWN_MAX {
        return Outcome::Inconclusive("too many unknown outcomes");
    }
    Search {
        case,
        operations,
        line: Line::new(spans),
        stamps: Stamps::new(operations),
        account: Account::default(),
        last: None,
        required: spans.len() - unknown,
        placed: Bits::default(),
        taken: Vec::with_capacity(spans.len()),
        dead: HashSet::new(),
        furthest: None,
    }
    .run()
}

struct Search<'s, 'h> {
    case: &'s Case<'h>,
    operations: &'s [Operation<'h>],
    line: Line,
    stamps: Stamps,
    account: Account,
    last: Option<Stamp>,
    /// Operations that must be placed and are not yet.
    required: usize,
    placed: Bits,
    taken: Vec<Step>,
    /// What was placed, and the account: from there no order leads to the end. The last stamp follows from what
    /// was placed.
    dead: HashSet<(Bits, Account)>,
    furthest: Option<(usize, DeadEnd)>,
}

/// An operation that was placed, and how to take it back.
struct Step {
    operation: usize,
    effect: Effect,
    last: Option<Stamp>,
    /// A read that fits needs no second try.
    settled: bool,
}

impl Search<'_, '_> {
    fn run(mut self) -> Outcome {
        let mut cursor = self.line.first();
        while self.required > 0 {
            match self.line.event(cursor) {
                // Every operation that could come next was tried.
                Event::End(_) | Event::None => match self.step_back() {
                    Ok(Some(next)) => cursor = next,
                    Ok(None) => return self.nowhere(),
                    Err(why) => return Outcome::Inconclusive(why),
                },
                Event::Start(operation) => match self.place(operation) {
                    true => cursor = self.line.first(),
                    false => cursor = self.line.behind(cursor),
                },
            }
        }
        Outcome::Found
    }

    /// Places an operation next, if the model agrees and nobody has been here before.
    fn place(&mut self, operation: usize) -> bool {
        let candidate = &self.operations[operation];
        if !self.stamps.may_come(operation) {
            self.note(operation, Told::Later);
            return false;
        }
        let effect = match candidate.follows(self.case, &self.account, self.last) {
            Ok(effect) => effect,
            Err(why) => {
                self.note(operation, why);
                return false;
            }
        };
        self.account.apply(effect);
        self.placed.insert(operation);
        let been_here = !self.dead.is_empty()
            && self
                .dead
                .contains(&(self.placed.clone(), self.account.clone()));
        if been_here {
            self.account.undo(effect);
            self.placed.remove(operation);
            return false;
        }
        self.taken.push(Step {
            operation,
            effect,
            last: self.last,
            settled: candidate.is_read(),
        });
        self.last = later(self.last, candidate.stamp);
        self.required -= usize::from(!self.line.is_optional(operation));
        self.line.lift(operation);
        self.stamps.lift(operation);
        true
    }

    /// Takes back the last operation that has another choice; where to go on, or `None` at the beginning.
    fn step_back(&mut self) -> Result<Option<usize>, &'static str> {
        while let Some(step) = self.taken.pop() {
            if self.dead.len() >= limits::DEAD_ENDS_MAX {
                return Err("too many orders to try");
            }
            if !step.settled {
                let state = (self.placed.clone(), self.account.clone());
                self.dead.insert(state);
            }
            self.line.put_back(step.operation);
            self.stamps.put_back(step.operation);
            self.required += usize::from(!self.line.is_optional(step.operation));
            self.account.undo(step.effect);
            self.placed.remove(step.operation);
            self.last = step.last;
            if !step.settled {
                let start = self.line.start_of(step.operation);
                return Ok(Some(self.line.behind(start)));
            }
        }
        Ok(None)
    }

    fn note(&mut self, operation: usize, why: Told) {
        let depth = self.taken.len();
        if self.furthest.as_ref().is_none_or(|(best, _)| depth > *best) {
            let dead_end = DeadEnd {
                operation,
                account: self.account.clone(),
                why,
            };
            self.furthest = Some((depth, dead_end));
        }
    }

    fn nowhere(self) -> Outcome {
        match self.furthest {
            Some((_, dead_end)) => Outcome::Nowhere(Box::new(dead_end)),
            // Something must be placed, nothing may come first, and nothing was refused.
            None => Outcome::Inconclusive("no operation may come first"),
        }
    }
}

/// A void says that whatever follows at its stamp is later; two commands at one stamp otherwise say nothing.
fn later(last: Option<Stamp>, own: Option<Stamp>) -> Option<Stamp> {
    match (last, own) {
        (Some(last), Some(own)) if last.at_ms == own.at_ms => Some(Stamp {
            undid: last.undid || own.undid,
            ..own
        }),
        (last, own) => last.max(own),
    }
}

/// Which stamps are still to come.
struct Stamps {
    /// Of each operation: the place of its stamp among all.
    rank: Vec<Option<usize>>,
    /// Of each stamp: operations that carry it and are not placed.
    open: Vec<usize>,
    /// The first stamp that is still to come.
    next: usize,
}

impl Stamps {
    fn new(operations: &[Operation<'_>]) -> Self {
        let stamps = operations.iter().filter_map(|operation| operation.stamp);
        let mut times: Vec<i64> = stamps.map(|stamp| stamp.at_ms).collect();
        times.sort_unstable();
        times.dedup();
        let mut open = vec![0; times.len()];
        let rank = |operation: &Operation<'_>| {
            let rank = times.binary_search(&operation.stamp?.at_ms).ok()?;
            open[rank] += 1;
            Some(rank)
        };
        Self {
            rank: operations.iter().map(rank).collect(),
            open,
            next: 0,
        }
    }

    /// Whether nothing with an earlier stamp is still to come.
    fn may_come(&self, operation: usize) -> bool {
        self.rank[operation].is_none_or(|rank| rank <= self.next)
    }

    fn lift(&mut self, operation: usize) {
        if let Some(rank) = self.rank[operation] {
            self.open[rank] -= 1;
            while self.open.get(self.next) == Some(&0) {
                self.next += 1;
            }
        }
    }

    fn put_back(&mut self, operation: usize) {
        if let Some(rank) = self.rank[operation] {
            self.open[rank] += 1;
            self.next = self.next.min(rank);
        }
    }
}

/// Starts and ends of all operations that are not placed, in order, as a linked list.
struct Line {
    events: Vec<Event>,
    /// Of each operation: where its start and its end stand.
    of: Vec<(usize, Option<usize>)>,
    /// Before and behind each event; the last entry is the list's own.
    before: Vec<usize>,
    behind: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Start(usize),
    End(usize),
    None,
}

impl Line {
    fn new(spans: &[Span]) -> Self {
        let mut sorted: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * spans.len());
        for (operation, span) in spans.iter().enumerate() {
            // At one instant starts come first: only what ends before is earlier.
            sorted.push((span.start, false, operation));
            if !span.optional {
                sorted.push((span.end, true, operation));
            }
        }
        sorted.sort_unstable();
        let mut of = vec![(0, None); spans.len()];
        let events = sorted.into_iter().enumerate();
        let mut events: Vec<Event> = events
            .map(|(at, (_, is_end, operation))| {
                if is_end {
                    of[operation].1 = Some(at);
                    Event::End(operation)
                } else {
                    of[operation].0 = at;
                    Event::Start(operation)
                }
            })
            .collect();
        events.push(Event::None);
        let count = events.len();
        Self {
            events,
            of,
            before: (0..count).map(|at| (at + count - 1) % count).collect(),
            behind: (0..count).map(|at| (at + 1) % count).collect(),
        }
    }

    fn first(&self) -> usize {
        self.behind(self.events.len() - 1)
    }

    fn behind(&self, at: usize) -> usize {
        self.behind[at]
    }

    fn event(&self, at: usize) -> Event {
        self.events[at]
    }

    fn start_of(&self, operation: usize) -> usize {
        self.of[operation].0
    }

    fn is_optional(&self, operation: usize) -> bool {
        self.of[operation].1.is_none()
    }

    /// Takes an operation out.
    fn lift(&mut self, operation: usize) {
        let (start, end) = self.of[operation];
        self.unlink(start);
        if let Some(end) = end {
            self.unlink(end);
        }
    }

    /// Puts back the operation that was taken out last.
    fn put_back(&mut self, operation: usize) {
        let (start, end) = self.of[operation];
        if let Some(end) = end {
            self.link(end);
        }
        self.link(start);
    }

    fn unlink(&mut self, at: usize) {
        let (before, behind) = (self.before[at], self.behind[at]);
        self.behind[before] = behind;
        self.before[behind] = before;
    }

    fn link(&mut self, at: usize) {
        let (before, behind) = (self.before[at], self.behind[at]);
        self.behind[before] = at;
        self.before[behind] = at;
    }
}
