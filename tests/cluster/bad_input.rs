//! Whatever can be wrong on the wire is answered with one reason, one field, one sentence, and never with
//! what was sent.

mod wire;

use std::time::Duration;

use anyhow::Context as _;
use ed25519_dalek::{Signer as _, SigningKey};
use quorate_client::new_request_id;
use quorate_harness::{
    citizens,
    cluster::{Cluster, ClusterOptions, PROGRAM as RATION, SALE_QUANTITY_MAX},
    with_cluster,
};
use quorate_proto::{
    status::ErrorReason,
    v1::{
        self, CheckRequest, ListSalesRequest, RecordRequest, VoidRequest,
        sessions_client::SessionsClient,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Status, transport::Channel};
use wire::{Raw, citizen, expect};

const PROGRAM: &str = env!("CARGO_BIN_EXE_quorate");
const CITIZEN: u64 = 90_001;

impl Raw {
    async fn check(&self, message: CheckRequest) -> Result<v1::Verdict, Status> {
        let answer = self.ration().check(self.request(message)).await?;
        Ok(answer.into_inner().verdict.expect("a verdict"))
    }

    async fn record(&self, message: RecordRequest) -> Result<v1::RecordResponse, Status> {
        Ok(self
            .ration()
            .record(self.request(message))
            .await?
            .into_inner())
    }

    async fn sales(&self) -> anyhow::Result<usize> {
        let list = ListSalesRequest {
            citizen: Some(citizen(&citizens::number(CITIZEN))),
            program: RATION.to_owned(),
        };
        Ok(self
            .ration()
            .list_sales(self.request(list))
            .await?
            .into_inner()
            .purchases
            .len())
    }
}

fn check(number: &str) -> CheckRequest {
    CheckRequest {
        citizen: Some(citizen(number)),
        program: RATION.to_owned(),
        quantity: 1,
        ..CheckRequest::default()
    }
}

fn sale(cluster: &Cluster) -> RecordRequest {
    RecordRequest {
        request_id: new_request_id(&cluster.env).to_string(),
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: RATION.to_owned(),
        quantity: 1,
        ..RecordRequest::default()
    }
}

async fn citizen_ids(raw: &Raw) -> anyhow::Result<()> {
    for number in [
        "9001011234",
        "90010112345678",
        "900101-12345678",
        "90O101-1234567",
        "9001011234ABC",
        "901301-1234567",
        "900230-1234567",
        "991231-3234567",
        "９００１０１１２３４５６７",
        "",
        "             ",
    ] {
        let error = raw.check(check(number)).await.expect_err(number);
        expect(
            &error,
            ErrorReason::InvalidCitizenId,
            Some("citizen.number"),
            number,
        );
    }
    let nobody = CheckRequest {
        citizen: None,
        ..check("")
    };
    let error = raw.check(nobody).await.expect_err("no citizen");
    expect(&error, ErrorReason::InvalidCitizenId, Some("citizen"), "");
    let mut foreign = check(&citizens::number(CITIZEN));
    foreign.citizen.as_mut().context("set above")?.scheme = "XX-SSN".to_owned();
    let error = raw.check(foreign).await.expect_err("an unknown scheme");
    expect(
        &error,
        ErrorReason::InvalidCitizenId,
        Some("citizen.scheme"),
        "XX-SSN",
    );

    // A wrong check digit is a warning to read the card again, never a refusal.
    let number = citizens::number(CITIZEN);
    assert!(raw.check(check(&number)).await?.warnings.is_empty());
    let last = number.as_bytes()[12] - b'0';
    let mistyped = format!("{}{}", &number[..12], (last + 1) % 10);
    let warnings = raw.check(check(&mistyped)).await?.warnings;
    assert_eq!(warnings, [v1::Warning::IdChecksumMismatch as i32]);
    // With and without hyphen it is the same person.
    let hyphenated = format!("{}-{}", &number[..6], &number[6..]);
    assert!(raw.check(check(&hyphenated)).await?.warnings.is_empty());
    Ok(())
}

async fn quantities_and_programs(raw: &Raw, cluster: &Cluster) {
    for quantity in [0, SALE_QUANTITY_MAX + 1, u32::MAX] {
        let message = RecordRequest {
            quantity,
            ..sale(cluster)
        };
        let error = raw.record(message).await.expect_err("a quantity");
        expect(&error, ErrorReason::InvalidQuantity, Some("quantity"), "");
        let message = CheckRequest {
            quantity,
            ..check(&citizens::number(CITIZEN))
        };
        let error = raw.check(message).await.expect_err("a quantity");
        expect(&error, ErrorReason::InvalidQuantity, Some("quantity"), "");
    }
    for program in ["unknown", "", "NOT A PROGRAM"] {
        let message = RecordRequest {
            program: program.to_owned(),
            ..sale(cluster)
        };
        let error = raw.record(message).await.expect_err("a program");
        expect(&error, ErrorReason::UnknownProgram, Some("program"), "");
    }
}

async fn request_ids(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    for request_id in [
        "",
        "17",
        "not-a-uuid",
        "00000000-0000-0000-0000-000000000000",
    ] {
        let message = RecordRequest {
            request_id: request_id.to_owned(),
            ..sale(cluster)
        };
        let error = raw.record(message).await.expect_err("a request id");
        expect(
            &error,
            ErrorReason::InvalidRequestId,
            Some("request_id"),
            "",
        );
    }
    let void = VoidRequest {
        request_id: new_request_id(&cluster.env).to_string(),
        citizen: Some(citizen(&citizens::number(CITIZEN))),
        program: RATION.to_owned(),
        sale_request_id: "17".to_owned(),
    };
    let error = raw
        .ration()
        .void(raw.request(void))
        .await
        .expect_err("a sale's request id");
    expect(
        &error,
        ErrorReason::InvalidRequestId,
        Some("sale_request_id"),
        "",
    );

    assert_eq!(raw.sales().await?, 0, "something above was recorded");
    let first = sale(cluster);
    let answer = raw.record(first.clone()).await?;
    let verdict = answer.verdict.context("a verdict")?;
    assert_eq!(verdict.decision(), v1::Decision::Granted);
    let other = RecordRequest {
        quantity: 2,
        ..first.clone()
    };
    let error = raw.record(other).await.expect_err("other content");
    expect(&error, ErrorReason::RequestIdConflict, None, "");
    assert!(raw.record(first).await?.repeated_answer);
    assert_eq!(raw.sales().await?, 1);
    Ok(())
}

async fn sessions(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let message = check(&citizens::number(CITIZEN));
    let error = raw
        .ration()
        .check(message.clone())
        .await
        .expect_err("no token");
    expect(&error, ErrorReason::SessionMissing, None, "");
    let tampered: String = raw.token.chars().rev().collect();
    for token in [tampered.as_str(), "v4.local.AAAA", "17"] {
        let foreign = Raw {
            channel: raw.channel.clone(),
            token: token.to_owned(),
        };
        let error = foreign
            .check(message.clone())
            .await
            .expect_err("a foreign token");
        expect(&error, ErrorReason::SessionInvalid, None, token);
    }

    let mut client = SessionsClient::new(raw.channel.clone());
    let identity = cluster.identity(0);
    let open = async |client: &mut SessionsClient<Channel>, site: &str, device: &str| {
        let who = v1::GetChallengeRequest {
            site_code: site.to_owned(),
            device_id: device.to_owned(),
        };
        let challenge = client.get_challenge(who).await?.into_inner().challenge;
        let key = SigningKey::from_bytes(&identity.key.seed());
        let message = v1::OpenSessionRequest {
            site_code: site.to_owned(),
            device_id: device.to_owned(),
            // Signed without the context that makes a signature a login.
            signature: key.sign(&challenge).to_bytes().to_vec().into(),
            challenge,
        };
        client.open_session(message).await
    };
    let (site, device) = (identity.site.to_string(), identity.device.to_string());
    let error = open(&mut client, &site, &device)
        .await
        .expect_err("another signature");
    expect(&error, ErrorReason::UnknownDevice, None, "");
    let error = open(&mut client, &site, "no-such-device")
        .await
        .expect_err("no such device");
    expect(&error, ErrorReason::UnknownDevice, None, "");
    let error = open(&mut client, "no-such-site", &device)
        .await
        .expect_err("no such site");
    expect(&error, ErrorReason::UnknownSite, Some("site_code"), "");
    let error = open(&mut client, "no such site!", &device)
        .await
        .expect_err("no site code");
    assert_eq!(error.code(), Code::InvalidArgument, "{error:?}");
    Ok(())
}

async fn sizes_and_deadlines(raw: &Raw, cluster: &Cluster) -> anyhow::Result<()> {
    let huge = RecordRequest {
        program: "x".repeat(8 << 20),
        ..sale(cluster)
    };
    let error = raw.record(huge).await.expect_err("eight mebibytes");
    expect(&error, ErrorReason::MessageTooLarge, None, "xxxx");

    let before = raw.sales().await?;
    let mut request = raw.request(sale(cluster));
    request.metadata_mut().insert("grpc-timeout", "1n".parse()?);
    let error = raw
        .ration()
        .record(request)
        .await
        .expect_err("a deadline in the past");
    // The client's own side may notice first; either way nothing was done.
    assert!(
        matches!(error.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{error:?}"
    );
    assert_eq!(raw.sales().await?, before, "recorded after its deadline");
    Ok(())
}

/// Neither gateways nor nodes speak anything but TLS, and noise does not disturb them.
async fn plaintext(cluster: &Cluster) -> anyhow::Result<()> {
    let mut addresses = cluster.gateway_addresses();
    addresses.push(cluster.node_address(1));
    for address in addresses {
        for noise in [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            &[0; 64],
        ] {
            let mut stream = TcpStream::connect(&address).await?;
            stream.write_all(noise).await?;
            let mut answer = Vec::new();
            let read = cluster
                .env
                .timeout(Duration::from_secs(15), stream.read_to_end(&mut answer));
            // Closed, or reset: both are an end.
            let _closed = read.await.context("the connection was left open")?;
            // At most a TLS alert (record type 21), never HTTP.
            assert!(
                answer.is_empty() || answer[0] == 21,
                "{address} answered {answer:02x?}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_fault_on_the_wire_is_named_and_nothing_is_echoed() {
    with_cluster(ClusterOptions::new(PROGRAM), async |cluster| {
        let raw = Raw::log_in(cluster).await?;
        citizen_ids(&raw).await?;
        quantities_and_programs(&raw, cluster).await;
        request_ids(&raw, cluster).await?;
        sessions(&raw, cluster).await?;
        sizes_and_deadlines(&raw, cluster).await?;
        plaintext(cluster).await?;
        let log = std::fs::read_to_string(cluster.path("logs/gateway-1.log"))?;
        let number = citizens::number(CITIZEN);
        anyhow::ensure!(
            !log.contains(&number),
            "a national ID is in the gateway's log"
        );
        cluster.await_whole().await?;
        cluster.verify().await.map(|_| ())
    });
}
