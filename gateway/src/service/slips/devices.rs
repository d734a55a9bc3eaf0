//! The devices of the session's site, as far as this stream has asked for them.
//!
//! State owned: keys by device. Laws: only answers are kept, never failures to ask; at most
//! [`limits::SLIP_DEVICES_MAX`] are kept, so that no client makes them many.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use quorate_proto::ids::{DeviceId, SiteCode};

use crate::{
    dispatch::{CallError, Dispatcher},
    limits,
    model::{FindDevice, place_of},
};

#[derive(Default)]
pub(super) struct Devices {
    known: Mutex<BTreeMap<DeviceId, Option<Bytes>>>,
}

impl Devices {
    /// The key of this device of this site; `None`: there is no such device.
    pub(super) async fn key(
        &self,
        dispatcher: &Dispatcher,
        site: SiteCode,
        device: DeviceId,
        deadline: Duration,
    ) -> Result<Option<Bytes>, CallError> {
        if let Some(known) = self.lock().get(&device) {
            return Ok(known.clone());
        }
        let find = FindDevice { site, device };
        let found = dispatcher.call(place_of(&site), &find, deadline);
        let key = found.await?.answer.public_key;
        let mut known = self.lock();
        if known.len() < limits::SLIP_DEVICES_MAX {
            known.insert(device, key.clone());
        }
        Ok(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<DeviceId, Option<Bytes>>> {
        // Nothing panics while it is held.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
