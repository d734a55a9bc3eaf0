//! The process itself: its log, its runtime, its signals, its parent.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use rustix::process::{Pid, Signal};
use tokio::{
    runtime::{self, Runtime},
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{Cli, Command},
    exit::Failure,
};

/// Whether the environment forbids colours (<https://no-color.org>).
pub(crate) fn plain_output() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is where the environment is read"
    )]
    let no_color = env::var_os("NO_COLOR");
    no_color.is_some_and(|value| !value.is_empty())
}

/// The language and country that the environment asks for, such as `ko_KR.UTF-8`.
pub(crate) fn locale() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program is where the environment is read"
    )]
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].map(env::var_os);
    let named = named.into_iter().flatten().find(|name| !name.is_empty())?;
    named.into_string().ok()
}

/// What servers log. That a peer cannot be reached is told once by the node; openraft would tell it of every message.
const SERVER_LOG: &str = "info,openraft=warn,openraft::core::heartbeat=error,openraft::replication=error,\
    openraft::engine::handler::replication_handler=error";

/// Logs to stderr: servers from `info` on (Raft itself from `warn` on), everything else from `warn` on,
/// unless told otherwise.
pub(crate) fn log_to_stderr(cli: &Cli) -> Result<(), Failure> {
    let usual = match cli.command {
        Command::Node(_) | Command::Gateway(_) => SERVER_LOG,
        Command::Terminal(ref args) if args.draws() => "off",
        _ => "warn",
    };
    let filter = cli.global.log.as_deref().unwrap_or(usual);
    let filter: EnvFilter = filter
        .parse()
        .map_err(|error| Failure::usage(format!("--log {filter:?} is no filter: {error}")))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && !plain_output())
        .init();
    Ok(())
}

/// Servers use every core. The demo starts its children from the main thread, because they end with the
/// thread that started them. A load generator takes as little as it is told to from what it measures.
pub(crate) fn runtime(command: &Command) -> Result<Runtime, Failure> {
    let threads = match command {
        Command::Node(_) | Command::Gateway(_) => None,
        Command::Load(args) => Some(args.threads()),
        _ => Some(1),
    };
    let mut builder = match threads {
        Some(1) => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    if let Some(threads @ 2..) = threads {
        builder.worker_threads(usize::from(threads));
    }
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format!("cannot start: {error}")))
}

/// Completes when the process is asked to end: SIGTERM or SIGINT. Signals count from this call on.
pub(crate) fn asked_to_end() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::unexpected(format!("cannot hear signals: {error}")))
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Binds this process's life to that of process `parent`, which started it: killed, it takes this one along.
pub(crate) fn end_with_parent(parent: Option<u32>) -> Result<(), Failure> {
    let Some(parent) = parent else {
        return Ok(());
    };
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::unexpected(format!("cannot follow the parent: {error}")))?;
    // It may have ended before the signal was set.
    let parent = i32::try_from(parent).ok().and_then(Pid::from_raw);
    if rustix::process::getppid() == parent {
        Ok(())
    } else {
        Err(Failure::unexpected("the parent process has ended"))
    }
}

/// Asks a process to end. One that has ended already needs no asking.
pub(crate) fn ask_to_end(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        && let Err(error) = rustix::process::kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "a process was not there to be ended");
    }
}
