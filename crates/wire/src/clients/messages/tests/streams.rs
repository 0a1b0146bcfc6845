use bytes::BytesMut;
use serde_json::{Value, json};

use super::super::Messages;
use super::context;
use crate::clients::ClientFormat as _;
use crate::common::{
    AnswerHead, BlockHead, Conversation, Delta, Event, Family, Finish, FinishReason, JsonText, ReasoningToken, ToolUse,
    annotation_of,
};
use crate::{ErrorBody, Usage};

fn encoded(events: Vec<Event>) -> String {
    let conversation = Conversation { model: "gw/best".into(), ..Conversation::default() };
    let mut encoder = Messages.stream(&context(&conversation));
    let mut out = BytesMut::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

/// The events of a stream, each checked to have the name of its type.
fn told(text: &str) -> Vec<Value> {
    let event = |frame: &str| {
        let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    text.split_terminator("\n\n").map(event).collect()
}

fn start(usage: Option<Usage>) -> Event {
    Event::Start(AnswerHead { id: "v".into(), model: "vendor".into(), usage, ..AnswerHead::default() })
}

fn call(id: &str) -> BlockHead {
    BlockHead::ToolUse(ToolUse { call_id: id.into(), name: "f".into(), ..ToolUse::default() })
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish(Finish { reason, ..Finish::default() })
}

fn block(index: usize, head: BlockHead, deltas: Vec<Delta>) -> Vec<Event> {
    let deltas = deltas.into_iter().map(|delta| Event::Delta(index, delta));
    [Event::BlockStart(index, head)].into_iter().chain(deltas).chain([Event::BlockStop(index)]).collect()
}

fn text(words: &str) -> Delta {
    Delta::Text(words.into())
}

/// J2, J14: blocks one at a time, numbered without gaps; the input of calls in deltas alone; usage at both ends.
#[test]
fn j2_the_life_of_blocks() {
    let sealed = ReasoningToken::new(Family::Anthropic, "Eq==");
    let foreign = ReasoningToken::new(Family::OpenAi, "gAAA");
    let wrapped = foreign.for_client(Family::Anthropic);
    let citation = json!({"type": "char_location", "document_index": 0});
    let raw = JsonText::parse(r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.0}}"#).unwrap();
    let thinking = || BlockHead::Thinking { is_summary: false };
    let mut events = vec![start(None)];
    events.extend(block(0, thinking(), vec![text("hm"), Delta::Token(sealed)]));
    events.extend(block(1, thinking(), vec![Delta::Token(foreign.clone())]));
    events.extend(block(2, BlockHead::Text, vec![text("")]));
    events.extend(block(3, BlockHead::Text, vec![text("Hi"), Delta::Annotation(annotation_of(&citation, 0, 2))]));
    events.extend(block(4, BlockHead::Hosted(raw.clone(), Family::OpenAi), vec![]));
    events.extend(block(5, BlockHead::Hosted(raw, Family::Anthropic), vec![]));
    events.extend(block(6, BlockHead::Redacted(foreign), vec![]));
    events.extend(block(7, call("a"), vec![Delta::Arguments("{\"x\":".into()), Delta::Arguments("1.0}".into())]));
    // An end that is not told.
    events.extend([Event::BlockStart(8, call("b")), finish(FinishReason::End)]);
    let usage = Usage {
        prompt_tokens: 101,
        completion_tokens: 53,
        cached_tokens: 31,
        reasoning_tokens: 23,
        ..Usage::default()
    };
    events.extend([Event::Usage(usage), Event::Done, Event::Done]);
    let start_of =
        |index: u8, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let grow = |index: u8, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u8| json!({"type": "content_block_stop", "index": index});
    let server = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let expected = [
        json!({"type": "message_start", "message": {"id": "msg_req1a", "type": "message", "role": "assistant",
            "model": "gw/best", "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 11,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}}}),
        start_of(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        grow(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        grow(0, json!({"type": "signature_delta", "signature": "Eq=="})),
        stop(0),
        start_of(1, json!({"type": "redacted_thinking", "data": wrapped})),
        stop(1),
        start_of(2, json!({"type": "text", "text": ""})),
        grow(2, json!({"type": "text_delta", "text": "Hi"})),
        grow(2, json!({"type": "citations_delta", "citation": citation})),
        stop(2),
        start_of(3, server),
        grow(3, json!({"type": "input_json_delta", "partial_json": "{\"q\":1.0}"})),
        stop(3),
        start_of(4, json!({"type": "redacted_thinking", "data": wrapped})),
        stop(4),
        start_of(5, json!({"type": "tool_use", "id": "a", "name": "f", "input": {}})),
        grow(5, json!({"type": "input_json_delta", "partial_json": "{\"x\":"})),
        grow(5, json!({"type": "input_json_delta", "partial_json": "1.0}"})),
        stop(5),
        start_of(6, json!({"type": "tool_use", "id": "b", "name": "f", "input": {}})),
        stop(6),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {
            "input_tokens": 70, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 31, "output_tokens": 53,
            "output_tokens_details": {"thinking_tokens": 23}}}),
        json!({"type": "message_stop"}),
    ];
    let found = told(&encoded(events));
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
}

/// J2: an empty answer, text alone, a refusal, a limit and a stop sequence are whole streams.
#[test]
fn j2_every_end_is_told_once() {
    let cases = [
        (None, FinishReason::End, "end_turn"),
        (Some(BlockHead::Text), FinishReason::Length, "max_tokens"),
        (Some(BlockHead::Refusal), FinishReason::Refusal, "refusal"),
        (Some(BlockHead::Text), FinishReason::StopSequence, "stop_sequence"),
    ];
    for (head, reason, word) in cases {
        let mut events = vec![start(Some(Usage { prompt_tokens: 5, ..Usage::default() }))];
        let has_block = head.is_some();
        events.extend(head.into_iter().flat_map(|head| block(0, head, vec![text("no")])));
        events.extend([finish(reason), Event::Done]);
        let found = told(&encoded(events));
        assert_eq!(found.len(), if has_block { 6 } else { 3 }, "{word}");
        assert_eq!(found[0]["message"]["usage"]["input_tokens"], 5);
        let end = &found[found.len() - 2..];
        assert_eq!((&end[0]["delta"]["stop_reason"], &end[1]["type"]), (&json!(word), &json!("message_stop")));
        assert_eq!(end[0]["usage"]["input_tokens"], 5, "{word}");
    }
}

/// J3: a failure is one event, wherever it comes, and nothing follows it.
#[test]
fn j3_a_failure_is_told_once() {
    let error = ErrorBody::new("api_error", "overloaded_error", "busy");
    let expected =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "req-1a"});
    let begun = [start(None), Event::BlockStart(0, BlockHead::Text), Event::Delta(0, text("a"))];
    for (count, told_events) in [1, 2, 2, 4].into_iter().enumerate() {
        let mut events = begun[..count].to_vec();
        events.extend([Event::Error(error.clone()), Event::Done, Event::Error(error.clone())]);
        let found = told(&encoded(events));
        assert_eq!((found.len(), found.last()), (told_events, Some(&expected)), "{count}");
    }
}
