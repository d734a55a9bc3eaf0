//! Values whose bytes are pinned, in which every field is used.

pub(crate) mod cluster;
pub(crate) mod sites;
