//! Who gets through the door, over real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use quorate_link::{
    ChannelOptions, ClientAuth, Env, Role, ServerLimits, TlsClient, TlsMaterial, TlsServer,
    certs::{CertificateAuthority, GATEWAY_SERVER_NAME, NODE_SERVER_NAME, node_server_name},
    peer_role,
};
use quorate_proto::{
    ids::NodeId,
    status::{ErrorReason, reason_of, to_status},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;
use tonic::{Code, Request, Status, transport::Server};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const CLUSTER: &str = "demo";

fn authority() -> CertificateAuthority {
    CertificateAuthority::new(CLUSTER).unwrap()
}

fn material(authority: &CertificateAuthority, role: Role) -> TlsMaterial {
    authority.material(&authority.issue(&role, &[]).unwrap())
}

fn gateways_only(request: Request<()>) -> Result<Request<()>, Status> {
    match peer_role(&request, CLUSTER)? {
        Role::Gateway(_) => Ok(request),
        _ => Err(to_status(
            ErrorReason::RoleRequired,
            "gateways only",
            &[],
            None,
        )),
    }
}

/// Serves the health service as node 1; `guarded` lets gateways in and nobody else.
async fn serve(
    authority: &CertificateAuthority,
    auth: ClientAuth,
    limits: ServerLimits,
    guarded: bool,
) -> String {
    let env = Env::system();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let material = material(authority, Role::Node(NodeId(1)));
    let incoming = TlsServer::new(&material, auth, &env)
        .unwrap()
        .with_limits(limits)
        .incoming(listener);
    let (_, health) = tonic_health::server::health_reporter();
    let guard = move |request: Request<()>| match guarded {
        true => gateways_only(request),
        false => Ok(request),
    };
    let health = tonic::service::interceptor::InterceptedService::new(health, guard);
    drop(env.spawn("server", async move {
        Server::builder()
            .add_service(health)
            .serve_with_incoming(incoming)
            .await
            .unwrap();
    }));
    address
}

async fn call(client: &TlsClient, address: &str, name: &str) -> Result<(), Option<Status>> {
    let options = ChannelOptions {
        connect_timeout: Duration::from_secs(5),
        ..ChannelOptions::default()
    };
    let channel = client
        .connect(address, name, options)
        .await
        .map_err(|_| None)?;
    HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .map(drop)
        .map_err(Some)
}

/// No connection, or one that dies before it answers: with TLS 1.3 a client learns only then that its
/// certificate was refused.
fn shut_out(outcome: Result<(), Option<Status>>) -> bool {
    match outcome {
        Ok(()) => false,
        Err(None) => true,
        Err(Some(status)) => status.code() != Code::Ok && reason_of(&status).is_none(),
    }
}

#[tokio::test]
async fn mutual_tls_carries_a_call() {
    let authority = authority();
    let address = serve(
        &authority,
        ClientAuth::Required,
        ServerLimits::default(),
        true,
    )
    .await;
    let client = material(&authority, Role::Gateway("a".into()));
    let client = TlsClient::new(&client, &Env::system()).unwrap();
    for name in [&*node_server_name(NodeId(1)), NODE_SERVER_NAME] {
        call(&client, &address, name).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_verifies_the_name_it_asked_for() {
    let authority = authority();
    let address = serve(
        &authority,
        ClientAuth::Required,
        ServerLimits::default(),
        false,
    )
    .await;
    let client = material(&authority, Role::Gateway("a".into()));
    let client = TlsClient::new(&client, &Env::system()).unwrap();
    for name in [
        &node_server_name(NodeId(2)),
        GATEWAY_SERVER_NAME,
        "localhost",
    ] {
        let outcome = call(&client, &address, name).await;
        assert!(shut_out(outcome), "node 1 passed for {name}");
    }
}

#[tokio::test]
async fn a_wrong_role_is_refused_with_the_reason() {
    let authority = authority();
    let address = serve(
        &authority,
        ClientAuth::Required,
        ServerLimits::default(),
        true,
    )
    .await;
    let client = material(&authority, Role::Operator("kim".into()));
    let client = TlsClient::new(&client, &Env::system()).unwrap();
    let status = call(&client, &address, &node_server_name(NodeId(1)))
        .await
        .unwrap_err()
        .unwrap();
    assert_eq!(reason_of(&status), Some(ErrorReason::RoleRequired));
}

#[tokio::test]
async fn without_a_certificate_only_an_optional_server_answers() {
    let authority = authority();
    let client = TlsClient::anonymous(authority.cert_pem().as_bytes(), &Env::system()).unwrap();
    let name = node_server_name(NodeId(1));

    let required = serve(
        &authority,
        ClientAuth::Required,
        ServerLimits::default(),
        false,
    )
    .await;
    assert!(shut_out(call(&client, &required, &name).await));

    let optional = serve(
        &authority,
        ClientAuth::Optional,
        ServerLimits::default(),
        false,
    )
    .await;
    call(&client, &optional, &name).await.unwrap();

    let guarded = serve(
        &authority,
        ClientAuth::Optional,
        ServerLimits::default(),
        true,
    )
    .await;
    let status = call(&client, &guarded, &name).await.unwrap_err().unwrap();
    assert_eq!(reason_of(&status), Some(ErrorReason::RoleRequired));
}

#[tokio::test]
async fn foreign_and_expired_certificates_are_shut_out() {
    let ours = authority();
    let env = Env::system();
    let name = node_server_name(NodeId(1));
    let gateway = Role::Gateway("a".into());
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let address = serve(&ours, auth, ServerLimits::default(), false).await;

        // Same cluster id, same names, another authority; the client trusts ours.
        let theirs = authority();
        let mut foreign = material(&theirs, gateway.clone());
        foreign.ca_pem = ours.cert_pem().as_bytes().to_vec();
        let client = TlsClient::new(&foreign, &env).unwrap();
        assert!(shut_out(call(&client, &address, &name).await), "{auth:?}");

        // The other way round: the client trusts another authority.
        let client = TlsClient::anonymous(theirs.cert_pem().as_bytes(), &env).unwrap();
        assert!(shut_out(call(&client, &address, &name).await), "{auth:?}");

        let past = ((2020, 1, 1), (2021, 1, 1));
        let expired = ours.issue_valid(&gateway, &[], past).unwrap();
        let client = TlsClient::new(&ours.material(&expired), &env).unwrap();
        assert!(shut_out(call(&client, &address, &name).await), "{auth:?}");
    }
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let authority = authority();
    let address = serve(
        &authority,
        ClientAuth::Optional,
        ServerLimits::default(),
        false,
    )
    .await;
    for (version, accepted) in [
        (&rustls::version::TLS12, false),
        (&rustls::version::TLS13, true),
    ] {
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
        roots
            .add(CertificateDer::from_pem_slice(authority.cert_pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(&address).await.unwrap();
        let name = ServerName::try_from(node_server_name(NodeId(1))).unwrap();
        let outcome = TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await;
        assert_eq!(outcome.is_ok(), accepted, "{version:?}");
    }
}

#[tokio::test]
async fn plaintext_is_refused() {
    let authority = authority();
    let address = serve(
        &authority,
        ClientAuth::Optional,
        ServerLimits::default(),
        false,
    )
    .await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A TLS alert (21) at most, then the end: never an HTTP/2 frame.
    let _ = socket.read_to_end(&mut answer).await;
    assert!(matches!(answer.first(), None | Some(21)), "{answer:?}");
}

#[tokio::test]
async fn stalled_handshakes_time_out_and_block_nobody() {
    let authority = authority();
    let limits = ServerLimits {
        handshake_timeout: Duration::from_millis(200),
        handshakes_max: 2,
        ..ServerLimits::default()
    };
    let address = serve(&authority, ClientAuth::Optional, limits, false).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let client = TlsClient::anonymous(authority.cert_pem().as_bytes(), &Env::system()).unwrap();
    call(&client, &address, &node_server_name(NodeId(1)))
        .await
        .unwrap();
    // The first silent peer was hung up on.
    assert_eq!(silent[0].read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once() {
    let authority = authority();
    let limits = ServerLimits {
        connections_max: 1,
        ..ServerLimits::default()
    };
    let address = serve(&authority, ClientAuth::Optional, limits, false).await;
    let client = TlsClient::anonymous(authority.cert_pem().as_bytes(), &Env::system()).unwrap();
    let name = node_server_name(NodeId(1));
    let options = ChannelOptions::default();
    let first = client.connect(&address, &name, options).await.unwrap();
    assert!(shut_out(call(&client, &address, &name).await));
    drop(first);
    // Its place is free again, as soon as the server has seen the end.
    for _ in 0..100 {
        if call(&client, &address, &name).await.is_ok() {
            return;
        }
        Env::system().sleep(Duration::from_millis(20)).await;
    }
    panic!("the place of a closed connection was never given back");
}
