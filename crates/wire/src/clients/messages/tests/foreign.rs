use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{has_foreign_thinking, without_foreign_thinking};
use super::body;
use crate::common::{Family, ReasoningToken};
use crate::json_object::JsonObject;

fn thinking(signature: &str) -> Value {
    json!({"type": "thinking", "thinking": "hm", "signature": signature})
}

fn call() -> Value {
    json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})
}

/// J5: a body with Anthropic's own seals alone passes byte for byte.
#[test]
fn j5_own_reasoning_stays_as_it_is() {
    let text = r#"{ "model":"m", "messages": [ {"role":"assistant","content":[ {"type":"thinking","thinking":"a\u0041","signature":"EqQB=="},{"type":"redacted_thinking","data":"E"}]} , {"role":"user","content":"thinking"}]}"#;
    let body = JsonObject::parse(Bytes::from_static(text.as_bytes())).unwrap();
    assert!(!has_foreign_thinking(&body) && without_foreign_thinking(&body).is_none());
}

/// J5: seals of others, empty ones and missing ones stay behind; what is left keeps its bytes.
#[test]
fn j5_foreign_reasoning_stays_behind() {
    let foreign = ReasoningToken::new(Family::OpenAi, "gAAA").for_client(Family::Anthropic);
    let text = format!(
        r#"{{"model":"m","thinking":{{"type":"adaptive"}},"messages":[{{"role":"user","content":"q"}},{{"content":[{{"type":"thinking","thinking":"x","signature":"{foreign}"}}, {{"type":"thinking","thinking":"own","signature":"Eq=="}},{{"type":"redacted_thinking","data":"{foreign}"}},{{"type":"thinking","thinking":"n","signature":""}},{{"type":"thinking","thinking":"n"}},{{"type":"text", "text":"1.0" }}],"role":"assistant"}},{{"role":"user","content":"z"}}]}}"#
    );
    let edited = without_foreign_thinking(&JsonObject::parse(Bytes::from(text)).unwrap()).unwrap();
    let expected = r#"[{"role":"user","content":"q"},{"content":[{"type":"thinking","thinking":"own","signature":"Eq=="},{"type":"text", "text":"1.0" }],"role":"assistant"},{"role":"user","content":"z"}]"#;
    assert_eq!(edited.get("messages"), Some(expected));
    assert_eq!(edited.get("thinking"), Some(r#"{"type":"adaptive"}"#));
}

/// J5: Anthropic's own seal, wrapped for what the gateway knows of it, goes back bare.
#[test]
fn j5_a_wrapped_seal_of_its_own_is_unwrapped() {
    let token = ReasoningToken { resource: Some("r".into()), ..ReasoningToken::new(Family::Anthropic, "Eq+/==") };
    let request =
        json!({"messages": [{"role": "assistant", "content": [thinking(&token.for_client(Family::Anthropic))]}]});
    let edited = without_foreign_thinking(&body(&request)).unwrap();
    let expected = json!([{"role": "assistant", "content": [thinking("Eq+/==")]}]);
    assert_eq!(serde_json::from_str::<Value>(edited.get("messages").unwrap()).unwrap(), expected);
}

/// J5: a turn in mid tool use that lost its reasoning turns a budget off; a message of foreign reasoning alone goes.
#[test]
fn j5_a_turn_in_mid_tool_use_turns_a_budget_off() {
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]});
    let request = |thinking_mode: Value| {
        json!({"thinking": thinking_mode, "context_management": {"edits": [{"type": "clear_thinking_20251015"}]},
            "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": [thinking("")]},
                {"role": "assistant", "content": [thinking(""), call()]}, result]})
    };
    let edited = without_foreign_thinking(&body(&request(json!({"type": "enabled", "budget_tokens": 2000})))).unwrap();
    let messages = json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": [call()]}, result]);
    assert_eq!(serde_json::from_str::<Value>(edited.get("messages").unwrap()).unwrap(), messages);
    assert_eq!((edited.get("thinking"), edited.get("context_management")), (Some(r#"{"type":"disabled"}"#), None));
    let edited = without_foreign_thinking(&body(&request(json!({"type": "adaptive"})))).unwrap();
    assert_eq!(edited.get("thinking"), Some(r#"{"type":"adaptive"}"#));
}

/// Citations that the gateway made for a client of another vendor's answer stay behind too.
#[test]
fn citations_without_an_index_stay_behind() {
    let text = |citations: &str| {
        let content = format!(r#"[{{"type":"text","citations":{citations}, "text":"x"}}]"#);
        JsonObject::parse(Bytes::from(format!(r#"{{"messages":[{{"role":"assistant","content":{content}}}]}}"#)))
            .unwrap()
    };
    let own = r#"{"type":"web_search_result_location","encrypted_index":"E"}"#;
    assert!(without_foreign_thinking(&text(&format!("[{own}]"))).is_none());
    let edited = without_foreign_thinking(&text(&format!(r#"[{{"url":"u","encrypted_index": ""}},{own}]"#))).unwrap();
    assert_eq!(edited.get("messages"), text(&format!("[{own}]")).get("messages"));
}
