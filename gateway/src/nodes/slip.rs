//! Slips as they go to shards, and what shards say of them.

use bytes::Bytes;
use quorate_proto::{
    ids::Epoch,
    internal::shard_command,
    storage::{self, command, outcome},
    v1::{DenialReason, SlipOutcome, SlipRejection},
};

use super::{
    codec::{self, Operation},
    decode::{BadAnswer, Wire},
};
use crate::model::{RecordSlip, SlipDecision, SlipRecorded};

impl Operation for RecordSlip {
    type Answer = SlipRecorded;
    const WRITES: bool = true;

    fn bytes(&self) -> usize {
        codec::SMALL_BYTES + self.session.region.len()
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let slip = storage::RecordSlip {
            request_id: Bytes::copy_from_slice(self.request_id.as_bytes()),
            citizen: Bytes::copy_from_slice(self.beneficiary.citizen.as_bytes()),
            program: self.beneficiary.program.as_str().to_owned(),
            quantity: self.quantity,
            site: codec::sale_site(&self.session),
            claims: Some(codec::claims(&self.claims)),
            product: self.product.map(|id| id.to_string()).unwrap_or_default(),
            proxy_ground: self
                .proxy_ground
                .map(|id| id.to_string())
                .unwrap_or_default(),
            sold_at_ms: self.sold_at_ms,
            device_id: self.device.as_str().to_owned(),
            sequence: self.sequence,
        };
        codec::write(epoch, command::Body::RecordSlip(slip))
    }

    fn decode(wire: Wire) -> Result<SlipRecorded, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Slip(slip)) => recorded(&slip),
            _ => Err(BadAnswer::Kind),
        }
    }
}

fn recorded(slip: &storage::SlipOutcome) -> Result<SlipRecorded, BadAnswer> {
    let rejection = match slip.rejection {
        0 => None,
        number => Some(number_of::<SlipRejection>(number).ok_or(BadAnswer::Value("rejection"))?),
    };
    let decision = match (number_of::<SlipOutcome>(slip.outcome), rejection) {
        (Some(SlipOutcome::Accepted), None) => SlipDecision::Accepted,
        (Some(SlipOutcome::Duplicate), None) => SlipDecision::Duplicate,
        (Some(SlipOutcome::OverQuotaRecorded), None) => SlipDecision::OverQuotaRecorded,
        (Some(SlipOutcome::Rejected), Some(rejection)) => SlipDecision::Rejected(rejection),
        _ => return Err(BadAnswer::Value("outcome")),
    };
    let irregularity = match slip.irregularity {
        0 => None,
        number => Some(number_of::<DenialReason>(number).ok_or(BadAnswer::Value("irregularity"))?),
    };
    Ok(SlipRecorded {
        decision,
        irregularity,
        over_by: slip.over_by,
        remaining: slip.remaining,
    })
}

fn number_of<T: TryFrom<i32>>(number: u32) -> Option<T> {
    T::try_from(i32::try_from(number).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(outcome: SlipOutcome, rejection: SlipRejection) -> storage::SlipOutcome {
        storage::SlipOutcome {
            outcome: outcome as u32,
            rejection: rejection as u32,
            irregularity: 2,
            over_by: 1,
            remaining: 3,
        }
    }

    #[test]
    fn outcomes_are_read_and_contradictions_refused() {
        use SlipRejection::{TooOld, Unspecified};
        let read = |kind, rejection| recorded(&outcome(kind, rejection)).map(|slip| slip.decision);
        assert_eq!(
            read(SlipOutcome::Accepted, Unspecified),
            Ok(SlipDecision::Accepted)
        );
        assert_eq!(
            read(SlipOutcome::Rejected, TooOld),
            Ok(SlipDecision::Rejected(TooOld))
        );
        for (kind, rejection) in [
            (SlipOutcome::Unspecified, Unspecified),
            (SlipOutcome::NotDecided, Unspecified),
            (SlipOutcome::Rejected, Unspecified),
            (SlipOutcome::Accepted, TooOld),
        ] {
            assert_eq!(
                read(kind, rejection),
                Err(BadAnswer::Value("outcome")),
                "{kind:?}"
            );
        }
        let slip = recorded(&outcome(SlipOutcome::OverQuotaRecorded, Unspecified));
        let slip = slip.ok();
        assert_eq!(
            slip.as_ref().and_then(|slip| slip.irregularity),
            Some(DenialReason::NotYourDay)
        );
        assert_eq!(
            slip.map(|slip| (slip.over_by, slip.remaining)),
            Some((1, 3))
        );
    }
}
