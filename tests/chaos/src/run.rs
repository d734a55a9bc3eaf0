//! A run: rounds of steps on one cluster. A step waits for calm, strikes, holds, heals, and measures how soon
//! everything is as before; a round ends with the judgement of everything that its clients saw.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use quorate_harness::{
    checker::{
        self, Report as Judged,
        facts::{Fact, Totals},
    },
    cluster::{Cluster, ClusterOptions},
    shelves::drained,
    workload::{Workload, WorkloadOptions},
};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    faults::{self, Wound},
    goodput::Goodput,
    kind::HEALS_LAST,
    means::Means,
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
    /// Steps after which everything is judged.
    pub steps_per_round: usize,
    /// Clients of the workload.
    pub clients: u32,
    /// Between the calls of each.
    pub pause: Duration,
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
    let mut counted = Totals::default();
    if options.fill > 0 {
        let judged = fill(stage, options, &mut counted).await;
        let judged = judged.context("before the first fault")?;
        tell(&format!("filled: {judged}"));
        report.judged(&judged);
    }
    let over =
        |steps: usize| steps >= options.steps_max || env.monotonic() > begun + options.duration;
    for round in 0.. {
        let workload = begin_round(stage, options, round).await?;
        let goodput = Goodput::watch(env.clone(), workload.answers());
        for _ in 0..options.steps_per_round {
            let Some(step) = schedule.next().filter(|_| !over(report.steps.len())) else {
                break;
            };
            let done = self::step(stage, &step, &goodput).await;
            let number = report.steps.len() + 1;
            let done = done.with_context(|| format!("step {number}: {:?}", step.kinds))?;
            tell(&format!("step {number}: {}", done.line()));
            report.steps.push(done);
        }
        drop(goodput);
        let judged = end_round(stage, workload, &mut counted).await;
        let judged = judged.with_context(|| format!("round {}", round + 1))?;
        tell(&format!("round {}: {judged}", round + 1));
        report.judged(&judged);
        if over(report.steps.len()) {
            break;
        }
    }
    Ok(())
}

async fn begin_round(
    stage: &mut Stage,
    options: &RunOptions,
    round: u64,
) -> anyhow::Result<Workload> {
    let workload = Workload::start(
        &stage.cluster,
        WorkloadOptions {
            clients: options.clients,
            pause: options.pause,
            first_citizen: round * CITIZENS_PER_ROUND,
            ..WorkloadOptions::with_slips(options.seed.wrapping_add(round))
        },
    )?;
    let first = FIRST_PROBED + round * PROBED_PER_ROUND;
    let (recorder, clients) = (workload.recorder(), options.clients);
    let prepared = stage
        .probes
        .prepare(&stage.cluster, recorder, first, clients);
    prepared.await?;
    workload
        .await_grants(FIRST_GRANTS, FIRST_GRANTS_MAX)
        .await?;
    Ok(workload)
}

/// A round without faults and without rests.
async fn fill(
    stage: &mut Stage,
    options: &RunOptions,
    counted: &mut Totals,
) -> anyhow::Result<Judged> {
    let workload = Workload::start(
        &stage.cluster,
        WorkloadOptions {
            clients: options.clients,
            pause: Duration::ZERO,
            first_citizen: FIRST_FILLED,
            ..WorkloadOptions::with_slips(options.seed)
        },
    )?;
    workload.await_grants(options.fill, FILL_TIME_MAX).await?;
    end_round(stage, workload, counted).await
}

async fn step(stage: &mut Stage, step: &Step, goodput: &Goodput) -> anyhow::Result<StepReport> {
    let env = stage.env();
    let mut dice = StdRng::seed_from_u64(step.seed);
    env.sleep(CALM).await;
    let usual = goodput.usual(CALM);
    ensure!(usual > 0.0, "nothing is answered before the strike");
    let begun = env.monotonic();
    let mut wounds: Vec<Wound> = Vec::new();
    for &kind in &step.kinds {
        if !wounds.is_empty() {
            env.sleep(step.apart).await;
        }
        let struck: Vec<u16> = wounds
            .iter()
            .flat_map(|wound| wound.nodes.clone())
            .collect();
        wounds.push(faults::strike(stage, kind, &struck, &mut dice).await?);
    }
    env.sleep(step.hold).await;
    let heals_at = |wound: &Wound| wound.kind.heals_at(&step.kinds);
    wounds.sort_by_key(heals_at);
    let (mut proof, mut healed) = (Vec::new(), begun);
    for wound in &mut wounds {
        if heals_at(wound) == HEALS_LAST && !proof.is_empty() {
            env.sleep(WRONG_FROM_THE_START).await;
        }
        let done = faults::heal(stage, wound, &mut dice).await?;
        proof.push(done.proof);
        healed = healed.max(done.ended);
    }
    let recovered = goodput.recovered(healed, usual, RECOVERY_MAX).await;
    let answers_by_second = goodput.by_second(begun);
    let silences = stage.probes.finish().await?;
    stage.cluster.await_whole().await?;
    for wound in &wounds {
        proof.extend(faults::after_whole(stage, wound).await?);
    }
    stage.ensure_nobody_panicked()?;
    Ok(StepReport {
        kinds: step.kinds.clone(),
        usual_per_second: usual,
        struck_ms: millis(healed - begun),
        recovery_ms: millis(recovered.unwrap_or(RECOVERY_MAX)),
        answers_by_second,
        silences_ms: silences.measured.into_iter().map(millis).collect(),
        proof,
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn end_round(
    stage: &mut Stage,
    workload: Workload,
    counted: &mut Totals,
) -> anyhow::Result<Judged> {
    let mut history = workload.finish().await?;
    stage.cluster.await_whole().await?;
    drained(&stage.cluster).await?;
    let before = std::mem::replace(counted, totals(&stage.cluster).await?);
    // What the cluster counts of this round, to be held against what its clients know.
    history.facts.push(Fact::Totals(Totals {
        grants: counted.grants - before.grants,
        units_granted: counted.units_granted - before.units_granted,
        slips: counted.slips - before.slips,
        units_on_slips: counted.units_on_slips - before.units_on_slips,
        voids: counted.voids - before.voids,
        units_voided: counted.units_voided - before.units_voided,
    }));
    let judged = checker::check(&history);
    if judged.is_lawful() {
        return Ok(judged);
    }
    let path = stage.cluster.path("history.jsonl");
    history.save(&path).context("keep the history")?;
    bail!("{judged}\nhistory: {}", path.display())
}

/// What the cluster counts, after all its replicas were compared.
async fn totals(cluster: &Cluster) -> anyhow::Result<Totals> {
    let totals = cluster.verify().await?.totals;
    Ok(Totals {
        grants: totals.grants,
        units_granted: totals.units_granted,
        slips: totals.slips,
        units_on_slips: totals.units_on_slips,
        voids: totals.voids,
        units_voided: totals.units_voided,
    })
}
