use bytes::BytesMut;
use serde_json::{Value, json};

use super::{context, sent_back};
use crate::clients::ClientFormat;
use crate::clients::chat::CHAT;
use crate::common::{
    Answer, AnswerHead, Block, BlockHead, BlockKind, Conversation, Delta, Event, Family, Finish, FinishReason,
    ReasoningToken, ToolUse, annotation_of,
};
use crate::{ErrorBody, ServiceTier, Usage};

fn head() -> AnswerHead {
    AnswerHead { id: "msg_1".into(), model: "claude-x-1".into(), ..AnswerHead::default() }
}

fn token(text: &str) -> ReasoningToken {
    ReasoningToken::new(Family::Anthropic, text)
}

fn call(id: &str, name: &str) -> BlockHead {
    BlockHead::ToolUse(ToolUse { call_id: id.into(), name: name.into(), ..ToolUse::default() })
}

/// Thinking, text, two parallel calls of which one has no arguments, as `vendors/anthropic/fixtures/stream.sse` has them.
fn events() -> Vec<Event> {
    let text = |number, words: &str| Event::Delta(number, Delta::Text(words.into()));
    let argument = |number, part: &str| Event::Delta(number, Delta::Arguments(part.into()));
    vec![
        Event::Start(head()),
        Event::BlockStart(0, BlockHead::Thinking { is_summary: false }),
        text(0, "Hừm…"),
        Event::Delta(0, Delta::Token(token("sig=="))),
        Event::BlockStop(0),
        Event::BlockStart(1, BlockHead::Text),
        text(1, "Xin "),
        text(1, ""),
        text(1, "chào 😀"),
        Event::BlockStop(1),
        Event::BlockStart(2, call("t1", "weather")),
        argument(2, "{\"city\":"),
        argument(2, "\"Hà Nội\"}"),
        Event::BlockStop(2),
        Event::BlockStart(3, call("t2", "time")),
        Event::Finish(Finish { reason: FinishReason::Tool, ..Finish::default() }),
        Event::Usage(Usage { prompt_tokens: 125, completion_tokens: 40, cached_tokens: 100, ..Usage::default() }),
        Event::Done,
    ]
}

fn encode(events: Vec<Event>, include_usage: bool, strict: bool) -> String {
    let conversation = Conversation { model: "asked".into(), include_usage, ..Conversation::default() };
    let mut stream = CHAT.stream(&context(&conversation, strict));
    let mut out = BytesMut::new();
    events.into_iter().for_each(|event| stream.push(event, &mut out));
    String::from_utf8(out.to_vec()).unwrap()
}

fn chunks(text: &str) -> Vec<Value> {
    let frames = text.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap());
    frames.filter(|json| *json != "[DONE]").map(|json| serde_json::from_str(json).unwrap()).collect()
}

fn choices(text: &str) -> Vec<Value> {
    chunks(text).into_iter().map(|mut chunk| chunk["choices"][0].take()).collect()
}

fn delta(delta: Value) -> Value {
    json!({"index": 0, "delta": delta, "finish_reason": null})
}

/// I1, I3: text, parallel calls and thinking with its signature, event by event.
#[test]
fn i1_a_stream_is_told_in_chunks() {
    let told = encode(events(), false, false);
    let call = |index: u8, id: &str, name: &str| {
        delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}))
    };
    let argument =
        |index: u8, part: &str| delta(json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]}));
    let block = json!({"type": "thinking", "thinking": "Hừm…", "signature": "sig==", "index": 0});
    assert_eq!(
        choices(&told),
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
    let first = r#"data: {"id":"msg_1","object":"chat.completion.chunk","created":7,"model":"claude-x-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

"#;
    assert!(told.starts_with(first), "{told}");
    assert!(told.ends_with("\n\ndata: [DONE]\n\n") && !told.contains("usage"), "{told}");
}

/// C4: usage is told once, for clients that asked, in a chunk without choices.
#[test]
fn c4_usage_is_told_to_those_who_ask() {
    let told = encode(events(), true, false);
    let last = chunks(&told).pop().unwrap();
    assert_eq!(
        last,
        json!({"id": "msg_1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x-1", "choices": [],
            "usage": {"prompt_tokens": 125, "completion_tokens": 40, "total_tokens": 165,
                "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0}}})
    );
    assert_eq!(told.matches("\"usage\"").count(), 1);
    let mut tiered = events();
    tiered[0] = Event::Start(AnswerHead { service_tier: Some(ServiceTier::Default), ..head() });
    assert_eq!(chunks(&encode(tiered, true, false)).pop().unwrap()["service_tier"], "default");
}

#[test]
fn citations_come_at_the_end_with_their_places_in_the_whole_text() {
    let cited = json!({"url": "https://example.com/vn", "title": "Việt Nam"});
    let told = encode(
        vec![
            Event::Start(head()),
            Event::BlockStart(0, BlockHead::Text),
            Event::Delta(0, Delta::Text("Đây: ".into())),
            Event::BlockStop(0),
            Event::BlockStart(1, BlockHead::Text),
            Event::Delta(1, Delta::Text("😀".into())),
            Event::Delta(1, Delta::Annotation(annotation_of(&cited, 0, 1))),
            Event::Delta(1, Delta::Annotation(annotation_of(&json!({"type": "char_location"}), 0, 1))),
            Event::BlockStop(1),
            Event::BlockStart(2, BlockHead::Redacted(token("abc=="))),
            Event::Finish(Finish { reason: FinishReason::Length, ..Finish::default() }),
            Event::Done,
        ],
        false,
        false,
    );
    let found = choices(&told);
    let cited = json!({"start_index": 5, "end_index": 6, "url": "https://example.com/vn", "title": "Việt Nam"});
    let ended = json!({"index": 0, "finish_reason": "length",
        "delta": {"annotations": [{"type": "url_citation", "url_citation": cited}]}});
    assert_eq!(found.last(), Some(&ended));
    let blocks = found.iter().filter_map(|choice| choice["delta"].get("content_blocks"));
    let text = |text: &str, index: u8| json!([{"type": "text", "text": text, "index": index}]);
    let redacted = json!([{"type": "redacted_thinking", "data": "abc==", "index": 2}]);
    assert_eq!(blocks.collect::<Vec<_>>(), [&text("Đây: ", 0), &text("😀", 1), &redacted]);
}

/// I4, order: a streamed answer that its client gathers and sends back is what the model said, in its order.
#[test]
fn i4_streams_round_trip() {
    let thought = |text: &str| -> Block {
        BlockKind::Thinking { text: text.into(), is_summary: false, token: Some(token(text)) }.into()
    };
    let called = |id: &str| -> Block {
        let call = ToolUse { call_id: id.into(), name: "f".into(), arguments: "{}".into(), ..ToolUse::default() };
        BlockKind::ToolUse(call).into()
    };
    let text = |text: &str| Block::from(BlockKind::text(text));
    for blocks in [
        vec![thought("1"), called("a"), thought("2"), called("b")],
        vec![text("a"), thought("1"), text("b"), called("a"), BlockKind::Redacted(token("R")).into(), text("c")],
        vec![thought("1"), text("a"), called("a")],
    ] {
        let answer = Answer { head: head(), blocks: blocks.clone(), ..Answer::default() };
        let mut joined = crate::replay::AnswerBuilder::default();
        for chunk in chunks(&encode(answer.into_events(), false, false)) {
            joined.push(serde_json::from_value(chunk).unwrap());
        }
        let message = joined.whole()["choices"][0]["message"].clone();
        assert_eq!(sent_back(&message), blocks, "{message}");
    }
}

/// I5: strict streams have no reasoning at all, and it never becomes content.
#[test]
fn i5_strict_streams_drop_reasoning() {
    let reasoning = |choice: &Value| {
        ["reasoning_content", "content_blocks"].iter().any(|name| choice["delta"].get(*name).is_some())
    };
    let mut expected = choices(&encode(events(), false, false));
    expected.retain(|choice| !reasoning(choice));
    assert_eq!(choices(&encode(events(), false, true)), expected);
}

/// D1, D2, J3: an error ends the stream, after what was counted, and nothing follows it.
#[test]
fn j3_errors_end_a_stream() {
    let error = || Event::Error(ErrorBody::new("api_error", "overloaded_error", "busy"));
    let mut broken = events();
    broken.truncate(5);
    broken.extend([Event::Usage(Usage::default()), error(), Event::Done, error()]);
    let told = encode(broken, false, false);
    let last = "data: {\"error\":{\"message\":\"busy\",\"type\":\"api_error\",\"param\":null,\"code\":\"overloaded_error\"}}\n\n";
    assert!(told.ends_with(last) && told.matches("error\"").count() == last.matches("error\"").count(), "{told}");
    assert!(!told.contains("[DONE]"));
    assert_eq!(encode(vec![error()], true, false), last);
}

#[test]
fn refusals_and_what_a_vendor_does_not_tell() {
    let told = encode(
        vec![
            Event::Start(AnswerHead::default()),
            Event::BlockStart(0, BlockHead::Refusal),
            Event::Delta(0, Delta::Text("no".into())),
            Event::BlockStop(0),
            Event::Finish(Finish { reason: FinishReason::Refusal, ..Finish::default() }),
            Event::Done,
        ],
        true,
        false,
    );
    let found = choices(&told);
    assert_eq!((&found[1], &found[2]["finish_reason"]), (&delta(json!({"refusal": "no"})), &json!("stop")));
    assert_eq!((&chunks(&told)[0]["id"], &chunks(&told)[0]["model"]), (&json!("chatcmpl-req1"), &json!("asked")));
}

/// A call that comes with its arguments is one delta, in every client format complete.
#[test]
fn a_whole_call_is_told_once() {
    let conversation = Conversation::default();
    let context = context(&conversation, false);
    let call = ToolUse { call_id: "c".into(), name: "f".into(), arguments: "{\"a\":1}".into(), ..ToolUse::default() };
    let mut out = BytesMut::new();
    let mut encoder = CHAT.stream(&context);
    for event in [Event::BlockStart(0, BlockHead::ToolUse(call)), Event::BlockStop(0)] {
        encoder.push(event, &mut out);
    }
    let told = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!((told.matches("tool_calls").count(), told.matches(r#"{\"a\":1}"#).count()), (1, 1), "{told}");
}
