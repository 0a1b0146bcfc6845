//! Streamed answers: frames pass as they came; usage, errors and the end are read out of them.

mod head;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use self::head::ChunkHead;
use super::answer::{read_usage, service_tier};
use super::error::error_text;
use super::{may_reason, strip_reasoning};
use crate::wire::sse::{self, SseDecoder, SseEvent};
use crate::wire::surrogates::SurrogateRepair;
use crate::wire::{ServiceTier, StreamDecoder, StreamEvent, Usage, cut_short, stream_error, too_long};

/// A chat stream in OpenAI's format.
#[derive(Debug, Default)]
pub struct ChatStream {
    sse: SseDecoder,
    events: Vec<SseEvent>,
    surrogates: SurrogateRepair,
    usage: Option<(Usage, Bytes)>,
    service_tier: ServiceTier,
    /// The choices that came so far, and whether each has finished.
    choices: BTreeMap<u64, bool>,
    ended: bool,
    strict: bool,
}

impl ChatStream {
    /// A decoder; `strict` removes what OpenAI's own API does not have.
    pub fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    fn take(&mut self, event: SseEvent, out: &mut Vec<StreamEvent>) {
        if self.ended {
            return;
        }
        if event.data.trim_ascii() == b"[DONE]" {
            self.end(StreamEvent::Done, out);
            return;
        }
        let repaired = self.surrogates.repair(&event.data);
        // A list would pass for an object's values in their order.
        let object = Some(&repaired).filter(|text| text.trim_ascii_start().starts_with(b"{"));
        let head: ChunkHead<'_> = match object.and_then(|text| serde_json::from_slice(text).ok()) {
            Some(head) => head,
            None => {
                let error = stream_error("The provider's stream is not in its format.", "malformed_stream");
                self.end(StreamEvent::Error(error), out);
                return;
            }
        };
        if let Some(error) = head.error.filter(|error| error.get() != "null") {
            let error = error_text(error.get().as_bytes());
            self.end(StreamEvent::Error(error), out);
            return;
        }
        if event.name.as_deref() == Some("error") {
            let error = error_text(&repaired);
            self.end(StreamEvent::Error(error), out);
            return;
        }
        // Any chunk may tell it, and not each has to.
        if let Some(raw) = head.service_tier {
            self.service_tier = service_tier(raw);
        }
        let choices = head.choices.unwrap_or_default();
        let has_usage = head.usage.is_some();
        let usage = head.usage.and_then(read_usage);
        for choice in &choices {
            // What some vendors send for a choice after its end opens it no more.
            *self.choices.entry(choice.index.0.unwrap_or(0)).or_default() |= choice.finish_reason.is_some();
        }
        let content = choices.iter().any(|choice| choice.finish_reason.is_some() || choice.delta.content);
        if let Some(usage) = usage {
            let chunk = if choices.is_empty() { Bytes::copy_from_slice(&repaired) } else { usage_chunk(&repaired) };
            self.usage = Some((usage, chunk));
        }
        if has_usage && choices.is_empty() {
            return;
        }
        let strip = self.strict && may_reason(&repaired);
        let frame = match (&repaired, event.frame) {
            _ if has_usage || strip => stripped(&repaired, strip),
            (Cow::Borrowed(_), Some(frame)) => frame,
            _ => sse::frame(&repaired),
        };
        out.push(StreamEvent::Chunk { frame, content });
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: StreamEvent, out: &mut Vec<StreamEvent>) {
        self.ended = true;
        if let Some((mut usage, chunk)) = self.usage.take() {
            usage.service_tier = self.service_tier;
            out.push(StreamEvent::Usage { usage, chunk });
        }
        out.push(last);
    }
}

impl StreamDecoder for ChatStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        let mut events = std::mem::take(&mut self.events);
        let pushed = self.sse.push(bytes, &mut events);
        for event in events.drain(..) {
            self.take(event, out);
        }
        self.events = events;
        if pushed.is_err() && !self.ended {
            self.end(StreamEvent::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        if let Some(event) = self.sse.finish() {
            self.take(event, out);
        }
        if self.ended {
            return;
        }
        // Some compatible vendors close after the finish reasons without `[DONE]`.
        let complete = !self.choices.is_empty() && self.choices.values().all(|finished| *finished);
        self.end(if complete { StreamEvent::Done } else { StreamEvent::Error(cut_short()) }, out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        if !self.ended {
            self.end(StreamEvent::Error(cut_short()), out);
        }
    }
}

/// The chunk without usage, and without reasoning where `strict`.
fn stripped(json: &[u8], strict: bool) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else { return sse::frame(json) };
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("usage");
    }
    if strict {
        strip_reasoning(&mut value, "delta");
    }
    sse::frame(value.to_string().as_bytes())
}

/// A usage-only chunk made of one that carries choices too.
fn usage_chunk(json: &[u8]) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else { return Bytes::copy_from_slice(json) };
    if let Some(choices) = value.get_mut("choices") {
        *choices = Value::Array(Vec::new());
    }
    Bytes::from(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str, step: usize, strict: bool) -> Vec<StreamEvent> {
        let mut stream = ChatStream::new(strict);
        let mut out = Vec::new();
        for chunk in text.as_bytes().chunks(step) {
            stream.push(Bytes::copy_from_slice(chunk), &mut out);
        }
        stream.finish(&mut out);
        out
    }

    const ROLE: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
    const TEXT: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"Xin chào"},"finish_reason":null}]}"#;
    const STOP: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

    fn stream_of(parts: &[&str]) -> String {
        parts.iter().map(|part| format!("data: {part}\n\n")).collect()
    }

    fn chunk(json: &str, content: bool) -> StreamEvent {
        StreamEvent::Chunk { frame: sse::frame(json.as_bytes()), content }
    }

    /// C4, D5: usage is told once and apart from the chunks, whatever the chunking.
    #[test]
    fn c4_d5_a_stream_is_told_in_order() {
        let text = stream_of(&[ROLE, TEXT, STOP, USAGE, "[DONE]"]);
        let usage = Usage { prompt_tokens: 3, completion_tokens: 2, ..Usage::default() };
        let expected = [
            chunk(ROLE, false),
            chunk(TEXT, true),
            chunk(STOP, true),
            StreamEvent::Usage { usage, chunk: Bytes::from(USAGE) },
            StreamEvent::Done,
        ];
        for step in [1, 7, text.len()] {
            assert_eq!(decode(&text, step, false), expected, "{step} bytes at a time");
        }
    }

    /// D2: an error event and an early end are errors, and nothing follows them.
    #[test]
    fn d2_errors_and_cuts_are_told() {
        let text = stream_of(&[TEXT, r#"{"error":{"message":"overloaded"}}"#, TEXT]);
        let events = decode(&text, text.len(), false);
        assert!(matches!(&events[1], StreamEvent::Error(error) if error.message == "overloaded"), "{events:?}");
        assert_eq!(events.len(), 2);
        for odd in ["[]", "7", "{"] {
            let malformed = decode(&stream_of(&[odd, TEXT]), 5, false);
            assert!(matches!(&malformed[..], [StreamEvent::Error(_)]), "{odd}: {malformed:?}");
        }
        let cut = decode(&stream_of(&[TEXT]), 5, false);
        assert!(matches!(&cut[1], StreamEvent::Error(error) if error.code.as_deref() == Some("stream_cut")));
        let no_done = decode(&stream_of(&[TEXT, STOP]), 5, false);
        assert_eq!(no_done.last(), Some(&StreamEvent::Done));
    }

    /// D2: an end without `[DONE]` is complete only if every choice has finished, and a broken connection never is.
    #[test]
    fn d2_every_choice_must_finish() {
        let second = r#"{"id":"c","choices":[{"index":1,"delta":{"content":"x"}}]}"#;
        let second_stop = r#"{"id":"c","choices":[{"index":1.0,"delta":{},"finish_reason":"stop"}]}"#;
        let is_cut = |event: Option<&StreamEvent>| matches!(event, Some(StreamEvent::Error(error)) if error.code.as_deref() == Some("stream_cut"));
        for (parts, complete) in [
            (vec![TEXT, second, STOP], false),
            (vec![TEXT, second, STOP, second_stop], true),
            (vec![TEXT, STOP, TEXT], true),
            (vec![STOP, second], false),
            (vec![USAGE], false),
            (vec![], false),
        ] {
            let text = stream_of(&parts);
            let ended = decode(&text, 16, false);
            assert_eq!(ended.last() == Some(&StreamEvent::Done), complete, "{parts:?}");
            assert_eq!(is_cut(ended.last()), !complete, "{parts:?}");
            let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
            stream.push(Bytes::from(text), &mut out);
            stream.broken(&mut out);
            assert!(is_cut(out.last()), "{parts:?}");
        }
        let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
        stream.push(Bytes::from(stream_of(&[TEXT, STOP, USAGE])), &mut out);
        stream.broken(&mut out);
        assert!(matches!(out[2], StreamEvent::Usage { .. }) && is_cut(out.get(3)), "B7: it is billed: {out:?}");
        let whole = stream_of(&[TEXT, "[DONE]"]);
        let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
        stream.push(Bytes::from(whole), &mut out);
        stream.broken(&mut out);
        assert_eq!(out.last(), Some(&StreamEvent::Done));
    }

    /// C4: usage that cannot be read is none, and breaks no stream.
    #[test]
    fn c4_usage_that_cannot_be_read_is_none() {
        for (usage, expected) in [
            (r#"{"prompt_tokens":12.0,"completion_tokens":null}"#, Some(12)),
            (r#"{"prompt_tokens":"12"}"#, None),
            ("[]", None),
            (r#""none""#, None),
        ] {
            let told = format!(r#"{{"id":"c","choices":[],"usage":{usage}}}"#);
            let beside = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{usage}}}"#);
            for part in [&told, &beside] {
                let events = decode(&stream_of(&[TEXT, part, STOP, "[DONE]"]), 64, false);
                let counted = events.iter().find_map(|event| match event {
                    StreamEvent::Usage { usage, .. } => Some(usage.prompt_tokens),
                    _ => None,
                });
                assert_eq!((counted, events.last()), (expected, Some(&StreamEvent::Done)), "{part}");
                let shown = |event: &StreamEvent| matches!(event, StreamEvent::Chunk { frame, .. } if memchr::memmem::find(frame, b"usage").is_some());
                assert!(!events.iter().any(shown), "{events:?}");
            }
        }
    }

    /// C3: the tier that any chunk tells is the usage's.
    #[test]
    fn c3_a_stream_tells_its_service_tier() {
        let tiered = r#"{"id":"c","service_tier":"priority","choices":[{"delta":{"content":"x"}}]}"#;
        let events = decode(&stream_of(&[tiered, STOP, USAGE, "[DONE]"]), 9, false);
        let usage = events.iter().find_map(|event| match event {
            StreamEvent::Usage { usage, .. } => Some(usage.service_tier),
            _ => None,
        });
        assert_eq!(usage, Some(ServiceTier::Priority));
    }

    #[test]
    fn usage_beside_content_is_told_apart() {
        let both =
            r#"{"id":"c","choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
        let events = decode(&stream_of(&[both, "[DONE]"]), 9, false);
        assert_eq!(events[0], chunk(r#"{"id":"c","choices":[{"delta":{"content":"x"}}]}"#, true));
        assert!(
            matches!(&events[1], StreamEvent::Usage { chunk, .. } if chunk.starts_with(br#"{"id":"c","choices":[],"#))
        );
    }

    /// I5: strict streams lose reasoning and never gain it as content.
    #[test]
    fn i5_reasoning_stays_or_goes_but_is_never_content() {
        let text = stream_of(&[r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, STOP, "[DONE]"]);
        assert_eq!(decode(&text, 64, false)[0], chunk(r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, true));
        assert_eq!(decode(&text, 64, true)[0], chunk(r#"{"choices":[{"delta":{}}]}"#, true));
    }

    #[test]
    fn a_surrogate_pair_split_over_two_events_is_joined() {
        let text = stream_of(&[
            r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#,
            r#"{"choices":[{"delta":{"content":"\ude00b"}}]}"#,
            STOP,
            "[DONE]",
        ]);
        let mut content = String::new();
        for event in decode(&text, 11, false) {
            if let StreamEvent::Chunk { frame, .. } = event {
                let json: Value = serde_json::from_slice(&frame[6..]).unwrap();
                content.push_str(json["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
            }
        }
        assert_eq!(content, "a😀b");
    }
}
