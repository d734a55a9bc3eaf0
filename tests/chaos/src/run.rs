//! A run: rounds of steps on one cluster. A step waits for calm, strikes, holds, heals, and watches until
//! everything is as before; a round ends with the judgement of everything that its clients saw.

use std::{
    collections::BTreeSet,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use quorate_harness::{
    checker::{Report as Judged, facts::Totals},
    cluster::ClusterOptions,
    history::{History, Record},
    judge::judge_round,
    shelves::Shelves,
    workload::{Workload, WorkloadOptions},
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    faults::{self, Wound},
    goodput::{self, Goodput},
    kind::HEALS_LAST,
    means::Means,
    others::{self, Struck},
    report::{RunReport, StepReport},
    schedule::{Schedule, Step},
    stage::Stage,
};

/// Before each step: for the rate that is compared with.
const CALM: Duration = Duration::from_secs(3);
/// Grants that show that a workload is under way.
const FIRST_GRANTS: u64 = 200;
const FIRST_GRANTS_MAX: Duration = Duration::from_secs(60);
/// So long a fill may take, by far.
const FILL_TIME_MAX: Duration = Duration::from_secs(3600);
/// For so long a process that was started amid wrong clocks, slow disks or cut links has them.
const WRONG_FROM_THE_START: Duration = Duration::from_secs(2);
/// Goodput that is not back after this long counts as back then, far beyond the bar.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// The population of a round, and where its probers find theirs.
const CITIZENS_PER_ROUND: u64 = 100_000;
const FIRST_PROBED: u64 = 150_000_000;
const PROBED_PER_ROUND: u64 = 10_000;
/// Where a fill finds its citizens.
const FIRST_FILLED: u64 = 100_000_000;

/// What a run shall be.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Of the cluster.
    pub cluster: ClusterOptions,
    /// Where its files go.
    pub directory: PathBuf,
    /// What the machine permits.
    pub means: Means,
    /// Derives everything that is chosen.
    pub seed: u64,
    /// No step begins after this long.
    pub duration: Duration,
    /// No more steps than this.
    pub steps_max: usize,
    /// Somebody wants no further step.
    pub asked_to_end: Arc<AtomicBool>,
    /// Steps after which everything is judged.
    pub steps_per_round: usize,
    /// Clients of the workload.
    pub clients: u32,
    /// From one call of each to its next, on average.
    pub interval: Duration,
    /// After the end of each fault goodput is watched at least so long, and until the cluster is whole.
    pub watch: Duration,
    /// Sales that are made at full speed before the first fault: nodes then have something to lose, to replay
    /// and to send.
    pub fill: u64,
}

/// Runs the schedule; `tell` hears of each step and each round.
///
/// # Errors
/// A promise was broken, a fault did not strike, or the cluster did not come back. The cluster's files are kept.
pub async fn run(
    options: &RunOptions,
    schedule: &mut Schedule,
    report: &mut RunReport,
    tell: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let directory = options.directory.clone();
    let stage = Stage::start(
        options.cluster.clone(),
        &options.means,
        directory,
        options.seed,
    );
    let mut stage = stage.await?;
    let begun = stage.env().monotonic();
    let done = rounds(&mut stage, options, schedule, report, tell).await;
    report.seconds = (stage.env().monotonic() - begun).as_secs();
    report.power_cuts = stage.power_cuts;
    done.map_err(|error| {
        let kept = stage.cluster.keep();
        let disks = match stage.volumes.is_empty() {
            true => "",
            false => ", the nodes' disks as chaos/node-*.img",
        };
        error.context(format!("everything is kept in {}{disks}", kept.display()))
    })
}

async fn rounds(
    stage: &mut Stage,
    options: &RunOptions,
    schedule: &mut Schedule,
    report: &mut RunReport,
    tell: &mut dyn FnMut(&str),
) -> anyhow::Result<()> {
    let env = stage.env();
    let begun = env.monotonic();
    let mut ledger = Ledger {
        shelves: Some(Shelves::stock_up(&stage.cluster).await?),
        ..Ledger::default()
    };
    if options.fill > 0 {
        let history = fill(stage, options)
            .await
            .context("before the first fault")?;
        let sold = history.records.iter();
        let sold = sold.filter(|record| record.call.request().is_some());
        ledger.sold = sold.cloned().collect();
        let judged = ledger.judge(stage, history, report).await;
        tell(&format!(
            "filled: {}",
            judged.context("before the first fault")?
        ));
    }
    let over = |steps: usize| {
        let time_is_up = env.monotonic() > begun + options.duration;
        steps >= options.steps_max || time_is_up || options.asked_to_end.load(Ordering::Relaxed)
    };
    for number in 0.. {
        let first = report.steps.len();
        let mut round = Round::begin(stage, options, number).await?;
        for _ in 0..options.steps_per_round {
            let Some(step) = schedule.next().filter(|_| !over(report.steps.len())) else {
                break;
            };
            let done = round.step(stage, &step, report.steps.len()).await;
            let number = report.steps.len() + 1;
            let done = done.with_context(|| format!("step {number}: {:?}", step.kinds))?;
            tell(&format!("step {number}: {}", done.line()));
            report.steps.push(done);
        }
        let judged = round.end(stage, &mut ledger, report).await;
        let judged = judged.with_context(|| format!("round {}", number + 1))?;
        let kept = report.steps.iter().skip(first);
        let kept = kept.filter_map(|step| step.others_kept_percent).min();
        let kept = kept.map_or(String::new(), |kept| {
            format!("; shards that were not struck kept {kept} % or more")
        });
        tell(&format!("round {}: {judged}{kept}", number + 1));
        if over(report.steps.len()) {
            break;
        }
    }
    Ok(())
}

/// A round without faults and without rests.
async fn fill(stage: &Stage, options: &RunOptions) -> anyhow::Result<History> {
    let workload = Workload::start(
        &stage.cluster,
        WorkloadOptions {
            clients: options.clients,
            interval: Duration::ZERO,
            first_citizen: FIRST_FILLED,
            ..WorkloadOptions::with_slips(options.seed)
        },
    )?;
    workload.await_grants(options.fill, FILL_TIME_MAX).await?;
    workload.finish().await
}

/// What the cluster has been held to so far.
#[derive(Default)]
struct Ledger {
    counted: Totals,
    /// Judged once, after the first round with faults: they are read whole, and grow with every sale.
    shelves: Option<Shelves>,
    /// Sales from before that round.
    sold: Vec<Record>,
}

impl Ledger {
    /// Holds the cluster to everything that clients saw since this was asked last.
    async fn judge(
        &mut self,
        stage: &Stage,
        history: History,
        report: &mut RunReport,
    ) -> anyhow::Result<Judged> {
        let repeated = history
            .records
            .iter()
            .filter(|record| record.reply.repeated());
        let repeated = repeated.count() as u64;
        let (judged, counted) = judge_round(&stage.cluster, history, self.counted).await?;
        self.counted = counted;
        report.judged(&judged, repeated);
        Ok(judged)
    }

    /// Holds every site to all that was sold there, if nobody has yet.
    async fn judge_shelves(&mut self, stage: &Stage, history: &History) -> anyhow::Result<()> {
        let Some(shelves) = self.shelves.take() else {
            return Ok(());
        };
        let mut sold = std::mem::take(&mut self.sold);
        sold.extend(history.records.iter().cloned());
        stage.cluster.await_whole().await?;
        let everything = History::new(history.rules.clone(), sold);
        shelves.judge(&stage.cluster, &everything).await
    }
}

/// Some steps under one workload.
struct Round {
    workload: Workload,
    goodput: Goodput,
    /// When its history began.
    begun: Duration,
    interval: Duration,
    watch: Duration,
    /// Calls a second that its clients make.
    asked: f64,
    /// The rate before each of its steps.
    rates: Vec<f64>,
    /// Steps whose effect on others is told by the history.
    struck: Vec<Struck>,
}

impl Round {
    async fn begin(stage: &mut Stage, options: &RunOptions, number: u64) -> anyhow::Result<Self> {
        let begun = stage.env().monotonic();
        let workload = Workload::start(
            &stage.cluster,
            WorkloadOptions {
                clients: options.clients,
                interval: options.interval,
                first_citizen: number * CITIZENS_PER_ROUND,
                ..WorkloadOptions::with_slips(options.seed.wrapping_add(number))
            },
        )?;
        let first = FIRST_PROBED + number * PROBED_PER_ROUND;
        let (recorder, clients) = (workload.recorder(), options.clients);
        let prepared = stage
            .probes
            .prepare(&stage.cluster, recorder, first, clients);
        prepared.await?;
        workload
            .await_grants(FIRST_GRANTS, FIRST_GRANTS_MAX)
            .await?;
        Ok(Self {
            goodput: Goodput::watch(stage.env(), workload.answers()),
            workload,
            begun,
            interval: options.interval,
            watch: options.watch,
            asked: f64::from(options.clients) / options.interval.as_secs_f64(),
            rates: Vec::new(),
            struck: Vec::new(),
        })
    }

    async fn step(
        &mut self,
        stage: &mut Stage,
        step: &Step,
        number: usize,
    ) -> anyhow::Result<StepReport> {
        let env = stage.env();
        let mut dice = StdRng::seed_from_u64(step.seed);
        env.sleep(CALM).await;
        let before = self.goodput.usual(CALM);
        ensure!(before > 0.0, "nothing is answered before the strike");
        let usual = goodput::usual_rate(before, &self.rates, self.asked);
        self.rates.push(before);
        let led = led_alone(stage, step).await;
        let begun = env.monotonic();
        let mut wounds = strike(stage, step, &mut dice).await?;
        env.sleep(step.hold).await;
        self.note_struck(number, led, begun..env.monotonic());
        let (mut proof, ended) = heal(stage, step, &mut wounds, &mut dice).await?;
        stage.cluster.await_whole().await?;
        let whole = env.monotonic();
        let until = whole.max(ended + self.watch);
        let recovery = self.goodput.recovery(ended, usual, until, RECOVERY_MAX);
        let recovery = recovery.await;
        let answers_by_second = self.goodput.by_second(begun);
        let silences = stage.probes.finish().await?;
        for wound in &wounds {
            proof.extend(faults::after_whole(stage, wound).await?);
        }
        stage.ensure_nobody_panicked()?;
        Ok(StepReport {
            kinds: step.kinds.clone(),
            before_per_second: before.round(),
            usual_per_second: usual.round(),
            struck_ms: millis(ended.saturating_sub(begun)),
            recovery_ms: millis(recovery.after.unwrap_or(RECOVERY_MAX)),
            relapse_ms: millis(recovery.relapse),
            whole_ms: millis(whole.saturating_sub(ended)),
            answers_by_second,
            silences_ms: silences.measured.into_iter().map(millis).collect(),
            cut_short_ms: silences.cut_short.into_iter().map(millis).collect(),
            not_measured: silences.not_measured,
            // Told by the history, once the round is over.
            others_kept_percent: None,
            proof,
        })
    }

    fn note_struck(&mut self, step: usize, led: Option<BTreeSet<u32>>, held: Range<Duration>) {
        let Some(led) = led else {
            return;
        };
        let (start, end) = (held.start - self.begun, held.end - self.begun);
        self.struck.push(Struck {
            step,
            led,
            calm: start.saturating_sub(CALM)..start,
            held: start..end,
        });
    }

    async fn end(
        self,
        stage: &mut Stage,
        ledger: &mut Ledger,
        report: &mut RunReport,
    ) -> anyhow::Result<Judged> {
        drop(self.goodput);
        let history = self.workload.finish().await?;
        for struck in &self.struck {
            let kept = others::kept_percent(&history.records, self.interval, struck);
            if let Some(step) = report.steps.get_mut(struck.step) {
                step.others_kept_percent = kept;
            }
        }
        ledger.judge_shelves(stage, &history).await?;
        let judged = ledger.judge(stage, history, report).await?;
        stage.ensure_nobody_panicked()?;
        Ok(judged)
    }
}

/// The shards of the node that is about to be struck, where it is struck alone and everybody knows what it leads.
async fn led_alone(stage: &Stage, step: &Step) -> Option<BTreeSet<u32>> {
    if !others::spares_others(&step.kinds) {
        return None;
    }
    // Whom the strike is going to choose.
    let (_, led) = stage
        .busiest(&[], &mut StdRng::seed_from_u64(step.seed))
        .await;
    let is_known = led.unknown == 0 && !led.shards.is_empty();
    is_known.then(|| led.shards.into_iter().collect())
}

async fn strike(stage: &mut Stage, step: &Step, dice: &mut StdRng) -> anyhow::Result<Vec<Wound>> {
    let mut wounds: Vec<Wound> = Vec::new();
    for &kind in &step.kinds {
        if !wounds.is_empty() {
            stage.env().sleep(step.apart).await;
        }
        let struck: Vec<u16> = wounds
            .iter()
            .flat_map(|wound| wound.nodes.clone())
            .collect();
        wounds.push(faults::strike(stage, kind, &struck, dice).await?);
    }
    Ok(wounds)
}

/// Heals one after the other. Returns what shows that they struck, and the instant at which the last of them was
/// over, which may lie well before now.
async fn heal(
    stage: &mut Stage,
    step: &Step,
    wounds: &mut [Wound],
    dice: &mut StdRng,
) -> anyhow::Result<(Vec<String>, Duration)> {
    let heals_at = |wound: &Wound| wound.kind.heals_at(&step.kinds);
    wounds.sort_by_key(heals_at);
    let (mut proof, mut ended) = (Vec::new(), Duration::ZERO);
    for wound in wounds {
        if heals_at(wound) == HEALS_LAST && !proof.is_empty() {
            stage.env().sleep(WRONG_FROM_THE_START).await;
        }
        let healed = faults::heal(stage, wound, dice).await?;
        proof.push(healed.proof);
        ended = ended.max(healed.ended);
    }
    Ok((proof, ended))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
