use bytes::BytesMut;
use serde_json::{Number, Value, json};

use super::*;
use crate::common::{Event, Finish, JsonText, Role, Sampling, ToolUse, Turn};

fn read(body: Value) -> Result<Conversation, BadRequest> {
    Completions.read(&JsonObject::parse(Bytes::from(body.to_string())).unwrap())
}

fn context(conversation: &Conversation) -> ReplyContext<'_> {
    ReplyContext { request_id: "r1", conversation, now: 7, input_estimate: None, strict: false, sealer: None }
}

/// A prompt is a user's words, and every parameter has its place.
#[test]
fn a_prompt_is_a_turn() {
    let body = json!({"model": "m", "prompt": ["Say hi"], "max_tokens": 5, "temperature": 0.5, "top_p": 1, "stop": "x", "seed": 3,
        "frequency_penalty": 0.1, "presence_penalty": -1, "logit_bias": {"5": 1}, "logprobs": 2, "user": "u", "stream": true,
        "stream_options": {"include_usage": true}, "n": 1, "best_of": 1.0, "echo": false, "suffix": null, "min_p": 0.1, "x": null});
    let expected = Conversation {
        model: "m".into(),
        turns: vec![Turn::new(Role::User, vec![BlockKind::text("Say hi").into()])],
        max_output_tokens: Some(5),
        sampling: Sampling {
            temperature: Number::from_f64(0.5),
            top_p: Some(1.into()),
            top_k: None,
            stop: vec!["x".into()],
            seed: Some(3.into()),
            frequency_penalty: Number::from_f64(0.1),
            presence_penalty: Some((-1).into()),
            choices: None,
            logit_bias: JsonText::parse(r#"{"5":1}"#).ok(),
            logprobs: Some(true),
            top_logprobs: Some(2),
        },
        identity: crate::common::Identity { user: Some("u".into()), cache_key: None },
        stream: true,
        include_usage: true,
        rest: vec![("min_p".into(), JsonText::parse("0.1").unwrap())],
        rest_family: Some(Family::Other),
        ..Conversation::default()
    };
    assert_eq!(read(body), Ok(expected));
    let plain = read(json!({"model": "m", "prompt": "a", "stop": ["x", "y"]})).unwrap();
    assert_eq!((plain.max_output_tokens, plain.stream, plain.sampling.stop.len()), (Some(16), false, 2));
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let cases = [
        ("prompt", json!(["a", "b"])),
        ("prompt", json!([1, 2])),
        ("prompt", json!([[1, 2]])),
        ("prompt", json!([])),
        ("prompt", json!(7)),
        ("prompt", Value::Null),
        ("suffix", json!("x")),
        ("echo", json!(true)),
        ("best_of", json!(2)),
        ("n", json!(2.0)),
        ("n", json!("2")),
        ("stop", json!(3)),
        ("temperature", json!("hot")),
        ("max_tokens", json!(-1)),
        ("model", Value::Null),
        ("messages", json!([])),
        ("max_completion_tokens", json!(100_000)),
        ("tools", json!([])),
        ("tool_choice", json!("auto")),
        ("functions", json!([])),
        ("response_format", json!({"type": "json_object"})),
        ("reasoning_effort", json!("high")),
        ("thinking", json!({"type": "adaptive"})),
    ];
    for (name, value) in cases {
        let mut body = json!({"model": "m", "prompt": "a"});
        body[name] = value;
        assert_eq!(read(body.clone()).unwrap_err().param.as_deref(), Some(name), "{body}");
    }
}

fn answer() -> Answer {
    let kinds = [
        BlockKind::Thinking { text: "hm".into(), is_summary: false, token: None },
        BlockKind::text("é"),
        BlockKind::text("b"),
        BlockKind::ToolUse(ToolUse::default()),
    ];
    Answer {
        head: AnswerHead { model: "vendor-m".into(), ..AnswerHead::default() },
        blocks: kinds.into_iter().map(Into::into).collect(),
        finish: Finish { reason: FinishReason::Length, ..Finish::default() },
        usage: Some(Usage { prompt_tokens: 3, completion_tokens: 5, cached_tokens: 2, ..Usage::default() }),
        logprobs: [
            r#"[{"token":"é","logprob":-0.5,"bytes":null,"top_logprobs":[{"token":"e","logprob":-1}]}]"#,
            r#"[{"token":"b","logprob":-2.5}]"#,
        ]
        .map(|list| JsonText::parse(list).unwrap())
        .to_vec(),
    }
}

#[test]
fn a_whole_answer_is_a_text() {
    let conversation = Conversation { model: "m".into(), ..Conversation::default() };
    let told: Value = serde_json::from_slice(&Completions.whole(answer(), &context(&conversation))).unwrap();
    let logprobs = json!({"tokens": ["é", "b"], "token_logprobs": [-0.5, -2.5], "top_logprobs": [{"e": -1}, {}],
        "text_offset": [0, 1]});
    let expected = json!({"id": "cmpl-r1", "object": "text_completion", "created": 7, "model": "vendor-m",
        "choices": [{"text": "éb", "index": 0, "logprobs": logprobs, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 0}}});
    assert_eq!(told, expected);
    let told: Value = serde_json::from_slice(&Completions.whole(Answer::default(), &context(&conversation))).unwrap();
    let empty = json!([{"text": "", "index": 0, "logprobs": null, "finish_reason": "stop"}]);
    assert_eq!((&told["choices"], &told["model"], told.get("usage")), (&empty, &json!("m"), None));
}

fn frames(events: Vec<Event>, conversation: &Conversation) -> Vec<String> {
    let (mut encoder, mut out) = (Completions.stream(&context(conversation)), BytesMut::new());
    events.into_iter().for_each(|event| encoder.push(event, &mut out));
    let text = String::from_utf8(out.to_vec()).unwrap();
    text.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap().to_owned()).collect()
}

/// J3: chunks of one text; the usage where it was asked for; an end that is one.
#[test]
fn j3_a_stream_is_chunks_of_a_text() {
    let conversation = Conversation { model: "m".into(), include_usage: true, ..Conversation::default() };
    let mut plain = answer();
    plain.logprobs.truncate(1);
    let told = frames(plain.clone().into_events(), &conversation);
    let (done, chunks) = told.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    assert!(
        chunks.iter().all(|chunk| chunk["id"] == "cmpl-r1" && chunk["model"] == "vendor-m" && chunk["created"] == 7)
    );
    let (usage, choices) = chunks.split_last().unwrap();
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(8)));
    let logprobs = json!({"tokens": ["é"], "token_logprobs": [-0.5], "top_logprobs": [{"e": -1}], "text_offset": [0]});
    let mut said: Vec<(&Value, &Value, &Value)> = choices
        .iter()
        .map(|chunk| {
            let choice = &chunk["choices"][0];
            (&choice["text"], &choice["logprobs"], &choice["finish_reason"])
        })
        .collect();
    // Log probabilities may stand before or behind their words.
    said.sort_by_key(|(_, logprobs, _)| logprobs.is_null());
    let expected = [
        (&json!(""), &logprobs, &Value::Null),
        (&json!("é"), &Value::Null, &Value::Null),
        (&json!("b"), &Value::Null, &Value::Null),
        (&json!(""), &Value::Null, &json!("length")),
    ];
    assert_eq!(said, expected);
    let quiet = Conversation { include_usage: false, ..conversation };
    assert_eq!(frames(plain.into_events(), &quiet).len(), told.len() - 1);
}

#[test]
fn j3_a_broken_stream_ends_in_an_error() {
    let conversation = Conversation::default();
    let error = ErrorBody::new("api_error", "stream_cut", "cut");
    let events = vec![Event::Start(AnswerHead::default()), Event::Error(error.clone()), Event::Done];
    let told = frames(events, &conversation);
    let expected = r#"{"error":{"message":"cut","type":"api_error","param":null,"code":"stream_cut"}}"#;
    assert_eq!(told, [expected]);
    assert_eq!(Completions.error(502, &error, "r1"), expected);
}
