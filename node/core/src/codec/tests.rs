#![allow(clippy::unwrap_used, reason = "tests")]

use quorate_proto::{internal, storage as pb};

use super::*;
use crate::limits;

/// What the error must say, and what breaks.
type Break<T> = (&'static str, fn(&mut T));

fn sale() -> pb::RecordSale {
    pb::RecordSale {
        request_id: Bytes::from_static(&[1; 16]),
        citizen: Bytes::from_static(&[2; 16]),
        program: "mask".to_owned(),
        quantity: 2,
        site: Some(pb::SaleSite {
            code: "P-1".to_owned(),
            site_type: 1,
            region: "Seoul".to_owned(),
            suspended: true,
        }),
        claims: Some(pb::Claims {
            birth_year: 1980,
            id_digit: Some(0),
        }),
        product: "kf94".to_owned(),
        proxy: Some(pb::Proxy {
            ground: "family".to_owned(),
            buyer: Some(pb::Claims::default()),
        }),
    }
}

fn profile() -> pb::SiteProfile {
    pb::SiteProfile {
        code: "P-1".to_owned(),
        site_type: 1,
        latitude: Some(37.5),
        longitude: Some(127.0),
        ..Default::default()
    }
}

fn rule() -> pb::Rule {
    pb::Rule {
        id: "r1".to_owned(),
        effective_from_ms: 1,
        limit: 2,
        sale_quantity_max: 2,
        window: Some(pb::rule::Window::CalendarWeek(pb::CalendarWeek {})),
        ..Default::default()
    }
}

fn program(rules: Vec<pb::Rule>) -> pb::ProgramDefinition {
    pb::ProgramDefinition {
        id: "mask".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        rules,
        version: 1,
        ..Default::default()
    }
}

fn read(body: pb::command::Body) -> Result<crate::ledger::Command, DecodeError> {
    command_from_proto(pb::Command {
        epoch: 1,
        body: Some(body),
    })
}

#[test]
fn an_envelope_says_what_is_wrong_with_it() {
    let id = pb::LogId {
        term: 1,
        leader_replica: 2,
        index: 3,
    };
    let sealed = seal(&id);
    assert_eq!(open::<pb::LogId>("log id", &sealed), Ok(id));
    assert_eq!(
        open_shared::<pb::LogId>("log id", &sealed.clone().into()),
        Ok(id)
    );
    let fault = |bytes: &[u8]| open::<pb::LogId>("log id", bytes).unwrap_err();

    for cut in 0..4 {
        assert_eq!(fault(&sealed[..cut]), DecodeError::Short { what: "log id" });
    }
    for cut in 4..sealed.len() {
        assert!(matches!(
            fault(&sealed[..cut]),
            DecodeError::Checksum { .. } | DecodeError::Short { .. }
        ));
    }
    for at in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        assert!(matches!(fault(&damaged), DecodeError::Checksum { .. }));
    }
    let resealed = |mut body: Vec<u8>| {
        body.extend(crc32c::crc32c(&body.clone()).to_le_bytes());
        body
    };
    let newer = DecodeError::Version {
        what: "log id",
        found: 2,
    };
    assert_eq!(fault(&resealed(vec![2, 8, 1])), newer);
    assert!(matches!(
        fault(&resealed(vec![1, 0xff])),
        DecodeError::Protobuf { .. }
    ));
    assert_eq!(
        fault(&resealed(vec![])),
        DecodeError::Short { what: "log id" }
    );
}

#[test]
fn a_command_that_breaks_a_bound_is_refused() {
    use pb::command::Body;
    assert!(read(Body::Record(sale())).is_ok());
    let breaks: [Break<pb::RecordSale>; 13] = [
        ("request id", |s| {
            s.request_id = Bytes::from_static(&[0; 16])
        }),
        ("request id", |s| {
            s.request_id = Bytes::from_static(&[1; 15])
        }),
        ("citizen key", |s| s.citizen = Bytes::new()),
        ("program id", |s| s.program = "Mask".to_owned()),
        ("quantity", |s| s.quantity = 0),
        ("site", |s| s.site = None),
        ("site code", |s| s.site.as_mut().unwrap().code.clear()),
        ("site type", |s| s.site.as_mut().unwrap().site_type = 100),
        ("region", |s| {
            s.site.as_mut().unwrap().region = "x".repeat(limits::REGION_BYTES_MAX + 1)
        }),
        ("birth year", |s| {
            s.claims.as_mut().unwrap().birth_year = 70_000
        }),
        ("ID digit", |s| {
            s.claims.as_mut().unwrap().id_digit = Some(10)
        }),
        ("product id", |s| s.product = "KF94".to_owned()),
        ("proxy ground", |s| s.proxy.as_mut().unwrap().ground.clear()),
    ];
    for (field, break_it) in breaks {
        let mut broken = sale();
        break_it(&mut broken);
        match read(Body::Record(broken)).unwrap_err() {
            DecodeError::Missing { what } | DecodeError::Invalid { what, .. } => {
                assert_eq!(what, field);
            }
            other => panic!("{other}"),
        }
    }
    let missing = command_from_proto(pb::Command::default());
    assert_eq!(missing.unwrap_err(), DecodeError::missing("command"));
    let adopt = |first, last, epoch| read(Body::AdoptRange(pb::AdoptRange { first, last, epoch }));
    assert!(adopt(0, 9, 1).is_ok());
    assert!(adopt(9, 0, 1).is_err());
    assert!(adopt(0, 9, 0).is_err());
    let device = |public_key: &'static [u8]| {
        read(Body::PutDevice(pb::PutDevice {
            site_code: "P-1".to_owned(),
            device_id: "d".to_owned(),
            public_key: Bytes::from_static(public_key),
        }))
    };
    assert!(device(&[1; 32]).is_ok());
    assert!(device(&[1; 31]).is_err());
}

#[test]
fn a_site_that_breaks_a_bound_is_refused() {
    use pb::command::Body;
    let put = |sites| read(Body::PutSites(pb::PutSites { sites }));
    assert!(put(vec![profile(); limits::SITES_PER_COMMAND_MAX]).is_ok());
    assert!(put(vec![profile(); limits::SITES_PER_COMMAND_MAX + 1]).is_err());
    let breaks: [fn(&mut pb::SiteProfile); 5] = [
        |p| p.latitude = None,
        |p| p.latitude = Some(f64::NAN),
        |p| p.latitude = Some(90.1),
        |p| p.longitude = Some(-180.5),
        |p| p.name = "x".repeat(limits::SITE_TEXT_BYTES_MAX + 1),
    ];
    for break_it in breaks {
        let mut broken = profile();
        break_it(&mut broken);
        assert!(put(vec![broken]).is_err());
    }
}

#[test]
fn a_program_that_breaks_a_law_is_refused() {
    let second = pb::Rule {
        id: "r2".to_owned(),
        effective_from_ms: 2,
        ..rule()
    };
    assert!(program_from_proto(program(vec![rule(), second.clone()])).is_ok());
    let breaks: [Break<pb::ProgramDefinition>; 10] = [
        ("time zone", |p| p.time_zone = "Asia/Nowhere".to_owned()),
        ("time zone", |p| p.time_zone = "x".repeat(99)),
        ("1 to 64 rules", |p| p.rules.clear()),
        ("1 to 64 rules", |p| {
            p.rules = vec![rule(); limits::RULES_MAX + 1]
        }),
        ("come into force", |p| p.rules[1].effective_from_ms = 1),
        ("come into force", |p| p.rules[0].effective_from_ms = -1),
        ("listed twice", |p| p.rules[1].id = "r1".to_owned()),
        ("rule r2: the limit", |p| p.rules[1].limit = 0),
        ("rule r2: the largest sale", |p| {
            p.rules[1].sale_quantity_max = 0
        }),
        ("window of a rule is missing", |p| p.rules[1].window = None),
    ];
    for (words, break_it) in breaks {
        let mut broken = program(vec![rule(), second.clone()]);
        break_it(&mut broken);
        let error = program_from_proto(broken).unwrap_err().to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
}

#[test]
fn a_batch_is_bounded_in_time_and_number() {
    let read = |time_ms, count| {
        let checkpoint = pb::command::Body::Checkpoint(pb::Checkpoint { id: 1 });
        let command = pb::Command {
            epoch: 0,
            body: Some(checkpoint),
        };
        let batch = pb::Batch {
            time_ms,
            commands: vec![command; count],
        };
        decode_batch(&seal(&batch).into())
    };
    assert!(
        read(0, limits::BATCH_COMMANDS_MAX)
            .unwrap()
            .has_checkpoint()
    );
    assert!(!read(limits::TIME_MS_MAX, 0).unwrap().has_checkpoint());
    assert!(read(0, limits::BATCH_COMMANDS_MAX + 1).is_err());
    assert!(read(-1, 1).is_err());
    assert!(read(limits::TIME_MS_MAX + 1, 1).is_err());
}

#[test]
fn queries_round_trip() {
    use internal::query::Body;
    let bodies = [
        Body::Check(internal::CheckQuery {
            citizen: Bytes::from_static(&[2; 16]),
            program: "mask".to_owned(),
            quantity: 2,
            site: sale().site,
            claims: sale().claims,
            product: sale().product,
            proxy: sale().proxy,
        }),
        Body::Daily(internal::DailyQuery {
            program: "mask".to_owned(),
            first_date: 20_200_309,
            last_date: 20_200_315,
            after: Bytes::from_static(b"after"),
            limit: 500,
        }),
        Body::Shadow(internal::ShadowQuery {
            program: "mask".to_owned(),
        }),
        Body::List(internal::ListQuery {
            citizen: Bytes::from_static(&[2; 16]),
            program: "mask".to_owned(),
        }),
        Body::Device(internal::DeviceQuery {
            site_code: "P-1".to_owned(),
            device_id: "till-1".to_owned(),
        }),
    ];
    for body in bodies {
        let message = internal::Query { body: Some(body) };
        let query = query_from_proto(message.clone()).unwrap();
        assert_eq!(query_to_proto(&query), message);
    }
    assert!(query_from_proto(internal::Query::default()).is_err());
}

#[test]
fn numbers_on_the_wire_are_those_of_the_public_contract() {
    use crate::ledger::{DenialReason, VoidRefusal};
    use quorate_proto::v1;
    for reason in DenialReason::ALL {
        let number = reason.number();
        assert_eq!(DenialReason::from_number(number), Some(*reason));
        let public = v1::DenialReason::try_from(number as i32).unwrap();
        assert_ne!(public, v1::DenialReason::Unspecified);
    }
    assert_eq!(DenialReason::ALL.len(), 8);
    assert_eq!(DenialReason::from_number(0), None);
    assert_eq!(VoidRefusal::AlreadyVoided.number(), 4);
    assert_eq!(VoidRefusal::from_number(5), None);
}
