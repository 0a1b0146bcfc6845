//! Weighted phrases, looked for in the words of a text. Content safety and prompt injection share this.

mod graph;
pub(crate) mod lexicon;
mod pattern;
pub(crate) mod scan;
pub(crate) mod words;
