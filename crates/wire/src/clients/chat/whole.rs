//! A whole answer.

use bytes::Bytes;
use serde_json::{Value, json};

use super::content_blocks::ContentBlocks;
use super::object::Object;
use super::own_names::OwnNames;
use super::usage::{service_tier, usage_json};
use super::{answer_id, finish_reason};
use crate::clients::ReplyContext;
use crate::common::{Answer, BlockKind, Family, JsonText, ToolKind, ToolUse, custom_input, plain_annotation};

/// Tells a whole answer.
pub(super) fn whole(answer: Answer, context: &ReplyContext<'_>) -> Bytes {
    let Answer { head, blocks, finish, usage, logprobs } = answer;
    let mut message = Message { strict: context.strict, ..Message::default() };
    let names = OwnNames::of(context.conversation);
    blocks.into_iter().for_each(|block| message.add(block.kind, &names));
    let reason = finish_reason(finish.reason, !message.calls.is_empty(), message.refusal.is_some());
    let mut choice = Object::default();
    choice.set("index", 0);
    choice.raw("message", &message.json());
    choice.raw("logprobs", &logprobs_json(&logprobs));
    choice.set("finish_reason", reason);
    let mut told = Object::default();
    told.set("id", answer_id(&head.id, context));
    told.set("object", "chat.completion");
    told.set("created", if head.created == 0 { context.now } else { head.created });
    told.set("model", if head.model.is_empty() { &context.conversation.model } else { &head.model });
    told.list("choices", &[choice.end()]);
    let usage = usage.or(head.usage);
    told.set_some("usage", usage.as_ref().map(usage_json));
    told.set_some("service_tier", service_tier(head.service_tier, usage.as_ref()));
    Bytes::from(told.end())
}

/// The `logprobs` of a choice, null where there are none.
pub(super) fn logprobs_json(parts: &[JsonText]) -> String {
    let tokens: Vec<String> = parts
        .iter()
        .filter_map(|part| part.read::<Vec<JsonText>>().ok())
        .flatten()
        .map(|token| token.as_str().to_owned())
        .collect();
    if tokens.is_empty() {
        return "null".to_owned();
    }
    let mut told = Object::default();
    told.list("content", &tokens);
    told.set("refusal", Value::Null);
    told.end()
}

/// An annotation whose places are those of its block, in a text that begins with so many characters before it; none where
/// the format has no counterpart.
pub(super) fn placed(annotation: &JsonText, start: usize) -> Option<JsonText> {
    let plain = plain_annotation(annotation)?;
    if start == 0 {
        return Some(plain);
    }
    let mut value = plain.value();
    let places = value.get_mut("url_citation").and_then(Value::as_object_mut)?;
    for name in ["start_index", "end_index"] {
        if let Some(place) = places.get(name).and_then(Value::as_u64) {
            places.insert(name.to_owned(), json!(place.saturating_add(start as u64)));
        }
    }
    Some(value.into())
}

/// A call as a whole answer has it.
pub(super) fn call_json(call: &ToolUse, names: &OwnNames, strict: bool) -> String {
    let own = names.find(&call.name);
    let name = own.map_or(call.name.as_str(), |(name, _)| name);
    let mut inner = Object::default();
    inner.set("name", name);
    let mut told = Object::default();
    told.set("id", &call.call_id);
    let asked = own.map(|(_, kind)| kind);
    if call.kind == ToolKind::Custom || asked == Some(ToolKind::Custom) {
        let is_native = call.kind == ToolKind::Custom;
        inner.set("input", if is_native { call.arguments.clone() } else { custom_input(&call.arguments) });
        told.set("type", "custom");
        told.raw("custom", &inner.end());
    } else {
        inner.set("arguments", if call.arguments.is_empty() { "{}" } else { &call.arguments });
        told.set("type", "function");
        told.raw("function", &inner.end());
    }
    if let Some(token) = call.token.as_ref().filter(|_| !strict) {
        told.set("extra_content", json!({"google": {"thought_signature": token.for_client(Family::Gemini)}}));
    }
    told.end()
}

/// The length of a growing text in characters, of which each is counted once.
#[derive(Default)]
struct Length {
    bytes: usize,
    chars: usize,
}

impl Length {
    fn of(&mut self, text: &str) -> usize {
        self.chars += text.get(self.bytes..).unwrap_or_default().chars().count();
        self.bytes = text.len();
        self.chars
    }
}

/// An assistant's message as its blocks are read.
#[derive(Default)]
struct Message {
    strict: bool,
    text: Option<String>,
    length: Length,
    refusal: Option<String>,
    annotations: Vec<String>,
    reasoning: String,
    calls: Vec<String>,
    order: ContentBlocks,
    content_blocks: Vec<String>,
}

impl Message {
    fn add(&mut self, kind: BlockKind, names: &OwnNames) {
        let out = &mut self.content_blocks;
        match kind {
            BlockKind::Text { text, annotations } => {
                let whole = self.text.get_or_insert_default();
                // Places are counted only where something is cited.
                let start = if annotations.is_empty() { 0 } else { self.length.of(whole) };
                let annotations = annotations.iter().filter_map(|annotation| placed(annotation, start));
                self.annotations.extend(annotations.map(|annotation| annotation.as_str().to_owned()));
                whole.push_str(&text);
                self.order.text(&text, out);
            }
            BlockKind::Refusal(text) => self.refusal.get_or_insert_default().push_str(&text),
            BlockKind::Thinking { text, token, .. } => {
                self.reasoning.push_str(&text);
                if let Some(token) = &token {
                    self.order.thinking(&text, token, out);
                }
            }
            BlockKind::Redacted(token) => self.order.redacted(&token, out),
            BlockKind::ToolUse(call) => {
                self.order.call(&call.call_id, &call.name, out);
                self.calls.push(call_json(&call, names, self.strict));
            }
            // Calls that the vendor answered itself, such as web searches, have no counterpart.
            _ => {}
        }
    }

    fn json(&self) -> String {
        let mut message = Object::default();
        message.set("role", "assistant");
        message.set("content", self.text.as_ref());
        message.set("refusal", self.refusal.as_ref());
        if !self.annotations.is_empty() {
            message.list("annotations", &self.annotations);
        }
        if !self.calls.is_empty() {
            message.list("tool_calls", &self.calls);
        }
        if !self.strict && !self.reasoning.is_empty() {
            message.set("reasoning_content", &self.reasoning);
        }
        if !self.strict && !self.content_blocks.is_empty() {
            // With their seals, so that a client can send them back (I4).
            message.list("content_blocks", &self.content_blocks);
        }
        message.end()
    }
}
