//! The formats that clients speak: each reads requests into the common form and tells answers out of it.

pub mod chat;
pub mod completions;
pub mod messages;
pub mod responses;

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::common::{Answer, Conversation, Event, Family, JsonText};
use crate::json_object::JsonObject;
use crate::{BadRequest, ErrorBody};

/// The formats by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// OpenAI's chat completions.
    #[default]
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
    /// OpenAI's legacy completions.
    Completions,
}

/// A format that clients speak.
pub trait ClientFormat: Sync {
    /// The family whose reasoning tokens and unknown fields pass unchanged.
    fn family(&self) -> Family;

    /// Reads a request.
    ///
    /// # Errors
    /// Where the request is not in the format, or asks for what no target could give; the message names the field.
    fn read(&self, body: &JsonObject) -> Result<Conversation, BadRequest>;

    /// Tells a whole answer: JSON text.
    fn whole(&self, answer: Answer, context: &ReplyContext<'_>) -> Bytes;

    /// Tells a streamed answer.
    fn stream(&self, context: &ReplyContext<'_>) -> Box<dyn StreamEncoder>;

    /// The items by which a conversation goes on from an answer, where it is to be stored and shows others.
    fn replay(&self, _answer: &Answer, _context: &ReplyContext<'_>) -> Option<Vec<JsonText>> {
        None
    }

    /// Tells a failure before the answer began: JSON text.
    fn error(&self, status: u16, error: &ErrorBody, request_id: &str) -> Bytes;
}

/// Tells the events of one streamed answer as the client's frames.
pub trait StreamEncoder {
    /// Appends the frames that an event makes. `Finish` closes a block that is still open; after `Done` or `Error`
    /// nothing more comes.
    fn push(&mut self, event: Event, out: &mut BytesMut);

    /// Appends what opens the stream before the vendor has answered, for formats that need an opening of their own.
    /// `Start` does not repeat it.
    fn begin(&mut self, _out: &mut BytesMut) {}

    /// The items by which a conversation goes on from the answer, where it is to be stored and shows others.
    fn replay(&mut self) -> Option<Vec<JsonText>> {
        None
    }
}

/// What an answer takes from its request and from the gateway.
#[derive(Clone, Copy, Debug)]
pub struct ReplyContext<'a> {
    /// The gateway's id of the request, unique; ids of answers and items are made of it.
    pub request_id: &'a str,
    /// The request, whose fields some formats echo, and whose tools give calls their kind and namespace.
    pub conversation: &'a Conversation,
    /// Seconds since 1970.
    pub now: u64,
    /// The estimated input tokens, for formats that tell them before the vendor has.
    pub input_estimate: Option<u64>,
    /// Whether fields beyond OpenAI's own are left out (`strict_open_ai_compliance`).
    pub strict: bool,
    /// What seals summaries, where the client may want the conversation compacted (Responses).
    pub sealer: Option<&'a Arc<dyn Sealer>>,
}

/// Seals the summaries of compacted conversations for one tenant, and opens them again.
pub trait Sealer: fmt::Debug + Send + Sync {
    /// A summary as only this tenant can give it back; none where it cannot be sealed.
    fn seal(&self, summary: &str) -> Option<String>;

    /// The summary of a seal; none of another tenant's, or of what is none.
    fn open(&self, sealed: &str) -> Option<String>;
}
