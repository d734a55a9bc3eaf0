//! Who a peer is: the URI in its certificate, and the proof that is a parsed [`Role`].
//!
//! One identity a certificate: `quorate://<cluster>/node/<id>`, `…/gateway/<name>`, `…/operator/<name>`.
//! Besides it, the certificate of whoever listens carries fixed host names, so that a peer verifies a name
//! that does not depend on the address it dials.
//! Invariant: a certificate of another cluster, with no identity or with two, is nobody.
//! Deliberately absent: chain verification, which TLS has done before any of this runs.

use std::fmt;

use quorate_proto::{
    ids::NodeId,
    status::{ErrorReason, to_status},
};
use tonic::{Request, Status};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

use crate::{
    limits::{CLUSTER_ID_BYTES_MAX, PEER_NAME_BYTES_MAX},
    tls::PeerInfo,
};

const SCHEME: &str = "quorate://";

/// The name that every gateway's certificate carries.
pub const GATEWAY_SERVER_NAME: &str = "gateway.quorate.internal";

/// The name that every node's certificate carries: for those who know an address and not yet whose it is.
pub const NODE_SERVER_NAME: &str = "node.quorate.internal";

/// The name that the certificate of this node carries, whatever address it listens on.
pub fn node_server_name(node: NodeId) -> String {
    format!("node-{}.quorate.internal", node.get())
}

/// What a certificate's holder may act as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The node with this id.
    Node(NodeId),
    /// A gateway; the name is for operators' eyes.
    Gateway(String),
    /// A person or tool that runs the cluster.
    Operator(String),
}

impl Role {
    /// The identity URI of this role in `cluster_id`.
    pub fn uri(&self, cluster_id: &str) -> String {
        format!("{SCHEME}{cluster_id}/{self}")
    }
}

/// As in the URI: `node/3`, `gateway/a`, `operator/kim`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Node(id) => write!(f, "node/{}", id.get()),
            Role::Gateway(name) => write!(f, "gateway/{name}"),
            Role::Operator(name) => write!(f, "operator/{name}"),
        }
    }
}

/// Why a certificate names nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not an X.509 certificate.
    #[error("the certificate cannot be read")]
    Malformed,
    /// No URI of our scheme.
    #[error("the certificate carries no quorate:// identity")]
    Missing,
    /// More than one URI of our scheme.
    #[error("the certificate carries more than one quorate:// identity")]
    Ambiguous,
    /// The identity belongs to another cluster.
    #[error("the certificate belongs to another cluster")]
    ForeignCluster,
    /// The part after the cluster is not `node/<id>`, `gateway/<name>` or `operator/<name>`.
    #[error("the certificate's identity names no known role")]
    UnknownRole,
}

/// An identity as its certificate states it, before anyone asked for which cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    cluster_id: String,
    role: Role,
}

impl Identity {
    pub(crate) fn read(certificate_der: &[u8]) -> Result<Identity, IdentityError> {
        let (_, certificate) =
            X509Certificate::from_der(certificate_der).map_err(|_| IdentityError::Malformed)?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::Malformed)?
            .ok_or(IdentityError::Missing)?;
        let mut identities = names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) => uri.strip_prefix(SCHEME),
                _ => None,
            });
        let identity = identities.next().ok_or(IdentityError::Missing)?;
        if identities.next().is_some() {
            return Err(IdentityError::Ambiguous);
        }
        let (cluster_id, role) = identity.split_once('/').ok_or(IdentityError::UnknownRole)?;
        if !is_cluster_id(cluster_id) {
            return Err(IdentityError::ForeignCluster);
        }
        Ok(Identity {
            cluster_id: cluster_id.to_owned(),
            role: parse_role(role)?,
        })
    }

    fn role_in(&self, cluster_id: &str) -> Result<&Role, IdentityError> {
        if self.cluster_id == cluster_id {
            Ok(&self.role)
        } else {
            Err(IdentityError::ForeignCluster)
        }
    }
}

/// The role that a certificate (DER) gives its holder in `cluster_id`.
///
/// # Errors
/// The certificate names nobody in this cluster; see [`IdentityError`].
pub fn role_of(certificate_der: &[u8], cluster_id: &str) -> Result<Role, IdentityError> {
    let identity = Identity::read(certificate_der)?;
    identity.role_in(cluster_id).cloned()
}

/// The role of the peer that sent this request over a [`crate::TlsServer`] connection.
///
/// # Errors
/// `ROLE_REQUIRED` when the peer showed no certificate, or one that names nobody in this cluster.
pub fn peer_role<T>(request: &Request<T>, cluster_id: &str) -> Result<Role, Status> {
    let identity = request
        .extensions()
        .get::<PeerInfo>()
        .and_then(PeerInfo::identity)
        .ok_or_else(|| {
            to_status(
                ErrorReason::RoleRequired,
                "this call needs a client certificate",
                &[],
                None,
            )
        })?;
    match identity {
        Ok(identity) => identity.role_in(cluster_id).cloned(),
        Err(error) => Err(*error),
    }
    .map_err(|error| to_status(ErrorReason::RoleRequired, error.to_string(), &[], None))
}

/// Whether this can be a cluster id: 1 to 64 ASCII letters, digits and '-'.
pub fn is_cluster_id(text: &str) -> bool {
    is_name(text, CLUSTER_ID_BYTES_MAX)
}

/// Whether this can be the name of a gateway or operator: 1 to 64 ASCII letters, digits and '-'.
pub fn is_peer_name(text: &str) -> bool {
    is_name(text, PEER_NAME_BYTES_MAX)
}

fn is_name(text: &str, bytes_max: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(allowed)
}

fn parse_role(text: &str) -> Result<Role, IdentityError> {
    let (kind, name) = text.split_once('/').ok_or(IdentityError::UnknownRole)?;
    match kind {
        "node" => {
            let id: u64 = name.parse().map_err(|_| IdentityError::UnknownRole)?;
            // One spelling a node: "+3" and "03" are not node 3.
            if id == 0 || id.to_string() != name {
                return Err(IdentityError::UnknownRole);
            }
            Ok(Role::Node(NodeId(id)))
        }
        "gateway" if is_peer_name(name) => Ok(Role::Gateway(name.to_owned())),
        "operator" if is_peer_name(name) => Ok(Role::Operator(name.to_owned())),
        _ => Err(IdentityError::UnknownRole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_one_spelling() {
        let cases = [
            ("node/3", Ok(Role::Node(NodeId(3)))),
            ("gateway/seoul-1", Ok(Role::Gateway("seoul-1".into()))),
            ("operator/kim", Ok(Role::Operator("kim".into()))),
            ("node/0", Err(IdentityError::UnknownRole)),
            ("node/03", Err(IdentityError::UnknownRole)),
            ("node/+3", Err(IdentityError::UnknownRole)),
            ("node/", Err(IdentityError::UnknownRole)),
            ("node/3/4", Err(IdentityError::UnknownRole)),
            ("gateway/", Err(IdentityError::UnknownRole)),
            ("gateway/a/b", Err(IdentityError::UnknownRole)),
            ("Operator/kim", Err(IdentityError::UnknownRole)),
            ("", Err(IdentityError::UnknownRole)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_role(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_role_reads_as_it_was_written() {
        let role = Role::Operator("kim".into());
        assert_eq!(role.uri("demo"), "quorate://demo/operator/kim");
    }

    #[test]
    fn rubbish_is_no_certificate() {
        assert_eq!(role_of(b"rubbish", "demo"), Err(IdentityError::Malformed));
    }
}
