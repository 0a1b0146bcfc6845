//! What is done with a text in which something was found.

use std::str::FromStr;

/// What is done with a text in which something was found, the strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// The request or the answer is refused.
    Deny,
    /// `[NAME_REDACTED]` stands in its place.
    Redact,
    /// A token stands in its place on the way to the provider, and is put back in the answer.
    Tokenize,
    /// It passes, and is told.
    Flag,
}

impl Action {
    /// The word of configs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Redact => "redact",
            Self::Tokenize => "tokenize",
            Self::Flag => "flag",
        }
    }
}

impl FromStr for Action {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Deny, Self::Redact, Self::Tokenize, Self::Flag];
        all.into_iter().find(|action| action.as_str() == text).ok_or(())
    }
}
