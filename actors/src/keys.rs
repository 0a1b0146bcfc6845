//! Virtual keys: what they are, the table that is read, and the registry that writes it.

pub mod encryption;
pub mod registry;
pub mod table;
pub mod virtual_key;
