//! Reports over all shards, page by page, as streams: rows leave as they come, and little is held.
//!
//! Laws: a report is whole or ends with an error that names the shard at fault; what was divided or moved
//! meanwhile ends it too, because rows may have been passed over.

mod daily;
mod over_quota;

use std::{sync::Arc, time::Duration};

use quorate_proto::{
    ids::{Epoch, ShardId},
    status::{ErrorReason, to_status},
};
use tonic::Status;

use super::Admitted;
use crate::{
    directory::View,
    limits,
    model::{Place, stock::Page},
    nodes::Operation,
    service::{border::Border, errors},
};

pub(super) use daily::{Days, daily};
pub(super) use over_quota::{Span, over_quota};

/// A report under way.
pub(super) struct Report {
    border: Arc<Border>,
    admitted: Admitted,
    /// The shards as they were when it began.
    shards: Vec<(ShardId, Epoch)>,
}

impl Report {
    pub(super) fn new(border: Arc<Border>, admitted: Admitted, view: &View) -> Arc<Report> {
        Arc::new(Report {
            border,
            admitted,
            shards: shards_of(view),
        })
    }

    fn shards(&self) -> Vec<ShardId> {
        self.shards.iter().map(|(shard, _)| *shard).collect()
    }

    fn deadline(&self) -> Duration {
        self.admitted.deadline
    }

    /// One page of one shard.
    async fn page<Row, Ask>(&self, shard: ShardId, ask: &Ask) -> Result<Page<Row>, Status>
    where
        Ask: Operation<Answer = Page<Row>>,
    {
        let dispatcher = &self.border.dispatcher;
        let answered = dispatcher
            .call(Place::Shard(shard), ask, self.deadline())
            .await;
        match answered {
            Ok(answered) => Ok(answered.answer),
            Err(error) => Err(errors::at_shard(error, shard, self.border.env())),
        }
    }

    /// Whether every row had its one place from the beginning to the end.
    async fn check_whole(&self) -> Result<(), Status> {
        let view = self.border.view(self.deadline()).await?;
        if shards_of(&view) == self.shards {
            return Ok(());
        }
        let message = "shards were moved during the report, so rows may be missing; ask again";
        let wait = limits::RETRY_AFTER_UNAVAILABLE;
        Err(to_status(
            ErrorReason::ShardUnavailable,
            message,
            &[],
            Some(wait),
        ))
    }
}

fn shards_of(view: &View) -> Vec<(ShardId, Epoch)> {
    let shards = view.map.shards().iter();
    shards.map(|shard| (shard.shard, shard.epoch)).collect()
}
