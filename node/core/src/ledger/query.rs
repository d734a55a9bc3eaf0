//! What a shard is asked without recording anything.

use std::num::NonZeroU32;

use quorate_proto::ids::{CitizenKey, DeviceId, ProgramId, SiteCode};

use super::command::SaleSite;

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// May this quantity be sold now?
    Check(CheckQuery),
    /// What was sold to this person?
    List(ListQuery),
    /// What does a login of this device need?
    Device(DeviceQuery),
}

/// May this quantity be sold now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckQuery {
    /// Who asks to buy.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
    /// Units.
    pub quantity: NonZeroU32,
    /// Where.
    pub site: SaleSite,
    /// Full year of birth; rules may depend on it.
    pub birth_year: u16,
}

/// What was sold to this person?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Who bought.
    pub citizen: CitizenKey,
    /// Under which program.
    pub program: ProgramId,
}

/// What does a login of this device need?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceQuery {
    /// The site.
    pub site_code: SiteCode,
    /// The device.
    pub device_id: DeviceId,
}
