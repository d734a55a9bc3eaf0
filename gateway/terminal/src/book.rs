//! What a journal says, all its records taken together. Pure.
//!
//! State owned: the slips in the order they were written, the gateways' key, the last sequence. Laws: a slip
//! is there once, however often it was written; what settled it first stays.

use std::collections::HashMap;

use quorate_client::{SignedSlip, model::SlipAnswer};
use quorate_link::SealingKey;
use quorate_proto::ids::RequestId;

use crate::{limits::SETTLED_KEPT, record::Record};

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Book {
    entries: Vec<Entry>,
    places: HashMap<RequestId, usize>,
    key: Option<SealingKey>,
    last_sequence: u64,
    waiting: usize,
}

/// One slip.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As it was written.
    pub slip: SignedSlip,
    /// What became of it; `None`: it waits to be handed in.
    pub settled: Option<Settled>,
    /// Why it was not decided when it was handed in last. Not durable.
    pub last_try: Option<String>,
}

/// What became of a slip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What the gateway said.
    pub answer: SlipAnswer,
    /// When it was heard, Unix milliseconds.
    pub at_ms: i64,
}

impl Book {
    /// Every slip, the oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many wait to be handed in.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// The slips that wait, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = &SignedSlip> {
        let open = self.entries.iter().filter(|entry| entry.settled.is_none());
        open.map(|entry| &entry.slip)
    }

    /// The slip of this sale.
    #[must_use]
    pub fn find(&self, request_id: RequestId) -> Option<&Entry> {
        self.entries.get(*self.places.get(&request_id)?)
    }

    /// The gateways' key that was heard last.
    #[must_use]
    pub const fn key(&self) -> Option<&SealingKey> {
        self.key.as_ref()
    }

    /// What the next slip gets.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.last_sequence + 1
    }

    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::Slip(slip) => {
                self.last_sequence = self.last_sequence.max(slip.sequence());
                let place = self.entries.len();
                if self.places.contains_key(&slip.request_id()) {
                    return;
                }
                self.places.insert(slip.request_id(), place);
                self.waiting += 1;
                self.entries.push(Entry {
                    slip,
                    settled: None,
                    last_try: None,
                });
            }
            Record::Settled(answer, at_ms) => {
                let place = self.places.get(&answer.request_id);
                let entry = place.and_then(|place| self.entries.get_mut(*place));
                if let Some(entry) = entry.filter(|entry| entry.settled.is_none()) {
                    entry.settled = Some(Settled { answer, at_ms });
                    entry.last_try = None;
                    self.waiting -= 1;
                }
            }
            Record::Key(key) => self.key = Some(key),
            Record::Sequence(last) => self.last_sequence = self.last_sequence.max(last),
        }
    }

    pub(crate) fn tried(&mut self, request_id: RequestId, why: String) {
        let place = self.places.get(&request_id);
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(*place)) {
            entry.last_try = Some(why);
        }
    }

    /// The records of a journal written anew: everything that waits and the last of what is settled.
    pub(crate) fn essence(&self) -> Vec<Record> {
        let settled = self.entries.len() - self.waiting;
        let mut dropped = settled.saturating_sub(SETTLED_KEPT);
        let mut records = vec![Record::Sequence(self.last_sequence)];
        records.extend(self.key.clone().map(Record::Key));
        for entry in &self.entries {
            if entry.settled.is_some() && dropped > 0 {
                dropped -= 1;
                continue;
            }
            records.push(Record::Slip(entry.slip.clone()));
            let settled = entry.settled.clone();
            records.extend(settled.map(|settled| Record::Settled(settled.answer, settled.at_ms)));
        }
        records
    }
}
