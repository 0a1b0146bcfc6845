//! Turns as the items of the input.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::outputs::{built_in, found_tools, output, shell_output};
use super::parts::{Dropped, parts};
use crate::BadRequest;
use crate::common::tool_ids::{RESPONSES_ID, TOOL_NAME};
use crate::common::{
    Block, BlockKind, Family, JsonText, ReasoningToken, Role, ToolKind, ToolResult, ToolUse, Turn, custom_arguments,
};
use crate::json_object::JsonObject;

/// The input as it grows.
pub(super) struct Items<'a> {
    /// The items.
    pub out: Vec<JsonText>,
    /// Reasoning whose item is still to come; without one it is refused, and left out.
    reasoning: Vec<JsonText>,
    /// The parts of the message that is being read.
    message: Vec<Value>,
    /// The calls, by their ids.
    calls: HashMap<&'a str, &'a ToolUse>,
    /// Whether all tools are told as functions.
    functions_only: bool,
    /// The role of the operator.
    operator: &'static str,
}

#[derive(Serialize)]
struct Reasoning<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    summary: Vec<Value>,
    encrypted_content: &'a str,
}

impl<'a> Items<'a> {
    /// No items yet.
    pub fn new(functions_only: bool, operator: &'static str) -> Self {
        let (out, reasoning, message, calls) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        Self { out, reasoning, message, calls, functions_only, operator }
    }

    /// Adds words of the operator.
    pub fn operator(&mut self, blocks: &[Block], dropped: &mut Dropped) -> Result<(), BadRequest> {
        self.end_answer();
        let content = parts(blocks, dropped)?;
        if !content.is_empty() {
            self.push(&json!({"type": "message", "role": self.operator, "content": content}));
        }
        Ok(())
    }

    /// Adds a turn.
    pub fn turn(&mut self, turn: &'a Turn, dropped: &mut Dropped) -> Result<(), BadRequest> {
        match turn.role {
            Role::System => self.operator(&turn.blocks, dropped),
            Role::User => self.user(&turn.blocks, dropped),
            Role::Assistant => self.assistant(&turn.blocks, dropped),
        }
    }

    /// Ends the model's turn: reasoning that led to nothing is left out.
    pub fn end_answer(&mut self) {
        self.end_message();
        self.reasoning.clear();
    }

    fn push(&mut self, item: &impl Serialize) {
        self.out.push(JsonText::of(item));
    }

    fn user(&mut self, blocks: &'a [Block], dropped: &mut Dropped) -> Result<(), BadRequest> {
        self.end_answer();
        let mut content = Vec::new();
        for block in blocks {
            match &block.kind {
                BlockKind::ToolResult(result) => {
                    self.end_words(&mut content);
                    self.result(result, dropped)?;
                }
                BlockKind::Compaction(token) => {
                    self.end_words(&mut content);
                    self.compaction(token)?;
                }
                _ => content.extend(parts(std::slice::from_ref(block), dropped)?),
            }
        }
        self.end_words(&mut content);
        Ok(())
    }

    fn end_words(&mut self, content: &mut Vec<Value>) {
        let content = std::mem::take(content);
        if !content.is_empty() {
            self.push(&json!({"type": "message", "role": "user", "content": content}));
        }
    }

    fn compaction(&mut self, token: &ReasoningToken) -> Result<(), BadRequest> {
        if token.family != Family::OpenAi {
            return Err(BadRequest::new(
                "input",
                "A compacted conversation can be read by those alone who compacted it.",
            ));
        }
        self.push(&json!({"type": "compaction", "encrypted_content": token.text}));
        Ok(())
    }

    fn assistant(&mut self, blocks: &'a [Block], dropped: &mut Dropped) -> Result<(), BadRequest> {
        for block in blocks {
            match &block.kind {
                BlockKind::Text { text, annotations } if !text.is_empty() => {
                    self.message.push(json!({"type": "output_text", "text": text, "annotations": annotations}));
                }
                BlockKind::Refusal(text) => self.message.push(json!({"type": "refusal", "refusal": text})),
                BlockKind::Thinking { text, token: Some(token), .. } => self.reason(text, token),
                BlockKind::Redacted(token) => self.reason("", token),
                BlockKind::ToolUse(call) => {
                    self.end_message();
                    self.call(call);
                }
                BlockKind::Hosted { raw, family: Family::OpenAi } => {
                    self.end_message();
                    self.out.append(&mut self.reasoning);
                    self.out.push(without_id(raw));
                }
                // Reasoning goes to its own vendor alone, and what says nothing is nothing.
                BlockKind::Text { .. } | BlockKind::Thinking { .. } => {}
                _ => dropped.add("messages"),
            }
        }
        Ok(())
    }

    fn reason(&mut self, text: &str, token: &ReasoningToken) {
        if token.family != Family::OpenAi {
            return;
        }
        self.end_message();
        let summary = if text.is_empty() { Vec::new() } else { vec![json!({"type": "summary_text", "text": text})] };
        let (id, encrypted_content) = (token.item_id.as_deref(), token.text.as_str());
        self.reasoning.push(JsonText::of(&Reasoning { r#type: "reasoning", id, summary, encrypted_content }));
    }

    fn end_message(&mut self) {
        let content = std::mem::take(&mut self.message);
        if !content.is_empty() {
            self.out.append(&mut self.reasoning);
            self.push(&json!({"type": "message", "role": "assistant", "content": content}));
        }
    }

    fn call(&mut self, call: &'a ToolUse) {
        self.out.append(&mut self.reasoning);
        self.calls.insert(&call.call_id, call);
        let call_id = RESPONSES_ID.fit(&call.call_id);
        let kind = if self.functions_only { ToolKind::Function } else { call.kind };
        let item = match (kind, call.name.as_str()) {
            (ToolKind::Function, _) => self.function(call, &call_id),
            (ToolKind::Custom, name) => {
                let mut item = json!({"type": "custom_tool_call", "call_id": call_id, "name": TOOL_NAME.fit(name)});
                set(&mut item, "namespace", call.namespace.as_deref());
                set(&mut item, "input", Some(&call.arguments));
                JsonText::of(&item)
            }
            (ToolKind::ToolSearch, _) => built_in("tool_search_call", &call_id, "arguments", call),
            (ToolKind::Shell, "local_shell") => built_in("local_shell_call", &call_id, "action", call),
            (ToolKind::Shell, "apply_patch") => built_in("apply_patch_call", &call_id, "operation", call),
            (ToolKind::Shell, _) => built_in("shell_call", &call_id, "action", call),
        };
        self.out.push(item);
    }

    fn function(&self, call: &ToolUse, call_id: &str) -> JsonText {
        let namespace = call.namespace.as_deref();
        let name = if self.functions_only { TOOL_NAME.name(namespace, &call.name) } else { TOOL_NAME.fit(&call.name) };
        let arguments = match call.kind {
            ToolKind::Custom => custom_arguments(&call.arguments),
            _ if call.arguments.trim().is_empty() => "{}".to_owned(),
            _ => call.arguments.clone(),
        };
        let mut item = json!({"type": "function_call", "call_id": call_id, "name": name});
        set(&mut item, "namespace", namespace.filter(|_| !self.functions_only));
        set(&mut item, "arguments", Some(&arguments));
        JsonText::of(&item)
    }

    fn result(&mut self, result: &ToolResult, dropped: &mut Dropped) -> Result<(), BadRequest> {
        let call = self.calls.get(result.call_id.as_str());
        let (kind, name) = call.map_or((result.kind, "shell"), |call| (call.kind, call.name.as_str()));
        let call_id = RESPONSES_ID.fit(&result.call_id);
        let words = || {
            let texts = result.blocks.iter().map(|block| match &block.kind {
                BlockKind::Text { text, .. } => text.as_str(),
                _ => "",
            });
            texts.collect::<String>()
        };
        let kind = if self.functions_only { ToolKind::Function } else { kind };
        let item = match (kind, name) {
            (ToolKind::Function, _) => {
                json!({"type": "function_call_output", "call_id": call_id, "output": output(result, dropped)?})
            }
            (ToolKind::Custom, _) => {
                json!({"type": "custom_tool_call_output", "call_id": call_id, "output": output(result, dropped)?})
            }
            (ToolKind::ToolSearch, _) => {
                self.out.push(found_tools(result, &call_id));
                return Ok(());
            }
            (ToolKind::Shell, "local_shell") => {
                json!({"type": "local_shell_call_output", "call_id": call_id, "output": words()})
            }
            (ToolKind::Shell, "apply_patch") => {
                let status = if result.is_error { "failed" } else { "completed" };
                json!({"type": "apply_patch_call_output", "call_id": call_id, "status": status, "output": words()})
            }
            (ToolKind::Shell, _) => {
                json!({"type": "shell_call_output", "call_id": call_id, "output": shell_output(&words(), result)})
            }
        };
        self.push(&item);
        Ok(())
    }
}

fn set(item: &mut Value, name: &str, value: Option<&str>) {
    if let (Some(fields), Some(value)) = (item.as_object_mut(), value) {
        fields.insert(name.to_owned(), json!(value));
    }
}

/// An item of the vendor's own tools without its id, which is not kept there.
fn without_id(raw: &JsonText) -> JsonText {
    let bytes = JsonObject::parse(raw.as_str().to_owned().into()).map(|object| object.edited(&[], &["id"]));
    let text = bytes.ok().and_then(|bytes| JsonText::parse(std::str::from_utf8(&bytes).ok()?).ok());
    text.unwrap_or_else(|| raw.clone())
}
