//! The seams of the simulated node whose task runs on this thread.
//!
//! A foreign library that asks for time, chance and tasks through static functions cannot be handed an [`Env`].
//! A simulator names it here for as long as it polls a task, and the adapter of that library looks it up.
//!
//! State owned: one handle per thread, set by simulators only. Invariant: a process that serves never has one,
//! so that the adapter falls through to the system. Deliberately absent: any other use. What can be handed an
//! `Env` is handed one.

use std::{cell::RefCell, convert::Infallible, sync::Arc};

use super::{Env, Random, system::SystemRandom};

thread_local! {
    static CURRENT: RefCell<Option<Arc<Env>>> = const { RefCell::new(None) };
}

/// Puts back what was there before, also when the work panics.
struct Restore(Option<Arc<Env>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Does `work` on this thread as a part of the simulated node that `env` belongs to.
pub fn with_current_env<T>(env: &Arc<Env>, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(CURRENT.replace(Some(Arc::clone(env))));
    work()
}

/// The seams of the simulated node whose task runs here; `None` outside simulations.
#[must_use]
pub fn current_env() -> Option<Arc<Env>> {
    // A thread that ends has no simulation any more.
    CURRENT
        .try_with(|current| current.borrow().clone())
        .unwrap_or(None)
}

/// Chance for such a library: the simulation's where there is one, otherwise the process's.
pub struct CurrentRandom(Arc<dyn Random>);

impl CurrentRandom {
    /// The generator in force on this thread.
    #[must_use]
    pub fn new() -> Self {
        Self(match current_env() {
            Some(env) => Arc::clone(&env.random),
            None => Arc::new(SystemRandom),
        })
    }
}

impl Default for CurrentRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl rand::TryRng for CurrentRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn it_is_there_for_as_long_as_the_work_and_no_longer() {
        let (outer, inner) = (Arc::new(Env::system()), Arc::new(Env::system()));
        let is = |env: &Arc<Env>| current_env().is_some_and(|found| Arc::ptr_eq(&found, env));
        assert!(current_env().is_none());
        with_current_env(&outer, || {
            assert!(is(&outer));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                with_current_env(&inner, || {
                    assert!(is(&inner));
                    panic!("planted");
                });
            }));
            assert!(panicked.is_err());
            assert!(is(&outer));
        });
        assert!(current_env().is_none());
    }
}
