//! A streamed answer on its way from the vendor to the client, in the client's format.

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use crate::common::JsonText;
use crate::{ErrorBody, Usage, openai, sse};

/// One step of a streamed answer in the client's format.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// One `chat.completion.chunk`, framed for SSE (`data: {…}\n\n`), never with usage in it.
    Chunk {
        /// The framed bytes.
        frame: Bytes,
        /// Whether it carries a part of the answer (text, reasoning, refusal, tool call, audio) or its finish reason, so
        /// that no other target can take over after it (D1). A role-only opening is not content.
        content: bool,
        /// The generated text in it, where that is known without parsing it.
        text: Option<ByteString>,
    },
    /// Framed events whose generated text is known already.
    Framed {
        /// The framed bytes.
        frame: Bytes,
        /// As in `Chunk`.
        content: bool,
        /// The text of answer, reasoning and calls in it, for counting its tokens.
        text: String,
    },
    /// What the vendor counted: at most once, after the last chunk.
    Usage {
        /// The counts.
        usage: Usage,
        /// The `chat.completion.chunk` with empty `choices` that tells a chat client who asked: JSON text, not framed.
        /// Empty in formats that tell usage in another event.
        chunk: Bytes,
    },
    /// The answer is complete; the client has not been told (see [`StreamDecoder::end`]).
    Done,
    /// The answer broke off: an error event of the vendor, malformed data, or an end without a terminal event (D2). The
    /// client has not been told (see [`StreamDecoder::fail`]).
    Error(ErrorBody),
    /// A guardrail denied the rest of the answer. The client has not been told (see [`StreamDecoder::fail`]).
    Denied(ErrorBody),
}

/// Where the gateway ends a stream because its reservation is used up.
#[derive(Clone, Copy, Debug)]
pub struct CutOff<'a> {
    /// The last frame, which the client does not get.
    pub frame: &'a [u8],
    /// The choices that were asked for.
    pub choices: u64,
    /// What was counted of the answer.
    pub usage: Option<&'a Usage>,
    /// The gateway's metadata beside the usage, where a chat client wants its usage.
    pub metadata: Option<&'a str>,
}

/// Reads a vendor's streamed answer, whatever its chunking (D5), and tells it in the client's format.
///
/// After `Done`, `Error` or `Denied` nothing more comes out. The defaults are those of chat clients.
pub trait StreamDecoder {
    /// Takes the next bytes from the vendor and appends what they complete.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>);

    /// Takes the end of the vendor's answer: appends what was held back, and an error if no terminal event came.
    fn finish(&mut self, out: &mut Vec<StreamEvent>);

    /// Takes the break of the vendor's connection, before which only a terminal event makes an answer complete (D2).
    fn broken(&mut self, out: &mut Vec<StreamEvent>);

    /// Whether every part of the answer has told its end, so that a vendor who neither sends the terminal event nor
    /// closes is not waited for.
    fn is_complete(&self) -> bool {
        false
    }

    /// The frames that end the client's stream where the gateway cuts it.
    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        let mut last = BytesMut::from(&*openai::cut_off(cut.frame, cut.choices));
        if let (Some(usage), Some(metadata)) = (cut.usage, cut.metadata) {
            let chunk = openai::usage_chunk(cut.frame, usage);
            last.extend_from_slice(&sse::frame(&openai::with_metadata(&chunk, metadata)));
        }
        last.extend_from_slice(&sse::DONE);
        last.freeze()
    }

    /// The frames that tell the client that the answer is complete; asked once, after `Done`.
    fn end(&mut self) -> Bytes {
        sse::DONE
    }

    /// The frame that tells the client of a failure.
    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        openai::error_event(error)
    }

    /// The items by which a conversation goes on from the answer, where it is to be stored and shows others.
    fn replay(&mut self) -> Option<Vec<JsonText>> {
        None
    }
}
