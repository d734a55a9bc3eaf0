//! The last page of a history: everybody who was asked about is listed once more, so that a checker sees what
//! was really recorded.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use quorate_client::{ReadError, model::Sales};

use super::{
    history::{Call, HistoryFile},
    plan::{Act, Order},
    stage::Stage,
};
use crate::{exit::Failure, progress, reach::Reach};

/// Lists under way at once.
const LISTS: usize = 512;

/// Each list has a client of its own, with a number that no client of the load has.
const FIRST_CLIENT: u64 = 1 << 31;

/// How often a list is asked for that is not answered; a cluster may be choosing leaders.
const ATTEMPTS: u32 = 5;

/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// # Errors
/// Somebody could not be listed: the history cannot be judged.
pub(super) async fn audit(
    history: &HistoryFile,
    stage: &Stage,
    reach: &Reach,
) -> Result<(), Failure> {
    let persons: BTreeSet<u64> = history.persons();
    let bar = progress::counter("listing everybody", persons.len() as u64, reach.output);
    let listed = stream::iter(FIRST_CLIENT..)
        .zip(stream::iter(persons))
        .map(|(client, person)| {
            let bar = &bar;
            async move {
                let start = reach.env.monotonic();
                let sales = list(person, stage).await?;
                let call = Call {
                    client,
                    person,
                    quantity: 0,
                    request_id: None,
                    start,
                    end: reach.env.monotonic(),
                };
                history.listed(call, &sales);
                bar.inc(1);
                Ok::<(), ReadError>(())
            }
        })
        .buffer_unordered(LISTS)
        .try_collect::<()>()
        .await;
    bar.finish_and_clear();
    Ok(listed?)
}

async fn list(person: u64, stage: &Stage) -> Result<Sales, ReadError> {
    let anything = Order {
        person,
        quantity: 0,
        act: Act::Check,
    };
    let sale = stage.sale(anything);
    let terminal = stage.any_terminal(person);
    let mut attempt = 1;
    loop {
        let answer = terminal
            .list(&sale.citizen, sale.program, stage.time_limit)
            .await;
        match answer {
            Err(ReadError::Unavailable(_)) if attempt < ATTEMPTS => {
                stage.env.sleep(PAUSE).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}
