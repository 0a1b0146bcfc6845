//! Why a text has no vector.

/// Why a text is not looked up. None of these is an error to a client: the request goes on without the semantic cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotEmbedded {
    /// The model is not there, or not yet; the pool's state tells which and why.
    #[error("the model is not ready")]
    NotReady,
    /// As many texts wait as may.
    #[error("too many texts wait to be embedded")]
    Busy,
    /// The vector did not come in time.
    #[error("embedding takes too long")]
    Slow,
    /// The text is longer than the model's window, and a vector of its beginning would stand for other texts too.
    #[error("the text is longer than the model's window")]
    TooLong,
    /// The text is, or may be, in a language that the model does not know.
    #[error("the text may be in a language that the model does not support")]
    OtherLanguage,
    /// The text has parts that the model cannot tell from others, or none at all.
    #[error("the text has characters that the model does not support")]
    Unreadable,
    /// The model failed.
    #[error("the model failed")]
    Failed,
}

impl NotEmbedded {
    /// A bounded word for metric labels and log fields.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::Busy => "busy",
            Self::Slow => "slow",
            Self::TooLong => "too_long",
            Self::OtherLanguage => "other_language",
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
        }
    }
}
