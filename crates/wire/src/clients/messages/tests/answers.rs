use serde_json::{Value, json};

use super::super::Messages;
use super::context;
use crate::Usage;
use crate::clients::ClientFormat as _;
use crate::common::{
    Answer, BlockKind, Conversation, Family, Finish, FinishReason, JsonText, ReasoningToken, Tool, ToolDefinition,
    ToolKind, ToolUse, tool_ids::TOOL_NAME,
};

fn conversation() -> Conversation {
    Conversation { model: "gw/best".into(), ..Conversation::default() }
}

fn told(answer: Answer) -> Value {
    serde_json::from_slice(&Messages.whole(answer, &context(&conversation()))).unwrap()
}

fn call(arguments: &str) -> BlockKind {
    BlockKind::ToolUse(ToolUse {
        call_id: "c:1".into(),
        name: "f".into(),
        arguments: arguments.into(),
        ..ToolUse::default()
    })
}

/// J2, J14: a whole answer with every kind of block and distinct primes as its counts.
#[test]
fn j14_a_whole_answer() {
    let own = ReasoningToken::new(Family::Anthropic, "Eq==");
    let foreign = ReasoningToken::new(Family::OpenAi, "gAAA");
    let kinds = [
        BlockKind::Thinking { text: "hm".into(), is_summary: false, token: Some(own.clone()) },
        BlockKind::Thinking { text: "so".into(), is_summary: true, token: Some(foreign.clone()) },
        BlockKind::Thinking { text: String::new(), is_summary: true, token: Some(foreign.clone()) },
        BlockKind::Thinking { text: "bare".into(), is_summary: false, token: None },
        BlockKind::Redacted(own),
        BlockKind::text(""),
        BlockKind::text("Hi"),
        BlockKind::Hosted { raw: JsonText::parse(r#"{"type":"x"}"#).unwrap(), family: Family::OpenAi },
        BlockKind::Hosted {
            raw: JsonText::parse(r#"{"type":"server_tool_use","n":1.0}"#).unwrap(),
            family: Family::Anthropic,
        },
        call(r#"{"a":12345678901234567890123}"#),
        call(""),
        call("{broken"),
    ];
    let usage = Usage {
        prompt_tokens: 101,
        completion_tokens: 53,
        cached_tokens: 31,
        cache_write_tokens: 11,
        cache_write_1h_tokens: 7,
        reasoning_tokens: 23,
        ..Usage::default()
    };
    let answer = Answer {
        blocks: kinds.into_iter().map(Into::into).collect(),
        finish: Finish { reason: FinishReason::End, ..Finish::default() },
        usage: Some(usage),
        ..Answer::default()
    };
    let text = String::from_utf8(Messages.whole(answer, &context(&conversation())).to_vec()).unwrap();
    let wrapped = foreign.for_client(Family::Anthropic);
    let use_of = |input: &str| format!(r#"{{"type":"tool_use","id":"c:1","name":"f","input":{input}}}"#);
    let content = [
        r#"{"type":"thinking","thinking":"hm","signature":"Eq=="}"#.to_owned(),
        format!(r#"{{"type":"thinking","thinking":"so","signature":"{wrapped}"}}"#),
        format!(r#"{{"type":"redacted_thinking","data":"{wrapped}"}}"#),
        r#"{"type":"thinking","thinking":"bare","signature":""}"#.to_owned(),
        r#"{"type":"redacted_thinking","data":"Eq=="}"#.to_owned(),
        r#"{"type":"text","text":"Hi"}"#.to_owned(),
        r#"{"type":"server_tool_use","n":1.0}"#.to_owned(),
        use_of(r#"{"a":12345678901234567890123}"#),
        use_of("{}"),
        use_of("{}"),
    ];
    let expected = format!(
        r#"{{"id":"msg_req1a","type":"message","role":"assistant","model":"gw/best","content":[{}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":52,"cache_creation_input_tokens":18,"cache_read_input_tokens":31,"cache_creation":{{"ephemeral_5m_input_tokens":11,"ephemeral_1h_input_tokens":7}},"output_tokens":53,"output_tokens_details":{{"thinking_tokens":23}}}}}}"#,
        content.join(",")
    );
    assert_eq!(text, expected);
}

#[test]
fn reasons_have_their_words() {
    let cases = [
        (FinishReason::End, "end_turn"),
        (FinishReason::StopSequence, "stop_sequence"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::ContextWindow, "model_context_window_exceeded"),
        (FinishReason::Tool, "end_turn"),
        (FinishReason::Filter, "refusal"),
        (FinishReason::Refusal, "refusal"),
        (FinishReason::Pause, "pause_turn"),
    ];
    for (reason, word) in cases {
        let finish = Finish { reason, stop_sequence: Some("S".into()), details: JsonText::parse("{}").ok() };
        let told = told(Answer { finish, ..Answer::default() });
        let found =
            (&told["stop_reason"], &told["stop_sequence"], &told["stop_details"], &told["usage"]["input_tokens"]);
        assert_eq!(found, (&json!(word), &json!("S"), &json!({}), &json!(11)), "{reason:?}");
    }
}

/// A seal of Gemini's on a call travels as a block before it, and is put on the call again.
#[test]
fn a_seal_of_a_call_goes_there_and_back() {
    let token = ReasoningToken::new(Family::Gemini, "U0lH");
    let call = ToolUse {
        call_id: "c".into(),
        name: "f".into(),
        arguments: "{}".into(),
        token: Some(token),
        ..ToolUse::default()
    };
    let told = told(Answer { blocks: vec![BlockKind::ToolUse(call.clone()).into()], ..Answer::default() });
    assert_eq!(told["content"][0]["type"], "redacted_thinking");
    let request =
        json!({"model": "m", "max_tokens": 5, "messages": [{"role": "assistant", "content": told["content"]}]});
    assert_eq!(super::read(&request).unwrap().turns[0].blocks, [BlockKind::ToolUse(call).into()]);
}

/// J12: the client sees its own names of tools.
#[test]
fn j12_names_come_back() {
    let name = "mcp server/tool.ế";
    let definition = ToolDefinition::Client {
        kind: ToolKind::Function,
        name: name.into(),
        namespace: None,
        description: None,
        schema: None,
        strict: None,
        is_deferred: false,
        rest: Vec::new(),
    };
    let conversation = Conversation { tools: vec![Tool { definition, cache: None }], ..Conversation::default() };
    let call = ToolUse { name: TOOL_NAME.name(None, name).into_owned(), ..ToolUse::default() };
    let answer = Answer { blocks: vec![BlockKind::ToolUse(call).into()], ..Answer::default() };
    let told: Value = serde_json::from_slice(&Messages.whole(answer, &context(&conversation))).unwrap();
    assert_eq!(told["content"][0]["name"], name);
}
