//! Certificates of a cluster's members. Their keys and signatures are none: whoever reads a role looks at neither.
//!
//! Written by hand, so that they are the same bytes every time; the names of what is written are those of RFC 5280.

use quorate_link::{Role, decoders::CLUSTER_ID};
use quorate_proto::ids::NodeId;

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
/// Of a `TBSCertificate`.
const EXTENSIONS: u8 = 0xa3;

/// `[0] EXPLICIT INTEGER`: 2 stands for 3.
const VERSION: &[u8] = b"\xa0\x03\x02\x01\x02";
const SERIAL_NUMBER: &[u8] = b"\x02\x01\x07";
/// An `AlgorithmIdentifier`.
const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
/// An `AlgorithmIdentifier`: a public key on an elliptic curve, and the curve.
const PRIME256V1: &[u8] =
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// Object identifiers.
const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";
const SUBJECT_ALT_NAME: &[u8] = b"\x06\x03\x55\x1d\x11";

pub(super) fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "link-certificate" => vec![
            certificate(&Role::Node(NodeId(3)), &["node-3.quorate.internal"]),
            certificate(&Role::Gateway("seoul-1".to_owned()), &["localhost"]),
            certificate(&Role::Operator("kim".to_owned()), &[]),
        ],
        _ => Vec::new(),
    }
}

fn certificate(role: &Role, hosts: &[&str]) -> Vec<u8> {
    let not_before = der(UTC_TIME, &[b"200101000000Z"]);
    let not_after = der(GENERALIZED_TIME, &[b"21200101000000Z"]);
    let key = der(BIT_STRING, &[b"\x00\x04", &[9; 64]]);
    let parts: [&[u8]; 8] = [
        VERSION,
        SERIAL_NUMBER,
        ECDSA_WITH_SHA256,
        &distinguished_name("quorate authority"),
        &der(SEQUENCE, &[&not_before, &not_after]),
        &distinguished_name(&role.to_string()),
        &der(SEQUENCE, &[PRIME256V1, &key]),
        &der(EXTENSIONS, &[&der(SEQUENCE, &[&alt_name(role, hosts)])]),
    ];
    let signature = der(BIT_STRING, &[b"\x00", &[9; 64]]);
    der(
        SEQUENCE,
        &[&der(SEQUENCE, &parts), ECDSA_WITH_SHA256, &signature],
    )
}

fn distinguished_name(common_name: &str) -> Vec<u8> {
    let value = der(UTF8_STRING, &[common_name.as_bytes()]);
    let attribute = der(SEQUENCE, &[COMMON_NAME, &value]);
    der(SEQUENCE, &[&der(SET, &[&attribute])])
}

/// The extension that holds the role, and the names of hosts besides.
fn alt_name(role: &Role, hosts: &[&str]) -> Vec<u8> {
    let mut names = der(URI, &[role.uri(CLUSTER_ID).as_bytes()]);
    for host in hosts {
        names.extend(der(DNS_NAME, &[host.as_bytes()]));
    }
    let value = der(OCTET_STRING, &[&der(SEQUENCE, &[&names])]);
    der(SEQUENCE, &[SUBJECT_ALT_NAME, &value])
}

/// The parts behind their tag and their length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match length {
        ..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}
