//! The counters of a replay: one task a site goes through its stages on the cluster's clock.
//!
//! Laws: nothing is done before its time; the act that changes a level waits for every buyer before it. A
//! site that cannot keep up is late, and the comparison says so. Deliberately absent: what the public sees.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use indicatif::ProgressBar;
use jiff::{civil::DateTime, tz::TimeZone};
use quorate_client::{
    Terminal,
    model::{Adjustment, AdjustmentReason, Decision, NationalId, Sale},
    new_request_id,
};
use quorate_link::Env;
use quorate_proto::ids::{ProgramId, SiteCode};

use super::{
    clock::ClusterClock,
    crowd::Crowd,
    plan::{Act, Plan, Stage, UNITS_A_BUYER},
};
use crate::{exit::Failure, time::Span};

/// Buyers served at one counter at the same time. On a fast clock the gap between two levels of some
/// minutes is a fraction of a second.
const BUYERS_AT_ONCE: usize = 16;

/// A sale that has not left its shelf by then is late, and the comparison will say so.
const SHELF_TIME_MAX: Duration = Duration::from_secs(5);
const SHELF_POLL: Duration = Duration::from_millis(5);

/// Where a replay is played.
pub(super) struct Counters {
    pub(super) terminals: BTreeMap<SiteCode, Terminal>,
    pub(super) clock: ClusterClock,
    pub(super) zone: TimeZone,
    pub(super) program: ProgramId,
    pub(super) crowd: Mutex<Crowd>,
    /// Real time at which the replay began, on the clock of `env`.
    pub(super) began: Duration,
    /// For one call, retries included.
    pub(super) time_limit: Span,
    pub(super) env: Env,
}

impl Counters {
    /// Goes through the whole plan.
    ///
    /// # Errors
    /// A call was not answered, or a buyer was denied.
    pub(super) async fn play(&self, plan: &Plan, progress: &ProgressBar) -> Result<(), Failure> {
        let sites = plan
            .iter()
            .map(|(site, stages)| self.play_site(*site, stages, progress));
        try_join_all(sites).await.map(|_| ())
    }

    async fn play_site(
        &self,
        site: SiteCode,
        stages: &[Stage],
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        let terminal = self
            .terminals
            .get(&site)
            .expect("every site of the plan has a terminal");
        let mut on_hand = 0;
        for stage in stages {
            stream::iter(&stage.buyers)
                .map(|at| async move {
                    self.until(*at).await;
                    self.sell(terminal, *at).await
                })
                .buffer_unordered(BUYERS_AT_ONCE)
                .try_collect::<()>()
                .await?;
            let at = stage.transition.at;
            self.until(at).await;
            on_hand -= stage.buyers.len() as i64 * i64::from(UNITS_A_BUYER);
            for act in &stage.acts {
                if matches!(act, Act::Resume | Act::Miss(_)) {
                    self.await_on_hand(terminal, on_hand).await?;
                }
                self.act(terminal, *act, at).await?;
                on_hand += act.units();
            }
            progress.inc(1);
        }
        Ok(())
    }

    /// Waits until every sale of a site has left its shelf: who resumes a sale, or counts, earlier shows
    /// a level that never was.
    async fn await_on_hand(&self, terminal: &Terminal, on_hand: i64) -> Result<(), Failure> {
        let give_up = self.env.monotonic() + SHELF_TIME_MAX;
        while self.env.monotonic() < give_up {
            let stock = terminal.stock(self.time_limit).await?;
            if stock
                .products
                .iter()
                .any(|product| product.on_hand == on_hand)
            {
                break;
            }
            self.env.sleep(SHELF_POLL).await;
        }
        Ok(())
    }

    /// Waits for a local time of the cluster; not at all if it is over.
    async fn until(&self, at: DateTime) {
        let now = self.env.monotonic().saturating_sub(self.began);
        let due = self.due(at).unwrap_or(now);
        self.env.sleep(due.saturating_sub(now)).await;
    }

    /// Real time since the replay began at which the cluster's clock shows this local time.
    pub(super) fn due(&self, at: DateTime) -> Option<Duration> {
        let at = at.to_zoned(self.zone.clone()).ok()?;
        self.clock.due(at.timestamp())
    }

    async fn act(&self, terminal: &Terminal, act: Act, at: DateTime) -> Result<(), Failure> {
        let (request_id, limit) = (new_request_id(&self.env), self.time_limit);
        match act {
            Act::Sell => return self.sell(terminal, at).await,
            Act::Receive(units) => {
                terminal
                    .receive_stock(request_id, None, units, limit)
                    .await?;
            }
            Act::Miss(units) => {
                let counted = Adjustment {
                    product: None,
                    delta: -i32::try_from(units).expect("a day's goods are few"),
                    reason: AdjustmentReason::Counted,
                    note: String::new(),
                };
                terminal.adjust_stock(request_id, &counted, limit).await?;
            }
            Act::Stop => {
                terminal.stop_sales(request_id, None, limit).await?;
            }
            Act::Resume => {
                terminal.resume_sales(request_id, None, limit).await?;
            }
        }
        Ok(())
    }

    async fn sell(&self, terminal: &Terminal, at: DateTime) -> Result<(), Failure> {
        let buyer = self
            .crowd
            .lock()
            .expect("nobody panics while a buyer is chosen")
            .buyer(at.date());
        let buyer = NationalId::new(NationalId::KR_RRN, buyer);
        let sale = Sale::new(buyer, self.program, UNITS_A_BUYER);
        let request_id = new_request_id(&self.env);
        let recorded = terminal.record(request_id, &sale, self.time_limit).await?;
        match recorded.verdict.decision {
            Decision::Granted => Ok(()),
            Decision::Denied(reason) => Err(Failure::unexpected(format!(
                "a buyer at site {} was denied at {at}: {}",
                terminal.site(),
                reason.name()
            ))
            .next("is the program of March 2020 in force on this cluster?")),
        }
    }
}
