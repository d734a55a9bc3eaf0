//! One child process of the program: started, killed, stopped, continued, and always reaped.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use quorate_link::Env;
use rustix::process::{Pid, Signal, kill_process};

/// How often an end is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How often threads are looked at.
const FREEZE_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// One process, running or not. Everything it prints goes to its log, over all its lives.
#[derive(Debug)]
pub struct Process {
    /// Such as `node-1`.
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(super) fn new(name: &str, program: &Path, arguments: Vec<String>, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments,
            environment: Vec::new(),
            log,
            child: None,
        }
    }

    /// A variable of its environment, in every life from the next on.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it, with arguments for this life only.
    ///
    /// # Errors
    /// It runs already, or cannot be started.
    pub fn start(&mut self, once: &[&str]) -> anyhow::Result<()> {
        if self.is_running() {
            bail!("{} runs already", self.name);
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .args(["--parent", &std::process::id().to_string()])
            .args(once)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // What is typed at a test's terminal is for the test alone.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", self.name))?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends it without warning: SIGKILL. Returns when it is gone, with how it ended: otherwise than by this signal if
    /// it had ended by itself before; `None` if it did not run.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        // Ended by itself: then there is nothing to kill and something to reap.
        let _ended_before = child.kill();
        child.wait().ok()
    }

    /// Asks it to end: SIGTERM.
    ///
    /// # Errors
    /// It does not run.
    pub fn ask_to_end(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Freezes it: SIGSTOP. On a busy machine its threads go on for a moment, see [`Process::frozen`].
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Waits until no thread of a process that was frozen runs any more, or is about to: what the system does for
    /// one of them is done by then.
    ///
    /// # Errors
    /// It does not run, or one of them still does after `time_limit`.
    pub async fn frozen(&self, env: &Env, time_limit: Duration) -> anyhow::Result<()> {
        let deadline = env.monotonic() + time_limit;
        while !self.is_frozen()? {
            if env.monotonic() > deadline {
                bail!("a thread of {} still runs after {time_limit:?}", self.name);
            }
            env.sleep(FREEZE_POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Whether none of its threads runs, or is about to.
    ///
    /// # Errors
    /// It does not run.
    pub fn is_frozen(&self) -> anyhow::Result<bool> {
        let pid = self.pid();
        all_stopped(pid.with_context(|| format!("{} does not run", self.name))?)
    }

    /// Lets it go on: SIGCONT.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self
            .pid()
            .with_context(|| format!("{} does not run", self.name))?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("a process id is positive")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Of the running process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether it runs; one that has ended by itself is reaped.
    pub fn is_running(&mut self) -> bool {
        matches!(self.try_end(), Ok(None)) && self.child.is_some()
    }

    /// How it ended, if it has ended by itself and nobody has been told yet; it is reaped then.
    ///
    /// # Errors
    /// The system does not say.
    pub fn try_end(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It still runs after `time_limit`, or did not run.
    pub async fn ended(&mut self, env: &Env, time_limit: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = env.monotonic() + time_limit;
        loop {
            if let Some(status) = self.try_end()? {
                return Ok(status);
            }
            if self.child.is_none() {
                bail!("{} did not run", self.name);
            }
            if env.monotonic() > deadline {
                bail!("{} still runs after {time_limit:?}", self.name);
            }
            env.sleep(POLL_INTERVAL).await;
        }
    }

    /// Everything it has printed, in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        self.log_since(0)
    }

    /// Bytes it has printed, in all its lives.
    #[must_use]
    pub fn log_length(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |about| about.len())
    }

    /// What it has printed behind the first `length` bytes.
    #[must_use]
    pub fn log_since(&self, length: u64) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut log| {
            log.seek(SeekFrom::Start(length))?;
            log.read_to_end(&mut bytes)
        });
        // Never started: it has printed nothing.
        read.map_or_else(
            |_| String::new(),
            |_| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Forgets what it has printed so far.
    ///
    /// # Errors
    /// The log cannot be emptied.
    pub fn clear_log(&self) -> io::Result<()> {
        File::create(&self.log).map(|_| ())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _how_it_ended = self.kill();
    }
}

/// Whether every thread of a process is stopped.
fn all_stopped(pid: u32) -> anyhow::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(stat) = fs::read_to_string(thread?.path().join("stat")) else {
            // It has ended meanwhile.
            continue;
        };
        // The state follows the name, which is in parentheses and may hold anything.
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        if !matches!(state, Some('T' | 't' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    fn shell(directory: &Path, script: &str) -> Process {
        // The shell takes what follows the script, the test's own arguments, for its parameters.
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        let log = directory.join("log");
        Process::new("shell", Path::new("sh"), arguments, log)
    }

    #[test]
    fn a_kill_tells_a_process_that_had_ended_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let mut waits = shell(directory.path(), "sleep 600");
        assert!(waits.kill().is_none(), "it was not started yet");
        waits.start(&[]).unwrap();
        assert_eq!(waits.kill().unwrap().signal(), Some(9));
        assert!(waits.kill().is_none());

        let mut ends = shell(directory.path(), "exit 7");
        ends.start(&[]).unwrap();
        let pid = Pid::from_raw(i32::try_from(ends.pid().unwrap()).unwrap());
        // Until it is a zombie, which it stays.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid.unwrap()), options).unwrap();
        assert_eq!(ends.kill().unwrap().code(), Some(7));
    }

    #[test]
    fn a_log_is_read_from_where_it_was_read_to() {
        let directory = tempfile::tempdir().unwrap();
        let mut prints = shell(directory.path(), "echo one; echo two");
        assert_eq!((prints.log_length(), prints.log()), (0, String::new()));
        prints.start(&[]).unwrap();
        prints.child.take().unwrap().wait().unwrap();
        assert_eq!(prints.log_length(), 8);
        assert_eq!(prints.log_since(4), "two\n");
    }
}
