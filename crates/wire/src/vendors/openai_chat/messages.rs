//! Messages: results of tools in messages of their own right behind their calls, and their media behind all of them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Shape;
use super::content::{cache_control, noun, part, search_result, text_part};
use super::tools::told_name;
use crate::BadRequest;
use crate::clients::chat::object::{Object, array};
use crate::common::tool_ids::{CHAT_ID, MISTRAL_ID};
use crate::common::{
    Block, BlockKind, Conversation, Family, Role, ToolKind, ToolResult, ToolUse, Turn, custom_arguments,
    without_billing_line,
};

/// The messages of a conversation: an array as JSON text.
pub(super) fn messages(
    conversation: &Conversation,
    shape: Shape<'_>,
    dropped: &mut Vec<String>,
) -> Result<String, BadRequest> {
    let mut messages = Messages {
        shape,
        out: Vec::new(),
        held: Vec::new(),
        media: Vec::new(),
        open: HashSet::new(),
        names: HashMap::new(),
        dropped,
    };
    if let Some(content) = instructions(&conversation.system, shape) {
        messages.out.push(message("system", &content, None));
    }
    for turn in &conversation.turns {
        match turn.role {
            Role::User => messages.user(turn)?,
            Role::Assistant => messages.assistant(turn)?,
            Role::System => messages.system(turn),
        }
    }
    messages.settle();
    Ok(array(&messages.out))
}

struct Messages<'a> {
    shape: Shape<'a>,
    out: Vec<String>,
    /// What stood between calls and their results, and comes behind these.
    held: Vec<String>,
    /// Parts for the user's message behind a run of results.
    media: Vec<String>,
    /// The calls without a result yet.
    open: HashSet<&'a str>,
    /// The tools of all calls, by the calls' ids.
    names: HashMap<&'a str, &'a str>,
    dropped: &'a mut Vec<String>,
}

impl<'a> Messages<'a> {
    fn user(&mut self, turn: &'a Turn) -> Result<(), BadRequest> {
        for block in &turn.blocks {
            if let BlockKind::ToolResult(result) = &block.kind {
                self.result(result)?;
            }
        }
        let is_said = |block: &&Block| !matches!(block.kind, BlockKind::ToolResult(_));
        let said: Vec<&Block> = turn.blocks.iter().filter(is_said).collect();
        let mut parts = Vec::new();
        for block in &said {
            parts.extend(part(block, self.shape)?);
        }
        if parts.is_empty() {
            return Ok(());
        }
        let is_marked = |block: &Block| block.cache.is_some() && self.shape.has_extensions();
        let content = match &said[..] {
            [block @ Block { kind: BlockKind::Text { text, .. }, .. }] if !is_marked(block) => {
                Value::from(text.as_str()).to_string()
            }
            _ => array(&parts),
        };
        self.other(message("user", &content, turn.name.as_deref()));
        Ok(())
    }

    /// Instructions behind the first turn.
    fn system(&mut self, turn: &Turn) {
        let Some(content) = instructions(&turn.blocks, self.shape) else { return };
        if !self.shape.quirks.system_first_only {
            self.other(message("system", &content, turn.name.as_deref()));
            return;
        }
        let text = format!("<system>\n{}\n</system>", texts(&turn.blocks).join("\n\n"));
        self.other(message("user", &Value::from(text).to_string(), None));
    }

    fn result(&mut self, result: &'a ToolResult) -> Result<(), BadRequest> {
        let mut lines: Vec<Cow<'_, str>> = Vec::new();
        let mut media = 0;
        for block in &result.blocks {
            match &block.kind {
                BlockKind::Text { text, .. } => lines.push(Cow::Borrowed(text)),
                BlockKind::ToolReference(name) => lines.push(Cow::Owned(format!("The tool {name} is available now."))),
                // What was found is among the tools of the request.
                BlockKind::Hosted { .. } if result.kind == ToolKind::ToolSearch => {}
                BlockKind::Hosted { raw, .. } => lines.push(Cow::Owned(search_result(raw)?)),
                kind => {
                    let (Some(noun), Some(part)) = (noun(kind), part(block, self.shape)?) else { continue };
                    let name = self.names.get(result.call_id.as_str()).copied();
                    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
                    let about = format!("{noun} returned by {}{name}:", self.id(&result.call_id));
                    self.media.extend([text_part(&about).end(), part]);
                    media += 1;
                }
            }
        }
        let mut text = lines.join("\n");
        if text.is_empty() && media > 0 {
            "The result is in the next message of the user.".clone_into(&mut text);
        }
        if result.is_error && !text.starts_with("Error") {
            text.insert_str(0, "Error: ");
        }
        let mut told = Object::default();
        told.set("role", "tool");
        told.set("tool_call_id", self.id(&result.call_id));
        told.set("content", text);
        self.out.push(told.end());
        self.open.remove(result.call_id.as_str());
        Ok(())
    }

    fn assistant(&mut self, turn: &'a Turn) -> Result<(), BadRequest> {
        let calls: Vec<&ToolUse> = turn.blocks.iter().filter_map(call).collect();
        let mut told = Object::default();
        told.set("role", "assistant");
        told.set_some("name", turn.name.as_deref());
        let refusal: String = turn.blocks.iter().filter_map(refusal).collect();
        let content = self.words(turn);
        if content.is_none() && refusal.is_empty() && calls.is_empty() {
            return Ok(());
        }
        match content {
            // Vendors that know no refusals get its words.
            None if !refusal.is_empty() && !self.shape.is_chat => told.set("content", &refusal),
            content => told.raw("content", content.as_deref().unwrap_or("null")),
        }
        if !refusal.is_empty() && self.shape.is_chat {
            told.set("refusal", &refusal);
        }
        if self.shape.quirks.echo_reasoning && !calls.is_empty() {
            let reasoning: String = turn.blocks.iter().filter_map(thought).collect();
            told.set_some("reasoning_content", Some(reasoning).filter(|text| !text.is_empty()));
        }
        self.open.clear();
        self.settle();
        if !calls.is_empty() {
            let items: Vec<String> = calls.iter().map(|call| self.call(call)).collect();
            told.list("tool_calls", &items);
        }
        for call in calls {
            self.open.insert(&call.call_id);
            self.names.insert(&call.call_id, &call.name);
        }
        self.out.push(told.end());
        Ok(())
    }

    /// What a turn of the model says, as JSON text.
    fn words(&mut self, turn: &Turn) -> Option<String> {
        let mut said = String::new();
        let mut parts = Vec::new();
        let mut glued = true;
        for block in &turn.blocks {
            match &block.kind {
                BlockKind::Text { text, annotations } => {
                    let is_apart = !(glued || self.shape.is_chat || !annotations.is_empty());
                    if is_apart && !said.ends_with(char::is_whitespace) && !text.starts_with(char::is_whitespace) {
                        said.push('\n');
                    }
                    said.push_str(text);
                    parts.push(text_part(text).end());
                    glued = !annotations.is_empty();
                }
                BlockKind::Hosted { raw, .. } => {
                    let kind = raw.value()["type"].as_str().unwrap_or("block").to_owned();
                    note(self.dropped, &format!("messages[].{kind}"));
                }
                _ => {}
            }
        }
        // Parts of a chat client stay parts; texts between calls are one text in this format.
        let is_words = |block: &Block| matches!(block.kind, BlockKind::Text { .. });
        let run = turn.blocks.iter().skip_while(|block| !is_words(block)).take_while(|block| is_words(block)).count();
        match parts.len() {
            0 => None,
            count if count > 1 && count == run && self.shape.is_chat => Some(array(&parts)),
            _ => Some(Value::from(said).to_string()),
        }
    }

    fn call(&self, call: &ToolUse) -> String {
        let mut inner = Object::default();
        inner.set("name", told_name(call.namespace.as_deref(), &call.name));
        let mut told = Object::default();
        told.set("id", self.id(&call.call_id));
        if call.kind == ToolKind::Custom && self.shape.is_chat {
            inner.set("input", &call.arguments);
            told.set("type", "custom");
            told.raw("custom", &inner.end());
            return told.end();
        }
        let arguments = match call.kind {
            ToolKind::Custom => Cow::Owned(custom_arguments(&call.arguments)),
            _ if call.arguments.trim().is_empty() => Cow::Borrowed("{}"),
            _ => Cow::Borrowed(call.arguments.as_str()),
        };
        inner.set("arguments", arguments);
        told.set("type", "function");
        told.raw("function", &inner.end());
        let signature = call.token.as_ref().filter(|token| token.family == Family::Gemini);
        if let Some(token) = signature.filter(|_| self.shape.has_extensions()) {
            told.set("extra_content", serde_json::json!({"google": {"thought_signature": token.text}}));
        }
        told.end()
    }

    /// The id of a call as the vendor takes it.
    fn id<'i>(&self, id: &'i str) -> Cow<'i, str> {
        if self.shape.quirks.short_tool_ids { MISTRAL_ID.fit(id) } else { CHAT_ID.fit(id) }
    }

    /// Adds a message that must not stand between calls and their results.
    fn other(&mut self, message: String) {
        if self.open.is_empty() {
            self.settle();
            self.out.push(message);
        } else {
            self.held.push(message);
        }
    }

    /// Adds what waited for the end of a run of results.
    fn settle(&mut self) {
        let media = std::mem::take(&mut self.media);
        if !media.is_empty() {
            self.out.push(message("user", &array(&media), None));
        }
        self.out.append(&mut self.held);
    }
}

/// A message whose content is JSON text.
fn message(role: &str, content: &str, name: Option<&str>) -> String {
    let mut told = Object::default();
    told.set("role", role);
    told.set_some("name", name);
    told.raw("content", content);
    told.end()
}

/// The content of instructions, as JSON text; one text, since many vendors take nothing else.
fn instructions(blocks: &[Block], shape: Shape<'_>) -> Option<String> {
    if blocks.iter().any(|block| block.cache.is_some()) && shape.has_extensions() {
        let parts = blocks.iter().filter_map(|block| {
            let BlockKind::Text { text, .. } = &block.kind else { return None };
            let mut part = text_part(text);
            if block.cache.is_some() {
                part.set("cache_control", cache_control(block.cache));
            }
            Some(part.end())
        });
        return Some(array(&parts.collect::<Vec<_>>()));
    }
    let texts = texts(blocks);
    (!texts.is_empty()).then(|| Value::from(texts.join("\n\n")).to_string())
}

/// The texts of instructions, without what is meant for Anthropic alone (J17).
fn texts(blocks: &[Block]) -> Vec<&str> {
    let texts = blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text, .. } => Some(without_billing_line(text)),
        _ => None,
    });
    texts.filter(|text| !text.is_empty()).collect()
}

fn call(block: &Block) -> Option<&ToolUse> {
    if let BlockKind::ToolUse(call) = &block.kind { Some(call) } else { None }
}

fn refusal(block: &Block) -> Option<&str> {
    if let BlockKind::Refusal(text) = &block.kind { Some(text) } else { None }
}

fn thought(block: &Block) -> Option<&str> {
    if let BlockKind::Thinking { text, .. } = &block.kind { Some(text) } else { None }
}

/// Names a lost field, once.
pub(super) fn note(dropped: &mut Vec<String>, name: &str) {
    if !dropped.iter().any(|dropped| dropped == name) {
        dropped.push(name.to_owned());
    }
}
