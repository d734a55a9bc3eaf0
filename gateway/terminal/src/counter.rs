//! Selling: online if a gateway answers, on paper if none does.
//!
//! Law: one sale, one request id. A sale whose online outcome is unknown goes on paper under the same id: if it was
//! recorded, its slip is a duplicate; if not, its slip records it. What a gateway refused as wrong is never sold on
//! paper.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use quorate_client::{
    SessionError, SignedSlip, WriteError,
    model::{IdShapeError, PaperSale, Recorded, Sale},
};
use quorate_link::{Env, SealError, SealingKey};
use quorate_proto::ids::RequestId;

use crate::{
    journal::{JournalError, SharedJournal},
    limits,
    online::Online,
};

/// A sale that was made.
#[derive(Clone, Debug)]
pub enum Sold {
    /// A gateway answered; it may have denied it.
    Online(Recorded),
    /// No gateway answered: it is written down.
    OnPaper(PaperReceipt),
}

/// What is known of a sale on paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaperReceipt {
    /// Names the sale.
    pub request_id: RequestId,
    /// Of the slip.
    pub sequence: u64,
    /// Unix milliseconds, by this machine's clock.
    pub sold_at_ms: i64,
    /// Why no gateway answered.
    pub cause: String,
    /// Whether the sale may have been recorded online all the same. Handing the slip in tells.
    pub maybe_recorded: bool,
    /// Slips that wait to be handed in, this one included.
    pub waiting: usize,
}

/// Why there is no sale.
#[derive(Debug, thiserror::Error)]
pub enum SellError {
    /// A gateway refused the request as wrong. Nothing was recorded.
    #[error(transparent)]
    Refused(WriteError),
    /// No gateway answered, and this is no ID.
    #[error("no gateway answers, and this is no ID: {0}")]
    Shape(#[from] IdShapeError),
    /// No gateway answers, and this counter was never given the key to seal IDs with.
    #[error(
        "no gateway answers, and this counter has no sealing key: log in once, or set `sealing_key` in the context"
    )]
    NoKey,
    /// The ID cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It could not be written down. The goods stay here.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A counter with its journal.
pub struct Counter<O> {
    online: O,
    journal: SharedJournal,
    /// For times before the first login.
    first_key: Option<SealingKey>,
    /// Whether the last sale found no gateway.
    outage: AtomicBool,
    env: Env,
}

impl<O: Online> Counter<O> {
    /// A counter over `journal`. `first_key` seals until a login brings a newer one.
    pub fn new(online: O, journal: SharedJournal, first_key: Option<SealingKey>, env: Env) -> Self {
        Self {
            online,
            journal,
            first_key,
            outage: AtomicBool::new(false),
            env,
        }
    }

    /// Its journal.
    pub const fn journal(&self) -> &SharedJournal {
        &self.journal
    }

    /// Its way to the gateways.
    pub const fn online(&self) -> &O {
        &self.online
    }

    /// Sells. `patience` bounds the wait for a gateway; in an outage the wait is shorter.
    ///
    /// # Errors
    /// See [`SellError`]: nothing was sold.
    pub async fn sell(
        &self,
        request_id: RequestId,
        sale: &Sale,
        patience: Duration,
    ) -> Result<Sold, SellError> {
        let patience = match self.outage.load(Ordering::Relaxed) {
            true => patience.min(limits::ONLINE_PATIENCE_IN_OUTAGE),
            false => patience,
        };
        let error = match self.online.record(request_id, sale, patience).await {
            Ok(recorded) => {
                self.heard();
                return Ok(Sold::Online(recorded));
            }
            Err(error) => error,
        };
        let Some(maybe_recorded) = no_answer(&error) else {
            self.heard();
            return Err(SellError::Refused(error));
        };
        self.outage.store(true, Ordering::Relaxed);
        self.sell_on_paper(request_id, sale, error.to_string(), maybe_recorded)
            .map(Sold::OnPaper)
    }

    /// Writes a sale down without asking anybody.
    ///
    /// # Errors
    /// See [`SellError`]: nothing was sold.
    pub fn sell_on_paper(
        &self,
        request_id: RequestId,
        sale: &Sale,
        cause: String,
        maybe_recorded: bool,
    ) -> Result<PaperReceipt, SellError> {
        let sold_at_ms = self.env.unix_ms();
        sale.citizen.check_shape(sold_at_ms)?;
        let mut journal = self.journal.lock();
        let book = journal.book();
        let key = self.online.sealing_key();
        let key = key.or_else(|| book.key().or(self.first_key.as_ref()).cloned());
        let paper = PaperSale {
            request_id,
            sequence: book.next_sequence(),
            citizen: sale.citizen.clone(),
            program: sale.program,
            product: sale.product,
            quantity: sale.quantity,
            sold_at_ms,
            proxy_ground: sale.proxy.as_ref().map(|proxy| proxy.ground),
        };
        let key = key.ok_or(SellError::NoKey)?;
        let slip = SignedSlip::write(&paper, self.online.identity(), &key, &self.env)?;
        journal.add_slip(slip)?;
        Ok(PaperReceipt {
            request_id,
            sequence: paper.sequence,
            sold_at_ms,
            cause,
            maybe_recorded,
            waiting: journal.book().waiting(),
        })
    }

    /// A gateway answered: the outage is over, and its key is kept for the next.
    fn heard(&self) {
        self.outage.store(false, Ordering::Relaxed);
        let Some(key) = self.online.sealing_key() else {
            return;
        };
        if let Err(error) = self.journal.lock().keep_key(key) {
            tracing::warn!(%error, "the gateways' sealing key is not kept");
        }
    }
}

/// Whether an error means that nobody answered, and if so whether the sale may have been recorded. `None`: it was
/// answered, and refused.
fn no_answer(error: &WriteError) -> Option<bool> {
    match error {
        WriteError::Rejected(_) | WriteError::Session(SessionError::Rejected(_)) => None,
        WriteError::Session(SessionError::Unavailable(_) | SessionError::Malformed(_))
        | WriteError::Unavailable(_) => Some(false),
        WriteError::OutcomeUnknown { .. } => Some(true),
    }
}
