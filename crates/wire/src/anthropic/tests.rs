//! Golden fixtures, both ways.

mod answers;
mod requests;
mod streams;

use serde_json::Value;

/// The turns that a conversation becomes.
fn turns(messages: Value) -> Value {
    requests::request(serde_json::json!({ "messages": messages })).unwrap().0["messages"].clone()
}
