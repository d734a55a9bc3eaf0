//! A gateway that answers what a test tells it to, over real TLS, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ed25519_dalek::{Signature, VerifyingKey};
use futures_util::{Stream, StreamExt as _, stream};
use quorate_client::{
    Connection, ConnectionOptions, DeviceKey, Operator, Terminal, TerminalIdentity,
};
use quorate_link::{ClientAuth, Env, Role, TlsClient, TlsServer, certs::CertificateAuthority};
use quorate_proto::{
    admin::admin_server::AdminServer,
    ids::{DeviceId, SiteCode},
    status::{ErrorReason, to_status},
    v1::{
        self,
        ration_server::{Ration, RationServer},
        sessions_server::{Sessions, SessionsServer},
        stock_server::StockServer,
    },
};
use tonic::{Request, Response, Status, transport::Server};

/// What a gateway does with the next request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Grants it.
    Grant,
    /// Answers with an error of the table.
    Refuse(ErrorReason),
    /// The same, and asks to be called again after this long.
    RefuseFor(ErrorReason, Duration),
    /// Does not answer.
    Hang,
}

/// One gateway. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<VecDeque<Act>>,
    /// When the script is over.
    afterwards: Act,
    /// Request ids of the records and quantities of the checks, as they came.
    seen: Mutex<Vec<String>>,
    logins: AtomicU32,
    device_key: [u8; 32],
    env: Env,
}

/// Gateways and a terminal that knows them.
pub(crate) struct Stage {
    pub(crate) env: Env,
    authority: CertificateAuthority,
    key: DeviceKey,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let env = Env::system();
        Self {
            authority: CertificateAuthority::new("test").expect("an authority"),
            key: DeviceKey::generate(&env),
            env,
        }
    }

    /// Starts a gateway that plays `script`, then does `afterwards` for ever; its address.
    pub(crate) async fn gateway(&self, script: Vec<Act>, afterwards: Act) -> (Gateway, String) {
        let gateway = Gateway {
            shared: Arc::new(Shared {
                script: Mutex::new(script.into()),
                afterwards,
                seen: Mutex::default(),
                logins: AtomicU32::new(0),
                device_key: self.key.public(),
                env: self.env.clone(),
            }),
        };
        let role = Role::Gateway("scripted".to_owned());
        let issued = self.authority.issue(&role, &[]).expect("a certificate");
        let material = self.authority.material(&issued);
        let tls = TlsServer::new(&material, ClientAuth::Optional, &self.env).expect("a server");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = Server::builder()
            .add_service(RationServer::new(gateway.clone()))
            .add_service(SessionsServer::new(gateway.clone()))
            .add_service(StockServer::new(gateway.clone()))
            .add_service(AdminServer::new(gateway.clone()))
            .serve_with_incoming(tls.incoming(listener));
        drop(self.env.spawn("scripted-gateway", async move {
            server.await.expect("the gateway serves");
        }));
        (gateway, address)
    }

    /// An address that nobody listens on.
    pub(crate) async fn nobody(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        listener.local_addr().expect("an address").to_string()
    }

    fn connection(&self, gateways: &[String]) -> Connection {
        let ca_pem = self.authority.cert_pem().as_bytes();
        let tls = TlsClient::anonymous(ca_pem, &self.env).expect("a client");
        let options = ConnectionOptions::default();
        Connection::open(gateways, &tls, options, self.env.clone()).expect("a connection")
    }

    /// The gateways here ask nobody for a certificate.
    pub(crate) fn operator(&self, gateways: &[String]) -> Operator {
        Operator::new(self.connection(gateways))
    }

    pub(crate) fn terminal(&self, gateways: &[String]) -> Terminal {
        let identity = TerminalIdentity {
            site: SiteCode::parse("11000001").expect("a site"),
            device: DeviceId::parse("till-1").expect("a device"),
            key: self.key.clone(),
        };
        Terminal::new(self.connection(gateways), identity)
    }
}

impl Gateway {
    /// What it was asked, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().expect("not poisoned").clone()
    }

    pub(crate) fn logins(&self) -> u32 {
        self.shared.logins.load(Ordering::SeqCst)
    }

    /// Two pages, each noted by its number and acted upon by itself.
    pub(crate) fn pages<T>(
        &self,
        what: &'static str,
        make: fn(u8) -> T,
    ) -> impl Stream<Item = Result<T, Status>> + Send + use<T>
    where
        T: Send + 'static,
    {
        let gateway = self.clone();
        let pages = stream::iter([(1, make(1)), (2, make(2))]);
        until_error(pages.then(move |(number, page)| {
            let gateway = gateway.clone();
            async move {
                gateway.act(format!("{what} {number}"), None).await?;
                Ok(page)
            }
        }))
    }

    /// Notes the request and does what is next. `bearer`: where a session is needed.
    pub(crate) async fn act(&self, seen: String, bearer: Option<&str>) -> Result<(), Status> {
        let act = {
            self.shared.seen.lock().expect("not poisoned").push(seen);
            let mut script = self.shared.script.lock().expect("not poisoned");
            script.pop_front()
        };
        let newest = format!("Bearer token-{}", self.logins());
        if bearer.is_some_and(|bearer| bearer != newest) {
            return Err(to_status(ErrorReason::SessionInvalid, "", &[], None));
        }
        match act.unwrap_or_else(|| self.shared.afterwards.clone()) {
            Act::Grant => Ok(()),
            Act::Refuse(reason) => Err(to_status(reason, reason.name(), &[], None)),
            Act::RefuseFor(reason, delay) => {
                Err(to_status(reason, reason.name(), &[], Some(delay)))
            }
            Act::Hang => {
                self.shared.env.sleep(Duration::from_secs(3600)).await;
                Ok(())
            }
        }
    }
}

/// An error is the last thing that a stream says.
pub(crate) fn until_error<T: Send>(
    answers: impl Stream<Item = Result<T, Status>> + Send,
) -> impl Stream<Item = Result<T, Status>> + Send {
    answers.scan(false, |failed, answer| {
        let over = std::mem::replace(failed, answer.is_err());
        async move { (!over).then_some(answer) }
    })
}

/// Of a call that needs a session: no token is a wrong one.
pub(crate) fn bearer<T>(request: &Request<T>) -> Option<&str> {
    let sent = request.metadata().get("authorization");
    Some(sent.and_then(|sent| sent.to_str().ok()).unwrap_or_default())
}

fn granted() -> Option<v1::Verdict> {
    Some(v1::Verdict {
        decision: v1::Decision::Granted.into(),
        limit: 2,
        decided_at: Some(prost_types::Timestamp::default()),
        position: Some(v1::LogPosition::default()),
        ..v1::Verdict::default()
    })
}

#[tonic::async_trait]
impl Ration for Gateway {
    async fn check(
        &self,
        request: Request<v1::CheckRequest>,
    ) -> Result<Response<v1::CheckResponse>, Status> {
        let seen = request.get_ref().quantity.to_string();
        self.act(seen, bearer(&request)).await?;
        let verdict = granted();
        Ok(Response::new(v1::CheckResponse { verdict }))
    }

    async fn record(
        &self,
        request: Request<v1::RecordRequest>,
    ) -> Result<Response<v1::RecordResponse>, Status> {
        let request_id = request.get_ref().request_id.clone();
        self.act(request_id.clone(), bearer(&request)).await?;
        Ok(Response::new(v1::RecordResponse {
            verdict: granted(),
            request_id,
            repeated_answer: false,
        }))
    }

    async fn void(
        &self,
        _: Request<v1::VoidRequest>,
    ) -> Result<Response<v1::VoidResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }

    async fn list_sales(
        &self,
        _: Request<v1::ListSalesRequest>,
    ) -> Result<Response<v1::ListSalesResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }
}

#[tonic::async_trait]
impl Sessions for Gateway {
    async fn get_challenge(
        &self,
        _: Request<v1::GetChallengeRequest>,
    ) -> Result<Response<v1::GetChallengeResponse>, Status> {
        Ok(Response::new(v1::GetChallengeResponse {
            challenge: b"a nonce".as_slice().into(),
            expires_at: None,
        }))
    }

    async fn open_session(
        &self,
        request: Request<v1::OpenSessionRequest>,
    ) -> Result<Response<v1::OpenSessionResponse>, Status> {
        let refused = || to_status(ErrorReason::UnknownDevice, "refused", &[], None);
        let message = [b"quorate-session-v1", &request.get_ref().challenge[..]].concat();
        let signature = Signature::from_slice(&request.get_ref().signature);
        let key = VerifyingKey::from_bytes(&self.shared.device_key);
        let (signature, key) = (
            signature.map_err(|_| refused())?,
            key.map_err(|_| refused())?,
        );
        key.verify_strict(&message, &signature)
            .map_err(|_| refused())?;
        let number = self.shared.logins.fetch_add(1, Ordering::SeqCst) + 1;
        let expires_at_s = self.shared.env.unix_ms() / 1000 + 3600;
        Ok(Response::new(v1::OpenSessionResponse {
            token: format!("token-{number}"),
            expires_at: Some(prost_types::Timestamp {
                seconds: expires_at_s,
                nanos: 0,
            }),
            site_name: String::new(),
            site_type: "01".to_owned(),
            sealing_key: None,
        }))
    }
}
