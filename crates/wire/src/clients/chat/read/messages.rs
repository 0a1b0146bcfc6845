//! Messages: leading instructions apart, the rest as turns, results of tools as the user's.

use std::collections::{HashMap, VecDeque};

use super::super::fields::{self, Fields};
use super::{assistant, parts};
use crate::BadRequest;
use crate::common::{Block, BlockKind, Conversation, Role, ToolKind, ToolResult, Turn};

/// Fields of a message that are read.
const KNOWN: [&str; 14] = [
    "cache_control",
    "content",
    "content_blocks",
    "function_call",
    "is_error",
    "name",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "role",
    "thinking_blocks",
    "tool_call_id",
    "tool_calls",
];

/// The calls that were made so far.
#[derive(Default)]
struct Calls {
    kinds: HashMap<String, ToolKind>,
    /// The ids of each name's calls without a result.
    open: HashMap<String, VecDeque<String>>,
}

/// Reads `messages`, and the extension `system`.
pub(super) fn read(body: &Fields<'_>, conversation: &mut Conversation) -> Result<(), BadRequest> {
    let missing = || BadRequest::new("messages", "'messages' must be an array of messages.");
    let messages = body.list("messages").ok_or_else(missing)?;
    conversation.system = parts::texts(body.get("system"), "system")?;
    let mut calls = Calls::default();
    for (at, message) in messages.into_iter().enumerate() {
        let path = format!("messages[{at}]");
        let Some(fields) = Fields::of(message) else {
            return Err(BadRequest::new(path, "A message must be an object."));
        };
        let role = fields.text("role").unwrap_or_default();
        match role.as_str() {
            "system" | "developer" => instructions(&fields, &path, conversation)?,
            "user" => {
                let mut blocks = parts::blocks(fields.get("content"), &format!("{path}.content"))?;
                parts::mark(&mut blocks, &fields);
                add(conversation, Role::User, blocks, &fields);
            }
            "assistant" => {
                let blocks = assistant::blocks(&fields, &path, &format!("call_{at}"))?;
                calls.made(&blocks);
                add(conversation, Role::Assistant, blocks, &fields);
            }
            "tool" | "function" => {
                let result = result(&fields, &path, &mut calls)?;
                add_result(conversation, Block { kind: BlockKind::ToolResult(result), cache: parts::cache(&fields) });
            }
            _ => {
                let known = "'role' must be system, developer, user, assistant or tool.";
                return Err(BadRequest::new(format!("{path}.role"), known));
            }
        }
        note_lost(&fields, &mut conversation.lost);
    }
    Ok(())
}

/// Instructions before the first turn are the system's; later ones keep their place.
fn instructions(message: &Fields<'_>, path: &str, conversation: &mut Conversation) -> Result<(), BadRequest> {
    let mut texts = parts::texts(message.get("content"), &format!("{path}.content"))?;
    parts::mark(&mut texts, message);
    if conversation.turns.is_empty() {
        conversation.system.extend(texts);
    } else {
        add(conversation, Role::System, texts, message);
    }
    Ok(())
}

fn add(conversation: &mut Conversation, role: Role, blocks: Vec<Block>, message: &Fields<'_>) {
    if !blocks.is_empty() {
        conversation.turns.push(Turn { role, blocks, name: message.text("name") });
    }
}

/// Results of parallel calls are one turn.
fn add_result(conversation: &mut Conversation, result: Block) {
    let is_result = |block: &Block| matches!(block.kind, BlockKind::ToolResult(_));
    match conversation.turns.last_mut() {
        Some(turn) if turn.role == Role::User && turn.blocks.last().is_some_and(is_result) => turn.blocks.push(result),
        _ => conversation.turns.push(Turn::new(Role::User, vec![result])),
    }
}

/// Names the fields of a message that have no counterpart, once; empty ones say nothing and are not named.
fn note_lost(message: &Fields<'_>, lost: &mut Vec<String>) {
    for (name, value) in message.iter() {
        let is_empty = || fields::list(value).is_some_and(|items| items.is_empty());
        if KNOWN.contains(&name) || is_empty() {
            continue;
        }
        let note = format!("messages[].{name}");
        if !lost.contains(&note) && lost.len() < MOST_NOTES {
            lost.push(note);
        }
    }
}

/// The most names of lost fields that are kept.
const MOST_NOTES: usize = 64;

impl Calls {
    fn made(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let BlockKind::ToolUse(call) = &block.kind {
                self.kinds.insert(call.call_id.clone(), call.kind);
                self.open.entry(call.name.clone()).or_default().push_back(call.call_id.clone());
            }
        }
    }

    /// The call that a result without an id answers: the first open one of the tool, or the one that is called like it.
    fn answered(&mut self, name: String) -> String {
        self.open.get_mut(&name).and_then(VecDeque::pop_front).unwrap_or(name)
    }
}

fn result(message: &Fields<'_>, path: &str, calls: &mut Calls) -> Result<ToolResult, BadRequest> {
    let call_id = match (message.text("tool_call_id"), message.text("name")) {
        (Some(id), _) => id,
        (None, Some(name)) => calls.answered(name),
        (None, None) => {
            let path = format!("{path}.tool_call_id");
            return Err(BadRequest::new(path, "A tool message must name the call that it answers."));
        }
    };
    let mut blocks = parts::blocks(message.get("content"), &format!("{path}.content"))?;
    blocks.retain(|block| !matches!(&block.kind, BlockKind::Text { text, .. } if text.is_empty()));
    let kind = calls.kinds.get(&call_id).copied().unwrap_or_default();
    Ok(ToolResult { call_id, kind, blocks, is_error: message.read("is_error").unwrap_or(false) })
}
