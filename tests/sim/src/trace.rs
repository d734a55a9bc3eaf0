//! The readable log of one run: faults, elections, verdicts, each with its time.

use std::fmt;
use std::sync::Arc;

use quorate_link::Env;

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
