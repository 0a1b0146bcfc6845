//! Counting tokens where the vendor does not tell: of a stream whose client left, or of an answer without usage.

use std::sync::{LazyLock, mpsc};
use std::thread;

use memchr::memmem::Finder;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::wire::surrogates::replace_lone;

/// What OpenAI adds to each message, and to the beginning of the answer
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2025-05).
const PER_MESSAGE: u64 = 3;

/// Fields of a chunk that hold text which was generated.
static GENERATED: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| {
    [r#""content""#, r#""reasoning_content""#, r#""reasoning""#, r#""arguments""#, r#""refusal""#].map(Finder::new)
});

/// Some counting to be done.
type Job = Box<dyn FnOnce() + Send>;

/// One thread counts: a thousand clients that leave at once must not mean a thousand threads.
static COUNTER: LazyLock<Option<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (jobs, waiting) = mpsc::channel::<Job>();
    let counter = thread::Builder::new().name("tokens".to_owned()).spawn(move || waiting.iter().for_each(|job| job()));
    counter.is_ok().then_some(jobs)
});

/// Counts off this thread, one job after the other; here, where there is no other thread.
pub fn later(job: Job) {
    let refused = match &*COUNTER {
        Some(counter) => counter.send(job).err().map(|refused| refused.0),
        None => Some(job),
    };
    if let Some(job) = refused {
        job();
    }
}

/// Counts off this thread and waits for the result; none where it was lost.
pub async fn counted<T: Send + 'static>(count: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = oneshot::channel();
    later(Box::new(move || {
        if tell.send(count()).is_err() {
            log::debug!("nobody waits for a count any more");
        }
    }));
    told.await.ok()
}

/// Tokens of a text by OpenAI's newest encoding. Other vendors' differ by some percent. The first call loads the
/// encoding, which takes about a tenth of a second: keep it off the worker threads.
pub fn count(text: &str) -> u64 {
    tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len() as u64
}

/// Input tokens of a chat or embeddings request, by its texts; media count nothing.
pub fn count_input(body: &[u8]) -> u64 {
    let Ok(body) = serde_json::from_slice::<Value>(&replace_lone(body)) else { return 0 };
    let messages = body.get("messages").and_then(Value::as_array);
    let overhead = messages.map_or(0, |messages| PER_MESSAGE * (messages.len() as u64 + 1));
    let texts = ["messages", "input", "tools"].iter().filter_map(|name| body.get(*name));
    let mut text = String::new();
    texts.for_each(|value| gather(value, &mut text));
    overhead + count(&text)
}

/// All texts of a value but those that stand for media.
fn gather(value: &Value, out: &mut String) {
    match value {
        Value::String(text) if !text.starts_with("data:") => {
            out.push_str(text);
            out.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, out)),
        Value::Object(fields) => {
            let telling = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "image_url" | "input_audio" | "file" | "type"));
            telling.for_each(|(_, item)| gather(item, out));
        }
        _ => {}
    }
}

/// The generated text of a stream so far, still escaped as JSON; a few bytes a token.
#[derive(Clone, Debug, Default)]
pub struct GeneratedText {
    text: String,
    /// How much of it was handed out to be counted.
    counted: usize,
}

impl GeneratedText {
    /// Takes in one framed chunk, or a whole answer, and tells how many bytes of text it has.
    pub fn push(&mut self, frame: &[u8]) -> usize {
        let before = self.text.len();
        let names = GENERATED.iter().flat_map(|name| name.find_iter(frame).map(|at| at + name.needle().len()));
        let mut texts = names.map(|after| string_at(frame, after)).filter(|text| !text.is_empty());
        match (texts.next(), texts.next()) {
            (Some(text), None) => self.text.push_str(&String::from_utf8_lossy(text)),
            // One of them may be cited, or told twice.
            (Some(_), Some(_)) => self.push_deltas(frame),
            (None, _) => {}
        }
        self.text.len() - before
    }

    fn push_deltas(&mut self, frame: &[u8]) {
        let json = frame.strip_prefix(b"data: ").unwrap_or(frame);
        let Ok(chunk) = serde_json::from_slice::<Value>(json) else { return };
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let part = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
            let reasoning = part["reasoning_content"].as_str().or_else(|| part["reasoning"].as_str());
            let calls = part["tool_calls"].as_array().into_iter().flatten();
            let arguments = calls.map(|call| call["function"]["arguments"].as_str());
            let texts = [part["content"].as_str(), part["refusal"].as_str(), reasoning];
            for text in texts.into_iter().chain(arguments).flatten() {
                let escaped = Value::from(text).to_string();
                let inner = escaped.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                self.text.push_str(inner.unwrap_or_default());
            }
        }
    }

    /// What was not handed out before, for counting it.
    pub fn take_uncounted(&mut self) -> Self {
        let text = self.text.get(self.counted..).unwrap_or_default().to_owned();
        self.counted = self.text.len();
        Self { text, counted: 0 }
    }

    /// Tokens of the text.
    pub fn count(&self) -> u64 {
        let text = serde_json::from_str::<String>(&format!("\"{}\"", self.text));
        count(text.as_deref().unwrap_or(&self.text))
    }
}

/// The JSON string after a field's name, escaped as it stands; nothing where there is none.
fn string_at(frame: &[u8], after_name: usize) -> &[u8] {
    let rest = frame.get(after_name..).unwrap_or_default().trim_ascii_start();
    let Some(value) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { return b"" };
    let Some(text) = value.strip_prefix(b"\"") else { return b"" };
    text.get(..string_end(text)).unwrap_or_default()
}

/// Where a JSON string ends whose opening quote is left out.
fn string_end(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_request_are_counted_and_media_are_not() {
        let body = r#"{"messages":[{"role":"user","content":"Hello world"}]}"#;
        // "user", "Hello world" and their ends; three for the message, three for the beginning of the answer.
        assert!((9..=12).contains(&count_input(body.as_bytes())), "{}", count_input(body.as_bytes()));
        let image =
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:AAAA"}}]}]}"#;
        assert!(count_input(image.as_bytes()) < 10);
    }

    /// C5: the text of a stream is gathered whatever it holds.
    #[test]
    fn c5_generated_text_is_gathered() {
        let mut text = GeneratedText::default();
        text.push(br#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
        text.push(r#"data: {"choices":[{"delta":{"content":"Xin \"chào\"\\"}}]}"#.as_bytes());
        text.push(br#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"a\":1}"}}]}}]}"#);
        assert_eq!(text.text, r#"Xin \"chào\"\\{\"a\":1}"#);
        assert_eq!(text.count(), count("Xin \"chào\"\\{\"a\":1}"));
    }

    /// C5: text is found however the vendor sets its JSON, and what is no part of the answer is not counted.
    #[test]
    fn c5_only_what_was_generated_is_gathered() {
        for (frame, generated) in [
            (r#"data: {"choices": [{"delta": {"content": "a"}}]}"#, "a"),
            (r#"data: {"choices":[{"delta":{"content":null,"reasoning":"b"}}]}"#, "b"),
            (r#"data: {"choices":[{"delta":{"reasoning":"c","reasoning_content":"c"}}]}"#, "c"),
            (r#"data: {"choices":[{"delta":{"content":"d"},"logprobs":{"content":[{"token":"d"}]}}]}"#, "d"),
            (r#"data: {"choices":[{"delta":{"content":"\"e","annotations":[{"content":"cited"}]}}]}"#, r#"\"e"#),
            (r#"{"choices":[{"message":{"content":"f","refusal":null}},{"message":{"content":"g"}}]}"#, "fg"),
            (r#"data: {"choices":[{"delta":{"role":"assistant"}}]}"#, ""),
        ] {
            let mut text = GeneratedText::default();
            assert_eq!((text.push(frame.as_bytes()), text.text.as_str()), (generated.len(), generated), "{frame}");
        }
    }

    /// What was counted once is not counted again.
    #[actix_rt::test]
    async fn a_text_is_counted_as_it_grows() {
        let mut text = GeneratedText::default();
        text.push(br#"data: {"choices":[{"delta":{"content":"Hello"}}]}"#);
        let first = text.take_uncounted();
        text.push(br#"data: {"choices":[{"delta":{"content":" big world"}}]}"#);
        let second = text.take_uncounted();
        assert_eq!(counted(move || (first.count(), second.count())).await, Some((1, 2)));
        assert_eq!((text.take_uncounted().count(), text.count()), (0, 3));
    }
}
