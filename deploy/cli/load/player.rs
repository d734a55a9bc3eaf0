//! Playing a load: workers, their clients, and what each of them asks.
//!
//! A worker is one task that drives many clients; a generator has one worker a thread. State owned by a
//! worker: its tally and the sales whose outcome it does not know. Law: at the end every such sale has been
//! sent again, with its own id, until its outcome was known or the time for that was up.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::{StreamExt as _, stream, stream::FuturesUnordered};
use indicatif::ProgressBar;
use tokio::sync::oneshot;

use super::{
    DURATION_DEFAULT, LoadArgs, Profile,
    audit::audit,
    buyer::Buyer,
    doubt::{self, Doubt},
    history::HistoryFile,
    pace::{Arrival, Feed, Schedule},
    plan::{Act, Order, Plan},
    processor_time,
    stage::Stage,
    tally::Tally,
};
use crate::{exit::Failure, progress, reach::Reach};

/// Requests of an open loop that may be under way; more would only measure this machine's memory.
const IN_FLIGHT_MAX: usize = 20_000;

/// A client of a closed loop that got no answer asks again after this long, as a clerk would.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// How often the display is brought up to date.
const DISPLAY_INTERVAL: Duration = Duration::from_millis(200);

/// What came of it.
pub(super) struct Played {
    pub(super) tally: Tally,
    /// Measured time.
    pub(super) elapsed: Duration,
    /// Processor time of the generator, warm-up included.
    pub(super) processor: Duration,
    /// From the start of the warm-up.
    pub(super) wall: Duration,
    pub(super) retries: u64,
    /// Sales whose outcome is still unknown.
    pub(super) unresolved: usize,
}

pub(super) struct Worker {
    pub(super) stage: Arc<Stage>,
    feed: Arc<Feed>,
    pub(super) history: Option<Arc<HistoryFile>>,
    measured_from: Duration,
    closed: bool,
    tally: Mutex<Tally>,
    doubts: Mutex<Vec<Doubt>>,
}

pub(super) async fn play(
    args: &LoadArgs,
    plan: Box<dyn Plan>,
    calls: Option<u64>,
    stage: Arc<Stage>,
    reach: &Reach,
) -> Result<Played, Failure> {
    let env = &reach.env;
    let history = history(args, &stage, reach).await?;
    let start = env.monotonic();
    let measured_from = start + args.warmup.unwrap_or_default();
    let duration = match args.profile {
        Profile::Steady if args.count.is_none() => Some(args.duration.unwrap_or(DURATION_DEFAULT)),
        _ => args.duration,
    };
    let feed = Arc::new(Feed::new(
        plan,
        Schedule {
            start,
            end: duration.map(|duration| measured_from + duration),
            arrivals_max: args.count.map(std::num::NonZeroU64::get),
            rate: args.rate,
        },
    ));
    let processor_before = processor_time();
    let bar = match calls {
        Some(calls) => progress::counter("requests", calls, reach.output),
        None => progress::ticker("requests", reach.output),
    };
    let display = env.spawn("load-display", display(bar.clone(), stage.clone()));
    let on_interrupt = env.spawn("load-interrupt", stop_on_interrupt(stage.clone()));
    let mut ends = Vec::new();
    for number in 0..u64::from(args.threads) {
        let worker = Worker {
            stage: stage.clone(),
            feed: feed.clone(),
            history: history.clone(),
            measured_from,
            closed: args.rate.is_none(),
            tally: Mutex::new(Tally::new()),
            doubts: Mutex::new(Vec::new()),
        };
        let clients = (number..u64::from(args.clients)).step_by(usize::from(args.threads));
        let (end, ended) = oneshot::channel();
        drop(env.spawn("load-worker", async move {
            let _nobody_waits = end.send(worker.run(clients).await);
        }));
        ends.push(ended);
    }
    let mut tally = Tally::new();
    let mut doubts = Vec::new();
    for ended in ends {
        let (its_tally, its_doubts) = ended
            .await
            .map_err(|_| Failure::unexpected("a worker of the load generator was lost"))?;
        tally.merge(&its_tally);
        doubts.extend(its_doubts);
    }
    let end = env.monotonic();
    let processor = processor_time().saturating_sub(processor_before);
    display.abort();
    on_interrupt.abort();
    bar.finish_and_clear();
    let unresolved = doubt::resolve(doubts, &stage, history.as_deref(), &mut tally, reach).await;
    if let Some(history) = &history {
        audit(history, &stage, reach).await?;
    }
    finish_history(history)?;
    Ok(Played {
        tally,
        elapsed: end.saturating_sub(measured_from),
        processor,
        wall: end.saturating_sub(start),
        retries: stage.retries(),
        unresolved,
    })
}

impl Worker {
    async fn run(self, clients: impl Iterator<Item = u64>) -> (Tally, Vec<Doubt>) {
        if self.closed {
            let clients: FuturesUnordered<_> =
                clients.map(|client| self.closed_loop(client)).collect();
            clients.collect::<()>().await;
        } else {
            self.open_loop().await;
        }
        (
            self.tally
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            self.doubts
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    async fn closed_loop(&self, client: u64) {
        while let Some(arrival) = self.next() {
            self.serve(arrival, client).await;
        }
    }

    async fn open_loop(&self) {
        let arrivals = stream::unfold((), |()| async {
            let arrival = self.next()?;
            let early = arrival
                .due
                .map_or(Duration::ZERO, |due| due.saturating_sub(self.now()));
            if !early.is_zero() {
                self.stage.env.sleep(early).await;
            }
            Some((arrival, ()))
        });
        arrivals
            .for_each_concurrent(IN_FLIGHT_MAX, |arrival| {
                let client = arrival.number;
                self.serve(arrival, client)
            })
            .await;
    }

    fn next(&self) -> Option<Arrival> {
        if self.stage.stopped.load(Relaxed) {
            return None;
        }
        self.feed.next(self.now())
    }

    pub(super) fn now(&self) -> Duration {
        self.stage.env.monotonic()
    }

    /// One visit, order by order. Only the first can have been due before it was sent.
    async fn serve(&self, arrival: Arrival, client: u64) {
        let site = arrival.visit.site;
        let terminal = self.stage.terminal(site, client);
        let mut due = arrival.due;
        for order in arrival.visit.orders {
            let start = due.take().unwrap_or_else(|| self.now());
            let buyer = Buyer {
                worker: self,
                terminal: &terminal,
                client,
                site,
                order,
            };
            let answered = match order.act {
                Act::Check => buyer.check(start).await,
                Act::Sell => buyer.sell(start).await.is_some(),
                Act::CheckThenSell => {
                    buyer.check(start).await;
                    buyer.sell(self.now()).await.is_some()
                }
                Act::SellTwice => match buyer.sell(start).await {
                    Some((request_id, verdict)) => {
                        buyer.sell_again(request_id, &verdict).await;
                        true
                    }
                    None => false,
                },
            };
            if !answered && self.closed {
                self.stage.env.sleep(PAUSE_AFTER_FAILURE).await;
            }
        }
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut tally);
        self.stage.calls.fetch_add(1, Relaxed);
    }

    /// A sale to be asked for again at the end.
    pub(super) fn doubt(&self, doubt: Doubt) {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.push(doubt);
    }

    /// How long a call took, if it lies in the measured time.
    pub(super) fn latency(&self, start: Duration, end: Duration) -> Option<Duration> {
        (start >= self.measured_from).then(|| end.saturating_sub(start))
    }
}

/// The history begins with the rule that the run is played under, so somebody is checked first.
async fn history(
    args: &LoadArgs,
    stage: &Stage,
    reach: &Reach,
) -> Result<Option<Arc<HistoryFile>>, Failure> {
    let Some(path) = &args.history else {
        return Ok(None);
    };
    let anybody = Order {
        person: 0,
        quantity: 1,
        act: Act::Check,
    };
    let verdict = stage
        .any_terminal(0)
        .check(&stage.sale(anybody), reach.time_limit)
        .await?;
    let limit = verdict.limit;
    let file = HistoryFile::create(path, limit, reach.env.monotonic());
    let file =
        file.map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))?;
    Ok(Some(Arc::new(file)))
}

fn finish_history(history: Option<Arc<HistoryFile>>) -> Result<(), Failure> {
    let Some(history) = history else {
        return Ok(());
    };
    let history = Arc::into_inner(history).expect("the workers have ended");
    history
        .finish()
        .map_err(|error| Failure::unexpected(format!("the history is incomplete: {error}")))
}

async fn display(bar: ProgressBar, stage: Arc<Stage>) {
    loop {
        bar.set_position(stage.calls.load(Relaxed));
        stage.env.sleep(DISPLAY_INTERVAL).await;
    }
}

/// The first interrupt ends the load in good order, with its report.
async fn stop_on_interrupt(stage: Arc<Stage>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        stage.stopped.store(true, Relaxed);
    }
}
