//! Requests read, and answers told.

mod answers;
mod foreign;
mod requests;
mod streams;

use bytes::Bytes;
use serde_json::Value;

use super::Messages;
use crate::BadRequest;
use crate::clients::{ClientFormat as _, ReplyContext};
use crate::common::Conversation;
use crate::json_object::JsonObject;

pub(super) fn body(body: &Value) -> JsonObject {
    JsonObject::parse(Bytes::from(body.to_string())).unwrap()
}

fn read(value: &Value) -> Result<Conversation, BadRequest> {
    Messages.read(&body(value))
}

fn context(conversation: &Conversation) -> ReplyContext<'_> {
    ReplyContext { request_id: "req-1a", conversation, now: 7, input_estimate: Some(11), strict: false, sealer: None }
}
