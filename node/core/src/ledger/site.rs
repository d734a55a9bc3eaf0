//! Sites and their devices.

use quorate_proto::ids::SiteKey;

use super::{
    batch::Step,
    command::{PutDevice, SuspendSite},
    outcome::{
        CommandError, CommandErrorKind, Outcome, PutDeviceOutcome, PutSitesOutcome, StockOutcome,
    },
    record::{Device, SiteProfile, SiteRecord},
    state,
};
use crate::{error::CoreError, keys, limits};

/// Adds or replaces profiles; all else of a known site stays. Nothing is written if one of the sites is not
/// this shard's.
pub(super) fn put_sites(
    step: &mut Step<'_, '_>,
    profiles: &[SiteProfile],
) -> Result<Outcome, CoreError> {
    for profile in profiles {
        if let Err(error) = step.check_owner(SiteKey::of(&profile.code).position()) {
            return Ok(error.into());
        }
    }
    let mut counted = PutSitesOutcome::default();
    for profile in profiles {
        let key = keys::site(&profile.code);
        let profile = profile.clone();
        let mut site = match state::load_site(&*step.overlay, &key)? {
            Some(site) if site.profile == profile => {
                counted.unchanged += 1;
                continue;
            }
            Some(site) => {
                counted.replaced += 1;
                SiteRecord { profile, ..site }
            }
            None => {
                counted.added += 1;
                SiteRecord::new(profile)
            }
        };
        site.updated_at_ms = step.now_ms;
        state::store_site(step.overlay, key, site);
    }
    Ok(Outcome::PutSites(counted))
}

/// Registers a device's key. A device keeps its first key.
pub(super) fn put_device(
    step: &mut Step<'_, '_>,
    command: &PutDevice,
) -> Result<Outcome, CoreError> {
    if let Err(error) = step.check_owner(SiteKey::of(&command.site_code).position()) {
        return Ok(error.into());
    }
    let key = keys::site(&command.site_code);
    let Some(mut site) = state::load_site(&*step.overlay, &key)? else {
        return Ok(Outcome::PutDevice(PutDeviceOutcome::SiteUnknown));
    };
    let enrolled = site.device(command.device_id);
    let outcome = match enrolled.map(|device| device.public_key == command.public_key) {
        Some(true) => PutDeviceOutcome::AlreadyEnrolled,
        Some(false) => PutDeviceOutcome::KeyConflict,
        None if site.devices.len() >= limits::SITE_DEVICES_MAX => {
            let why = format!(
                "the site has {} devices already, and no more",
                limits::SITE_DEVICES_MAX
            );
            return Ok(CommandError::new(CommandErrorKind::TooMany, why).into());
        }
        None => {
            site.devices.push(Device {
                device_id: command.device_id,
                public_key: command.public_key,
                enrolled_at_ms: step.now_ms,
            });
            state::store_site(step.overlay, key, site);
            PutDeviceOutcome::Enrolled
        }
    };
    Ok(Outcome::PutDevice(outcome))
}

/// Suspends a site, or lifts it.
pub(super) fn suspend(
    step: &mut Step<'_, '_>,
    command: &SuspendSite,
) -> Result<Outcome, CoreError> {
    if let Err(error) = step.check_owner(SiteKey::of(&command.site_code).position()) {
        return Ok(error.into());
    }
    let key = keys::site(&command.site_code);
    let Some(mut site) = state::load_site(&*step.overlay, &key)? else {
        return Ok(Outcome::Stock(StockOutcome::SiteUnknown));
    };
    let repeated = site.suspended == command.suspended;
    if !repeated {
        site.suspended = command.suspended;
        site.updated_at_ms = step.now_ms;
        state::store_site(step.overlay, key, site);
    }
    Ok(Outcome::Stock(StockOutcome::Answered {
        stock: None,
        repeated,
    }))
}
