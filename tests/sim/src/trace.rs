//! What tells one run from another: its readable log (faults, elections, verdicts, each with its time), and hashes
//! of what was said and written.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use quorate_link::Env;

use crate::chance::mix;

/// Who is told what happens, line by line.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Where a run is told. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    env: Env,
    tell: Option<Tell>,
}

impl Log {
    /// Tells nobody.
    pub fn silent(env: Env) -> Self {
        Self { env, tell: None }
    }

    /// Tells every line.
    pub fn to(env: Env, tell: Tell) -> Self {
        let tell = Some(tell);
        Self { env, tell }
    }

    /// Tells one thing.
    pub fn say(&self, what: fmt::Arguments<'_>) {
        if let Some(tell) = &self.tell {
            let at = self.env.monotonic();
            tell(&format!("{:>9.3} s  {what}", at.as_secs_f64()));
        }
    }
}

/// A hash over bytes in their order: equal for equal runs, in every process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BytesHash(u64);

impl BytesHash {
    /// These bytes come next.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        // Fixed keys: the same in every process.
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        self.0 = mix(self.0 ^ hasher.finish());
    }

    /// The hash so far.
    pub(crate) fn get(self) -> u64 {
        self.0
    }
}
