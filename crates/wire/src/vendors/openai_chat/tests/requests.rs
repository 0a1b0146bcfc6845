use serde_json::{Value, json};

use super::{read, request, told};
use crate::common::{
    Block, BlockKind, CacheMark, Conversation, Effort, Family, Identity, JsonText, Media, MediaSource, Reasoning,
    ReasoningToken, Role, Tool, ToolChoice, ToolDefinition, ToolKind, ToolResult, ToolUse, Turn,
};
use crate::vendors::Quirks;

fn text(text: &str) -> Block {
    BlockKind::text(text).into()
}

fn user(blocks: Vec<Block>) -> Turn {
    Turn::new(Role::User, blocks)
}

fn assistant(blocks: Vec<Block>) -> Turn {
    Turn::new(Role::Assistant, blocks)
}

/// A conversation of a client that speaks Messages.
fn foreign(turns: Vec<Turn>) -> Conversation {
    Conversation { turns, rest_family: Some(Family::Anthropic), ..Conversation::default() }
}

fn messages(conversation: &Conversation, quirks: &Quirks) -> Value {
    told(conversation, quirks).0["messages"].clone()
}

fn call(id: &str, name: &str, arguments: &str) -> ToolUse {
    ToolUse { call_id: id.into(), name: name.into(), arguments: arguments.into(), ..ToolUse::default() }
}

fn used(call: ToolUse) -> Block {
    BlockKind::ToolUse(call).into()
}

fn result(id: &str, blocks: Vec<Block>, is_error: bool) -> Block {
    let result = ToolResult { call_id: id.into(), blocks, is_error, ..ToolResult::default() };
    BlockKind::ToolResult(result).into()
}

fn image(base64: &str) -> Block {
    let source = MediaSource::Inline { mime: "image/png".into(), base64: base64.into() };
    BlockKind::Image(Media { source, ..Media::default() }, None).into()
}

fn thinking(text: &str, token: Option<&str>) -> Block {
    let token = token.map(|token| ReasoningToken::new(Family::Anthropic, token));
    BlockKind::Thinking { text: text.into(), is_summary: false, token }.into()
}

fn weather() -> Conversation {
    Conversation {
        system: vec![text("Be brief.")],
        ..foreign(vec![
            user(vec![text("Weather in A and B?")]),
            assistant(vec![
                thinking("two calls", Some("SIG")),
                text("Looking."),
                used(call("call_a", "wx", "{\"c\":\"A\"}")),
                used(call("call_b", "wx", "{\"c\":\"B\"}")),
            ]),
            user(vec![
                result("call_a", vec![text("sunny"), image("iVBORw0KGgo=")], false),
                result("call_b", vec![text("no such city")], true),
            ]),
        ])
    }
}

/// J8, J18: the fixture of one history in six formats; reasoning goes where it is asked for, and is never another's.
#[test]
fn j18_one_history() {
    let calls = json!([
        {"id": "call_a", "type": "function", "function": {"name": "wx", "arguments": "{\"c\":\"A\"}"}},
        {"id": "call_b", "type": "function", "function": {"name": "wx", "arguments": "{\"c\":\"B\"}"}}]);
    let expected = |said: Value| {
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in A and B?"},
            said,
            {"role": "tool", "tool_call_id": "call_a", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_b", "content": "Error: no such city"},
            {"role": "user", "content": [{"type": "text", "text": "Image returned by call_a (wx):"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}])
    };
    let plain = json!({"role": "assistant", "content": "Looking.", "tool_calls": calls});
    assert_eq!(messages(&weather(), &Quirks::default()), expected(plain));
    let echoed =
        json!({"role": "assistant", "content": "Looking.", "reasoning_content": "two calls", "tool_calls": calls});
    let quirks = Quirks { echo_reasoning: true, ..Quirks::default() };
    assert_eq!(messages(&weather(), &quirks), expected(echoed));
}

/// What stands between calls and their results comes behind these, and media behind all results.
#[test]
fn nothing_stands_between_calls_and_results() {
    let conversation = foreign(vec![
        assistant(vec![used(call("a", "f", "")), used(call("b", "f", "{}"))]),
        Turn::new(Role::System, vec![text("late")]),
        user(vec![result("a", vec![image("AA")], false), text("hm")]),
        user(vec![result("b", vec![text("2"), text("3")], true)]),
        user(vec![text("next")]),
    ]);
    let function = json!({"name": "f", "arguments": "{}"});
    assert_eq!(
        messages(&conversation, &Quirks::default()),
        json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": function}, {"id": "b", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "a", "content": "The result is in the next message of the user."},
            {"role": "tool", "tool_call_id": "b", "content": "Error: 2\n3"},
            {"role": "user", "content": [{"type": "text", "text": "Image returned by a (f):"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
            {"role": "system", "content": "late"},
            {"role": "user", "content": "hm"},
            {"role": "user", "content": "next"}])
    );
}

/// Instructions are one text; late ones are the user's where the vendor takes a first one alone (J16, J17).
#[test]
fn j17_instructions() {
    let billing = "x-anthropic-billing-header: cc_version=2; cch=1a2b3;";
    let mut conversation = foreign(vec![user(vec![text("hi")]), Turn::new(Role::System, vec![text("late")])]);
    conversation.system = vec![text(billing), Block { cache: Some(CacheMark::OneHour), ..text("One.") }, text("Two.")];
    let first = json!({"role": "system", "content": "One.\n\nTwo."});
    let hi = json!({"role": "user", "content": "hi"});
    let anywhere = messages(&conversation, &Quirks::default());
    assert_eq!(anywhere, json!([first, hi, {"role": "system", "content": "late"}]));
    let quirks = Quirks { system_first_only: true, no_developer_role: true, ..Quirks::default() };
    let last = json!({"role": "user", "content": "<system>\nlate\n</system>"});
    assert_eq!(messages(&conversation, &quirks), json!([first, hi, last]));
    conversation.system.clear();
    assert_eq!(messages(&conversation, &quirks)[0], hi);
}

/// vendor-extras: what the gateway or another format invented goes to no vendor, and to none that refuses it.
#[test]
fn own_fields_stay_here() {
    let body = json!({"top_k": 3, "made_up": 1, "store": true, "speed": "fast", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": "yes", "reasoning_content": "hm", "audio": {"id": "a"}, "content_blocks": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}]}]});
    let (found, dropped) = told(&read(&body), &Quirks { own_fields_refused: true, ..Quirks::default() });
    let plain = json!({"model": "m", "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": "yes"}], "store": true});
    assert_eq!(
        (found, dropped),
        (plain, vec!["top_k".into(), "made_up".into(), "speed".into(), "messages[].audio".into()])
    );
    let (found, dropped) = told(&read(&body), &Quirks::default());
    assert_eq!((&found["top_k"], &found["made_up"], dropped.len()), (&json!(3), &json!(1), 2));
    assert_eq!(found["messages"][1], json!({"role": "assistant", "content": "yes"}));
    // Another format's client is not known to want them.
    let mut conversation = foreign(vec![user(vec![Block { cache: Some(CacheMark::OneHour), ..text("x") }])]);
    conversation.sampling.top_k = Some(3);
    conversation.rest = vec![("context_management".into(), json!({}).into())];
    let (found, dropped) = told(&conversation, &Quirks::default());
    assert_eq!(found, json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}));
    assert_eq!(dropped, ["top_k", "context_management"]);
}

/// J12: ids that the vendor refuses are mapped, the same in the call and in its result.
#[test]
fn j12_ids_fit() {
    let long = "call_".repeat(20);
    let conversation = foreign(vec![
        assistant(vec![used(call(&long, "f", "{}")), used(call("toolu_1", "f", "{}"))]),
        user(vec![result(&long, vec![], false), result("toolu_1", vec![], false)]),
    ]);
    for (quirks, exact) in [(Quirks::default(), None), (Quirks { short_tool_ids: true, ..Quirks::default() }, Some(9))]
    {
        let found = messages(&conversation, &quirks);
        for at in 0..2 {
            let id = found[0]["tool_calls"][at]["id"].as_str().unwrap();
            assert_eq!(found[at + 1]["tool_call_id"], id);
            assert!(exact.map_or(id.len() <= 40, |length| id.len() == length), "{id}");
        }
    }
    assert_eq!(messages(&conversation, &Quirks::default())[0]["tool_calls"][1]["id"], "toolu_1");
}

fn client(kind: ToolKind, namespace: Option<&str>, name: &str, schema: Option<Value>) -> Tool {
    let definition = ToolDefinition::Client {
        kind,
        name: name.into(),
        namespace: namespace.map(str::to_owned),
        description: Some("d".into()),
        schema: schema.map(JsonText::from),
        strict: Some(false),
        is_deferred: false,
        rest: vec![("output_schema".into(), json!({}).into())],
    };
    Tool { definition, cache: Some(CacheMark::FiveMinutes) }
}

/// J10: custom tools and tools in namespaces become functions, in the list, in the history and in the choice.
#[test]
fn j10_all_tools_are_functions() {
    let grammar = json!({"type": "grammar", "syntax": "lark", "definition": "start: x"});
    let mut conversation = foreign(vec![
        assistant(vec![
            used(ToolUse { kind: ToolKind::Custom, ..call("a", "apply_patch", "*** x") }),
            used(ToolUse { namespace: Some("mcp".into()), ..call("b", "go", "{}") }),
        ]),
        user(vec![result("a", vec![], false), result("b", vec![], false)]),
    ]);
    conversation.tools = vec![
        client(ToolKind::Custom, None, "apply_patch", Some(grammar)),
        client(ToolKind::Function, Some("mcp"), "go", None),
        client(ToolKind::Shell, None, "local_shell", None),
    ];
    conversation.tool_choice = Some(ToolChoice::Tool("go".into(), Some("mcp".into())));
    conversation.parallel_tool_calls = Some(true);
    let (found, dropped) = told(&conversation, &Quirks::default());
    let input = json!({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
        "additionalProperties": false});
    let shell = json!({"type": "object", "required": ["command"], "properties": {
        "command": {"type": "array", "items": {"type": "string"}}, "workdir": {"type": "string"}, "timeout_ms": {"type": "number"}}});
    let words = "d\n\n'input' must follow this grammar (lark):\nstart: x";
    let function = |name: &str, description: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}});
    assert_eq!(
        found["tools"],
        json!([
            function("apply_patch", words, input),
            function("mcp__go", "d", json!({"type": "object", "properties": {}})),
            function("local_shell", "d", shell)
        ])
    );
    assert_eq!(found["tool_choice"], json!({"type": "function", "function": {"name": "mcp__go"}}));
    assert_eq!((&found["parallel_tool_calls"], dropped), (&json!(true), vec!["tools[].output_schema".to_owned()]));
    let calls = &found["messages"][0]["tool_calls"];
    assert_eq!(calls[0]["function"], json!({"name": "apply_patch", "arguments": "{\"input\":\"*** x\"}"}));
    assert_eq!(calls[1]["function"]["name"], "mcp__go");
    conversation.tools.push(client(ToolKind::Function, None, "mcp__go", None));
    assert_eq!(request(&conversation, &Quirks::default()).unwrap_err().param.as_deref(), Some("tools[3].name"));
}

/// J16: deferred tools are offered once the history names them; a choice of some tools offers those alone.
#[test]
fn j16_deferred_tools_and_choices_of_some() {
    let deferred = |name: &str| {
        let mut tool = client(ToolKind::Function, None, name, None);
        if let ToolDefinition::Client { is_deferred, .. } = &mut tool.definition {
            *is_deferred = true;
        }
        tool
    };
    let names = |conversation: &Conversation| -> Vec<String> {
        let (found, _) = told(conversation, &Quirks::default());
        let tools = found["tools"].as_array().cloned().unwrap_or_default();
        tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut conversation = foreign(vec![user(vec![text("x")])]);
    conversation.tools = vec![client(ToolKind::Function, None, "f", None), deferred("g"), deferred("h")];
    assert_eq!(names(&conversation), ["f"]);
    let found = BlockKind::ToolReference("h".into());
    conversation.turns.push(user(vec![result("s", vec![found.into()], false)]));
    assert_eq!(names(&conversation), ["f", "h"]);
    let last = messages(&conversation, &Quirks::default()).as_array().unwrap().last().cloned().unwrap();
    assert_eq!(last["content"], "The tool h is available now.");
    conversation.tool_choice = Some(ToolChoice::Allowed { required: true, names: vec!["h".into()] });
    assert_eq!(names(&conversation), ["h"]);
    assert_eq!(told(&conversation, &Quirks::default()).0["tool_choice"], "required");
    conversation.tools.clear();
    let (found, dropped) = told(&conversation, &Quirks { no_empty_tools: true, ..Quirks::default() });
    assert_eq!((found.get("tools"), found.get("tool_choice")), (None, None));
    assert_eq!(dropped, ["tool_choice"]);
}

fn hosted(kind: &str, name: Option<&str>) -> Tool {
    let raw = json!({"type": kind, "name": name}).into();
    let definition =
        ToolDefinition::Hosted { kind: kind.into(), name: name.map(str::to_owned), raw, family: Family::Anthropic };
    Tool { definition, cache: None }
}

/// J16: a search that another vendor would run is told as lost beside other tools, and is refused where it is the point.
#[test]
fn j16_tools_of_other_vendors() {
    let mut conversation = foreign(vec![user(vec![text("x")])]);
    let search = || hosted("web_search_20250305", Some("web_search"));
    conversation.tools = vec![search(), client(ToolKind::Function, None, "f", None)];
    let (found, dropped) = told(&conversation, &Quirks::default());
    assert_eq!(
        (found["tools"].as_array().unwrap().len(), dropped.join(" ").as_str()),
        (1, "tools.web_search tools[].output_schema")
    );
    conversation.tool_choice = Some(ToolChoice::Tool("web_search".into(), None));
    let param = |conversation: &Conversation| request(conversation, &Quirks::default()).unwrap_err().param;
    assert_eq!(param(&conversation).as_deref(), Some("tools[0].type"));
    conversation.tool_choice = None;
    conversation.tools = vec![search()];
    assert_eq!(param(&conversation).as_deref(), Some("tools[0].type"));
    conversation.tools = vec![client(ToolKind::Function, None, "f", None), hosted("bash_20250124", Some("bash"))];
    assert_eq!(param(&conversation).as_deref(), Some("tools[1].type"));
}

/// Fields have the vendor's names and bounds (J13), and effort is one of OpenAI's words.
#[test]
fn j13_parameters_follow_the_vendor() {
    let mut conversation = foreign(vec![user(vec![text("x")])]);
    conversation.max_output_tokens = Some(200_000);
    conversation.reasoning = Some(Reasoning { budget_tokens: Some(16_384), ..Reasoning::default() });
    conversation.service_tier = Some("standard_only".into());
    conversation.verbosity = Some("low".into());
    conversation.identity = Identity { user: Some("u".into()), cache_key: Some("k".into()) };
    conversation.metadata = serde_json::from_value(json!({"user_id": "u", "b": 1})).unwrap();
    conversation.stream = true;
    let (mut found, dropped) = told(&conversation, &Quirks::default());
    found.as_object_mut().unwrap().retain(|name, _| name != "messages");
    assert_eq!(
        found,
        json!({"model": "m", "max_completion_tokens": 100_000, "reasoning_effort": "high", "user": "u",
            "verbosity": "low", "prompt_cache_key": "k", "service_tier": "default", "stream": true,
            "stream_options": {"include_usage": true}})
    );
    assert_eq!(dropped, ["max_completion_tokens>100000", "metadata"]);
    let quirks = Quirks { max_completion_tokens: Some(false), no_stream_options: true, ..Quirks::default() };
    let (found, dropped) = told(&conversation, &quirks);
    assert_eq!((&found["max_tokens"], found.get("stream_options")), (&json!(100_000), None));
    assert_eq!(dropped, ["max_tokens>100000", "verbosity", "prompt_cache_key", "metadata"]);
    conversation.reasoning = Some(Reasoning { effort: Some(Effort::Max), ..Reasoning::default() });
    assert_eq!(told(&conversation, &quirks).0["reasoning_effort"], "xhigh");
    conversation.reasoning = Some(Reasoning { adaptive: true, ..Reasoning::default() });
    assert_eq!(told(&conversation, &quirks).0.get("reasoning_effort"), None);
}

/// What this format cannot say without another meaning names its field.
#[test]
fn what_cannot_be_said_names_its_field() {
    let part = |kind: BlockKind| foreign(vec![user(vec![kind.into()])]);
    let file = |source| BlockKind::File(Media { source, ..Media::default() });
    let hosted = |kind: &str| BlockKind::Hosted { raw: json!({"type": kind}).into(), family: Family::Anthropic };
    let mut two = foreign(vec![]);
    two.sampling.choices = Some(2);
    let threaded = Conversation { rest: vec![("thread".into(), json!({}).into())], ..foreign(vec![]) };
    let cases = [
        (two, "n"),
        (threaded, "thread"),
        (part(file(MediaSource::Url("https://x".into()))), "messages"),
        (part(file(MediaSource::FileId("f".into(), Family::Anthropic))), "messages"),
        (part(hosted("container_upload")), "messages"),
        (part(BlockKind::Compaction(ReasoningToken::new(Family::OpenAi, "x"))), "messages"),
    ];
    for (conversation, param) in cases {
        let error = request(&conversation, &Quirks::default()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{conversation:?}");
    }
}

/// Documents of text, search results and refusals are told in words; what a vendor ran itself is told as lost.
#[test]
fn what_has_no_form_is_told_in_words() {
    let document = Media {
        source: MediaSource::Text("Words.".into()),
        name: Some("Title".into()),
        context: Some("Context".into()),
        citations: true,
    };
    let search = json!({"type": "search_result", "source": "https://x", "title": "T", "content": [{"type": "text", "text": "W"}]});
    let ran = json!({"type": "server_tool_use", "id": "s"});
    let hosted = |raw: Value| Block::from(BlockKind::Hosted { raw: raw.into(), family: Family::Anthropic });
    let conversation = foreign(vec![
        user(vec![BlockKind::File(document).into(), hosted(search)]),
        assistant(vec![hosted(ran), text("One."), text("Two."), BlockKind::Refusal("no".into()).into()]),
        assistant(vec![thinking("hm", None)]),
        assistant(vec![BlockKind::Refusal("never".into()).into()]),
    ]);
    let (found, dropped) = told(&conversation, &Quirks::default());
    assert_eq!(
        found["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "Title\n\nContext\n\nWords."},
                {"type": "text", "text": "T\nhttps://x\nW"}]},
            {"role": "assistant", "content": "One.\nTwo."},
            {"role": "assistant", "content": "never"}])
    );
    assert_eq!(dropped, ["messages[].server_tool_use"]);
}

/// A field of the client's own does not stand beside one of the same name that was read.
#[test]
fn no_name_is_told_twice() {
    let rest = |name: &str, value: &str| (name.to_owned(), JsonText::parse(value).unwrap());
    let conversation = Conversation {
        turns: vec![user(vec![text("a")])],
        max_output_tokens: Some(5),
        rest: vec![
            rest("max_completion_tokens", "9"),
            rest("messages", "[]"),
            rest("min_p", "0.1"),
            rest("min_p", "1"),
        ],
        rest_family: Some(Family::Other),
        ..Conversation::default()
    };
    let sent = request(&conversation, &Quirks::default()).unwrap();
    let body = std::str::from_utf8(&sent.body).unwrap();
    assert_eq!(
        body,
        r#"{"model":"m","messages":[{"role":"user","content":"a"}],"max_completion_tokens":5,"min_p":0.1}"#
    );
    assert_eq!(sent.dropped_params, ["max_completion_tokens", "messages", "min_p"]);
}
