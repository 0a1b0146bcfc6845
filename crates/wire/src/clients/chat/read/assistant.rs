//! Assistant messages: reasoning that clients send back, words and calls, in the order in which the model gave them.

use super::super::fields::{self, Fields};
use super::parts;
use crate::BadRequest;
use crate::common::{Block, BlockKind, Family, ReasoningToken, ToolKind, ToolUse};

/// Fields that carry reasoning back as it came (I4).
const CARRIERS: [&str; 2] = ["thinking_blocks", "content_blocks"];

/// An entry of such a field.
#[derive(Debug)]
enum Entry {
    Reasoning(Block),
    /// A text of the message, which tells its place.
    Text(String),
    /// A call of the message, by its id.
    Call(String),
}

/// The blocks of an assistant's message; calls without an id get one that starts with `made_id`.
pub(super) fn blocks(message: &Fields<'_>, path: &str, made_id: &str) -> Result<Vec<Block>, BadRequest> {
    let mut spoken = parts::blocks(message.get("content"), &format!("{path}.content"))?;
    if let Some(refusal) = message.text("refusal").filter(|refusal| !refusal.is_empty()) {
        spoken.push(BlockKind::Refusal(refusal).into());
    }
    let calls = calls(message, path, made_id)?;
    // An empty text says nothing beside something else.
    let is_blank = |block: &Block| matches!(&block.kind, BlockKind::Text { text, .. } if text.is_empty());
    if !calls.is_empty() || spoken.len() > 1 {
        spoken.retain(|block| !is_blank(block));
    }
    let mut blocks = arranged(message, spoken, calls);
    parts::mark(&mut blocks, message);
    Ok(blocks)
}

/// What an assistant says and calls, with its reasoning, in the order that the message tells.
pub(crate) fn arranged(message: &Fields<'_>, spoken: Vec<Block>, calls: Vec<Block>) -> Vec<Block> {
    let carried = carried(message);
    if tells_order(&carried, &spoken, &calls) {
        return in_order(carried, calls);
    }
    let mut blocks: Vec<Block> = carried.into_iter().filter_map(Entry::reasoning).collect();
    if blocks.is_empty() {
        blocks = unsealed(message);
    }
    blocks.extend(spoken);
    blocks.extend(calls);
    blocks
}

impl Entry {
    fn reasoning(self) -> Option<Block> {
        match self {
            Self::Reasoning(block) => Some(block),
            _ => None,
        }
    }
}

/// The entries of the first carrier with reasoning in it.
fn carried(message: &Fields<'_>) -> Vec<Entry> {
    let entries = |name: &&str| -> Vec<Entry> {
        let items = message.list(name).unwrap_or_default();
        items.into_iter().filter_map(|item| entry(&Fields::of(item)?)).collect()
    };
    let has_reasoning = |entries: &Vec<Entry>| entries.iter().any(|entry| matches!(entry, Entry::Reasoning(_)));
    CARRIERS.iter().map(entries).find(has_reasoning).unwrap_or_default()
}

fn entry(item: &Fields<'_>) -> Option<Entry> {
    match item.text("type")?.as_str() {
        "text" => item.text("text").map(Entry::Text),
        "tool_use" => item.text("id").map(Entry::Call),
        _ => reasoning_block(item).map(|kind| Entry::Reasoning(kind.into())),
    }
}

/// A thinking block of Anthropic's, whose seal is Anthropic's or wrapped; none without one.
pub(crate) fn reasoning_block(item: &Fields<'_>) -> Option<BlockKind> {
    match item.text("type")?.as_str() {
        "thinking" => {
            let token = ReasoningToken::from_client(&item.text("signature")?, Family::Anthropic)?;
            // OpenAI shows no reasoning but summaries of it.
            let is_summary = token.family == Family::OpenAi;
            let text = item.text("thinking").unwrap_or_default();
            Some(BlockKind::Thinking { text, is_summary, token: Some(token) })
        }
        "redacted_thinking" => {
            Some(BlockKind::Redacted(ReasoningToken::from_client(&item.text("data")?, Family::Anthropic)?))
        }
        _ => None,
    }
}

/// Whether entries tell the order of all that a message says. One whose end is reasoning does not: no answer ends so.
fn tells_order(carried: &[Entry], spoken: &[Block], calls: &[Block]) -> bool {
    if carried.is_empty() || matches!(carried.last(), Some(Entry::Reasoning(_))) {
        return false;
    }
    let mut said = String::new();
    let mut called = Vec::new();
    for entry in carried {
        match entry {
            Entry::Text(text) => said.push_str(text),
            Entry::Call(id) => called.push(id.as_str()),
            Entry::Reasoning(_) => {}
        }
    }
    let mut rest = said.as_str();
    for block in spoken {
        let BlockKind::Text { text, .. } = &block.kind else { return false };
        let Some(after) = rest.strip_prefix(text.as_str()) else { return false };
        rest = after;
    }
    let ids = calls.iter().filter_map(|block| match &block.kind {
        BlockKind::ToolUse(call) => Some(call.call_id.as_str()),
        _ => None,
    });
    rest.is_empty() && ids.eq(called)
}

fn in_order(carried: Vec<Entry>, calls: Vec<Block>) -> Vec<Block> {
    let mut calls = calls.into_iter();
    let block = |entry| match entry {
        Entry::Reasoning(block) => Some(block),
        Entry::Text(text) => Some(BlockKind::text(text).into()),
        Entry::Call(_) => calls.next(),
    };
    carried.into_iter().filter_map(block).collect()
}

/// Reasoning in words, or in the form that OpenRouter has.
fn unsealed(message: &Fields<'_>) -> Vec<Block> {
    let details = message.list("reasoning_details").unwrap_or_default();
    let details: Vec<Block> = details.into_iter().filter_map(|item| detail(&Fields::of(item)?)).collect();
    if !details.is_empty() {
        return details;
    }
    let text = ["reasoning_content", "reasoning"].iter().find_map(|name| message.text(name));
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| BlockKind::Thinking { text, is_summary: false, token: None }.into()).into_iter().collect()
}

/// An entry of `reasoning_details`.
fn detail(item: &Fields<'_>) -> Option<Block> {
    let format = item.text("format").unwrap_or_default();
    let family = match format.split('-').next() {
        Some("anthropic") => Family::Anthropic,
        Some("google") => Family::Gemini,
        Some("openai" | "") => Family::OpenAi,
        _ => Family::Other,
    };
    let token = |name: &str| {
        let mut token = ReasoningToken::from_client(&item.text(name)?, family)?;
        token.item_id = token.item_id.or_else(|| item.text("id"));
        Some(token)
    };
    Some(match item.text("type")?.as_str() {
        "reasoning.encrypted" => BlockKind::Redacted(token("data")?).into(),
        "reasoning.summary" => {
            BlockKind::Thinking { text: item.text("summary")?, is_summary: true, token: None }.into()
        }
        "reasoning.text" => {
            let text = item.text("text").unwrap_or_default();
            BlockKind::Thinking { text, is_summary: false, token: token("signature") }.into()
        }
        _ => return None,
    })
}

fn calls(message: &Fields<'_>, path: &str, made_id: &str) -> Result<Vec<Block>, BadRequest> {
    let items = message.list("tool_calls").unwrap_or_default();
    let mut calls = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let fields = Fields::of(item).unwrap_or_default();
        let mut call = call(&fields, &format!("{path}.tool_calls[{at}]"))?;
        call.call_id = fields.text("id").unwrap_or_else(|| format!("{made_id}_{at}"));
        call.token = thought_signature(&fields);
        calls.push(Block { kind: BlockKind::ToolUse(call), cache: parts::cache(&fields) });
    }
    // The form before tool calls: one function, answered by name.
    if let Some(function) = message.object("function_call") {
        let mut call = function_call(&function, &format!("{path}.function_call"))?;
        call.call_id.clone_from(&call.name);
        calls.push(BlockKind::ToolUse(call).into());
    }
    Ok(calls)
}

/// Gemini's seal on a call, where its own compatible endpoint has it.
pub(crate) fn thought_signature(call: &Fields<'_>) -> Option<ReasoningToken> {
    signature_in(&call.object("extra_content")?)
}

/// The same in a call's `extra_content`.
pub(crate) fn signature_in(extra: &Fields<'_>) -> Option<ReasoningToken> {
    let signature = extra.object("google")?.text("thought_signature")?;
    ReasoningToken::from_client(&signature, Family::Gemini)
}

fn call(item: &Fields<'_>, path: &str) -> Result<ToolUse, BadRequest> {
    if let Some(custom) = item.object("custom") {
        let missing = || BadRequest::new(format!("{path}.custom.name"), "A tool call must name its tool.");
        let name = custom.text("name").ok_or_else(missing)?;
        let arguments = custom.text("input").unwrap_or_default();
        return Ok(ToolUse { name, kind: ToolKind::Custom, arguments, ..ToolUse::default() });
    }
    function_call(&item.object("function").unwrap_or_default(), &format!("{path}.function"))
}

fn function_call(function: &Fields<'_>, path: &str) -> Result<ToolUse, BadRequest> {
    let missing = || BadRequest::new(format!("{path}.name"), "A tool call must name its function.");
    let name = function.text("name").ok_or_else(missing)?;
    let arguments = arguments(function.get("arguments"), &format!("{path}.arguments"))?;
    Ok(ToolUse { name, arguments, ..ToolUse::default() })
}

/// Arguments are JSON text of an object, or (with clients of other vendors) the object itself.
fn arguments(arguments: Option<&str>, path: &str) -> Result<String, BadRequest> {
    let Some(raw) = arguments else { return Ok(String::new()) };
    let text = fields::text(raw).unwrap_or_else(|| raw.to_owned());
    if text.trim().is_empty() || Fields::of(&text).is_some() {
        return Ok(text);
    }
    Err(BadRequest::new(path, "A tool call's arguments must be JSON text of an object."))
}
