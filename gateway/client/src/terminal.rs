//! What a counter does: check, record, void, list.
//!
//! State owned: none but the session. Law: a request that may have been recorded and was not answered is
//! [`WriteError::OutcomeUnknown`], whatever happened afterwards; sending it again with the same id is safe
//! and tells.

use std::{future::Future, sync::Arc, time::Duration};

use quorate_link::{Env, SealingKey};
use quorate_proto::{
    ids::{DeviceId, ProgramId, RequestId, SiteCode},
    v1::{self, ration_client::RationClient},
};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    codec,
    connection::Connection,
    deadline::Deadline,
    error::{Failed, MalformedAnswer, ReadError, SessionError, WriteError},
    model::{NationalId, Proxy, Recorded, Sale, Sales, Undo, Verdict, Voided},
    session::{Session, SessionKeeper, TerminalIdentity, timed},
};

/// A device at a site. Cheap to clone; clones share the session.
#[derive(Clone)]
pub struct Terminal {
    connection: Connection,
    sessions: Arc<SessionKeeper>,
}

/// Why a call over a session was not answered.
pub(crate) enum CallError {
    Session(SessionError),
    Failed(Failed),
}

impl Terminal {
    /// A terminal that calls over `connection`. It logs in with its first call.
    #[must_use]
    pub fn new(connection: Connection, identity: TerminalIdentity) -> Self {
        Self {
            connection,
            sessions: Arc::new(SessionKeeper::new(identity)),
        }
    }

    /// The same terminal and session, calling over another connection.
    #[must_use]
    pub fn over(&self, connection: Connection) -> Self {
        Self {
            connection,
            sessions: self.sessions.clone(),
        }
    }

    /// The connection.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The site it stands at.
    #[must_use]
    pub fn site(&self) -> SiteCode {
        self.sessions.identity().site
    }

    /// Its name at that site.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.sessions.identity().device
    }

    /// Who it is, with the key that signs its slips.
    #[must_use]
    pub fn identity(&self) -> &TerminalIdentity {
        self.sessions.identity()
    }

    /// The key to which slips are sealed, as the last login brought it.
    #[must_use]
    pub fn sealing_key(&self) -> Option<SealingKey> {
        self.sessions.sealing_key()
    }

    pub(crate) fn sessions(&self) -> &SessionKeeper {
        &self.sessions
    }

    /// Opens a session, if none is open.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn log_in(&self, time_limit: Duration) -> Result<(), SessionError> {
        let deadline = Deadline::after(self.connection.env(), time_limit);
        let _session = self.sessions.session(&self.connection, deadline).await?;
        Ok(())
    }

    /// Asks whether the sale would be granted here and now. Records nothing.
    ///
    /// # Errors
    /// See [`ReadError`]; a denial is none.
    pub async fn check(&self, sale: &Sale, time_limit: Duration) -> Result<Verdict, ReadError> {
        let answer = self
            .call(time_limit, &mut false, |channel, session, left| {
                let message = v1::CheckRequest {
                    citizen: Some(sale.citizen.to_wire()),
                    program: sale.program.to_string(),
                    quantity: sale.quantity,
                    product: codec::product_to_wire(sale.product),
                    proxy: sale.proxy.as_ref().map(Proxy::to_wire),
                };
                let request = authorized(message, session, left);
                async move { RationClient::new(channel).check(request).await }
            })
            .await
            .map_err(CallError::into_read)?;
        codec::verdict(answer.verdict).map_err(ReadError::Malformed)
    }

    /// Decides and records a sale. The caller keeps `request_id` until it knows the outcome.
    ///
    /// # Errors
    /// See [`WriteError`]; a denial is none.
    pub async fn record(
        &self,
        request_id: RequestId,
        sale: &Sale,
        time_limit: Duration,
    ) -> Result<Recorded, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::RecordRequest {
                request_id: request_id.to_string(),
                citizen: Some(sale.citizen.to_wire()),
                program: sale.program.to_string(),
                quantity: sale.quantity,
                product: codec::product_to_wire(sale.product),
                proxy: sale.proxy.as_ref().map(Proxy::to_wire),
            };
            let request = authorized(message, session, left);
            async move { RationClient::new(channel).record(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::recorded)
            .await
    }

    /// Undoes a sale of this site on the day of that sale. The caller keeps `request_id`, which is the
    /// void's own, until it knows the outcome.
    ///
    /// # Errors
    /// See [`WriteError`]; a refusal is none.
    pub async fn void(
        &self,
        request_id: RequestId,
        undo: &Undo,
        time_limit: Duration,
    ) -> Result<Voided, WriteError> {
        let attempt = |channel: Channel, session: &Session, left: Duration| {
            let message = v1::VoidRequest {
                request_id: request_id.to_string(),
                citizen: Some(undo.citizen.to_wire()),
                program: undo.program.to_string(),
                sale_request_id: undo.sale_request_id.to_string(),
            };
            let request = authorized(message, session, left);
            async move { RationClient::new(channel).void(request).await }
        };
        self.write(request_id, time_limit, attempt, codec::voided)
            .await
    }

    /// What a person bought inside the retention time.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn list(
        &self,
        citizen: &NationalId,
        program: ProgramId,
        time_limit: Duration,
    ) -> Result<Sales, ReadError> {
        let answer = self
            .call(time_limit, &mut false, |channel, session, left| {
                let message = v1::ListSalesRequest {
                    citizen: Some(citizen.to_wire()),
                    program: program.to_string(),
                };
                let request = authorized(message, session, left);
                async move { RationClient::new(channel).list_sales(request).await }
            })
            .await
            .map_err(CallError::into_read)?;
        codec::sales(answer).map_err(ReadError::Malformed)
    }

    /// One call that writes, and what it says. An answer that cannot be read leaves the outcome unknown.
    pub(crate) async fn write<M, T, F, Answer>(
        &self,
        request_id: RequestId,
        time_limit: Duration,
        attempt: F,
        read: fn(RequestId, M) -> Result<T, MalformedAnswer>,
    ) -> Result<T, WriteError>
    where
        F: FnMut(Channel, &Session, Duration) -> Answer + Send,
        Answer: Future<Output = Result<Response<M>, Status>> + Send,
    {
        let mut maybe_done = false;
        let answer = self
            .call(time_limit, &mut maybe_done, attempt)
            .await
            .map_err(|error| error.into_write(request_id, maybe_done))?;
        read(request_id, answer).map_err(|malformed| WriteError::unreadable(request_id, malformed))
    }

    /// One call over a session. A session that a gateway no longer takes is replaced once. `maybe_done`
    /// is set if any attempt may have been carried out.
    pub(crate) async fn call<T, F, Answer>(
        &self,
        time_limit: Duration,
        maybe_done: &mut bool,
        mut attempt: F,
    ) -> Result<T, CallError>
    where
        F: FnMut(Channel, &Session, Duration) -> Answer + Send,
        Answer: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let deadline = Deadline::after(self.connection.env(), time_limit);
        let mut replaced = false;
        loop {
            let session = self
                .sessions
                .session(&self.connection, deadline)
                .await
                .map_err(CallError::Session)?;
            let answer = self
                .connection
                .call(deadline, |channel, left| attempt(channel, &session, left))
                .await;
            let failed = match answer {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(failed) => failed,
            };
            *maybe_done |= failed.maybe_done;
            if replaced || !failed.last.session_over() {
                return Err(CallError::Failed(failed));
            }
            self.sessions.refused(&session);
            replaced = true;
        }
    }
}

impl CallError {
    pub(crate) fn into_read(self) -> ReadError {
        match self {
            Self::Session(error) => ReadError::Session(error),
            Self::Failed(failed) => failed.into_read(),
        }
    }

    fn into_write(self, request_id: RequestId, maybe_done: bool) -> WriteError {
        match self {
            Self::Session(error) if maybe_done => WriteError::OutcomeUnknown {
                request_id,
                cause: error.to_string(),
            },
            Self::Session(error) => WriteError::Session(error),
            Self::Failed(failed) => Failed {
                maybe_done,
                ..failed
            }
            .into_write(request_id),
        }
    }
}

pub(crate) fn authorized<T>(message: T, session: &Session, left: Duration) -> Request<T> {
    let mut request = timed(message, left);
    request
        .metadata_mut()
        .insert("authorization", session.bearer.clone());
    request
}

/// A request id for a new sale or void: a UUID of version 7, from the time and 74 random bits.
#[must_use]
pub fn new_request_id(env: &Env) -> RequestId {
    let mut random = [0; 10];
    env.random.fill(&mut random);
    let unix_ms = u64::try_from(env.unix_ms()).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid();
    RequestId::from_bytes(uuid.into_bytes()).expect("a UUID of version 7 is not nil")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_differ() {
        let env = Env::system();
        assert_ne!(new_request_id(&env), new_request_id(&env));
    }
}
