//! One shard in memory, and short ways to say what happens to it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, num::NonZeroU32};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use quorate_core::{
    Overlay,
    checkpoint::{self, ShardSummary},
    codec,
    ledger::{
        self, AdoptRange, Answer, Answerer, Batch, CheckQuery, Claims, Command, CommandBody,
        CommandErrorKind, ListQuery, Outcome, Program, ProgramDraft, Query, RecordOutcome,
        RecordSale, Region, Rule, RuleState, Sale, SaleSite, ShardFacts, SiteProfile, Verdict,
        VoidBy, VoidOutcome, VoidSale, WindowKind,
    },
};
use quorate_proto::{
    ids::{CitizenKey, Epoch, ProgramId, RequestId, RuleId, ShardId, SiteCode, SiteType},
    ring::RingRange,
};

pub(crate) const SHARD: ShardId = ShardId(1);
pub(crate) const EPOCH: Epoch = Epoch(1);
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Monday 9 March 2020, 00:00 in Seoul.
pub(crate) const MONDAY_MS: i64 = 1_583_679_600_000;
/// Wednesday 11 March 2020, 09:00 in Seoul.
pub(crate) const NINE_MS: i64 = MONDAY_MS + 2 * DAY_MS + 9 * 3_600_000;

pub(crate) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
pub(crate) struct Shard {
    pub(crate) rows: Rows,
    pub(crate) now_ms: i64,
}

pub(crate) fn mask() -> ProgramId {
    ProgramId::parse("mask").unwrap()
}

pub(crate) fn request(number: u64) -> RequestId {
    let mut bytes = [0xaa; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    RequestId::from_bytes(bytes).unwrap()
}

pub(crate) fn citizen(number: u64) -> CitizenKey {
    let mut bytes = [0x11; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    CitizenKey::new(bytes)
}

pub(crate) fn site(number: u64) -> SaleSite {
    SaleSite {
        code: SiteCode::parse(&format!("P-{number}")).unwrap(),
        site_type: SiteType::PHARMACY,
        region: Region::new("서울특별시").unwrap(),
    }
}

pub(crate) fn profile(number: u64, name: &str) -> SiteProfile {
    SiteProfile {
        code: site(number).code,
        name: name.to_owned(),
        address: "1 Example-ro".to_owned(),
        site_type: SiteType::PHARMACY,
        coordinates: None,
        region: Region::new("서울특별시").unwrap(),
    }
}

pub(crate) fn rule(id: &str, effective_from_ms: i64, limit: u32, sale_quantity_max: u32) -> Rule {
    Rule {
        id: RuleId::parse(id).unwrap(),
        effective_from_ms,
        limit,
        sale_quantity_max,
        window: WindowKind::CalendarWeek,
        birth_year_limits: Vec::new(),
        rotation: None,
        single_visit: false,
        site_types: Vec::new(),
        proxies: Vec::new(),
        proxy_either_day: false,
        state: RuleState::Active,
        closed: false,
    }
}

pub(crate) fn program(rules: &[Rule], version: u64) -> Program {
    Program::new(draft(rules, version)).unwrap()
}

pub(crate) fn draft(rules: &[Rule], version: u64) -> ProgramDraft {
    ProgramDraft {
        id: mask(),
        time_zone: "Asia/Seoul".to_owned(),
        products: Vec::new(),
        holidays: Vec::new(),
        rules: rules.to_vec(),
        version,
    }
}

/// Born in 1980, with an ID that ends in 7.
pub(crate) const CLAIMS: Claims = Claims {
    birth_year: Some(1980),
    id_digit: Some(7),
};

pub(crate) fn sale(id: u64, who: u64, quantity: u32, at_site: u64) -> CommandBody {
    CommandBody::RecordSale(RecordSale {
        request_id: request(id),
        citizen: citizen(who),
        program: mask(),
        quantity: NonZeroU32::new(quantity).unwrap(),
        product: None,
        site: site(at_site),
        site_suspended: false,
        claims: CLAIMS,
        proxy: None,
    })
}

pub(crate) fn void(id: u64, who: u64, sale_id: u64, at_site: u64) -> CommandBody {
    CommandBody::VoidSale(VoidSale {
        request_id: request(id),
        citizen: citizen(who),
        program: mask(),
        sale_request_id: request(sale_id),
        by: VoidBy::Site(site(at_site).code),
        claims: CLAIMS,
    })
}

impl Shard {
    /// Owns the whole ring since Monday; `limit` a week, `sale_quantity_max` at once; it is Wednesday, nine.
    pub(crate) fn new(limit: u32, sale_quantity_max: u32) -> Self {
        Self::with_rules(&[rule("r1", MONDAY_MS, limit, sale_quantity_max)])
    }

    pub(crate) fn with_rules(rules: &[Rule]) -> Self {
        let mut shard = Self::empty();
        shard.now_ms = MONDAY_MS;
        let adopt = CommandBody::AdoptRange(AdoptRange {
            range: RingRange::FULL,
            epoch: EPOCH,
        });
        let outcomes = shard.batch(vec![adopt, CommandBody::PutProgram(program(rules, 1))]);
        assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
        shard.now_ms = NINE_MS;
        shard
    }

    pub(crate) fn empty() -> Self {
        Self {
            rows: Rows::new(),
            now_ms: NINE_MS,
        }
    }

    /// Applies commands as one batch at `now_ms`, through the bytes that a log would hold.
    pub(crate) fn batch(&mut self, bodies: Vec<CommandBody>) -> Vec<Outcome> {
        let with_epoch = |body| Command {
            epoch: Epoch(0),
            body,
        };
        self.commands(bodies.into_iter().map(with_epoch).collect())
    }

    pub(crate) fn commands(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        let batch = Batch {
            time_ms: self.now_ms,
            commands,
        };
        let logged = codec::decode_batch(&codec::encode_batch(&batch)).unwrap();
        assert_eq!(logged, batch);
        let mut overlay = Overlay::new(&self.rows);
        let outcomes = ledger::apply_batch(&mut overlay, SHARD, &logged).unwrap();
        for (key, value) in overlay.into_writes() {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        outcomes
    }

    pub(crate) fn one(&mut self, body: CommandBody) -> Outcome {
        self.batch(vec![body]).remove(0)
    }

    pub(crate) fn sell(&mut self, id: u64, who: u64, quantity: u32) -> Verdict {
        let outcome = self.one(sale(id, who, quantity, 1));
        let RecordOutcome { verdict, repeated } = recorded(outcome);
        assert!(!repeated);
        verdict
    }

    pub(crate) fn void(&mut self, id: u64, who: u64, sale_id: u64) -> VoidOutcome {
        voided(self.one(void(id, who, sale_id, 1)))
    }

    pub(crate) fn answer(&self, query: &Query) -> Answer {
        let mut answerer = Answerer::new(&self.rows, SHARD).unwrap();
        answerer.answer(query, self.now_ms).unwrap()
    }

    pub(crate) fn check(&self, who: u64, quantity: u32) -> Verdict {
        let query = Query::Check(CheckQuery {
            citizen: citizen(who),
            program: mask(),
            quantity: NonZeroU32::new(quantity).unwrap(),
            product: None,
            site: site(1),
            site_suspended: false,
            claims: CLAIMS,
            proxy: None,
        });
        match self.answer(&query) {
            Answer::Check(verdict) => verdict,
            other => panic!("not a verdict: {other:?}"),
        }
    }

    pub(crate) fn list(&self, who: u64) -> Vec<Sale> {
        let query = Query::List(ListQuery {
            citizen: citizen(who),
            program: mask(),
        });
        match self.answer(&query) {
            Answer::List(sales) => sales,
            other => panic!("not a list: {other:?}"),
        }
    }

    pub(crate) fn facts(&self) -> ShardFacts {
        ledger::facts(&self.rows, SHARD).unwrap()
    }

    pub(crate) fn summary(&self) -> ShardSummary {
        checkpoint::summarize(&self.rows, SHARD).unwrap()
    }
}

pub(crate) fn recorded(outcome: Outcome) -> RecordOutcome {
    match outcome {
        Outcome::Record(record) => record,
        other => panic!("not a sale's outcome: {other:?}"),
    }
}

pub(crate) fn voided(outcome: Outcome) -> VoidOutcome {
    match outcome {
        Outcome::Void(void) => void,
        other => panic!("not a void's outcome: {other:?}"),
    }
}

pub(crate) fn error_kind(outcome: &Outcome) -> CommandErrorKind {
    match outcome {
        Outcome::Error(error) => error.kind,
        other => panic!("not an error: {other:?}"),
    }
}

/// Plays random cases: for each seed, always the same ones. A failure prints the shrunk case.
pub(crate) fn play_random<S: Strategy>(
    seeds: [(u8, u32); 2],
    strategy: &S,
    play: impl Fn(&S::Value),
) {
    for (seed, cases) in seeds {
        let config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
        TestRunner::new_with_rng(config, rng)
            .run(strategy, |case| {
                play(&case);
                Ok(())
            })
            .unwrap();
    }
}
