//! Whole answers of the Messages API.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::form::{Citations, Made, Part, input_of};
use super::names::Names;
use super::usage::Counts;
use crate::common::{
    Answer, Block, BlockKind, Family, Finish, FinishReason, JsonText, ReasoningToken, ToolUse, citation_of,
};

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Part<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_details: Option<&'a JsonText>,
    usage: Counts,
}

/// Tells a whole answer.
pub(super) fn message(answer: &Answer, id: &str, model: &str, names: &Names, estimate: Option<u64>) -> Bytes {
    let mut content = Vec::with_capacity(answer.blocks.len());
    for block in &answer.blocks {
        add(block, names, &mut content);
    }
    let message = Message {
        id,
        kind: "message",
        role: "assistant",
        model,
        content,
        stop_reason: stop_reason(&answer.finish, answer.calls_tools()),
        stop_sequence: answer.finish.stop_sequence.as_deref(),
        stop_details: answer.finish.details.as_ref(),
        usage: match &answer.usage {
            Some(usage) => Counts::from(usage),
            None => Counts::at_start(answer.head.usage.as_ref(), estimate),
        },
    };
    // Texts, numbers and JSON that was checked always serialise.
    Bytes::from(serde_json::to_vec(&message).unwrap_or_default())
}

/// Why an answer ended, in Anthropic's words; one with calls ends with them, whatever its vendor says (I2).
pub(super) fn stop_reason(finish: &Finish, calls_tools: bool) -> &'static str {
    match finish.reason {
        FinishReason::End | FinishReason::Tool if calls_tools => "tool_use",
        // A call that did not come is not to be waited for.
        FinishReason::End | FinishReason::Tool => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextWindow => "model_context_window_exceeded",
        FinishReason::Filter | FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause_turn",
    }
}

fn add<'a>(block: &'a Block, names: &'a Names, out: &mut Vec<Part<'a>>) {
    match &block.kind {
        BlockKind::Text { text, annotations } if !text.is_empty() => {
            let given: Vec<JsonText> = annotations.iter().filter_map(citation_of).collect();
            let citations = (!given.is_empty()).then_some(Citations::Given(given));
            out.push(Part::made(Made { kind: "text", text: Some(text.into()), citations, ..Made::default() }));
        }
        BlockKind::Refusal(text) if !text.is_empty() => out.push(Part::text(text)),
        BlockKind::Thinking { text, token, .. } => out.extend(thinking(text, token.as_ref())),
        BlockKind::Redacted(token) => out.push(redacted(token)),
        BlockKind::ToolUse(call) => {
            out.extend(call.token.as_ref().map(redacted));
            out.push(tool_use(call, names));
        }
        BlockKind::Hosted { raw, family: Family::Anthropic } => out.push(Part::Raw(raw)),
        // No answer has the others, or no client of this format knows them.
        _ => {}
    }
}

/// Reasoning: with another vendor's seal and no words it is a block that clients do not show.
fn thinking<'a>(text: &'a str, token: Option<&'a ReasoningToken>) -> Option<Part<'a>> {
    match token {
        None if text.is_empty() => None,
        Some(token) if text.is_empty() && token.family != Family::Anthropic => Some(redacted(token)),
        _ => {
            let signature = token.map(|token| token.for_client(Family::Anthropic)).unwrap_or_default();
            let signature = Some(Cow::Owned(signature));
            Some(Part::made(Made { kind: "thinking", thinking: Some(text), signature, ..Made::default() }))
        }
    }
}

pub(super) fn redacted(token: &ReasoningToken) -> Part<'static> {
    let data = Some(Cow::Owned(token.for_client(Family::Anthropic)));
    Part::made(Made { kind: "redacted_thinking", data, ..Made::default() })
}

fn tool_use<'a>(call: &'a ToolUse, names: &'a Names) -> Part<'a> {
    // A model that wrote no object is told so by its tool.
    let input = input_of(&call.arguments).or_else(|_| input_of("")).ok();
    let (id, name) = (Some(call.call_id.as_str().into()), Some(names.own(&call.name).into()));
    Part::made(Made { kind: "tool_use", id, name, input, ..Made::default() })
}
