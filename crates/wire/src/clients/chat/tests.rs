//! Golden cases, both ways.

mod answers;
mod requests;
mod streams;

use bytes::Bytes;
use serde_json::Value;

use super::CHAT;
use crate::BadRequest;
use crate::clients::{ClientFormat, ReplyContext};
use crate::common::{Block, Conversation, Role};
use crate::json_object::JsonObject;

fn read(body: &Value) -> Result<Conversation, BadRequest> {
    CHAT.read(&JsonObject::parse(Bytes::from(body.to_string())).unwrap())
}

/// The blocks of an assistant's message that a client sends back.
fn sent_back(message: &Value) -> Vec<Block> {
    let turns = read(&serde_json::json!({"messages": [{"role": "user", "content": "x"}, message]})).unwrap().turns;
    assert_eq!((turns.len(), turns[1].role), (2, Role::Assistant));
    turns[1].blocks.clone()
}

fn context(conversation: &Conversation, strict: bool) -> ReplyContext<'_> {
    ReplyContext { request_id: "req1", conversation, now: 7, input_estimate: None, strict, sealer: None }
}
