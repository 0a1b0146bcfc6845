//! Texts as vectors, for the semantic cache: where a model's files come from, and the pool that embeds.
//!
//! A caller needs [`pool::EmbedPool`] alone: make one, then `embed` on any thread. Nothing here is waited for: a model that is
//! not there yet, a full queue or a slow answer is a reason not to look a text up, told by [`refusal::NotEmbedded`].

pub mod built_in;
pub mod embedder;
pub mod fetch;
pub mod language;
pub mod model;
pub mod pool;
pub mod refusal;
pub mod worker;

#[cfg(test)]
pub(crate) mod tests;
