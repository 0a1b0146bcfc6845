use bytes::Bytes;
use serde_json::{Value, json};

use super::super::ChatStream;
use super::turns;
use crate::{StreamDecoder, StreamEvent, Usage};

/// Thinking, text, two parallel calls of which one has no arguments.
const TOOLS: &str = include_str!("../fixtures/stream.sse");

/// A surrogate pair over two events, a citation, a tool that Anthropic runs, redacted thinking, cache writes.
const CITATIONS: &str = include_str!("../fixtures/citations.sse");

/// Comments, all three line ends, data over several lines, no space after the colon, a surrogate pair over two events.
const SHORT: &str = include_str!("../fixtures/short.sse");

fn decode(text: &str, cuts: &[usize], strict: bool) -> Vec<StreamEvent> {
    let mut stream = ChatStream::new("claude-x", 7, strict);
    let mut out = Vec::new();
    let mut from = 0;
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    for &cut in cuts.iter().chain([&text.len()]) {
        stream.push(bytes.slice(from..cut), &mut out);
        from = cut;
    }
    stream.finish(&mut out);
    out
}

fn chunks(events: &[StreamEvent]) -> Vec<Value> {
    let chunk = |event: &StreamEvent| match event {
        StreamEvent::Chunk { frame, .. } => {
            let json = frame.strip_prefix(b"data: ").unwrap().strip_suffix(b"\n\n").unwrap();
            Some(serde_json::from_slice(json).unwrap())
        }
        _ => None,
    };
    events.iter().filter_map(chunk).collect()
}

fn choices(events: &[StreamEvent]) -> Vec<Value> {
    chunks(events).into_iter().map(|mut chunk| chunk["choices"][0].take()).collect()
}

fn delta(delta: Value) -> Value {
    json!({"index": 0, "delta": delta, "finish_reason": null})
}

/// I1, I3: text, parallel calls and thinking with its signature, event by event.
#[test]
fn i1_a_stream_is_told_as_openais() {
    let events = decode(TOOLS, &[], false);
    let call = |index: u8, id: &str, name: &str| {
        delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}))
    };
    let argument =
        |index: u8, part: &str| delta(json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]}));
    let block = json!({"type": "thinking", "thinking": "Hừm…", "signature": "sig==", "index": 0});
    assert_eq!(
        choices(&events),
        [
            delta(json!({"role": "assistant", "content": ""})),
            delta(json!({"reasoning_content": "Hừm…"})),
            delta(json!({"content_blocks": [block]})),
            delta(json!({"content": "Xin "})),
            delta(json!({"content": "chào 😀"})),
            call(0, "t1", "weather"),
            argument(0, "{\"city\":"),
            argument(0, "\"Hà Nội\"}"),
            call(1, "t2", "time"),
            argument(1, "{}"),
            json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
        ]
    );
    for chunk in chunks(&events) {
        let head = (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]);
        assert_eq!(head, (&json!("msg_1"), &json!("chat.completion.chunk"), &json!(7), &json!("claude-x-1")));
    }
    let content = |event: &StreamEvent| matches!(event, StreamEvent::Chunk { content: true, .. });
    assert!(!content(&events[0]) && events[1..11].iter().all(content));
    assert_eq!(events[12..], [StreamEvent::Done]);
}

/// C4: usage is told once, apart from the chunks, in the form of a chunk without choices.
#[test]
fn c4_usage_is_told_once_before_the_end() {
    let events = decode(TOOLS, &[], false);
    let StreamEvent::Usage { usage, chunk } = &events[11] else { panic!("{:?}", events[11]) };
    let expected = Usage { prompt_tokens: 125, completion_tokens: 40, cached_tokens: 100, ..Usage::default() };
    assert_eq!(*usage, expected);
    assert_eq!(
        serde_json::from_slice::<Value>(chunk).unwrap(),
        json!({"id": "msg_1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x-1", "choices": [],
            "usage": {"prompt_tokens": 125, "completion_tokens": 40, "total_tokens": 165,
                "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0}}})
    );
    assert!(chunks(&events).iter().all(|chunk| chunk.get("usage").is_none()));
}

/// C2: the split of cache writes by lifetime is in the first event only, and outlives the last.
#[test]
fn c2_streams_tell_cache_writes_by_lifetime() {
    let events = decode(CITATIONS, &[], false);
    let usage = events.iter().find_map(|event| match event {
        StreamEvent::Usage { usage, chunk } => Some((*usage, serde_json::from_slice::<Value>(chunk).unwrap())),
        _ => None,
    });
    let (usage, chunk) = usage.unwrap();
    let expected = Usage {
        prompt_tokens: 42,
        completion_tokens: 40,
        cached_tokens: 0,
        cache_write_tokens: 10,
        cache_write_1h_tokens: 20,
        reasoning_tokens: 9,
        ..Usage::default()
    };
    assert_eq!((usage, &chunk["service_tier"]), (expected, &json!("default")));
}

#[test]
fn what_anthropic_ran_itself_stays_out_and_citations_come_at_the_end() {
    let found = choices(&decode(CITATIONS, &[], false));
    let cited = json!({"start_index": 0, "end_index": 6, "url": "https://example.com/vn", "title": "Việt Nam"});
    assert_eq!(
        found[1..],
        [
            delta(json!({"content": "Đây: "})),
            delta(json!({"content": "😀"})),
            delta(json!({"content_blocks": [{"type": "redacted_thinking", "data": "abc==", "index": 0}]})),
            json!({"index": 0, "finish_reason": "length",
                "delta": {"annotations": [{"type": "url_citation", "url_citation": cited}]}}),
        ]
    );
}

/// I4: thinking collected from a stream goes back as Anthropic said it.
#[test]
fn i4_streamed_thinking_round_trips() {
    let found = choices(&decode(TOOLS, &[], false));
    let blocks = found.iter().find_map(|choice| choice["delta"].get("content_blocks")).unwrap();
    let back = turns(json!([{"role": "assistant", "content": null, "content_blocks": blocks}]));
    let said = r#"[{"type":"thinking","thinking":"Hừm…","signature":"sig=="}]"#;
    assert_eq!(back[0]["content"].to_string(), said);
}

/// I5: strict streams have no reasoning at all, and it never becomes content.
#[test]
fn i5_strict_streams_drop_reasoning() {
    let reasoning = |choice: &Value| {
        ["reasoning_content", "content_blocks"].iter().any(|name| choice["delta"].get(*name).is_some())
    };
    for text in [TOOLS, CITATIONS] {
        let mut expected = choices(&decode(text, &[], false));
        expected.retain(|choice| !reasoning(choice));
        assert_eq!(choices(&decode(text, &[], true)), expected);
    }
}

/// D5: every way to cut a recorded stream once or twice, and one byte at a time, gives the same events.
#[test]
fn d5_any_chunking_decodes_the_same() {
    let whole = decode(SHORT, &[], false);
    let text: String = choices(&whole).iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
    assert_eq!(text, "Quy trình 😀");
    assert_eq!(whole.last(), Some(&StreamEvent::Done));
    for a in 1..SHORT.len() {
        for b in a..SHORT.len() {
            assert_eq!(decode(SHORT, &[a, b], false), whole, "cut at {a} and {b}");
        }
    }
    for text in [TOOLS, CITATIONS] {
        let whole = decode(text, &[], false);
        for cut in 1..text.len() {
            assert_eq!(decode(text, &[cut], false), whole, "cut at {cut}");
        }
        let every_byte: Vec<usize> = (1..text.len()).collect();
        assert_eq!(decode(text, &every_byte, false), whole);
        let windows = text.replace('\n', "\r\n");
        assert_eq!(decode(&windows, &every_byte, false), whole);
    }
}

/// D2: cut anywhere before its stop reason, a stream ends with an error, after what was counted so far (B7); never with
/// a clean end.
#[test]
fn d2_cut_streams_are_told() {
    let last = TOOLS.find("event: message_delta").unwrap();
    let counted = TOOLS.find("\n\n").unwrap();
    for end in (0..last).filter(|end| TOOLS.is_char_boundary(*end)) {
        let cut = decode(&TOOLS[..end], &[], false);
        assert!(matches!(cut.last(), Some(StreamEvent::Error(_))), "cut at {end}");
        let told = cut.iter().filter(|event| matches!(event, StreamEvent::Usage { .. })).count();
        if end >= counted {
            assert_eq!(told, 1, "cut at {end}");
            assert!(matches!(&cut[cut.len() - 2], StreamEvent::Usage { usage, .. } if usage.prompt_tokens == 125));
        }
    }
}

/// D2: an error event ends the stream, and nothing follows it.
#[test]
fn d2_error_events_are_told() {
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let begun = TOOLS.split_once("event: content_block_stop").unwrap().0;
    let events = decode(&format!("{begun}{error}{TOOLS}"), &[], false);
    assert!(matches!(&events[events.len() - 2], StreamEvent::Usage { .. }));
    assert!(matches!(events.last(), Some(StreamEvent::Error(error))
        if error.message == "busy" && error.code.as_deref() == Some("overloaded_error")));
    // Before anything was counted there is nothing to bill.
    assert!(matches!(decode(error, &[], false)[..], [StreamEvent::Error(_)]));
    let events = decode("data: {oops\n\n", &[], false);
    assert!(matches!(&events[..], [StreamEvent::Error(error)] if error.code.as_deref() == Some("malformed_stream")));
}

/// sse-end: the stop reason makes an answer complete where `message_stop` does not come.
#[test]
fn a_stop_reason_completes_an_answer() {
    let last = TOOLS.find("event: message_stop").unwrap();
    let mut stream = ChatStream::new("claude-x", 7, false);
    let mut out = Vec::new();
    stream.push(Bytes::from(&TOOLS[..last]), &mut out);
    assert!(stream.is_complete());
    let mut broken = out.clone();
    stream.finish(&mut out);
    assert_eq!(out, decode(TOOLS, &[], false));
    let mut stream = ChatStream::new("claude-x", 7, false);
    stream.push(Bytes::from(&TOOLS[..last]), &mut broken);
    stream.broken(&mut broken);
    assert!(matches!(broken.last(), Some(StreamEvent::Error(_))), "D2: a broken connection is never whole");
}

/// M-10, I2: calls end with `tool_calls`, whatever the stop reason says.
#[test]
fn i2_calls_end_with_tool_calls() {
    let odd = TOOLS.replace("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"end_turn\"");
    assert_ne!(odd, TOOLS);
    assert_eq!(decode(&odd, &[], false), decode(TOOLS, &[], false));
}

/// other-framing: a whole message is told as a stream, and an error without framing or type is one.
#[test]
fn what_comes_in_the_other_framing_is_read() {
    let whole = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[{"type":"text","text":"good"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#;
    let events = decode(whole, &[40], false);
    assert_eq!(choices(&events)[0]["delta"]["content"], "good");
    assert!(
        matches!(&events[events.len() - 2..], [StreamEvent::Usage { usage, .. }, StreamEvent::Done] if usage.prompt_tokens == 5)
    );
    let begun = TOOLS.split_once("event: content_block_stop").unwrap().0;
    for error in ["{\"error\":{\"message\":\"xyzzy\"}}", "data: {\"error\":{\"message\":\"xyzzy\"}}\n\n"] {
        for text in [error.to_owned(), format!("{begun}{error}")] {
            let events = decode(&text, &[3], false);
            assert!(matches!(events.last(), Some(StreamEvent::Error(error)) if error.message == "xyzzy"), "{text}");
        }
    }
}
