//! `gateway.toml`: one gateway process.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::ValueEnum;
use quorate_gateway::{GatewayConfig, PublicConfig, TerminalsConfig};
use quorate_proto::ids::ProductId;
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
    /// Whom it serves.
    #[serde(default)]
    pub(crate) role: RoleName,
    /// Where terminals and operators connect; not needed in the role `public`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,
    /// `host:port` of some nodes; the others are learnt from them.
    pub(crate) seeds: Vec<String>,
    /// How long a terminal's login lasts.
    #[serde(default = "twelve_hours")]
    pub(crate) session_lifetime_seconds: u64,
    pub(crate) tls: TlsFiles,
    /// Not needed, and not read, in the role `public`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secrets: Option<SecretFiles>,
    /// The public API; without it none is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<PublicFile>,
}

/// Whom a gateway serves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// Terminals and operators, and the public where it is configured
    #[default]
    All,
    /// Terminals and operators
    Terminals,
    /// The public
    Public,
}

/// The public API of a gateway.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicFile {
    /// Plain HTTP: everything here is public.
    pub(crate) listen: SocketAddr,
    /// Whose stock is shown where a request names none; the first program's (by id) first product where
    /// nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) product: Option<String>,
    /// Open connections; the gateway's own choice where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connections_max: Option<usize>,
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
    /// The gateway itself judges the values. `role` overrides the file's.
    pub(crate) fn to_config(&self, role: Option<RoleName>) -> Result<GatewayConfig, ConfigError> {
        let file = &self.value;
        let role = role.unwrap_or(file.role);
        let terminals = (role != RoleName::Public).then(|| self.terminals());
        let public = file.public.as_ref().filter(|_| role != RoleName::Terminals);
        let public = public.map(|public| self.public(public));
        Ok(GatewayConfig {
            cluster_id: file.cluster_id.clone(),
            name: file.name.clone(),
            terminals: terminals.transpose()?,
            public: public.transpose()?,
            seeds: file.seeds.clone(),
            tls: file.tls.read(self)?,
        })
    }

    fn terminals(&self) -> Result<TerminalsConfig, ConfigError> {
        let file = &self.value;
        let missing =
            |field| self.invalid(format!("{field} is missing: terminals are served here"));
        let secrets = file.secrets.as_ref().ok_or_else(|| missing("[secrets]"))?;
        let older = secrets.older_sealing_keys.iter();
        let sealing_keys = std::iter::once(&secrets.sealing_key)
            .chain(older)
            .map(|path| keys::read_key(&self.resolve(path)));
        Ok(TerminalsConfig {
            listen: file.listen.ok_or_else(|| missing("listen"))?,
            pepper: keys::read_key(&self.resolve(&secrets.pepper))?,
            token_key: keys::read_key(&self.resolve(&secrets.token_key))?,
            sealing_keys: sealing_keys.collect::<Result<_, _>>()?,
            session_lifetime: Duration::from_secs(file.session_lifetime_seconds),
        })
    }

    fn public(&self, file: &PublicFile) -> Result<PublicConfig, ConfigError> {
        let mut config = PublicConfig::new(file.listen);
        let product = file.product.as_deref().map(ProductId::parse);
        config.product = product
            .transpose()
            .map_err(|error| self.invalid(format!("public.product {error}")))?;
        if let Some(connections_max) = file.connections_max {
            config.connections_max = connections_max;
        }
        Ok(config)
    }
}
