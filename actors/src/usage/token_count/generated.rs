//! The text that a model generated, gathered as it passes.

use std::sync::LazyLock;

use gateway_wire::WholeAnswer;
use gateway_wire::json_object::json_string;
use memchr::memmem::Finder;
use serde_json::Value;

use super::estimate;

/// Fields of a chunk that hold text which was generated.
static GENERATED: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| {
    [r#""content""#, r#""reasoning_content""#, r#""reasoning""#, r#""arguments""#, r#""refusal""#].map(Finder::new)
});

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

    /// Takes in a whole answer.
    pub fn push_answer(&mut self, answer: &WholeAnswer) {
        match &answer.text {
            Some(text) => self.push_text(text),
            None => self.push(&answer.body),
        };
    }

    /// Takes in text that was generated, and tells how many bytes it has, escaped.
    pub fn push_text(&mut self, text: &str) -> usize {
        // Most texts are the same escaped.
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.text.push_str(text);
            return text.len();
        }
        let before = self.text.len();
        let escaped = json_string(text);
        self.text.push_str(escaped.get(1..escaped.len().saturating_sub(1)).unwrap_or_default());
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
                self.push_text(text);
            }
        }
    }

    /// Whether nothing was generated.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// What was not handed out before, for counting it.
    pub fn take_uncounted(&mut self) -> Self {
        let text = self.text.get(self.counted..).unwrap_or_default().to_owned();
        self.counted = self.text.len();
        Self { text, counted: 0 }
    }

    /// Its bytes.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text as it was meant.
    pub(super) fn unescaped(&self) -> String {
        serde_json::from_str(&format!("\"{}\"", self.text)).unwrap_or_else(|_| self.text.clone())
    }

    /// Its tokens by bytes alone.
    pub(super) fn estimate(&self) -> u64 {
        estimate(self.text.len())
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

    /// C5: the text of a stream is gathered whatever it holds.
    #[test]
    fn c5_generated_text_is_gathered() {
        let mut text = GeneratedText::default();
        text.push(br#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
        text.push(r#"data: {"choices":[{"delta":{"content":"Xin \"chào\"\\"}}]}"#.as_bytes());
        text.push(br#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"a\":1}"}}]}}]}"#);
        assert_eq!(text.text, r#"Xin \"chào\"\\{\"a\":1}"#);
        assert_eq!(text.unescaped(), "Xin \"chào\"\\{\"a\":1}");
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
    #[test]
    fn a_text_is_handed_out_once() {
        let mut text = GeneratedText::default();
        text.push(br#"data: {"choices":[{"delta":{"content":"Hello"}}]}"#);
        assert_eq!(text.take_uncounted().unescaped(), "Hello");
        text.push(br#"data: {"choices":[{"delta":{"content":" big world"}}]}"#);
        assert_eq!(text.take_uncounted().unescaped(), " big world");
        assert_eq!((text.take_uncounted().len(), text.unescaped().as_str()), (0, "Hello big world"));
    }
}
