//! Writes down what an answer says while it passes, and decides whether it may be given again.

use bytes::Bytes;
use gateway_wire::Endpoint;
use gateway_wire::clients::ClientKind;
use gateway_wire::retell::{Told, ends_well};
use serde_json::{Map, Value};

use super::entry::CachedBody;

/// How a chat answer ends that was given whole (F6): by itself, and not by a limit or a filter.
const GOOD_ENDS: [&str; 3] = ["stop", "tool_calls", "function_call"];

/// A stream that is being written down.
#[derive(Debug)]
pub struct Recorder {
    format: ClientKind,
    /// The frames of other formats than chat.
    frames: Vec<u8>,
    chunks: Vec<String>,
    usage: Option<String>,
    /// The choices that have begun, and whether each ended well.
    ends: Vec<(u64, bool)>,
    bytes_left: usize,
    spoilt: bool,
}

impl Recorder {
    /// A recorder of what a client of a format is told, that gives up beyond so many bytes.
    pub fn new(format: ClientKind, max_bytes: usize) -> Self {
        let (frames, chunks, ends) = (Vec::new(), Vec::new(), Vec::new());
        Self { format, frames, chunks, usage: None, ends, bytes_left: max_bytes, spoilt: false }
    }

    /// Takes in some frames.
    pub fn frames(&mut self, frames: &[u8]) {
        if self.spoilt {
            return;
        }
        let Some(left) = self.bytes_left.checked_sub(frames.len()) else { return self.spoil() };
        self.bytes_left = left;
        if self.format != ClientKind::Chat {
            return self.frames.extend_from_slice(frames);
        }
        let Ok(text) = std::str::from_utf8(frames) else { return self.spoil() };
        for frame in text.split_inclusive("\n\n") {
            let Some((text, ends)) = read(frame) else { return self.spoil() };
            for (index, end) in ends {
                match self.ends.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, ended)) => *ended = end.unwrap_or(*ended),
                    None => self.ends.push((index, end.unwrap_or(false))),
                }
            }
            self.chunks.push(text);
        }
    }

    /// Takes in the frames that tell the client that its stream is complete.
    pub fn end(&mut self, frames: &[u8]) {
        if self.format != ClientKind::Chat {
            self.frames(frames);
        }
    }

    /// Takes in the chunk that tells the usage, not framed.
    pub fn usage(&mut self, chunk: &Bytes) {
        // Other formats tell it in an event among the frames.
        self.usage = String::from_utf8(chunk.to_vec()).ok().filter(|chunk| !chunk.is_empty());
    }

    /// The answer is not to be given again.
    pub fn spoil(&mut self) {
        (self.spoilt, self.chunks, self.frames) = (true, Vec::new(), Vec::new());
    }

    /// What was said, where the stream ended well.
    pub fn body(self) -> Option<CachedBody> {
        if self.format != ClientKind::Chat {
            return if self.spoilt { None } else { told(self.format, true, self.frames.into()) };
        }
        let well = !self.spoilt && !self.ends.is_empty() && self.ends.iter().all(|(_, well)| *well);
        well.then_some(CachedBody::Stream { chunks: self.chunks, usage: self.usage })
    }
}

/// The number of a choice, and whether it ends well, if it ends.
type End = (u64, Option<bool>);

/// The JSON text of a framed chunk, and how its choices end.
fn read(frame: &str) -> Option<(String, Vec<End>)> {
    let text = frame.strip_prefix("data: ")?.strip_suffix("\n\n")?;
    let chunk: Map<String, Value> = serde_json::from_str(text).ok()?;
    let choices = chunk.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some((text.to_owned(), choices.iter().map(end_of).collect()))
}

fn end_of(choice: &Value) -> End {
    let end = choice.get("finish_reason").and_then(Value::as_str);
    let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
    (index, end.map(|end| GOOD_ENDS.contains(&end)))
}

/// What a whole answer said to a client of a format, where it may be given again.
pub fn whole_body(endpoint: Endpoint, format: ClientKind, body: &Bytes) -> Option<CachedBody> {
    if format != ClientKind::Chat {
        return told(format, false, body.clone());
    }
    let text = String::from_utf8(body.to_vec()).ok()?;
    if endpoint == Endpoint::Chat {
        let answer: Map<String, Value> = serde_json::from_str(&text).ok()?;
        let choices = answer.get("choices").and_then(Value::as_array)?;
        let well = !choices.is_empty() && choices.iter().all(|choice| end_of(choice).1 == Some(true));
        if !well {
            return None;
        }
    }
    Some(CachedBody::Whole(text))
}

/// What a client of another format than chat was told, where it ended well.
fn told(format: ClientKind, stream: bool, text: Bytes) -> Option<CachedBody> {
    let told = Told { kind: format, is_stream: stream, text };
    if !ends_well(&told.answer()?) {
        return None;
    }
    let text = String::from_utf8(told.text.into()).ok()?;
    Some(CachedBody::Told { format, stream, text })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame(index: u64, finish: Value) -> String {
        format!(
            "data: {}\n\n",
            json!({"choices": [{"index": index, "delta": {"content": "x"}, "finish_reason": finish}]})
        )
    }

    fn is_kept(frames: &[String]) -> bool {
        let mut recorder = Recorder::new(ClientKind::Chat, 1_000);
        frames.iter().for_each(|frame| recorder.frames(frame.as_bytes()));
        recorder.body().is_some()
    }

    /// F6: what is cut, filtered, unfinished, or not understood is not given again.
    #[test]
    fn f6_only_whole_answers_are_kept() {
        let (goes_on, stop) = (frame(0, Value::Null), frame(0, json!("stop")));
        assert!(is_kept(&[goes_on.clone(), stop.clone()]));
        assert!(is_kept(&[frame(0, json!("tool_calls"))]));
        assert!(is_kept(&[goes_on.clone() + &stop]), "several frames in one");
        for bad in [
            vec![],
            vec![goes_on.clone()],
            vec![frame(0, json!("length"))],
            vec![frame(0, json!("content_filter"))],
            vec![frame(1, Value::Null), stop.clone()],
            vec!["data: nonsense\n\n".to_owned(), stop.clone()],
            vec![goes_on; 20].into_iter().chain([stop]).collect(),
        ] {
            assert!(!is_kept(&bad), "{bad:?}");
        }
        let whole = |finish: &str| {
            let body = json!({"choices": [{"index": 0, "message": {}, "finish_reason": finish}]});
            whole_body(Endpoint::Chat, ClientKind::Chat, &Bytes::from(body.to_string())).is_some()
        };
        assert!(whole("stop") && whole("function_call") && !whole("length") && !whole("content_filter"));
        assert!(whole_body(Endpoint::Chat, ClientKind::Chat, &Bytes::from_static(b"{}")).is_none());
        assert!(
            whole_body(Endpoint::Embeddings { base64: false }, ClientKind::Chat, &Bytes::from_static(b"{}")).is_some()
        );
    }
}
