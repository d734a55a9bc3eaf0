//! Answers questions. Nothing is written.

use std::collections::{BTreeMap, btree_map::Entry};

use quorate_proto::ids::{CitizenKey, ProgramId, ShardId, SiteCode, SiteKey};

use super::{
    account::Account,
    batch::check_owner,
    history,
    judge::Asked,
    lists,
    outcome::{Answer, CommandError, DeviceAnswer, Verdict},
    query::{CheckQuery, DeviceQuery, Query, StockQuery},
    record::{Sale, ShardFacts},
    report,
    sale::{Decision, decide, listed_product, unknown_program},
    shown::shown_site,
    state::{self, KnownProgram},
};
use crate::{error::CoreError, keys, view::View};

/// Answers questions at one point of a shard's state: what they have in common is read once.
pub struct Answerer<'v> {
    view: &'v dyn View,
    shard: ShardId,
    facts: ShardFacts,
    /// Those that were asked for; `None`: unknown here.
    programs: BTreeMap<ProgramId, Option<KnownProgram>>,
}

impl<'v> Answerer<'v> {
    /// Looks at a shard.
    ///
    /// # Errors
    /// The state cannot be read, or is damaged.
    pub fn new(view: &'v dyn View, shard: ShardId) -> Result<Self, CoreError> {
        Ok(Self {
            view,
            shard,
            facts: state::facts(view, shard)?,
            programs: BTreeMap::new(),
        })
    }

    /// Answers a question at `now_ms`, Unix milliseconds, or at the shard's clock if that is later.
    ///
    /// # Errors
    /// The state cannot be read, is damaged, or the time is beyond the calendar.
    pub fn answer(&mut self, query: &Query, now_ms: i64) -> Result<Answer, CoreError> {
        let (view, shard) = (self.view, self.shard);
        let now_ms = now_ms.max(self.facts.clock_ms);
        let answer = match query {
            Query::Check(query) => self.check(query, now_ms)?.map(Answer::Check),
            Query::List(query) => {
                let opened = self.open(&query.citizen, &query.program, now_ms)?;
                opened.map(|(account, _)| Answer::List(newest_first(&account)))
            }
            Query::Device(query) => device(view, &self.facts, query)?.map(Answer::Device),
            Query::Daily(query) => Ok(Answer::Daily(report::daily(view, shard, query)?)),
            Query::Shadow(query) => {
                let counts = report::shadows(view, shard, &query.program)?;
                Ok(Answer::Shadow(counts))
            }
            Query::Stock(query) => stock(view, &self.facts, query, now_ms)?,
            Query::SiteSales(query) => match check_site(&self.facts, &query.site_code) {
                Ok(_) => Ok(Answer::SiteSales(lists::site_sales(view, query)?)),
                Err(error) => Err(error),
            },
            Query::OverQuota(query) => {
                let rows = lists::over_quota(view, &self.facts, query)?;
                Ok(Answer::OverQuota(rows))
            }
        };
        Ok(answer.unwrap_or_else(Answer::Error))
    }

    fn check(
        &mut self,
        query: &CheckQuery,
        now_ms: i64,
    ) -> Result<Result<Verdict, CommandError>, CoreError> {
        let (account, known) = match self.open(&query.citizen, &query.program, now_ms)? {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let KnownProgram { program, calendar } = known;
        if let Err(error) = listed_product(program, query.product) {
            return Ok(Err(error));
        }
        let asked = Asked {
            claims: query.claims,
            site_type: query.site.site_type,
            site_suspended: query.site_suspended,
            proxy: query.proxy,
            quantity: query.quantity.get(),
        };
        let decided = decide(&account, &account.bought(), program, calendar, &asked)?;
        Ok(decided.map(|decision| verdict(&account, &decision)))
    }

    /// The record and the program, if both are this shard's.
    fn open(
        &mut self,
        citizen: &CitizenKey,
        id: &ProgramId,
        now_ms: i64,
    ) -> Result<Result<(Account, &mut KnownProgram), CommandError>, CoreError> {
        if let Err(error) = check_owner(&self.facts, citizen.position()) {
            return Ok(Err(error));
        }
        let known = match self.programs.entry(*id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(state::load_program(self.view, self.shard, id)?),
        };
        let Some(known) = known else {
            return Ok(Err(unknown_program(id)));
        };
        let account = state::load_account(self.view, &keys::citizen(citizen, id), now_ms)?;
        Ok(Ok((account, known)))
    }
}

fn stock(
    view: &dyn View,
    facts: &ShardFacts,
    query: &StockQuery,
    now_ms: i64,
) -> Result<Result<Answer, CommandError>, CoreError> {
    match check_site(facts, &query.site_code) {
        Ok(site) => {
            let site = shown_site(view, &site)?;
            Ok(Ok(Answer::Stock { site, now_ms }))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The key of a site, if it is this shard's.
fn check_site(facts: &ShardFacts, code: &SiteCode) -> Result<SiteKey, CommandError> {
    let site = SiteKey::of(code);
    check_owner(facts, site.position()).map(|()| site)
}

/// What a check says: nothing was taken off.
fn verdict(account: &Account, decision: &Decision<'_>) -> Verdict {
    Verdict {
        denied: decision.result.err(),
        remaining: decision.judged.remaining,
        limit: decision.judged.limit,
        next_eligible_ms: decision.next_eligible_ms,
        window: decision.judged.window,
        rule: decision.judged.rule.map(|rule| rule.id),
        decided_at_ms: decision.decided_at_ms,
        purchases: decision.judged.window.map_or_else(Vec::new, |window| {
            history::purchases_now(&account.record, window)
        }),
    }
}

fn newest_first(account: &Account) -> Vec<Sale> {
    let mut sales: Vec<_> = account.live_sales().iter().rev().cloned().collect();
    history::newest_first(&mut sales);
    sales
}

fn device(
    view: &dyn View,
    facts: &ShardFacts,
    query: &DeviceQuery,
) -> Result<Result<DeviceAnswer, CommandError>, CoreError> {
    if let Err(error) = check_owner(facts, SiteKey::of(&query.site_code).position()) {
        return Ok(Err(error));
    }
    let site = state::load_site(view, &keys::site(&query.site_code))?;
    let device = site.as_ref().and_then(|site| site.device(query.device_id));
    Ok(Ok(DeviceAnswer {
        public_key: device.map(|device| device.public_key),
        site: site.map(|site| site.profile),
    }))
}
