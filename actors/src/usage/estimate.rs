//! What a request may cost at most, told before it is sent (B3, B4).

use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, Endpoint};
use serde::de::IgnoredAny;

use super::contents::Contents;

/// Tokens that a picture may count as. The dearest known is one of eight tiles for gpt-4o-mini, with 48,169
/// (<https://platform.openai.com/docs/guides/images-vision>, 2025-05).
const TOKENS_PER_PICTURE: u64 = 80_000;

/// Tokens that a sound may count as beyond its bytes, which are more than the tokens of any codec's second.
const TOKENS_PER_SOUND: u64 = 1_000;

/// Tokens that a vendor adds for the use of tools: Anthropic 159 to 530, open models up to some hundreds by their template
/// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>, 2026-11).
const TOKENS_FOR_TOOLS: u64 = 1_024;

/// Fields that limit the answer, the one that OpenAI prefers first. Vendors know one of them, or both.
pub const LIMIT_FIELDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// The most tokens that a request can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Input tokens: never fewer than the vendor will count, since a token of text stands for at least one byte.
    pub input_tokens: u64,
    /// Output tokens of one choice.
    pub output_tokens: u64,
    /// Choices (`n`).
    pub choices: u64,
    /// Output tokens that each choice may cost beyond its limit: of a prediction, what the model does not take over.
    pub rejected_tokens: u64,
    /// The fields in which the client itself limits the answer, and whether they agree.
    pub limited_by: LimitedBy,
    /// The field, as a path, that makes the vendor add input which the request does not show.
    pub added_by: Option<String>,
}

/// What is known of the model that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelBounds {
    /// The most input that it takes: what a request counts as whose input its bytes do not tell.
    pub max_input: u64,
    /// The most that it puts out.
    pub max_output: Option<u64>,
    /// The output of a request that sets no limit.
    pub default_output: u64,
    /// Whether it searches by itself.
    pub adds_input: bool,
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
    /// Reads a body. Without a limit of the client's own an answer is taken to have the default output, or the model's
    /// most where that is less.
    ///
    /// # Errors
    /// Where the limit or `n` is no whole number.
    pub fn from_body(body: &JsonObject, endpoint: Endpoint, model: ModelBounds) -> Result<Self, BadRequest> {
        let contents = Contents::from_body(body);
        let input_tokens = input_tokens(body, &contents, model).saturating_add(repeated(body, endpoint));
        let added_by = contents.added_by.or_else(|| model.adds_input.then(|| "model".to_owned()));
        if endpoint != Endpoint::Chat {
            let limited_by = LimitedBy::Nothing;
            return Ok(Self { input_tokens, output_tokens: 0, choices: 1, rejected_tokens: 0, limited_by, added_by });
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
        let most = model.max_output.unwrap_or(u64::MAX);
        let output_tokens = limit.unwrap_or(model.default_output).min(most);
        let rejected_tokens = body.get("prediction").map_or(0, |prediction| prediction.len() as u64);
        Ok(Self { input_tokens, output_tokens, choices, rejected_tokens, limited_by, added_by })
    }

    /// Output tokens of all choices.
    pub fn all_output_tokens(&self) -> u64 {
        self.output_tokens.saturating_mul(self.choices)
    }
}

/// What vendors count of a query beyond its bytes, which they read with each document.
fn repeated(body: &JsonObject, endpoint: Endpoint) -> u64 {
    let (Endpoint::Rerank, Some(query), Some(documents)) = (endpoint, body.get("query"), body.get("documents")) else {
        return 0;
    };
    let documents = serde_json::from_str::<Vec<IgnoredAny>>(documents).map_or(0, |documents| documents.len() as u64);
    (query.len() as u64).saturating_mul(documents.saturating_sub(1))
}

/// The most input that a request can come to.
fn input_tokens(body: &JsonObject, contents: &Contents, model: ModelBounds) -> u64 {
    let text = (body.text().len() as u64).saturating_sub(contents.picture_bytes);
    let shown = text
        .saturating_add(contents.pictures.saturating_mul(TOKENS_PER_PICTURE))
        .saturating_add(contents.sounds.saturating_mul(TOKENS_PER_SOUND))
        .saturating_add(if contents.has_tools { TOKENS_FOR_TOOLS } else { 0 });
    let is_told = contents.documents == 0 && contents.added_by.is_none() && !model.adds_input;
    if is_told { shown } else { shown.max(model.max_input) }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const MODEL: ModelBounds =
        ModelBounds { max_input: 200_000, max_output: Some(16_384), default_output: 4_096, adds_input: false };

    fn estimate(text: &str) -> Estimate {
        let body = JsonObject::parse(Bytes::from(text.to_owned())).unwrap();
        Estimate::from_body(&body, Endpoint::Chat, MODEL).unwrap()
    }

    /// B3: without `max_tokens` the default counts, never the whole head-room.
    #[test]
    fn b3_the_default_stands_in_for_a_missing_limit() {
        let plain = estimate(r#"{"model":"m","messages":[]}"#);
        assert_eq!((plain.input_tokens, plain.output_tokens, plain.limited_by), (27, 4_096, LimitedBy::Nothing));
        assert_eq!(estimate(r#"{"max_tokens":100,"n":3}"#).all_output_tokens(), 300);
        assert_eq!(estimate(r#"{"prediction":{"content":"abc"}}"#).rejected_tokens, 17);
        let both = estimate(r#"{"max_tokens":100,"max_completion_tokens":50}"#);
        assert_eq!((both.output_tokens, both.limited_by), (100, LimitedBy::Both), "the vendor may heed either");
        assert_eq!(estimate(r#"{"max_tokens":99999999}"#).output_tokens, 16_384);
    }

    /// B4: a picture is never estimated as nothing, nor by the bytes that it is sent in.
    #[test]
    fn b4_media_count() {
        let picture = |url: &str| {
            let text = r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"URL"}}]}]}"#;
            estimate(&text.replace("URL", url)).input_tokens
        };
        assert!(picture("https://a.example/b.png") > 80_000);
        assert!((80_000..81_000).contains(&picture(&format!("data:image/png;base64,{}", "A".repeat(500_000)))));
    }

    /// B15, H-2: what the bytes do not tell counts as all that the model takes in, and is named where the vendor adds it.
    #[test]
    fn h2_what_is_not_told_counts_as_all_that_the_model_takes() {
        let video = r#"{"messages":[{"content":[{"type":"video_url","video_url":{"url":"https://a.example/b"}}]}]}"#;
        let pdf =
            r#"{"messages":[{"content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}]}]}"#;
        let search = r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#;
        for (text, added_by) in [(video, Some("messages[0].content[0]")), (pdf, None), (search, Some("tools[0]"))] {
            let estimate = estimate(text);
            assert_eq!((estimate.input_tokens, estimate.added_by.as_deref()), (200_000, added_by), "{text}");
        }
        let function = r#"{"tools":[{"type":"function","function":{"name":"f"}}]}"#;
        assert_eq!(estimate(function).input_tokens, function.len() as u64 + 1_024);
        let body = JsonObject::parse(Bytes::from_static(b"{}")).unwrap();
        let searching = Estimate::from_body(&body, Endpoint::Chat, ModelBounds { adds_input: true, ..MODEL }).unwrap();
        assert_eq!((searching.input_tokens, searching.added_by.as_deref()), (200_000, Some("model")));
    }

    #[test]
    fn wrong_limits_are_named() {
        let body = JsonObject::parse(Bytes::from_static(br#"{"max_tokens":-1}"#)).unwrap();
        let error = Estimate::from_body(&body, Endpoint::Chat, MODEL).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("max_tokens"));
    }
}
