//! A trial: the demo's cluster for the time of one command, on a clock of its own, in a directory that is
//! gone afterwards.

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use quorate_link::Env;

use super::{
    checklist::Checklist,
    children::Children,
    directory::cannot_write,
    example::ProgramName,
    furnish::{self, Goods},
    layout::{Layout, Shape},
    ports, prepare,
};
use crate::{
    config::cluster::ClockEntry,
    exit::Failure,
    output::{Format, Output},
    process,
};

/// Gateways of trials are looked for from this port on, and from every 200th after it.
const PORT_BASES: std::ops::Range<u16> = 17_400..31_400;

/// What time it is in a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrialOptions {
    pub(crate) clock_starts_at: Timestamp,
    pub(crate) speed: u32,
}

/// A running trial. Its processes end with it, however it ends.
pub(crate) struct Trial {
    layout: Layout,
    children: Children,
    checklist: Checklist,
}

impl Trial {
    /// Founds a cluster and furnishes it with the rules of 2020; its clock begins now.
    ///
    /// # Errors
    /// Something did not come up.
    pub(crate) async fn start(
        options: TrialOptions,
        output: Output,
        env: &Env,
    ) -> Result<Self, Failure> {
        let root = directory();
        fs::create_dir_all(&root).map_err(|error| cannot_write(&root, &error))?;
        let shape = |port_base| Shape {
            port_base,
            program: ProgramName::KrMask2020,
            clock: Some(ClockEntry {
                starts_at: options.clock_starts_at,
                started_real_ms: env.unix_ms(),
                speed: options.speed,
            }),
            ..Shape::default()
        };
        let layouts = PORT_BASES
            .step_by(200)
            .map(|port_base| Layout::new(&root, shape(port_base)));
        let layout = layouts
            .into_iter()
            .find(|layout| ports::all_free(layout).is_ok())
            .ok_or_else(|| Failure::unexpected("no ports are free on loopback"))?;
        // The steps of a demo are of no interest here: what fails is said anyway.
        let checklist = match output.is_json() {
            true => Checklist::new(output),
            false => Checklist::new(Output::new(Format::Json, true)),
        };
        let mut trial = Self {
            children: Children::new(&layout, env)?,
            layout,
            checklist,
        };
        match trial.found(env).await {
            Ok(()) => Ok(trial),
            Err(failure) => {
                trial.end().await;
                Err(failure)
            }
        }
    }

    async fn found(&mut self, env: &Env) -> Result<(), Failure> {
        prepare::prepare(&self.layout, true, &self.checklist, env)?;
        self.children.start_nodes(&self.checklist).await?;
        self.children.start_gateways(&self.checklist).await?;
        furnish::furnish(&self.layout, Goods::Nowhere, &self.checklist, env).await?;
        Ok(())
    }

    /// The file by which commands reach it.
    pub(crate) fn context(&self) -> PathBuf {
        self.layout.context_file()
    }

    /// Completes when it cannot go on: one of its processes ended.
    ///
    /// # Panics
    /// It has no processes.
    pub(crate) async fn failure(&mut self) -> Failure {
        let ended = self.children.next_end().await;
        Failure::unexpected(format!("{} {}", ended.who.name(), ended.how))
            .next(ended.log.join(" | "))
    }

    /// Ends every process and removes the directory.
    pub(crate) async fn end(self) {
        let Self {
            layout,
            children,
            checklist,
        } = self;
        if let Ok(hurry) = process::asked_to_end() {
            children.stop(hurry, &checklist).await;
        }
        if let Err(error) = fs::remove_dir_all(&layout.root) {
            tracing::warn!(%error, path = %layout.root.display(), "the trial's directory stays");
        }
    }
}

/// Of this process alone.
fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("quorate-trial-{}", std::process::id()))
}
