//! The semantic cache: questions that mean the same share an answer.

pub mod backfill;
pub mod index;
pub mod question;
pub mod search;
