//! Where the files of a model come from: a folder, the cache of a hub, the hub, or a package index.

pub mod cache_folder;
pub mod hub;
pub mod manifest;
pub mod pip;
pub mod places;
pub mod sha256;
pub mod sources;
