//! Golden cases, both ways.

mod requests;
mod round_trips;
mod streams;
mod wholes;

use bytes::Bytes;
use serde_json::Value;

use super::OPENAI_CHAT;
use crate::clients::ClientFormat;
use crate::clients::chat::CHAT;
use crate::common::Conversation;
use crate::json_object::JsonObject;
use crate::vendors::{Quirks, TargetModel, VendorFormat};
use crate::{BadRequest, VendorRequest};

fn read(body: &Value) -> Conversation {
    CHAT.read(&JsonObject::parse(Bytes::from(body.to_string())).unwrap()).unwrap()
}

fn request(conversation: &Conversation, quirks: &Quirks) -> Result<VendorRequest, BadRequest> {
    let target = TargetModel { model: "m", quirks, max_output_tokens: Some(100_000) };
    OPENAI_CHAT.request(conversation, &target)
}

/// The body and the dropped parameters.
fn told(conversation: &Conversation, quirks: &Quirks) -> (Value, Vec<String>) {
    let request = request(conversation, quirks).unwrap();
    assert_eq!((request.path.as_str(), request.headers.len()), ("/chat/completions", 0));
    (serde_json::from_slice(&request.body).unwrap(), request.dropped_params)
}
