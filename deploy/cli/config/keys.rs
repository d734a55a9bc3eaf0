//! Files that hold keys: PEM for TLS, 64 hexadecimal digits for everything else.
//!
//! Invariants: what is read is wiped when dropped; what is written can be read by its owner only; no error
//! shows a key.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use quorate_link::TlsMaterial;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ConfigError, Loaded};

/// Where the TLS files of a process are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// PEM: the authorities that are trusted.
    pub(crate) ca: PathBuf,
    /// PEM: the process's own certificate.
    pub(crate) cert: PathBuf,
    /// PEM: its private key.
    pub(crate) key: PathBuf,
}

impl TlsFiles {
    pub(crate) fn read<T>(&self, config: &Loaded<T>) -> Result<TlsMaterial, ConfigError> {
        Ok(TlsMaterial {
            ca_pem: read(&config.resolve(&self.ca))?,
            cert_pem: read(&config.resolve(&self.cert))?,
            key_pem: read_secret(&config.resolve(&self.key))?,
        })
    }
}

/// A file that is no secret.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

/// A file that is one.
fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let bytes = Zeroizing::new(read(path)?);
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            "others may read this key file; `chmod 600` it"
        );
    }
    Ok(bytes)
}

/// 32 bytes, written as 64 hexadecimal digits.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    let text = read_secret(path)?;
    parse_key(text.trim_ascii()).ok_or_else(|| no_key(path))
}

/// As [`read_key`], of a file that everybody may read.
pub(crate) fn read_public_key(path: &Path) -> Result<[u8; 32], ConfigError> {
    let text = read(path)?;
    let key = parse_key(text.trim_ascii()).ok_or_else(|| no_key(path))?;
    Ok(*key)
}

fn no_key(path: &Path) -> ConfigError {
    ConfigError::Invalid {
        path: path.to_owned(),
        message: "a key is 64 hexadecimal digits, as `openssl rand -hex 32` prints them".to_owned(),
    }
}

fn parse_key(text: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let mut key = Zeroizing::new([0; 32]);
    if pairs.len() != key.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in key.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(key)
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Writes a new key file.
///
/// # Errors
/// There is such a file already, or it cannot be written.
pub(crate) fn write_key(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text.push('\n');
    write_secret(path, text.as_bytes())
}

/// Writes a new file that only its owner can read.
///
/// # Errors
/// There is such a file already, or it cannot be written.
pub(crate) fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_round_trip_and_belong_to_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pepper");
        let key = std::array::from_fn(|index| index as u8 * 7);
        write_key(&path, &key).unwrap();
        assert_eq!(*read_key(&path).unwrap(), key);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            write_key(&path, &key).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn a_key_of_another_length_or_alphabet_is_none() {
        assert!(parse_key(&[b'a'; 64]).is_some());
        for text in [&[b'a'; 63][..], &[b'a'; 66], &[b'g'; 64], b""] {
            assert!(parse_key(text).is_none());
        }
    }
}
