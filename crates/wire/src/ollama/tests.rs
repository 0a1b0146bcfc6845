use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::*;
use crate::{BadRequest, StreamDecoder, StreamEvent};

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
            {"id": "t1", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "t2", "function": {"name": "g", "arguments": {}}}]},
        {"role": "tool", "content": "done", "tool_call_id": "t2", "tool_name": "g"}])
    );
    assert_eq!((&body["stream"], &body["model"]), (&json!(false), &json!("llama3:8b")));
}

#[test]
fn parameters_have_their_counterparts() {
    let (body, dropped) = request(json!({"messages": [], "stream": true, "max_tokens": 9, "stop": "END", "seed": 4,
        "temperature": 0.5, "options": {"num_ctx": 100}, "keep_alive": "5m", "reasoning_effort": "low",
        "tools": [{"type": "function"}], "tool_choice": "required", "user": "u", "logit_bias": {}, "metadata": {"team": "x"},
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}}))
    .unwrap();
    assert_eq!(
        body["options"],
        json!({"num_ctx": 100, "temperature": 0.5, "seed": 4, "num_predict": 9, "stop": ["END"]})
    );
    assert_eq!((&body["format"], &body["think"]), (&json!({"type": "object"}), &json!("low")));
    assert_eq!((&body["keep_alive"], &body["stream"]), (&json!("5m"), &json!(true)));
    // I6: everything that is lost is told.
    assert_eq!(dropped, ["tool_choice", "user", "logit_bias", "metadata"]);
    let (body, dropped) = request(json!({"messages": [], "tools": [{}], "tool_choice": "none"})).unwrap();
    assert!(body.get("tools").is_none() && dropped.is_empty());
}

/// Ollama refuses levels that it does not know, so OpenAI's others become the nearest; `think` itself goes first.
#[test]
fn efforts_become_levels_that_ollama_knows() {
    let cases = [
        (json!("none"), json!(false)),
        (json!("minimal"), json!("low")),
        (json!("medium"), json!("medium")),
        (json!("xhigh"), json!("high")),
    ];
    for (effort, think) in cases {
        let (body, dropped) = request(json!({"messages": [], "reasoning_effort": effort})).unwrap();
        assert_eq!((&body["think"], dropped.len()), (&think, 0), "{effort}");
    }
    let (body, _) = request(json!({"messages": [], "reasoning_effort": "low", "think": true})).unwrap();
    assert_eq!(body["think"], true);
    let (body, dropped) = request(json!({"messages": [], "reasoning_effort": "huge"})).unwrap();
    assert!(body.get("think").is_none());
    assert_eq!(dropped, ["reasoning_effort"]);
}

/// I6: a message's fields without a counterpart are told once, and a schema that is missing asks for any JSON.
#[test]
fn i6_what_messages_and_formats_lose_is_told() {
    let (body, dropped) = request(json!({"response_format": {"type": "json_schema"}, "messages": [
        {"role": "user", "name": "Ann", "content": "a"}, {"role": "user", "name": "Bob", "content": "b"},
        {"role": "assistant", "content": null, "refusal": "no", "annotations": []},
        {"role": "tool", "name": "f", "content": "done"}]}))
    .unwrap();
    assert_eq!(dropped, ["messages[].name", "response_format"]);
    assert_eq!((&body["format"], &body["messages"][2]["content"]), (&json!("json"), &json!("no")));
    assert_eq!(body["messages"][3]["tool_name"], "f");
    assert_eq!(
        request(json!({"messages": [], "response_format": {"type": "json_object"}})).unwrap().0["format"],
        "json"
    );
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}});
    let cases = [
        (json!({"messages": [], "n": 2}), "n"),
        (json!({"messages": [], "n": 2.0}), "n"),
        (json!({}), "messages"),
        (json!({"messages": ["hello"]}), "messages[0]"),
        (json!({"messages": [], "options": [1]}), "options"),
        (json!({"messages": [], "stop": 3}), "stop"),
        (json!({"messages": [], "response_format": {"type": "grammar"}}), "response_format.type"),
        (json!({"messages": [], "tools": [{"type": "function"}, {"type": "custom"}]}), "tools[1].type"),
        (json!({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}), "messages[0].content[0].type"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "t", "type": "custom"}]}]}),
            "messages[0].tool_calls[0].function.name",
        ),
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
        "role": "assistant", "content": null, "refusal": null, "reasoning_content": "hm", "tool_calls": [
            {"id": "call_id_0", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}})
    );
    assert!(told(true)["message"].get("reasoning_content").is_none());
    assert_eq!(chat_answer(br#"{"error":"no"}"#, "id", 7, false).unwrap_err(), "no");
    assert_eq!(chat_answer(br#"{"error":{"message":"no"}}"#, "id", 7, false).unwrap_err(), "no");
}

fn whole_answer(body: &[u8], id: &str) -> Value {
    serde_json::from_slice(&chat_answer(body, id, 7, false).unwrap().body).unwrap()
}

#[test]
fn a_whole_answer_survives_a_lone_surrogate_and_missing_counts() {
    let answer = whole_answer(br#"{"message":{"content":"a\ud83d"},"done":true,"done_reason":"length"}"#, "id");
    assert_eq!(answer["choices"][0]["message"]["content"], "a\u{fffd}");
    assert_eq!((&answer["choices"][0]["finish_reason"], answer.get("usage")), (&json!("length"), None));
}

/// D2: a whole answer that stops before its end is none.
#[test]
fn d2_an_incomplete_whole_answer_is_an_error() {
    for body in [&br#"{"message":{"content":"a"},"done":false}"#[..], br#"{"message":{"content":"a"#, b"[]"] {
        assert!(chat_answer(body, "id", 7, false).is_err(), "{body:?}");
    }
}

/// OpenAI refuses a conversation in which a call's id has more than 40 characters, as a later fallback may meet.
#[test]
fn ids_of_calls_are_ollamas_or_short_enough_for_openai() {
    let body = br#"{"message":{"tool_calls":[{"function":{"name":"f"}},{"id":"call_x","function":{"name":"g"}},
        {"id":"","function":{"name":"h"}}]},"done":true}"#;
    let answer = whole_answer(body, "chatcmpl-0123456789abcdef0123456789abcdef");
    let ids: Vec<&str> =
        (0..3).map(|at| answer["choices"][0]["message"]["tool_calls"][at]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["call_0123456789abcdef0123456789abcdef_0", "call_x", "call_0123456789abcdef0123456789abcdef_2"]);
    assert_eq!(call_id(&format!("chatcmpl-{}", "ế".repeat(50)), 10).chars().count(), 40);
}

#[test]
fn logprobs_are_openais() {
    let given = r#"{"message":{"content":"a"},"logprobs":[{"token":"a","logprob":-0.5}],"done":false}"#;
    let told =
        json!({"content": [{"token": "a", "logprob": -0.5, "bytes": null, "top_logprobs": []}], "refusal": null});
    let whole = whole_answer(given.replace("false", "true").as_bytes(), "id");
    assert_eq!(whole["choices"][0]["logprobs"], told);
    let events = decode(&format!("{given}\n{{\"done\":true}}\n"), 9);
    assert_eq!(
        choices(&events).iter().map(|choice| &choice["logprobs"]).collect::<Vec<_>>(),
        [&Value::Null, &told, &Value::Null]
    );
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

/// The choices of the chunks among these events.
fn choices(events: &[StreamEvent]) -> Vec<Value> {
    let json_of = |event: &StreamEvent| match event {
        StreamEvent::Chunk { frame, .. } => serde_json::from_slice::<Value>(&frame[6..frame.len() - 2]).ok(),
        _ => None,
    };
    events.iter().filter_map(json_of).map(|chunk| chunk["choices"][0].clone()).collect()
}

/// D5, I1: any chunking tells the same; a split surrogate pair is joined, parallel calls have indices of their own.
#[test]
fn d5_a_stream_is_told_as_openais() {
    let whole = decode(LINES, LINES.len());
    for step in 1..60 {
        assert_eq!(decode(LINES, step), whole, "{step} bytes at a time");
    }
    let deltas: Vec<Value> = choices(&whole).iter().map(|choice| choice["delta"].clone()).collect();
    // Only the role's chunk leaves the way open for another target (D1).
    let opening = |event: &&StreamEvent| matches!(event, StreamEvent::Chunk { content: false, .. });
    assert_eq!(
        (deltas[0].clone(), whole.iter().filter(opening).count()),
        (json!({"role": "assistant", "content": ""}), 1)
    );
    assert!(matches!(whole[0], StreamEvent::Chunk { content: false, .. }));
    assert_eq!(choices(&whole).last().unwrap()["finish_reason"], "tool_calls");
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
    // The code of each way to break: an error object, a cut inside a line, and a line of something else.
    let cases = [
        (r#"{"error":{"message":"x","code":"busy"}}"#, "busy"),
        (r#"{"message":{"content":"Xin ch"#, "stream_cut"),
        ("[]\n", "malformed_stream"),
        ("<html>\n", "malformed_stream"),
    ];
    for (last, code) in cases {
        let events = decode(&format!("{first}\n{last}"), 7);
        let errors: Vec<_> = events.iter().filter(|event| matches!(event, StreamEvent::Error(_))).collect();
        let [StreamEvent::Error(error)] = errors[..] else { panic!("{last}: {events:?}") };
        assert_eq!(error.code.as_deref(), Some(code), "{last}");
    }
}

/// I5: strict streams lose thinking and never gain it as content.
#[test]
fn i5_a_strict_stream_has_no_thinking() {
    let mut stream = ChatStream::new("id", "m", 7, true);
    let mut out = Vec::new();
    stream.push(Bytes::from_static(LINES.as_bytes()), &mut out);
    let told = format!("{:?}", choices(&out));
    assert!(!told.contains("hm") && !told.contains("reasoning") && told.contains("Xin chào"), "{told}");
}

#[test]
fn a_missing_model_is_told_from_a_missing_path() {
    let code = |body: &str| error_body(404, body.as_bytes()).code;
    assert_eq!(code(r#"{"error":"model 'x' not found"}"#).as_deref(), Some("model_not_found"));
    assert_eq!(code("404 page not found"), None);
    assert_eq!(error_body(500, br#"{"error":"out of memory"}"#).message, "out of memory");
}

#[test]
fn embeddings_are_told_in_both_encodings() {
    let body: Map<String, Value> = serde_json::from_value(json!({"input": ["a"], "dimensions": 2,
        "encoding_format": "base64", "user": "u", "odd": 1, "none": null}))
    .unwrap();
    let request = embeddings_request(&body, "nomic").unwrap();
    assert_eq!(request.dropped_params, ["user", "odd"]);
    assert_eq!(
        (request.path.as_str(), &request.body[..]),
        ("/api/embed", &br#"{"model":"nomic","input":["a"],"dimensions":2}"#[..])
    );
    let tokens: Map<String, Value> = serde_json::from_value(json!({"input": [[1, 2]]})).unwrap();
    assert_eq!(embeddings_request(&tokens, "nomic").unwrap_err().param.as_deref(), Some("input"));
    let answer = br#"{"embeddings":[[0.5,-1.0],[0.1,2e-7]],"prompt_eval_count":2}"#;
    let told = |base64| {
        let whole = embeddings_answer(answer, "nomic", base64).unwrap();
        serde_json::from_slice::<Value>(&whole.body).unwrap()
    };
    assert_eq!(told(false)["data"][0]["embedding"], json!([0.5, -1.0]));
    assert_eq!(told(true)["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(told(false)["data"][1]["embedding"].to_string(), "[0.1,2e-7]", "numbers stay as they came");
    assert_eq!(told(false)["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
}

/// other-framing: one whole answer in a stream's place may be spread over lines, with a byte order mark before it.
#[test]
fn a_whole_answer_is_told_as_a_stream() {
    let whole = json!({"model": "llama3:8b", "message": {"role": "assistant", "content": "good"}, "done": true,
        "prompt_eval_count": 5, "eval_count": 2});
    let pretty = format!("\u{feff}{whole:#}");
    for text in [pretty.clone(), pretty + "\n", whole.to_string()] {
        let events = decode(&text, 7);
        assert_eq!(events.last(), Some(&StreamEvent::Done), "{text}: {events:?}");
        assert_eq!(choices(&events)[1]["delta"]["content"], "good", "{text}");
    }
    let error = decode("{\n\"error\": \"xyzzy\"\n}", 7);
    assert!(matches!(&error[..], [StreamEvent::Error(error)] if error.message == "xyzzy"), "{error:?}");
}

/// G8: an answer that is never whole takes time in proportion to its length, however many lines it has.
#[test]
fn a_hostile_answer_of_many_lines_is_read_once() {
    let text = "[\n".repeat(1 << 20);
    let begun = std::time::Instant::now();
    let events = decode(&text, 1 << 16);
    let StreamEvent::Error(error) = &events[0] else { panic!("{events:?}") };
    assert_eq!((error.code.as_deref(), events.len()), (Some("stream_cut"), 1));
    // It takes minutes where each line reads the whole.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "took {:?}", begun.elapsed());
}
