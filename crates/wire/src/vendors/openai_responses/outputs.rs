//! Items of tools with forms of their own, and what tools answered.

use serde_json::{Value, json};

use super::parts::{Dropped, input_text, parts};
use crate::BadRequest;
use crate::common::{Block, BlockKind, Family, JsonText, ToolResult, ToolUse};

/// A call of a tool whose fields the model was trained with.
pub(super) fn built_in(kind: &'static str, call_id: &str, field: &'static str, call: &ToolUse) -> JsonText {
    let fields = JsonText::parse(&call.arguments).ok().filter(JsonText::is_object);
    let fields = fields.unwrap_or_else(|| json!({}).into());
    let mut parts = vec![("type", json!(kind).into()), ("call_id", json!(call_id).into())];
    if kind == "tool_search_call" {
        parts.push(("execution", json!("client").into()));
    }
    parts.extend([("status", json!("completed").into()), (field, fields)]);
    object(&parts)
}

fn object(fields: &[(&str, JsonText)]) -> JsonText {
    let text: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{}", value.as_str())).collect();
    JsonText::parse(&format!("{{{}}}", text.join(","))).unwrap_or_else(|_| Value::Null.into())
}

pub(super) fn found_tools(result: &ToolResult, call_id: &str) -> JsonText {
    let list = result.blocks.iter().find_map(|block| match &block.kind {
        BlockKind::Hosted { raw, family: Family::OpenAi } => Some(raw.clone()),
        _ => None,
    });
    object(&[
        ("type", json!("tool_search_output").into()),
        ("call_id", json!(call_id).into()),
        ("execution", json!("client").into()),
        ("status", json!("completed").into()),
        ("tools", list.unwrap_or_else(|| json!([]).into())),
    ])
}

/// The output of a tool: a text where it is one, else parts. Failures have no field, and are told in words.
pub(super) fn output(result: &ToolResult, dropped: &mut Dropped) -> Result<Value, BadRequest> {
    let own = |block: &&Block| !matches!(block.kind, BlockKind::Hosted { .. });
    let blocks: Vec<Block> = result.blocks.iter().filter(own).cloned().collect();
    let failed = if result.is_error { "Error: " } else { "" };
    match blocks.as_slice() {
        [] => Ok(json!(failed)),
        [Block { kind: BlockKind::Text { text, .. }, .. }] => Ok(json!(format!("{failed}{text}"))),
        blocks => {
            let mut parts = parts(blocks, dropped)?;
            if result.is_error {
                parts.insert(0, input_text(failed));
            }
            Ok(Value::Array(parts))
        }
    }
}

/// The output of a shell: its own form where it was kept, else as what a command wrote.
pub(super) fn shell_output(words: &str, result: &ToolResult) -> Value {
    match serde_json::from_str(words) {
        Ok(Value::Array(list)) => Value::Array(list),
        _ => {
            let code = i32::from(result.is_error);
            json!([{"stdout": words, "stderr": "", "outcome": {"type": "exit", "exit_code": code}}])
        }
    }
}
