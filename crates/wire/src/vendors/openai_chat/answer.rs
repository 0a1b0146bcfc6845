//! A whole answer.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Value, json};

use super::finish_reason;
use super::usage::{tier, usage_in};
use crate::clients::chat;
use crate::clients::chat::fields::{self, Fields};
use crate::common::{Answer, AnswerHead, Block, BlockKind, Finish, FinishReason, JsonText, ToolKind, ToolUse, call_id};
use crate::surrogates::replace_lone;
use crate::usage::Count;
use crate::{ErrorBody, malformed, openai, sse};

/// Reads a whole answer.
pub(super) fn answer(body: &Bytes) -> Result<Answer, ErrorBody> {
    let body = match replace_lone(body.strip_prefix(sse::BOM).unwrap_or(body)) {
        Cow::Borrowed(text) => body.slice_ref(text),
        Cow::Owned(text) => Bytes::from(text),
    };
    let body = openai::read_answer(body)?.body;
    let not_chat = || malformed("The provider answered a chat request with something that is no chat answer.");
    let text = std::str::from_utf8(&body).map_err(|_| not_chat())?;
    let fields = Fields::of(text).ok_or_else(not_chat)?;
    let choices: Vec<Fields<'_>> =
        fields.list("choices").unwrap_or_default().into_iter().filter_map(Fields::of).collect();
    let is_first = |choice: &&Fields<'_>| choice.read::<Count>("index").and_then(|index| index.0) == Some(0);
    let choice = choices.iter().find(is_first).or_else(|| choices.first()).ok_or_else(not_chat)?;
    if choice.get("error").is_some() {
        return Err(openai::error_text(choice.get("error").unwrap_or_default().as_bytes()));
    }
    let message = choice.object("message").ok_or_else(not_chat)?;
    let head = head(&fields);
    let blocks = blocks(&message, &head.id);
    let usage = usage_in(&body);
    let logprobs = choice.object("logprobs").and_then(|logprobs| logprobs.json("content")).into_iter().collect();
    let finish = finish(&choice.text("finish_reason").unwrap_or_default(), &blocks);
    Ok(Answer { head, blocks, finish, usage, logprobs })
}

fn head(fields: &Fields<'_>) -> AnswerHead {
    AnswerHead {
        id: fields.text("id").unwrap_or_default(),
        model: fields.text("model").unwrap_or_default(),
        created: fields.read::<Count>("created").and_then(|created| created.0).unwrap_or(0),
        usage: None,
        service_tier: fields.get("service_tier").and_then(tier),
    }
}

fn finish(word: &str, blocks: &[Block]) -> Finish {
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let has_refusal = blocks.iter().any(|block| matches!(block.kind, BlockKind::Refusal(_)));
    let reason: FinishReason = finish_reason(word, has_calls, has_refusal);
    Finish { reason, ..Finish::default() }
}

fn blocks(message: &Fields<'_>, answer_id: &str) -> Vec<Block> {
    let mut spoken = Vec::new();
    if let Some(content) = message.get("content") {
        pieces(content, &mut |piece| spoken.push(Block::from(piece)));
    }
    if let Some(refusal) = message.text("refusal").filter(|refusal| !refusal.is_empty()) {
        spoken.push(BlockKind::Refusal(refusal).into());
    }
    let calls = calls(message, answer_id);
    let is_blank = |block: &Block| matches!(&block.kind, BlockKind::Text { text, .. } if text.is_empty());
    if !calls.is_empty() || spoken.len() > 1 {
        spoken.retain(|block| !is_blank(block));
    }
    let mut blocks = chat::arranged(message, spoken, calls);
    annotate(&mut blocks, message.read("annotations").unwrap_or_default());
    blocks
}

/// What a content says: a text, or (with Mistral) parts of which some are thinking.
pub(super) fn pieces(content: &str, take: &mut dyn FnMut(BlockKind)) {
    if let Some(text) = fields::text(content) {
        return take(BlockKind::text(text));
    }
    for part in fields::list(content).unwrap_or_default() {
        let Some(part) = Fields::of(part) else { continue };
        match part.text("type").as_deref() {
            Some("text" | "output_text") => take(BlockKind::text(part.text("text").unwrap_or_default())),
            Some("refusal") => take(BlockKind::Refusal(part.text("refusal").unwrap_or_default())),
            Some("thinking") => {
                let parts = part.list("thinking").unwrap_or_default();
                let words = parts.into_iter().filter_map(|part| Fields::of(part)?.text("text"));
                let text = part.text("thinking").unwrap_or_else(|| words.collect());
                take(BlockKind::Thinking { text, is_summary: false, token: None });
            }
            _ => {}
        }
    }
}

fn calls(message: &Fields<'_>, answer_id: &str) -> Vec<Block> {
    let mut calls = Vec::new();
    for (at, item) in message.list("tool_calls").unwrap_or_default().into_iter().enumerate() {
        let Some(item) = Fields::of(item) else { continue };
        let (kind, part) = match item.object("custom") {
            Some(custom) => (ToolKind::Custom, custom),
            None => (ToolKind::Function, item.object("function").unwrap_or_default()),
        };
        let argument = part.get(if kind == ToolKind::Custom { "input" } else { "arguments" });
        let call = ToolUse {
            call_id: item.text("id").filter(|id| !id.is_empty()).unwrap_or_else(|| call_id(answer_id, at)),
            name: part.text("name").unwrap_or_default(),
            kind,
            arguments: argument.map(arguments).unwrap_or_default(),
            token: chat::thought_signature(&item),
            ..ToolUse::default()
        };
        calls.push(BlockKind::ToolUse(call).into());
    }
    // The form before tool calls.
    if let Some(function) = message.object("function_call").filter(|_| calls.is_empty()) {
        let call = ToolUse {
            call_id: call_id(answer_id, 0),
            name: function.text("name").unwrap_or_default(),
            arguments: function.get("arguments").map(arguments).unwrap_or_default(),
            ..ToolUse::default()
        };
        calls.push(BlockKind::ToolUse(call).into());
    }
    calls
}

/// Arguments are a text; some vendors give the object itself.
pub(super) fn arguments(json: &str) -> String {
    fields::text(json).unwrap_or_else(|| json.to_owned())
}

/// Puts annotations to the texts that they are about: their places are those of the whole text, and become those of a
/// block.
fn annotate(blocks: &mut [Block], annotations: Vec<JsonText>) {
    if annotations.is_empty() {
        return;
    }
    let mut texts = Vec::new();
    let mut length = 0;
    for block in blocks {
        if let BlockKind::Text { text, annotations } = &mut block.kind {
            let start = length;
            length += text.chars().count();
            texts.push((start, annotations));
        }
    }
    for annotation in annotations {
        let place = annotation.value()["url_citation"]["start_index"].as_u64().unwrap_or(0);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        // Texts begin where those before them end, so that the last one that begins early enough is the right one.
        let at = texts.partition_point(|(start, _)| *start <= place).saturating_sub(1);
        if let Some((start, known)) = texts.get_mut(at) {
            known.push(moved(annotation, *start));
        }
    }
}

/// An annotation with its places counted from `start`.
pub(super) fn moved(annotation: JsonText, start: usize) -> JsonText {
    if start == 0 {
        return annotation;
    }
    let mut value = annotation.value();
    for name in ["start_index", "end_index"] {
        let place = value.get_mut("url_citation").and_then(|cited| cited.get_mut(name));
        if let Some(place) = place {
            *place = json!(place.as_u64().unwrap_or(0).saturating_sub(start as u64));
        }
    }
    Value::into(value)
}
