//! What a counter needs of a gateway: the seam to the network.

use std::{future::Future, time::Duration};

use quorate_client::{
    ReadError, SignedSlip, Terminal, TerminalIdentity, WriteError,
    model::{Recorded, Sale, SlipAnswer},
};
use quorate_link::SealingKey;
use quorate_proto::ids::RequestId;

/// A gateway, when there is one.
pub trait Online: Send + Sync {
    /// Who this terminal is.
    fn identity(&self) -> &TerminalIdentity;

    /// The gateways' key, as the last login brought it.
    fn sealing_key(&self) -> Option<SealingKey>;

    /// Decides and records a sale.
    fn record(
        &self,
        request_id: RequestId,
        sale: &Sale,
        time_limit: Duration,
    ) -> impl Future<Output = Result<Recorded, WriteError>> + Send;

    /// Hands in slips in one attempt; `answered` hears of each as it is decided.
    fn hand_in(
        &self,
        slips: &[SignedSlip],
        patience: Duration,
        answered: &mut (dyn FnMut(SlipAnswer) + Send),
    ) -> impl Future<Output = Result<(), ReadError>> + Send;
}

impl Online for Terminal {
    fn identity(&self) -> &TerminalIdentity {
        Terminal::identity(self)
    }

    fn sealing_key(&self) -> Option<SealingKey> {
        Terminal::sealing_key(self)
    }

    async fn record(
        &self,
        request_id: RequestId,
        sale: &Sale,
        time_limit: Duration,
    ) -> Result<Recorded, WriteError> {
        Terminal::record(self, request_id, sale, time_limit).await
    }

    async fn hand_in(
        &self,
        slips: &[SignedSlip],
        patience: Duration,
        answered: &mut (dyn FnMut(SlipAnswer) + Send),
    ) -> Result<(), ReadError> {
        Terminal::hand_in(self, slips, patience, answered).await
    }
}
