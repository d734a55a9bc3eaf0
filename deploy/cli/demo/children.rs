//! The demo's processes: each started, heard to be ready, watched, and stopped.
//!
//! Invariant: a child ends with the demo, however the demo ends: asked to, on failure (the handles kill what
//! they hold), or killed itself (the kernel tells the child).

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use futures_util::{FutureExt as _, future::select_all};
use quorate_link::Env;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{
    checklist::Checklist,
    directory::cannot_write,
    layout::{Layout, gateway_name, node_name},
};
use crate::{exit::Failure, process};

/// A child that is not ready after this long is stuck.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// A child that was asked to end is killed after this long. A node flushes its state meanwhile.
const STOP_TIME_MAX: Duration = Duration::from_secs(15);

/// Lines of a child's log that are shown when it fails.
const LOG_LINES_SHOWN: usize = 8;

/// The part of a log that those lines are looked for in, bytes.
const LOG_TAIL_BYTES: usize = 16 << 10;

pub(super) struct Children {
    layout: Layout,
    executable: PathBuf,
    running: Vec<Running>,
    env: Env,
}

/// Whose process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Node(u16),
    Gateway(u16),
}

struct Running {
    who: Who,
    pid: u32,
    child: Child,
}

/// A child that ended without having been asked to.
pub(super) struct Ended {
    pub(super) who: Who,
    pub(super) how: String,
    /// The last lines of its log.
    pub(super) log: Vec<String>,
}

impl Who {
    pub(super) fn name(self) -> String {
        match self {
            Self::Node(id) => node_name(id),
            Self::Gateway(number) => gateway_name(number),
        }
    }
}

impl Children {
    pub(super) fn new(layout: &Layout, env: &Env) -> Result<Self, Failure> {
        let executable = std::env::current_exe().map_err(|error| {
            Failure::unexpected(format!("this program cannot be found: {error}"))
        })?;
        Ok(Self {
            layout: layout.clone(),
            executable,
            running: Vec::new(),
            env: env.clone(),
        })
    }

    /// All at once: founding needs a majority.
    pub(super) async fn start_nodes(&mut self, checklist: &Checklist) -> Result<(), Failure> {
        let ids: Vec<_> = self.layout.node_ids().collect();
        for id in &ids {
            self.start(Who::Node(*id))?;
        }
        for id in ids {
            self.await_ready(Who::Node(id), checklist).await?;
        }
        Ok(())
    }

    pub(super) async fn start_gateways(&mut self, checklist: &Checklist) -> Result<(), Failure> {
        for number in self.layout.gateway_numbers() {
            self.start(Who::Gateway(number))?;
            self.await_ready(Who::Gateway(number), checklist).await?;
        }
        Ok(())
    }

    /// The process id of a child that runs.
    pub(super) fn pid(&self, who: Who) -> Option<u32> {
        let running = self.running.iter().find(|running| running.who == who);
        running.map(|running| running.pid)
    }

    pub(super) fn has(&self, is_it: impl Fn(Who) -> bool) -> bool {
        self.running.iter().any(|running| is_it(running.who))
    }

    /// Waits for a child to end by itself.
    ///
    /// # Panics
    /// No child runs.
    pub(super) async fn next_end(&mut self) -> Ended {
        let waits = self
            .running
            .iter_mut()
            .map(|running| running.child.wait().boxed());
        let (status, index, _) = select_all(waits).await;
        let ended = self.running.swap_remove(index);
        if let Err(failure) = self.write_pids() {
            tracing::warn!(%failure, "the list of processes is not up to date");
        }
        Ended {
            who: ended.who,
            how: describe(status.ok()),
            log: log_tail(&self.log_file(ended.who)),
        }
    }

    /// Gateways first, so that no request is cut off. `hurry` kills what is left.
    pub(super) async fn stop(mut self, hurry: impl Future<Output = ()>, checklist: &Checklist) {
        if self.running.is_empty() {
            return;
        }
        let step = checklist.begin("stopping");
        let env = self.env.clone();
        let ended_well = tokio::select! {
            biased;
            () = hurry => false,
            () = async {
                self.end_all(|who| matches!(who, Who::Gateway(_)), &env).await;
                self.end_all(|_| true, &env).await;
            } => true,
        };
        for running in &mut self.running {
            // It may have ended just now.
            let _gone = running.child.kill().await;
        }
        let _no_list = fs::remove_file(self.layout.pids_file());
        step.done(match ended_well {
            true => "everything stopped",
            false => "everything killed; the next start recovers",
        });
    }

    async fn end_all(&mut self, whom: impl Fn(Who) -> bool, env: &Env) {
        let (mut asked, rest): (Vec<_>, Vec<_>) = self
            .running
            .drain(..)
            .partition(|running| whom(running.who));
        for running in &asked {
            process::ask_to_end(running.pid);
        }
        for running in &mut asked {
            let ended = env.timeout(STOP_TIME_MAX, running.child.wait()).await;
            if ended.is_err() {
                tracing::warn!(name = running.who.name(), "did not end in time: killed");
                let _gone = running.child.kill().await;
            }
        }
        self.running = rest;
    }

    fn start(&mut self, who: Who) -> Result<(), Failure> {
        let log_path = self.log_file(who);
        let log = File::options().create(true).append(true).open(&log_path);
        let log = log.map_err(|error| cannot_write(&log_path, &error))?;
        let mut command = Command::new(&self.executable);
        command.args(["--output", "json"]);
        match who {
            Who::Node(id) => {
                command
                    .arg("node")
                    .arg("--config")
                    .arg(self.config_file(who));
                if !self.layout.founded_marker(id).exists() {
                    command.arg("--bootstrap");
                }
            }
            Who::Gateway(_) => {
                command
                    .arg("gateway")
                    .arg("--config")
                    .arg(self.config_file(who));
            }
        }
        command
            .args(["--parent", &std::process::id().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for the demo, which stops its children in order.
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn();
        let child = child.map_err(|error| {
            Failure::unexpected(format!("cannot start {}: {error}", who.name()))
        })?;
        let pid = child.id().unwrap_or_default();
        self.running.push(Running { who, pid, child });
        self.write_pids()
    }

    /// A child says that it is ready with one line; its output ends when it does.
    async fn await_ready(&mut self, who: Who, checklist: &Checklist) -> Result<(), Failure> {
        let name = who.name();
        let step = checklist.begin(&name);
        let log_path = self.log_file(who);
        let env = self.env.clone();
        let running = self.running.iter_mut().find(|running| running.who == who);
        let running = running.expect("a child that was started runs until it is seen to end");
        let stdout = running.child.stdout.take();
        let mut lines = BufReader::new(stdout.expect("the output is piped")).lines();
        let said = env.timeout(READY_TIME_MAX, lines.next_line()).await;
        match said {
            Ok(Ok(Some(_ready))) => {
                // Kept open, so that the child can print until it ends.
                drop(env.spawn("child-output", async move {
                    while let Ok(Some(_)) = lines.next_line().await {}
                }));
                let (pid, address) = (running.pid, self.address(who));
                step.done(&format!("{name:<10} {address:<16} process {pid}"));
                Ok(())
            }
            Ok(_) => {
                let how = describe(running.child.wait().await.ok());
                drop(step);
                checklist.failed(&format!("{name} {how}"));
                checklist.quote(&log_tail(&log_path));
                Err(Failure::unexpected(format!("{name} {how} while starting"))
                    .next(format!("see {}", log_path.display())))
            }
            Err(_elapsed) => {
                drop(step);
                checklist.quote(&log_tail(&log_path));
                let seconds = READY_TIME_MAX.as_secs();
                let what = format!("{name} was not ready after {seconds} s");
                Err(Failure::unexpected(what).next(format!("see {}", log_path.display())))
            }
        }
    }

    /// For tests and people who kill processes: who has which id.
    fn write_pids(&self) -> Result<(), Failure> {
        let list = |is_node: bool| {
            let of_kind = self
                .running
                .iter()
                .filter(move |running| matches!(running.who, Who::Node(_)) == is_node);
            of_kind
                .map(|running| {
                    json!({
                        "name": running.who.name(),
                        "pid": running.pid,
                        "address": self.address(running.who),
                    })
                })
                .collect::<Vec<_>>()
        };
        let pids = json!({
            "demo": std::process::id(),
            "nodes": list(true),
            "gateways": list(false),
        });
        // Never seen half written.
        let path = self.layout.pids_file();
        let new = path.with_extension("json.new");
        fs::write(&new, format!("{pids:#}\n"))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| cannot_write(&path, &error))
    }

    fn directory(&self, who: Who) -> PathBuf {
        match who {
            Who::Node(id) => self.layout.node_dir(id),
            Who::Gateway(number) => self.layout.gateway_dir(number),
        }
    }

    fn address(&self, who: Who) -> String {
        match who {
            Who::Node(id) => self.layout.node_address(id),
            Who::Gateway(number) => self.layout.gateway_address(number),
        }
    }

    fn log_file(&self, who: Who) -> PathBuf {
        self.directory(who).join(match who {
            Who::Node(_) => "node.log",
            Who::Gateway(_) => "gateway.log",
        })
    }

    pub(super) fn config_file(&self, who: Who) -> PathBuf {
        self.directory(who).join(match who {
            Who::Node(_) => "node.toml",
            Who::Gateway(_) => "gateway.toml",
        })
    }
}

/// As it reads after a name.
fn describe(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(status) = status else {
        return "ended".to_owned();
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The last lines of a log, as far as it can be read.
fn log_tail(path: &Path) -> Vec<String> {
    let content = fs::read(path).unwrap_or_default();
    let tail = &content[content.len().saturating_sub(LOG_TAIL_BYTES)..];
    let text = String::from_utf8_lossy(tail);
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.log");
        assert!(log_tail(&path).is_empty());
        let text: String = (0..10_000).map(|line| format!("line {line}\n")).collect();
        fs::write(&path, text).unwrap();
        let tail = log_tail(&path);
        assert_eq!(tail.len(), LOG_LINES_SHOWN);
        assert_eq!(tail.last().unwrap(), "line 9999");
    }

    #[test]
    fn an_end_reads_well() {
        use std::os::unix::process::ExitStatusExt as _;
        let ended = |raw| describe(Some(ExitStatus::from_raw(raw)));
        assert_eq!(ended(9), "was killed by signal 9");
        assert_eq!(ended(2 << 8), "ended with exit code 2");
    }
}
