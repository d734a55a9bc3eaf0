//! `gateway.toml`: one gateway process.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use quorate_gateway::GatewayConfig;
use serde::{Deserialize, Serialize};

use super::{
    ConfigError, Loaded,
    keys::{self, TlsFiles},
};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayFile {
    pub(crate) cluster_id: String,
    /// As in its certificate.
    pub(crate) name: String,
    pub(crate) listen: SocketAddr,
    /// `host:port` of some nodes; the others are learnt from them.
    pub(crate) seeds: Vec<String>,
    /// How long a terminal's login lasts.
    #[serde(default = "twelve_hours")]
    pub(crate) session_lifetime_seconds: u64,
    pub(crate) tls: TlsFiles,
    pub(crate) secrets: SecretFiles,
}

/// The same at every gateway of a cluster, for ever: 64 hexadecimal digits each.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretFiles {
    /// Turns a national ID into a key. Lost or changed, every citizen starts anew.
    pub(crate) pepper: PathBuf,
    /// Seals session tokens.
    pub(crate) token_key: PathBuf,
    /// Opens the national IDs that counters sealed on slips.
    pub(crate) sealing_key: PathBuf,
    /// Earlier ones, for slips that were sealed to them and are still to be handed in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) older_sealing_keys: Vec<PathBuf>,
}

const fn twelve_hours() -> u64 {
    12 * 3600
}

impl Loaded<GatewayFile> {
    /// The gateway itself judges the values.
    pub(crate) fn to_config(&self) -> Result<GatewayConfig, ConfigError> {
        let file = &self.value;
        let older = file.secrets.older_sealing_keys.iter();
        let sealing_keys = std::iter::once(&file.secrets.sealing_key)
            .chain(older)
            .map(|path| keys::read_key(&self.resolve(path)));
        Ok(GatewayConfig {
            cluster_id: file.cluster_id.clone(),
            name: file.name.clone(),
            listen: file.listen,
            seeds: file.seeds.clone(),
            tls: file.tls.read(self)?,
            pepper: keys::read_key(&self.resolve(&file.secrets.pepper))?,
            token_key: keys::read_key(&self.resolve(&file.secrets.token_key))?,
            sealing_keys: sealing_keys.collect::<Result<_, _>>()?,
            session_lifetime: Duration::from_secs(file.session_lifetime_seconds),
        })
    }
}
