//! Operators' questions to whole shards, and corrections, as they go there.

use quorate_proto::{
    ids::Epoch,
    internal::{self, query_reply, shard_command},
    storage::{self, command, outcome},
};

use super::{Operation, SMALL_BYTES, citizen, claims, query, request_id, write};
use crate::{
    model::{
        Correct, Voided,
        report::{
            DayCounts, DayKey, ListDays, ListOverQuota, ListShadows, OverQuotaSale, ShadowCount,
        },
        stock::Page,
    },
    nodes::decode::{self, BadAnswer, Wire, report},
};

impl Operation for ListOverQuota {
    type Answer = Page<OverQuotaSale>;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::OverQuota(internal::OverQuotaQuery {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            after: self.after.clone(),
            limit: self.limit,
        }))
    }

    fn decode(wire: Wire) -> Result<Page<OverQuotaSale>, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::OverQuota(page)) => report::over_quota(page),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for ListDays {
    type Answer = Page<(DayKey, DayCounts)>;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::Daily(internal::DailyQuery {
            program: self.program.as_str().to_owned(),
            first_date: self.first_date,
            last_date: self.last_date,
            after: self.after.clone(),
            limit: self.limit,
        }))
    }

    fn decode(wire: Wire) -> Result<Page<(DayKey, DayCounts)>, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::Daily(page)) => report::days(page),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for ListShadows {
    type Answer = Vec<(String, ShadowCount)>;
    const WRITES: bool = false;

    fn encode(&self, _: Epoch) -> shard_command::Body {
        query(query::Body::Shadow(internal::ShadowQuery {
            program: self.program.as_str().to_owned(),
        }))
    }

    fn decode(wire: Wire) -> Result<Vec<(String, ShadowCount)>, BadAnswer> {
        match wire {
            Wire::Read(query_reply::Body::Shadow(answer)) => report::shadows(answer),
            _ => Err(BadAnswer::Kind),
        }
    }
}

impl Operation for Correct {
    type Answer = Voided;
    const WRITES: bool = true;

    fn bytes(&self) -> usize {
        SMALL_BYTES + self.case_number.len() + self.reason.len() + self.operator.len()
    }

    fn encode(&self, epoch: Epoch) -> shard_command::Body {
        let void = storage::VoidSale {
            request_id: request_id(&self.request_id),
            citizen: citizen(&self.beneficiary.citizen),
            program: self.beneficiary.program.as_str().to_owned(),
            sale_request_id: request_id(&self.sale_request_id),
            // Of any site.
            site_code: String::new(),
            correction: Some(storage::Correction {
                case_number: self.case_number.clone(),
                reason: self.reason.clone(),
                operator: self.operator.clone(),
            }),
            claims: Some(claims(&self.claims)),
        };
        write(epoch, command::Body::Void(void))
    }

    fn decode(wire: Wire) -> Result<Voided, BadAnswer> {
        match wire {
            Wire::Outcome(outcome::Body::Void(void)) => decode::voided(void),
            _ => Err(BadAnswer::Kind),
        }
    }
}
