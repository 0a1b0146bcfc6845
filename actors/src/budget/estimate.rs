//! What a request may cost at most, told before it is sent (B3, B4).

use memchr::memmem;

use crate::attempt::Endpoint;
use crate::wire::BadRequest;
use crate::wire::json_object::JsonObject;

/// Tokens that an image, a sound or a file may count as beyond the bytes that name it. The dearest is an image in full
/// detail for a small OpenAI model (<https://platform.openai.com/docs/guides/images-vision>, 2025-05).
const TOKENS_PER_MEDIUM: u64 = 40_000;

/// Fields that limit the answer, the one that OpenAI prefers first. Vendors know one of them, or both.
pub const LIMIT_FIELDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The most tokens that a request can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Input tokens: never fewer than the vendor will count, since a token stands for at least one byte.
    pub input_tokens: u64,
    /// Output tokens of one choice.
    pub output_tokens: u64,
    /// Choices (`n`).
    pub choices: u64,
    /// The fields in which the client itself limits the answer, and whether they agree.
    pub limited_by: LimitedBy,
}

/// How a client limits the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitedBy {
    /// Not at all.
    #[default]
    Nothing,
    /// In this field.
    One(&'static str),
    /// In both fields, of which a vendor may heed either.
    Both,
}

impl Estimate {
    /// Reads a body. Without a limit of the client's own an answer is taken to have `default_output` tokens, or the
    /// model's most where that is less.
    ///
    /// # Errors
    /// Where the limit or `n` is no whole number.
    pub fn of(
        body: &JsonObject,
        endpoint: Endpoint,
        model_max: Option<u64>,
        default_output: u64,
    ) -> Result<Self, BadRequest> {
        let text = body.text();
        // Media stand in parts that name their type; most requests have none.
        let has_parts = memmem::find(text, b"\"type\"").is_some();
        let names: &[&[u8]] =
            if has_parts { &[b"\"image_url\"", b"\"input_audio\"", b"\"file\"", b"\"image\""] } else { &[] };
        let media: usize = names.iter().map(|name| memmem::find_iter(text, name).count()).sum();
        let input_tokens = text.len() as u64 + TOKENS_PER_MEDIUM * media as u64;
        if endpoint != Endpoint::Chat {
            return Ok(Self { input_tokens, output_tokens: 0, choices: 1, limited_by: LimitedBy::Nothing });
        }
        let number = |name: &'static str| {
            let wrong = |_| BadRequest::new(name, format!("'{name}' must be a whole number."));
            body.read::<u64>(name).map_err(wrong)
        };
        let (mut limit, mut limited_by) = (None, LimitedBy::Nothing);
        for field in LIMIT_FIELDS {
            if let Some(tokens) = number(field)? {
                limited_by = if limit.is_none() { LimitedBy::One(field) } else { LimitedBy::Both };
                limit = limit.max(Some(tokens));
            }
        }
        let choices = number("n")?.unwrap_or(1).max(1);
        let most = model_max.unwrap_or(u64::MAX);
        let output_tokens = limit.unwrap_or(default_output).min(most);
        Ok(Self { input_tokens, output_tokens, choices, limited_by })
    }

    /// Output tokens of all choices.
    pub fn all_output_tokens(&self) -> u64 {
        self.output_tokens.saturating_mul(self.choices)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn estimate(text: &'static str) -> Estimate {
        let body = JsonObject::parse(Bytes::from_static(text.as_bytes())).unwrap();
        Estimate::of(&body, Endpoint::Chat, Some(16_384), 4_096).unwrap()
    }

    /// B3: without `max_tokens` the default counts, never the whole head-room.
    #[test]
    fn b3_the_default_stands_in_for_a_missing_limit() {
        let plain = estimate(r#"{"model":"m","messages":[]}"#);
        assert_eq!((plain.input_tokens, plain.output_tokens, plain.limited_by), (27, 4_096, LimitedBy::Nothing));
        assert_eq!(estimate(r#"{"max_tokens":100,"n":3}"#).all_output_tokens(), 300);
        let both = estimate(r#"{"max_tokens":100,"max_completion_tokens":50}"#);
        assert_eq!((both.output_tokens, both.limited_by), (100, LimitedBy::Both), "the vendor may heed either");
        assert_eq!(estimate(r#"{"max_tokens":99999999}"#).output_tokens, 16_384);
    }

    /// B4: an image is never estimated as nothing.
    #[test]
    fn b4_media_count() {
        let text = r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://a/b.png"}}]}]}"#;
        assert!(estimate(text).input_tokens > 80_000);
    }

    #[test]
    fn wrong_limits_are_named() {
        let body = JsonObject::parse(Bytes::from_static(br#"{"max_tokens":-1}"#)).unwrap();
        let error = Estimate::of(&body, Endpoint::Chat, None, 1).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("max_tokens"));
    }
}
