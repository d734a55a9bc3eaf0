//! `context.toml`: which cluster the commands talk to, and as whom. `quorate demo` writes one.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use quorate_client::{DeviceKey, TerminalIdentity, model::NationalId};
use quorate_link::{SealingKey, TlsMaterial};
use quorate_proto::ids::{DeviceId, ProgramId, SiteCode};
use serde::{Deserialize, Serialize};

use super::{
    ConfigError, Loaded,
    cluster::ClockEntry,
    keys::{self, TlsFiles},
};

/// Where the demo's context is, seen from where the demo was started.
pub(crate) const DEMO_CONTEXT: &str = "quorate-demo/context.toml";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextFile {
    /// `host:port` of one or several gateways; the first is used until it fails.
    pub(crate) gateways: Vec<String>,
    /// `host:port` of public listeners; `quorate replay` reads what they tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) public: Vec<String>,
    /// PEM: the authority of the gateways' certificates.
    pub(crate) ca: PathBuf,
    /// The program that is meant where none is named.
    pub(crate) program: String,
    /// The zone in which times are shown: that of the program.
    pub(crate) time_zone: String,
    /// The scheme of the national IDs.
    #[serde(default = "kr_rrn")]
    pub(crate) id_scheme: String,
    /// Where the cluster runs on a clock of its own: the same as in `cluster.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<ClockEntry>,
    /// Needed to check, sell, void and list.
    pub(crate) terminal: Option<TerminalEntry>,
    /// Needed for `quorate admin`.
    pub(crate) operator: Option<OperatorEntry>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TerminalEntry {
    pub(crate) site: String,
    pub(crate) device: String,
    /// The device's private key: 64 hexadecimal digits.
    pub(crate) key: PathBuf,
    /// The gateways' public sealing key, 64 hexadecimal digits: lets a counter that was never online sell
    /// on paper.
    pub(crate) sealing_key: Option<PathBuf>,
    /// Where slips wait to be handed in; `slips.journal` beside the key where nothing is said.
    pub(crate) journal: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorEntry {
    /// PEM, with the role `operator`.
    pub(crate) cert: PathBuf,
    /// PEM.
    pub(crate) key: PathBuf,
}

fn kr_rrn() -> String {
    NationalId::KR_RRN.to_owned()
}

impl Loaded<ContextFile> {
    pub(crate) fn ca_pem(&self) -> Result<Vec<u8>, ConfigError> {
        keys::read(&self.resolve(&self.value.ca))
    }

    pub(crate) fn program(&self) -> Result<ProgramId, ConfigError> {
        ProgramId::parse(&self.value.program)
            .map_err(|error| self.invalid(format!("`program`: {error}")))
    }

    pub(crate) fn time_zone(&self) -> Result<TimeZone, ConfigError> {
        TimeZone::get(&self.value.time_zone).map_err(|_| {
            self.invalid(format!(
                "`time_zone`: {:?} is no IANA time zone, such as \"Asia/Seoul\"",
                self.value.time_zone
            ))
        })
    }

    /// The terminal, if the context has one.
    pub(crate) fn terminal(&self) -> Result<Option<TerminalIdentity>, ConfigError> {
        let Some(entry) = &self.value.terminal else {
            return Ok(None);
        };
        let site = SiteCode::parse(&entry.site)
            .map_err(|error| self.invalid(format!("`terminal.site`: {error}")))?;
        let device = DeviceId::parse(&entry.device)
            .map_err(|error| self.invalid(format!("`terminal.device`: {error}")))?;
        let seed = keys::read_key(&self.resolve(&entry.key))?;
        Ok(Some(TerminalIdentity {
            site,
            device,
            key: DeviceKey::from_seed(&seed),
        }))
    }

    /// Where the terminal's slips wait.
    pub(crate) fn journal(&self) -> Option<PathBuf> {
        let entry = self.value.terminal.as_ref()?;
        let path = match &entry.journal {
            Some(path) => path.clone(),
            None => entry.key.with_file_name("slips.journal"),
        };
        Some(self.resolve(&path))
    }

    /// The gateways' sealing key as the context has it.
    pub(crate) fn sealing_key(&self) -> Result<Option<SealingKey>, ConfigError> {
        let entry = self.value.terminal.as_ref();
        let Some(path) = entry.and_then(|entry| entry.sealing_key.as_ref()) else {
            return Ok(None);
        };
        let public = keys::read_public_key(&self.resolve(path))?;
        Ok(Some(SealingKey::from_public(public)))
    }

    /// The operator's certificate, if the context has one.
    pub(crate) fn operator(&self) -> Result<Option<TlsMaterial>, ConfigError> {
        let Some(entry) = &self.value.operator else {
            return Ok(None);
        };
        let files = TlsFiles {
            ca: self.value.ca.clone(),
            cert: entry.cert.clone(),
            key: entry.key.clone(),
        };
        files.read(self).map(Some)
    }
}
