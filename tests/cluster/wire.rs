//! A terminal without a client library, which would not send most of what tests of bad input send; and what
//! every error must look like.

use ed25519_dalek::{Signer as _, SigningKey};
use quorate_harness::cluster::Cluster;
use quorate_link::{ChannelOptions, TlsClient, certs::GATEWAY_SERVER_NAME};
use quorate_proto::{
    status::{self, ErrorReason},
    v1::{self, CitizenId, ration_client::RationClient, sessions_client::SessionsClient},
};
use tonic::{Request, Status, transport::Channel};

/// A session of a terminal, and the connection it was opened on.
pub(crate) struct Raw {
    pub(crate) channel: Channel,
    pub(crate) token: String,
}

impl Raw {
    /// As the first terminal of the cluster.
    pub(crate) async fn log_in(cluster: &Cluster) -> anyhow::Result<Self> {
        let channel = channel(cluster).await?;
        let identity = cluster.identity(0);
        let mut sessions = SessionsClient::new(channel.clone());
        let who = v1::GetChallengeRequest {
            site_code: identity.site.to_string(),
            device_id: identity.device.to_string(),
        };
        let challenge = sessions
            .get_challenge(who.clone())
            .await?
            .into_inner()
            .challenge;
        let key = SigningKey::from_bytes(&identity.key.seed());
        let signature = key.sign(&[b"quorate-session-v1", &challenge[..]].concat());
        let session = sessions
            .open_session(v1::OpenSessionRequest {
                site_code: who.site_code,
                device_id: who.device_id,
                challenge,
                signature: signature.to_bytes().to_vec().into(),
            })
            .await?
            .into_inner();
        Ok(Self {
            channel,
            token: session.token,
        })
    }

    pub(crate) fn ration(&self) -> RationClient<Channel> {
        RationClient::new(self.channel.clone())
    }

    /// A request of this session.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token)
            .parse()
            .expect("a token is ASCII");
        request.metadata_mut().insert("authorization", bearer);
        request
    }
}

/// A connection without a session.
pub(crate) async fn channel(cluster: &Cluster) -> anyhow::Result<Channel> {
    let ca = std::fs::read(cluster.path("ca.pem"))?;
    let tls = TlsClient::anonymous(&ca, &cluster.env)?;
    let address = &cluster.gateway_addresses()[0];
    Ok(tls
        .connect(address, GATEWAY_SERVER_NAME, ChannelOptions::default())
        .await?)
}

/// A resident registration number.
pub(crate) fn citizen(number: &str) -> CitizenId {
    CitizenId {
        scheme: "KR-RRN".to_owned(),
        number: number.to_owned(),
    }
}

/// One error of ours, of this reason, about this field, without a word of what was sent.
pub(crate) fn expect(status: &Status, reason: ErrorReason, field: Option<&str>, secret: &str) {
    assert_eq!(status::reason_of(status), Some(reason), "{status:?}");
    assert_eq!(status.code(), reason.code(), "{status:?}");
    let named = status::metadata_of(status, status::METADATA_FIELD);
    assert_eq!(named.as_deref(), field, "{status:?}");
    let printed = format!("{status:?}");
    assert!(
        secret.len() < 4 || !printed.contains(secret),
        "echoes its input: {printed}"
    );
    let waits = status::retry_after_of(status).is_some();
    assert!(
        !waits || reason.retryable(),
        "asks to wait for nothing: {status:?}"
    );
}
