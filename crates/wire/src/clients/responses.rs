//! OpenAI's Responses as clients speak it: <https://platform.openai.com/docs/api-reference/responses>.

mod call;
mod compaction;
mod content;
mod encoder;
mod failure;
mod fields;
mod frames;
mod ids;
mod input;
mod item;
mod live;
mod mark;
mod message;
mod offered;
mod read;
mod reply;
mod state;
mod thought;
mod tools;

use bytes::{Bytes, BytesMut};

pub use self::compaction::{Seal, compacted, introduced, open_compactions, whole as whole_compaction};
pub use self::live::LiveStream;
pub use self::state::{
    input_items, is_compaction, is_stored, previous_response_id, references, response_of_item, store, with_history,
    with_references, with_store, with_trigger, words_of_users,
};

pub(crate) use self::reply::usage_json;

use self::compaction::CompactionStream;
use self::encoder::Encoder;
use self::frames::Frames;
use self::reply::{Envelope, Response};
use super::{ClientFormat, ReplyContext, StreamEncoder};
use crate::common::{Answer, Conversation, Family, JsonText};
use crate::json_object::JsonObject;
use crate::{BadRequest, ErrorBody};

/// Responses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Responses;

impl ClientFormat for Responses {
    fn family(&self) -> Family {
        Family::OpenAi
    }

    fn read(&self, body: &JsonObject) -> Result<Conversation, BadRequest> {
        read::read(body)
    }

    fn whole(&self, answer: Answer, context: &ReplyContext<'_>) -> Bytes {
        if let Some(seal) = summary_seal(context) {
            return whole_compaction(&answer, context, seal);
        }
        let envelope = Envelope::whole(context, answer.head.created);
        let encoder = encoded(answer, envelope);
        let (status, usage) = (encoder.status(), encoder.usage.as_ref());
        let response = Response { envelope: &encoder.envelope, status, output: &encoder.output, usage };
        Bytes::from(JsonText::of(&response).as_str().to_owned())
    }

    fn replay(&self, answer: &Answer, context: &ReplyContext<'_>) -> Option<Vec<JsonText>> {
        let hides_seals = !wants_token(context.conversation);
        let is_told = is_stored(context.conversation) && !context.conversation.is_compaction;
        (is_told && hides_seals).then(|| output_items(answer, context))
    }

    fn stream(&self, context: &ReplyContext<'_>) -> Box<dyn StreamEncoder> {
        match summary_seal(context) {
            Some(seal) => compaction_stream(context, seal),
            None => Box::new(Encoder::stream(context)),
        }
    }

    fn error(&self, _status: u16, error: &ErrorBody, _request_id: &str) -> Bytes {
        failure::body(error)
    }
}

/// The items of an answer, as they are stored: with the seals of its reasoning, whatever the client asked for.
pub fn output_items(answer: &Answer, context: &ReplyContext<'_>) -> Vec<JsonText> {
    let mut envelope = Envelope::of(context);
    envelope.wants_token = true;
    encoded(answer.clone(), envelope).output
}

/// What seals the summary that an answer is to be.
fn summary_seal(context: &ReplyContext<'_>) -> Option<Seal> {
    let sealer = context.sealer.filter(|_| context.conversation.is_compaction)?.clone();
    Some(Box::new(move |summary: &str| sealer.seal(summary)))
}

/// Whether the client wants the seals of reasoning.
fn wants_token(conversation: &Conversation) -> bool {
    conversation.reasoning.as_ref().is_some_and(|reasoning| reasoning.wants_token)
}

/// The `error` of a failed response.
pub(crate) fn failure_json(error: &ErrorBody) -> serde_json::Value {
    serde_json::json!(failure::Failure::of(error))
}

/// The id that an answer has.
pub fn response_id(request_id: &str) -> String {
    ids::Ids::of(request_id).answer()
}

/// The encoder of a streamed answer to a `compaction_trigger`; `seal` seals the summary.
pub fn compaction_stream(context: &ReplyContext<'_>, seal: Seal) -> Box<dyn StreamEncoder> {
    Box::new(CompactionStream::new(context, seal))
}

/// What an encoder knows at the end of an answer.
fn encoded(answer: Answer, envelope: Envelope) -> Encoder {
    let mut encoder = Encoder::with(envelope, Frames::silent());
    let mut nothing = BytesMut::new();
    for event in answer.into_events() {
        encoder.push(event, &mut nothing);
    }
    encoder
}

#[cfg(test)]
pub(crate) mod codex;
#[cfg(test)]
mod tests;
