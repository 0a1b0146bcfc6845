//! Which answers are to be forgotten.

use std::fmt;
use std::str::FromStr;

/// Some answers, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalidation {
    /// All of them.
    All,
    /// Those of a namespace; the empty one is that of requests that name none.
    Namespace(String),
    /// One, by its key in hexadecimal digits.
    Key(String),
}

/// As other processes are told of it.
impl fmt::Display for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Namespace(name) => write!(f, "namespace:{name}"),
            Self::Key(hex) => write!(f, "key:{hex}"),
        }
    }
}

/// A text that is no [`Invalidation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be all, namespace:NAME or key:HEX")]
pub struct UnknownInvalidation;

impl FromStr for Invalidation {
    type Err = UnknownInvalidation;

    fn from_str(text: &str) -> Result<Self, UnknownInvalidation> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("namespace", name)) => Ok(Self::Namespace(name.to_owned())),
            Some(("key", hex)) => Ok(Self::Key(hex.to_owned())),
            None | Some(_) => Err(UnknownInvalidation),
        }
    }
}
