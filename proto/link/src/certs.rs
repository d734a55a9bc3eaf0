//! The development certificate authority: for `quorate demo` and for tests.
//!
//! A production cluster brings certificates of its own authority with the same names in them; nothing
//! else in this workspace knows how a certificate came to be. Certificates of this authority are valid
//! from 2020 to 2120 unless the caller says otherwise. Deliberately absent: revocation, renewal, files.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};
use zeroize::Zeroizing;

pub use crate::identity::{GATEWAY_SERVER_NAME, NODE_SERVER_NAME, node_server_name};
use crate::{
    identity::{Role, is_cluster_id},
    tls::TlsMaterial,
};

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// See [`is_cluster_id`].
    #[error("a cluster id is 1 to 64 ASCII letters, digits and '-'")]
    ClusterId,
    /// An additional name is neither a host name nor an IP address.
    #[error("{0:?} is neither a host name nor an IP address")]
    Name(String),
    /// The PEM is not an authority that this module wrote.
    #[error("this is not the certificate of a development authority")]
    NotOurs,
    /// The cryptography failed.
    #[error("cannot make the key or certificate")]
    Make(#[from] rcgen::Error),
}

/// First day (inclusive) and last day (exclusive) of a certificate: year, month, day, UTC.
pub type Validity = ((i32, u8, u8), (i32, u8, u8));

/// Valid for the lifetime of any development cluster.
pub const VALID_FOR_DEVELOPMENT: Validity = ((2020, 1, 1), (2120, 1, 1));

/// A certificate and its private key, PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key, PKCS #8.
    pub key_pem: Zeroizing<String>,
}

/// Signs certificates of one development cluster.
pub struct CertificateAuthority {
    cluster_id: String,
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// A new authority with a new key.
    ///
    /// # Errors
    /// `cluster_id` is none.
    pub fn new(cluster_id: &str) -> Result<CertificateAuthority, CertificateError> {
        let key = KeyPair::generate()?;
        let params = authority_params(cluster_id)?;
        let cert_pem = params.self_signed(&key)?.pem();
        Ok(CertificateAuthority {
            cluster_id: cluster_id.to_owned(),
            cert_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority that [`CertificateAuthority::cert_pem`] and [`CertificateAuthority::key_pem`] wrote.
    ///
    /// # Errors
    /// The PEM cannot be read or is another authority's.
    pub fn from_pem(
        cert_pem: &str,
        key_pem: &str,
    ) -> Result<CertificateAuthority, CertificateError> {
        let cluster_id = cluster_of(cert_pem).ok_or(CertificateError::NotOurs)?;
        let key = KeyPair::from_pem(key_pem)?;
        Ok(CertificateAuthority {
            issuer: Issuer::new(authority_params(&cluster_id)?, key),
            cert_pem: cert_pem.to_owned(),
            cluster_id,
        })
    }

    /// The cluster whose members it certifies.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The authority's own certificate.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key.
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for `role`, with the fixed name of its kind, and with `names` (host names or IP
    /// addresses) besides. Gateways are also "localhost" and the loopback addresses.
    ///
    /// # Errors
    /// A name is none.
    pub fn issue(&self, role: &Role, names: &[&str]) -> Result<Issued, CertificateError> {
        self.issue_valid(role, names, VALID_FOR_DEVELOPMENT)
    }

    /// As [`CertificateAuthority::issue`], with another time of validity.
    ///
    /// # Errors
    /// A name is none.
    pub fn issue_valid(
        &self,
        role: &Role,
        names: &[&str],
        validity: Validity,
    ) -> Result<Issued, CertificateError> {
        let mut params = params(&role.to_string(), validity);
        params.subject_alt_names = vec![SanType::URI(role.uri(&self.cluster_id).try_into()?)];
        let mut serves = true;
        match role {
            Role::Node(id) => {
                for fixed in [&*node_server_name(*id), NODE_SERVER_NAME] {
                    params.subject_alt_names.push(name(fixed)?);
                }
            }
            Role::Gateway(_) => {
                for fixed in [GATEWAY_SERVER_NAME, "localhost", "127.0.0.1", "::1"] {
                    params.subject_alt_names.push(name(fixed)?);
                }
            }
            Role::Operator(_) => serves = false,
        }
        for extra in names {
            params.subject_alt_names.push(name(extra)?);
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if serves {
            params.insert_extended_key_usage(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            cert_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// A certificate of this authority together with the authority, as a process needs them.
    pub fn material(&self, issued: &Issued) -> TlsMaterial {
        TlsMaterial {
            ca_pem: self.cert_pem.clone().into_bytes(),
            cert_pem: issued.cert_pem.clone().into_bytes(),
            key_pem: Zeroizing::new(issued.key_pem.as_bytes().to_vec()),
        }
    }
}

fn params(common_name: &str, (from, until): Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

/// A function of the cluster id alone, so that an authority can be read back.
fn authority_params(cluster_id: &str) -> Result<CertificateParams, CertificateError> {
    if !is_cluster_id(cluster_id) {
        return Err(CertificateError::ClusterId);
    }
    let mut params = params("Quorate development authority", VALID_FOR_DEVELOPMENT);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![SanType::URI(authority_uri(cluster_id).try_into()?)];
    Ok(params)
}

fn authority_uri(cluster_id: &str) -> String {
    format!("quorate://{cluster_id}/authority")
}

/// The cluster that an authority's certificate names.
fn cluster_of(cert_pem: &str) -> Option<String> {
    let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).ok()?;
    let (_, certificate) = x509_parser::prelude::X509Certificate::from_der(&der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(uri) => {
                let cluster_id = uri.strip_prefix("quorate://")?.strip_suffix("/authority")?;
                Some(cluster_id.to_owned())
            }
            _ => None,
        })
}

fn name(text: &str) -> Result<SanType, CertificateError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let unusable = || CertificateError::Name(text.to_owned());
    // Verified as a host name here, so that a typo fails when the certificate is made.
    rustls::pki_types::DnsName::try_from(text).map_err(|_| unusable())?;
    Ok(SanType::DnsName(text.try_into().map_err(|_| unusable())?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use quorate_proto::ids::NodeId;

    use super::*;
    use crate::identity::{IdentityError, role_of};

    fn der(issued: &Issued) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap()
    }

    #[test]
    fn a_certificate_carries_its_role_and_only_in_its_cluster() {
        let authority = CertificateAuthority::new("demo").unwrap();
        for role in [
            Role::Node(NodeId(7)),
            Role::Gateway("a".into()),
            Role::Operator("kim".into()),
        ] {
            let issued = authority.issue(&role, &[]).unwrap();
            assert_eq!(role_of(&der(&issued), "demo"), Ok(role));
            assert_eq!(
                role_of(&der(&issued), "other"),
                Err(IdentityError::ForeignCluster)
            );
        }
    }

    #[test]
    fn an_authority_reads_back_and_goes_on_signing() {
        let authority = CertificateAuthority::new("demo").unwrap();
        let again =
            CertificateAuthority::from_pem(authority.cert_pem(), &authority.key_pem()).unwrap();
        assert_eq!(again.cluster_id(), "demo");
        let issued = again.issue(&Role::Node(NodeId(1)), &[]).unwrap();
        let material = authority.material(&issued);
        let env = crate::Env::system();
        crate::TlsServer::new(&material, crate::ClientAuth::Required, &env).unwrap();
    }

    #[test]
    fn the_authority_itself_is_nobody() {
        let authority = CertificateAuthority::new("demo").unwrap();
        let der = CertificateDer::from_pem_slice(authority.cert_pem().as_bytes()).unwrap();
        assert_eq!(role_of(&der, "demo"), Err(IdentityError::UnknownRole));
        let issued = authority.issue(&Role::Node(NodeId(1)), &[]).unwrap();
        assert!(CertificateAuthority::from_pem(&issued.cert_pem, &issued.key_pem).is_err());
    }

    #[test]
    fn names_are_checked() {
        let authority = CertificateAuthority::new("demo").unwrap();
        let role = Role::Gateway("a".into());
        assert!(
            authority
                .issue(&role, &["gw.example.org", "10.0.0.7"])
                .is_ok()
        );
        assert!(matches!(
            authority.issue(&role, &["not a name"]),
            Err(CertificateError::Name(_))
        ));
        assert!(matches!(
            CertificateAuthority::new("no/slash"),
            Err(CertificateError::ClusterId)
        ));
    }
}
