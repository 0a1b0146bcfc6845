use bytes::Bytes;
use serde_json::json;

use super::Anthropic;
use crate::Usage;
use crate::common::{
    AnswerHead, BlockHead, Collector, Delta, Event, Family, Finish, FinishReason, ReasoningToken, ToolUse,
    plain_annotation,
};
use crate::vendors::VendorFormat as _;

/// Thinking, text, two parallel calls of which one has no arguments.
pub(super) const TOOLS: &str = include_str!("../fixtures/stream.sse");

/// A surrogate pair over two events, a citation, a tool that Anthropic runs, redacted thinking, cache writes.
pub(super) const CITATIONS: &str = include_str!("../fixtures/citations.sse");

/// Comments, all three line ends, data over several lines, no space after the colon, a block without its beginning.
pub(super) const SHORT: &str = include_str!("../fixtures/short.sse");

fn decode(text: &str, cuts: &[usize]) -> Vec<Event> {
    let mut stream = Anthropic.stream();
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

fn words(index: usize, text: &str) -> Event {
    Event::Delta(index, Delta::Text(text.into()))
}

fn arguments(index: usize, text: &str) -> Event {
    Event::Delta(index, Delta::Arguments(text.into()))
}

fn call(index: usize, id: &str, name: &str) -> Event {
    let call = ToolUse { call_id: id.into(), name: name.into(), ..ToolUse::default() };
    Event::BlockStart(index, BlockHead::ToolUse(call))
}

fn usage() -> Usage {
    Usage { prompt_tokens: 125, completion_tokens: 40, cached_tokens: 100, ..Usage::default() }
}

/// I1, I3, C4: text, parallel calls and thinking with its seal, event by event; usage once, before the end.
#[test]
fn i1_a_stream_event_by_event() {
    let seal = Delta::Token(ReasoningToken::new(Family::Anthropic, "sig=="));
    let early = Usage { completion_tokens: 1, ..usage() };
    let head =
        AnswerHead { id: "msg_1".into(), model: "claude-x-1".into(), usage: Some(early), ..AnswerHead::default() };
    let expected = [
        Event::Start(head),
        Event::BlockStart(0, BlockHead::Thinking { is_summary: false }),
        words(0, "Hừm…"),
        Event::Delta(0, seal),
        Event::BlockStop(0),
        Event::BlockStart(1, BlockHead::Text),
        words(1, "Xin "),
        words(1, "chào 😀"),
        Event::BlockStop(1),
        call(2, "t1", "weather"),
        arguments(2, "{\"city\":"),
        arguments(2, "\"Hà Nội\"}"),
        Event::BlockStop(2),
        call(3, "t2", "time"),
        arguments(3, "{}"),
        Event::BlockStop(3),
        Event::Finish(Finish { reason: FinishReason::Tool, ..Finish::default() }),
        Event::Usage(usage()),
        Event::Done,
    ];
    assert_eq!(decode(TOOLS, &[]), expected);
}

/// C2: the split of cache writes outlives the last event; what Anthropic ran itself is kept whole; citations come last.
#[test]
fn c2_citations_and_hosted_blocks() {
    let events = decode(CITATIONS, &[]);
    let Some(Event::Delta(0, Delta::Annotation(annotation))) = events.get(4) else { panic!("{events:?}") };
    let page = json!({"start_index": 0, "end_index": 6, "url": "https://example.com/vn", "title": "Việt Nam"});
    let plain = plain_annotation(annotation).unwrap().value();
    assert_eq!(plain, json!({"type": "url_citation", "url_citation": page}));
    assert_eq!(events[1..4], [Event::BlockStart(0, BlockHead::Text), words(0, "Đây: "), words(0, "😀")]);
    let Event::BlockStart(1, BlockHead::Hosted(raw, Family::Anthropic)) = &events[6] else { panic!("{events:?}") };
    assert_eq!(
        raw.value(),
        json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}})
    );
    let redacted = BlockHead::Redacted(ReasoningToken::new(Family::Anthropic, "abc=="));
    let usage = Usage {
        prompt_tokens: 42,
        completion_tokens: 40,
        cache_write_tokens: 10,
        cache_write_1h_tokens: 20,
        reasoning_tokens: 9,
        ..Usage::default()
    };
    let finish = Event::Finish(Finish { reason: FinishReason::Length, ..Finish::default() });
    let end = [
        Event::BlockStop(1),
        Event::BlockStart(2, redacted),
        Event::BlockStop(2),
        finish,
        Event::Usage(usage),
        Event::Done,
    ];
    assert_eq!(events[7..], end);
}

/// D5: every way to cut a recorded stream once or twice, and one byte at a time, gives the same events.
#[test]
fn d5_any_chunking_decodes_the_same() {
    let whole = decode(SHORT, &[]);
    assert_eq!(
        whole[1..5],
        [Event::BlockStart(0, BlockHead::Text), words(0, "Quy trình "), words(0, "😀"), Event::BlockStop(0)]
    );
    assert_eq!(whole.last(), Some(&Event::Done));
    for a in 1..SHORT.len() {
        for b in (a..SHORT.len()).step_by(5) {
            assert_eq!(decode(SHORT, &[a, b]), whole, "cut at {a} and {b}");
        }
    }
    for text in [TOOLS, CITATIONS] {
        let whole = decode(text, &[]);
        for cut in 1..text.len() {
            assert_eq!(decode(text, &[cut]), whole, "cut at {cut}");
        }
        let every_byte: Vec<usize> = (1..text.len()).collect();
        assert_eq!(decode(text, &every_byte), whole);
        assert_eq!(decode(&text.replace('\n', "\r\n"), &every_byte), whole);
    }
}

/// D2: cut anywhere before its stop reason, a stream ends with an error, after what was counted so far (B7).
#[test]
fn d2_cut_streams_are_told() {
    let last = TOOLS.find("event: message_delta").unwrap();
    let counted = TOOLS.find("\n\n").unwrap();
    for end in (0..last).filter(|end| TOOLS.is_char_boundary(*end)) {
        let cut = decode(&TOOLS[..end], &[]);
        assert!(matches!(cut.last(), Some(Event::Error(_))), "cut at {end}");
        let told = cut.iter().filter(|event| matches!(event, Event::Usage(_))).count();
        if end >= counted {
            assert_eq!(told, 1, "cut at {end}");
            assert!(matches!(&cut[cut.len() - 2], Event::Usage(usage) if usage.prompt_tokens == 125));
        }
    }
}

/// D2: an error event ends the stream, and nothing follows it.
#[test]
fn d2_error_events_are_told() {
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let begun = TOOLS.split_once("event: content_block_stop").unwrap().0;
    let events = decode(&format!("{begun}{error}{TOOLS}"), &[]);
    assert!(matches!(&events[events.len() - 2], Event::Usage(_)));
    assert!(matches!(events.last(), Some(Event::Error(error))
        if error.message == "busy" && error.code.as_deref() == Some("overloaded_error")));
    assert!(matches!(decode(error, &[])[..], [Event::Error(_)]));
    let events = decode("data: {oops\n\n", &[]);
    assert!(matches!(&events[..], [Event::Error(error)] if error.code.as_deref() == Some("malformed_stream")));
}

/// sse-end: the stop reason makes an answer complete where `message_stop` does not come.
#[test]
fn a_stop_reason_completes_an_answer() {
    let last = TOOLS.find("event: message_stop").unwrap();
    let mut stream = Anthropic.stream();
    let mut out = Vec::new();
    stream.push(Bytes::from(&TOOLS[..last]), &mut out);
    assert!(stream.is_complete());
    stream.finish(&mut out);
    assert_eq!(out, decode(TOOLS, &[]));
    let (mut stream, mut broken) = (Anthropic.stream(), Vec::new());
    stream.push(Bytes::from(&TOOLS[..last]), &mut broken);
    stream.broken(&mut broken);
    assert!(matches!(broken.last(), Some(Event::Error(_))), "D2: a broken connection is never whole");
}

/// I2: calls end with the reason for that, whatever the stop reason says.
#[test]
fn i2_calls_end_as_calls() {
    let odd = TOOLS.replace("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"end_turn\"");
    assert_eq!(decode(&odd, &[]), decode(TOOLS, &[]));
}

/// other-framing: a whole message is told as a stream, and an error without framing or type is one.
#[test]
fn what_comes_in_the_other_framing_is_read() {
    let whole = r#"{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"good"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#;
    let events = decode(whole, &[40]);
    assert_eq!(events[2], words(0, "good"));
    assert!(matches!(&events[events.len() - 2..], [Event::Usage(usage), Event::Done] if usage.prompt_tokens == 5));
    let begun = TOOLS.split_once("event: content_block_stop").unwrap().0;
    for error in ["{\"error\":{\"message\":\"xyzzy\"}}", "data: {\"error\":{\"message\":\"xyzzy\"}}\n\n"] {
        for text in [error.to_owned(), format!("{begun}{error}")] {
            let events = decode(&text, &[3]);
            assert!(matches!(events.last(), Some(Event::Error(error)) if error.message == "xyzzy"), "{text}");
        }
    }
}

/// Blocks that a vendor interleaves come one at a time, in the order of their beginnings.
#[test]
fn interleaved_blocks_come_one_at_a_time() {
    let frame = |data: &str| format!("data: {data}\n\n");
    let start = |index: u8, id: &str| {
        frame(&format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"tool_use","id":"{id}","name":"f","input":{{"z":1.0}}}}}}"#
        ))
    };
    let grow = |index: u8, part: &str| {
        frame(&format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"partial_json":"{part}"}}}}"#))
    };
    let stop = |index: u8| frame(&format!(r#"{{"type":"content_block_stop","index":{index}}}"#));
    let text = [
        start(0, "a"),
        start(1, "b"),
        grow(1, "1"),
        grow(0, "0"),
        stop(1),
        start(2, "c"),
        grow(0, "0"),
        stop(0),
        stop(2),
        frame(r#"{"type":"message_stop"}"#),
    ]
    .concat();
    let finish = Event::Finish(Finish { reason: FinishReason::Tool, ..Finish::default() });
    let expected = [
        Event::Start(AnswerHead::default()),
        call(0, "a", "f"),
        arguments(0, "0"),
        arguments(0, "0"),
        Event::BlockStop(0),
        call(1, "b", "f"),
        arguments(1, "1"),
        Event::BlockStop(1),
        call(2, "c", "f"),
        arguments(2, "{\"z\":1.0}"),
        Event::BlockStop(2),
        finish,
        Event::Done,
    ];
    assert_eq!(decode(&text, &[]), expected);
}

/// F4: a stream gathered is the whole answer that says the same.
#[test]
fn f4_a_stream_gathered_is_whole() {
    let mut collector = Collector::default();
    let done = decode(TOOLS, &[]).into_iter().map(|event| collector.push(event).unwrap()).filter(|done| *done).count();
    assert_eq!(done, 1);
    let answer = collector.whole().unwrap();
    assert_eq!((answer.blocks.len(), answer.usage, answer.finish.reason), (4, Some(usage()), FinishReason::Tool));
}
