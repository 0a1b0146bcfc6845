//! Chunks that differ from one before in their text alone, as most of a stream do: they are known by comparing bytes,
//! which costs a tenth of parsing them.

use bytes::Bytes;
use bytestring::ByteString;
use memchr::memchr2;

use super::head::{ChoiceHead, ChunkHead};
use crate::ServiceTier;
use crate::openai::service_tier;

/// What stands around the text of a chunk, and around the padding that OpenAI puts behind it (`obfuscation`).
#[derive(Debug)]
pub(super) struct TextTemplate {
    before: Bytes,
    between: Option<Bytes>,
    after: Bytes,
    /// The tier that such a chunk tells.
    pub service_tier: Option<ServiceTier>,
}

impl TextTemplate {
    /// The template of a chunk that was read: one choice with text and nothing else to act on.
    pub(super) fn of(json: &Bytes, head: &ChunkHead<'_>, choices: &[ChoiceHead<'_>]) -> Option<Self> {
        let [choice] = choices else { return None };
        let is_more = choice.usage.is_some() || choice.finish_reason.is_some() || choice.message.is_some();
        if is_more || head.usage.is_some() || head.x_groq.is_some() {
            return None;
        }
        let text = choice.delta.as_ref()?.text?.get();
        let (start, end) = place(json, text)?;
        let (between, after) = match head.obfuscation {
            Some(padding) => {
                let (from, to) = place(json, padding.get())?;
                (Some(json.get(end..from)?), to)
            }
            None => (None, end),
        };
        Some(Self {
            before: Bytes::copy_from_slice(json.get(..start)?),
            between: between.map(Bytes::copy_from_slice),
            after: Bytes::copy_from_slice(json.get(after..)?),
            service_tier: head.service_tier.map(service_tier),
        })
    }

    /// The text of a chunk that is like this one.
    pub(super) fn text_of(&self, json: &Bytes) -> Option<ByteString> {
        let (text, mut rest) = plain_string(json.strip_prefix(&*self.before)?)?;
        if let Some(between) = &self.between {
            (_, rest) = plain_string(rest.strip_prefix(&**between)?)?;
        }
        if rest != self.after || text.is_empty() {
            return None;
        }
        ByteString::try_from(json.slice_ref(text.as_bytes())).ok()
    }
}

/// Where a plain string begins and ends that was read out of `json`, without its quotes.
fn place(json: &Bytes, raw: &str) -> Option<(usize, usize)> {
    let (text, rest) = plain_string(raw.as_bytes().strip_prefix(b"\"")?)?;
    let start = (text.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    (rest == b"\"").then_some((start, start + text.len()))
}

/// A string without any escape, and what follows it from its closing quote on.
fn plain_string(text: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = text.split_at_checked(memchr2(b'"', b'\\', text)?)?;
    let text = std::str::from_utf8(text).ok()?;
    (rest.starts_with(b"\"") && text.bytes().all(|byte| byte >= b' ')).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::super::{ChatStream, SseEvent, read};
    use super::*;
    use crate::sse::SseDecoder;
    use crate::{StreamDecoder, StreamEvent};

    fn template(json: &'static str) -> Option<TextTemplate> {
        let json = Bytes::from_static(json.as_bytes());
        let head = read(None, &json).unwrap();
        TextTemplate::of(&json, &head, head.choices.as_deref().unwrap_or_default())
    }

    const CHUNK: &str =
        r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#;
    const PADDED: &str = r#"{"choices":[{"delta":{"content":"a"}}],"service_tier":"flex","obfuscation":"Xy"}"#;

    /// D5: what differs in more than its text is not known, nor is a text that has to be read.
    #[test]
    fn d5_only_the_text_may_differ() {
        for (known, piece, by, text) in [
            (CHUNK, "", "", Some("a")),
            (CHUNK, "\"a\"", "\"Xin chào, {[:\"", Some("Xin chào, {[:")),
            (PADDED, "\"a\"", "\"bc\"", Some("bc")),
            (PADDED, "Xy", "", Some("a")),
            (PADDED, "Xy\"", "Xy\",\"usage\":{}", None),
            (PADDED, "flex", "auto", None),
            (CHUNK, "\"a\"", "\"\"", None),
            (CHUNK, "\"a\"", "null", None),
            (CHUNK, "\"a\"", r#""\n""#, None),
            (CHUNK, "\"a\"", r#""\ud83d""#, None),
            (CHUNK, "\"a\"", "\"\u{1}\"", None),
            (CHUNK, "\"a\"", r#""a","refusal":"b""#, None),
            (CHUNK, "null}", "\"stop\"}", None),
            (CHUNK, "\"usage\":null", "\"usage\":{}", None),
            (CHUNK, "0", "1", None),
            (CHUNK, "}]", "}],\"error\":{}", None),
        ] {
            let found = template(known).unwrap().text_of(&Bytes::from(known.replacen(piece, by, 1)));
            assert_eq!(found.as_deref(), text, "{piece} -> {by}");
        }
        let broken = [&CHUNK.as_bytes()[..50], b"\xff", &CHUNK.as_bytes()[51..]].concat();
        assert_eq!(template(CHUNK).unwrap().text_of(&Bytes::from(broken)), None);
    }

    /// Chunks with more than text to act on are no templates.
    #[test]
    fn a_chunk_with_more_than_text_is_no_template() {
        for (piece, by) in [
            ("\"a\"", r#""a","tool_calls":[{"index":0}]"#),
            ("\"a\"", r#""a","content":"b""#),
            ("\"a\"", r#""a","reasoning":"b""#),
            ("\"a\"", r#""a\n""#),
            ("\"a\"", r#"["a"]"#),
            ("content", "refusal"),
            ("null}", "\"stop\"}"),
            ("\"usage\":null", r#""usage":{"total_tokens":1}"#),
            ("\"usage\":null", r#""x_groq":{"usage":{"total_tokens":1}}"#),
            ("null}", r#"null,"usage":{"total_tokens":1}}"#),
            ("null}]", r#"null},{"index":1,"delta":{"content":"b"}}]"#),
        ] {
            let json = CHUNK.replacen(piece, by, 1).leak();
            assert!(template(json).is_none(), "{json}");
        }
    }

    /// D5, C5: chunks that were not parsed are told as they came, with their text, and leave the stream as any other does.
    #[test]
    fn d5_c5_what_is_not_parsed_passes_as_it_came() {
        let chunk = |text: &str| format!("data: {}\n\n", PADDED.replace("\"a\"", &format!("\"{text}\"")));
        let sent: String = ["a", "b", "\\ud83d", "\\ude00", "c"].map(chunk).concat();
        let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
        stream.push(Bytes::from(sent.clone()), &mut out);
        let texts: Vec<Option<&str>> = out
            .iter()
            .map(|event| match event {
                StreamEvent::Chunk { text, content: true, .. } => text.as_deref(),
                _ => None,
            })
            .collect();
        assert_eq!(texts, [None, Some("b"), None, None, Some("c")]);
        let (mut sse, mut events) = (SseDecoder::default(), Vec::<SseEvent>::new());
        sse.push(Bytes::from(sent), &mut events).unwrap();
        let frame = |event: &StreamEvent| match event {
            StreamEvent::Chunk { frame, .. } => Some(frame.clone()),
            _ => None,
        };
        for at in [0, 1, 4] {
            assert_eq!(frame(&out[at]), events[at].frame, "{at}");
        }
        stream.push(
            Bytes::from_static(b"data: {\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\ndata: [DONE]\n\n"),
            &mut out,
        );
        let usage = out.iter().find_map(|event| match event {
            StreamEvent::Usage { usage, .. } => Some(usage.service_tier),
            _ => None,
        });
        assert_eq!(usage, Some(ServiceTier::Flex));
    }
}
