//! Why a configuration file cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::exit::Failure;

/// Farthest a mistyped key may be from what it was meant to be, in edits for each three characters.
const EDITS_PER_THREE_CHARACTERS: usize = 1;

#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: unknown key `{key}`; {}", place(path, *line), suggestion(nearest.as_deref(), valid))]
    UnknownKey {
        path: PathBuf,
        line: Option<usize>,
        key: String,
        nearest: Option<String>,
        valid: Vec<String>,
    },
    #[error("{}: {message}", place(path, *line))]
    Fault {
        path: PathBuf,
        line: Option<usize>,
        message: String,
    },
    #[error("{}: {message}", path.display())]
    Invalid { path: PathBuf, message: String },
}

impl ConfigError {
    /// What a parser said. Serde says which key is unknown, and which are valid, in words only.
    pub(crate) fn fault(path: &Path, line: Option<usize>, message: &str) -> Self {
        let path = path.to_owned();
        let Some(said) = message.strip_prefix("unknown field ") else {
            return Self::Fault {
                path,
                line,
                message: message.trim().to_owned(),
            };
        };
        let mut quoted = said.split('`').skip(1).step_by(2).map(str::to_owned);
        let key = quoted.next().unwrap_or_default();
        Self::unknown_key(&path, line, key, quoted.collect())
    }

    /// A key that is none of the valid ones.
    pub(crate) fn unknown_key(
        path: &Path,
        line: Option<usize>,
        key: String,
        valid: Vec<String>,
    ) -> Self {
        Self::UnknownKey {
            path: path.to_owned(),
            line,
            nearest: nearest(&key, &valid),
            key,
            valid,
        }
    }
}

fn nearest(key: &str, valid: &[String]) -> Option<String> {
    let distance = |candidate: &&String| strsim::damerau_levenshtein(key, candidate);
    let best = valid.iter().min_by_key(distance)?;
    let edits_max = EDITS_PER_THREE_CHARACTERS * key.chars().count().div_ceil(3);
    (distance(&best) <= edits_max).then(|| best.clone())
}

fn place(path: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

fn suggestion(nearest: Option<&str>, valid: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if valid.is_empty() => "no key is valid here".to_owned(),
        None => {
            let quoted: Vec<_> = valid.iter().map(|key| format!("`{key}`")).collect();
            format!("valid here: {}", quoted.join(", "))
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}
