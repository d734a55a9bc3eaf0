//! `quorate demo`: a whole cluster of real processes on this machine, with everything that production has:
//! several nodes and shards, TLS on every connection, enrolled devices. Its keys and data are in one
//! directory, and a second start goes on with them.
//!
//! State owned: the directory (locked while the demo runs) and the child processes. Invariants: no child
//! outlives the demo; the cluster is founded once only. Deliberately absent: anything that a production
//! cluster would need and the demo does another way, but for the development certificate authority.

mod checklist;
mod children;
mod directory;
mod example;
mod furnish;
mod layout;
mod ports;
mod prepare;
mod supervise;
mod tour;
pub(crate) mod trial;

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use quorate_link::{CLOCK_SPEED_MAX, Env};

use crate::{
    exit::{Exit, Failure},
    output::Output,
    process, time,
};

use checklist::Checklist;
use children::Children;
use example::ProgramName;
use furnish::Goods;
use layout::Layout;

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Where its data lives
    #[arg(long, value_name = "DIR", default_value = "quorate-demo")]
    dir: PathBuf,

    /// Empty the directory first
    #[arg(long)]
    fresh: bool,

    /// Nodes [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: Option<u16>,

    /// Data shards [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    shards: Option<u32>,

    /// Gateways [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    gateways: Option<u16>,

    /// Gateways listen on this port and those after it, nodes from 100 further on [default: 7400]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=65_300))]
    port_base: Option<u16>,

    /// What it rations [default: mask]
    #[arg(long, value_enum, value_name = "PROGRAM")]
    program: Option<ProgramName>,

    /// Let its clock begin at this instant, such as 2020-03-09T10:00+09:00 [default: real time]
    #[arg(long, value_name = "TIME", value_parser = time::parse_instant)]
    clock: Option<Timestamp>,

    /// Let that clock run so many times as fast as real time [default: 1]
    #[arg(long, value_name = "N", requires = "clock", value_parser = clap::value_parser!(u32).range(1..=i64::from(CLOCK_SPEED_MAX)))]
    speed: Option<u32>,
}

pub(crate) async fn run(args: DemoArgs, output: Output, env: Env) -> Result<Exit, Failure> {
    let stop = process::asked_to_end()?;
    let checklist = Checklist::new(output);
    let _lock = directory::take(&args.dir, args.fresh)?;
    let (shape, is_new) = directory::shape(&args, env.unix_ms())?;
    let layout = Layout::new(&args.dir, shape);
    ports::all_free(&layout)?;
    prepare::prepare(&layout, is_new, &checklist, &env)?;
    let mut children = Children::new(&layout, &env)?;
    tokio::pin!(stop);
    let ended = tokio::select! {
        biased;
        () = &mut stop => Ok(()),
        ended = live(&layout, &mut children, &checklist, output, &env) => ended,
    };
    // A second request to end is heard while the children are given time to end well.
    children.stop(process::asked_to_end()?, &checklist).await;
    ended.map(|()| Exit::Ok)
}

/// From the first child to the last word; ends by itself only when something went wrong.
async fn live(
    layout: &Layout,
    children: &mut Children,
    checklist: &Checklist,
    output: Output,
    env: &Env,
) -> Result<(), Failure> {
    children.start_nodes(checklist).await?;
    children.start_gateways(checklist).await?;
    let cluster = furnish::furnish(layout, Goods::AtSomeSites, checklist, env).await?;
    let tour = tour::Tour::new(layout, children, &cluster, env)?;
    output.print(&tour, |painter| tour.render(painter))?;
    supervise::supervise(children, checklist).await
}
