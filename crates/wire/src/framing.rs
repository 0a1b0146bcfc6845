//! Answers in the other framing than the one that was asked for: a whole one told as a stream, and a stream gathered.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::replay::{self, AnswerBuilder};
use super::{ErrorBody, StreamEvent, Usage, WholeAnswer, cut_short, malformed};

/// Tells a whole answer as the events of a stream, its end included.
///
/// # Errors
/// Where it is no chat answer.
pub fn streamed(answer: &WholeAnswer, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
    let not_chat = || malformed("The provider answered a chat request with something that is no chat answer.");
    let whole: Map<String, Value> = serde_json::from_slice(&answer.body).map_err(|_| not_chat())?;
    let chunks = replay::chunks_of(&whole);
    if chunks.is_empty() {
        return Err(not_chat());
    }
    out.extend(chunks.iter().map(|chunk| StreamEvent::Chunk {
        frame: replay::frame(chunk),
        content: true,
        text: None,
    }));
    if let (Some(usage), Some(chunk)) = (answer.usage, replay::usage_chunk(&whole)) {
        out.push(StreamEvent::Usage { usage, chunk: Bytes::from(chunk) });
    }
    out.push(StreamEvent::Done);
    Ok(())
}

/// The whole answer that grows from the events of a stream.
#[derive(Debug, Default)]
pub struct StreamCollector {
    joined: AnswerBuilder,
    usage: Option<(Usage, Value)>,
}

impl StreamCollector {
    /// Takes in one event; gives whether the stream is at its end.
    ///
    /// # Errors
    /// The stream's own, or that it is not in its format.
    pub fn push(&mut self, event: StreamEvent) -> Result<bool, ErrorBody> {
        match event {
            StreamEvent::Chunk { frame, .. } | StreamEvent::Framed { frame, .. } => {
                let json = frame.strip_prefix(b"data: ").unwrap_or(&frame);
                let chunk =
                    serde_json::from_slice(json).map_err(|_| malformed("The provider's stream is not JSON."))?;
                self.joined.push(chunk);
            }
            StreamEvent::Usage { usage, chunk } => {
                let mut chunk: Value = serde_json::from_slice(&chunk).unwrap_or_default();
                self.usage = Some((usage, chunk.get_mut("usage").map(Value::take).unwrap_or_default()));
            }
            StreamEvent::Done => return Ok(true),
            StreamEvent::Error(error) | StreamEvent::Denied(error) => return Err(error),
        }
        Ok(false)
    }

    /// What was counted so far.
    pub fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().map(|(usage, _)| *usage)
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Where the stream had no choice at all.
    pub fn whole(self) -> Result<WholeAnswer, ErrorBody> {
        let mut whole = self.joined.whole();
        if whole.get("choices").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Err(cut_short());
        }
        let usage = self.usage.map(|(usage, told)| {
            whole.insert("usage".to_owned(), told);
            usage
        });
        Ok(WholeAnswer {
            body: Bytes::from(Value::Object(whole).to_string()),
            usage,
            text: None,
            replay: None,
            denied: None,
        })
    }
}
