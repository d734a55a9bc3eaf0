//! What to try, ready to paste.

use std::{collections::BTreeMap, path::Path};

use quorate_client::{model::ClusterStatus, new_request_id};
use quorate_link::Env;
use serde::Serialize;

use super::{
    children::{Children, Who},
    example,
    layout::Layout,
};
use crate::{
    config::context::DEMO_CONTEXT,
    exit::Failure,
    load::example_person,
    output::{Painter, Style},
};

/// What is up and how to reach it.
#[derive(Serialize)]
pub(super) struct Tour {
    ready: &'static str,
    dir: String,
    context: String,
    gateways: Vec<String>,
    /// Process ids by name.
    processes: BTreeMap<String, u32>,
    #[serde(skip)]
    setup: Vec<String>,
    #[serde(skip)]
    steps: Vec<Step>,
}

struct Step {
    about: String,
    commands: Vec<String>,
}

impl Tour {
    pub(super) fn new(
        layout: &Layout,
        children: &Children,
        status: &ClusterStatus,
        env: &Env,
    ) -> Result<Self, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::unexpected(format!("where am I? {error}")))?;
        let nodes = layout.node_ids().map(Who::Node);
        let gateways = layout.gateway_numbers().map(Who::Gateway);
        let processes = nodes
            .chain(gateways)
            .filter_map(|who| Some((who.name(), children.pid(who)?)));
        let context = here.join(layout.context_file());
        Ok(Self {
            ready: "demo",
            dir: layout.root.display().to_string(),
            context: context.display().to_string(),
            gateways: layout
                .gateway_numbers()
                .map(|number| layout.gateway_address(number))
                .collect(),
            processes: processes.collect(),
            setup: setup(&here, &context),
            steps: steps(layout, children, status, env),
        })
    }

    pub(super) fn render(&self, painter: Painter) -> String {
        let mut text = format!(
            "\n{}\n\n",
            painter.paint(
                Style::Strong,
                "Ready. Try this in another terminal; Ctrl-C here stops everything."
            )
        );
        for line in &self.setup {
            text.push_str(&format!("  {line}\n"));
        }
        for step in &self.steps {
            text.push('\n');
            let about = format!("# {}", step.about);
            text.push_str(&format!("  {}\n", painter.paint(Style::Faint, &about)));
            for command in &step.commands {
                text.push_str(&format!("  {command}\n"));
            }
        }
        text
    }
}

/// What another terminal needs to know.
fn setup(here: &Path, context: &Path) -> Vec<String> {
    let mut lines = vec![format!("cd {}", quoted(here))];
    let invoked_as = std::env::args_os().next().unwrap_or_default();
    let invoked_as = Path::new(&invoked_as);
    // A bare name was found in the PATH, and will be again.
    if invoked_as.components().count() > 1 {
        lines.push(format!("alias quorate={}", quoted(&here.join(invoked_as))));
    }
    if here.join(DEMO_CONTEXT) != context {
        lines.push(format!("export QUORATE_CONTEXT={}", quoted(context)));
    }
    lines
}

/// As a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn steps(layout: &Layout, children: &Children, status: &ClusterStatus, env: &Env) -> Vec<Step> {
    let (one, another) = (example_person(env), example_person(env));
    let request_id = new_request_id(env);
    let sell = format!("quorate sell {one} --qty 2 --request-id {request_id}");
    let step = |about: &str, commands: Vec<String>| Step {
        about: about.to_owned(),
        commands,
    };
    let mut steps = vec![
        step(
            "may this person (an invented one) buy two?",
            vec![format!("quorate check {one} --qty 2")],
        ),
        step(
            "sell them; the same request again gets the same answer and is recorded once",
            vec![sell.clone(), sell],
        ),
        step(
            "a third is denied, with the date of the next",
            vec![format!("quorate sell {one} --qty 1")],
        ),
    ];
    steps.push(step(
        "goods in; what the public sees of it",
        vec![
            "quorate stock receive 50".to_owned(),
            format!(
                "curl -s http://{}/v1/sites/{}",
                layout.public_address(1),
                example::SITE
            ),
        ],
    ));
    let busiest = status.nodes.iter().max_by_key(|node| node.leaders);
    let busiest = busiest.and_then(|node| {
        let who = Who::Node(u16::try_from(node.node_id).ok()?);
        Some((who, children.pid(who)?, node.leaders))
    });
    if let Some((who, pid, leaders)) = busiest {
        let config = children.config_file(who);
        steps.push(step(
            &format!(
                "kill {}, which leads {leaders} shards, and sell on",
                who.name()
            ),
            vec![
                format!("kill -9 {pid}"),
                format!("quorate sell {another} --qty 2"),
                "quorate admin status".to_owned(),
            ],
        ));
        steps.push(step(
            "bring it back (this one runs until Ctrl-C)",
            vec![format!("quorate node --config {}", quoted(&config))],
        ));
    }
    steps.push(step(
        "do all replicas hold the same?",
        vec!["quorate admin verify".to_owned()],
    ));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/quorate-demo")), "/tmp/quorate-demo");
        assert_eq!(quoted(Path::new("/tmp/my demo's")), r"'/tmp/my demo'\''s'");
    }

    #[test]
    fn only_what_is_not_found_by_itself_is_set() {
        let here = Path::new("/tmp/x");
        let usual = setup(here, &here.join(DEMO_CONTEXT));
        assert!(usual.iter().all(|line| !line.starts_with("export")));
        let other = setup(here, Path::new("/tmp/y/context.toml"));
        assert!(other.iter().any(|line| line.starts_with("export")));
    }
}
