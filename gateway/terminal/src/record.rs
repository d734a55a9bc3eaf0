//! What a journal's records say, and their bytes. Pure.
//!
//! A body is its kind (1 byte) and what it says. Kinds and layouts are durable: a journal may wait for 35 days
//! and be read by a later version. A kind that is not known is kept and passed over.

use quorate_client::{
    SignedSlip,
    model::{DenialReason, SlipAnswer, SlipOutcome, SlipRejection},
};
use quorate_link::SealingKey;
use quorate_proto::ids::RequestId;

/// One record.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A sale on paper.
    Slip(SignedSlip),
    /// What became of one: never `NOT_DECIDED`. Unix milliseconds of when it was heard.
    Settled(SlipAnswer, i64),
    /// The gateways' key, from now on.
    Key(SealingKey),
    /// No slip has a lower or equal sequence from now on.
    Sequence(u64),
}

const SLIP: u8 = 1;
const SETTLED: u8 = 2;
const KEY: u8 = 3;
const SEQUENCE: u8 = 4;

/// Longest words of a gateway that are kept, bytes.
const DETAIL_BYTES_MAX: usize = 500;

impl Record {
    pub(crate) fn to_body(&self) -> Vec<u8> {
        match self {
            Self::Slip(slip) => [&[SLIP][..], &slip.to_bytes()].concat(),
            Self::Settled(answer, at_ms) => settled(answer, *at_ms),
            Self::Key(key) => [&[KEY][..], key.public()].concat(),
            Self::Sequence(last) => [&[SEQUENCE][..], &last.to_be_bytes()].concat(),
        }
    }

    /// `None`: of no kind that is known here, or not as its kind is.
    pub(crate) fn from_body(body: &[u8]) -> Option<Self> {
        let (kind, rest) = body.split_first()?;
        Some(match *kind {
            SLIP => Self::Slip(SignedSlip::from_bytes(rest).ok()?),
            SETTLED => read_settled(rest)?,
            KEY => Self::Key(SealingKey::from_public(rest.try_into().ok()?)),
            SEQUENCE => Self::Sequence(u64::from_be_bytes(rest.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// Request id (16), sequence (8), instant (8), over by (4), remaining (4), then the names of outcome, rejection
/// and irregularity and the detail, each after its length (2).
fn settled(answer: &SlipAnswer, at_ms: i64) -> Vec<u8> {
    let mut body = vec![SETTLED];
    body.extend_from_slice(answer.request_id.as_bytes());
    body.extend_from_slice(&answer.sequence.to_be_bytes());
    body.extend_from_slice(&at_ms.to_be_bytes());
    body.extend_from_slice(&answer.over_by.to_be_bytes());
    body.extend_from_slice(&answer.remaining.to_be_bytes());
    let rejection = match answer.outcome {
        SlipOutcome::Rejected(rejection) => rejection.name(),
        _ => "",
    };
    let irregularity = answer.irregularity.map_or("", DenialReason::name);
    let mut end = answer.detail.len().min(DETAIL_BYTES_MAX);
    while !answer.detail.is_char_boundary(end) {
        end -= 1;
    }
    let detail = &answer.detail[..end];
    for text in [answer.outcome.name(), rejection, irregularity, detail] {
        body.extend_from_slice(&(text.len() as u16).to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    body
}

fn read_settled(body: &[u8]) -> Option<Record> {
    let mut rest = body;
    let request_id = RequestId::from_bytes(take(&mut rest)?).ok()?;
    let sequence = u64::from_be_bytes(take(&mut rest)?);
    let at_ms = i64::from_be_bytes(take(&mut rest)?);
    let over_by = u32::from_be_bytes(take(&mut rest)?);
    let remaining = u32::from_be_bytes(take(&mut rest)?);
    let outcome = text(&mut rest)?;
    let rejection = text(&mut rest)?;
    let irregularity = text(&mut rest)?;
    let detail = text(&mut rest)?.to_owned();
    let outcome = match outcome {
        "ACCEPTED" => SlipOutcome::Accepted,
        "DUPLICATE" => SlipOutcome::Duplicate,
        "OVER_QUOTA_RECORDED" => SlipOutcome::OverQuotaRecorded,
        "REJECTED" => SlipOutcome::Rejected(SlipRejection::from_name(rejection)?),
        _ => return None,
    };
    let answer = SlipAnswer {
        request_id,
        sequence,
        outcome,
        irregularity: DenialReason::from_name(irregularity),
        over_by,
        remaining,
        detail,
        warnings: Vec::new(),
        position: None,
    };
    Some(Record::Settled(answer, at_ms))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn outcomes_survive_their_bytes() {
        let outcomes = SlipRejection::ALL.map(SlipOutcome::Rejected);
        let recorded = [
            SlipOutcome::Accepted,
            SlipOutcome::Duplicate,
            SlipOutcome::OverQuotaRecorded,
        ];
        for outcome in outcomes.into_iter().chain(recorded) {
            let answer = SlipAnswer {
                request_id: RequestId::from_bytes([7; 16]).unwrap(),
                sequence: 3,
                outcome,
                irregularity: Some(DenialReason::NotYourDay),
                over_by: 1,
                remaining: 2,
                detail: "왜 안 되는지".to_owned(),
                warnings: Vec::new(),
                position: None,
            };
            let body = Record::Settled(answer.clone(), -5).to_body();
            let Some(Record::Settled(read, -5)) = Record::from_body(&body) else {
                panic!("{outcome:?} is not read back");
            };
            assert_eq!(read, answer);
            for cut in 0..body.len() {
                assert!(Record::from_body(&body[..cut]).is_none(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let answer = SlipAnswer {
            request_id: RequestId::from_bytes([7; 16]).unwrap(),
            sequence: 3,
            outcome: SlipOutcome::Accepted,
            irregularity: None,
            over_by: 0,
            remaining: 0,
            detail: "약".repeat(1000),
            warnings: Vec::new(),
            position: None,
        };
        let body = Record::Settled(answer, 0).to_body();
        let Some(Record::Settled(read, 0)) = Record::from_body(&body) else {
            panic!("not read back");
        };
        assert_eq!(read.detail, "약".repeat(DETAIL_BYTES_MAX / 3));
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        for body in [
            &b""[..],
            b"\x09later",
            b"\x01no slip",
            b"\x03short",
            b"\x04",
        ] {
            assert!(Record::from_body(body).is_none());
        }
    }
}
