mod cache_folder;
mod places;
mod real_model;
