//! A slip's message as typed values. Pure.

use std::fmt;

use quorate_proto::{
    ids::{DeviceId, GroundId, RequestId, SiteCode},
    v1,
};

/// A slip whose fields can be read. Nothing is known of its origin yet.
pub(crate) struct Parsed {
    pub(crate) site: SiteCode,
    pub(crate) device: DeviceId,
    pub(crate) request_id: RequestId,
    pub(crate) proxy_ground: Option<GroundId>,
    /// Unix milliseconds.
    pub(crate) sold_at_ms: i64,
}

/// Which field cannot be read, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) field: &'static str,
    pub(crate) law: String,
}

/// Reads the fields that are needed before the signature is looked at.
pub(crate) fn parse(slip: &v1::Slip) -> Result<Parsed, Malformed> {
    let wrong = |field, law: &dyn fmt::Display| Malformed {
        field,
        law: law.to_string(),
    };
    let sold_at = slip
        .sold_at
        .ok_or_else(|| wrong("sold_at", &"a slip says when it was sold"))?;
    let proxy_ground = match slip.proxy_ground.as_str() {
        "" => None,
        ground => Some(GroundId::parse(ground).map_err(|error| wrong("proxy_ground", &error))?),
    };
    Ok(Parsed {
        request_id: RequestId::parse(&slip.request_id)
            .map_err(|error| wrong("request_id", &error))?,
        site: SiteCode::parse(&slip.site_code).map_err(|error| wrong("site_code", &error))?,
        device: DeviceId::parse(&slip.device_id).map_err(|error| wrong("device_id", &error))?,
        sold_at_ms: unix_ms(sold_at).ok_or_else(|| wrong("sold_at", &"this is no instant"))?,
        proxy_ground,
    })
}

fn unix_ms(at: prost_types::Timestamp) -> Option<i64> {
    let nanos = u32::try_from(at.nanos).ok()?;
    if nanos >= 1_000_000_000 {
        return None;
    }
    at.seconds
        .checked_mul(1000)?
        .checked_add(i64::from(nanos / 1_000_000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use prost_types::Timestamp;

    use super::*;

    fn slip() -> v1::Slip {
        v1::Slip {
            site_code: "P-0001".into(),
            device_id: "till-1".into(),
            sequence: 1,
            request_id: "0190f3a2-7c1b-7d4e-8f00-1234567890ab".into(),
            program: "mask".into(),
            quantity: 2,
            sold_at: Some(Timestamp {
                seconds: 1_583_886_300,
                nanos: 250_999_999,
            }),
            ..v1::Slip::default()
        }
    }

    #[test]
    fn what_can_be_read_is_read() {
        let parsed = parse(&slip()).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(parsed.sold_at_ms, 1_583_886_300_250);
        assert_eq!(parsed.proxy_ground, None);
    }

    #[test]
    fn every_fault_names_its_field() {
        type Fault = fn(&mut v1::Slip);
        let faults: [(&str, Fault); 9] = [
            ("site_code", |slip| slip.site_code.clear()),
            ("device_id", |slip| slip.device_id = "a b".into()),
            ("request_id", |slip| slip.request_id = "7".into()),
            ("proxy_ground", |slip| slip.proxy_ground = "AGE".into()),
            ("sold_at", |slip| slip.sold_at = None),
            ("sold_at", |slip| slip.sold_at.as_mut().unwrap().nanos = -1),
            ("sold_at", |slip| {
                slip.sold_at.as_mut().unwrap().nanos = 1_000_000_000;
            }),
            ("sold_at", |slip| {
                slip.sold_at.as_mut().unwrap().seconds = i64::MAX;
            }),
            ("sold_at", |slip| {
                slip.sold_at.as_mut().unwrap().seconds = i64::MIN;
            }),
        ];
        for (field, spoil) in faults {
            let mut slip = slip();
            spoil(&mut slip);
            let fault = parse(&slip).err().unwrap();
            assert_eq!(fault.field, field);
        }
    }
}
