use bytes::Bytes;
use serde_json::{Value, json};

use super::OPENAI_CHAT;
use crate::common::{BlockHead, BlockKind, Collector, Delta, Event, Family, FinishReason, ReasoningToken, ToolKind};
use crate::vendors::VendorFormat;
use crate::{ServiceTier, Usage};

fn decode(text: &str, step: usize) -> Vec<Event> {
    let mut stream = OPENAI_CHAT.stream();
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(step) {
        stream.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(&mut out);
    out
}

const ROLE: &str = r#"{"id":"c","created":5,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const TEXT: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"Xin chào"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

fn stream_of(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("data: {part}\n\n")).collect()
}

fn delta(delta: Value) -> String {
    json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}).to_string()
}

fn is_cut(event: Option<&Event>) -> bool {
    matches!(event, Some(Event::Error(error)) if error.code.as_deref() == Some("stream_cut"))
}

/// The blocks of a stream, and why it ended; checks that its events are in order.
fn gathered(events: &[Event]) -> (Vec<BlockKind>, FinishReason) {
    let (mut collector, mut open, mut next) = (Collector::default(), None, 0);
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(_) => assert_eq!(at, 0),
            Event::BlockStart(number, _) => {
                assert_eq!((open.replace(*number), *number), (None, next));
                next += 1;
            }
            Event::Delta(number, _) => assert_eq!(open, Some(*number)),
            Event::BlockStop(number) => assert_eq!(open.take(), Some(*number)),
            _ => assert_eq!(open, None),
        }
        assert_eq!(collector.push(event.clone()).unwrap(), at + 1 == events.len());
    }
    let answer = collector.whole().unwrap();
    (answer.blocks.into_iter().map(|block| block.kind).collect(), answer.finish.reason)
}

/// C4, D5: usage is told once, whatever the chunking.
#[test]
fn c4_d5_a_stream_is_told_in_order() {
    let text = stream_of(&[ROLE, TEXT, STOP, USAGE, "[DONE]"]);
    let whole = decode(&text, text.len());
    let Event::Start(head) = &whole[0] else { panic!("{whole:?}") };
    assert_eq!((head.id.as_str(), head.model.as_str(), head.created), ("c", "m", 5));
    assert_eq!(
        whole[1..],
        [
            Event::BlockStart(0, BlockHead::Text),
            Event::Delta(0, Delta::Text("Xin chào".into())),
            Event::BlockStop(0),
            Event::Finish(crate::common::Finish::default()),
            Event::Usage(Usage { prompt_tokens: 3, completion_tokens: 2, ..Usage::default() }),
            Event::Done,
        ]
    );
    for step in 1..text.len() {
        assert_eq!(decode(&text, step), whole, "{step} bytes at a time");
    }
}

/// D5: every cut of a stream with all kinds of block gives the same events.
#[test]
fn d5_any_chunking_decodes_the_same() {
    let call = |call: Value| delta(json!({ "tool_calls": [call] }));
    let parts = [
        ROLE.to_owned(),
        delta(json!({"reasoning_content": "hừm"})),
        delta(json!({"content": "a"})),
        r#"{"choices":[{"delta":{"content":"x\ud83d"}}]}"#.to_owned(),
        r#"{"choices":[{"delta":{"content":"\ude00"}}]}"#.to_owned(),
        call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x\":"}})),
        call(json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}})),
        call(json!({"index": 0, "function": {"arguments": "1}"}})),
        call(json!({"index": 1, "function": {"arguments": "}"}})),
        STOP.to_owned(),
        USAGE.to_owned(),
        "[DONE]".to_owned(),
    ];
    let text = ": hello\n\n".to_owned() + &stream_of(&parts.each_ref().map(String::as_str));
    let whole = decode(&text, text.len());
    let (blocks, reason) = gathered(&whole);
    assert_eq!(reason, FinishReason::Tool);
    let [
        BlockKind::Thinking { text: thought, .. },
        BlockKind::Text { text: said, .. },
        BlockKind::ToolUse(a),
        BlockKind::ToolUse(b),
    ] = &blocks[..]
    else {
        panic!("{blocks:?}")
    };
    assert_eq!((thought.as_str(), said.as_str()), ("hừm", "ax😀"));
    assert_eq!((a.arguments.as_str(), b.arguments.as_str()), ("{\"x\":1}", "{}"));
    for cut in 1..text.len() {
        let mut stream = OPENAI_CHAT.stream();
        let mut out = Vec::new();
        stream.push(Bytes::copy_from_slice(&text.as_bytes()[..cut]), &mut out);
        stream.push(Bytes::copy_from_slice(&text.as_bytes()[cut..]), &mut out);
        stream.finish(&mut out);
        assert_eq!(out, whole, "cut at {cut}");
    }
    assert_eq!(decode(&text.replace('\n', "\r\n"), 1), whole);
}

/// D2: an error event and an early end are errors, and nothing follows them.
#[test]
fn d2_errors_and_cuts_are_told() {
    let in_choice =
        r#"{"choices":[{"index":0,"delta":{"content":""},"error":{"message":"overloaded"},"finish_reason":"error"}]}"#;
    for error in [r#"{"error":{"message":"overloaded"}}"#, r#"{"error":"overloaded","choices":[]}"#, in_choice] {
        let events = decode(&stream_of(&[TEXT, error, TEXT]), 64);
        assert!(matches!(events.last(), Some(Event::Error(error)) if error.message == "overloaded"), "{events:?}");
        assert_eq!(events.len(), 4);
    }
    for odd in ["[]", "7", "{"] {
        let malformed = decode(&stream_of(&[odd, TEXT]), 5);
        assert!(
            matches!(&malformed[..], [Event::Error(error)] if error.code.as_deref() == Some("malformed_stream")),
            "{odd}"
        );
    }
    let named = decode("event: error\ndata: {\"message\":\"boom\"}\n\n", 5);
    assert!(matches!(&named[..], [Event::Error(error)] if error.message == "boom"));
    assert!(is_cut(decode(&stream_of(&[TEXT]), 5).last()));
    assert_eq!(decode(&stream_of(&[TEXT, STOP]), 5).last(), Some(&Event::Done));
    assert_eq!(decode(&stream_of(&[TEXT, "[DONE]", TEXT]), 5).last(), Some(&Event::Done));
    for parts in [vec![USAGE], vec![]] {
        assert!(is_cut(decode(&stream_of(&parts), 16).last()), "{parts:?}");
    }
}

/// D2, B7: a broken connection is never whole, but what was counted is told.
#[test]
fn d2_a_broken_stream_is_billed() {
    let broken = |parts: &[&str]| {
        let (mut stream, mut out) = (OPENAI_CHAT.stream(), Vec::new());
        stream.push(Bytes::from(stream_of(parts)), &mut out);
        stream.broken(&mut out);
        out
    };
    let out = broken(&[TEXT, STOP, USAGE]);
    assert!(matches!(&out[out.len() - 2..], [Event::Usage(_), Event::Error(_)]) && is_cut(out.last()), "{out:?}");
    assert_eq!(broken(&[TEXT, "[DONE]"]).last(), Some(&Event::Done));
}

/// C4, sse-usage-place: usage that cannot be read is none and breaks no stream; it has many places, and the last counts.
#[test]
fn c4_usage_has_many_places() {
    let counted = |parts: &[&str]| {
        let events = decode(&stream_of(parts), 64);
        assert_eq!(events.last(), Some(&Event::Done), "{events:?}");
        let usages: Vec<Usage> = events
            .iter()
            .filter_map(|event| if let Event::Usage(usage) = event { Some(*usage) } else { None })
            .collect();
        assert!(usages.len() < 2, "{usages:?}");
        usages.first().map(|usage| usage.prompt_tokens)
    };
    for (usage, expected) in [
        (r#"{"prompt_tokens":12.0,"completion_tokens":null}"#, Some(12)),
        (r#"{"prompt_tokens":"12"}"#, None),
        ("[]", None),
        (r#""none""#, None),
    ] {
        let alone = format!(r#"{{"id":"c","choices":[],"usage":{usage}}}"#);
        let beside = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{usage}}}"#);
        let inside = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{}},"usage":{usage}}}]}}"#);
        let groq = format!(r#"{{"id":"c","choices":[],"x_groq":{{"usage":{usage}}}}}"#);
        for part in [&alone, &beside, &inside, &groq] {
            assert_eq!(counted(&[TEXT, part, STOP, "[DONE]"]), expected, "{part}");
        }
    }
    let first = USAGE.replace(":3,", ":1,");
    assert_eq!(counted(&[&first, TEXT, USAGE, STOP]), Some(3));
}

/// C3: the tier that any chunk tells is the usage's.
#[test]
fn c3_a_stream_tells_its_service_tier() {
    let tiered = r#"{"id":"c","service_tier":"priority","choices":[{"delta":{"content":"x"}}]}"#;
    let events = decode(&stream_of(&[tiered, STOP, USAGE, "[DONE]"]), 9);
    let told = |event: &Event| matches!(event, Event::Usage(usage) if usage.service_tier == ServiceTier::Priority);
    assert!(events.iter().any(told), "{events:?}");
}

/// sse-finish-reason: an empty finish reason is none: no end. sse-end: a finish reason makes an answer complete.
#[test]
fn d1_d2_an_empty_finish_reason_is_none() {
    let role = r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":""}]}"#;
    let text = r#"{"choices":[{"delta":{"content":"I"},"finish_reason": "" ,"x":1.50}]}"#;
    let events = decode(&stream_of(&[role, text]), 5);
    assert!(is_cut(events.last()) && !decode(&stream_of(&[role]), 5)[0].is_content(), "{events:?}");
    let (mut stream, mut out) = (OPENAI_CHAT.stream(), Vec::new());
    stream.push(Bytes::from(stream_of(&[role, text])), &mut out);
    assert!(!stream.is_complete());
    stream.push(Bytes::from(stream_of(&[STOP, role])), &mut out);
    assert!(stream.is_complete(), "what comes after the end opens it no more");
}

/// M-10, I2: where tools were called, the end says so, whatever the vendor's word.
#[test]
fn i2_calls_end_with_tool_calls() {
    let call = delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}));
    let ended = |word: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{word}"}}]}}"#);
    let reason = |parts: &[&str]| gathered(&decode(&stream_of(parts), 7)).1;
    for word in ["stop", "STOP", "eos", "tool_calls", "made_up"] {
        assert_eq!(reason(&[&call, &ended(word), "[DONE]"]), FinishReason::Tool, "{word}");
    }
    assert_eq!(reason(&[&call, "[DONE]"]), FinishReason::Tool);
    assert_eq!(reason(&[&call, &ended("length"), "[DONE]"]), FinishReason::Length);
    assert_eq!(reason(&[TEXT, STOP, "[DONE]"]), FinishReason::End);
    let refusal = delta(json!({"refusal": "no"}));
    assert_eq!(reason(&[&refusal, STOP, "[DONE]"]), FinishReason::Refusal);
}

/// I3: parallel calls are told apart, whatever numbers the vendor gives, and one block is open at a time.
#[test]
fn i3_parallel_calls_are_told_apart() {
    let joined = |calls: &[&str]| {
        let parts: Vec<String> = calls
            .iter()
            .map(|call| format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#))
            .collect();
        let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        parts.push("[DONE]");
        let (blocks, _) = gathered(&decode(&stream_of(&parts), 11));
        let calls = blocks.into_iter().map(|kind| match kind {
            BlockKind::ToolUse(call) => format!("{} {} {}", call.call_id, call.name, call.arguments),
            other => panic!("{other:?}"),
        });
        calls.collect::<Vec<_>>()
    };
    let right = ["a f {\"x\":1}", "b g {\"y\":2}"];
    let well = [
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#,
        r#"{"index":0,"function":{"arguments":"1}"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}"#,
    ];
    assert_eq!(joined(&well), right);
    let mixed = [
        well[0],
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}}"#,
        well[1],
        "{}",
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":":2}"}}"#,
    ];
    assert_eq!(joined(&mixed), right);
    let all_zero = well.map(|call| call.replace(r#""index":1"#, r#""index":0"#));
    assert_eq!(joined(&all_zero.each_ref().map(String::as_str)), right);
    let without = well.map(|call| call.replace(r#""index":1,"#, "").replace(r#""index":0,"#, ""));
    assert_eq!(joined(&without.each_ref().map(String::as_str)), right);
    let null =
        well.map(|call| call.replace(r#""index":1"#, r#""index":null"#).replace(r#""index":0"#, r#""index":null"#));
    assert_eq!(joined(&null.each_ref().map(String::as_str)), right);
    let at_once = [all_zero[0].replace(r#"\"x\":"#, r#"\"x\":1}"#) + "," + &all_zero[2]];
    assert_eq!(joined(&at_once.each_ref().map(String::as_str)), right);
    let from_one =
        well.map(|call| call.replace(r#""index":1"#, r#""index":2"#).replace(r#""index":0"#, r#""index":1"#));
    assert_eq!(joined(&from_one.each_ref().map(String::as_str)), right);
    // Neither arguments nor an id nor, at first, a name.
    let late = [r#"{"index":0,"function":{"arguments":""}}"#, r#"{"index":0,"function":{"name":"f"}}"#, well[2]];
    assert_eq!(joined(&late), ["call__0 f ", "b g {\"y\":2}"]);
}

/// A call is told as it grows, and the next one as soon as its arguments are whole.
#[test]
fn calls_are_told_as_they_grow() {
    let call = |call: Value| delta(json!({ "tool_calls": [call] }));
    let (mut stream, mut out) = (OPENAI_CHAT.stream(), Vec::new());
    let mut push = |part: &str, out: &mut Vec<Event>| stream.push(Bytes::from(stream_of(&[part])), out);
    push(&call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"a\":\"}"}})), &mut out);
    assert_eq!(out.last(), Some(&Event::Delta(0, Delta::Arguments("{\"a\":\"}".into()))));
    push(&call(json!({"index": 1, "id": "b", "function": {"name": "f", "arguments": "{"}})), &mut out);
    assert_eq!(out.last(), Some(&Event::Delta(0, Delta::Arguments("{\"a\":\"}".into()))), "the first is not whole");
    push(&call(json!({"index": 0, "function": {"arguments": "\"}"}})), &mut out);
    assert_eq!(out.last(), Some(&Event::Delta(1, Delta::Arguments("{".into()))));
}

/// Reasoning in all of its places, seals of another gateway, refusals, custom calls and citations.
#[test]
fn all_kinds_of_block_are_read() {
    let cited = json!({"type": "url_citation", "url_citation": {"start_index": 1, "end_index": 2, "url": "u"}});
    let parts = [
        delta(json!({"reasoning": "h", "reasoning_content": "h"})),
        delta(json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "m"}]}]})),
        delta(json!({"content_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s", "index": 0}]})),
        delta(json!({"content_blocks": [{"type": "redacted_thinking", "data": "R"}]})),
        delta(json!({"content": [{"type": "text", "text": "ab"}]})),
        delta(json!({"annotations": [cited]})),
        delta(
            json!({"tool_calls": [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": "{"}}]}),
        ),
        delta(json!({"tool_calls": [{"index": 0, "custom": {"input": "}"}}]})),
        delta(json!({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "U0lH"}}}]})),
        STOP.to_owned(),
    ];
    let (blocks, _) = gathered(&decode(&stream_of(&parts.each_ref().map(String::as_str)), 33));
    let token = |text: &str| ReasoningToken::new(Family::Anthropic, text);
    assert_eq!(blocks[0], BlockKind::Thinking { text: "hm".into(), is_summary: false, token: Some(token("s")) });
    assert_eq!(blocks[1], BlockKind::Redacted(token("R")));
    assert_eq!(blocks[2], BlockKind::Text { text: "ab".into(), annotations: vec![cited.into()] });
    let [BlockKind::ToolUse(custom), BlockKind::ToolUse(sealed)] = &blocks[3..] else { panic!("{blocks:?}") };
    assert_eq!((custom.kind, custom.arguments.as_str()), (ToolKind::Custom, "{}"));
    assert_eq!(sealed.token, Some(ReasoningToken::new(Family::Gemini, "U0lH")));
}

/// other-framing: one whole answer in the place of a stream, framed or not, is told as a stream; an error is one.
#[test]
fn a_whole_answer_is_told_as_a_stream() {
    let whole = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"good"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    for text in [whole.to_owned(), format!("\u{feff}{whole}\n"), stream_of(&[whole, "[DONE]"]), stream_of(&[whole])] {
        let events = decode(&text, 13);
        let usage = events.iter().filter(|event| matches!(event, Event::Usage(usage) if usage.prompt_tokens == 9));
        assert_eq!((usage.count(), events.last()), (1, Some(&Event::Done)), "{text}: {events:?}");
        assert_eq!(gathered(&events).0, [BlockKind::text("good")]);
    }
    for error in
        [r#"{"error":{"message":"xyzzy"}}"#, r#"{"error":"xyzzy"}"#, "{\n \"error\": {\n \"message\": \"xyzzy\"}}\n"]
    {
        for text in [error.to_owned(), stream_of(&[TEXT]) + error, stream_of(&[TEXT]) + error + "\n\ndata: [DONE]\n\n"]
        {
            let events = decode(&text, 13);
            assert!(
                matches!(events.last(), Some(Event::Error(error)) if error.message == "xyzzy"),
                "{text}: {events:?}"
            );
        }
    }
}

/// G8: calls without end, and arguments that wait without end, are an error.
#[test]
fn g8_a_stream_has_bounds() {
    let many: String = (0..5_000)
        .map(|at| {
            stream_of(&[&delta(
                json!({"tool_calls": [{"index": at, "id": at.to_string(), "function": {"name": "f"}}]}),
            )])
        })
        .collect();
    let events = decode(&many, many.len());
    assert!(matches!(events.last(), Some(Event::Error(error)) if error.code.as_deref() == Some("malformed_answer")));
    let part = "x".repeat(1 << 20);
    let first = delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]}));
    let (mut stream, mut out) = (OPENAI_CHAT.stream(), Vec::new());
    stream.push(Bytes::from(stream_of(&[&first])), &mut out);
    for _ in 0..18 {
        stream.push(Bytes::from(stream_of(&[&delta(json!({"content": part}))])), &mut out);
    }
    assert!(matches!(out.last(), Some(Event::Error(error)) if error.code.as_deref() == Some("malformed_stream")));
    assert_eq!(out.iter().filter(|event| matches!(event, Event::Error(_))).count(), 1);
}
