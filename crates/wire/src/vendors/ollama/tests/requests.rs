use serde_json::{Number, Value, json};

use super::*;
use crate::common::{
    CacheMark, Effort, Family, Identity, Media, MediaSource, OutputFormat, Reasoning, ReasoningToken, Role, Sampling,
    Tool, ToolChoice, ToolDefinition, ToolKind, ToolResult, Turn,
};
use crate::vendors::Quirks;

/// The body as text, and what was dropped.
fn raw(conversation: &Conversation) -> Result<(String, Vec<String>), BadRequest> {
    let target = TargetModel { model: "llama3:8b", quirks: &Quirks::default(), max_output_tokens: Some(1_000) };
    let request = Ollama.request(conversation, &target)?;
    assert_eq!((request.path.as_str(), request.headers.len()), ("/api/chat", 0));
    Ok((String::from_utf8(request.body.to_vec()).unwrap(), request.dropped_params))
}

fn request(conversation: Conversation) -> (Value, Vec<String>) {
    let (body, dropped) = raw(&conversation).unwrap();
    (serde_json::from_str(&body).unwrap(), dropped)
}

/// The field to blame.
fn refused(conversation: Conversation) -> String {
    raw(&conversation).unwrap_err().param.unwrap()
}

fn turns(turns: Vec<Turn>) -> Conversation {
    Conversation { turns, ..Conversation::default() }
}

fn user(blocks: Vec<Block>) -> Turn {
    Turn::new(Role::User, blocks)
}

fn assistant(blocks: Vec<Block>) -> Turn {
    Turn::new(Role::Assistant, blocks)
}

fn image(data: &str) -> Block {
    let source = MediaSource::Inline { mime: "image/png".into(), base64: data.into() };
    BlockKind::Image(Media { source, ..Media::default() }, None).into()
}

fn result(id: &str, blocks: Vec<Block>, is_error: bool) -> Block {
    BlockKind::ToolResult(ToolResult { call_id: id.into(), blocks, is_error, ..ToolResult::default() }).into()
}

fn tool_use(id: &str, name: &str, arguments: &str) -> Block {
    BlockKind::ToolUse(call(id, name, arguments)).into()
}

fn function(name: &str, is_deferred: bool) -> Tool {
    let definition = ToolDefinition::Client {
        kind: ToolKind::Function,
        name: name.into(),
        namespace: None,
        description: Some("does".into()),
        schema: Some(json(r#"{"type":"object","maximum":1.0}"#)),
        strict: None,
        is_deferred,
        rest: Vec::new(),
    };
    Tool { definition, cache: None }
}

fn hosted(kind: &str, family: Family) -> Conversation {
    let definition = ToolDefinition::Hosted { kind: kind.into(), name: None, raw: json("{}"), family };
    Conversation { tools: vec![Tool { definition, cache: None }], ..Conversation::default() }
}

/// I1: a conversation with images, parallel calls and their results.
#[test]
fn i1_messages_are_translated() {
    let mut conversation = turns(vec![
        user(vec![text("what?"), image("AAAA")]),
        assistant(vec![tool_use("t1", "f", "{\"a\":1}"), tool_use("t2", "g", "")]),
        user(vec![result("t2", vec![text("done")], false)]),
    ]);
    conversation.system = vec![text("be kind")];
    let (body, dropped) = raw(&conversation).unwrap();
    let expected = concat!(
        r#"{"model":"llama3:8b","messages":[{"role":"system","content":"be kind"},"#,
        r#"{"role":"user","content":"what?","images":["AAAA"]},"#,
        r#"{"role":"assistant","content":"","tool_calls":[{"id":"t1","function":{"name":"f","arguments":{"a":1}}},"#,
        r#"{"id":"t2","function":{"name":"g","arguments":{}}}]},"#,
        r#"{"role":"tool","content":"done","tool_call_id":"t2","tool_name":"g"}],"stream":false}"#
    );
    assert_eq!((body.as_str(), dropped.len()), (expected, 0));
}

/// J18, J5: the history of all dialects: thinking is readable, sealed reasoning stays away, a failed result says so, and
/// images of results come behind all of them.
#[test]
fn j18_images_of_results_follow_them() {
    let token = Some(ReasoningToken::new(Family::Anthropic, "SIG"));
    let thinking = BlockKind::Thinking { text: "two calls".into(), is_summary: false, token };
    let sealed = BlockKind::Redacted(ReasoningToken::new(Family::OpenAi, "ENC"));
    let (body, dropped) = request(turns(vec![
        user(vec![text("Weather in A and B?")]),
        assistant(vec![
            thinking.into(),
            sealed.into(),
            text("Looking."),
            tool_use("call_a", "wx", r#"{"c":"A"}"#),
            tool_use("call_b", "wx", r#"{"c":"B"}"#),
        ]),
        user(vec![result("call_a", vec![text("sunny"), image("iVBORw0KGgo=")], false)]),
        user(vec![result("call_b", vec![text("no such city"), image("R0lGOD==")], true), text("And?")]),
    ]));
    let expected = json!([
        {"role": "user", "content": "Weather in A and B?"},
        {"role": "assistant", "content": "Looking.", "thinking": "two calls", "tool_calls": [
            {"id": "call_a", "function": {"name": "wx", "arguments": {"c": "A"}}},
            {"id": "call_b", "function": {"name": "wx", "arguments": {"c": "B"}}}]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_a", "tool_name": "wx"},
        {"role": "tool", "content": "Error: no such city", "tool_call_id": "call_b", "tool_name": "wx"},
        {"role": "user", "content": "Image returned by call_a (wx):\nImage returned by call_b (wx):",
            "images": ["iVBORw0KGgo=", "R0lGOD=="]},
        {"role": "user", "content": "And?"}]);
    assert_eq!((&body["messages"], dropped.len()), (&expected, 0));
}

/// numbers: arguments keep every digit.
#[test]
fn numbers_in_arguments_stay_as_they_were_written() {
    let arguments = r#"{"a":12345678901234567890123,"b":0.10000000000000000555,"c":1.0}"#;
    let (body, _) = raw(&turns(vec![assistant(vec![tool_use("t", "f", arguments)])])).unwrap();
    assert!(body.contains(&format!(r#""arguments":{arguments}"#)), "{body}");
}

/// J16, J17: late instructions stay where they are, and the billing line of Claude Code stays away.
#[test]
fn j16_late_instructions_stay_in_their_place() {
    let mut conversation = turns(vec![
        user(vec![text("a")]),
        Turn::new(Role::System, vec![text("b"), text("c")]),
        assistant(vec![text("d")]),
    ]);
    conversation.system = vec![text("x-anthropic-billing-header: cc_version=1; cch=2;"), text("one"), text("two")];
    let expected = json!([{"role": "system", "content": "one\n\ntwo"}, {"role": "user", "content": "a"},
        {"role": "system", "content": "b\nc"}, {"role": "assistant", "content": "d"}]);
    assert_eq!(request(conversation).0["messages"], expected);
}

/// J16: a deferred tool is offered once a search has found it, and the model is told.
#[test]
fn j16_deferred_tools_are_offered_once_found() {
    let found = result("t", vec![BlockKind::ToolReference("found".into()).into()], false);
    let mut conversation = turns(vec![user(vec![found])]);
    conversation.tools = vec![function("found", true), function("other", true), function("plain", false)];
    let (body, _) = request(conversation);
    assert_eq!(body["messages"][0]["content"], "The tool 'found' can be called now.");
    let names: Vec<&Value> = body["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["found", "plain"]);
}

/// What Responses tells in items of their own is one message.
#[test]
fn j7_parts_of_one_answer_are_one_message() {
    let thinking = BlockKind::Thinking { text: "hm".into(), is_summary: true, token: None };
    let (body, _) = request(turns(vec![
        assistant(vec![thinking.into()]),
        assistant(vec![text("a")]),
        assistant(vec![tool_use("t1", "f", "{}")]),
        assistant(vec![tool_use("t2", "f", "{}")]),
        assistant(vec![text("b")]),
    ]));
    let calls = ["t1", "t2"].map(|id| json!({"id": id, "function": {"name": "f", "arguments": {}}}));
    let expected = json!([{"role": "assistant", "content": "a", "thinking": "hm", "tool_calls": calls},
        {"role": "assistant", "content": "b"}]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn parameters_have_their_counterparts() {
    let rest = [
        ("options", r#"{"num_ctx":100,"seed":1}"#),
        ("keep_alive", r#""5m""#),
        ("store", "true"),
        ("shift", "null"),
        ("min_p", "0.1"),
        ("x", "null"),
    ];
    let conversation = Conversation {
        stream: true,
        max_output_tokens: Some(9),
        sampling: Sampling {
            temperature: Number::from_f64(0.5),
            seed: Some(4.into()),
            stop: vec!["END".into()],
            top_k: Some(7),
            logit_bias: Some(json("{}")),
            choices: Some(1),
            logprobs: Some(true),
            top_logprobs: Some(2),
            ..Sampling::default()
        },
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        tools: vec![function("f", false)],
        tool_choice: Some(ToolChoice::Required),
        identity: Identity { user: Some("u".into()), cache_key: None },
        metadata: Some(serde_json::Map::new()),
        output_format: Some(OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema: json(r#"{"type": "object"}"#),
            strict: None,
        }),
        rest: rest.iter().map(|(name, value)| ((*name).to_owned(), json(value))).collect(),
        rest_family: Some(Family::OpenAi),
        ..Conversation::default()
    };
    let (body, dropped) = raw(&conversation).unwrap();
    let expected = concat!(
        r#"{"model":"llama3:8b","messages":[],"stream":true,"#,
        r#""options":{"num_ctx":100,"seed":4,"temperature":0.5,"top_k":7,"min_p":0.1,"num_predict":9,"stop":["END"]},"#,
        r#""keep_alive":"5m","logprobs":true,"top_logprobs":2,"think":"low","#,
        r#""tools":[{"type":"function","function":{"name":"f","description":"does","#,
        r#""parameters":{"type":"object","maximum":1.0}}}],"format":{"type": "object"}}"#
    );
    assert_eq!(body, expected);
    // I6: everything that is lost is told.
    assert_eq!(dropped, ["tool_choice", "user", "logit_bias", "metadata", "store"]);
    let none =
        Conversation { tool_choice: Some(ToolChoice::None), tools: conversation.tools, ..Conversation::default() };
    let (body, dropped) = request(none);
    assert!(body.get("tools").is_none() && dropped.is_empty());
}

/// J13: a limit beyond what the model can is the model's own.
#[test]
fn j13_the_limit_is_no_more_than_the_model_can() {
    let (body, dropped) = request(Conversation { max_output_tokens: Some(128_000), ..Conversation::default() });
    assert_eq!((&body["options"], dropped), (&json!({"num_predict": 1_000}), vec!["max_tokens".to_owned()]));
}

/// Ollama refuses levels that it does not know, so the others become the nearest; `think` itself goes first.
#[test]
fn efforts_become_levels_that_ollama_knows() {
    let of = |reasoning: Reasoning| request(Conversation { reasoning: Some(reasoning), ..Conversation::default() });
    let cases = [
        (Effort::None, json!(false)),
        (Effort::Minimal, json!("low")),
        (Effort::Low, json!("low")),
        (Effort::Medium, json!("medium")),
        (Effort::High, json!("high")),
        (Effort::XHigh, json!("high")),
        (Effort::Max, json!("max")),
    ];
    for (effort, think) in cases {
        let (body, dropped) = of(Reasoning { effort: Some(effort), ..Reasoning::default() });
        assert_eq!((&body["think"], dropped.len()), (&think, 0), "{effort:?}");
    }
    assert_eq!(of(Reasoning { budget_tokens: Some(16_384), ..Reasoning::default() }).0["think"], "high");
    // J4: Claude Code wishes so on every model, and one that cannot think would refuse it.
    for effort in [None, Some(Effort::High)] {
        let wish = Reasoning { adaptive: true, effort, ..Reasoning::default() };
        assert!(of(wish).0.get("think").is_none(), "{effort:?}");
    }
    assert!(of(Reasoning::default()).0.get("think").is_none());
    let own = Conversation {
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        rest: vec![("think".into(), json("true"))],
        ..Conversation::default()
    };
    assert_eq!(request(own), (json!({"model": "llama3:8b", "messages": [], "stream": false, "think": true}), vec![]));
}

/// I6: what has no counterpart in a message is told once, and a schema that is missing asks for any JSON.
#[test]
fn i6_what_messages_and_formats_lose_is_told() {
    let named = |name: &str, blocks| Turn { name: Some(name.into()), ..user(blocks) };
    let cited = BlockKind::Text { text: "see".into(), annotations: vec![json("{}")] };
    let searched = BlockKind::Hosted { raw: json(r#"{"type":"web_search_tool_result"}"#), family: Family::Anthropic };
    let mut marked = text("b");
    marked.cache = Some(CacheMark::OneHour);
    let mut conversation = turns(vec![
        named("Ann", vec![text("a")]),
        named("Bob", vec![marked]),
        assistant(vec![BlockKind::Refusal("no".into()).into()]),
        assistant(vec![cited.into(), searched.into()]),
        named("f", vec![result("", vec![text("done")], false)]),
    ]);
    conversation.lost = vec!["messages[].audio".to_owned()];
    conversation.output_format =
        Some(OutputFormat::JsonSchema { name: None, description: None, schema: json("null"), strict: None });
    let (body, dropped) = request(conversation);
    let expected = [
        "messages[].audio",
        "messages[].name",
        "cache_control",
        "messages[].annotations",
        "messages[].web_search_tool_result",
    ];
    assert_eq!(dropped, [&expected[..], &["response_format"]].concat());
    assert_eq!((&body["format"], &body["messages"][2]["content"]), (&json!("json"), &json!("no")));
    assert_eq!(body["messages"][4], json!({"role": "tool", "content": "done", "tool_name": "f"}));
    let any = Conversation { output_format: Some(OutputFormat::JsonObject), ..Conversation::default() };
    assert_eq!(request(any).0["format"], "json");
}

#[test]
fn what_cannot_be_said_names_its_field() {
    let remote = Media { source: MediaSource::Url("https://x/y.png".into()), ..Media::default() };
    let said = |kind: BlockKind| refused(turns(vec![user(vec![kind.into()])]));
    assert_eq!(said(BlockKind::Image(remote.clone(), None)), "messages[].content[].image_url.url");
    assert_eq!(said(BlockKind::File(remote.clone())), "messages[].content[].type");
    assert_eq!(said(BlockKind::Audio(remote)), "messages[].content[].type");
    assert_eq!(said(BlockKind::Compaction(ReasoningToken::new(Family::OpenAi, "x"))), "input");
    for arguments in ["x", "[1]", "{\"a\":"] {
        let turn = turns(vec![assistant(vec![tool_use("t", "f", arguments)])]);
        assert_eq!(refused(turn), "messages[].tool_calls[].function.arguments");
    }
    let sampling = Sampling { choices: Some(2), ..Sampling::default() };
    assert_eq!(refused(Conversation { sampling, ..Conversation::default() }), "n");
    let rest = vec![("options".to_owned(), json("[1]"))];
    assert_eq!(refused(Conversation { rest, ..Conversation::default() }), "options");
    let (rest, rest_family) = (vec![("thread".to_owned(), json("{}"))], Some(Family::Anthropic));
    assert_eq!(refused(Conversation { rest, rest_family, ..Conversation::default() }), "thread");
}

/// J10: custom tools are functions, namespaces part of the name, and the vendors' own tools refused, but for the search
/// that Codex always offers.
#[test]
fn j10_tools_of_all_kinds() {
    let mut custom = function("patch", false);
    if let ToolDefinition::Client { kind, namespace, schema, .. } = &mut custom.definition {
        (*kind, *namespace) = (ToolKind::Custom, Some("pad".into()));
        *schema = Some(json(r#"{"type":"grammar","syntax":"lark","definition":"start: X"}"#));
    }
    let call = ToolUse { kind: ToolKind::Custom, namespace: Some("pad".into()), ..call("t", "patch", "*** Begin") };
    let mut conversation = turns(vec![assistant(vec![BlockKind::ToolUse(call).into()])]);
    conversation.tools = vec![custom, function("f", false)];
    conversation.tool_choice = Some(ToolChoice::Allowed { required: false, names: vec!["patch".into()] });
    let (body, dropped) = request(conversation);
    assert_eq!(
        body["messages"][0]["tool_calls"][0]["function"],
        json!({"name": "pad__patch", "arguments": {"input": "*** Begin"}})
    );
    let function = json!({"name": "pad__patch",
        "description": "does\n\n'input' must follow this grammar (lark):\nstart: X",
        "parameters": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
            "additionalProperties": false}});
    assert_eq!((&body["tools"], dropped.len()), (&json!([{"type": "function", "function": function}]), 0));
    let (body, dropped) = request(hosted("web_search", Family::OpenAi));
    assert_eq!((body.get("tools"), dropped), (None, vec!["tools[].web_search".to_owned()]));
    assert_eq!(refused(hosted("web_search_20250305", Family::Anthropic)), "tools[0].type");
    assert_eq!(refused(hosted("mcp", Family::OpenAi)), "tools[0].type");
}
