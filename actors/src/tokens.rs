//! Counting tokens where the vendor does not tell: of a stream whose client left, or of an answer without usage.

use std::sync::{LazyLock, mpsc};
use std::thread;

use memchr::memmem::Finder;
use serde_json::Value;

use crate::wire::surrogates::replace_lone;

/// What OpenAI adds to each message, and to the beginning of the answer
/// (<https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken>, 2025-05).
const PER_MESSAGE: u64 = 3;

/// Fields of a streamed chunk that hold text which was generated.
static GENERATED: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    ["\"content\":\"", "\"reasoning_content\":\"", "\"arguments\":\"", "\"refusal\":\""].map(Finder::new)
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
#[derive(Debug, Default)]
pub struct GeneratedText(String);

impl GeneratedText {
    /// Takes in one framed chunk.
    pub fn push(&mut self, frame: &[u8]) {
        for name in GENERATED.iter() {
            for at in name.find_iter(frame) {
                let rest = frame.get(at + name.needle().len()..).unwrap_or_default();
                self.0.push_str(&String::from_utf8_lossy(rest.get(..string_end(rest)).unwrap_or_default()));
            }
        }
    }

    /// Tokens of the text.
    pub fn count(&self) -> u64 {
        let text = serde_json::from_str::<String>(&format!("\"{}\"", self.0));
        count(text.as_deref().unwrap_or(&self.0))
    }
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
        assert_eq!(text.0, r#"Xin \"chào\"\\{\"a\":1}"#);
        assert_eq!(text.count(), count("Xin \"chào\"\\{\"a\":1}"));
    }
}
