use serde_json::{Value, json};

use super::{read, sent_back};
use crate::common::{
    Block, BlockKind, CacheMark, Conversation, Effort, Family, JsonText, Media, MediaSource, OutputFormat, Reasoning,
    ReasoningToken, Role, ToolChoice, ToolDefinition, ToolKind, ToolResult, ToolUse, Turn,
};

fn text(text: &str) -> Block {
    BlockKind::text(text).into()
}

fn with(fields: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn fields(fields: Value) -> Conversation {
    read(&with(fields)).unwrap()
}

fn marked(words: &str, mark: CacheMark) -> Block {
    Block { cache: Some(mark), ..text(words) }
}

/// I1: leading instructions stand apart, later ones keep their place (J17); cache marks stay.
#[test]
fn i1_instructions_and_turns() {
    let conversation = read(&json!({"system": "First.", "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be brief.",
            "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {"role": "developer", "content": "Now."},
        {"role": "user", "name": "an", "content": "Xin chào", "cache_control": {"type": "ephemeral"}},
        {"role": "developer", "content": "Late."},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": [{"type": "text", "text": "Khỏe."}, {"type": "refusal", "refusal": "Không."}]},
        {"role": "user", "content": null}]}))
    .unwrap();
    assert_eq!(conversation.system, [text("First."), marked("Be brief.", CacheMark::OneHour), text("Now.")]);
    let mut user = Turn::new(Role::User, vec![marked("Xin chào", CacheMark::FiveMinutes)]);
    user.name = Some("an".into());
    assert_eq!(
        conversation.turns,
        [
            user,
            Turn::new(Role::System, vec![text("Late.")]),
            Turn::new(Role::Assistant, vec![text("")]),
            Turn::new(Role::Assistant, vec![text("Khỏe."), BlockKind::Refusal("Không.".into()).into()]),
        ]
    );
}

fn call(id: &str, name: &str, arguments: &str) -> Block {
    let call = ToolUse { call_id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolUse::default() };
    BlockKind::ToolUse(call).into()
}

fn result(id: &str, blocks: Vec<Block>) -> ToolResult {
    ToolResult { call_id: id.into(), blocks, ..ToolResult::default() }
}

/// I1, numbers: parallel calls with their raw arguments, and their results in one turn.
#[test]
fn i1_calls_and_results() {
    let raw = r#"{"messages":[{"role":"user","content":"go"},
        {"role":"assistant","content":"","refusal":null,"annotations":[],"tool_calls":[
            {"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":12345678901234567890123,\"b\":117.63331139400017}"}},
            {"id":"t2","type":"function","function":{"name":"g","arguments":""}},
            {"id":"t3","function":{"name":"g","arguments":{"n":12345678901234567890123}}},
            {"id":"t4","type":"custom","custom":{"name":"patch","input":"*** {"}},
            {"type":"function","function":{"name":"h"},"extra_content":{"google":{"thought_signature":"U0lH"}}}]},
        {"role":"tool","tool_call_id":"t1","content":"one"},
        {"role":"tool","tool_call_id":"t2","is_error":true,"content":[{"type":"text","text":"a picture"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
        {"role":"tool","tool_call_id":"t4","content":"","cache_control":{"type":"ephemeral"}},
        {"role":"tool","name":"h","content":"four"},
        {"role":"user","content":"and?"}]}"#;
    let conversation = crate::clients::ClientFormat::read(
        &super::CHAT,
        &crate::json_object::JsonObject::parse(bytes::Bytes::from(raw)).unwrap(),
    )
    .unwrap();
    let custom = ToolUse {
        call_id: "t4".into(),
        name: "patch".into(),
        kind: ToolKind::Custom,
        arguments: "*** {".into(),
        ..ToolUse::default()
    };
    let sealed = ToolUse {
        call_id: "call_1_4".into(),
        name: "h".into(),
        token: Some(ReasoningToken::new(Family::Gemini, "U0lH")),
        ..ToolUse::default()
    };
    assert_eq!(
        conversation.turns[1].blocks,
        [
            call("t1", "f", r#"{"a":12345678901234567890123,"b":117.63331139400017}"#),
            call("t2", "g", ""),
            call("t3", "g", r#"{"n":12345678901234567890123}"#),
            BlockKind::ToolUse(custom).into(),
            BlockKind::ToolUse(sealed).into(),
        ]
    );
    let source = MediaSource::Inline { mime: "image/png".into(), base64: "AAAA".into() };
    let image = BlockKind::Image(Media { source, ..Media::default() }, None);
    let failed = ToolResult { is_error: true, ..result("t2", vec![text("a picture"), image.into()]) };
    let patched = ToolResult { kind: ToolKind::Custom, ..result("t4", vec![]) };
    let cached = Block { kind: BlockKind::ToolResult(patched), cache: Some(CacheMark::FiveMinutes) };
    assert_eq!(
        conversation.turns[2].blocks,
        [
            BlockKind::ToolResult(result("t1", vec![text("one")])).into(),
            BlockKind::ToolResult(failed).into(),
            cached,
            BlockKind::ToolResult(result("call_1_4", vec![text("four")])).into(),
        ]
    );
    assert_eq!(conversation.turns[3], Turn::new(Role::User, vec![text("and?")]));
    assert_eq!(conversation.lost, [""; 0]);
}

/// The form before tool calls: a call and its result by name, and the choice among functions.
#[test]
fn functions_are_tools() {
    let conversation = read(&json!({"messages": [{"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{\"a\":1}"}},
        {"role": "function", "name": "f", "content": "one"}],
        "functions": [{"name": "f"}], "function_call": {"name": "f"}}))
    .unwrap();
    assert_eq!(conversation.turns[1].blocks, [call("f", "f", r#"{"a":1}"#)]);
    assert_eq!(conversation.turns[2].blocks, [BlockKind::ToolResult(result("f", vec![text("one")])).into()]);
    assert_eq!(conversation.tool_choice, Some(ToolChoice::Tool("f".into(), None)));
    assert!(matches!(&conversation.tools[0].definition, ToolDefinition::Client { name, .. } if name == "f"));
}

/// I1: pictures, documents and sound in all their forms, and Anthropic's own blocks.
#[test]
fn i1_media() {
    let inline = |mime: &str, base64: &str| MediaSource::Inline { mime: mime.into(), base64: base64.into() };
    let file = |source: MediaSource, name: Option<&str>| {
        BlockKind::File(Media { source, name: name.map(str::to_owned), ..Media::default() })
    };
    let image = |source: MediaSource, detail: Option<&str>| {
        BlockKind::Image(Media { source, ..Media::default() }, detail.map(str::to_owned))
    };
    let url = "https://example.com/a.png";
    let search = json!({"type": "search_result", "source": "s", "title": "t", "content": []});
    let cases = [
        (
            json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}}),
            image(MediaSource::Url(url.into()), Some("low")),
        ),
        (json!({"type": "image_url", "image_url": url}), image(MediaSource::Url(url.into()), None)),
        (
            json!({"type": "image_url", "image_url": {"url": "data:image/jpeg;charset=utf-8;base64,/9j/"}}),
            image(inline("image/jpeg", "/9j/"), None),
        ),
        (
            json!({"type": "file", "file": {"filename": "hợp đồng.pdf", "file_data": "data:application/pdf;base64,JVBERi0x"}}),
            file(inline("application/pdf", "JVBERi0x"), Some("hợp đồng.pdf")),
        ),
        (json!({"type": "file", "file": {"file_data": "JVBERi0x"}}), file(inline("application/pdf", "JVBERi0x"), None)),
        (
            json!({"type": "file", "file": {"file_data": "data:text/csv;base64,Q2jDoG8="}}),
            file(MediaSource::Text("Chào".into()), None),
        ),
        (json!({"type": "file", "file": {"file_id": "f"}}), file(MediaSource::FileId("f".into(), Family::Other), None)),
        (
            json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
            BlockKind::Audio(Media { source: inline("audio/wav", "AA=="), ..Media::default() }),
        ),
        (
            json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}, "title": "T", "context": "C",
                "citations": {"enabled": true}}),
            BlockKind::File(Media {
                source: MediaSource::FileId("file_1".into(), Family::Anthropic),
                name: Some("T".into()),
                context: Some("C".into()),
                citations: true,
            }),
        ),
        (
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}),
            image(inline("image/png", "AA"), None),
        ),
        (search.clone(), BlockKind::Hosted { raw: search.into(), family: Family::Anthropic }),
    ];
    for (part, expected) in cases {
        let conversation = read(&json!({"messages": [{"role": "user", "content": [part]}]})).unwrap();
        assert_eq!(conversation.turns[0].blocks, [expected.into()], "{part}");
    }
}

/// I1: every form of tool.
#[test]
fn i1_tools() {
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
    let conversation = fields(json!({"tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "strict": true, "extra": 1,
            "parameters": {"type": "object", "maximum": 1}}, "cache_control": {"type": "ephemeral"}},
        {"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}},
        {"name": "g", "input_schema": {"type": "object"}, "defer_loading": true},
        search, {"type": "mcp_toolset", "mcp_server_name": "m"}, {"type": "browser"}]}));
    let client = |kind, name: &str, schema: Option<Value>| ToolDefinition::Client {
        kind,
        name: name.into(),
        namespace: None,
        description: None,
        schema: schema.map(JsonText::from),
        strict: None,
        is_deferred: name == "g",
        rest: vec![],
    };
    let found: Vec<&ToolDefinition> = conversation.tools.iter().map(|tool| &tool.definition).collect();
    let ToolDefinition::Client { description, schema, strict, rest, .. } = found[0] else { panic!("{found:?}") };
    assert_eq!((description.as_deref(), *strict), (Some("d"), Some(true)));
    assert_eq!(schema.as_ref().unwrap().as_str(), r#"{"type":"object","maximum":1}"#);
    assert_eq!((rest.len(), conversation.tools[0].cache), (1, Some(CacheMark::FiveMinutes)));
    assert_eq!(*found[1], client(ToolKind::Custom, "p", Some(json!({"type": "text"}))));
    assert_eq!(*found[2], client(ToolKind::Function, "g", Some(json!({"type": "object"}))));
    let families = found[3..].iter().map(|found| match found {
        ToolDefinition::Hosted { family, .. } => *family,
        ToolDefinition::Client { .. } => panic!("{found:?}"),
    });
    assert_eq!(families.collect::<Vec<_>>(), [Family::Anthropic, Family::Anthropic, Family::Other]);
}

/// I1, tool-choice: every `tool_choice`, that of Anthropic's form and `allowed_tools` among them.
#[test]
fn i1_the_choice_among_tools() {
    let named = || Some(ToolChoice::Tool("f".into(), None));
    let allowed = |required| Some(ToolChoice::Allowed { required, names: vec!["g".into()] });
    let list = json!([{"type": "function", "function": {"name": "g"}}]);
    let cases = [
        (json!({}), None, None),
        (json!({"tool_choice": "auto"}), Some(ToolChoice::Auto), None),
        (json!({"tool_choice": "none", "parallel_tool_calls": true}), Some(ToolChoice::None), Some(true)),
        (json!({"tool_choice": "required"}), Some(ToolChoice::Required), None),
        (json!({"tool_choice": {"type": "any"}}), Some(ToolChoice::Required), None),
        (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), named(), None),
        (json!({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}), named(), None),
        (
            json!({"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true}}),
            named(),
            Some(false),
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": list}}}),
            allowed(true),
            None,
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]}}),
            allowed(false),
            None,
        ),
    ];
    for (body, choice, parallel) in cases {
        let found = fields(body.clone());
        assert_eq!((found.tool_choice, found.parallel_tool_calls), (choice, parallel), "{body}");
    }
}

/// I1, I6: every parameter that the common form has; the others are kept as they stand.
#[test]
fn i1_parameters() {
    let found = fields(json!({"model": "anthropic/claude-x", "max_tokens": 5, "max_completion_tokens": 9.0, "n": 1,
        "stop": ["END", "KẾT THÚC"], "temperature": 1.5, "top_p": 0.5, "top_k": 3, "stream": true,
        "stream_options": {"include_usage": true}, "user": "u1", "safety_identifier": "u2", "metadata": {"case": "7"},
        "service_tier": "default", "prompt_cache_key": "k", "verbosity": "low", "seed": 1, "logprobs": true,
        "top_logprobs": 2, "logit_bias": {"1": 2}, "frequency_penalty": 0.1, "presence_penalty": 0.2,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object"}}},
        "store": true, "prediction": null, "made_up": {"x": 1}, "speed": "fast"}));
    assert_eq!((found.model.as_str(), found.max_output_tokens), ("anthropic/claude-x", Some(9)));
    let sampling = &found.sampling;
    assert_eq!((sampling.stop.len(), sampling.top_k, sampling.choices), (2, Some(3), Some(1)));
    let numbers = [
        &sampling.temperature,
        &sampling.top_p,
        &sampling.seed,
        &sampling.frequency_penalty,
        &sampling.presence_penalty,
    ];
    let numbers = numbers.map(|number| number.as_ref().unwrap().to_string());
    assert_eq!(numbers, ["1.5", "0.5", "1", "0.1", "0.2"]);
    assert_eq!((sampling.logprobs, sampling.top_logprobs), (Some(true), Some(2)));
    assert_eq!(sampling.logit_bias.as_ref().unwrap().as_str(), r#"{"1":2}"#);
    assert_eq!((found.identity.user.as_deref(), found.identity.cache_key.as_deref()), (Some("u2"), Some("k")));
    assert_eq!((found.verbosity.as_deref(), found.service_tier.as_deref()), (Some("low"), Some("default")));
    assert!(found.stream && found.include_usage);
    assert_eq!(Value::Object(found.metadata.unwrap()), json!({"case": "7"}));
    let schema = json!({"type": "object"}).into();
    let format = OutputFormat::JsonSchema { name: Some("n".into()), description: None, schema, strict: Some(true) };
    assert_eq!(found.output_format, Some(format));
    let rest: Vec<(&str, &str)> = found.rest.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(rest, [("store", "true"), ("made_up", r#"{"x":1}"#), ("speed", r#""fast""#)]);
    assert_eq!(found.rest_family, Some(Family::Other));
}

/// I1: how much to reason, in OpenAI's and Anthropic's words.
#[test]
fn i1_reasoning() {
    let cases = [
        (json!({}), None),
        (
            json!({"reasoning_effort": "minimal"}),
            Some(Reasoning { effort: Some(Effort::Minimal), ..Reasoning::default() }),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"}}),
            Some(Reasoning { effort: Some(Effort::Low), budget_tokens: Some(2000), ..Reasoning::default() }),
        ),
        (
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "reasoning_effort": "max"}),
            Some(Reasoning {
                effort: Some(Effort::Max),
                adaptive: true,
                summary: Some("summarized".into()),
                ..Reasoning::default()
            }),
        ),
        (
            json!({"thinking": {"type": "disabled"}}),
            Some(Reasoning { effort: Some(Effort::None), ..Reasoning::default() }),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(fields(body.clone()).reasoning, expected, "{body}");
    }
    let found =
        fields(json!({"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}, "task_budget": 5}}));
    assert!(
        matches!(found.output_format, Some(OutputFormat::JsonSchema { schema, .. }) if schema.as_str() == r#"{"a":1}"#)
    );
    assert_eq!(found.rest, [("output_config".to_owned(), json!({"task_budget": 5}).into())]);
    let found = fields(json!({"response_format": {"type": "json_schema"}, "stop_sequences": ["a"]}));
    assert_eq!((found.output_format, found.sampling.stop), (Some(OutputFormat::JsonObject), vec!["a".to_owned()]));
    assert_eq!(fields(json!({"metadata": {"user_id": "u"}, "stop": "END"})).identity.user.as_deref(), Some("u"));
}

/// I4, J5: sealed reasoning comes back byte-exact with its family, unsealed reasoning as words.
#[test]
fn i4_reasoning_comes_back() {
    let thinking = |words: &str, token: Option<ReasoningToken>, is_summary| -> Block {
        BlockKind::Thinking { text: words.into(), is_summary, token }.into()
    };
    let sealed = || thinking("Hừm…", Some(ReasoningToken::new(Family::Anthropic, "s==")), false);
    let streamed = json!({"type": "thinking", "thinking": "Hừm…", "signature": "s==", "index": 0});
    for field in ["thinking_blocks", "content_blocks"] {
        let message = json!({"role": "assistant", "content": "Chào", "reasoning_content": "Hừm…", field: [
            {"type": "text", "text": "Chào"}, streamed, {"type": "thinking", "thinking": "no signature"}]});
        assert_eq!(sent_back(&message), [sealed(), text("Chào")], "{field}");
    }
    let foreign = ReasoningToken { item_id: Some("rs_1".into()), ..ReasoningToken::new(Family::OpenAi, "ENC") };
    let wrapped = foreign.for_client(Family::Anthropic);
    let message = json!({"role": "assistant", "content": "x", "content_blocks": [
        {"type": "thinking", "thinking": "sum", "signature": wrapped}, {"type": "redacted_thinking", "data": "R"}]});
    let redacted = BlockKind::Redacted(ReasoningToken::new(Family::Anthropic, "R"));
    assert_eq!(sent_back(&message), [thinking("sum", Some(foreign.clone()), true), redacted.into(), text("x")]);
    for name in ["reasoning_content", "reasoning"] {
        let message = json!({"role": "assistant", "content": "x", name: "hm", "thinking_blocks": []});
        assert_eq!(sent_back(&message), [thinking("hm", None, false), text("x")]);
    }
    let message = json!({"role": "assistant", "content": "x", "reasoning": "sum", "reasoning_details": [
        {"type": "reasoning.summary", "summary": "sum"},
        {"type": "reasoning.encrypted", "data": "ENC", "id": "rs_1", "format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "t", "signature": "s==", "format": "anthropic-claude-v1"}]});
    let claude = thinking("t", Some(ReasoningToken::new(Family::Anthropic, "s==")), false);
    let expected = [thinking("sum", None, true), BlockKind::Redacted(foreign).into(), claude, text("x")];
    assert_eq!(sent_back(&message), expected);
}

/// order: `content_blocks` tell the place of reasoning among words and calls, where they tell all of the message.
#[test]
fn the_order_of_blocks_is_restored() {
    let thought = |words: &str| json!({"type": "thinking", "thinking": words, "signature": format!("s{words}")});
    let sealed = |words: &str| -> Block {
        let token = Some(ReasoningToken::new(Family::Anthropic, format!("s{words}")));
        BlockKind::Thinking { text: words.into(), is_summary: false, token }.into()
    };
    let calls = json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}]);
    let order = json!([thought("1"), {"type": "text", "text": "one"}, {"type": "tool_use", "id": "a", "name": "f"},
        thought("2"), {"type": "tool_use", "id": "b", "name": "g"}]);
    let message = |content: &str, calls: &Value| json!({"role": "assistant", "content": content, "tool_calls": calls, "content_blocks": order});
    assert_eq!(
        sent_back(&message("one", &calls)),
        [sealed("1"), text("one"), call("a", "f", "{}"), sealed("2"), call("b", "g", "{}")]
    );
    // What the client changed is no longer in that order.
    assert_eq!(
        sent_back(&message("two", &calls)),
        [sealed("1"), sealed("2"), text("two"), call("a", "f", "{}"), call("b", "g", "{}")]
    );
    assert_eq!(
        sent_back(&message("one", &json!([calls[0]]))),
        [sealed("1"), sealed("2"), text("one"), call("a", "f", "{}")]
    );
}

/// I6: a message's fields without a counterpart are named, once; empty ones say nothing.
#[test]
fn i6_lost_fields_are_named() {
    let message = json!({"role": "assistant", "content": "x", "audio": {"id": "a"}, "function_call": null,
        "annotations": [], "prefix": true});
    let found = read(&json!({"messages": [{"role": "user", "content": "x", "made_up": 1}, message, message]})).unwrap();
    assert_eq!(found.lost, ["messages[].made_up", "messages[].audio", "messages[].prefix"]);
}

#[test]
fn a_lone_surrogate_does_not_break_a_request() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a\ud83d"}]}"#;
    let body = crate::json_object::JsonObject::parse(bytes::Bytes::from(body)).unwrap();
    let found = crate::clients::ClientFormat::read(&super::CHAT, &body).unwrap();
    assert_eq!(found.turns[0].blocks, [text("a\u{fffd}")]);
}

#[test]
fn what_cannot_be_read_names_its_field() {
    let call = |function: Value| {
        json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [
            {"id": "t", "function": function}]}]})
    };
    let part = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let cases = [
        (with(json!({"n": "2"})), "n"),
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
        (part(json!({"type": "input_audio", "input_audio": {}})), "messages[0].content[0].input_audio.data"),
        (part(json!({"type": "video"})), "messages[0].content[0].type"),
        (part(json!("x")), "messages[0].content[0].type"),
        (part(json!({"type": "text"})), "messages[0].content[0].text"),
        (part(json!({"type": "image_url", "image_url": {}})), "messages[0].content[0].image_url.url"),
        (part(json!({"type": "image_url", "image_url": {"url": "data:x"}})), "messages[0].content[0].image_url.url"),
        (part(json!({"type": "file", "file": {}})), "messages[0].content[0].file.file_data"),
        (
            part(json!({"type": "file", "file": {"file_data": "data:text/plain;base64,%"}})),
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
        (with(json!({"tools": [{"type": "custom", "custom": {}}]})), "tools[0].custom.name"),
        (with(json!({"tools": [{}]})), "tools[0].type"),
        (with(json!({"tools": {}})), "tools"),
        (with(json!({"tool_choice": "f", "tools": [{"name": "f"}]})), "tool_choice"),
        (with(json!({"max_tokens": "5"})), "max_tokens"),
        (with(json!({"temperature": "hot"})), "temperature"),
        (with(json!({"stop": 5})), "stop"),
        (with(json!({"reasoning_effort": "some"})), "reasoning_effort"),
        (with(json!({"thinking": {"type": "some"}})), "thinking.type"),
        (with(json!({"output_config": 1})), "output_config"),
        (with(json!({"stream_options": 1})), "stream_options"),
        (with(json!({"response_format": {"type": "xml"}})), "response_format.type"),
    ];
    for (body, param) in cases {
        let error = read(&body).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
        assert!(error.message.len() > 10, "{body}");
    }
}
