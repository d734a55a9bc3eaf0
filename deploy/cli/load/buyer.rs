//! One person before a counter: asks, and tells the tally and the history what the answer was.

use std::time::Duration;

use quorate_client::{
    Outage, ReadError, Rejection, SessionError, Terminal, WriteError, model::Verdict,
    new_request_id,
};
use quorate_proto::{ids::RequestId, status::ErrorReason};

use super::{doubt::Doubt, history::Call, plan::Order, player::Worker};

/// One person before a counter.
pub(super) struct Buyer<'a> {
    pub(super) worker: &'a Worker,
    pub(super) terminal: &'a Terminal,
    pub(super) client: u64,
    pub(super) site: usize,
    pub(super) order: Order,
}

impl Buyer<'_> {
    /// Whether there was an answer.
    pub(super) async fn check(&self, start: Duration) -> bool {
        let worker = self.worker;
        let quantity = self.order.quantity;
        let sale = worker.stage.sale(self.order);
        let answer = self.terminal.check(&sale, worker.stage.time_limit).await;
        let end = worker.now();
        if let Some(history) = &worker.history {
            history.checked(self.call(None, start, end), &answer);
        }
        worker.count(|tally| match &answer {
            Ok(verdict) => tally.checked(verdict, quantity, worker.latency(start, end)),
            Err(error) => tally.failed(read_cause(error)),
        });
        answer.is_ok()
    }

    /// The answer, if there was one.
    pub(super) async fn sell(&self, start: Duration) -> Option<(RequestId, Verdict)> {
        let worker = self.worker;
        let quantity = self.order.quantity;
        let request_id = new_request_id(&worker.stage.env);
        let sale = worker.stage.sale(self.order);
        let limit = worker.stage.time_limit;
        let answer = self.terminal.record(request_id, &sale, limit).await;
        let end = worker.now();
        if let Some(history) = &worker.history {
            history.sold(self.call(Some(request_id), start, end), &answer);
        }
        worker.count(|tally| match &answer {
            Ok(recorded) => tally.sold(&recorded.verdict, quantity, worker.latency(start, end)),
            Err(WriteError::OutcomeUnknown { .. }) => tally.unknown += 1,
            Err(error) => tally.failed(write_cause(error)),
        });
        match answer {
            Ok(recorded) => Some((request_id, recorded.verdict)),
            Err(WriteError::OutcomeUnknown { .. }) => {
                worker.doubt(Doubt {
                    client: self.client,
                    site: self.site,
                    request_id,
                    order: self.order,
                });
                None
            }
            Err(_) => None,
        }
    }

    /// Sends an answered request once more: the answer must be the same.
    pub(super) async fn sell_again(&self, request_id: RequestId, first: &Verdict) {
        let worker = self.worker;
        let sale = worker.stage.sale(self.order);
        let start = worker.now();
        let limit = worker.stage.time_limit;
        let answer = self.terminal.record(request_id, &sale, limit).await;
        if let Some(history) = &worker.history {
            history.sold(self.call(Some(request_id), start, worker.now()), &answer);
        }
        worker.count(|tally| {
            tally.resent += 1;
            if let Ok(recorded) = &answer {
                let again = &recorded.verdict;
                let equal = recorded.repeated_answer
                    && again.decision == first.decision
                    && again.remaining == first.remaining
                    && again.decided_at == first.decided_at;
                tally.resent_unequal += u64::from(!equal);
            }
        });
    }

    fn call(&self, request_id: Option<RequestId>, start: Duration, end: Duration) -> Call {
        Call {
            client: self.client,
            person: self.order.person,
            quantity: self.order.quantity,
            request_id,
            start,
            end,
        }
    }
}

fn read_cause(error: &ReadError) -> &'static str {
    match error {
        ReadError::Rejected(rejection) => rejected(rejection),
        ReadError::Session(error) => session_cause(error),
        ReadError::Unavailable(outage) => unavailable(outage),
        ReadError::Malformed(_) => "MALFORMED_ANSWER",
    }
}

fn write_cause(error: &WriteError) -> &'static str {
    match error {
        WriteError::Rejected(rejection) => rejected(rejection),
        WriteError::Session(error) => session_cause(error),
        WriteError::Unavailable(outage) => unavailable(outage),
        WriteError::OutcomeUnknown { .. } => ErrorReason::OutcomeUnknown.name(),
    }
}

fn session_cause(error: &SessionError) -> &'static str {
    match error {
        SessionError::Rejected(_) => "LOGIN_REFUSED",
        SessionError::Unavailable(_) | SessionError::Malformed(_) => "LOGIN_NOT_ANSWERED",
    }
}

fn rejected(rejection: &Rejection) -> &'static str {
    rejection.reason.map_or("REFUSED", ErrorReason::name)
}

/// Without a reason, no gateway spoke.
fn unavailable(outage: &Outage) -> &'static str {
    outage.reason.map_or("NO_GATEWAY", ErrorReason::name)
}
