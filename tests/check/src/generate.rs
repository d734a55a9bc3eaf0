//! Lawful histories, from a seed: an honest cluster in memory that loses some answers on the way.
//!
//! To measure the checker with, and to break in tests. What is generated has everything that a history can have:
//! overlapping calls, unknown outcomes that are resolved, repetitions, voids, corrections, slips (some of a sale
//! that was tried online before), windows that end.

mod cluster;

use quorate_proto::ids::RequestId;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use self::cluster::Cluster;
use crate::{
    facts::Fact,
    history::{Call, History, Record, Reply},
    rules::{Rule, Rules, WindowKind},
};

/// Monday, 9 March 2020, 09:00 in Seoul.
const START_MS: i64 = 1_583_712_000_000;
/// Calls that each citizen gets, on average.
const CALLS_PER_CITIZEN: usize = 20;
/// Citizens that are hot at the same time.
const HOT_CITIZENS: u64 = 8;

/// What is generated.
#[derive(Clone, Debug)]
pub struct Options {
    /// The same seed makes the same history.
    pub seed: u64,
    /// Records, about.
    pub calls: usize,
    /// Played under these.
    pub rules: Rules,
    /// How far the leaders' clock goes on with each call, microseconds.
    pub clock_us: u64,
    /// Data shards.
    pub shards: u32,
}

impl Options {
    /// Ten units a week, four shards; a thousand calls take an eighth of a second.
    #[must_use]
    pub fn new(seed: u64, calls: usize) -> Self {
        Self {
            seed,
            calls,
            rules: Rules::one("Asia/Seoul", Rule::new(10, WindowKind::CalendarWeek)),
            clock_us: 125,
            shards: 4,
        }
    }
}

/// A lawful history.
#[must_use]
pub fn generate(options: &Options) -> History {
    let mut generator = Generator {
        random: StdRng::seed_from_u64(options.seed),
        cluster: Cluster::new(&options.rules, options.shards),
        clock_us: options.clock_us,
        calls: 0,
        open: Vec::new(),
        records: Vec::with_capacity(options.calls),
    };
    let mut citizens = 0;
    while generator.records.len() + generator.open.len() + citizens < options.calls {
        citizens = generator.step();
    }
    generator.finish();
    let born = (0..).take(citizens).map(|citizen| Fact::Born {
        citizen,
        year: cluster::born(citizen),
    });
    let by_birth_year = |rule: &Rule| !rule.birth_year_limits.is_empty();
    let needs_years = options.rules.rules.iter().any(by_birth_year);
    History {
        rules: options.rules.clone(),
        records: generator.records,
        facts: born.filter(|_| needs_years).collect(),
    }
}

struct Generator<'r> {
    random: StdRng,
    cluster: Cluster<'r>,
    clock_us: u64,
    calls: u64,
    /// Without an answer, and when they were made by the leaders' clock.
    open: Vec<(u64, Call, i64)>,
    records: Vec<Record>,
}

impl Generator<'_> {
    /// One call, and perhaps the repetition of an earlier one; how many citizens there are now.
    fn step(&mut self) -> usize {
        let hot = self.calls / CALLS_PER_CITIZEN as u64;
        let citizen = hot + self.random.random_range(0..HOT_CITIZENS);
        let call = self.any_call(citizen);
        let lose = call.request().is_some() && self.random.random_ratio(1, 8);
        self.call(citizen, call, lose);
        if lose {
            self.open.push((citizen, call, self.now_ms()));
        }
        if self.random.random_ratio(1, 6) && !self.open.is_empty() {
            let again = self.random.random_range(0..self.open.len());
            let open = self.open.swap_remove(again);
            self.resolve(open);
        }
        (hot + HOT_CITIZENS) as usize
    }

    fn finish(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.resolve(open);
        }
        self.calls += 2;
        for citizen in self.cluster.citizens() {
            self.call(citizen, Call::List, false);
        }
    }

    /// Sends it again; a sale now and then as a slip, as a counter does that gives up asking.
    fn resolve(&mut self, (citizen, call, made_ms): (u64, Call, i64)) {
        match call {
            Call::Sell { request, quantity } if self.random.random_ratio(1, 4) => {
                let slip = Call::Slip {
                    request,
                    quantity,
                    sold_ms: made_ms,
                };
                self.call(citizen, slip, false);
            }
            call => self.call(citizen, call, false),
        }
    }

    fn any_call(&mut self, citizen: u64) -> Call {
        let request = request(self.calls + 1);
        let quantity = 1 << self.random.random_range(0..4);
        match self.random.random_range(0..20) {
            0..4 => Call::Check { quantity },
            4..6 => Call::List,
            6..8 => match self.cluster.granted(citizen) {
                Some(sale) if self.random.random_ratio(1, 4) => Call::Correct { request, sale },
                // A client undoes only what it was told.
                Some(sale) => Call::Void { request, sale },
                None => Call::Check { quantity },
            },
            8..10 => Call::Slip {
                request,
                quantity,
                sold_ms: self.now_ms() - self.random.random_range(0..100),
            },
            _ => Call::Sell { request, quantity },
        }
    }

    /// Calls overlap: each begins a little before the one before it has ended.
    fn call(&mut self, citizen: u64, call: Call, lose: bool) {
        let start_us = 1_000 * self.calls + 700;
        self.calls += 1;
        let now_ms = self.now_ms();
        let reply = self.cluster.answer(citizen, call, now_ms, lose);
        self.records.push(Record {
            client: (self.calls % 64) as u32,
            start_us,
            end_us: 1_000 * self.calls + 900,
            citizen,
            call,
            reply: match lose {
                true => Reply::Unknown {
                    cause: "connection lost".to_owned(),
                },
                false => reply,
            },
        });
    }

    fn now_ms(&self) -> i64 {
        START_MS + (self.calls * self.clock_us / 1_000) as i64
    }
}

/// A request id from a number, spread like real ones.
pub(crate) fn request(number: u64) -> RequestId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(START_MS as u64 * 65_536 + number).to_be_bytes());
    bytes[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    RequestId::from_bytes(bytes).expect("a time is not nil")
}
