mod cache_folder;
mod places;
pub(crate) mod real_model;
