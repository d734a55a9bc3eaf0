//! A gateway that fails as it is told to, with a ledger behind it, and a disk that loses power.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by several test programs, none of which uses all of it"
)]

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use quorate_client::{
    DeviceKey, Outage, ReadError, SignedSlip, TerminalIdentity, WriteError,
    model::{Decision, NationalId, Position, Recorded, Sale, SlipAnswer, SlipOutcome, Verdict},
};
use quorate_link::{Env, SealingKey, SealingSecret};
use quorate_proto::ids::{DeviceId, ProgramId, RequestId, SiteCode};
use quorate_terminal::{Online, file::JournalFile};

pub const NUMBER: &str = "900101-1234568";

pub fn sale() -> Sale {
    let citizen = NationalId::new(NationalId::KR_RRN, NUMBER);
    Sale::new(citizen, ProgramId::parse("mask").unwrap(), 2)
}

pub fn request_id(number: u8) -> RequestId {
    RequestId::from_bytes([number; 16]).unwrap()
}

pub fn identity() -> TerminalIdentity {
    TerminalIdentity {
        site: SiteCode::parse("P-0001").unwrap(),
        device: DeviceId::parse("till-1").unwrap(),
        key: DeviceKey::from_seed(&[5; 32]),
    }
}

pub fn sealing_key() -> SealingKey {
    SealingSecret::from_bytes(&[6; 32]).public().clone()
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It is carried out and answered.
    Fine,
    /// Nobody is reached.
    Down,
    /// It is lost on the way there; nobody can tell.
    LostThere,
    /// It is carried out and the answer is lost.
    LostBack,
    /// It is answered: not now.
    NotDecided,
}

/// The gateway and what it recorded: how often each sale was.
#[derive(Clone)]
pub struct Ledger {
    pub identity: TerminalIdentity,
    pub weather: Arc<Mutex<Weather>>,
    pub recorded: Arc<Mutex<BTreeMap<RequestId, u32>>>,
    /// Slips as they came, with repetitions.
    pub handed_in: Arc<Mutex<Vec<SignedSlip>>>,
    pub key: Option<SealingKey>,
    /// What is said of slips that are new.
    pub outcome: Arc<Mutex<SlipOutcome>>,
    pub patience: Arc<Mutex<Vec<Duration>>>,
}

impl Ledger {
    pub fn new() -> Self {
        Self {
            identity: identity(),
            weather: Arc::new(Mutex::new(Weather::Fine)),
            recorded: Arc::default(),
            handed_in: Arc::default(),
            key: Some(sealing_key()),
            outcome: Arc::new(Mutex::new(SlipOutcome::Accepted)),
            patience: Arc::default(),
        }
    }

    pub fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// True if it is new.
    fn record_once(&self, request_id: RequestId) -> bool {
        let mut recorded = self.recorded.lock().unwrap();
        let new = !recorded.contains_key(&request_id);
        recorded.entry(request_id).or_insert(1);
        new
    }
}

fn outage() -> Outage {
    Outage {
        reason: None,
        message: "nobody answers".to_owned(),
        attempts: 1,
        retry_after: None,
    }
}

impl Online for Ledger {
    fn identity(&self) -> &TerminalIdentity {
        &self.identity
    }

    fn sealing_key(&self) -> Option<SealingKey> {
        self.key.clone()
    }

    async fn record(
        &self,
        request_id: RequestId,
        _: &Sale,
        time_limit: Duration,
    ) -> Result<Recorded, WriteError> {
        self.patience.lock().unwrap().push(time_limit);
        let unknown = WriteError::OutcomeUnknown {
            request_id,
            cause: "the line went dead".to_owned(),
        };
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Down => return Err(WriteError::Unavailable(outage())),
            Weather::LostThere | Weather::NotDecided => return Err(unknown),
            Weather::Fine | Weather::LostBack => {}
        }
        let new = self.record_once(request_id);
        if weather == Weather::LostBack {
            return Err(unknown);
        }
        Ok(Recorded {
            request_id,
            repeated_answer: !new,
            verdict: granted(),
        })
    }

    async fn hand_in(
        &self,
        slips: &[SignedSlip],
        _: Duration,
        answered: &mut (dyn FnMut(SlipAnswer) + Send),
    ) -> Result<(), ReadError> {
        let weather = *self.weather.lock().unwrap();
        if matches!(weather, Weather::Down | Weather::LostThere) {
            return Err(ReadError::Unavailable(outage()));
        }
        // In any order: here the newest first.
        for slip in slips.iter().rev() {
            let decided = weather != Weather::NotDecided;
            let outcome = match decided {
                false => SlipOutcome::NotDecided,
                true => {
                    self.handed_in.lock().unwrap().push(slip.clone());
                    match self.record_once(slip.request_id()) {
                        true => *self.outcome.lock().unwrap(),
                        false => SlipOutcome::Duplicate,
                    }
                }
            };
            if weather == Weather::LostBack {
                return Err(ReadError::Unavailable(outage()));
            }
            answered(SlipAnswer {
                request_id: slip.request_id(),
                sequence: slip.sequence(),
                outcome,
                irregularity: None,
                over_by: 0,
                remaining: 0,
                detail: "in words".to_owned(),
                warnings: Vec::new(),
                position: None,
            });
        }
        Ok(())
    }
}

fn granted() -> Verdict {
    let at = jiff::Timestamp::UNIX_EPOCH;
    Verdict {
        decision: Decision::Granted,
        remaining: 0,
        limit: 2,
        next_eligible: None,
        window: None,
        rule_version: "r1".to_owned(),
        decided_at: at,
        purchases: Vec::new(),
        position: Position {
            shard: 1,
            term: 1,
            log_index: 1,
            ordinal: 0,
        },
        warnings: Vec::new(),
    }
}

/// A disk: what is durable, what is not yet, and the operation at which the power goes.
#[derive(Clone, Default)]
pub struct Disk {
    state: Arc<Mutex<DiskState>>,
}

#[derive(Default)]
struct DiskState {
    durable: Vec<u8>,
    /// Everything, as a running program sees it.
    seen: Vec<u8>,
    operations: usize,
    fails_at: Option<usize>,
    off: bool,
}

impl Disk {
    /// The power goes in the middle of this operation, counted from 0.
    pub fn fail_at(&self, operation: usize) {
        let mut state = self.state.lock().unwrap();
        (state.operations, state.fails_at) = (0, Some(operation));
    }

    pub fn operations(&self) -> usize {
        self.state.lock().unwrap().operations
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Power comes back. Of what was not synced, the first `survives` bytes are there.
    pub fn power_on(&self, survives: usize) {
        let mut state = self.state.lock().unwrap();
        if state.seen.len() > state.durable.len() && state.seen.starts_with(&state.durable) {
            let end = state.seen.len().min(state.durable.len() + survives);
            state.durable = state.seen[..end].to_vec();
        }
        state.seen = state.durable.clone();
        (state.off, state.fails_at) = (false, None);
    }
}

impl DiskState {
    /// Counts an operation; false: the power is off, or goes in the middle of this one.
    fn on(&mut self) -> bool {
        self.off |= self.fails_at == Some(self.operations);
        self.operations += 1;
        !self.off
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

impl JournalFile for Disk {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let state = self.state.lock().unwrap();
        if state.off {
            Err(off())
        } else {
            Ok(state.seen.clone())
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let was_off = state.off;
        let on = state.on();
        if !was_off {
            state.seen.extend_from_slice(bytes);
        }
        if on { Ok(()) } else { Err(off()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if !state.on() {
            return Err(off());
        }
        state.durable = state.seen.clone();
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if !state.on() {
            return Err(off());
        }
        state.seen.truncate(length as usize);
        state.durable = state.seen.clone();
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        // Cut in the middle: the old bytes are there, as `rename` promises.
        if !state.on() {
            return Err(off());
        }
        state.seen = bytes.to_vec();
        state.durable = bytes.to_vec();
        Ok(())
    }
}

pub fn env() -> Env {
    Env::system()
}
