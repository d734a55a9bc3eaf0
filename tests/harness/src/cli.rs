//! The program's own commands, run as people run them: as processes, by their exit codes and what they print.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// For one command. A machine that does other things as well is slow.
const TIME_LIMIT: &str = "--timeout=20s";

/// The commands of one context.
#[derive(Clone, Debug)]
pub struct Cli {
    program: PathBuf,
    context: PathBuf,
}

impl Cli {
    /// Of the program at `program`, on the cluster of `context`.
    #[must_use]
    pub fn new(program: &Path, context: &Path) -> Self {
        Self {
            program: program.to_owned(),
            context: context.to_owned(),
        }
    }

    /// Runs a command to its end, with JSON for its output.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command
            .args(["--output=json", TIME_LIMIT, "--context"])
            .arg(&self.context);
        Ok(command.args(arguments).stdin(Stdio::null()).output()?)
    }

    /// Runs a command that must end with this code, and reads what it says; nothing is `null`.
    ///
    /// # Errors
    /// It ended otherwise, or did not print one JSON document.
    pub fn run(&self, code: i32, arguments: &[&str]) -> anyhow::Result<Value> {
        let out = self.text(code, arguments)?;
        if out.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&out).with_context(|| format!("{arguments:?} printed {out}"))
    }

    /// Runs a command that must fail with this code; what it says is wrong, in words.
    ///
    /// # Errors
    /// It ended otherwise, or said nothing.
    pub fn complaint(&self, code: i32, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(code),
            "{arguments:?} ended with {} instead of {code}: {said}",
            output.status
        );
        ensure!(
            !said.trim().is_empty(),
            "{arguments:?} failed without a word"
        );
        Ok(said)
    }

    fn text(&self, code: i32, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(
            output.status.code() == Some(code),
            "{arguments:?} ended with {} instead of {code}: {out}{err}",
            output.status
        );
        Ok(out.into_owned())
    }
}
