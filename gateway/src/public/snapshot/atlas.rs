//! All sites in order, and the ways to find some of them: immutable, replaced as a whole.
//!
//! Invariants: a number given by an index is the place of its site in `sites`; an index is built anew only
//! when what it holds has changed. Deliberately absent: stock, which each site carries itself.

use std::sync::Arc;

use quorate_proto::ids::SiteCode;

use super::{
    address::AddressIndex,
    site::{Profile, Site},
    spatial::SpatialIndex,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Atlas {
    /// By code.
    pub(crate) sites: Vec<Arc<Site>>,
    pub(crate) places: Arc<SpatialIndex>,
    pub(crate) addresses: Arc<AddressIndex>,
}

impl Atlas {
    pub(super) fn empty() -> Atlas {
        Atlas {
            sites: Vec::new(),
            places: Arc::new(SpatialIndex::new(std::iter::empty())),
            addresses: Arc::default(),
        }
    }

    /// The atlas of these sites, with what can be kept of the one before.
    pub(super) fn next(&self, mut sites: Vec<Arc<Site>>) -> Atlas {
        sites.sort_unstable_by_key(|site| site.profile.code);
        let same = |is_same: fn(&Profile, &Profile) -> bool| {
            let mut pairs = self.sites.iter().zip(&sites);
            self.sites.len() == sites.len()
                && pairs.all(|(a, b)| {
                    a.profile.code == b.profile.code && is_same(&a.profile, &b.profile)
                })
        };
        let same_places = same(|a, b| a.location == b.location);
        let same_addresses = same_places && same(|a, b| a.address == b.address);
        let places = if same_places {
            self.places.clone()
        } else {
            let located = (0..).zip(&sites);
            let located = located.filter_map(|(number, site): (u32, &Arc<Site>)| {
                Some((number, site.profile.location?))
            });
            Arc::new(SpatialIndex::new(located))
        };
        let addresses = if same_addresses {
            self.addresses.clone()
        } else {
            let profiles: Vec<&Profile> = sites.iter().map(|site| &site.profile).collect();
            Arc::new(AddressIndex::new(&profiles, &places))
        };
        Atlas {
            sites,
            places,
            addresses,
        }
    }

    /// The site of that number.
    pub(crate) fn site(&self, number: u32) -> &Arc<Site> {
        &self.sites[number as usize]
    }

    /// The site of that code.
    pub(crate) fn find(&self, code: &SiteCode) -> Option<&Arc<Site>> {
        let found = self
            .sites
            .binary_search_by_key(code, |site| site.profile.code);
        Some(&self.sites[found.ok()?])
    }
}
