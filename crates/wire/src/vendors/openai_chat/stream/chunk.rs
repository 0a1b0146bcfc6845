//! Chunks, as far as they are read.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::malformed_stream;
use crate::clients::chat::fields;
use crate::usage::Count;
use crate::{ErrorBody, openai};

/// A field of any type, null counting as absent.
type Field<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub id: Field<'a>,
    #[serde(borrow, default)]
    pub model: Field<'a>,
    #[serde(borrow, default)]
    pub created: Field<'a>,
    #[serde(borrow, default)]
    pub choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow, default)]
    pub usage: Field<'a>,
    #[serde(borrow, default)]
    pub error: Field<'a>,
    #[serde(borrow, default)]
    pub service_tier: Field<'a>,
    #[serde(borrow, default)]
    pub x_groq: Field<'a>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub index: Count,
    #[serde(borrow, default)]
    pub delta: Option<DeltaParts<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Field<'a>,
    #[serde(borrow, default)]
    pub logprobs: Field<'a>,
    #[serde(borrow, default)]
    pub usage: Field<'a>,
    #[serde(borrow, default)]
    pub error: Field<'a>,
    /// What a whole answer has in the place of a delta.
    #[serde(default)]
    pub message: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct DeltaParts<'a> {
    #[serde(borrow, default)]
    pub content: Field<'a>,
    #[serde(borrow, default)]
    pub reasoning_content: Field<'a>,
    #[serde(borrow, default)]
    pub reasoning: Field<'a>,
    #[serde(borrow, default)]
    pub content_blocks: Field<'a>,
    #[serde(borrow, default)]
    pub refusal: Field<'a>,
    #[serde(borrow, default)]
    pub annotations: Field<'a>,
    #[serde(borrow, default)]
    pub tool_calls: Field<'a>,
    #[serde(borrow, default)]
    pub function_call: Field<'a>,
}

/// A part of a call.
#[derive(Default, Deserialize)]
pub(super) struct CallPart<'a> {
    #[serde(borrow, default)]
    pub index: Field<'a>,
    #[serde(borrow, default)]
    pub id: Field<'a>,
    #[serde(borrow, default)]
    pub function: Option<FunctionPart<'a>>,
    #[serde(borrow, default)]
    pub custom: Option<CustomPart<'a>>,
    #[serde(borrow, default)]
    pub extra_content: Field<'a>,
}

#[derive(Deserialize)]
pub(super) struct FunctionPart<'a> {
    #[serde(borrow, default)]
    pub name: Field<'a>,
    #[serde(borrow, default)]
    pub arguments: Field<'a>,
}

#[derive(Deserialize)]
pub(super) struct CustomPart<'a> {
    #[serde(borrow, default)]
    pub name: Field<'a>,
    #[serde(borrow, default)]
    pub input: Field<'a>,
}

/// A field's text, where it is one.
pub(super) fn raw_text(field: Field<'_>) -> Option<String> {
    fields::text(field?.get())
}

/// What is read of an event.
///
/// # Errors
/// The error that it tells, or that it is no chunk.
pub(super) fn read<'a>(name: Option<&str>, text: &'a [u8]) -> Result<Chunk<'a>, ErrorBody> {
    if name == Some("error") {
        return Err(openai::error_text(text));
    }
    // A list would pass for an object's values in their order.
    let object = Some(text).filter(|text| text.trim_ascii_start().starts_with(b"{"));
    let Some(chunk) = object.and_then(|text| serde_json::from_slice::<Chunk<'_>>(text).ok()) else {
        return Err(openai::listed_error(text).unwrap_or_else(malformed_stream));
    };
    let is_bare = || serde_json::from_slice(text).is_ok_and(|object| openai::is_bare_error(&object));
    if chunk.error.is_some() || (chunk.choices.is_none() && chunk.usage.is_none() && is_bare()) {
        return Err(openai::error_text(text));
    }
    Ok(chunk)
}
