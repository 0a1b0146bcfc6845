use serde_json::{Map, Value, json};

use super::super::chat_request;
use super::turns;
use crate::BadRequest;

fn request_to(model: &str, body: Value) -> Result<(Value, Vec<String>), BadRequest> {
    let body: Map<String, Value> = serde_json::from_value(body).unwrap();
    let request = chat_request(&body, model)?;
    assert_eq!((request.path.as_str(), request.headers.len()), ("/v1/messages", 0));
    Ok((serde_json::from_slice(&request.body).unwrap(), request.dropped_params))
}

pub(super) fn request(body: Value) -> Result<(Value, Vec<String>), BadRequest> {
    request_to("claude-x", body)
}

/// A request with one message and these fields.
fn with(fields: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
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
        let (found, dropped) = request(fixture["openai"].clone()).unwrap();
        assert_eq!(found, fixture["anthropic"], "{}", fixture["about"]);
        assert_eq!(json!(dropped), fixture["dropped"], "{}", fixture["about"]);
    }
}

/// I1: every `tool_choice`.
#[test]
fn i1_the_choice_among_tools() {
    let cases = [
        (json!({}), Value::Null),
        (json!({"tool_choice": "auto"}), json!({"type": "auto"})),
        (json!({"tool_choice": "none"}), json!({"type": "none"})),
        (json!({"tool_choice": "none", "parallel_tool_calls": false}), json!({"type": "none"})),
        (json!({"tool_choice": "required"}), json!({"type": "any"})),
        (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), json!({"type": "tool", "name": "f"})),
        (json!({"tool_choice": {"type": "tool", "name": "f"}}), json!({"type": "tool", "name": "f"})),
        (json!({"tool_choice": {"type": "any"}}), json!({"type": "any"})),
        (json!({"parallel_tool_calls": true}), Value::Null),
        (
            json!({"tool_choice": "required", "parallel_tool_calls": false}),
            json!({"type": "any", "disable_parallel_tool_use": true}),
        ),
    ];
    for (fields, expected) in cases {
        let mut body = with(fields.clone());
        body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        assert_eq!(request(body).unwrap().0["tool_choice"], expected, "{fields}");
    }
    let (body, dropped) = request(with(json!({"tool_choice": "required"}))).unwrap();
    assert_eq!((body.get("tool_choice"), dropped), (None, vec!["tool_choice".to_owned()]));
}

#[test]
fn stop_is_a_text_or_an_array() {
    assert_eq!(request(with(json!({"stop": "END"}))).unwrap().0["stop_sequences"], json!(["END"]));
    assert_eq!(request(with(json!({"stop_sequences": ["a"]}))).unwrap().0["stop_sequences"], json!(["a"]));
}

/// Older models think within a budget, which is a part of the bound on the answer and never widens the client's own.
#[test]
fn effort_is_a_budget_for_older_models() {
    let cases = [
        (json!({"reasoning_effort": "low"}), Some(1024), 5120),
        (json!({"reasoning_effort": "medium"}), Some(4096), 8192),
        (json!({"reasoning_effort": "high"}), Some(16_384), 20_480),
        (json!({"reasoning_effort": "xhigh"}), Some(32_768), 36_864),
        (json!({"reasoning_effort": "high", "max_completion_tokens": 8000}), Some(6000), 8000),
        (json!({"reasoning_effort": "none"}), None, 4096),
    ];
    for (fields, budget, max_tokens) in cases {
        let (body, dropped) = request_to("claude-sonnet-4-5-20250929", with(fields.clone())).unwrap();
        assert_eq!(body["thinking"]["budget_tokens"].as_u64(), budget, "{fields}");
        assert_eq!((body["max_tokens"].as_u64(), dropped.len()), (Some(max_tokens), 0), "{fields}");
    }
}

/// I6: thinking that Anthropic would refuse is left out and named, and so is sampling beside thinking.
#[test]
fn i6_what_thinking_excludes_is_named() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let mut after_a_call = with(json!({"reasoning_effort": "low"}));
    after_a_call["messages"] = json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f"}}]},
        {"role": "tool", "tool_call_id": "t", "content": "1"}]);
    let refused = [
        with(json!({"reasoning_effort": "high", "max_tokens": 1000})),
        with(json!({"reasoning_effort": "high", "tool_choice": "required", "tools": tools})),
        after_a_call,
    ];
    for body in refused {
        let (found, dropped) = request(body.clone()).unwrap();
        assert_eq!((found.get("thinking"), dropped), (None, vec!["reasoning_effort".to_owned()]), "{body}");
    }
    let (body, dropped) =
        request(with(json!({"reasoning_effort": "low", "temperature": 0.2, "top_p": 0.9, "top_k": 5}))).unwrap();
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    let (body, dropped) = request(with(json!({"reasoning_effort": "low", "temperature": 1, "top_p": 0.97}))).unwrap();
    assert_eq!((body["temperature"].as_u64(), body["top_p"].as_f64(), dropped.len()), (Some(1), Some(0.97), 0));
}

/// Models from 4.6 on decide themselves how much to think, and from 4.7 on take no sampling parameters.
#[test]
fn effort_is_adaptive_for_newer_models() {
    let body = with(json!({"reasoning_effort": "xhigh", "temperature": 0.2, "response_format": {
        "type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}));
    let (found, dropped) = request_to("claude-opus-4-7", body.clone()).unwrap();
    assert_eq!(found["thinking"], json!({"type": "adaptive"}));
    assert_eq!((&found["output_config"]["effort"], found.get("temperature")), (&json!("xhigh"), None));
    assert_eq!(found["output_config"]["format"]["type"], "json_schema");
    assert_eq!(dropped, ["temperature"]);
    let (found, _) = request_to("claude-sonnet-4-6", body).unwrap();
    assert_eq!(found["output_config"]["effort"], "high");
    let (found, dropped) = request_to("claude-sonnet-4-6", with(json!({"temperature": 0.2}))).unwrap();
    assert_eq!((found["temperature"].as_f64(), dropped.len()), (Some(0.2), 0));
    let forced = json!({"reasoning_effort": "low", "tool_choice": "required", "tools": [{"name": "f"}]});
    let (found, dropped) = request_to("claude-sonnet-5", with(forced)).unwrap();
    assert_eq!((found.get("thinking"), dropped.len()), (None, 0));
    assert_eq!(found["output_config"]["effort"], "low");
}

/// I4: blocks without a signature are not Anthropic's; they and bare reasoning stay behind, and that is told.
#[test]
fn i4_only_signed_thinking_goes_back() {
    let signed = json!({"type": "thinking", "thinking": "Hừm…", "signature": "s=="});
    let mut streamed = signed.clone();
    streamed["index"] = json!(0);
    for field in ["thinking_blocks", "content_blocks"] {
        let found = turns(json!([{"role": "assistant", "content": "Chào", field: [
            {"type": "text", "text": "Chào"}, streamed, {"type": "thinking", "thinking": "no signature"}]}]));
        assert_eq!(found[0]["content"], json!([signed, {"type": "text", "text": "Chào"}]), "{field}");
    }
    let bare = json!([{"role": "assistant", "content": "Chào", "reasoning_content": "Hừm…", "thinking_blocks": []}]);
    let (body, dropped) = request(json!({ "messages": bare })).unwrap();
    assert_eq!(body["messages"][0]["content"], json!([{"type": "text", "text": "Chào"}]));
    assert_eq!(dropped, ["messages[].reasoning_content"]);
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let call = |function: Value| {
        json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [
            {"id": "t", "function": function}]}]})
    };
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let cases = [
        (with(json!({"n": 2})), "n"),
        (json!({"messages": 1}), "messages"),
        (json!({}), "messages"),
        (json!({"messages": ["x"]}), "messages[0]"),
        (json!({"messages": [{"role": "king", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": 1}]}), "messages[0].content"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]}),
            "messages[0].content",
        ),
        (part(json!({"type": "input_audio", "input_audio": {}})), "messages[0].content[0]"),
        (part(json!({"type": "video"})), "messages[0].content[0].type"),
        (part(json!({"type": "text"})), "messages[0].content[0].text"),
        (part(json!({"type": "image_url", "image_url": {}})), "messages[0].content[0].image_url.url"),
        (part(json!({"type": "image_url", "image_url": {"url": "data:x"}})), "messages[0].content[0].image_url.url"),
        (part(json!({"type": "file", "file": {"file_id": "f"}})), "messages[0].content[0].file.file_data"),
        (
            part(json!({"type": "file", "file": {"file_data": "data:audio/mp3;base64,AA=="}})),
            "messages[0].content[0].file.file_data",
        ),
        (call(json!({"name": "f", "arguments": "{broken"})), "messages[1].tool_calls[0].function.arguments"),
        (call(json!({"name": "f", "arguments": "[1]"})), "messages[1].tool_calls[0].function.arguments"),
        (call(json!({"arguments": "{}"})), "messages[1].tool_calls[0].function.name"),
        (with(json!({"tools": [{"type": "function", "function": {}}]})), "tools[0].function.name"),
        (
            with(json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]})),
            "tools[0].function.parameters",
        ),
        (with(json!({"tools": [{"type": "custom", "custom": {"name": "f"}}]})), "tools[0].type"),
        (with(json!({"tool_choice": "f", "tools": [{"name": "f"}]})), "tool_choice"),
        (with(json!({"max_tokens": "5"})), "max_tokens"),
        (with(json!({"temperature": "hot"})), "temperature"),
        (with(json!({"stop": 5})), "stop"),
        (with(json!({"reasoning_effort": "some"})), "reasoning_effort"),
        (with(json!({"response_format": {"type": "xml"}})), "response_format.type"),
    ];
    for (body, param) in cases {
        let error = request(body.clone()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        assert!(error.message.len() > 10, "{body}");
    }
}
