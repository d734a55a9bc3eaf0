//! What a new cluster needs before anything can be sold: a leader in every shard, a program, sites, a
//! device. Done again at every start; what is there already stays as it is.

use std::{fs, time::Duration};

use quorate_client::{
    Connection, ConnectionOptions, Operator, Terminal, TerminalIdentity,
    model::{ClusterStatus, Health, PutProgram},
};
use quorate_core::codec;
use quorate_link::{Env, TlsClient};
use quorate_proto::program;

use super::{checklist::Checklist, directory::cannot_write, example, layout::Layout};
use crate::{
    admin,
    config::{self, context::ContextFile},
    exit::Failure,
};

/// For one call.
const CALL_TIME_MAX: Duration = Duration::from_secs(10);

/// A cluster that has no leaders after this long will not have any.
const LEADERS_TIME_MAX: Duration = Duration::from_secs(90);

/// How often it is asked.
const ASK_INTERVAL: Duration = Duration::from_millis(300);

/// Whether goods have come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goods {
    AtSomeSites,
    Nowhere,
}

/// The cluster as it is when everything is in place.
pub(super) async fn furnish(
    layout: &Layout,
    goods: Goods,
    checklist: &Checklist,
    env: &Env,
) -> Result<ClusterStatus, Failure> {
    let context = config::load::<ContextFile>(&layout.context_file())?;
    let missing = |what| Failure::from(context.invalid(what)).next("begin anew with --fresh");
    let material = context
        .operator()?
        .ok_or_else(|| missing("no [operator]"))?;
    let identity = context
        .terminal()?
        .ok_or_else(|| missing("no [terminal]"))?;
    let gateways = &context.value.gateways;
    let connect = |tls: &TlsClient| {
        Connection::open(gateways, tls, ConnectionOptions::default(), env.clone())
    };
    let unusable = |error| context.invalid(format!("{error}"));
    let operator = Operator::new(connect(&TlsClient::new(&material, env).map_err(unusable)?)?);
    let status = await_leaders(&operator, checklist, env).await?;
    mark_founded(layout)?;
    put_program(layout, &operator, &status, checklist).await?;
    let step = checklist.begin("sites");
    let sites = admin::read_sites(&layout.sites_file())?.sites;
    let imported = operator.import_sites(&sites, CALL_TIME_MAX, |_| {}).await;
    imported?;
    step.done(&format!("{} sites, of all three kinds", sites.len()));
    let step = checklist.begin("terminal");
    let (site, device) = (identity.site, identity.device);
    let anonymous = TlsClient::anonymous(&context.ca_pem()?, env).map_err(unusable)?;
    let connection = connect(&anonymous)?;
    let at_sites = match goods {
        Goods::AtSomeSites => &sites[..example::OPENING_STOCK.len()],
        Goods::Nowhere => &sites[..1],
    };
    for at in at_sites {
        let enrolled = operator
            .enroll_device(at.code, device, identity.key.public(), CALL_TIME_MAX)
            .await;
        enrolled?;
    }
    step.done(&format!("terminal {device} at site {site}"));
    if goods == Goods::Nowhere {
        return Ok(operator.status(CALL_TIME_MAX).await?);
    }
    let step = checklist.begin("goods");
    for (at, units) in at_sites.iter().zip(example::OPENING_STOCK) {
        // The same at every start: goods came in once.
        let request_id = identity
            .key
            .request_id(&[b"opening stock", at.code.as_bytes()]);
        let there = TerminalIdentity {
            site: at.code,
            device,
            key: identity.key.clone(),
        };
        let received = Terminal::new(connection.clone(), there)
            .receive_stock(request_id, None, units, CALL_TIME_MAX)
            .await;
        received?;
    }
    step.done(&format!(
        "goods at {} sites; the public sees them at http://{}",
        at_sites.len(),
        layout.public_address(1)
    ));
    Ok(operator.status(CALL_TIME_MAX).await?)
}

/// Every shard has a leader and everybody is well.
async fn await_leaders(
    operator: &Operator,
    checklist: &Checklist,
    env: &Env,
) -> Result<ClusterStatus, Failure> {
    let step = checklist.begin("shards choose their leaders");
    let give_up = env.monotonic() + LEADERS_TIME_MAX;
    loop {
        let asked = operator.status(CALL_TIME_MAX).await;
        let what_is_wrong = match asked {
            Ok(status) if is_whole(&status) => {
                let shards = status.shards.iter().filter(|shard| shard.shard != 0);
                step.done(&format!("{} shards have leaders", shards.count()));
                return Ok(status);
            }
            Ok(status) => describe(&status),
            Err(error) => error.to_string(),
        };
        if env.monotonic() > give_up {
            let seconds = LEADERS_TIME_MAX.as_secs();
            return Err(Failure::unexpected(format!(
                "the cluster was not whole after {seconds} s: {what_is_wrong}"
            ))
            .next("see the logs of the nodes"));
        }
        env.sleep(ASK_INTERVAL).await;
    }
}

fn is_whole(status: &ClusterStatus) -> bool {
    let led = |shard: &quorate_client::model::ShardStatus| shard.leader_node.is_some();
    status.health == Health::Ok && !status.shards.is_empty() && status.shards.iter().all(led)
}

fn describe(status: &ClusterStatus) -> String {
    let nodes = status
        .nodes
        .iter()
        .filter(|node| node.health != Health::Ok)
        .map(|node| format!("node {} is {} ({})", node.node_id, node.health, node.detail));
    let shards = status
        .shards
        .iter()
        .filter(|shard| shard.health != Health::Ok || shard.leader_node.is_none())
        .map(|shard| {
            format!(
                "shard {} is {} ({})",
                shard.shard, shard.health, shard.detail
            )
        });
    let all: Vec<_> = nodes.chain(shards).take(3).collect();
    if all.is_empty() {
        "no shard is known".to_owned()
    } else {
        all.join(", ")
    }
}

/// From here on, a node with an empty disk is one that lost it.
fn mark_founded(layout: &Layout) -> Result<(), Failure> {
    for id in layout.node_ids() {
        let path = layout.founded_marker(id);
        fs::write(
            &path,
            "This cluster is founded; its nodes never found another.\n",
        )
        .map_err(|error| cannot_write(&path, &error))?;
    }
    Ok(())
}

async fn put_program(
    layout: &Layout,
    operator: &Operator,
    status: &ClusterStatus,
    checklist: &Checklist,
) -> Result<(), Failure> {
    let step = checklist.begin("program");
    let name = layout.shape.program.id();
    let is_it = |program: &&quorate_client::model::ProgramStatus| program.program == name;
    if let Some(program) = status.programs.iter().find(is_it) {
        step.done(&format!(
            "program {}, version {}",
            program.program, program.version
        ));
        return Ok(());
    }
    let program = config::program::load(&layout.program_file())?;
    let message = program::from_definition(&codec::program_to_proto(&program));
    let put = PutProgram::default();
    operator.put_program(&message, put, CALL_TIME_MAX).await?;
    let rules = program.rules().len();
    let plural = if rules == 1 { "" } else { "s" };
    step.done(&format!("program {}: {rules} rule{plural}", program.id()));
    Ok(())
}
