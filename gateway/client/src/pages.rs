//! Answers that come as a stream of pages.
//!
//! Law: a stream is opened, and asked again, until its first page is here; what ends it afterwards is told
//! and not repeated, because the rows before have been handed out.

use std::{collections::VecDeque, time::Duration};

use futures_util::{Stream, stream::try_unfold};
use quorate_link::Env;
use tonic::{Status, Streaming};

use crate::{deadline::Deadline, error::Failed, outcome::Attempt};

/// An open stream, its first page already read.
pub(crate) struct Pages<Page> {
    first: Option<Page>,
    rest: Streaming<Page>,
}

/// Waits for the first page, so that what fails before it can be asked again.
pub(crate) async fn open<Page>(mut stream: Streaming<Page>) -> Result<Pages<Page>, Status> {
    Ok(Pages {
        first: stream.message().await?,
        rest: stream,
    })
}

impl<Page> Pages<Page> {
    /// The next page; `None` after the last one.
    async fn next(&mut self, env: &Env, deadline: Deadline) -> Result<Option<Page>, Failed> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let left: Duration = deadline.left(env);
        match env.timeout(left, self.rest.message()).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(status)) => {
                let judged = Attempt::judge(&status);
                Err(Failed::new(judged, &status, "in use", 1, false))
            }
            Err(_elapsed) => Err(Failed::late(1, false)),
        }
    }
}

/// The rows of all pages, one by one. `read` turns a page into rows; `fail` says what a failure means to
/// the caller.
pub(crate) fn rows<Page, Row, E>(
    pages: Pages<Page>,
    env: Env,
    deadline: Deadline,
    read: impl Fn(Page) -> Result<Vec<Row>, E> + Send + 'static,
    fail: impl Fn(Failed) -> E + Send + 'static,
) -> impl Stream<Item = Result<Row, E>> + Send
where
    Page: Send + 'static,
    Row: Send + 'static,
    E: Send + 'static,
{
    let start = (pages, VecDeque::new(), read, fail);
    try_unfold(start, move |(mut pages, mut ready, read, fail)| {
        let env = env.clone();
        async move {
            loop {
                if let Some(row) = ready.pop_front() {
                    return Ok(Some((row, (pages, ready, read, fail))));
                }
                match pages.next(&env, deadline).await {
                    Ok(Some(page)) => ready.extend(read(page)?),
                    Ok(None) => return Ok(None),
                    Err(failed) => return Err(fail(failed)),
                }
            }
        }
    })
}
