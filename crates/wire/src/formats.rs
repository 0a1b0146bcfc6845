//! Every client format and every vendor format by name, and what passes between two of the same.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::clients::chat::CHAT;
use crate::clients::completions::Completions;
use crate::clients::messages::{Messages, without_foreign_thinking};
use crate::clients::responses::{Responses, introduced, response_id};
use crate::clients::{ClientFormat, ClientKind, ReplyContext, Sealer};
use crate::common::{Answer, Conversation, Event};
use crate::exchange::{Formats, NativeStream};
use crate::json_object::{JsonObject, json_string};
use crate::vendors::VendorFormat;
use crate::vendors::anthropic::{self, Anthropic, NativeStream as NativeMessages};
use crate::vendors::ollama::Ollama;
use crate::vendors::openai_chat::OPENAI_CHAT;
use crate::vendors::openai_responses::{self, NativeResponses, OpenAiResponses};
use crate::{BadRequest, Dialect, ErrorBody, VendorRequest, sse};

pub use crate::chat_body::chat_body;

/// The format of a kind of client.
pub fn client(kind: ClientKind) -> &'static dyn ClientFormat {
    match kind {
        ClientKind::Chat => &CHAT,
        ClientKind::Messages => &Messages,
        ClientKind::Responses => &Responses,
        ClientKind::Completions => &Completions,
    }
}

/// The format of a vendor's dialect.
pub fn vendor(dialect: Dialect) -> &'static dyn VendorFormat {
    match dialect {
        Dialect::OpenAi | Dialect::Simulator => &OPENAI_CHAT,
        Dialect::Responses => &OpenAiResponses,
        Dialect::Anthropic => &Anthropic,
        Dialect::Ollama => &Ollama,
    }
}

/// The formats of a client and a vendor.
pub fn between(kind: ClientKind, dialect: Dialect) -> Formats {
    Formats { client: client(kind), vendor: vendor(dialect), has_usage_chunk: kind == ClientKind::Chat }
}

/// The decoder of streams that pass as they stand, where client and vendor share a format other than chat.
pub fn native(kind: ClientKind, dialect: Dialect) -> Option<NativeStream> {
    match (kind, dialect) {
        (ClientKind::Messages, Dialect::Anthropic) => {
            Some(|context| Box::new(NativeMessages::new(Some(&context.conversation.model), context.request_id)))
        }
        (ClientKind::Responses, Dialect::Responses) => Some(|context| {
            let id = response_id(context.request_id);
            let decoder = NativeResponses::new(&id, &context.conversation.model, context.now);
            Box::new(decoder.with_fields(own_fields(context)))
        }),
        _ => None,
    }
}

/// The fields of a response object that are the gateway's whoever answers, as JSON text: it is stored here.
fn own_fields(context: &ReplyContext<'_>) -> Vec<(&'static str, String)> {
    let echoed = |name: &'static str, default: &str| {
        let told = context.conversation.echo.iter().find(|(known, _)| known == name);
        (name, told.map_or_else(|| default.to_owned(), |(_, text)| text.as_str().to_owned()))
    };
    let id = json_string(&response_id(context.request_id));
    vec![("id", id), echoed("previous_response_id", "null"), echoed("store", "false")]
}

/// A client's own bytes for a vendor of the same format, with the vendor's name of the model and, where a budget holds
/// the answer to one, its limit. Reasoning that another vendor sealed is left out (J5). `sealer` opens the summaries of
/// conversations that were compacted here.
///
/// # Errors
/// Where the request cannot be read.
pub fn native_request(
    kind: ClientKind,
    body: &JsonObject,
    model: &str,
    limit: Option<u64>,
    sealer: Option<&Arc<dyn Sealer>>,
) -> Result<VendorRequest, BadRequest> {
    let limit = limit.map(|limit| limit.to_string());
    if kind == ClientKind::Responses {
        let limited = limit
            .as_deref()
            .map(|limit| body.with(&[("max_output_tokens", limit)], &["max_tokens", "max_completion_tokens"]));
        // The gateway keeps what is to be stored; the vendor knows no answer of another credential.
        return openai_responses::native_request(limited.as_ref().unwrap_or(body), model, false, |sealed| {
            sealer?.open(sealed).map(|summary| introduced(&summary))
        });
    }
    let model = json_string(model);
    let mut set = vec![("model", model.as_str())];
    set.extend(limit.as_deref().map(|limit| ("max_tokens", limit)));
    let own = without_foreign_thinking(body);
    let body = own.as_ref().unwrap_or(body).edited(&set, &[]);
    Ok(VendorRequest { path: "/v1/messages".to_owned(), headers: Vec::new(), body, dropped_params: Vec::new() })
}

/// A vendor's whole answer for a client of the same format, with the client's name of the model, and what it says.
///
/// # Errors
/// Where it is not in the format, or is an error.
pub fn native_whole(dialect: Dialect, body: Bytes, context: &ReplyContext<'_>) -> Result<(Bytes, Answer), ErrorBody> {
    if dialect == Dialect::Anthropic {
        return anthropic::native_whole(&body, Some(&context.conversation.model));
    }
    let answer = vendor(dialect).answer(&body)?;
    let fields = own_fields(context);
    let set: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let body = JsonObject::parse(body.clone()).map_or(body, |object| object.edited(&set, &[]));
    Ok((body, answer))
}

/// The frames that tell a client of a failure; a Responses client has a [`LiveStream`](crate::clients::responses::LiveStream).
pub fn failure_frame(kind: ClientKind, error: &ErrorBody, request_id: &str) -> Bytes {
    let conversation = Conversation::default();
    let context = ReplyContext {
        request_id,
        conversation: &conversation,
        now: 0,
        input_estimate: None,
        strict: false,
        sealer: None,
    };
    let mut frames = BytesMut::new();
    client(kind).stream(&context).push(Event::Error(error.clone()), &mut frames);
    frames.freeze()
}

/// What keeps a silent stream alive, at any place of it.
pub fn ping(kind: ClientKind) -> Bytes {
    match kind {
        ClientKind::Messages => Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"),
        ClientKind::Chat | ClientKind::Responses | ClientKind::Completions => sse::PING,
    }
}
