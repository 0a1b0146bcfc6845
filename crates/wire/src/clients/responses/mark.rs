//! What a token of another family sealed, told in the id that travels wrapped with it: items of the format have no place
//! for redacted reasoning, nor for the seal of a call.

use std::borrow::Cow;

use crate::common::{Family, ReasoningToken};

/// What a token sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// Readable reasoning.
    None,
    /// Reasoning that is not shown.
    Redacted,
    /// The call of this id.
    Call(&'a str),
}

const REDACTED: &str = "redacted";
const CALL: &str = "call:";

impl<'a> Mark<'a> {
    /// Reads the mark of a token.
    pub fn read(item_id: &'a str) -> Self {
        match item_id.strip_prefix(CALL) {
            Some(id) => Self::Call(id),
            None if item_id == REDACTED => Self::Redacted,
            None => Self::None,
        }
    }

    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::None => None,
            Self::Redacted => Some(Cow::Borrowed(REDACTED)),
            Self::Call(id) => Some(Cow::Owned(format!("{CALL}{id}"))),
        }
    }
}

/// The text of `encrypted_content`. OpenAI checks that a token comes with the id of its item, so that one whose item has
/// another id here travels wrapped too.
pub(super) fn sealed(token: &ReasoningToken, mark: Mark<'_>, item_id: &str) -> String {
    if token.family == Family::OpenAi {
        let is_bare = token.item_id.as_deref().is_none_or(|id| id == item_id);
        return token.for_client(if is_bare { Family::OpenAi } else { Family::Other });
    }
    match mark.text() {
        None => token.for_client(Family::OpenAi),
        Some(mark) => ReasoningToken { item_id: Some(mark.into_owned()), ..token.clone() }.for_client(Family::OpenAi),
    }
}
