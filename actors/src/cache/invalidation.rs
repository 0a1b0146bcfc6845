//! Which answers are to be forgotten.

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

impl Invalidation {
    /// As other processes are told of it.
    pub fn to_text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Namespace(name) => format!("namespace:{name}"),
            Self::Key(hex) => format!("key:{hex}"),
        }
    }

    /// What another process told.
    pub fn of_text(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "all").then_some(Self::All),
            Some(("namespace", name)) => Some(Self::Namespace(name.to_owned())),
            Some(("key", hex)) => Some(Self::Key(hex.to_owned())),
            Some(_) => None,
        }
    }
}
