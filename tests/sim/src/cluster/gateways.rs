//! Gateways: stateless, so that one is as good as another.

use std::sync::Arc;
use std::time::Duration;

use quorate_gateway::seams::Dispatch;
use quorate_link::Env;
use quorate_proto::storage::{
    CalendarWeek, ProgramDefinition, PutProgramDefinition, Rule, SystemCommand, rule,
    system_command,
};

use super::{CLUSTER, Cluster, Gateway};
use crate::counter::PROGRAM;
use crate::net::Place;
use crate::net::dial::{GatewayDial, address};
use crate::plan::{LIMIT, ZONE};

/// For one proposal.
const PROPOSAL_TIME_MAX: Duration = Duration::from_secs(4);

impl Cluster {
    /// Starts a gateway that is down.
    pub fn start_gateway(&self, place: Place) {
        if self.lock().gateways.contains_key(&place) {
            return;
        }
        let env = self.parts.tasks.env(place);
        self.parts.network.up(place, env.clone(), None);
        let dial = GatewayDial {
            network: self.parts.network.clone(),
            here: place,
        };
        let seeds = self.plan().node_places().map(address).collect();
        let dispatch = Dispatch::start(CLUSTER, seeds, Arc::new(dial), env.clone());
        let gateway = Gateway {
            dispatch: Arc::new(dispatch),
            env,
        };
        self.lock().gateways.insert(place, gateway);
    }

    /// Kills a gateway. False if it is down.
    pub fn kill_gateway(&self, place: Place) -> bool {
        let Some(gateway) = self.lock().gateways.remove(&place) else {
            return false;
        };
        self.parts.tasks.kill(place);
        self.parts.network.down(place, false);
        drop(gateway);
        true
    }

    /// One of the gateways that are up, with its own clock.
    pub fn gateway(&self, choice: u64) -> Option<(Arc<Dispatch>, Env)> {
        let state = self.lock();
        let count = state.gateways.len() as u64;
        let nth = usize::try_from(choice.checked_rem(count)?).ok()?;
        let gateway = state.gateways.values().nth(nth)?;
        Some((gateway.dispatch.clone(), gateway.env.clone()))
    }

    /// Whether every gateway knows the whole cluster.
    pub fn is_known(&self) -> bool {
        let state = self.lock();
        let all = state.gateways.len() as u64 == self.plan().gateways;
        all && state
            .gateways
            .values()
            .all(|gateway| gateway.dispatch.is_ready())
    }

    /// Puts the program, or one that differs in what decides nothing. Whether it was decided.
    pub async fn change_program(&self, choice: u64) -> bool {
        let Some((gateway, _)) = self.gateway(choice) else {
            return false;
        };
        // A holiday far away: no rule looks at holidays.
        let day = choice % 28 + 1;
        let program = ProgramDefinition {
            id: PROGRAM.to_owned(),
            time_zone: ZONE.to_owned(),
            rules: vec![Rule {
                id: "weekly".to_owned(),
                effective_from_ms: 0,
                limit: LIMIT,
                sale_quantity_max: LIMIT,
                window: Some(rule::Window::CalendarWeek(CalendarWeek {})),
                ..Rule::default()
            }],
            holidays: vec![format!("2030-02-{day:02}")],
            ..ProgramDefinition::default()
        };
        let command = SystemCommand {
            body: Some(system_command::Body::PutProgram(PutProgramDefinition {
                program: Some(program),
                expected_version: 0,
                proposed_at_ms: 0,
                immediate: true,
            })),
        };
        let decided = gateway.propose(&command, PROPOSAL_TIME_MAX).await;
        if let Err(error) = &decided {
            self.parts
                .log
                .say(format_args!("the program is not changed: {error}"));
        }
        decided.is_ok()
    }
}
