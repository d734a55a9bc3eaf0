//! Making the cluster ready for a load: its sites are there, a device is enrolled at each, every session is
//! open, the connections are spread over the gateways.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU64},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use quorate_client::{
    Connection, ConnectionOptions, DeviceKey, Operator, Terminal, TerminalIdentity,
    model::{NationalId, Sale, Site},
};
use quorate_link::{Env, TlsClient};
use quorate_proto::ids::{DeviceId, ProgramId, SiteCode};

use super::{LoadArgs, Population, Profile, plan::Order};
use crate::{admin, exit::Failure, progress, reach::Reach, time::Span};

/// Sites of a file that a steady load uses where nothing is said.
const STEADY_SITES_DEFAULT: u32 = 100;

/// Enrolments under way at once: gateways take few operators' calls at a time.
const ENROLMENTS: usize = 16;

/// Logins under way at once.
const LOGINS: usize = 128;

/// Where a load is played.
pub(super) struct Stage {
    /// By index of the site; `None` where nobody goes.
    terminals: Vec<Option<Terminal>>,
    connections: Vec<Connection>,
    population: Population,
    first_person: u64,
    id_scheme: String,
    program: ProgramId,
    /// For one call, retries included.
    pub(super) time_limit: Span,
    /// Calls that came to an end.
    pub(super) calls: AtomicU64,
    /// Set when no further visits shall begin.
    pub(super) stopped: AtomicBool,
    pub(super) env: Env,
}

/// The sites of the file, imported; `None` without a file.
pub(super) async fn sites(
    args: &LoadArgs,
    operator: Option<&Operator>,
    reach: &Reach,
) -> Result<Option<Vec<SiteCode>>, Failure> {
    let (Some(path), Some(operator)) = (&args.sites, operator) else {
        return Ok(None);
    };
    let mut sites: Vec<Site> = admin::read_sites(path)?.sites;
    let count_max = match (args.site_count, args.profile) {
        (Some(count), _) => count,
        (None, Profile::Steady) => STEADY_SITES_DEFAULT,
        (None, Profile::Morning) => u32::MAX,
    };
    sites.truncate(count_max as usize);
    if sites.is_empty() {
        return Err(Failure::usage(format!("{} holds no site", path.display())));
    }
    let bar = progress::counter("sites", sites.len() as u64, reach.output);
    let imported = operator
        .import_sites(&sites, reach.time_limit, |done| {
            bar.set_position(done as u64);
        })
        .await;
    bar.finish_and_clear();
    imported?;
    Ok(Some(sites.iter().map(|site| site.code).collect()))
}

impl Stage {
    /// `sites`: those of the file; `used`: the indices of those that are needed, all if `None`.
    pub(super) async fn set(
        args: &LoadArgs,
        seed: u64,
        sites: Option<Vec<SiteCode>>,
        used: Option<BTreeSet<usize>>,
        operator: Option<&Operator>,
        reach: &Reach,
    ) -> Result<Self, Failure> {
        let connections = connections(args.connections, reach)?;
        let terminals = match (sites, operator) {
            (Some(sites), Some(operator)) => {
                enroll(&sites, used, operator, &connections, reach).await?
            }
            _ => vec![Some(reach.terminal()?.over(connections[0].clone()))],
        };
        log_in(&terminals, reach).await?;
        Ok(Self {
            terminals,
            connections,
            population: Population::new(seed),
            first_person: args.first_citizen,
            id_scheme: NationalId::KR_RRN.to_owned(),
            program: reach.program(None)?,
            time_limit: reach.time_limit,
            calls: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            env: reach.env.clone(),
        })
    }

    /// The terminal of a site, as client number `client` uses it.
    ///
    /// # Panics
    /// The plan goes to a site that it did not announce.
    pub(super) fn terminal(&self, site: usize, client: u64) -> Terminal {
        let terminal = self.terminals[site]
            .as_ref()
            .expect("the plan goes to the sites it announced");
        let connection = client % self.connections.len() as u64;
        terminal.over(self.connections[connection as usize].clone())
    }

    /// Any terminal that is used, as client number `client` uses it.
    ///
    /// # Panics
    /// None is.
    pub(super) fn any_terminal(&self, client: u64) -> Terminal {
        let used = self.terminals.iter().position(Option::is_some);
        self.terminal(used.expect("a load has a terminal"), client)
    }

    pub(super) fn sale(&self, order: Order) -> Sale {
        let number = self.population.number(self.first_person + order.person);
        let citizen = NationalId::new(self.id_scheme.clone(), number.to_text());
        Sale::new(citizen, self.program, order.quantity)
    }

    /// Attempts beyond the first of their calls.
    pub(super) fn retries(&self) -> u64 {
        self.connections.iter().map(Connection::retries).sum()
    }
}

/// Connections that begin at one gateway after the other.
fn connections(count: u32, reach: &Reach) -> Result<Vec<Connection>, Failure> {
    let tls = TlsClient::anonymous(&reach.context.ca_pem()?, &reach.env)
        .map_err(|error| reach.context.invalid(format!("`ca`: {error}")))?;
    let gateways = &reach.context.value.gateways;
    let open = |number: usize| {
        let mut addresses = gateways.clone();
        addresses.rotate_left(number % gateways.len().max(1));
        let options = ConnectionOptions::default();
        let connection = Connection::open(&addresses, &tls, options, reach.env.clone())?;
        Ok(connection)
    };
    (0..count as usize).map(open).collect()
}

/// A new device, under one new key, at every site that is used.
async fn enroll(
    sites: &[SiteCode],
    used: Option<BTreeSet<usize>>,
    operator: &Operator,
    connections: &[Connection],
    reach: &Reach,
) -> Result<Vec<Option<Terminal>>, Failure> {
    let key = DeviceKey::generate(&reach.env);
    let device = device_of(&key);
    let used = used.unwrap_or_else(|| (0..sites.len()).collect());
    let bar = progress::counter("devices", used.len() as u64, reach.output);
    let enrolled = stream::iter(used.iter().map(|index| {
        let site = sites[*index];
        let public_key = key.public();
        let bar = &bar;
        async move {
            operator
                .enroll_device(site, device, public_key, reach.time_limit)
                .await?;
            bar.inc(1);
            Ok::<(), Failure>(())
        }
    }))
    .buffer_unordered(ENROLMENTS)
    .try_collect::<()>()
    .await;
    bar.finish_and_clear();
    enrolled?;
    let terminal = |index: usize| {
        let connection = connections[index % connections.len()].clone();
        let identity = TerminalIdentity {
            site: sites[index],
            device,
            key: key.clone(),
        };
        Terminal::new(connection, identity)
    };
    Ok((0..sites.len())
        .map(|index| used.contains(&index).then(|| terminal(index)))
        .collect())
}

/// Named by its key, so that two generators do not meet.
fn device_of(key: &DeviceKey) -> DeviceId {
    let [a, b, c, d, e, f, g, h, ..] = key.public();
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    DeviceId::parse(&format!("load-{number:016x}")).expect("letters, digits and '-'")
}

async fn log_in(terminals: &[Option<Terminal>], reach: &Reach) -> Result<(), Failure> {
    let terminals: Vec<_> = terminals.iter().flatten().collect();
    let bar = progress::counter("logins", terminals.len() as u64, reach.output);
    let logged_in = stream::iter(terminals.into_iter().map(|terminal| {
        let bar = &bar;
        async move {
            terminal.log_in(reach.time_limit).await?;
            bar.inc(1);
            Ok::<(), Failure>(())
        }
    }))
    .buffer_unordered(LOGINS)
    .try_collect::<()>()
    .await;
    bar.finish_and_clear();
    logged_in
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generator_has_a_device_of_its_own() {
        let env = Env::system();
        let (one, two) = (DeviceKey::generate(&env), DeviceKey::generate(&env));
        assert_eq!(device_of(&one), device_of(&one));
        assert_ne!(device_of(&one), device_of(&two));
        assert!(device_of(&one).as_str().starts_with("load-"));
    }
}
