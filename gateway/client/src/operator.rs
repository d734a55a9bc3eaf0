//! What an operator does, with a client certificate of the role `operator`.
//!
//! Every change here can be asked for again without harm, so calls are repeated as reads are.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use quorate_proto::{
    admin::{self, admin_client::AdminClient},
    ids::{DeviceId, ProgramId, SiteCode},
};
use tonic::{Response, Status, transport::Channel};

use crate::{
    codec,
    connection::Connection,
    deadline::Deadline,
    error::AdminError,
    model::{ClusterStatus, ProgramPut, PutProgram, ShadowReport, Verification},
    session::timed,
};

/// An answer may list thousands of shards.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An operator at a connection that shows an operator's certificate. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    connection: Connection,
}

impl Operator {
    /// Calls over `connection`.
    #[must_use]
    pub const fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// The connection.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Nodes, shards, leaders and replicas, as the nodes report them right now.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn status(&self, time_limit: Duration) -> Result<ClusterStatus, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let request = timed(admin::GetStatusRequest {}, left);
                async move { client(channel).get_status(request).await }
            })
            .await?;
        Ok(codec::status(answer))
    }

    /// Registers a device's public key at a site; false if it was registered already.
    ///
    /// # Errors
    /// See [`AdminError`]; among them a device of that name with another key.
    pub async fn enroll_device(
        &self,
        site: SiteCode,
        device: DeviceId,
        public_key: [u8; 32],
        time_limit: Duration,
    ) -> Result<bool, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let message = admin::EnrollDeviceRequest {
                    site_code: site.to_string(),
                    device_id: device.to_string(),
                    public_key: Bytes::copy_from_slice(&public_key),
                };
                let request = timed(message, left);
                async move { client(channel).enroll_device(request).await }
            })
            .await?;
        Ok(!answer.already_enrolled)
    }

    /// Puts a program, or more rules of it, in force. A program goes as its message: only the core knows its
    /// laws, and whoever writes programs checks them there.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn put_program(
        &self,
        program: &admin::Program,
        put: PutProgram,
        time_limit: Duration,
    ) -> Result<ProgramPut, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let message = admin::PutProgramRequest {
                    program: Some(program.clone()),
                    expected_version: put.expected_version,
                    immediate: put.immediate,
                };
                let request = timed(message, left);
                async move { client(channel).put_program(request).await }
            })
            .await?;
        Ok(ProgramPut {
            version: answer.version,
            unchanged: answer.unchanged,
        })
    }

    /// Every program as it stands, as its message.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn list_programs(
        &self,
        time_limit: Duration,
    ) -> Result<Vec<admin::Program>, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let request = timed(admin::ListProgramsRequest {}, left);
                async move { client(channel).list_programs(request).await }
            })
            .await?;
        Ok(answer.programs)
    }

    /// What the shadow rules of a program would have decided.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn shadow_counts(
        &self,
        program: &ProgramId,
        time_limit: Duration,
    ) -> Result<ShadowReport, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let message = admin::GetShadowCountsRequest {
                    program: program.to_string(),
                };
                let request = timed(message, left);
                async move { client(channel).get_shadow_counts(request).await }
            })
            .await?;
        Ok(codec::shadow_counts(answer))
    }

    /// Compares what every replica holds, at one log index a shard. Reads every record of the cluster.
    ///
    /// # Errors
    /// See [`AdminError`]; a difference is none.
    pub async fn verify(&self, time_limit: Duration) -> Result<Verification, AdminError> {
        let answer = self
            .call(time_limit, |channel, left| {
                let request = timed(admin::VerifyRequest {}, left);
                async move { client(channel).verify(request).await }
            })
            .await?;
        codec::verification(answer).map_err(AdminError::Malformed)
    }

    pub(crate) async fn call<T, F, Answer>(
        &self,
        time_limit: Duration,
        attempt: F,
    ) -> Result<T, AdminError>
    where
        F: FnMut(Channel, Duration) -> Answer + Send,
        Answer: Future<Output = Result<Response<T>, Status>> + Send,
    {
        let deadline = Deadline::after(self.connection.env(), time_limit);
        match self.connection.call(deadline, attempt).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(failed) => Err(failed.into_admin()),
        }
    }
}

pub(crate) fn client(channel: Channel) -> AdminClient<Channel> {
    AdminClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
