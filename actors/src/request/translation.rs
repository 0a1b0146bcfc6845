//! What a client asked for in its own format, and how an attempt's answer is told in it.

use std::sync::Arc;

use bytes::Bytes;
use gateway_wire::clients::{ClientKind, ReplyContext, Sealer};
use gateway_wire::common::Conversation;
use gateway_wire::exchange::{Formats, NativeStream, Way};
use gateway_wire::json_object::JsonObject;

use super::router::RouteRequest;
use crate::responses::AnswerKeeper;

/// A request in a client's own format, where that is not chat completions.
pub struct ClientRequest {
    /// The format.
    pub kind: ClientKind,
    /// The body as the client sent it.
    pub body: JsonObject,
    /// The same in the common form.
    pub conversation: Arc<Conversation>,
    /// Headers that a vendor of the same family gets too (`anthropic-beta`).
    pub headers: Vec<(&'static str, String)>,
    /// What stores the answer, where it is to be stored (Responses).
    pub keeper: Option<Box<AnswerKeeper>>,
    /// What seals the summary of a conversation, and opens former ones (Responses).
    pub sealer: Option<Arc<dyn Sealer>>,
}

/// How one attempt's answer is told to its client.
pub enum Translation {
    /// As the vendor tells it, which speaks chat completions as the client does.
    Chat,
    /// As the vendor tells it, in another format that both speak.
    Native(Formats, Arc<Conversation>, NativeStream),
    /// Over the common form.
    Common(Formats, Arc<Conversation>),
}

impl Translation {
    /// The way of one attempt.
    pub fn way<'a>(&'a self, request: &'a RouteRequest, now: u64, strict: bool) -> Way<'a> {
        let context = |conversation: &'a Arc<Conversation>| ReplyContext {
            request_id: &request.record.line.request_id,
            conversation,
            now,
            input_estimate: Some(input_estimate(request.body.text())),
            strict,
            sealer: request.client.as_ref().and_then(|client| client.sealer.as_ref()),
        };
        match self {
            Self::Chat => Way::Chat,
            Self::Native(formats, conversation, stream) => Way::Native(*formats, context(conversation), *stream),
            Self::Common(formats, conversation) => Way::Translated(*formats, context(conversation)),
        }
    }
}

/// About the input tokens of a body.
fn input_estimate(body: &Bytes) -> u64 {
    (body.len() as u64).div_ceil(4).max(1)
}
