use serde_json::{Value, json};

use super::*;
use crate::common::{
    Answer, AnswerHead, Block, BlockHead, BlockKind, Delta, Finish, FinishReason, JsonText, ReasoningToken, ToolUse,
};
use crate::{ErrorBody, Usage};

pub(super) const PLAIN: &str = r#"{"model":"m","input":"hi","stream":true}"#;
const SEALED: &str = r#"{"model":"m","input":"hi","include":["reasoning.encrypted_content"]}"#;

pub(super) fn answer(kinds: Vec<BlockKind>, reason: FinishReason) -> Answer {
    Answer {
        head: AnswerHead { id: "v".into(), model: "vm".into(), created: 7, usage: None, service_tier: None },
        blocks: kinds.into_iter().map(Block::from).collect(),
        finish: Finish { reason, ..Finish::default() },
        usage: Some(Usage { prompt_tokens: 3, completion_tokens: 5, ..Usage::default() }),
        logprobs: Vec::new(),
    }
}

pub(super) fn call(id: &str, name: &str, arguments: &str) -> BlockKind {
    let (call_id, name, arguments) = (id.into(), name.into(), arguments.into());
    BlockKind::ToolUse(ToolUse { call_id, name, arguments, ..ToolUse::default() })
}

fn thinking(text: &str, is_summary: bool, token: Option<ReasoningToken>) -> BlockKind {
    BlockKind::Thinking { text: text.into(), is_summary, token }
}

fn matrix() -> Vec<(&'static str, Answer)> {
    let seal = || Some(ReasoningToken::new(Family::Anthropic, "SIG"));
    let end = FinishReason::End;
    let cited = BlockKind::Text { text: "t".into(), annotations: vec![JsonText::parse("{\"type\":\"x\"}").unwrap()] };
    vec![
        ("text", answer(vec![BlockKind::text("t")], end)),
        ("reasoning and text", answer(vec![thinking("hm", true, seal()), BlockKind::text("t")], end)),
        ("raw reasoning", answer(vec![thinking("hm", false, None), BlockKind::text("t")], end)),
        ("tool", answer(vec![call("c", "f", "{\"a\":1}")], FinishReason::Tool)),
        ("two tools", answer(vec![call("c", "f", "{}"), call("d", "g", "")], FinishReason::Tool)),
        ("text, tool, text", answer(vec![BlockKind::text("t"), call("c", "f", "{}"), BlockKind::text("u")], end)),
        ("two texts", answer(vec![BlockKind::text("t"), BlockKind::text("u"), cited], end)),
        ("refusal", answer(vec![BlockKind::Refusal("no".into())], FinishReason::Refusal)),
        ("length", answer(vec![BlockKind::text("t")], FinishReason::Length)),
        ("filter", answer(vec![], FinishReason::Filter)),
        ("redacted", answer(vec![BlockKind::Redacted(seal().unwrap()), BlockKind::text("t")], end)),
        ("empty", answer(vec![], end)),
        ("empty text", answer(vec![BlockKind::text("")], end)),
    ]
}

/// Follows a stream as openai-python, openai-node and Codex do, and gives what each gathers.
fn check(name: &str, frames: &[Value]) -> Value {
    let mut output: Vec<Value> = Vec::new();
    let mut done: Vec<Value> = Vec::new();
    for (at, frame) in frames.iter().enumerate() {
        assert_eq!(frame["sequence_number"], at, "{name}");
        let kind = frame["type"].as_str().unwrap();
        assert_eq!(kind == "response.created", at == 0, "{name}");
        let index = frame["output_index"].as_u64().map(|index| index as usize);
        let place = |name: &str| frame[name].as_u64().unwrap() as usize;
        let add = |value: &mut Value, more: &Value| {
            *value = json!(value.as_str().unwrap().to_owned() + more.as_str().unwrap())
        };
        match kind {
            "response.output_item.added" => {
                assert_eq!((index.unwrap(), done.len()), (output.len(), output.len()), "{name}: one at a time");
                assert_eq!(frame["item"]["status"], "in_progress", "{name}");
                output.push(frame["item"].clone());
                continue;
            }
            "response.output_item.done" => {
                assert_eq!(index.unwrap(), done.len(), "{name}");
                assert_eq!(frame["item"]["id"], output[index.unwrap()]["id"], "{name}");
                done.push(frame["item"].clone());
                continue;
            }
            _ => {}
        }
        let Some(item) = index.map(|index| &mut output[index]) else { continue };
        assert_eq!(frame["item_id"], item["id"], "{name} {kind}");
        match kind {
            "response.content_part.added" => {
                if item["content"].is_null() {
                    item["content"] = json!([]);
                }
                assert_eq!(item["content"].as_array().unwrap().len(), place("content_index"), "{name}");
                item["content"].as_array_mut().unwrap().push(frame["part"].clone());
            }
            "response.output_text.delta" => add(&mut item["content"][place("content_index")]["text"], &frame["delta"]),
            "response.refusal.delta" => add(&mut item["content"][place("content_index")]["refusal"], &frame["delta"]),
            "response.output_text.annotation.added" => {
                let annotations = item["content"][place("content_index")]["annotations"].as_array_mut().unwrap();
                assert_eq!(annotations.len(), place("annotation_index"), "{name}");
                annotations.push(frame["annotation"].clone());
            }
            "response.output_text.done" => assert_eq!(frame["text"], item["content"][place("content_index")]["text"]),
            "response.content_part.done" => item["content"][place("content_index")] = frame["part"].clone(),
            "response.reasoning_summary_part.added" => {
                assert_eq!(item["summary"].as_array().unwrap().len(), place("summary_index"), "{name}");
                item["summary"].as_array_mut().unwrap().push(frame["part"].clone());
            }
            "response.reasoning_summary_text.delta" => {
                add(&mut item["summary"][place("summary_index")]["text"], &frame["delta"]);
            }
            "response.function_call_arguments.delta" => add(&mut item["arguments"], &frame["delta"]),
            "response.function_call_arguments.done" => {
                assert_eq!((&frame["arguments"], &frame["name"]), (&item["arguments"], &item["name"]), "{name}");
            }
            "response.custom_tool_call_input.delta" => add(&mut item["input"], &frame["delta"]),
            "response.custom_tool_call_input.done" => assert_eq!(frame["input"], item["input"], "{name}"),
            _ => {}
        }
    }
    let last = &frames.last().unwrap()["response"];
    assert_eq!(last["output"], json!(done), "{name}: the end has all items");
    for item in &mut output {
        item["status"] = json!("completed");
        item.as_object_mut().unwrap().shift_remove("encrypted_content");
    }
    for item in &mut done {
        assert_eq!(item["status"], "completed", "{name}");
        item.as_object_mut().unwrap().shift_remove("encrypted_content");
    }
    assert_eq!(output, done, "{name}: deltas come to what is told at the end");
    last.clone()
}

/// J1: every answer is told by events in their order, numbered without gaps, that come to the same as the whole answer.
#[test]
fn j1_streams_follow_the_format() {
    for request in [PLAIN, SEALED] {
        let conversation = read(request);
        for (name, answer) in matrix() {
            let frames = told(&conversation, answer.clone().into_events());
            let last = check(name, &frames);
            let mut whole: Value = serde_json::from_slice(&Responses.whole(answer, &context(&conversation))).unwrap();
            assert_eq!(whole["created_at"], 7);
            assert_eq!(whole["completed_at"].is_null(), last["status"] == "incomplete");
            (whole["created_at"], whole["completed_at"]) = (last["created_at"].clone(), Value::Null);
            assert_eq!(whole, last, "{name}");
        }
    }
}

/// J1: the events of each answer of the matrix.
#[test]
fn j1_events_of_the_matrix() {
    let conversation = read(PLAIN);
    let message = [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ];
    let function =
        ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"];
    let thought = [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ];
    let refusal = [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ];
    let expected: Vec<(&str, Vec<&str>, &str)> = vec![
        ("text", message.to_vec(), "completed"),
        ("reasoning and text", [thought.as_slice(), &message].concat(), "completed"),
        ("tool", function.to_vec(), "completed"),
        ("two tools", [function, function].concat(), "completed"),
        ("text, tool, text", [message.as_slice(), &function, &message].concat(), "completed"),
        ("refusal", refusal.to_vec(), "completed"),
        ("length", message.to_vec(), "incomplete"),
        ("filter", vec![], "incomplete"),
        ("empty", vec![], "completed"),
        ("empty text", vec![], "completed"),
        ("redacted", message.to_vec(), "completed"),
    ];
    for (name, items, end) in expected {
        let (_, answer) = matrix().into_iter().find(|(known, _)| *known == name).unwrap();
        let frames = told(&conversation, answer.into_events());
        let all = [["created", "in_progress"].as_slice(), &items, &[end]].concat();
        assert_eq!(kinds(&frames), all, "{name}");
    }
}

/// J1: one stream to the letter.
#[test]
fn j1_a_stream_to_the_letter() {
    let conversation = read(PLAIN);
    let frames = told(&conversation, answer(vec![BlockKind::text("t")], FinishReason::End).into_events());
    let response = |status: &str, model: &str, output: Value, usage: Value| {
        json!({"id": "resp_gwr1", "object": "response", "created_at": 1_700_000_000, "status": status,
            "background": false, "completed_at": null, "error": null, "incomplete_details": null, "instructions": null,
            "max_output_tokens": null, "max_tool_calls": null, "metadata": {}, "model": model, "output": output,
            "parallel_tool_calls": true, "previous_response_id": null, "reasoning": {"effort": null, "summary": null},
            "service_tier": "default", "store": false, "temperature": null, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "top_p": null, "truncation": "disabled", "usage": usage})
    };
    let item = |status: &str, content: Value| json!({"id": "msg_gwr1_0", "type": "message", "status": status, "role": "assistant", "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let usage = json!({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 8});
    let whole = json!([item("completed", json!([part("t")]))]);
    let id = "msg_gwr1_0";
    let expected = [
        json!({"type": "response.created", "sequence_number": 0,
            "response": response("in_progress", "vm", json!([]), Value::Null)}),
        json!({"type": "response.in_progress", "sequence_number": 1,
            "response": response("in_progress", "vm", json!([]), Value::Null)}),
        json!({"type": "response.output_item.added", "sequence_number": 2, "output_index": 0,
            "item": item("in_progress", json!([]))}),
        json!({"type": "response.content_part.added", "sequence_number": 3, "item_id": id, "output_index": 0,
            "content_index": 0, "part": part("")}),
        json!({"type": "response.output_text.delta", "sequence_number": 4, "item_id": id, "output_index": 0,
            "content_index": 0, "delta": "t", "logprobs": []}),
        json!({"type": "response.output_text.done", "sequence_number": 5, "item_id": id, "output_index": 0,
            "content_index": 0, "text": "t", "logprobs": []}),
        json!({"type": "response.content_part.done", "sequence_number": 6, "item_id": id, "output_index": 0,
            "content_index": 0, "part": part("t")}),
        json!({"type": "response.output_item.done", "sequence_number": 7, "output_index": 0,
            "item": item("completed", json!([part("t")]))}),
        json!({"type": "response.completed", "sequence_number": 8,
            "response": response("completed", "vm", whole, usage)}),
    ];
    for (frame, expected) in frames.iter().zip(&expected) {
        assert_eq!(frame.to_string(), expected.to_string());
    }
    assert_eq!(frames.len(), expected.len());
}

/// J14: distinct counts all arrive.
#[test]
fn j14_usage_has_all_its_fields() {
    let usage = Usage {
        prompt_tokens: 101,
        completion_tokens: 53,
        cached_tokens: 31,
        cache_write_tokens: 7,
        cache_write_1h_tokens: 11,
        reasoning_tokens: 23,
        ..Usage::default()
    };
    let told = r#"{"input_tokens":101,"input_tokens_details":{"cached_tokens":31,"cache_write_tokens":18},"output_tokens":53,"output_tokens_details":{"reasoning_tokens":23},"total_tokens":154}"#;
    assert_eq!(usage_json(&usage).to_string(), told);
}

/// J3: a failure at any place is one `response.failed` with what came, and nothing follows it.
#[test]
fn j3_a_failure_ends_the_stream_once() {
    let conversation = read(PLAIN);
    let all = answer(vec![BlockKind::text("t"), call("c", "f", "{}")], FinishReason::Tool).into_events();
    for at in 0..all.len() {
        let mut events = all[..at].to_vec();
        events.push(Event::Error(ErrorBody::new("insufficient_quota", "budget_exceeded", "spent")));
        events.extend([Event::Done, Event::BlockStart(9, BlockHead::Text), Event::Delta(9, Delta::Text("x".into()))]);
        let frames = told(&conversation, events);
        let last = frames.last().unwrap();
        let failures = frames.iter().filter(|frame| frame["type"] == "response.failed").count();
        assert_eq!((last["type"].as_str(), failures), (Some("response.failed"), 1));
        assert_eq!(last["response"]["status"], "failed");
        assert_eq!(last["response"]["error"], json!({"code": "insufficient_quota", "message": "spent"}));
        assert!(frames.iter().enumerate().all(|(at, frame)| frame["sequence_number"] == at));
    }
}

/// J21: the stream can be opened before the vendor has answered, and is opened once.
#[test]
fn j21_a_stream_can_be_opened_early() {
    let conversation = read(PLAIN);
    let mut encoder = Responses.stream(&context(&conversation));
    let mut out = BytesMut::new();
    encoder.begin(&mut out);
    for event in answer(vec![BlockKind::text("t")], FinishReason::End).into_events() {
        encoder.push(event, &mut out);
    }
    let frames = frames(out);
    assert_eq!(kinds(&frames)[..3], ["created", "in_progress", "output_item.added"]);
    assert!(frames.iter().enumerate().all(|(at, frame)| frame["sequence_number"] == at));
}

/// J5: a vendor's seal travels only where it was asked for, wrapped where it is another family's.
#[test]
fn j5_seals_are_told_where_asked_for() {
    let token = ReasoningToken::new(Family::Anthropic, "SIG");
    let blocks = vec![thinking("hm", false, Some(token.clone())), BlockKind::Redacted(token)];
    let items = |request: &str| {
        let conversation = read(request);
        let whole = Responses.whole(answer(blocks.clone(), FinishReason::End), &context(&conversation));
        serde_json::from_slice::<Value>(&whole).unwrap()["output"].clone()
    };
    assert_eq!(items(PLAIN).as_array().unwrap().len(), 1);
    assert_eq!(items(PLAIN)[0].get("encrypted_content"), None);
    let sealed = items(SEALED);
    assert!(sealed[0]["encrypted_content"].as_str().unwrap().starts_with("gw1."));
    // A client that drops raw reasoning sends the words back as a summary.
    assert_eq!(sealed[0]["summary"], json!([{"type": "summary_text", "text": "hm"}]));
    assert_eq!(sealed[0].get("content"), None);
    let back = read(&json!({"model": "m", "input": sealed}).to_string());
    let kinds: Vec<&BlockKind> = back.turns[0].blocks.iter().map(|block| &block.kind).collect();
    let token = ReasoningToken::new(Family::Anthropic, "SIG");
    assert_eq!(kinds, [&thinking("hm", true, Some(token.clone())), &BlockKind::Redacted(token)]);
}

/// Fields of the request stand in the answer as the client wrote them, on one line.
#[test]
fn the_request_is_repeated() {
    let request = "{\"model\":\"m\",\"input\":\"hi\",\"instructions\":\"be\",\"metadata\":{\"a\":\"b\"},\
        \"temperature\":0.50,\"tools\":[{\"type\":\"function\",\n\"name\":\"f\",\"parameters\":{\"maximum\":12345678901234567890123}}],\
        \"store\":true,\"previous_response_id\":\"resp_1\",\"text\":{\"verbosity\":\"low\"},\"service_tier\":\"flex\"}";
    let conversation = read(request);
    let mut encoder = Responses.stream(&context(&conversation));
    let mut out = BytesMut::new();
    encoder.begin(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    for part in [
        r#""instructions":"be""#,
        r#""metadata":{"a":"b"}"#,
        r#""temperature":0.50"#,
        r#""tools":[{"type":"function", "name":"f","parameters":{"maximum":12345678901234567890123}}]"#,
        r#""store":true"#,
        r#""previous_response_id":"resp_1""#,
        r#""text":{"verbosity":"low"}"#,
        r#""service_tier":"flex""#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.lines().count(), 6);
}
