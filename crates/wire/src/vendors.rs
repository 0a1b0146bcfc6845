//! The formats that vendors speak: each tells requests out of the common form and reads answers into it.

pub mod anthropic;
pub mod ollama;
pub mod openai_chat;
mod openai_models;
pub mod openai_responses;
#[cfg(test)]
pub(crate) mod rechunk;

use bytes::Bytes;
use memchr::memmem;

use crate::common::{Answer, Conversation, Event};
use crate::{BadRequest, ErrorBody, Usage, VendorRequest};

/// A format that vendors speak.
pub trait VendorFormat: Sync {
    /// A chat request.
    ///
    /// # Errors
    /// Where leaving out what the format cannot express would change the meaning; the message names the field.
    fn request(&self, conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest>;

    /// A whole chat answer.
    ///
    /// # Errors
    /// Where the answer is not in the format, or is an error.
    fn answer(&self, body: &Bytes) -> Result<Answer, ErrorBody>;

    /// A decoder for a streamed chat answer.
    fn stream(&self) -> Box<dyn EventDecoder>;

    /// The error of a non-2xx answer.
    fn error(&self, status: u16, body: &[u8]) -> ErrorBody;

    /// What the vendor counted in an answer that is none, if it tells (B7).
    fn usage_in(&self, body: &[u8]) -> Option<Usage>;
}

/// Reads a vendor's streamed answer, whatever its chunking (D5).
///
/// After `Done` or `Error` nothing more comes out. Blocks come one at a time: what a vendor interleaves is held back.
pub trait EventDecoder {
    /// Takes the next bytes from the vendor and appends what they complete.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Event>);

    /// Takes the end of the vendor's answer: appends what was held back, and an error if no terminal event came.
    fn finish(&mut self, out: &mut Vec<Event>);

    /// Takes the break of the vendor's connection, before which only a terminal event makes an answer complete (D2).
    fn broken(&mut self, out: &mut Vec<Event>);

    /// Whether every part of the answer has told its end.
    fn is_complete(&self) -> bool;
}

/// The model that is asked, and what is known of it and its vendor.
#[derive(Clone, Copy, Debug)]
pub struct TargetModel<'a> {
    /// The vendor's name of the model.
    pub model: &'a str,
    /// What the vendor and the model take and refuse.
    pub quirks: &'a Quirks,
    /// The most output tokens of the model, where that is known.
    pub max_output_tokens: Option<u64>,
}

/// What a vendor or a model takes and refuses, as data (`config/providers.toml`).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    /// The field that limits the answer: `max_completion_tokens` where true, else `max_tokens`. Unset: OpenAI's own.
    pub max_completion_tokens: Option<bool>,
    /// Whether `stream_options` is refused.
    pub no_stream_options: bool,
    /// Whether the role `developer` is refused, so that `system` stands for it.
    pub no_developer_role: bool,
    /// Whether a system message is taken in the first place alone, so that later ones become user messages.
    pub system_first_only: bool,
    /// Whether the reasoning of a turn that calls tools must be sent back in `reasoning_content`.
    pub echo_reasoning: bool,
    /// Whether ids of tool calls are exactly nine letters and digits (Mistral).
    pub short_tool_ids: bool,
    /// Whether fields that OpenAI's own API does not have are refused.
    pub own_fields_refused: bool,
    /// Whether empty `tools` are refused.
    pub no_empty_tools: bool,
    /// Whether tools other than functions are not known (Responses of vendors other than OpenAI).
    pub functions_only: bool,
}

/// One step of a streamed answer that goes to a client of the vendor's own format.
#[derive(Clone, Debug, PartialEq)]
pub enum NativeEvent {
    /// One event, framed for the client.
    Frame {
        /// The bytes, as they came but for the model's name.
        bytes: Bytes,
        /// Whether it carries a part of the answer, so that no other target can take over after it (D1).
        content: bool,
        /// The text that the model generated in it, of answer, reasoning and calls, for counting tokens.
        text: Option<String>,
    },
    /// What the vendor counted: at most once.
    Usage(Usage),
    /// The answer is complete.
    Done,
    /// The answer broke off; the client has not been told (see [`NativeDecoder::fail`]).
    Error(ErrorBody),
}

/// Passes a vendor's streamed answer to a client of the same format and reads in it what the gateway must know.
///
/// After `Done` or `Error` nothing more comes out, whatever the chunking of the vendor.
pub trait NativeDecoder {
    /// Takes the next bytes from the vendor and appends what they complete.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<NativeEvent>);

    /// Takes the end of the vendor's answer: appends what was held back, and an error if no terminal event came.
    fn finish(&mut self, out: &mut Vec<NativeEvent>);

    /// Takes the break of the vendor's connection, before which only a terminal event makes an answer complete (D2).
    fn broken(&mut self, out: &mut Vec<NativeEvent>);

    /// Whether every part of the answer has told its end.
    fn is_complete(&self) -> bool;

    /// Ends the client's stream early, as an answer that reached its limit: the frames that close it.
    fn cut(&mut self, usage: Option<&Usage>) -> Bytes;

    /// The frame that tells the client of a failure.
    fn fail(&mut self, error: &ErrorBody) -> Bytes;
}

impl Quirks {
    /// Whether they may concern a chat body, so that it cannot pass as it stands.
    pub fn concern(&self, body: &[u8]) -> bool {
        if *self == Self::default() {
            return false;
        }
        let has = |word: &str| memmem::find(body, word.as_bytes()).is_some();
        let systems =
            || memmem::find_iter(body, b"\"system\"").count() + memmem::find_iter(body, b"\"developer\"").count();
        (self.no_developer_role && has("\"developer\""))
            || (self.own_fields_refused && OWN_FIELDS.iter().any(|field| has(field)))
            || (self.short_tool_ids && has("tool_call_id"))
            || (self.no_empty_tools && has("\"tools\""))
            || (self.max_completion_tokens == Some(false) && has("max_completion_tokens"))
            || (self.system_first_only && systems() > 1)
    }
}

/// Fields of chat messages that OpenAI's own API does not have.
pub(crate) const OWN_FIELDS: [&str; 5] =
    ["reasoning_content", "reasoning_details", "content_blocks", "thinking_blocks", "cache_control"];
