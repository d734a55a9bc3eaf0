//! What this machine permits: tried, not guessed, before a run begins.

use std::{fs, path::Path};

use crate::{kind::Kind, kind::Needs, shim, volume};

/// What is possible here, and why the rest is not.
#[derive(Clone, Debug, Default)]
pub struct Means {
    /// Why nothing can be preloaded.
    pub no_shim: Option<String>,
    /// Why there are no volumes.
    pub no_volumes: Option<String>,
}

impl Means {
    /// Tries everything in a directory.
    #[must_use]
    pub fn probe(directory: &Path) -> Self {
        let why = |tried: anyhow::Result<()>| tried.err().map(|error| format!("{error:#}"));
        let workshop = directory.join("probe");
        if let Err(error) = fs::create_dir_all(&workshop) {
            let no_room = Some(format!("{}: {error}", workshop.display()));
            return Self {
                no_shim: no_room.clone(),
                no_volumes: no_room,
            };
        }
        let tried = Self {
            no_shim: why(shim::build(&workshop).map(|_| ())),
            no_volumes: why(volume::probe(&workshop)),
        };
        // What is left is only a library and a small image, below the run's own directory.
        let _stays = fs::remove_dir_all(&workshop);
        tried
    }

    /// The same without anything that needs privileges.
    #[must_use]
    pub fn probe_without_volumes(directory: &Path) -> Self {
        let shim = shim::build(directory);
        Self {
            no_shim: shim.err().map(|error| format!("{error:#}")),
            no_volumes: Some("not wanted".to_owned()),
        }
    }

    /// Why a kind cannot be tried here; `None`: it can.
    #[must_use]
    pub fn missing(&self, kind: Kind) -> Option<&str> {
        match kind.needs() {
            Needs::Nothing => None,
            Needs::Shim => self.no_shim.as_deref(),
            Needs::Volumes => self.no_volumes.as_deref(),
        }
    }
}
