mod answers;
mod requests;
mod streams;

use super::*;
use crate::common::{Block, BlockKind, JsonText, ToolUse};

fn json(text: &str) -> JsonText {
    JsonText::parse(text).unwrap()
}

fn call(id: &str, name: &str, arguments: &str) -> ToolUse {
    ToolUse { call_id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolUse::default() }
}

fn text(text: &str) -> Block {
    BlockKind::text(text).into()
}
