//! Whole answers.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::error_body;
use super::usage::usage_of;
use crate::common::{
    Answer, AnswerHead, BlockKind, Family, Finish, FinishReason, JsonText, ReasoningToken, ToolUse, annotation_of,
};
use crate::surrogates::replace_lone;
use crate::{ErrorBody, ServiceTier, malformed, openai};

#[derive(Deserialize)]
struct Message<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    #[serde(borrow)]
    stop_details: Option<&'a RawValue>,
    usage: Option<Value>,
}

/// Reads a whole answer.
///
/// # Errors
/// Where it is no message of Anthropic's, or an error.
pub(super) fn answer(body: &[u8]) -> Result<Answer, ErrorBody> {
    let text = replace_lone(body);
    let Some(message) = message(&text) else { return Err(failure(body, &text)) };
    let blocks = message.content.unwrap_or_default();
    let blocks: Vec<BlockKind> = blocks.into_iter().filter_map(block).collect();
    let calls_tools = blocks.iter().any(|block| matches!(block, BlockKind::ToolUse(_)));
    Ok(Answer {
        head: AnswerHead {
            id: message.id.unwrap_or_default(),
            model: message.model.unwrap_or_default(),
            service_tier: message.usage.as_ref().and_then(service_tier),
            ..AnswerHead::default()
        },
        blocks: blocks.into_iter().map(Into::into).collect(),
        finish: Finish {
            reason: finish_reason(message.stop_reason.as_deref().unwrap_or_default(), calls_tools),
            stop_sequence: message.stop_sequence,
            details: message.stop_details.map(JsonText::from),
        },
        usage: message.usage.and_then(|usage| usage_of(&serde_json::json!({ "usage": usage }))),
        ..Answer::default()
    })
}

/// The class of service that an answer says it was served with.
pub(super) fn service_tier(counts: &Value) -> Option<ServiceTier> {
    match counts.get("service_tier")?.as_str()? {
        "standard" => Some(ServiceTier::Default),
        "priority" => Some(ServiceTier::Priority),
        _ => None,
    }
}

/// The message that a text is; none for an error, and for what has no content.
fn message(text: &[u8]) -> Option<Message<'_>> {
    #[derive(Deserialize)]
    struct Failure<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    if serde_json::from_slice::<Failure<'_>>(text).ok()?.error.is_some() {
        return None;
    }
    serde_json::from_slice::<Message<'_>>(text).ok().filter(|message| message.content.is_some())
}

fn failure(body: &[u8], text: &[u8]) -> ErrorBody {
    let tree: Value = serde_json::from_slice(text).unwrap_or_default();
    let has_error = tree.get("error").is_some_and(|error| !error.is_null());
    if has_error || tree.as_object().is_some_and(openai::is_bare_error) {
        return error_body(200, body);
    }
    malformed("The provider's answer is not in Anthropic's format.")
}

/// Why an answer ended; one with calls ends with them (I2).
pub(super) fn finish_reason(stop_reason: &str, calls_tools: bool) -> FinishReason {
    match stop_reason {
        "max_tokens" => FinishReason::Length,
        "model_context_window_exceeded" => FinishReason::ContextWindow,
        "refusal" => FinishReason::Refusal,
        "tool_use" => FinishReason::Tool,
        _ if calls_tools => FinishReason::Tool,
        "stop_sequence" => FinishReason::StopSequence,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::End,
    }
}

/// The fields of a block that are read.
#[derive(Default, Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub text: Option<String>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub data: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub citations: Option<Vec<Value>>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    /// Reads a block; one whose fields are others has its type alone.
    pub fn read(raw: &'a RawValue) -> Self {
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type", default)]
            kind: String,
        }
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            let kind = serde_json::from_str::<Kind>(raw.get()).map(|kind| kind.kind).unwrap_or_default();
            Self { kind, ..Self::default() }
        })
    }

    /// Whether the block is one that the common form has a kind for.
    pub fn is_known(&self) -> bool {
        matches!(self.kind.as_str(), "text" | "thinking" | "redacted_thinking" | "tool_use")
    }
}

fn block(raw: &RawValue) -> Option<BlockKind> {
    let fields = Fields::read(raw);
    Some(match fields.kind.as_str() {
        "text" => {
            let text = fields.text.unwrap_or_default();
            let given = fields.citations.unwrap_or_default();
            let end = if given.is_empty() { 0 } else { text.chars().count() };
            let annotations = given.iter().map(|citation| annotation_of(citation, 0, end)).collect();
            BlockKind::Text { text, annotations }
        }
        "thinking" => {
            let token = token(fields.signature);
            BlockKind::Thinking { text: fields.thinking.unwrap_or_default(), is_summary: false, token }
        }
        "redacted_thinking" => BlockKind::Redacted(token(fields.data)?),
        "tool_use" => BlockKind::ToolUse(ToolUse {
            call_id: fields.id.unwrap_or_default(),
            name: fields.name.unwrap_or_default(),
            arguments: fields.input.map_or("{}", RawValue::get).to_owned(),
            ..ToolUse::default()
        }),
        "" => return None,
        // What Anthropic ran itself, such as web searches.
        _ => BlockKind::Hosted { raw: raw.into(), family: Family::Anthropic },
    })
}

/// A seal, exactly as it was issued.
pub(super) fn token(text: Option<String>) -> Option<ReasoningToken> {
    text.filter(|text| !text.is_empty()).map(|text| ReasoningToken::new(Family::Anthropic, text))
}
