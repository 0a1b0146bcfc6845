use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::*;
use crate::wire::{BadRequest, StreamDecoder, StreamEvent};

fn request(body: Value) -> Result<(Value, Vec<String>), BadRequest> {
    let body: Map<String, Value> = serde_json::from_value(body).unwrap();
    let request = chat_request(&body, "claude-x")?;
    assert_eq!(request.path, "/v1/messages");
    Ok((serde_json::from_slice(&request.body).unwrap(), request.dropped_params))
}

fn turns(messages: Value) -> Value {
    request(json!({"messages": messages})).unwrap().0["messages"].clone()
}

fn answer(body: Value, strict: bool) -> Value {
    let whole = chat_answer(body.to_string().as_bytes(), 7, strict).unwrap();
    serde_json::from_slice(&whole.body).unwrap()
}

/// I1: system texts become blocks apart from the turns, with their cache marks.
#[test]
fn i1_system_and_developer_texts_are_blocks() {
    let (body, _) = request(json!({"messages": [
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "hi"},
        {"role": "developer", "content": "b"}]}))
    .unwrap();
    assert_eq!(
        body["system"],
        json!([
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}])
    );
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]));
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("claude-x"), &json!(4096)));
}

/// I1: parallel calls, empty arguments, and results (one with an image, one an error) in a single user turn.
#[test]
fn i1_tool_calls_and_their_results() {
    let calls = json!([
        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
        {"id": "t2", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"id": "t3", "type": "function", "function": {"name": "g", "arguments": "{}"}}]);
    let found = turns(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "t1", "content": "one"},
        {"role": "tool", "tool_call_id": "t2", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "tool", "tool_call_id": "t3", "content": "no", "is_error": true},
        {"role": "user", "content": "and?"}]));
    assert_eq!(
        found[1],
        json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        {"type": "tool_use", "id": "t3", "name": "g", "input": {}}]})
    );
    assert_eq!(
        found[2],
        json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
        {"type": "tool_result", "tool_use_id": "t3", "content": "no", "is_error": true},
        {"type": "text", "text": "and?"}]})
    );
    assert_eq!(found.as_array().unwrap().len(), 3);
}

/// I1: every `tool_choice`, and tools without parameters.
#[test]
fn i1_tools_and_the_choice_among_them() {
    let tools = json!([{"type": "function", "function": {"name": "f", "description": "d", "strict": true}}]);
    let choice = |more: Value| {
        let mut body = json!({"messages": [], "tools": tools});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request(body).unwrap().0
    };
    assert_eq!(
        choice(json!({}))["tools"],
        json!([
        {"name": "f", "input_schema": {"type": "object", "properties": {}}, "description": "d", "strict": true}])
    );
    let cases = [
        (json!({"tool_choice": "auto"}), json!({"type": "auto"})),
        (json!({"tool_choice": "none"}), json!({"type": "none"})),
        (json!({"tool_choice": "required"}), json!({"type": "any"})),
        (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), json!({"type": "tool", "name": "f"})),
        (json!({"parallel_tool_calls": false}), json!({"type": "auto", "disable_parallel_tool_use": true})),
        (
            json!({"tool_choice": "required", "parallel_tool_calls": false}),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(choice(more.clone())["tool_choice"], expected, "{more}");
    }
}

#[test]
fn parameters_have_their_counterparts() {
    let (body, dropped) = request(json!({"messages": [], "max_completion_tokens": 9, "stop": "END", "top_p": 0.5,
        "temperature": 1.5, "user": "u", "stream": true, "stream_options": {"include_usage": true}, "top_k": 3,
        "seed": 1, "logprobs": true, "made_up": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}))
    .unwrap();
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!((&body["max_tokens"], &body["temperature"], &body["top_k"]), (&json!(9), &json!(1), &json!(3)));
    assert_eq!((&body["metadata"], &body["stream"]), (&json!({"user_id": "u"}), &json!(true)));
    assert_eq!(body["output_config"]["format"], json!({"type": "json_schema", "schema": {"type": "object"}}));
    // I6: everything that is lost is told.
    assert_eq!(dropped, ["temperature (over 1)", "seed", "logprobs", "made_up"]);
    let (body, dropped) = request(json!({"messages": [], "reasoning_effort": "low", "temperature": 0.2})).unwrap();
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert!(body["max_tokens"].as_u64() > Some(1024) && body.get("temperature").is_none());
    assert_eq!(dropped, ["temperature"]);
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let cases = [
        (json!({"messages": [], "n": 2}), "n"),
        (json!({"messages": 1}), "messages"),
        (json!({"messages": [{"role": "king", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}), "messages[0].content[0]"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [
            {"function": {"name": "f", "arguments": "{broken"}}]}]}),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (json!({"messages": [], "tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
    ];
    for (body, param) in cases {
        assert_eq!(request(body.clone()).unwrap_err().param.as_deref(), Some(param), "{body}");
    }
}

fn thinking() -> Value {
    json!({"type": "thinking", "thinking": "Hừm…", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="})
}

/// I4: a thinking block comes back with its signature, byte for byte, before what it led to.
#[test]
fn i4_thinking_round_trips() {
    let told = answer(
        json!({"id": "m", "model": "c", "stop_reason": "end_turn", "content": [
        thinking(), {"type": "redacted_thinking", "data": "xyz=="}, {"type": "text", "text": "Chào"}]}),
        false,
    );
    let mut message = told["choices"][0]["message"].clone();
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("Chào"), &json!("Hừm…")));
    message["role"] = json!("assistant");
    assert_eq!(
        turns(json!([message]))[0]["content"],
        json!([
        thinking(), {"type": "redacted_thinking", "data": "xyz=="}, {"type": "text", "text": "Chào"}])
    );
}

/// I5: strict answers have no reasoning, and it is never part of the content.
#[test]
fn i5_strict_answers_drop_reasoning() {
    let body = json!({"id": "m", "model": "c", "stop_reason": "end_turn",
        "content": [thinking(), {"type": "text", "text": "Chào"}]});
    let message = answer(body, true)["choices"][0]["message"].clone();
    assert_eq!(message, json!({"role": "assistant", "content": "Chào"}));
}

/// C2: Anthropic's cache tokens are beside its input tokens; ours are inside.
#[test]
fn c2_usage_counts_cache_tokens_inside() {
    let body = json!({"id": "m", "model": "c", "stop_reason": "tool_use", "content": [
        {"type": "tool_use", "id": "t", "name": "f", "input": {}}], "usage": {
        "input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30, "output_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}});
    let whole = chat_answer(body.to_string().as_bytes(), 7, true).unwrap();
    let expected = Usage {
        prompt_tokens: 140,
        completion_tokens: 5,
        cached_tokens: 100,
        cache_write_tokens: 10,
        cache_write_1h_tokens: 20,
        reasoning_tokens: 0,
    };
    assert_eq!(whole.usage, Some(expected));
    let told = answer(body, true);
    assert_eq!(told["usage"]["total_tokens"], 145);
    let choice = &told["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

/// D2: an error inside a 200 answer, and what is no message at all, are errors.
#[test]
fn d2_what_is_no_message_is_an_error() {
    for body in ["<html>", "{}", r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#] {
        assert!(chat_answer(body.as_bytes(), 1, false).is_err(), "{body}");
    }
    let error = error_body(529, br#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#);
    assert_eq!(
        (error.message.as_str(), error.kind.as_str(), error.code.as_deref()),
        ("busy", "api_error", Some("overloaded_error"))
    );
}

const RECORDED: &str = include_str!("fixtures/stream.sse");

fn decode(text: &str, cuts: &[usize], strict: bool) -> Vec<StreamEvent> {
    let mut stream = ChatStream::new("claude-x", 7, strict);
    let mut out = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&text.len()]) {
        stream.push(Bytes::copy_from_slice(&text.as_bytes()[from..cut]), &mut out);
        from = cut;
    }
    stream.finish(&mut out);
    out
}

fn deltas(events: &[StreamEvent]) -> Vec<Value> {
    let chunk = |event: &StreamEvent| match event {
        StreamEvent::Chunk { frame, .. } => {
            let json: Value = serde_json::from_slice(&frame[6..frame.len() - 2]).unwrap();
            Some(json["choices"][0].clone())
        }
        _ => None,
    };
    events.iter().filter_map(chunk).collect()
}

/// I1, I4: text, parallel tools (one without arguments) and thinking with its signature, event by event.
#[test]
fn i1_a_stream_is_told_as_openais() {
    let events = decode(RECORDED, &[], false);
    let found = deltas(&events);
    let delta = |delta: Value| json!({"index": 0, "delta": delta, "finish_reason": null});
    let call = |index: u8, id: &str, name: &str| {
        delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}))
    };
    let argument =
        |index: u8, part: &str| delta(json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]}));
    assert_eq!(
        found,
        [
            delta(json!({"role": "assistant", "content": ""})),
            delta(json!({"reasoning_content": "Hừm…"})),
            delta(json!({"thinking_blocks": [{"type": "thinking", "thinking": "Hừm…", "signature": "sig=="}]})),
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
    assert!(matches!(&events[0], StreamEvent::Chunk { content: false, .. }));
    assert!(events[1..11].iter().all(|event| matches!(event, StreamEvent::Chunk { content: true, .. })));
    let StreamEvent::Usage { usage, chunk } = &events[11] else { panic!("{:?}", events[11]) };
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens), (125, 40, 100));
    assert_eq!(serde_json::from_slice::<Value>(chunk).unwrap()["usage"]["total_tokens"], 165);
    assert_eq!(events[12..], [StreamEvent::Done]);
}

/// I5: strict streams have no reasoning at all.
#[test]
fn i5_strict_streams_drop_reasoning() {
    let found = deltas(&decode(RECORDED, &[], true));
    assert!(found.iter().all(|choice| !choice.to_string().contains("Hừm")), "{found:?}");
    assert_eq!(found[1]["delta"]["content"], "Xin ");
}

/// D5: any one cut, and one byte at a time, changes nothing.
#[test]
fn d5_any_chunking_decodes_the_same() {
    let whole = decode(RECORDED, &[], false);
    for cut in 1..RECORDED.len() {
        assert_eq!(decode(RECORDED, &[cut], false), whole, "cut at {cut}");
    }
    let every_byte: Vec<usize> = (1..RECORDED.len()).collect();
    assert_eq!(decode(RECORDED, &every_byte, false), whole);
}

/// D2: an error event and a cut are told, after what was counted so far.
#[test]
fn d2_broken_streams_are_told() {
    let begun = RECORDED.split_once("event: content_block_stop").unwrap().0;
    let cut = decode(begun, &[], false);
    assert!(matches!(&cut[cut.len() - 2], StreamEvent::Usage { usage, .. } if usage.prompt_tokens == 125));
    assert!(matches!(cut.last(), Some(StreamEvent::Error(error)) if error.code.as_deref() == Some("stream_cut")));
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let failed = decode(&format!("{begun}{error}"), &[], false);
    assert!(matches!(failed.last(), Some(StreamEvent::Error(error)) if error.message == "busy"));
}
