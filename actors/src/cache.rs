//! Answers that were given before: what makes two requests the same, and how a stored answer is told again.

pub mod answers;
pub mod entry;
pub mod flights;
pub mod forget;
pub mod guard;
pub mod index;
pub mod key;
pub mod late;
pub mod meanings;
pub mod question;
pub mod recorder;
pub mod shadow;
pub mod shelf;
pub mod wish;
