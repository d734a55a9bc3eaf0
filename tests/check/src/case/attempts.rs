//! Requests with all their attempts.

use quorate_proto::ids::RequestId;

use crate::history::{Call, Record, Reply, Verdict};

/// All attempts of one request.
#[derive(Clone, Debug)]
pub(crate) struct Request<'h> {
    pub(crate) id: RequestId,
    pub(crate) call: &'h Call,
    /// Attempts, as places in the history, in its order.
    pub(crate) attempts: Vec<(usize, &'h Record)>,
    /// When the first attempt was made that may have done something.
    pub(crate) start_us: u64,
    /// When the first attempt ended that told the outcome.
    pub(crate) told_us: Option<u64>,
    /// The reply that tells most: of the entry that decided it, or else a repetition.
    pub(crate) told: Option<(usize, &'h Record)>,
    /// Whether that reply is of the entry that decided it.
    pub(crate) fresh: bool,
    /// An attempt ended without an answer.
    pub(crate) maybe_done: bool,
}

impl<'h> Request<'h> {
    pub(crate) fn verdict(&self) -> Option<&'h Verdict> {
        match &self.told?.1.reply {
            Reply::Verdict(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// Whether it is known to be on record: granted online, or handed in.
    pub(crate) fn is_recorded(&self) -> bool {
        match self.told.map(|(_, record)| &record.reply) {
            Some(Reply::Verdict(verdict)) => verdict.granted(),
            Some(Reply::HandedIn(reply)) => reply.outcome.recorded(),
            _ => false,
        }
    }

    /// Whether a model is fed it: it was told or may have been done, and is no slip that was rejected.
    pub(crate) fn is_operation(&self) -> bool {
        match self.told.map(|(_, record)| &record.reply) {
            Some(Reply::HandedIn(reply)) => reply.outcome.recorded(),
            Some(_) => true,
            None => self.maybe_done,
        }
    }

    /// Whether it may be on record, as far as its own attempts tell.
    pub(crate) fn may_be_recorded(&self) -> bool {
        self.is_recorded() || (self.told.is_none() && self.maybe_done)
    }
}

/// Requests of one citizen, ascending by id. A sale and a slip may share an id, and are two requests.
pub(crate) fn requests<'h>(records: &[(usize, &'h Record)]) -> Vec<Request<'h>> {
    let mut sorted: Vec<(RequestId, u8, usize)> = records
        .iter()
        .enumerate()
        .filter_map(|(at, (_, record))| Some((record.call.request()?, rank(&record.call), at)))
        .collect();
    sorted.sort_unstable();
    let mut requests: Vec<Request<'h>> = Vec::with_capacity(sorted.len());
    for (id, rank_of, at) in sorted {
        let (place, record) = records[at];
        match requests.last_mut() {
            Some(last) if last.id == id && rank(last.call) == rank_of => last.add(place, record),
            _ => {
                let mut request = Request {
                    id,
                    call: &record.call,
                    attempts: Vec::with_capacity(1),
                    start_us: u64::MAX,
                    told_us: None,
                    told: None,
                    fresh: false,
                    maybe_done: false,
                };
                request.add(place, record);
                requests.push(request);
            }
        }
    }
    requests
}

fn rank(call: &Call) -> u8 {
    match call {
        Call::Sell { .. } => 0,
        Call::Slip { .. } => 1,
        Call::Void { .. } => 2,
        Call::Correct { .. } => 3,
        Call::Check { .. } | Call::List => 4,
    }
}

/// Whether it is a read that was answered: an operation by itself.
pub(crate) fn is_answered_read(record: &Record) -> bool {
    record.call.request().is_none() && record.reply.position().is_some() && fits(record)
}

/// Whether the reply is one that such a call can have.
pub(crate) fn fits(record: &Record) -> bool {
    match (&record.call, &record.reply) {
        (_, Reply::NotDone { .. } | Reply::Unknown { .. })
        | (Call::Check { .. } | Call::Sell { .. }, Reply::Verdict(_))
        | (Call::Void { .. } | Call::Correct { .. }, Reply::Voided(_))
        | (Call::Slip { .. }, Reply::HandedIn(_))
        | (Call::List, Reply::Listed(_)) => record.start_us <= record.end_us,
        _ => false,
    }
}

impl<'h> Request<'h> {
    fn add(&mut self, place: usize, record: &'h Record) {
        self.attempts.push((place, record));
        match &record.reply {
            Reply::NotDone { .. } => return,
            Reply::Unknown { .. } => self.maybe_done = true,
            _ if !fits(record) => return,
            reply => {
                let fresh = !reply.repeated();
                if self.told.is_none() || (fresh && !self.fresh) {
                    self.told = Some((place, record));
                    self.fresh = fresh;
                }
                let told_us = self.told_us.get_or_insert(record.end_us);
                *told_us = record.end_us.min(*told_us);
            }
        }
        self.start_us = self.start_us.min(record.start_us);
    }
}
