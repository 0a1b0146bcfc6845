use super::*;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("no object: {other}"),
    }
}

fn whole() -> Map<String, Value> {
    object(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "system_fingerprint": "fp",
        "service_tier": "default",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Xin chào!", "refusal": null,
                "reasoning_content": "They greet."},
             "logprobs": {"content": [{"token": "Xin", "logprob": -0.1}, {"token": " chào!", "logprob": -0.2}],
                "refusal": null},
             "finish_reason": "stop"},
            {"index": 1, "message": {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
             "logprobs": null, "finish_reason": "tool_calls"},
        ],
    }))
}

/// F4: a whole answer told as a stream makes the same whole answer again, tool calls and reasoning included.
#[test]
fn f4_a_whole_answer_survives_being_streamed() {
    let chunks = chunks_of(&whole());
    assert_eq!(chunks.len(), 4);
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == "chatcmpl-1"));
    assert_eq!(chunks[2]["choices"][0]["delta"]["tool_calls"][1]["index"], 1);
    let mut joined = AnswerBuilder::default();
    chunks.into_iter().for_each(|chunk| joined.push(chunk));
    assert_eq!(Value::Object(joined.whole()), Value::Object(whole()));
}

/// F4: a stream as vendors send it comes to the whole answer that they would have sent.
#[test]
fn f4_the_pieces_of_a_stream_are_joined() {
    let chunk = |choices: Value| {
        object(json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
            "system_fingerprint": "fp", "service_tier": "default", "choices": choices}))
    };
    let delta = |index: u64, delta: Value, finish: Value| {
        chunk(json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]))
    };
    let logprobs = |token: &str, logprob: f64, delta: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": null,
            "logprobs": {"content": [{"token": token, "logprob": logprob}], "refusal": null}}]))
    };
    let call = |index: u64, call: Value| {
        let mut call = object(call);
        call.insert("index".to_owned(), json!(index));
        delta(1, json!({"tool_calls": [call]}), Value::Null)
    };
    let mut joined = AnswerBuilder::default();
    for chunk in [
        delta(0, json!({"role": "assistant", "content": "", "refusal": null}), Value::Null),
        delta(1, json!({"role": "assistant", "content": null}), Value::Null),
        delta(0, json!({"reasoning_content": "They "}), Value::Null),
        call(0, json!({"id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}})),
        delta(0, json!({"reasoning_content": "greet."}), Value::Null),
        logprobs("Xin", -0.1, json!({"content": "Xin"})),
        call(0, json!({"function": {"arguments": "{\"a\""}})),
        call(1, json!({"id": "call_b", "type": "function", "function": {"name": "g", "arguments": "{}"}})),
        logprobs(" chào!", -0.2, json!({"content": " chào!"})),
        call(0, json!({"function": {"arguments": ":1}"}})),
        delta(1, json!({}), json!("tool_calls")),
        delta(0, json!({}), json!("stop")),
    ] {
        joined.push(chunk);
    }
    assert_eq!(Value::Object(joined.whole()), Value::Object(whole()));
}
