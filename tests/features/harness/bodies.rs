//! Bodies in the formats of the providers.

pub mod anthropic;
pub mod ollama;
pub mod openai;
pub mod scene;
