//! Registers a device's key at its site.

use std::time::Duration;

use quorate_proto::{
    admin::{EnrollDeviceRequest, EnrollDeviceResponse},
    status::ErrorReason,
};
use tonic::Status;

use crate::{
    model::{DevicePut, PutDevice, place_of},
    service::{
        border::{self, Border},
        errors,
    },
    session::public_key,
};

pub(super) async fn enroll(
    border: &Border,
    request: EnrollDeviceRequest,
    deadline: Duration,
) -> Result<EnrollDeviceResponse, Status> {
    let key = public_key(&request.public_key).ok_or_else(|| {
        errors::invalid(
            "public_key",
            "an Ed25519 public key of 32 bytes that is not weak is required",
        )
    })?;
    let put = PutDevice {
        site: border::site_code("site_code", &request.site_code)?,
        device: border::device_id("device_id", &request.device_id)?,
        public_key: key.to_bytes(),
    };
    let place = place_of(&put.site);
    let answered = border.dispatcher.call(place, &put, deadline).await;
    let answered = answered.map_err(|error| errors::call(error, None, border.env()))?;
    match answered.answer {
        DevicePut::Enrolled => Ok(EnrollDeviceResponse {
            already_enrolled: false,
        }),
        DevicePut::AlreadyEnrolled => Ok(EnrollDeviceResponse {
            already_enrolled: true,
        }),
        DevicePut::KeyConflict => Err(errors::wrong_field(
            ErrorReason::DeviceKeyConflict,
            "public_key",
            "the device is enrolled with another key",
        )),
        DevicePut::SiteUnknown => Err(errors::site_unknown()),
    }
}
