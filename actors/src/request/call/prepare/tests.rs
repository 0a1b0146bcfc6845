use gateway_wire::clients::messages::Messages;
use gateway_wire::common::{Effort, ToolChoice};
use gateway_wire::vendors::Quirks;
use serde_json::{Value, json};

use super::*;

fn body(text: &str) -> JsonObject {
    JsonObject::parse(Bytes::from(text.to_owned())).unwrap()
}

fn items(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// No way to write a path takes out the limit that a reservation holds, in any format.
#[test]
fn a_reserved_limit_is_never_dropped() {
    let limits =
        items(&["max_tokens", r#"["max_tokens"]"#, "['max_completion_tokens']", "max_output_tokens", "[max_tokens]"]);
    for dialect in [Dialect::OpenAi, Dialect::Responses] {
        assert_eq!(droppable(&limits, dialect, true), Vec::<String>::new());
        assert_eq!(droppable(&limits, dialect, false), limits, "who has no budget may");
        assert_eq!(droppable(&items(&["top_p", "max_tokens"]), dialect, true), ["top_p"]);
    }
}

/// What is stored is stored here: the vendor is never asked to.
#[test]
fn a_vendor_of_responses_never_stores() {
    let drops = items(&["store", r#"["include"]"#, "include[0]", "user"]);
    assert_eq!(droppable(&drops, Dialect::Responses, false), ["user"]);
    assert_eq!(droppable(&drops, Dialect::OpenAi, false), drops);
}

#[test]
fn a_limit_moves_to_the_field_that_stays() {
    let moved = renamed_limit(body(r#"{"max_tokens":5}"#), &items(&[r#"["max_tokens"]"#]));
    assert_eq!((moved.get("max_tokens"), moved.get("max_completion_tokens")), (None, Some("5")));
    let kept = renamed_limit(body(r#"{"max_tokens":5}"#), &items(&["max_tokens", "['max_completion_tokens']"]));
    assert_eq!(kept.get("max_tokens"), Some("5"));
}

/// A conversation of Messages as the target's parameters leave it, and the chat body that is priced.
fn with_target(sent: &Value, target: Value) -> (Conversation, JsonObject) {
    let own = Messages.read(&body(&sent.to_string())).unwrap();
    let before = JsonObject::parse(formats::chat_body(&own).unwrap()).unwrap();
    let params = |name: &str| target[name].as_object().cloned().unwrap_or_default();
    let target = Target {
        override_params: params("override_params"),
        default_params: params("default_params"),
        drop_params: serde_json::from_value(target["drop_params"].clone()).unwrap_or_default(),
        ..Target::default()
    };
    let (after, _) = applied(&before, &target).unwrap();
    (edited(&own, (&before, &after), &target).unwrap(), after.into_owned())
}

/// What a config takes out of the body that is priced, or sets in it, is what is sent.
#[test]
fn what_is_sent_is_what_was_priced() {
    let sent = json!({
        "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }],
        "mcp_servers": [{ "type": "url", "url": "https://a", "name": "a" }], "speed": "fast", "container": "c",
    });
    let of = |conversation: &Conversation, name: &str| {
        let found = conversation.rest.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.value())
    };
    let (changed, priced) = with_target(
        &sent,
        json!({
            "drop_params": [r#"["mcp_servers"]"#], "override_params": { "speed": "standard", "inference_geo": "us" },
        }),
    );
    assert_eq!(of(&changed, "mcp_servers"), None);
    assert_eq!(of(&changed, "container"), Some(json!("c")));
    for name in ["speed", "inference_geo"] {
        assert_eq!(of(&changed, name), priced.read(name).unwrap(), "{name}");
    }
    assert_eq!(of(&changed, "speed"), Some(json!("standard")));
    assert_eq!(changed.rest.len(), 3, "{:?}", changed.rest);
}

#[test]
fn what_a_client_has_not_set_has_a_default() {
    let sent = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }] });
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
    let defaults = json!({ "reasoning_effort": "high", "tools": [tool], "tool_choice": "required" });
    let (changed, _) = with_target(&sent, json!({ "default_params": defaults }));
    assert_eq!(changed.reasoning.and_then(|reasoning| reasoning.effort), Some(Effort::High));
    assert_eq!((changed.tools.len(), changed.tool_choice), (1, Some(ToolChoice::Required)));
}

/// A name that only begins as another does is not that other.
#[test]
fn what_a_config_does_not_name_stays_as_it_was() {
    let sent = json!({
        "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }],
        "thinking": { "type": "enabled", "budget_tokens": 2_000 }, "tools": [{ "name": "f", "input_schema": {} }],
    });
    let (changed, _) = with_target(&sent, json!({ "drop_params": ["tools_of_mine", "reasoning_effort_x"] }));
    assert_eq!(changed.reasoning.and_then(|reasoning| reasoning.budget_tokens), Some(2_000));
    let (changed, _) = with_target(&sent, json!({ "drop_params": ["['tools']", "['reasoning_effort']"] }));
    assert_eq!((changed.reasoning, changed.tools.len()), (None, 0));
}

/// A limit within the budget of thinking is one that the vendor refuses.
#[test]
fn thinking_needs_room_below_the_limit() {
    let client = |kind, sent: &str| ClientRequest {
        kind,
        body: body(sent),
        conversation: Arc::default(),
        headers: Vec::new(),
        keeper: None,
        sealer: None,
    };
    let thinks = r#"{"thinking":{"type":"enabled","budget_tokens":2000}}"#;
    let messages = client(ClientKind::Messages, thinks);
    assert!(leaves_room(&messages, 2_001) && !leaves_room(&messages, 2_000));
    assert!(leaves_room(&client(ClientKind::Messages, r#"{"thinking":{"type":"adaptive"}}"#), 1));
    assert!(leaves_room(&client(ClientKind::Responses, thinks), 1), "no field of that format");
}

/// Over the common form thinking is made to fit the limit that a budget sets.
#[test]
fn thinking_fits_the_limit_of_a_budget() {
    let sent = json!({
        "model": "m", "max_tokens": 9_000, "messages": [{ "role": "user", "content": "x" }],
        "thinking": { "type": "enabled", "budget_tokens": 8_000 },
    });
    let own = Messages.read(&body(&sent.to_string())).unwrap();
    let before = JsonObject::parse(formats::chat_body(&own).unwrap()).unwrap();
    let after = before.with(&[("max_tokens", "4000")], &["max_completion_tokens"]);
    let conversation = edited(&own, (&before, &after), &Target::default()).unwrap();
    let quirks = Quirks::default();
    let target = TargetModel { model: "claude-sonnet-4-5", quirks: &quirks, max_output_tokens: None };
    let told = formats::vendor(Dialect::Anthropic).request(&conversation, &target).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&told["max_tokens"], &told["thinking"]["budget_tokens"]), (&json!(4_000), &json!(3_000)));
}

/// What chat cannot say is counted too, where the vendor tells nothing.
#[test]
fn the_longer_form_is_counted() {
    let chat = body(r#"{"messages":[]}"#);
    let sent = |text: &str| VendorRequest {
        path: String::new(),
        headers: Vec::new(),
        body: Bytes::from(text.to_owned()),
        dropped_params: Vec::new(),
    };
    let long = sent(r#"{"system":"be kind to all","messages":[]}"#);
    assert_eq!(longer(Dialect::Anthropic, &chat, &long), long.body);
    assert_eq!(longer(Dialect::Ollama, &chat, &long), *chat.text());
    assert_eq!(longer(Dialect::Responses, &chat, &sent("{}")), *chat.text());
}
