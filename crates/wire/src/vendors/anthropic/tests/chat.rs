//! Chat clients of Anthropic: the golden requests and answers, through the common form.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Anthropic, context, told};
use crate::clients::ClientFormat as _;
use crate::clients::chat::Chat;
use crate::common::Conversation;
use crate::common::tool_ids::MESSAGES_ID;
use crate::json_object::JsonObject;
use crate::vendors::VendorFormat as _;

fn request(body: &Value) -> (Value, Vec<String>) {
    let conversation = Chat.read(&JsonObject::parse(Bytes::from(body.to_string())).unwrap()).unwrap();
    told(&conversation, "claude-x").unwrap()
}

/// I1, I6: each golden request becomes exactly its counterpart, and what is lost is named.
#[test]
fn i1_golden_requests() {
    let fixtures = [
        include_str!("../fixtures/requests/system_array.json"),
        include_str!("../fixtures/requests/tool_results.json"),
        include_str!("../fixtures/requests/media.json"),
        include_str!("../fixtures/requests/tools.json"),
        include_str!("../fixtures/requests/functions.json"),
        include_str!("../fixtures/requests/parameters.json"),
        include_str!("../fixtures/requests/extensions.json"),
    ];
    for fixture in fixtures {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let (found, mut dropped) = request(&fixture["openai"]);
        let mut expected: Vec<String> = serde_json::from_value(fixture["dropped"].clone()).unwrap();
        dropped.sort();
        expected.sort();
        assert_eq!(dropped, expected, "{}", fixture["about"]);
        assert_eq!(found, cured(fixture["anthropic"].clone()), "{}", fixture["about"]);
    }
}

/// What is told in another way than the fixtures have it: late instructions keep their place, ids that had to be changed
/// stay distinct, and schemas of answers are closed.
fn cured(mut expected: Value) -> Value {
    let late = json!({"type": "text", "text": "Answer in Vietnamese."});
    if expected["system"].as_array().is_some_and(|system| system.contains(&late)) {
        expected["system"].as_array_mut().unwrap().retain(|block| *block != late);
        let place = expected["messages"][0]["content"].as_array_mut().unwrap();
        place.insert(1, json!({"type": "text", "text": "<system>\nAnswer in Vietnamese.\n</system>"}));
    }
    if expected["output_config"].get("format").is_some() {
        let closed = json!({"type": "object", "properties": {}, "additionalProperties": false});
        expected["output_config"]["format"]["schema"] = closed;
    }
    let odd = MESSAGES_ID.fit("functions.g:3").into_owned();
    serde_json::from_str(&expected.to_string().replace("functions_g_3", &odd)).unwrap()
}

/// I1, C2: each golden answer becomes exactly its counterpart.
#[test]
fn i1_golden_answers() {
    let fixtures = [
        include_str!("../fixtures/answers/thinking_and_tools.json"),
        include_str!("../fixtures/answers/tools_only.json"),
        include_str!("../fixtures/answers/citations.json"),
    ];
    for fixture in fixtures {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let answer = Anthropic.answer(&Bytes::from(fixture["anthropic"].to_string())).unwrap();
        let conversation = Conversation::default();
        let found: Value = serde_json::from_slice(&Chat.whole(answer, &context(&conversation))).unwrap();
        assert_eq!(found, fixture["openai"], "{}", fixture["about"]);
    }
}

/// D5, I1, I3, C4: streams of Anthropic's are told to chat clients chunk by chunk.
#[test]
fn i1_golden_streams() {
    let mut events = Vec::new();
    let mut stream = Anthropic.stream();
    stream.push(Bytes::from(super::streams::TOOLS), &mut events);
    stream.finish(&mut events);
    let conversation = Conversation { model: "m".into(), ..Conversation::default() };
    let (mut encoder, mut out) = (Chat.stream(&context(&conversation)), bytes::BytesMut::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    let text = String::from_utf8(out.to_vec()).unwrap();
    let data = text.split_terminator("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
    let chunks = data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str::<Value>(data).unwrap());
    let delta = |delta: Value| json!({"index": 0, "delta": delta, "finish_reason": null});
    let call = |index: u8, id: &str, name: &str| {
        delta(json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}))
    };
    let argument =
        |index: u8, part: &str| delta(json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]}));
    let block = json!({"type": "thinking", "thinking": "Hừm…", "signature": "sig==", "index": 0});
    let choices = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_content": "Hừm…"})),
        delta(json!({"content_blocks": [block]})),
        delta(json!({"content": "Xin "})),
        delta(json!({"content": "chào 😀"})),
        call(0, "t1", "weather"),
        argument(0, "{\"city\":"),
        argument(0, "\"Hà Nội\"}"),
        call(1, "t2", "time"),
        argument(1, "{}"),
        json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
    ];
    let expected = choices.map(|choice| {
        json!({"id": "msg_1", "object": "chat.completion.chunk", "created": 7, "model": "claude-x-1",
            "choices": [choice]})
    });
    assert_eq!(chunks.collect::<Vec<_>>(), expected);
}

/// order, I4: thinking that stands between calls comes back to Anthropic where it stood (claude-interleaved-thinking).
#[test]
fn i4_interleaved_thinking_comes_back_in_its_order() {
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": format!("sig-{text}")});
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {"q": id}});
    let content =
        json!([thought("one"), call("toolu_1"), thought("two"), {"type": "text", "text": "x"}, call("toolu_2")]);
    let body = json!({"id": "m", "model": "c", "content": content, "stop_reason": "tool_use"});
    let answer = Anthropic.answer(&Bytes::from(body.to_string())).unwrap();
    let conversation = Conversation::default();
    let whole: Value = serde_json::from_slice(&Chat.whole(answer, &context(&conversation))).unwrap();
    let message = whole["choices"][0]["message"].clone();
    let (back, _) = request(&json!({"model": "m", "messages": [{"role": "user", "content": "go"}, message]}));
    assert_eq!(back["messages"][1]["content"], content);
}
