//! Handing in slips over one stream.
//!
//! Laws: every slip that was answered is told to the caller, once, as it is answered; what was not answered when
//! the stream ended is not known to be recorded, and can be handed in again as it is. Deliberately absent:
//! repetition, which is for who keeps the slips.

use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_proto::v1::{UploadSlipsRequest, slips_client::SlipsClient};
use tonic::{Request, Status};

use crate::{
    codec,
    deadline::Deadline,
    error::{Failed, ReadError},
    model::SlipAnswer,
    outcome::Attempt,
    slip::SignedSlip,
    terminal::{CallError, Terminal},
};

impl Terminal {
    /// Hands in slips in one attempt; `answered` hears of each as it is decided, in any order. Ends when all
    /// are answered or nothing was heard for `patience`.
    ///
    /// # Errors
    /// See [`ReadError`]: the login failed, or the stream ended early. What `answered` heard stays true; the
    /// others can be handed in again.
    pub async fn hand_in(
        &self,
        slips: &[SignedSlip],
        patience: Duration,
        mut answered: impl FnMut(SlipAnswer) + Send,
    ) -> Result<(), ReadError> {
        let connection = self.connection();
        let env = connection.env();
        let mut replaced = false;
        loop {
            let deadline = Deadline::after(env, patience);
            let session = self.sessions().session(connection, deadline).await;
            let session = session.map_err(ReadError::Session)?;
            let (gateway, address, channel) = connection.channel();
            let address = address.to_owned();
            let messages: Vec<_> = slips
                .iter()
                .map(|slip| UploadSlipsRequest {
                    slip: Some(slip.to_wire()),
                })
                .collect();
            let mut open = slips.len();
            let streamed = async {
                let mut request = Request::new(tokio_stream::iter(messages));
                let metadata = request.metadata_mut();
                metadata.insert("authorization", session.bearer.clone());
                let mut client = SlipsClient::new(channel);
                let late = |_| Status::unavailable("no answer in time");
                let stream = env.timeout(patience, client.upload_slips(request)).await;
                let mut stream = stream.map_err(late)??.into_inner();
                while open > 0 {
                    let answer = env.timeout(patience, stream.next()).await.map_err(late)?;
                    let answer =
                        answer.ok_or_else(|| Status::unavailable("the stream ended early"))??;
                    let answer = codec::slip_answer(&answer)
                        .map_err(|malformed| Status::internal(malformed.to_string()))?;
                    open -= 1;
                    answered(answer);
                }
                Ok::<(), Status>(())
            };
            let Err(status) = streamed.await else {
                return Ok(());
            };
            let judged = Attempt::judge(&status);
            if judged.unreachable {
                connection.leave(gateway);
            }
            // A session that is over is found out before the first answer.
            if judged.session_over() && !replaced {
                self.sessions().refused(&session);
                replaced = true;
                continue;
            }
            let failed = Failed::new(judged, &status, &address, 1, false);
            return Err(CallError::Failed(failed).into_read());
        }
    }
}
