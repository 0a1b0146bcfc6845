//! What an engine says of a text, and why it may say nothing.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use gateway_guard::judge::llama_guard::Author;
use gateway_guard::pii::PiiKind;
use gateway_guard::safety::Scores;

/// What an engine is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// The engine's name.
    pub engine: Arc<str>,
    /// Whose text it is.
    pub author: Author,
    /// The text.
    pub text: Arc<str>,
    /// The time limit of the check that asks: a check with little time spoils no other's verdict.
    pub timeout: Option<Duration>,
}

/// What an engine says of a text. It holds nothing of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How unsafe it is.
    pub scores: Scores,
    /// How sure the engine is that it is unsafe at all.
    pub is_unsafe: f64,
    /// Where personal data stands in it, in bytes.
    pub findings: Vec<(PiiKind, Range<usize>)>,
}

/// What came of a question.
pub type Outcome = Result<Arc<Verdict>, EngineFailure>;

/// Why an engine gave no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFailure {
    /// It did not answer in time.
    Timeout,
    /// It could not be reached, or its connection broke.
    Connection,
    /// It answered with another status than 2xx.
    Status,
    /// Its answer is no verdict.
    Unreadable,
    /// As much waits for it as may wait.
    Busy,
}

impl EngineFailure {
    /// The word of metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Status => "status",
            Self::Unreadable => "unreadable",
            Self::Busy => "busy",
        }
    }
}
