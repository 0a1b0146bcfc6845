use serde_json::{Value, json};

use super::super::Messages;
use super::{body, read};
use crate::common::{
    BlockKind, CacheMark, Conversation, Effort, Family, Media, MediaSource, OutputFormat, Reasoning, Role, ToolChoice,
    ToolDefinition, is_billing_line,
};
use crate::vendors::anthropic::Anthropic;
use crate::vendors::{Quirks, TargetModel, VendorFormat as _};

const CLAUDE_CODE: &str = include_str!("../fixtures/claude_code.json");

fn encoded(conversation: &Conversation) -> (String, Vec<String>) {
    let quirks = Quirks::default();
    let target = TargetModel { model: &conversation.model, quirks: &quirks, max_output_tokens: None };
    let request = Anthropic.request(conversation, &target).unwrap();
    (String::from_utf8(request.body.to_vec()).unwrap(), request.dropped_params)
}

/// A request with one message and these fields.
fn with(fields: Value) -> Value {
    let mut body = json!({"model": "claude-opus-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// A message's text as the one block that it stands for.
fn unfolded(mut request: Value) -> Value {
    for field in [None, Some("content")] {
        let place = match field {
            None => vec![request.get_mut("system")],
            Some(_) => request["messages"].as_array_mut().unwrap().iter_mut().map(|m| m.get_mut("content")).collect(),
        };
        for value in place.into_iter().flatten() {
            if let Value::String(text) = value {
                *value = json!([{"type": "text", "text": text}]);
            }
        }
    }
    request
}

/// J4, J16, J17: what a client of this API says reaches Anthropic as it was said, a captured request of Claude Code's too.
#[test]
fn j4_a_round_trip_is_the_identity() {
    let corpus = [
        serde_json::from_str(CLAUDE_CODE).unwrap(),
        with(json!({})),
        with(json!({"model": "claude-x", "system": "Be brief.", "temperature": 0.5, "top_k": 3})),
        with(
            json!({"model": "claude-sonnet-4-5", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ),
        with(json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}})),
        with(json!({"thinking": {"type": "between_tools"}})),
        with(json!({"output_config": {"effort": "xhigh", "task_budget": {"total": 1},
            "format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"minimum": 1}}}}}})),
        with(
            json!({"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "f"}}),
        ),
        with(json!({"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "none"}})),
        with(json!({"mcp_servers": [{"type": "url", "url": "https://m", "name": "m"}],
            "tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}], "container": "c", "speed": "fast",
            "thread": {"type": "create"}, "inference_geo": "us"})),
    ];
    for request in corpus {
        let (body, dropped) = encoded(&read(&request).unwrap());
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), unfolded(request.clone()));
        assert_eq!(dropped, [""; 0], "{request}");
    }
    let conversation = Messages.read_for_count(&bytes_of(CLAUDE_CODE)).unwrap();
    assert!(encoded(&conversation).0.contains("12345678901234567890123"), "big numbers keep their digits");
}

fn bytes_of(text: &'static str) -> crate::json_object::JsonObject {
    crate::json_object::JsonObject::parse(bytes::Bytes::from_static(text.as_bytes())).unwrap()
}

/// J16, J18: every kind of block has its place in the common form.
#[test]
fn j16_every_block_has_its_place() {
    let conversation = Messages.read_for_count(&bytes_of(CLAUDE_CODE)).unwrap();
    assert!(matches!(&conversation.system[0].kind, BlockKind::Text { text, .. } if is_billing_line(text)));
    let marks: Vec<_> = conversation.system.iter().map(|block| block.cache).collect();
    assert_eq!(marks, [None, Some(CacheMark::OneHour), Some(CacheMark::FiveMinutes)]);
    let roles: Vec<_> = conversation.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::System, Role::Assistant, Role::User, Role::Assistant, Role::User]);
    let blocks = |turn: usize| &conversation.turns[turn].blocks;
    let BlockKind::Thinking { text, token: Some(token), .. } = &blocks(2)[0].kind else { panic!() };
    assert_eq!((text.as_str(), token.family, token.text.as_str()), ("", Family::Anthropic, "EqQBCgIYAhIM=="));
    assert!(matches!(&blocks(2)[1].kind, BlockKind::Redacted(token) if token.text == "EmwKAhgB=="));
    let BlockKind::ToolResult(found) = &blocks(3)[0].kind else { panic!() };
    assert_eq!(found.blocks[0].kind, BlockKind::ToolReference("WebSearch".into()));
    let BlockKind::ToolResult(failed) = &blocks(3)[1].kind else { panic!() };
    assert!(failed.is_error);
    let source = MediaSource::Inline { mime: "image/png".into(), base64: "iVBORw0KGgo=".into() };
    assert_eq!(failed.blocks[1].kind, BlockKind::Image(Media { source, ..Media::default() }, None));
    assert!(matches!(
        &blocks(3)[2].kind,
        BlockKind::File(Media { name: Some(_), context: Some(_), citations: true, .. })
    ));
    assert!(matches!(&blocks(4)[0].kind, BlockKind::Hosted { family: Family::Anthropic, .. }));
    let deferred: Vec<bool> = conversation
        .tools
        .iter()
        .filter_map(|tool| match &tool.definition {
            ToolDefinition::Client { is_deferred, .. } => Some(*is_deferred),
            ToolDefinition::Hosted { .. } => None,
        })
        .collect();
    assert_eq!((deferred, conversation.tools.len()), (vec![false, true, false], 5));
    assert_eq!((conversation.tool_choice, conversation.parallel_tool_calls), (Some(ToolChoice::Auto), Some(false)));
    let reasoning = conversation.reasoning.unwrap();
    assert_eq!(
        (reasoning.adaptive, reasoning.effort, reasoning.summary.as_deref()),
        (true, Some(Effort::Medium), Some("omitted"))
    );
    let rest: Vec<&str> = conversation.rest.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(rest, ["context_management", "cache_control", "diagnostics"]);
}

#[test]
fn settings_have_their_places() {
    let conversation = read(&with(json!({"metadata": {"user_id": "u", "x": 1}, "stop_sequences": ["a"], "top_p": 0.5,
        "output_format": {"type": "json_schema", "schema": {"type": "object"}}, "stream": true,
        "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}})))
    .unwrap();
    assert_eq!((conversation.identity.user.as_deref(), conversation.stream), (Some("u"), true));
    assert_eq!(Value::Object(conversation.metadata.unwrap()), json!({"x": 1}));
    assert!(matches!(conversation.output_format, Some(OutputFormat::JsonSchema { .. })));
    let reasoning = Reasoning {
        budget_tokens: Some(2048),
        summary: Some("summarized".into()),
        wants_token: true,
        ..Reasoning::default()
    };
    assert_eq!(conversation.reasoning, Some(reasoning));
    let off = read(&with(json!({"thinking": {"type": "disabled"}}))).unwrap();
    assert_eq!(off.reasoning.unwrap().effort, Some(Effort::None));
    assert_eq!(read(&with(json!({}))).unwrap().reasoning, None);
}

/// J15: a request whose tokens are counted needs no bound, one for an answer does.
#[test]
fn j15_counting_needs_no_bound() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "foo"}], "tools": []});
    assert_eq!(read(&request).unwrap_err().param.as_deref(), Some("max_tokens"));
    assert_eq!(Messages.read_for_count(&body(&request)).unwrap().max_output_tokens, None);
}

/// J5: a seal that is empty, missing or damaged is none.
#[test]
fn j5_an_empty_seal_is_none() {
    for signature in [json!(""), Value::Null, json!("gw1.%%")] {
        let block = json!({"type": "thinking", "thinking": "t", "signature": signature});
        let request =
            with(json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [block]}]}));
        let conversation = read(&request).unwrap();
        assert!(
            matches!(&conversation.turns[1].blocks[0].kind, BlockKind::Thinking { token: None, .. }),
            "{signature}"
        );
    }
}

#[test]
fn a_lone_surrogate_does_not_break_a_request() {
    let text = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a\ud83d"}]}"#;
    let conversation = Messages.read_for_count(&bytes_of(text)).unwrap();
    assert_eq!(conversation.turns[0].blocks[0].kind, BlockKind::text("a\u{fffd}"));
}

#[test]
fn what_is_not_in_the_format_names_its_field() {
    let said = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let block = |block: Value| said(json!([block]));
    let cases = [
        (json!({"model": null}), "model"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": 1}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": ["x"]}), "messages[0]"),
        (json!({"messages": [{"role": "king", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (said(json!(1)), "messages[0].content"),
        (block(json!({"text": "x"})), "messages[0].content[0]"),
        (block(json!({"type": "text"})), "messages[0].content[0].text"),
        (block(json!({"type": "image"})), "messages[0].content[0].source"),
        (block(json!({"type": "image", "source": {"type": "x"}})), "messages[0].content[0].source.type"),
        (block(json!({"type": "tool_use", "id": "t", "name": "f", "input": [1]})), "messages[0].content[0].input"),
        (block(json!({"type": "tool_use", "name": "f", "input": {}})), "messages[0].content[0].id"),
        (block(json!({"type": "tool_result"})), "messages[0].content[0].tool_use_id"),
        (json!({"system": 1}), "system"),
        (json!({"system": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]}), "system"),
        (json!({"max_tokens": "5"}), "max_tokens"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"stop_sequences": "x"}), "stop_sequences"),
        (json!({"thinking": {"type": "enabled"}}), "thinking.budget_tokens"),
        (json!({"thinking": true}), "thinking"),
        (json!({"tools": {}}), "tools"),
        (json!({"tools": [{"input_schema": {}}]}), "tools[0].name"),
        (json!({"tools": [{"name": "f", "input_schema": 1}]}), "tools[0].input_schema"),
        (json!({"tool_choice": {"type": "tool"}}), "tool_choice.name"),
        (json!({"tool_choice": {"type": "some"}}), "tool_choice.type"),
        (json!({"metadata": {"user_id": 5}}), "metadata.user_id"),
        (json!({"output_config": 1}), "output_config"),
    ];
    for (fields, param) in cases {
        let error = read(&with(fields.clone())).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{fields}");
        assert!(error.message.len() > 10, "{fields}");
    }
}
