use serde_json::{Value, json};

use super::{asked, question, told, turns};
use crate::common::{
    Block, BlockKind, CacheMark, Conversation, Family, JsonText, Media, MediaSource, ReasoningToken, Role, Tool,
    ToolChoice, ToolDefinition, ToolKind, ToolResult, ToolUse, tool_ids::MESSAGES_ID,
};

fn call(id: &str, arguments: &str) -> BlockKind {
    BlockKind::ToolUse(ToolUse {
        call_id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        ..ToolUse::default()
    })
}

fn result(id: &str, kinds: Vec<BlockKind>) -> BlockKind {
    let blocks = kinds.into_iter().map(Block::from).collect();
    BlockKind::ToolResult(ToolResult { call_id: id.into(), blocks, ..ToolResult::default() })
}

fn image() -> Media {
    let source = MediaSource::Inline { mime: "image/png".into(), base64: "AAAA".into() };
    Media { source, ..Media::default() }
}

pub(super) fn tool(name: &str, schema: Option<Value>, strict: Option<bool>) -> Tool {
    let definition = ToolDefinition::Client {
        kind: ToolKind::Function,
        name: name.into(),
        namespace: None,
        description: None,
        schema: schema.map(JsonText::from),
        strict,
        is_deferred: false,
        rest: Vec::new(),
    };
    Tool { definition, cache: None }
}

fn hosted(kind: &str, raw: Value, family: Family) -> Tool {
    let definition = ToolDefinition::Hosted { kind: kind.into(), name: None, raw: raw.into(), family };
    Tool { definition, cache: None }
}

/// J18, I1: parallel calls, empty arguments in every form, and their results in one turn, results first.
#[test]
fn j18_results_of_tools() {
    let failed = ToolResult {
        call_id: "functions.g:3".into(),
        blocks: vec![BlockKind::text("no").into()],
        is_error: true,
        ..ToolResult::default()
    };
    let conversation = turns(vec![
        (Role::User, vec![BlockKind::text("go")]),
        (
            Role::Assistant,
            vec![call("t1", r#"{"a":1,"n":12345678901234567890123}"#), call("t2", ""), call("functions.g:3", "{}")],
        ),
        (Role::System, vec![BlockKind::text("late")]),
        (Role::User, vec![result("t1", vec![BlockKind::text("one")])]),
        (Role::User, vec![result("t2", vec![BlockKind::text("a picture"), BlockKind::Image(image(), None)])]),
        (Role::User, vec![BlockKind::ToolResult(failed), result("t1", vec![]), BlockKind::text("and?")]),
    ]);
    let odd = MESSAGES_ID.fit("functions.g:3").into_owned();
    assert_ne!(odd, "functions.g:3");
    let picture = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    let big: Value = serde_json::from_str(r#"{"a":1,"n":12345678901234567890123}"#).unwrap();
    assert_eq!(
        body,
        json!({"model": "claude-x", "max_tokens": 4096, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "go"}]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "t1", "name": "f", "input": big},
                {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
                {"type": "tool_use", "id": odd, "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "a picture"}, picture]},
                {"type": "tool_result", "tool_use_id": odd, "content": "no", "is_error": true},
                {"type": "tool_result", "tool_use_id": "t1", "content": ""},
                {"type": "text", "text": "<system>\nlate\n</system>"},
                {"type": "text", "text": "and?"}]}]})
    );
    assert_eq!(dropped, [""; 0]);
}

/// J17, 2.2: instructions stay where they are, with their marks; the first ones stand apart.
#[test]
fn j17_instructions_stay_where_they_are() {
    let mut conversation = turns(vec![
        (Role::User, vec![BlockKind::text("a")]),
        (Role::System, vec![BlockKind::text("late")]),
        (Role::Assistant, vec![BlockKind::text("b"), BlockKind::Refusal("no".into())]),
        (Role::System, vec![BlockKind::text("later")]),
        (Role::User, vec![BlockKind::text("c")]),
        (Role::System, vec![BlockKind::text("last")]),
    ]);
    conversation.system = vec![
        Block { kind: BlockKind::text("Be brief."), cache: Some(CacheMark::OneHour) },
        BlockKind::text(" ").into(),
    ];
    let said = |text: &str| json!({"type": "text", "text": text});
    let wrapped = |text: &str| said(&format!("<system>\n{text}\n</system>"));
    let answer = json!({"role": "assistant", "content": [said("b"), said("no")]});
    let (body, _) = told(&conversation, "claude-opus-4-8").unwrap();
    let marked = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]);
    assert_eq!(body["system"], marked);
    let newest = json!([{"role": "user", "content": [said("a")]}, {"role": "system", "content": [said("late")]}, answer,
        {"role": "user", "content": [wrapped("later"), said("c")]}, {"role": "system", "content": [said("last")]}]);
    assert_eq!(body["messages"], newest);
    let (body, _) = told(&conversation, "claude-opus-4-7").unwrap();
    let older = json!([{"role": "user", "content": [said("a"), wrapped("late")]}, answer,
        {"role": "user", "content": [wrapped("later"), said("c"), wrapped("last")]}]);
    assert_eq!(body["messages"], older);
}

/// J5: a talk whose turns came from A, B, A holds A's seals alone, byte for byte, in their order.
#[test]
fn j5_only_its_own_seals_go_to_anthropic() {
    let thinking = |family: Family, text: &str| {
        let token = Some(ReasoningToken::new(family, format!("sig-{text}")));
        BlockKind::Thinking { text: text.into(), is_summary: false, token }
    };
    let conversation = turns(vec![
        (Role::User, vec![BlockKind::text("q")]),
        (
            Role::Assistant,
            vec![
                thinking(Family::Anthropic, "one"),
                call("1", "{}"),
                thinking(Family::Anthropic, "two"),
                call("2", "{}"),
            ],
        ),
        (Role::User, vec![result("1", vec![]), result("2", vec![])]),
        (
            Role::Assistant,
            vec![
                thinking(Family::OpenAi, "foreign"),
                BlockKind::Thinking { text: "bare".into(), is_summary: false, token: None },
                BlockKind::Redacted(ReasoningToken::new(Family::Gemini, "g")),
                BlockKind::Redacted(ReasoningToken::new(Family::Anthropic, "a")),
                BlockKind::text("b"),
            ],
        ),
    ]);
    let (body, dropped) = told(&conversation, "claude-opus-4-6").unwrap();
    let own = |text: &str| json!({"type": "thinking", "thinking": text, "signature": format!("sig-{text}")});
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    assert_eq!(body["messages"][1]["content"], json!([own("one"), used("1"), own("two"), used("2")]));
    let last = json!([{"type": "redacted_thinking", "data": "a"}, {"type": "text", "text": "b"}]);
    assert_eq!(body["messages"][3]["content"], last);
    assert_eq!(dropped, ["messages[].reasoning_content"]);
}

/// I1: pictures and documents in every form.
#[test]
fn i1_media() {
    let file = |mime: &str, base64: &str, name: Option<&str>| {
        let source = MediaSource::Inline { mime: mime.into(), base64: base64.into() };
        BlockKind::File(Media { source, name: name.map(str::to_owned), ..Media::default() })
    };
    let at = |url: &str| Media { source: MediaSource::Url(url.into()), ..Media::default() };
    let own_file = Media { source: MediaSource::FileId("file_1".into(), Family::Anthropic), ..Media::default() };
    let cited =
        Media { source: MediaSource::Text("t".into()), context: Some("c".into()), citations: true, ..Media::default() };
    let conversation = turns(vec![(
        Role::User,
        vec![
            BlockKind::Image(at("https://example.com/a.png"), Some("low".into())),
            file("application/pdf", "JVBERi0x", Some("hợp đồng.pdf")),
            file("", "JVBERi0x", None),
            file("text/plain", "Q2jDoG8=", None),
            file("image/png", "AAAA", None),
            BlockKind::File(at("https://example.com/a.pdf")),
            BlockKind::File(own_file),
            BlockKind::File(cited),
            BlockKind::Hosted {
                raw: JsonText::parse(r#"{"type":"search_result"}"#).unwrap(),
                family: Family::Anthropic,
            },
            BlockKind::Hosted { raw: JsonText::parse(r#"{"type":"x"}"#).unwrap(), family: Family::OpenAi },
            BlockKind::ToolReference("f".into()),
        ],
    )]);
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    let document = |source: Value| json!({"type": "document", "source": source});
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"});
    let plain = |text: &str| json!({"type": "text", "media_type": "text/plain", "data": text});
    let mut named = document(pdf.clone());
    named["title"] = json!("hợp đồng.pdf");
    let mut with_citations = document(plain("t"));
    with_citations["context"] = json!("c");
    with_citations["citations"] = json!({"enabled": true});
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            named,
            document(pdf),
            document(plain("Chào")),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            document(json!({"type": "url", "url": "https://example.com/a.pdf"})),
            document(json!({"type": "file", "file_id": "file_1"})),
            with_citations,
            {"type": "search_result"},
            {"type": "text", "text": "The tool 'f' is available now."},
        ])
    );
    assert_eq!(dropped, ["image_url.detail", "messages[].content[]"]);
}

/// I1: tools with and without schemas and strictness, those that the vendor runs, and text tools.
#[test]
fn i1_tools() {
    let mut conversation = question();
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let mut marked = tool("g", None, Some(false));
    marked.cache = Some(CacheMark::FiveMinutes);
    let mut patch = tool("patch", Some(json!({"type": "grammar", "syntax": "lark", "definition": "start: x"})), None);
    if let ToolDefinition::Client { kind, namespace, .. } = &mut patch.definition {
        (*kind, *namespace) = (ToolKind::Custom, Some("edit".into()));
    }
    conversation.tools = vec![
        tool("f", Some(closed.clone()), Some(true)),
        marked,
        tool("h", Some(json!({})), None),
        patch,
        hosted(
            "web_search_20250305",
            json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2}),
            Family::Anthropic,
        ),
        hosted(
            "web_search",
            json!({"type": "web_search", "filters": {"allowed_domains": ["a.org"]},
            "user_location": {"type": "approximate", "city": "Hà Nội", "region": null}, "search_context_size": "low"}),
            Family::OpenAi,
        ),
    ];
    conversation.parallel_tool_calls = Some(false);
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    let grammar = "'input' must follow this grammar (lark):\nstart: x";
    let text = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"], "additionalProperties": false});
    assert_eq!(
        body["tools"],
        json!([
            {"name": "f", "input_schema": closed, "strict": true},
            {"name": "g", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}},
            {"name": "h", "input_schema": {"type": "object"}},
            {"name": "edit__patch", "description": grammar, "input_schema": text},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
            {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.org"],
                "user_location": {"type": "approximate", "city": "Hà Nội"}},
        ])
    );
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(dropped, [""; 0]);
    conversation.tools.push(hosted("file_search", json!({"type": "file_search"}), Family::OpenAi));
    assert_eq!(told(&conversation, "claude-x").unwrap_err().param.as_deref(), Some("tools[6].type"));
}

/// I1, tool-choice: every choice; a subset narrows the list.
#[test]
fn i1_the_choice_among_tools() {
    let one = |name: &str| ToolChoice::Tool(name.into(), None);
    let some = |required: bool| ToolChoice::Allowed { required, names: vec!["g".into()] };
    let cases = [
        (None, None, Value::Null, 2),
        (Some(ToolChoice::Auto), None, json!({"type": "auto"}), 2),
        (Some(ToolChoice::None), Some(false), json!({"type": "none"}), 2),
        (Some(ToolChoice::Required), None, json!({"type": "any"}), 2),
        (Some(ToolChoice::Required), Some(false), json!({"type": "any", "disable_parallel_tool_use": true}), 2),
        (Some(one("f")), Some(true), json!({"type": "tool", "name": "f"}), 2),
        (None, Some(true), Value::Null, 2),
        (Some(some(true)), None, json!({"type": "any"}), 1),
        (Some(some(false)), None, json!({"type": "auto"}), 1),
    ];
    for (choice, parallel, expected, count) in cases {
        let mut conversation = question();
        conversation.tools = vec![tool("f", None, None), tool("g", None, None)];
        (conversation.tool_choice, conversation.parallel_tool_calls) = (choice, parallel);
        let (body, dropped) = told(&conversation, "claude-x").unwrap();
        assert_eq!((&body["tool_choice"], body["tools"].as_array().unwrap().len()), (&expected, count));
        assert_eq!((body["tools"][count - 1]["name"].as_str(), dropped.len()), (Some("g"), 0));
    }
    let conversation = Conversation { tool_choice: Some(ToolChoice::Required), ..question() };
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    assert_eq!((body.get("tool_choice"), dropped), (None, vec!["tool_choice".to_owned()]));
    // Models that refuse a forced tool are asked for one all the same.
    let conversation = Conversation { tool_choice: Some(one("f")), tools: vec![tool("f", None, None)], ..question() };
    let (body, dropped) = told(&conversation, "claude-opus-5-5").unwrap();
    assert_eq!((&body["tool_choice"], dropped), (&json!({"type": "auto"}), vec!["tool_choice".to_owned()]));
}

/// J16: deferred tools of other clients stand there once something named them.
#[test]
fn j16_deferred_tools_appear_once_they_are_named() {
    let deferred = |name: &str| {
        let mut tool = tool(name, None, None);
        if let ToolDefinition::Client { is_deferred, .. } = &mut tool.definition {
            *is_deferred = true;
        }
        tool
    };
    let mut conversation = turns(vec![
        (Role::Assistant, vec![call("1", "{}")]),
        (Role::User, vec![result("1", vec![BlockKind::ToolReference("f".into())])]),
    ]);
    conversation.tools = vec![deferred("f"), deferred("g")];
    let (body, _) = told(&conversation, "claude-x").unwrap();
    assert_eq!(body["tools"], json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}}]));
}

/// I1, I6: what other clients set as extensions passes, and some JSON object is asked for in words.
#[test]
fn i1_extensions_pass() {
    let raw = |text: &str| JsonText::parse(text).unwrap();
    let rest = [
        ("system", r#"[{"type":"text","text":"First."}]"#),
        ("thinking", r#"{"type":"enabled","budget_tokens":2000}"#),
        ("container", "\"c\""),
        ("context_management", r#"{"edits":[]}"#),
        ("inference_geo", "\"eu\""),
        ("output_config", r#"{"effort":"low"}"#),
        ("stop_sequences", r#"["END"]"#),
        ("store", "true"),
        ("made_up", "1"),
    ];
    let conversation = Conversation {
        system: vec![BlockKind::text("Second.").into()],
        rest: rest.iter().map(|(name, value)| ((*name).to_owned(), raw(value))).collect(),
        output_format: Some(crate::common::OutputFormat::JsonObject),
        ..question()
    };
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    let said = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        body,
        json!({"model": "claude-x",
            "system": [said("First."), said("Second."), said("Answer with one JSON object and nothing else.")],
            "messages": asked(), "thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 6096,
            "container": "c", "context_management": {"edits": []}, "inference_geo": "eu",
            "output_config": {"effort": "low"}, "stop_sequences": ["END"]})
    );
    assert_eq!(dropped, ["response_format", "store", "made_up"]);
}
