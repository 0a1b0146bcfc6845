//! What outside judges are asked and what they answer, without the asking.
//!
//! An answer that has not the shape of its kind is an error, never a verdict.

pub mod llama_guard;
pub mod moderations;
pub mod presidio;

use std::fmt;

/// An answer that is no verdict. It holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeError(&'static str);

impl JudgeError {
    /// What is wrong with the answer.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for JudgeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for JudgeError {}

/// Reads an answer as JSON.
fn json(body: &[u8]) -> Result<serde_json::Value, JudgeError> {
    serde_json::from_slice(body).map_err(|_| JudgeError("the answer is not JSON"))
}
