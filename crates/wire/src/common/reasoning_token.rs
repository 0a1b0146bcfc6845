//! The tokens with which vendors seal their reasoning, and who may get which back.
//!
//! A token goes back byte-exact to the family that issued it, and to no other. Towards a client of another format it
//! travels wrapped, so that its origin is known when it comes back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The vendors whose reasoning tokens are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Signatures and redacted thinking of Claude.
    Anthropic,
    /// Encrypted reasoning items of OpenAI's Responses.
    OpenAi,
    /// Thought signatures of Gemini.
    Gemini,
    /// Vendors without tokens of their own.
    Other,
}

/// A vendor's token, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningToken {
    /// Who issued it.
    #[serde(rename = "f")]
    pub family: Family,
    /// The token, exactly as it was issued.
    #[serde(rename = "t")]
    pub text: String,
    /// The id of the item that it was issued with (`rs_…`), where the vendor gives one.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
    /// What the credential or resource that issued it is known by, where the vendor checks that.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// How a wrapped token begins.
const WRAPPED: &str = "gw1.";

impl ReasoningToken {
    /// A token of a family.
    pub fn new(family: Family, text: impl Into<String>) -> Self {
        Self { family, text: text.into(), item_id: None, resource: None }
    }

    /// The token as a client gets it whose own family is `native`: bare where it is of that family, else wrapped.
    pub fn for_client(&self, native: Family) -> String {
        if self.family == native && self.resource.is_none() {
            return self.text.clone();
        }
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{WRAPPED}{}", URL_SAFE_NO_PAD.encode(json))
    }

    /// Reads what a client sent back; a text that is not wrapped is of the family `native`. None for an empty text, and
    /// for a wrapped one that is damaged.
    pub fn from_client(text: &str, native: Family) -> Option<Self> {
        match text.strip_prefix(WRAPPED) {
            Some(wrapped) => serde_json::from_slice(&URL_SAFE_NO_PAD.decode(wrapped).ok()?).ok(),
            None if text.is_empty() => None,
            None => Some(Self::new(native, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J5: a token comes back byte-exact, and never as another family's.
    #[test]
    fn j5_a_token_keeps_its_origin() {
        let token = ReasoningToken::new(Family::Anthropic, "EqQBCg==");
        assert_eq!(token.for_client(Family::Anthropic), "EqQBCg==");
        let wrapped = token.for_client(Family::OpenAi);
        assert_eq!(ReasoningToken::from_client(&wrapped, Family::OpenAi), Some(token.clone()));
        assert_eq!(ReasoningToken::from_client("EqQBCg==", Family::Anthropic), Some(token));
        assert_eq!(ReasoningToken::from_client("", Family::Anthropic), None);
        assert_eq!(ReasoningToken::from_client("gw1.%%%", Family::Anthropic), None);
    }
}
