//! Panics of tasks, caught and told with their place.

use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What a panic said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Panic {
    /// Its message.
    pub message: String,
    /// `file:line`, if it is known.
    pub place: String,
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.place)
    }
}

thread_local! {
    /// The panic of the task that goes on here; `None` outside of tasks.
    static SEEN: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Does `work` and catches its panic, which is not printed.
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let seen = Panic {
                message: info
                    .payload_as_str()
                    .unwrap_or("a panic without a message")
                    .to_owned(),
                place: info.location().map(ToString::to_string).unwrap_or_default(),
            };
            let inside = SEEN.with_borrow_mut(|inside| {
                // The first panic is the cause; those of destructors follow from it.
                if let Some(known) = inside
                    && *known == Panic::default()
                {
                    *known = seen;
                }
                inside.is_some()
            });
            if !inside {
                otherwise(info);
            }
        }));
    });
    SEEN.set(Some(Panic::default()));
    let caught = panic::catch_unwind(AssertUnwindSafe(work));
    let seen = SEEN.take().unwrap_or_default();
    caught.map_err(|_| seen)
}
