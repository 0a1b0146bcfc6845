//! Writes down what an answer says while it passes, and decides whether it may be given again.

use bytes::Bytes;
use gateway_wire::Endpoint;
use serde_json::{Map, Value};

use super::entry::CachedBody;

/// How an answer ends that was given whole (F6): by itself, and not by a limit or a filter.
const GOOD_ENDS: [&str; 3] = ["stop", "tool_calls", "function_call"];

/// A stream that is being written down.
#[derive(Debug)]
pub struct Recorder {
    chunks: Vec<String>,
    usage: Option<String>,
    /// The choices that have begun, and whether each ended well.
    ends: Vec<(u64, bool)>,
    bytes_left: usize,
    spoilt: bool,
}

impl Recorder {
    /// A recorder that gives up beyond so many bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { chunks: Vec::new(), usage: None, ends: Vec::new(), bytes_left: max_bytes, spoilt: false }
    }

    /// Takes in one framed chunk.
    pub fn chunk(&mut self, frame: &[u8]) {
        if self.spoilt {
            return;
        }
        match (read(frame), self.bytes_left.checked_sub(frame.len())) {
            (Some((text, ends)), Some(left)) => {
                self.bytes_left = left;
                for (index, end) in ends {
                    match self.ends.iter_mut().find(|(known, _)| *known == index) {
                        Some((_, ended)) => *ended = end.unwrap_or(*ended),
                        None => self.ends.push((index, end.unwrap_or(false))),
                    }
                }
                self.chunks.push(text);
            }
            _ => self.spoil(),
        }
    }

    /// Takes in the chunk that tells the usage, not framed.
    pub fn usage(&mut self, chunk: &Bytes) {
        self.usage = String::from_utf8(chunk.to_vec()).ok();
    }

    /// The answer is not to be given again.
    pub fn spoil(&mut self) {
        (self.spoilt, self.chunks) = (true, Vec::new());
    }

    /// What was said, where the stream ended well.
    pub fn body(self) -> Option<CachedBody> {
        let well = !self.spoilt && !self.ends.is_empty() && self.ends.iter().all(|(_, well)| *well);
        well.then_some(CachedBody::Stream { chunks: self.chunks, usage: self.usage })
    }
}

/// The number of a choice, and whether it ends well, if it ends.
type End = (u64, Option<bool>);

/// The JSON text of a framed chunk, and how its choices end.
fn read(frame: &[u8]) -> Option<(String, Vec<End>)> {
    let text = std::str::from_utf8(frame).ok()?.strip_prefix("data: ")?.strip_suffix("\n\n")?;
    let chunk: Map<String, Value> = serde_json::from_str(text).ok()?;
    let choices = chunk.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some((text.to_owned(), choices.iter().map(end_of).collect()))
}

fn end_of(choice: &Value) -> End {
    let end = choice.get("finish_reason").and_then(Value::as_str);
    let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
    (index, end.map(|end| GOOD_ENDS.contains(&end)))
}

/// What a whole answer said, where it may be given again.
pub fn whole_body(endpoint: Endpoint, body: &Bytes) -> Option<CachedBody> {
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
        let mut recorder = Recorder::new(1_000);
        frames.iter().for_each(|frame| recorder.chunk(frame.as_bytes()));
        recorder.body().is_some()
    }

    /// F6: what is cut, filtered, unfinished, or not understood is not given again.
    #[test]
    fn f6_only_whole_answers_are_kept() {
        let (goes_on, stop) = (frame(0, Value::Null), frame(0, json!("stop")));
        assert!(is_kept(&[goes_on.clone(), stop.clone()]));
        assert!(is_kept(&[frame(0, json!("tool_calls"))]));
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
            whole_body(Endpoint::Chat, &Bytes::from(body.to_string())).is_some()
        };
        assert!(whole("stop") && whole("function_call") && !whole("length") && !whole("content_filter"));
        assert!(whole_body(Endpoint::Chat, &Bytes::from_static(b"{}")).is_none());
        assert!(whole_body(Endpoint::Embeddings { base64: false }, &Bytes::from_static(b"{}")).is_some());
    }
}
