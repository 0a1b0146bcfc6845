//! Anthropic's Messages API (`POST /v1/messages`), as clients speak it.

mod blocks;
mod error;
mod foreign;
pub(crate) mod form;
pub(crate) mod frames;
mod hosted;
pub(crate) mod names;
mod read;
mod settings;
mod stream;
mod tools;
pub(crate) mod usage;
mod whole;

use bytes::Bytes;

pub use self::error::error_type;
pub use self::foreign::{has_foreign_thinking, without_foreign_thinking};
use self::names::Names;
pub(crate) use self::stream::MessagesStream;
use super::{ClientFormat, ReplyContext, StreamEncoder};
use crate::common::{Answer, Conversation, Family};
use crate::json_object::JsonObject;
use crate::{BadRequest, ErrorBody};

/// The Messages API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages;

impl Messages {
    /// Reads a request whose tokens are to be counted (`/v1/messages/count_tokens`), which needs no `max_tokens`.
    ///
    /// # Errors
    /// Where the request is not in the format; the message names the field.
    pub fn read_for_count(&self, body: &JsonObject) -> Result<Conversation, BadRequest> {
        read::conversation(body, false)
    }
}

impl ClientFormat for Messages {
    fn family(&self) -> Family {
        Family::Anthropic
    }

    fn read(&self, body: &JsonObject) -> Result<Conversation, BadRequest> {
        read::conversation(body, true)
    }

    fn whole(&self, answer: Answer, context: &ReplyContext<'_>) -> Bytes {
        let (id, names) = (message_id(context.request_id), Names::of(context.conversation));
        whole::message(&answer, &id, &context.conversation.model, &names, context.input_estimate)
    }

    fn stream(&self, context: &ReplyContext<'_>) -> Box<dyn StreamEncoder> {
        let (id, names) = (message_id(context.request_id), Names::of(context.conversation));
        let model = &context.conversation.model;
        Box::new(MessagesStream::new(id, model, context.request_id, context.input_estimate, names))
    }

    fn error(&self, status: u16, error: &ErrorBody, request_id: &str) -> Bytes {
        // Texts and trees with string keys always serialise.
        Bytes::from(serde_json::to_vec(&error::body(status, error, request_id)).unwrap_or_default())
    }
}

/// The id of an answer: clients take answers of one id for one message, so that it is made of the request's.
fn message_id(request_id: &str) -> String {
    let kept = request_id.chars().filter(char::is_ascii_alphanumeric);
    "msg_".chars().chain(kept).collect()
}

#[cfg(test)]
mod tests;
