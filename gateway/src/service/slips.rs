//! Sales made on paper, handed in: a stream of slips in, a stream of outcomes out.
//!
//! Laws: every slip is judged by itself and answered once, in whatever order they are decided; a slip that
//! cannot be decided now is answered `NOT_DECIDED` within [`limits::SLIP_TIMEOUT`] and holds up no other; only a
//! message that the transport cannot decode ends the stream. The site that sold is that of the session; any of its
//! devices may hand in what another wrote, because the key of the device that wrote it verifies it.
//!
//! The first of these faults is the one that is named: malformed; not a device of this site; signature;
//! ID that cannot be opened; ID that is none; quantity; program; product; and then what the citizen's shard
//! says (too old, in the future, unknown program or product, request id of another sale).
//!
//! Deliberately absent: any opinion on the ration. The shard records what is authentic.

mod devices;
mod judge;
pub(crate) mod parse;

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use quorate_proto::v1::{UploadSlipsRequest, UploadSlipsResponse, slips_server::Slips};
use tonic::{Code, Request, Response, Status, Streaming};

use super::{border::Border, deadline, errors, guard};
use crate::limits;
use judge::Judge;

/// See the module's documentation.
pub(crate) struct SlipsService {
    pub(crate) border: Arc<Border>,
}

#[tonic::async_trait]
impl Slips for SlipsService {
    type UploadSlipsStream =
        Pin<Box<dyn Stream<Item = Result<UploadSlipsResponse, Status>> + Send + 'static>>;

    async fn upload_slips(
        &self,
        request: Request<Streaming<UploadSlipsRequest>>,
    ) -> Result<Response<Self::UploadSlipsStream>, Status> {
        let border = &self.border;
        let session = border.session(&request)?;
        let deadline = stream_deadline(border, &request)?;
        let place = border.slip_streams.clone().try_acquire_owned();
        let place = place.map_err(|_| errors::overloaded(border.env()))?;
        let judge = Arc::new(Judge::new(border.clone(), session, deadline));
        let answers = request
            .into_inner()
            .map(move |message| {
                let judge = judge.clone();
                async move {
                    let message = message.map_err(decoder)?;
                    Ok(judge.answer(message.slip).await)
                }
            })
            .buffer_unordered(limits::SLIPS_AT_ONCE)
            // The stream keeps its place until it ends.
            .map(move |answer| {
                let _place = &place;
                answer
            });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// A stream lasts as long as its client likes; one that set a deadline hears of every slip before it.
fn stream_deadline<T>(border: &Border, request: &Request<T>) -> Result<Option<Duration>, Status> {
    match request.metadata().contains_key(deadline::HEADER) {
        true => border.deadline(request, deadline::OPERATOR).map(Some),
        false => Ok(None),
    }
}

/// As for single messages: the decoder's own error gets our reason.
fn decoder(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => guard::too_large(),
        _ => status,
    }
}
