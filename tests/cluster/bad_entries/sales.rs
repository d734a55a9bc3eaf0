//! What a terminal enters of a sale: products, proxies, IDs of every scheme.

use anyhow::ensure;
use quorate_harness::{
    citizens,
    cluster::{Cluster, PROGRAM as RATION},
};
use quorate_proto::{
    status::ErrorReason::{InvalidCitizenId, InvalidField},
    v1::{
        CheckRequest, CitizenId, Decision, DenialReason, ListSalesRequest, Proxy, RecordRequest,
        Verdict,
    },
};
use tonic::Status;

use crate::{
    NO_ID, new_id,
    wire::{Raw, citizen, expect},
};

const CITIZEN: u64 = 91_001;

struct Entry {
    product: &'static str,
    proxy: Option<Proxy>,
}

fn by_proxy(ground: &str, buyer: Option<CitizenId>) -> Entry {
    Entry {
        product: "",
        proxy: Some(Proxy {
            ground: ground.to_owned(),
            buyer,
        }),
    }
}

/// The same entry asked about and sold: both answers.
async fn both(raw: &Raw, cluster: &Cluster, entry: &Entry) -> [Result<Verdict, Status>; 2] {
    let check = CheckRequest {
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: RATION.to_owned(),
        quantity: 1,
        product: entry.product.to_owned(),
        proxy: entry.proxy.clone(),
    };
    let record = RecordRequest {
        request_id: new_id(cluster),
        citizen: check.citizen.clone(),
        program: check.program.clone(),
        quantity: 1,
        product: check.product.clone(),
        proxy: check.proxy.clone(),
    };
    let mut client = raw.ration();
    let checked = client.check(raw.request(check)).await;
    let recorded = client.record(raw.request(record)).await;
    [
        checked.map(|answer| answer.into_inner().verdict.expect("a verdict")),
        recorded.map(|answer| answer.into_inner().verdict.expect("a verdict")),
    ]
}

pub(crate) async fn wrong_products_and_proxies(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    for product in ["soap", "NO PRODUCT!", "마스크", "-"] {
        let entry = Entry {
            product,
            proxy: None,
        };
        for error in both(raw, cluster, &entry).await {
            let error = error.expect_err(product);
            expect(&error, InvalidField, Some("product"), product);
        }
    }
    let long = "x".repeat(33);
    for ground in ["", "AGE", "my aunt", &*long, "나이"] {
        for error in both(raw, cluster, &by_proxy(ground, None)).await {
            let error = error.expect_err(ground);
            expect(&error, InvalidField, Some("proxy.ground"), ground);
        }
    }
    let foreign = CitizenId {
        scheme: "XX-SSN".to_owned(),
        number: NO_ID.to_owned(),
    };
    for (buyer, field) in [
        (citizen(NO_ID), "proxy.buyer.number"),
        (citizen(""), "proxy.buyer.number"),
        (foreign, "proxy.buyer.scheme"),
    ] {
        let entry = by_proxy("family", Some(buyer));
        for error in both(raw, cluster, &entry).await {
            let error = error.expect_err("a buyer");
            expect(&error, InvalidCitizenId, Some(field), NO_ID);
        }
    }
    // A ground that the rule does not list is answered: the rule says no.
    let buyer = citizen(&citizens::number(CITIZEN + 1));
    for denied in both(raw, cluster, &by_proxy("family", Some(buyer))).await {
        let verdict = denied?;
        ensure!(
            verdict.decision() == Decision::Denied
                && verdict.reason() == DenialReason::ProxyNotAllowed,
            "{verdict:?}"
        );
    }

    let list = ListSalesRequest {
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: RATION.to_owned(),
    };
    let sales = raw.ration().list_sales(raw.request(list)).await?;
    let sales = sales.into_inner().purchases;
    ensure!(sales.is_empty(), "something wrong was sold: {sales:?}");
    Ok(())
}

pub(crate) async fn wrong_ids_of_other_schemes(raw: &Raw) -> anyhow::Result<()> {
    let check = |scheme: &str, number: &str| {
        raw.request(CheckRequest {
            citizen: Some(CitizenId {
                scheme: scheme.to_owned(),
                number: number.to_owned(),
            }),
            program: RATION.to_owned(),
            quantity: 1,
            ..CheckRequest::default()
        })
    };
    let long = "9".repeat(33);
    for (scheme, number, field) in [
        ("TW-NID", "", "citizen.number"),
        ("TW-NID", "A12345678", "citizen.number"),
        ("TW-NID", "A1234567890", "citizen.number"),
        ("TW-NID", "1123456789", "citizen.number"),
        ("TW-NID", "AB23456789", "citizen.number"),
        ("TW-NID", "Å123456789", "citizen.number"),
        ("VOUCHER", "", "citizen.number"),
        ("VOUCHER", "ABC12", "citizen.number"),
        ("VOUCHER", &*long, "citizen.number"),
        ("VOUCHER", "ABC-123-456", "citizen.number"),
        ("VOUCHER", "교환권123456", "citizen.number"),
        ("", "A123456789", "citizen.scheme"),
        ("kr-rrn", "9001011234568", "citizen.scheme"),
        ("TW-NID ", "A123456789", "citizen.scheme"),
    ] {
        let error = raw.ration().check(check(scheme, number)).await;
        let error = error.expect_err(number);
        expect(&error, InvalidCitizenId, Some(field), number);
    }
    for (scheme, number) in [("TW-NID", "a123456789"), ("VOUCHER", "abc123")] {
        let answer = raw.ration().check(check(scheme, number)).await?;
        ensure!(answer.into_inner().verdict.is_some(), "{scheme}");
    }
    Ok(())
}
