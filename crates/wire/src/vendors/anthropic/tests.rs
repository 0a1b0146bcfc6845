//! Requests told, answers and streams read.

mod answers;
mod chat;
mod cures;
mod native;
mod requests;
mod settings;
mod streams;

use serde_json::{Value, json};

use super::Anthropic;
use crate::BadRequest;
use crate::clients::ReplyContext;
use crate::common::{Block, BlockKind, Conversation, Family, Role, Turn};
use crate::vendors::{Quirks, TargetModel, VendorFormat as _};

/// What a conversation becomes for a model, and what it lost.
fn told(conversation: &Conversation, model: &str) -> Result<(Value, Vec<String>), BadRequest> {
    let quirks = Quirks::default();
    let target = TargetModel { model, quirks: &quirks, max_output_tokens: None };
    let request = Anthropic.request(conversation, &target)?;
    assert_eq!((request.path.as_str(), request.headers.len()), ("/v1/messages", 0));
    Ok((serde_json::from_slice(&request.body).unwrap(), request.dropped_params))
}

/// What an answer takes from its request.
fn context(conversation: &Conversation) -> ReplyContext<'_> {
    ReplyContext { request_id: "r", conversation, now: 7, input_estimate: None, strict: false, sealer: None }
}

/// A conversation of these turns, by a client of OpenAI's formats.
fn turns(turns: Vec<(Role, Vec<BlockKind>)>) -> Conversation {
    let turn = |(role, kinds): (Role, Vec<BlockKind>)| Turn::new(role, kinds.into_iter().map(Block::from).collect());
    Conversation {
        turns: turns.into_iter().map(turn).collect(),
        rest_family: Some(Family::OpenAi),
        ..Conversation::default()
    }
}

/// One question.
fn question() -> Conversation {
    turns(vec![(Role::User, vec![BlockKind::text("hi")])])
}

/// The turn that the question becomes.
fn asked() -> Value {
    json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
}
