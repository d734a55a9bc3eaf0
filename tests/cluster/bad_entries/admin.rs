//! What an operator enters: suspensions, corrections, reports.

use anyhow::ensure;
use prost_types::Timestamp;
use quorate_harness::{
    citizens,
    cluster::{Cluster, PROGRAM as RATION, SITES},
};
use quorate_link::{ChannelOptions, Role, TlsClient, certs::GATEWAY_SERVER_NAME};
use quorate_proto::{
    admin::{
        CorrectSaleRequest, GetShadowCountsRequest, ListCitizenSalesRequest, ListProgramsRequest,
        ReportDailyRequest, ReportOverQuotaRequest, SuspendSiteRequest, admin_client::AdminClient,
    },
    status::ErrorReason::{
        InvalidCitizenId, InvalidField, InvalidRequestId, RoleRequired, UnknownProgram, UnknownSite,
    },
    v1::VoidRefusal,
};
use tonic::transport::Channel;

use crate::{
    NO_ID, new_id,
    wire::{Raw, citizen, expect},
};

const CITIZEN: u64 = 93_001;

/// An operator without the client library.
pub(crate) async fn operator(cluster: &Cluster) -> anyhow::Result<AdminClient<Channel>> {
    let material = cluster.material(&Role::Operator("harness".to_owned()))?;
    let tls = TlsClient::new(&material, &cluster.env)?;
    let address = &cluster.gateway_addresses()[0];
    let channel = tls.connect(address, GATEWAY_SERVER_NAME, ChannelOptions::default());
    Ok(AdminClient::new(channel.await?))
}

pub(crate) async fn wrong_calls(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let mut client = operator(cluster).await?;
    sites(&mut client, raw).await?;
    corrections(&mut client, cluster).await?;
    reports(&mut client).await;
    Ok(())
}

async fn sites(client: &mut AdminClient<Channel>, raw: &Raw) -> anyhow::Result<()> {
    for suspended in [true, false] {
        let suspend = |code: &str| SuspendSiteRequest {
            site_code: code.to_owned(),
            suspended,
        };
        let error = client.suspend_site(suspend("no-such-site")).await;
        let error = error.expect_err("an unknown site");
        expect(&error, UnknownSite, Some("site_code"), "");
        for code in ["", "no site!", "약국"] {
            let error = client.suspend_site(suspend(code)).await.expect_err(code);
            expect(&error, InvalidField, Some("site_code"), code);
        }
    }
    // A terminal is no operator.
    let mut terminal = AdminClient::new(raw.channel.clone());
    let suspend = SuspendSiteRequest {
        site_code: SITES[0].to_owned(),
        suspended: true,
    };
    let error = terminal.suspend_site(raw.request(suspend)).await;
    expect(&error.expect_err("no operator"), RoleRequired, None, "");
    let list = raw.request(ListProgramsRequest {});
    let error = terminal.list_programs(list).await;
    expect(&error.expect_err("no operator"), RoleRequired, None, "");
    Ok(())
}

async fn corrections(client: &mut AdminClient<Channel>, cluster: &Cluster) -> anyhow::Result<()> {
    let good = || CorrectSaleRequest {
        request_id: new_id(cluster),
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: RATION.to_owned(),
        sale_request_id: new_id(cluster),
        reason: "typed in twice".to_owned(),
        case_number: "C-17".to_owned(),
    };
    type Spoil = fn(&mut CorrectSaleRequest);
    let spoils: [(Spoil, _, &str); 13] = [
        (|it| it.reason.clear(), InvalidField, "reason"),
        (|it| it.reason = "  ".to_owned(), InvalidField, "reason"),
        (|it| it.reason = "x".repeat(201), InvalidField, "reason"),
        (|it| it.reason = "a\nb".to_owned(), InvalidField, "reason"),
        (|it| it.case_number.clear(), InvalidField, "case_number"),
        (
            |it| it.case_number = "x".repeat(65),
            InvalidField,
            "case_number",
        ),
        (|it| it.request_id.clear(), InvalidRequestId, "request_id"),
        (
            |it| it.sale_request_id = "17".to_owned(),
            InvalidRequestId,
            "sale_request_id",
        ),
        (
            |it| it.program = "soap".to_owned(),
            UnknownProgram,
            "program",
        ),
        (
            |it| it.program = "NO PROGRAM!".to_owned(),
            UnknownProgram,
            "program",
        ),
        (
            |it| it.citizen = Some(citizen(NO_ID)),
            InvalidCitizenId,
            "citizen.number",
        ),
        (
            |it| {
                it.citizen.as_mut().expect("set above").scheme = "XX-SSN".to_owned();
            },
            InvalidCitizenId,
            "citizen.scheme",
        ),
        (|it| it.citizen = None, InvalidCitizenId, "citizen"),
    ];
    for (spoil, reason, field) in spoils {
        let mut wrong = good();
        spoil(&mut wrong);
        let error = client.correct_sale(wrong).await.expect_err(field);
        expect(&error, reason, Some(field), NO_ID);
    }
    // A sale that is not there is an answer.
    let answer = client.correct_sale(good()).await?.into_inner().result;
    let refused = answer
        .as_ref()
        .is_some_and(|void| !void.voided && void.refusal() == VoidRefusal::SaleNotFound);
    ensure!(refused, "{answer:?}");

    let list = ListCitizenSalesRequest {
        citizen: Some(citizen(NO_ID)),
        program: RATION.to_owned(),
    };
    let error = client.list_citizen_sales(list).await.expect_err("an ID");
    expect(&error, InvalidCitizenId, Some("citizen.number"), NO_ID);
    let list = ListCitizenSalesRequest {
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: "NO PROGRAM!".to_owned(),
    };
    let error = client.list_citizen_sales(list).await;
    let error = error.expect_err("a program");
    expect(&error, UnknownProgram, Some("program"), "");
    Ok(())
}

async fn reports(client: &mut AdminClient<Channel>) {
    for (program, first, last, reason, field) in [
        ("", "", "", UnknownProgram, "program"),
        ("soap", "", "", UnknownProgram, "program"),
        (RATION, "today", "", InvalidField, "first_date"),
        (RATION, "2020-2-3", "", InvalidField, "first_date"),
        (RATION, "", "2020-02-30", InvalidField, "last_date"),
        (
            RATION,
            "2020-03-12",
            "2020-03-11",
            InvalidField,
            "last_date",
        ),
    ] {
        let ask = ReportDailyRequest {
            program: program.to_owned(),
            first_date: first.to_owned(),
            last_date: last.to_owned(),
        };
        let error = client.report_daily(ask).await.expect_err(field);
        expect(&error, reason, Some(field), "");
    }
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    for (from, to, field) in [
        (at(2), at(2), "to"),
        (at(3), at(2), "to"),
        (at(i64::MAX), None, "from"),
        (
            None,
            Some(Timestamp {
                seconds: 1,
                nanos: -1,
            }),
            "to",
        ),
    ] {
        let ask = ReportOverQuotaRequest { from, to };
        let error = client.report_over_quota(ask).await.expect_err(field);
        expect(&error, InvalidField, Some(field), "");
    }
    for program in ["", "soap", "NO PROGRAM!"] {
        let ask = GetShadowCountsRequest {
            program: program.to_owned(),
        };
        let error = client.get_shadow_counts(ask).await.expect_err(program);
        expect(&error, UnknownProgram, Some("program"), "");
    }
}
