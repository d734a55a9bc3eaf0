//! The session of one terminal: opened when first needed, renewed before it ends.
//!
//! State owned: the current token. Invariants: at most one login is under way, and those who need it wait
//! for it; a token is replaced only by a newer one; the signing key never leaves this process.
//! Deliberately absent: retries (the connection's) and which calls need a session (the terminal's).

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use quorate_link::{Env, SealingKey};
use quorate_proto::{
    ids::{DeviceId, SiteCode},
    v1::{self, sessions_client::SessionsClient},
};
use tokio::sync::Mutex;
use tonic::{Request, metadata::MetadataValue};

use crate::{
    codec,
    connection::Connection,
    deadline::Deadline,
    device_key::DeviceKey,
    error::{MalformedAnswer, SessionError},
};

/// What a device signs comes after this, so that its signature means nothing anywhere else.
const SIGNATURE_CONTEXT: &[u8] = b"quorate-session-v1";

/// A session is renewed after this part of its lifetime, so that no sale meets an expired token.
const LIFETIME_USED: f64 = 0.9;

/// A session is used at least this long. Its end is an instant of the gateway's clock: a terminal whose
/// own clock is ahead would otherwise log in before every sale.
const USED_AT_LEAST: Duration = Duration::from_secs(30);

/// Who a terminal is.
#[derive(Clone)]
pub struct TerminalIdentity {
    /// The site it stands at.
    pub site: SiteCode,
    /// Its name at that site.
    pub device: DeviceId,
    /// Its key; the public half is enrolled at the site.
    pub key: DeviceKey,
}

/// An open session.
pub(crate) struct Session {
    /// `authorization`, complete.
    pub(crate) bearer: MetadataValue<tonic::metadata::Ascii>,
    /// Monotonic time.
    renew_at: Duration,
}

pub(crate) struct SessionKeeper {
    identity: TerminalIdentity,
    current: RwLock<Option<Arc<Session>>>,
    /// What the last login brought: the gateways' key for slips.
    sealing: RwLock<Option<SealingKey>>,
    login: Mutex<()>,
}

impl SessionKeeper {
    pub(crate) fn new(identity: TerminalIdentity) -> Self {
        Self {
            identity,
            current: RwLock::new(None),
            sealing: RwLock::new(None),
            login: Mutex::new(()),
        }
    }

    pub(crate) fn identity(&self) -> &TerminalIdentity {
        &self.identity
    }

    /// The gateways' key for slips, as the last login brought it.
    pub(crate) fn sealing_key(&self) -> Option<SealingKey> {
        let sealing = self.sealing.read().unwrap_or_else(PoisonError::into_inner);
        sealing.clone()
    }

    /// The session to use now; logs in if there is none or it is about to end.
    pub(crate) async fn session(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Arc<Session>, SessionError> {
        if let Some(session) = self.usable(connection) {
            return Ok(session);
        }
        let _one_login_at_a_time = self.login.lock().await;
        // Another call may have logged in while this one waited.
        if let Some(session) = self.usable(connection) {
            return Ok(session);
        }
        let session = Arc::new(self.log_in(connection, deadline).await?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        Ok(session)
    }

    /// Forgets a session that a gateway refused.
    pub(crate) fn refused(&self, session: &Arc<Session>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // A late complaint about an old token must not throw away a new one.
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, session))
        {
            *current = None;
        }
    }

    fn usable(&self, connection: &Connection) -> Option<Arc<Session>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let now = connection.env().monotonic();
        current
            .as_ref()
            .filter(|session| now < session.renew_at)
            .cloned()
    }

    async fn log_in(
        &self,
        connection: &Connection,
        deadline: Deadline,
    ) -> Result<Session, SessionError> {
        let TerminalIdentity { site, device, key } = &self.identity;
        let challenge = connection
            .call(deadline, |channel, left| {
                let request = timed(
                    v1::GetChallengeRequest {
                        site_code: site.to_string(),
                        device_id: device.to_string(),
                    },
                    left,
                );
                async move { SessionsClient::new(channel).get_challenge(request).await }
            })
            .await
            .map_err(|failed| failed.into_session())?
            .into_inner()
            .challenge;
        let signature =
            Bytes::copy_from_slice(&key.sign(&[SIGNATURE_CONTEXT, &challenge].concat()));
        let answer = connection
            .call(deadline, |channel, left| {
                let request = timed(
                    v1::OpenSessionRequest {
                        site_code: site.to_string(),
                        device_id: device.to_string(),
                        challenge: challenge.clone(),
                        signature: signature.clone(),
                    },
                    left,
                );
                async move { SessionsClient::new(channel).open_session(request).await }
            })
            .await
            .map_err(|failed| failed.into_session())?
            .into_inner();
        if let Some(key) = codec::sealing_key(answer.sealing_key.as_ref()) {
            let mut sealing = self.sealing.write().unwrap_or_else(PoisonError::into_inner);
            *sealing = Some(key);
        }
        accept(answer, connection.env()).map_err(SessionError::Malformed)
    }
}

fn accept(answer: v1::OpenSessionResponse, env: &Env) -> Result<Session, MalformedAnswer> {
    let expires_at = answer
        .expires_at
        .ok_or(MalformedAnswer("a session without end"))?;
    let expires_at_ms = codec::time(expires_at)?.as_millisecond();
    let mut bearer = MetadataValue::try_from(format!("Bearer {}", answer.token))
        .map_err(|_| MalformedAnswer("a token that is no header value"))?;
    bearer.set_sensitive(true);
    let lifetime_ms = expires_at_ms.saturating_sub(env.unix_ms()).max(0);
    Ok(Session {
        bearer,
        renew_at: env.monotonic() + used_for(Duration::from_millis(lifetime_ms.unsigned_abs())),
    })
}

fn used_for(lifetime: Duration) -> Duration {
    lifetime.mul_f64(LIFETIME_USED).max(USED_AT_LEAST)
}

/// A request that tells the gateway how long its caller will wait.
pub(crate) fn timed<T>(message: T, left: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(left);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_renewed_before_it_ends() {
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        assert_eq!(used_for(hours(10)), hours(9));
    }

    #[test]
    fn a_clock_that_is_ahead_costs_no_login_a_sale() {
        assert_eq!(used_for(Duration::ZERO), USED_AT_LEAST);
    }
}
