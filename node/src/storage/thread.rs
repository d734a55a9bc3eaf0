//! Work on the disk that takes long, away from the threads on which everything else waits.

use std::future::Future;

use quorate_link::env::Env;
use tokio::sync::oneshot;

use super::StorageError;

/// Runs `work` on a thread of its own and waits for what it returns. It goes on to its end even if nobody waits.
///
/// # Errors
/// There is no thread for it, or it was interrupted.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    env: &Env,
    name: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, StorageError> {
    const ACTION: &str = "working on a thread of its own";
    let (done, returned) = oneshot::channel();
    env.spawn_blocking(name, async move {
        // Whoever waited may be gone.
        let _ = done.send(work.await);
    })
    .map_err(|e| StorageError::new(ACTION, format!("{name}: {e}")))?;
    returned
        .await
        .map_err(|_| StorageError::new(ACTION, format!("{name} was interrupted")))
}
