use serde_json::{Number, json};

use super::*;
use crate::common::{
    Block, BlockKind, Family, JsonText, Media, MediaSource, ReasoningToken, Role, Sampling, Tool, ToolDefinition,
    ToolKind, ToolResult, ToolUse, Turn,
};

fn user(text: &str) -> Turn {
    Turn::new(Role::User, vec![BlockKind::text(text).into()])
}

fn thought(family: Family, token: &str, id: Option<&str>) -> Block {
    let token = ReasoningToken { item_id: id.map(str::to_owned), ..ReasoningToken::new(family, token) };
    BlockKind::Thinking { text: "two calls".into(), is_summary: true, token: Some(token) }.into()
}

fn called(id: &str, arguments: &str) -> Block {
    let (call_id, name, arguments) = (id.into(), "wx".into(), arguments.into());
    BlockKind::ToolUse(ToolUse { call_id, name, arguments, ..ToolUse::default() }).into()
}

fn result(id: &str, blocks: Vec<Block>, is_error: bool) -> Block {
    BlockKind::ToolResult(ToolResult { call_id: id.into(), kind: ToolKind::Function, blocks, is_error }).into()
}

fn tool(strict: Option<bool>) -> Tool {
    let schema = r#"{"type":"object","properties":{"c":{"type":"string"}},"required":["c"]}"#;
    let definition = ToolDefinition::Client {
        kind: ToolKind::Function,
        name: "wx".into(),
        namespace: None,
        description: Some("weather".into()),
        schema: Some(JsonText::parse(schema).unwrap()),
        strict,
        is_deferred: false,
        rest: Vec::new(),
    };
    Tool { definition, cache: None }
}

/// The talk of section 12.
fn talk() -> Conversation {
    let source = MediaSource::Inline { mime: "image/png".into(), base64: "iVBORw0KGgo=".into() };
    let image = BlockKind::Image(Media { source, ..Media::default() }, None);
    let answer = vec![
        thought(Family::OpenAi, "ENC", Some("rs_1")),
        BlockKind::text("Looking.").into(),
        called("call_a", r#"{"c":"A"}"#),
        called("call_b", r#"{"c":"B"}"#),
    ];
    let results = vec![
        result("call_a", vec![BlockKind::text("sunny").into(), image.into()], false),
        result("call_b", vec![BlockKind::text("no such city").into()], true),
    ];
    Conversation {
        model: "m".into(),
        max_output_tokens: Some(1_000),
        system: vec![BlockKind::text("Be brief.").into()],
        turns: vec![user("Weather in A and B?"), Turn::new(Role::Assistant, answer), Turn::new(Role::User, results)],
        tools: vec![tool(None)],
        ..Conversation::default()
    }
}

/// The fixture of one talk in all formats, without the ids that only their issuer knows.
#[test]
fn the_talk_is_told_in_this_format() {
    let (body, dropped) = sent(&talk(), &Quirks::default());
    let expected = json!({"model": "v", "instructions": "Be brief.", "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather in A and B?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "two calls"}], "encrypted_content": "ENC"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking.", "annotations": []}]},
        {"type": "function_call", "call_id": "call_a", "name": "wx", "arguments": "{\"c\":\"A\"}"},
        {"type": "function_call", "call_id": "call_b", "name": "wx", "arguments": "{\"c\":\"B\"}"},
        {"type": "function_call_output", "call_id": "call_a", "output": [{"type": "input_text", "text": "sunny"},
            {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}]},
        {"type": "function_call_output", "call_id": "call_b", "output": "Error: no such city"}],
        "tools": [{"type": "function", "name": "wx", "description": "weather", "parameters":
            {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]}, "strict": false}],
        "max_output_tokens": 1000, "store": false, "include": ["reasoning.encrypted_content"]});
    assert_eq!(body.to_string(), expected.to_string());
    assert_eq!(dropped, Vec::<String>::new());
}

/// J7, J5: reasoning stands directly before what it led to, and only its own issuer's.
#[test]
fn j7_reasoning_precedes_its_item() {
    let mut talk = talk();
    talk.turns.push(Turn::new(
        Role::Assistant,
        vec![
            thought(Family::Anthropic, "SIG", None),
            BlockKind::text("sunny in A").into(),
            thought(Family::OpenAi, "LOST", Some("rs_9")),
        ],
    ));
    talk.turns.push(user("and C?"));
    talk.turns
        .push(Turn::new(Role::Assistant, vec![BlockKind::Redacted(ReasoningToken::new(Family::OpenAi, "RED")).into()]));
    talk.turns.push(Turn::new(Role::Assistant, vec![called("call_c", "")]));
    let (body, _) = sent(&talk, &Quirks::default());
    let kinds: Vec<&str> =
        body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    let expected = [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
        "message",
        "reasoning",
        "function_call",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(body["input"][9].to_string(), r#"{"type":"reasoning","summary":[],"encrypted_content":"RED"}"#);
    assert_eq!(body["input"][10]["arguments"], "{}");
    let text = body.to_string();
    assert!(!text.contains("SIG") && !text.contains("LOST") && !text.contains("rs_9"));
}

/// What the format has no field for is told as dropped, and several answers are refused.
#[test]
fn what_has_no_place_is_told() {
    let number = |value| Number::from_f64(value);
    let sampling = Sampling {
        temperature: number(0.5),
        top_p: number(1.0),
        top_k: Some(4),
        stop: vec!["x".into()],
        seed: Some(1.into()),
        frequency_penalty: number(0.1),
        presence_penalty: number(0.1),
        logit_bias: Some(JsonText::parse("{}").unwrap()),
        logprobs: Some(true),
        top_logprobs: Some(2),
        choices: Some(1),
    };
    let own = |name: &str| (name.to_owned(), JsonText::parse("{}").unwrap());
    let rest = vec![own("prediction"), own("input"), own("stream_options")];
    let mut talk = Conversation { sampling, rest, max_output_tokens: Some(1), ..talk() };
    talk.rest_family = Some(Family::OpenAi);
    let (body, dropped) = sent(&talk, &Quirks::default());
    let names = ["top_k", "stop", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "input"];
    assert_eq!(dropped, names);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content", "message.output_text.logprobs"]));
    assert_eq!(body["top_logprobs"], 2);
    assert_eq!(body["prediction"], json!({}), "fields of the format that nothing has read go back");
    assert!(body["input"].is_array() && body["stream_options"].is_null());
    assert_eq!((&body["temperature"], &body["max_output_tokens"]), (&json!(0.5), &json!(16)));
    talk.max_output_tokens = Some(5_000);
    let (body, dropped) = sent(&talk, &Quirks::default());
    assert_eq!((&body["max_output_tokens"], dropped[0].as_str()), (&json!(1_000), "max_tokens>1000"));
    talk.sampling.choices = Some(2);
    let quirks = Quirks::default();
    let target = TargetModel { model: "gpt-5.4", quirks: &quirks, max_output_tokens: None };
    assert_eq!(OpenAiResponses.request(&talk, &target).unwrap_err().param.as_deref(), Some("n"));
    talk.sampling.choices = None;
    let request = OpenAiResponses.request(&talk, &target).unwrap();
    assert!(request.dropped_params.contains(&"temperature".to_owned()), "reasoning models take none");
}

/// Several texts of the operator stay apart, in the place where they stood.
#[test]
fn words_of_the_operator() {
    let mut talk = talk();
    talk.system.push(BlockKind::text("And kind.").into());
    talk.turns.push(Turn::new(Role::System, vec![BlockKind::text("Late.").into()]));
    let (body, _) = sent(&talk, &Quirks::default());
    assert_eq!(body.get("instructions"), None);
    let roles: Vec<&str> = body["input"].as_array().unwrap().iter().filter_map(|item| item["role"].as_str()).collect();
    assert_eq!(roles, ["developer", "developer", "user", "assistant", "developer"]);
    let quirks = Quirks { no_developer_role: true, ..Quirks::default() };
    assert_eq!(sent(&talk, &quirks).0["input"][0]["role"], "system");
}

/// J12: ids of calls fit, and a call and its result have the same one.
#[test]
fn j12_ids_of_calls_fit() {
    let id = "toolu/01 with spaces".to_owned() + &"x".repeat(80);
    let mut talk = talk();
    talk.turns = vec![
        user("q"),
        Turn::new(Role::Assistant, vec![called(&id, "{}")]),
        Turn::new(Role::User, vec![result(&id, vec![BlockKind::text("r").into()], false)]),
    ];
    let (body, _) = sent(&talk, &Quirks::default());
    let told = body["input"][1]["call_id"].as_str().unwrap();
    assert!(told.len() <= 64 && told.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
    assert_eq!(body["input"][2]["call_id"], told);
}

/// What would be lost is refused: sound, files of other vendors, tools that run elsewhere.
#[test]
fn what_would_be_lost_is_refused() {
    let audio = BlockKind::Audio(Media::default());
    let source = MediaSource::FileId("f".into(), Family::Anthropic);
    let file = BlockKind::File(Media { source, ..Media::default() });
    let sealed = BlockKind::Compaction(ReasoningToken::new(Family::Other, "s"));
    let quirks = Quirks::default();
    let target = TargetModel { model: "v", quirks: &quirks, max_output_tokens: None };
    for block in [audio, file, sealed] {
        let talk = Conversation { turns: vec![Turn::new(Role::User, vec![block.into()])], ..Conversation::default() };
        assert!(OpenAiResponses.request(&talk, &target).is_err());
    }
    let hosted = |kind: &str| {
        let raw = JsonText::parse(&json!({"type": kind, "allowed_domains": ["a.b"]}).to_string()).unwrap();
        let definition = ToolDefinition::Hosted { kind: kind.into(), name: None, raw, family: Family::Anthropic };
        Conversation { tools: vec![Tool { definition, cache: None }], ..talk() }
    };
    let error = OpenAiResponses.request(&hosted("code_execution_20250522"), &target).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tools[0]"));
    let (body, _) = sent(&hosted("web_search_20250305"), &quirks);
    assert_eq!(body["tools"], json!([{"type": "web_search", "filters": {"allowed_domains": ["a.b"]}}]));
}

/// J16, J17: the billing line of Claude Code stays away, and a deferred tool until a search names it.
#[test]
fn what_is_meant_for_anthropic_stays_away() {
    let mut talk = talk();
    let line = "x-anthropic-billing-header: cc_version=2; cch=1;";
    talk.system = vec![BlockKind::text(line).into(), BlockKind::text("Be brief.").into()];
    let mut deferred = tool(None);
    if let ToolDefinition::Client { name, is_deferred, .. } = &mut deferred.definition {
        (*name, *is_deferred) = ("later".into(), true);
    }
    talk.tools = vec![tool(None), deferred];
    let (body, _) = sent(&talk, &Quirks::default());
    assert_eq!(body["instructions"], "Be brief.");
    assert_eq!(body["tools"].as_array().map(Vec::len), Some(1));
    let found = vec![BlockKind::ToolReference("later".into()).into()];
    talk.turns.push(Turn::new(Role::Assistant, vec![called("s", "{}")]));
    talk.turns.push(Turn::new(Role::User, vec![result("s", found, false)]));
    talk.system = vec![BlockKind::text(format!("{line}\nBe brief.")).into()];
    let (body, _) = sent(&talk, &Quirks::default());
    assert_eq!((body["instructions"].as_str(), body["tools"].as_array().map(Vec::len)), (Some("Be brief."), Some(2)));
}
