//! Bulk import of sites over one stream.
//!
//! Batches are answered in order. When the stream breaks, a new one goes on with the first batch that was
//! not answered: putting a site twice changes nothing. A batch that was put and not answered counts as
//! unchanged the second time.

use std::time::Duration;

use quorate_proto::admin;
use thiserror::Error;
use tonic::{Request, Status};

use crate::{
    codec,
    error::{AdminError, Failed},
    model::{Changes, Site},
    operator::{self, Operator},
    outcome::Attempt,
};

/// Sites in one message. The contract allows 1,000; half of it keeps a message near 100 KiB and the
/// progress smooth.
pub const IMPORT_BATCH_SITES: usize = 500;

/// Streams in a row that may break without one batch being answered.
const FRUITLESS_STREAMS_MAX: u32 = 8;

/// An import ended early. Running it again is safe and goes through what is there already.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the import stopped after {sites_done} sites: {source}")]
pub struct ImportError {
    /// Sites whose batches were answered.
    pub sites_done: usize,
    /// What ended it.
    pub source: AdminError,
}

impl Operator {
    /// Adds or replaces sites. `progress` hears how many are done; `batch_time_limit` bounds the wait for
    /// one batch.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub async fn import_sites(
        &self,
        sites: &[Site],
        batch_time_limit: Duration,
        mut progress: impl FnMut(usize) + Send,
    ) -> Result<Changes, ImportError> {
        let mut done = 0;
        let mut changes = Changes::default();
        let mut fruitless = 0;
        loop {
            let done_before = done;
            let (gateway, address, channel) = self.connection().channel();
            let batches: Vec<_> = sites[done..]
                .chunks(IMPORT_BATCH_SITES)
                .map(|chunk| admin::ImportSitesRequest {
                    sites: chunk.iter().map(codec::site_to_wire).collect(),
                })
                .collect();
            let streamed = async {
                let request = Request::new(tokio_stream::iter(batches));
                let mut client = operator::client(channel);
                let mut answers = self
                    .in_time(batch_time_limit, client.import_sites(request))
                    .await?
                    .into_inner();
                while done < sites.len() {
                    let answer = self.in_time(batch_time_limit, answers.message()).await?;
                    let answer =
                        answer.ok_or_else(|| Status::unavailable("the stream ended early"))?;
                    changes.add(&answer);
                    done = sites.len().min(done + IMPORT_BATCH_SITES);
                    progress(done);
                }
                Ok::<(), Status>(())
            };
            let Err(status) = streamed.await else {
                return Ok(changes);
            };
            fruitless = if done > done_before { 1 } else { fruitless + 1 };
            let judged = Attempt::judge(&status);
            if judged.unreachable {
                self.connection().leave(gateway);
            }
            match self.connection().pause_before_next(&judged, fruitless) {
                Some(pause) if fruitless < FRUITLESS_STREAMS_MAX => {
                    self.connection().env().sleep(pause).await;
                }
                _ => {
                    let failed = Failed::new(judged, &status, address, fruitless, true);
                    return Err(ImportError {
                        sites_done: done,
                        source: failed.into_admin(),
                    });
                }
            }
        }
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let env = self.connection().env();
        match env.timeout(limit, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Status::unavailable("no answer in time")),
        }
    }
}

impl Changes {
    fn add(&mut self, answer: &admin::ImportSitesResponse) {
        self.added += u64::from(answer.added);
        self.replaced += u64::from(answer.replaced);
        self.unchanged += u64::from(answer.unchanged);
    }
}
