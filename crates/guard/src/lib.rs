//! What guardrails look for in texts: personal data (PII), secrets and unsafe content. Detectors work on whole texts and
//! on streams with the same result; nothing here does I/O.

pub mod checks;
pub mod injection;
pub mod json_strings;
pub mod judge;
mod phrases;
pub mod pii;
pub mod safety;
pub mod stream;
pub mod tokens;
