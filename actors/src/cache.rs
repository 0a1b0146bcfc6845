//! Answers that were given before: what makes two requests the same, and how a stored answer is told again.

pub mod actor;
pub mod entry;
pub mod invalidation;
pub mod key;
pub mod local;
pub mod lookup;
pub mod memory;
pub mod policy;
pub mod recorder;
pub mod semantic;
pub mod shadow;
pub mod single_flight;
