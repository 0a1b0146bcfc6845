use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::*;
use crate::wire::{BadRequest, StreamDecoder, StreamEvent};

fn request(body: Value) -> Result<(Value, Vec<String>), BadRequest> {
    let body: Map<String, Value> = serde_json::from_value(body).unwrap();
    let request = chat_request(&body, "llama3:8b")?;
    Ok((serde_json::from_slice(&request.body).unwrap(), request.dropped_params))
}

/// I1: a conversation with images, parallel calls and their results.
#[test]
fn i1_messages_are_translated() {
    let (body, _) = request(json!({"messages": [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "t1", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "t2", "function": {"name": "g", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "t2", "content": "done"}]}))
    .unwrap();
    assert_eq!(
        body["messages"],
        json!([
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "what?", "images": ["AAAA"]},
        {"role": "assistant", "content": "", "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "g", "arguments": {}}}]},
        {"role": "tool", "content": "done", "tool_name": "g"}])
    );
    assert_eq!((&body["stream"], &body["model"]), (&json!(false), &json!("llama3:8b")));
}

#[test]
fn parameters_have_their_counterparts() {
    let (body, dropped) = request(json!({"messages": [], "stream": true, "max_tokens": 9, "stop": "END", "seed": 4,
        "temperature": 0.5, "options": {"num_ctx": 100}, "keep_alive": "5m", "reasoning_effort": "low",
        "tools": [{"type": "function"}], "tool_choice": "required", "user": "u", "logit_bias": {},
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}}))
    .unwrap();
    assert_eq!(
        body["options"],
        json!({"num_ctx": 100, "temperature": 0.5, "seed": 4, "num_predict": 9, "stop": ["END"]})
    );
    assert_eq!((&body["format"], &body["think"]), (&json!({"type": "object"}), &json!("low")));
    assert_eq!((&body["keep_alive"], &body["stream"]), (&json!("5m"), &json!(true)));
    // I6: everything that is lost is told.
    assert_eq!(dropped, ["tool_choice", "user", "logit_bias"]);
    let (body, dropped) = request(json!({"messages": [], "tools": [{}], "tool_choice": "none"})).unwrap();
    assert!(body.get("tools").is_none() && dropped.is_empty());
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}});
    let cases = [
        (json!({"messages": [], "n": 2}), "n"),
        (json!({}), "messages"),
        (json!({"messages": [{"role": "user", "content": [image]}]}), "messages[0].content[0].image_url.url"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "x"}}]}]}),
            "messages[0].tool_calls[0].function.arguments",
        ),
    ];
    for (body, param) in cases {
        assert_eq!(request(body.clone()).unwrap_err().param.as_deref(), Some(param), "{body}");
    }
}

/// I5: thinking is reasoning, or gone where strict.
#[test]
fn i5_whole_answers_are_openais() {
    let body = json!({"model": "llama3:8b", "message": {"role": "assistant", "content": "", "thinking": "hm",
        "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 3, "eval_count": 4});
    let told = |strict| {
        let whole = chat_answer(body.to_string().as_bytes(), "id", 7, strict).unwrap();
        assert_eq!(whole.usage.map(|usage| usage.total_tokens()), Some(7));
        serde_json::from_slice::<Value>(&whole.body).unwrap()["choices"][0].clone()
    };
    assert_eq!(
        told(false),
        json!({"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
            {"id": "call_id_0", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}})
    );
    assert!(told(true)["message"].get("reasoning_content").is_none());
    assert_eq!(chat_answer(br#"{"error":"no"}"#, "id", 7, false).unwrap_err(), "no");
}

const LINES: &str = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n\
    {\"model\":\"m\",\"message\":{\"content\":\"Xin chào \\ud83d\"},\"done\":false}\n\
    {\"model\":\"m\",\"message\":{\"content\":\"\\ude00\"},\"done\":false}\n\
    {\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}},{\"function\":{\"name\":\"g\",\"arguments\":{\"a\":1}}}]}}\n\
    {\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":4}\n";

fn decode(text: &str, step: usize) -> Vec<StreamEvent> {
    let mut stream = ChatStream::new("id", "m", 7, false);
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(step) {
        stream.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(&mut out);
    out
}

/// D5, I1: any chunking tells the same; a split surrogate pair is joined, parallel calls have indices of their own.
#[test]
fn d5_a_stream_is_told_as_openais() {
    let whole = decode(LINES, LINES.len());
    for step in 1..60 {
        assert_eq!(decode(LINES, step), whole, "{step} bytes at a time");
    }
    let deltas: Vec<Value> = whole
        .iter()
        .filter_map(|event| match event {
            StreamEvent::Chunk { frame, .. } => serde_json::from_slice::<Value>(&frame[6..frame.len() - 2]).ok(),
            _ => None,
        })
        .map(|chunk| chunk["choices"][0]["delta"].clone())
        .collect();
    assert_eq!(deltas[1], json!({"reasoning_content": "hm"}));
    assert_eq!((&deltas[2], &deltas[3]), (&json!({"content": "Xin chào "}), &json!({"content": "😀"})));
    assert_eq!((&deltas[4]["tool_calls"][0]["index"], &deltas[5]["tool_calls"][0]["index"]), (&json!(0), &json!(1)));
    assert_eq!(deltas[5]["tool_calls"][0]["function"], json!({"name": "g", "arguments": "{\"a\":1}"}));
    assert!(matches!(&whole[whole.len() - 2], StreamEvent::Usage { usage, .. } if usage.total_tokens() == 7));
    assert_eq!(whole.last(), Some(&StreamEvent::Done));
}

/// D2: an error line and an end without `done` are errors.
#[test]
fn d2_broken_streams_are_told() {
    let first = LINES.lines().next().unwrap();
    assert!(
        matches!(decode(first, 9).last(), Some(StreamEvent::Error(error)) if error.code.as_deref() == Some("stream_cut"))
    );
    let failed = decode(&format!("{first}\n{{\"error\":\"out of memory\"}}\n"), 9);
    assert!(matches!(failed.last(), Some(StreamEvent::Error(error)) if error.message == "out of memory"));
}

#[test]
fn embeddings_are_told_in_both_encodings() {
    let body: Map<String, Value> = serde_json::from_value(json!({"input": ["a"], "dimensions": 2})).unwrap();
    let request = embeddings_request(&body, "nomic").unwrap();
    assert_eq!(
        (request.path.as_str(), &request.body[..]),
        ("/api/embed", &br#"{"model":"nomic","input":["a"],"dimensions":2}"#[..])
    );
    let tokens: Map<String, Value> = serde_json::from_value(json!({"input": [[1, 2]]})).unwrap();
    assert_eq!(embeddings_request(&tokens, "nomic").unwrap_err().param.as_deref(), Some("input"));
    let answer = br#"{"embeddings":[[0.5,-1.0]],"prompt_eval_count":2}"#;
    let told = |base64| {
        let whole = embeddings_answer(answer, "nomic", base64).unwrap();
        serde_json::from_slice::<Value>(&whole.body).unwrap()
    };
    assert_eq!(told(false)["data"][0]["embedding"], json!([0.5, -1.0]));
    assert_eq!(told(true)["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(told(false)["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
}
