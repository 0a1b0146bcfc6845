use serde_json::{Value, json};

use super::*;
use crate::clients::ClientKind;
use crate::formats;

fn told(kind: ClientKind, body: &Value) -> Value {
    let body = JsonObject::parse(Bytes::from(body.to_string())).unwrap();
    let conversation = formats::client(kind).read(&body).unwrap();
    serde_json::from_slice(&chat_body(&conversation).unwrap()).unwrap()
}

fn refused(kind: ClientKind, body: &Value) -> Option<String> {
    let body = JsonObject::parse(Bytes::from(body.to_string())).unwrap();
    chat_body(&formats::client(kind).read(&body).unwrap()).unwrap_err().param
}

/// Fields that pass as they stand are seen, and none hides behind one that was read.
#[test]
fn fields_that_nothing_reads_are_seen() {
    let body = told(
        ClientKind::Responses,
        &json!({"model": "m", "input": "a", "max_output_tokens": 5, "models": ["b"], "preset": "p", "max_tokens": 9,
            "plugins": [{"id": "web"}], "n": 3, "service_tier": "dear", "client_metadata": {"a": 1}, "stream": true,
            "stream_options": {"include_obfuscation": false}}),
    );
    assert_eq!((&body["models"], &body["preset"]), (&json!(["b"]), &json!("p")));
    assert_eq!((&body["plugins"][0]["id"], &body["n"], &body["max_tokens"]), (&json!("web"), &json!(3), &json!(9)));
    assert_eq!((&body["service_tier"], &body["client_metadata"]), (&json!("dear"), &Value::Null));
    for (kind, mut body) in [
        (ClientKind::Responses, json!({"model": "m", "input": "a", "max_output_tokens": 5})),
        (ClientKind::Messages, json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]})),
    ] {
        body["max_completion_tokens"] = json!(100_000);
        assert_eq!(refused(kind, &body).as_deref(), Some("max_completion_tokens"));
    }
    let body = json!({"model": "m", "input": "a", "max_tokens": 1});
    assert_eq!(refused(ClientKind::Responses, &body).as_deref(), Some("max_tokens"), "a vendor may not heed it");
    let body = json!({"model": "m", "input": "a", "messages": []});
    assert_eq!(refused(ClientKind::Responses, &body).as_deref(), Some("messages"));
}

/// What chat cannot say refuses no request, and is there to be measured.
#[test]
fn what_chat_cannot_say_is_measured() {
    let input = json!([
        {"type": "compaction", "encrypted_content": "sealed"},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_image", "file_id": "i1"},
            {"type": "input_file", "file_url": "https://a.example/b.pdf"}]},
        {"type": "mcp_call", "id": "mcp_1", "name": "n", "arguments": "{}", "server_label": "s", "output": "long mcp"},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "print(1)", "container_id": "c", "outputs": []},
        {"type": "computer_call_output", "call_id": "c0", "output": {"type": "computer_screenshot", "file_id": "f0"}},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thought"}],
            "encrypted_content": "gAAAsealed"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "earlier result"},
        {"type": "function_call_output", "call_id": "c1", "output": "later"},
        {"type": "tool_search_call", "call_id": "c2", "execution": "client", "arguments": {"query": "q"}},
        {"type": "tool_search_output", "call_id": "c2", "execution": "client", "status": "completed",
            "tools": [{"type": "function", "name": "g", "parameters": {}, "defer_loading": true}]},
    ]);
    let body = told(ClientKind::Responses, &json!({"model": "m", "input": input}));
    let unsaid = body["gateway_unsaid"].as_array().unwrap();
    let has = |part: Value| assert!(unsaid.contains(&part), "{part} in {unsaid:#?}");
    has(json!({"type": "compaction", "encrypted_content": "sealed"}));
    has(json!({"type": "input_image", "file_id": "i1"}));
    has(json!({"type": "file", "file_url": "https://a.example/b.pdf"}));
    has(input[4].clone());
    has(json!("earlier result"));
    let texts: Vec<&str> = unsaid.iter().filter_map(Value::as_str).collect();
    for words in ["long mcp", "print(1)", "thought", "gAAAsealed", "\"name\":\"g\""] {
        assert!(texts.iter().any(|text| text.contains(words)), "{words} in {texts:#?}");
    }
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "hi"}));
    assert_eq!(body["tools"][0]["function"]["name"], "g");
}

#[test]
fn blocks_of_the_messages_api_are_measured() {
    let pdf = json!({"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}});
    let kept = json!({"type": "document", "source": {"type": "file", "file_id": "f1"}});
    let upload = json!({"type": "container_upload", "file_id": "f2"});
    let search = json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}});
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "sig"});
    let redacted = json!({"type": "redacted_thinking", "data": "blob"});
    let text = json!({"type": "text", "text": "a"});
    let body = told(
        ClientKind::Messages,
        &json!({"model": "m", "max_tokens": 5,
            "tools": [{"name": "f", "input_schema": {}, "input_examples": ["example"], "defer_loading": true}],
            "messages": [{"role": "user", "content": [text, pdf, kept, upload]},
                {"role": "assistant", "content": [thinking, redacted, search, text]}]}),
    );
    let unsaid = body["gateway_unsaid"].as_array().unwrap();
    assert_eq!(unsaid[0], json!({"type": "file", "file_url": "https://a.example/b.pdf"}));
    assert_eq!((&unsaid[1], &unsaid[2]), (&json!({"type": "file", "file_id": "f1"}), &upload));
    let texts = unsaid[3..].iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join(" ");
    for words in ["hm", "sig", "blob", "server_tool_use", "example"] {
        assert!(texts.contains(words), "{words} in {texts}");
    }
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "a"}));
    assert_eq!(body["tools"][0]["function"]["name"], "f");
    let plain = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]});
    assert_eq!(told(ClientKind::Messages, &plain).get("gateway_unsaid"), None);
}
