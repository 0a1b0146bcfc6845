//! The label of a count that the gateway made itself.

/// What became of a count of tokens that a vendor did not tell; all but the first are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCount {
    /// It was made.
    Counted,
    /// The queue was full.
    Full,
    /// Nobody could wait for it any longer.
    Late,
    /// The encoding could not bear the text.
    Panicked,
    /// The process ends.
    Closing,
}

impl TokenCount {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Full => "full",
            Self::Late => "late",
            Self::Panicked => "panicked",
            Self::Closing => "closing",
        }
    }
}
