//! Who a budget belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The kind of a budget's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeKind {
    /// A virtual key.
    Key,
    /// The user of one or more keys.
    User,
    /// The team of one or more keys.
    Team,
}

impl ScopeKind {
    /// The word that tables, metrics and the admin API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::Team => "team",
        }
    }
}

/// A text that is no [`ScopeKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be key, user or team")]
pub struct UnknownScopeKind;

impl FromStr for ScopeKind {
    type Err = UnknownScopeKind;

    fn from_str(text: &str) -> Result<Self, UnknownScopeKind> {
        [Self::Key, Self::User, Self::Team].into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownScopeKind)
    }
}

/// One budget's owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Scope {
    /// What kind of owner.
    pub kind: ScopeKind,
    /// The key's id, the user's or the team's.
    pub id: Arc<str>,
}

/// Whose budget, and the name of its stretch of time.
pub type BudgetName = (Scope, Arc<str>);

impl Scope {
    /// The owner of this kind and id.
    pub fn new(kind: ScopeKind, id: impl Into<Arc<str>>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.id)
    }
}
