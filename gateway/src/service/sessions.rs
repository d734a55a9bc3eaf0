//! Login: a challenge, a signature, a token. No password, no write, no state.

use std::sync::Arc;

use bytes::Bytes;
use quorate_proto::{
    status::ErrorReason,
    v1::{
        GetChallengeRequest, GetChallengeResponse, OpenSessionRequest, OpenSessionResponse,
        sessions_server::Sessions,
    },
};
use tonic::{Request, Response, Status};

use super::{
    border::{self, Border},
    convert, deadline, errors,
};
use crate::{
    model::{FindDevice, place_of},
    session::{Session, signed_by},
};

/// See the module's documentation.
pub(crate) struct SessionsService {
    pub(crate) border: Arc<Border>,
}

#[tonic::async_trait]
impl Sessions for SessionsService {
    async fn get_challenge(
        &self,
        request: Request<GetChallengeRequest>,
    ) -> Result<Response<GetChallengeResponse>, Status> {
        let border = &*self.border;
        let _place = border.place()?;
        let request = request.into_inner();
        let site = border::site_code("site_code", &request.site_code)?;
        let device = border::device_id("device_id", &request.device_id)?;
        let challenge = border.challenger.issue(&site, &device, border.env());
        Ok(Response::new(GetChallengeResponse {
            challenge: Bytes::copy_from_slice(&challenge.bytes),
            expires_at: Some(convert::timestamp(challenge.expires_ms)),
        }))
    }

    async fn open_session(
        &self,
        request: Request<OpenSessionRequest>,
    ) -> Result<Response<OpenSessionResponse>, Status> {
        let border = &*self.border;
        let _place = border.place()?;
        let deadline = border.deadline(&request, deadline::TERMINAL)?;
        let request = request.into_inner();
        let find = FindDevice {
            site: border::site_code("site_code", &request.site_code)?,
            device: border::device_id("device_id", &request.device_id)?,
        };
        let now_ms = border.env().unix_ms();
        border
            .challenger
            .check(&request.challenge, &find.site, &find.device, now_ms)
            .map_err(errors::challenge)?;

        let place = place_of(&find.site);
        let found = border.dispatcher.call(place, &find, deadline).await;
        let found = found.map_err(|error| errors::call(error, None, border.env()))?;
        let Some(site) = found.answer.site else {
            let message = "there is no such site";
            return Err(errors::wrong_field(
                ErrorReason::UnknownSite,
                "site_code",
                message,
            ));
        };
        // On purpose one answer for "no such device" and "not its signature".
        let public_key = found.answer.public_key.unwrap_or_default();
        if !signed_by(&public_key, &request.challenge, &request.signature) {
            let message =
                "the device is not enrolled at this site, or the signature is not its own";
            return Err(errors::plain(ErrorReason::UnknownDevice, message));
        }

        let lifetime_ms = i64::try_from(border.session_lifetime.as_millis()).unwrap_or(i64::MAX);
        let now_ms = border.env().unix_ms();
        let session = Session {
            site: find.site,
            site_type: site.site_type,
            region: site.region,
            device: find.device,
            is_suspended: false,
            expires_ms: now_ms.saturating_add(lifetime_ms),
        };
        let token = border.tokens.seal(&session, now_ms).ok_or_else(|| {
            errors::plain(ErrorReason::Internal, "the session token cannot be made")
        })?;
        Ok(Response::new(OpenSessionResponse {
            token,
            expires_at: Some(convert::timestamp(session.expires_ms)),
            site_name: site.name,
            site_type: session.site_type.to_string(),
            sealing_key: Some(convert::sealing_key(border.sealing.published())),
        }))
    }
}
