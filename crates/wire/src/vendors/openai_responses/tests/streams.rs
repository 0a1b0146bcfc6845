use bytes::BytesMut;
use serde_json::json;

use super::*;
use crate::ErrorBody;
use crate::clients::ReplyContext;
use crate::common::{
    Block, BlockKind, Collector, Event, Family, Finish, FinishReason, JsonText, ReasoningToken, ToolKind, ToolUse,
};

pub(super) fn decoded(text: &[u8], cuts: &[usize]) -> Vec<Event> {
    let (mut decoder, mut out, mut from) = (OpenAiResponses.stream(), Vec::new(), 0);
    for &cut in cuts.iter().chain([&text.len()]) {
        decoder.push(Bytes::copy_from_slice(&text[from..cut]), &mut out);
        from = cut;
    }
    decoder.finish(&mut out);
    out
}

fn collected(events: Vec<Event>) -> Result<Answer, ErrorBody> {
    let mut collector = Collector::default();
    for event in events {
        if collector.push(event)? {
            break;
        }
    }
    collector.whole()
}

/// Answers whose streams the client's encoder makes, so that both machines are each other's check.
pub(super) fn corpus() -> Vec<Vec<BlockKind>> {
    let token = |id: &str| ReasoningToken { item_id: Some(id.into()), ..ReasoningToken::new(Family::OpenAi, "ENC") };
    let thinking = |text: &str, is_summary, id: Option<&str>| BlockKind::Thinking {
        text: text.into(),
        is_summary,
        token: id.map(token),
    };
    let call = |id: &str, item: &str, arguments: &str| {
        BlockKind::ToolUse(ToolUse {
            call_id: id.into(),
            item_id: Some(item.into()),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolUse::default()
        })
    };
    let custom = ToolUse {
        call_id: "d".into(),
        item_id: Some("ctc_gwr1_0".into()),
        name: "g".into(),
        kind: ToolKind::Custom,
        arguments: "*** ế".into(),
        ..ToolUse::default()
    };
    let cited = BlockKind::Text { text: "t".into(), annotations: vec![JsonText::parse("{\"type\":\"x\"}").unwrap()] };
    vec![
        vec![],
        vec![BlockKind::text("t")],
        vec![cited, BlockKind::text("u")],
        vec![thinking("hm", true, Some("rs_gwr1_0")), BlockKind::text("t")],
        vec![thinking("hm", true, None), BlockKind::text("t")],
        vec![call("c", "fc_gwr1_0", "{\"n\":12345678901234567890123}"), call("d", "fc_gwr1_1", "{}")],
        vec![BlockKind::text("t"), call("c", "fc_gwr1_1", "{}"), BlockKind::text("u")],
        vec![BlockKind::ToolUse(custom)],
        vec![BlockKind::Refusal("no".into())],
        vec![BlockKind::Redacted(token("rs_gwr1_0")), BlockKind::text("t")],
    ]
}

fn answer_of(kinds: Vec<BlockKind>) -> Answer {
    let reason = match () {
        () if kinds.iter().any(|kind| matches!(kind, BlockKind::ToolUse(_))) => FinishReason::Tool,
        () if kinds.iter().any(|kind| matches!(kind, BlockKind::Refusal(_))) => FinishReason::Refusal,
        () => FinishReason::End,
    };
    let head = crate::common::AnswerHead {
        id: "resp_gwr1".into(),
        model: "m".into(),
        created: 7,
        usage: None,
        service_tier: None,
    };
    let usage = Some(Usage { prompt_tokens: 3, completion_tokens: 5, ..Usage::default() });
    let blocks = kinds.into_iter().map(Block::from).collect();
    Answer { head, blocks, finish: Finish { reason, ..Finish::default() }, usage, logprobs: Vec::new() }
}

pub(super) fn encoded(answer: &Answer) -> (BytesMut, Bytes) {
    let request = r#"{"model":"m","input":"x","include":["reasoning.encrypted_content"]}"#;
    let conversation = read(request);
    let context = ReplyContext {
        request_id: "r1",
        conversation: &conversation,
        now: 7,
        input_estimate: None,
        strict: false,
        sealer: None,
    };
    let (mut encoder, mut out) = (Responses.stream(&context), BytesMut::new());
    for event in answer.clone().into_events() {
        encoder.push(event, &mut out);
    }
    (out, Responses.whole(answer.clone(), &context))
}

/// J1: what the client's side tells, the vendor's side reads back the same, streamed and whole.
#[test]
fn j1_both_sides_say_the_same() {
    for kinds in corpus() {
        let answer = answer_of(kinds);
        let (stream, whole) = encoded(&answer);
        assert_eq!(collected(decoded(&stream, &[])).unwrap(), answer);
        assert_eq!(OpenAiResponses.answer(&whole).unwrap(), answer);
    }
}

/// D5: every way to cut a stream in two, and one byte at a time, gives the same events.
#[test]
fn d5_any_chunking_decodes_the_same() {
    for kinds in corpus() {
        let (stream, _) = encoded(&answer_of(kinds));
        let whole = decoded(&stream, &[]);
        assert_eq!(decoded(&stream, &(1..stream.len()).collect::<Vec<_>>()), whole);
        for cut in (1..stream.len()).step_by(7) {
            assert_eq!(decoded(&stream, &[cut]), whole, "cut at {cut}");
        }
    }
}

fn added(index: usize, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: usize, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn argued(index: usize, delta: &str) -> Value {
    json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": delta})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"status": "completed", "output": output}})
}

fn kinds_of(events: &[Value]) -> Vec<BlockKind> {
    let answer = collected(decoded(stream_of(events).as_bytes(), &[])).unwrap();
    answer.blocks.into_iter().map(|block| block.kind).collect()
}

/// Items that mix are told one after the other.
#[test]
fn mixed_items_are_put_in_order() {
    let call = |id: &str, arguments: &str| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "f", "arguments": arguments});
    let events = [
        added(0, call("a", "")),
        added(1, call("b", "")),
        argued(1, "{\"b\""),
        argued(0, "{\"a\""),
        added(2, call("c", "")),
        argued(1, ":1}"),
        done(1, call("b", "{\"b\":1}")),
        argued(0, ":1}"),
        argued(2, "{}"),
        done(0, call("a", "{\"a\":1}")),
        done(2, call("c", "{}")),
        completed(json!([])),
    ];
    let told = |id: &str, arguments: &str| {
        BlockKind::ToolUse(ToolUse {
            call_id: id.into(),
            item_id: Some(format!("fc_{id}")),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolUse::default()
        })
    };
    assert_eq!(kinds_of(&events), [told("a", "{\"a\":1}"), told("b", "{\"b\":1}"), told("c", "{}")]);
}

/// Servers that leave out events are understood: whole items alone, items at the end alone, texts in `done` alone.
#[test]
fn what_is_left_out_is_made_up_for() {
    let message =
        json!({"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "t", "annotations": []}]});
    let call = json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"});
    let bare = json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""});
    let text = |kind: &str, field: &str| json!({"type": kind, "output_index": 0, "content_index": 0, field: "t"});
    let told = BlockKind::ToolUse(ToolUse {
        call_id: "c".into(),
        item_id: Some("fc_1".into()),
        name: "f".into(),
        arguments: "{}".into(),
        ..ToolUse::default()
    });
    let said = BlockKind::text("t");
    for events in [
        vec![done(0, message.clone()), done(1, call.clone()), completed(json!([]))],
        vec![completed(json!([message, call]))],
        vec![done(0, message.clone()), completed(json!([message, call]))],
        vec![
            added(0, message.clone()),
            text("response.output_text.delta", "delta"),
            added(1, bare.clone()),
            done(1, call.clone()),
            completed(json!([])),
        ],
        vec![
            text("response.output_text.done", "text"),
            done(0, message.clone()),
            added(1, bare.clone()),
            json!({"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{}"}),
            completed(json!([])),
        ],
        vec![
            json!({"type": "response.made_up", "output_index": 0, "delta": {}}),
            json!({"type": "keepalive"}),
            done(0, message.clone()),
            added(1, bare),
            done(1, call.clone()),
            completed(json!([message, call])),
        ],
    ] {
        assert_eq!(kinds_of(&events), [said.clone(), told.clone()], "{events:?}");
    }
}

/// J3, D2: what broke off is an error, and what was counted is told before it.
#[test]
fn j3_what_breaks_off_is_an_error() {
    let last = |events: &[Value]| decoded(stream_of(events).as_bytes(), &[]).pop();
    let code = |event: Option<Event>| match event {
        Some(Event::Error(error)) => error.code.unwrap_or_default(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(last(&[added(0, json!({"type": "message"}))])), "stream_cut");
    assert_eq!(
        code(last(&[json!({"type": "error", "code": "rate_limit_exceeded", "message": "m"})])),
        "rate_limit_exceeded"
    );
    let failed = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "server_error", "message": "m"}, "usage": {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}}});
    let events = decoded(stream_of(&[failed]).as_bytes(), &[]);
    assert!(matches!(&events[1..], [Event::Usage(usage), Event::Error(_)] if usage.prompt_tokens == 3), "{events:?}");
    assert_eq!(code(decoded(b"data: x\n\n", &[]).pop()), "malformed_stream");
    assert_eq!(code(decoded(b"{\"error\":{\"message\":\"m\",\"code\":\"c\"}}", &[]).pop()), "c");
}

/// other-framing: a whole answer in the place of a stream is told as one.
#[test]
fn a_whole_answer_is_told_as_a_stream() {
    let answer = answer_of(vec![BlockKind::text("t")]);
    let (_, whole) = encoded(&answer);
    assert_eq!(collected(decoded(&whole, &[])).unwrap(), answer);
}
