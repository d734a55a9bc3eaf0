//! One slip, from its message to its answer.

use std::{sync::Arc, time::Duration};

use quorate_link::ClearId;
use quorate_proto::{
    ids::{ProductId, RequestId},
    slip::signed_bytes,
    status::{ErrorReason, reason_of},
    v1::{self, SlipOutcome, SlipRejection, UploadSlipsResponse},
};

use super::{
    devices::Devices,
    parse::{self, Parsed},
};
use crate::{
    dispatch::CallError,
    limits,
    model::{Answered, RecordSlip, Rejection, SlipDecision, SlipRecorded},
    service::{
        border::{Border, Person, SealedId},
        convert, errors,
    },
    session::{Session, signed_slip},
};

/// Judges the slips of one stream.
pub(super) struct Judge {
    border: Arc<Border>,
    session: Session,
    devices: Devices,
    /// By the monotonic clock: that of the stream, if it has one.
    deadline: Option<Duration>,
}

/// Why a slip was not recorded.
enum NotRecorded {
    /// And never will be.
    Rejected(SlipRejection, String),
    /// By now; it can be handed in again.
    NotDecided(String),
}

use NotRecorded::{NotDecided, Rejected};

impl Judge {
    pub(super) fn new(border: Arc<Border>, session: Session, deadline: Option<Duration>) -> Judge {
        Judge {
            border,
            session,
            devices: Devices::default(),
            deadline,
        }
    }

    /// Always answers.
    pub(super) async fn answer(&self, slip: Option<v1::Slip>) -> UploadSlipsResponse {
        let Some(slip) = slip else {
            let detail = "a message without a slip".to_owned();
            let answer = UploadSlipsResponse::default();
            return not_recorded(answer, Rejected(SlipRejection::Malformed, detail));
        };
        let answer = UploadSlipsResponse {
            sequence: slip.sequence,
            request_id: slip.request_id.clone(),
            ..UploadSlipsResponse::default()
        };
        match self.record(slip).await {
            Ok((recorded, warnings)) => self::recorded(answer, recorded, warnings),
            Err(not) => not_recorded(answer, not),
        }
    }

    async fn record(
        &self,
        slip: v1::Slip,
    ) -> Result<(Answered<SlipRecorded>, Vec<v1::Warning>), NotRecorded> {
        let border = &*self.border;
        let parsed = parse::parse(&slip).map_err(|fault| {
            let detail = format!("{}: {}", fault.field, fault.law);
            Rejected(SlipRejection::Malformed, detail)
        })?;
        let turn = border.slips.acquire().await;
        let _turn = turn.map_err(|_| NotDecided("the gateway is stopping".to_owned()))?;
        let own = border.env().monotonic() + limits::SLIP_TIMEOUT;
        let deadline = self.deadline.map_or(own, |stream| stream.min(own));

        self.authentic(&slip, &parsed, deadline).await?;
        let clear = self.open(&slip, parsed.request_id)?;
        let person = self.person(clear, &slip.program)?;
        if slip.quantity == 0 {
            let detail = "the quantity must be 1 or more".to_owned();
            return Err(Rejected(SlipRejection::InvalidQuantity, detail));
        }
        let product = match slip.product.as_str() {
            "" => None,
            product => Some(ProductId::parse(product).map_err(|error| {
                let detail = format!("a product's id {error}");
                Rejected(SlipRejection::UnknownProduct, detail)
            })?),
        };
        let place = person.beneficiary.place();
        let command = RecordSlip {
            request_id: parsed.request_id,
            beneficiary: person.beneficiary,
            claims: person.claims,
            quantity: slip.quantity,
            product,
            proxy_ground: parsed.proxy_ground,
            sold_at_ms: parsed.sold_at_ms,
            device: parsed.device,
            sequence: slip.sequence,
            session: self.session.clone(),
        };
        let answered = border.dispatcher.call(place, &command, deadline).await;
        let answered = answered.map_err(|error| self.not_answered(error))?;
        Ok((answered, person.warnings))
    }

    /// Whether a device of the session's site wrote this slip, and every word of it.
    async fn authentic(
        &self,
        slip: &v1::Slip,
        parsed: &Parsed,
        deadline: Duration,
    ) -> Result<(), NotRecorded> {
        let foreign = || {
            let detail = "no device of this site wrote this slip".to_owned();
            Rejected(SlipRejection::ForeignDevice, detail)
        };
        if parsed.site != self.session.site {
            return Err(foreign());
        }
        let dispatcher = &self.border.dispatcher;
        let (site, device) = (parsed.site, parsed.device);
        let key = self.devices.key(dispatcher, site, device, deadline).await;
        let key = key.map_err(|error| self.not_answered(error))?;
        let key = key.ok_or_else(foreign)?;
        if !signed_slip(&key, &signed_bytes(slip), &slip.signature) {
            let detail = "the signature is not that of the device over this slip".to_owned();
            return Err(Rejected(SlipRejection::BadSignature, detail));
        }
        Ok(())
    }

    fn open(&self, slip: &v1::Slip, request_id: RequestId) -> Result<ClearId, NotRecorded> {
        let secret = self.border.sealing.find(&slip.sealing_key_id);
        let secret = secret.ok_or_else(|| {
            let detail = "it was sealed to a key that this gateway does not have".to_owned();
            Rejected(SlipRejection::UnreadableId, detail)
        })?;
        let opened = secret.open(&slip.sealed_citizen, request_id);
        opened.map_err(|error| Rejected(SlipRejection::UnreadableId, error.to_string()))
    }

    fn person(&self, clear: ClearId, program: &str) -> Result<Person, NotRecorded> {
        let id = SealedId::new(clear.scheme, clear.number);
        self.border.person(Some(id), program).map_err(|status| {
            let rejection = match reason_of(&status) {
                Some(ErrorReason::UnknownProgram) => SlipRejection::UnknownProgram,
                _ => SlipRejection::InvalidId,
            };
            Rejected(rejection, status.message().to_owned())
        })
    }

    fn not_answered(&self, error: CallError) -> NotRecorded {
        let rejection = match &error {
            CallError::Failed(_) => None,
            CallError::Rejected(rejection) => match rejection {
                Rejection::RequestIdConflict => Some(SlipRejection::RequestIdConflict),
                Rejection::UnknownProgram => Some(SlipRejection::UnknownProgram),
                Rejection::UnknownProduct => Some(SlipRejection::UnknownProduct),
                Rejection::QuantityTooLarge => Some(SlipRejection::InvalidQuantity),
                // Room comes back as records age.
                Rejection::TooMany => None,
            },
        };
        let status = errors::call(error, None, self.border.env());
        let detail = status.message().to_owned();
        match rejection {
            Some(rejection) => Rejected(rejection, detail),
            None => NotDecided(detail),
        }
    }
}

fn recorded(
    answer: UploadSlipsResponse,
    recorded: Answered<SlipRecorded>,
    warnings: Vec<v1::Warning>,
) -> UploadSlipsResponse {
    let Answered {
        answer: slip,
        position,
    } = recorded;
    let (outcome, rejection) = match slip.decision {
        SlipDecision::Accepted => (SlipOutcome::Accepted, None),
        SlipDecision::Duplicate => (SlipOutcome::Duplicate, None),
        SlipDecision::OverQuotaRecorded => (SlipOutcome::OverQuotaRecorded, None),
        SlipDecision::Rejected(rejection) => (SlipOutcome::Rejected, Some(rejection)),
    };
    UploadSlipsResponse {
        outcome: outcome.into(),
        rejection: rejection.map_or(0, i32::from),
        detail: rejection.map_or_else(String::new, |rejection| in_words(rejection).to_owned()),
        irregularity: slip.irregularity.map_or(0, i32::from),
        over_by: slip.over_by,
        remaining: slip.remaining,
        position: Some(convert::position(position)),
        warnings: warnings.into_iter().map(i32::from).collect(),
        ..answer
    }
}

fn not_recorded(answer: UploadSlipsResponse, not: NotRecorded) -> UploadSlipsResponse {
    let (outcome, rejection, detail) = match not {
        Rejected(rejection, detail) => (SlipOutcome::Rejected, rejection.into(), detail),
        NotDecided(detail) => (SlipOutcome::NotDecided, 0, detail),
    };
    UploadSlipsResponse {
        outcome: outcome.into(),
        rejection,
        detail,
        ..answer
    }
}

/// What a shard rejected, for people.
fn in_words(rejection: SlipRejection) -> &'static str {
    match rejection {
        SlipRejection::TooOld => "sold more than 35 days ago",
        SlipRejection::InTheFuture => "sold in the future: is the device's clock right?",
        SlipRejection::UnknownProgram => "there is no such program",
        SlipRejection::UnknownProduct => "the program has no such product",
        SlipRejection::InvalidQuantity => "no sale has such a quantity",
        SlipRejection::RequestIdConflict => "this request id names another sale of the same person",
        SlipRejection::Unspecified
        | SlipRejection::ForeignDevice
        | SlipRejection::BadSignature
        | SlipRejection::UnreadableId
        | SlipRejection::InvalidId
        | SlipRejection::Malformed => "not recorded",
    }
}
