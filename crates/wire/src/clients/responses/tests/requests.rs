use std::collections::BTreeSet;

use serde_json::Number;

use super::*;
use crate::common::{
    Block, BlockKind, Effort, Media, MediaSource, OutputFormat, Reasoning, ReasoningToken, Role, ToolChoice, ToolKind,
    ToolResult, ToolUse, Turn,
};

fn refused(text: &str) -> String {
    Responses.read(&body(text)).unwrap_err().param.unwrap_or_default()
}

fn turns(items: &str) -> Vec<Turn> {
    read(&format!(r#"{{"model":"m","input":[{items}]}}"#)).turns
}

fn texts(blocks: &[Block]) -> Vec<String> {
    let text = |block: &Block| match &block.kind {
        BlockKind::Text { text, .. } => text.clone(),
        BlockKind::ToolUse(call) => format!("call {}", call.call_id),
        BlockKind::ToolResult(result) => format!("result {}: {}", result.call_id, texts(&result.blocks).join("+")),
        BlockKind::Thinking { text, .. } => format!("thought {text}"),
        other => format!("{other:?}"),
    };
    blocks.iter().map(text).collect()
}

fn shown(turns: &[Turn]) -> Vec<(Role, Vec<String>)> {
    turns.iter().map(|turn| (turn.role, texts(&turn.blocks))).collect()
}

/// Section 3.2: every field of a request.
#[test]
fn all_fields_are_read() {
    let conversation = read(
        r#"{"model":"m","input":"hi","instructions":"be","max_output_tokens":100.0,"temperature":0.5,"top_p":0.9,
        "top_logprobs":2,"include":["message.output_text.logprobs","reasoning.encrypted_content"],
        "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,
        "reasoning":{"effort":"xhigh","summary":"auto","context":"all_turns"},
        "text":{"format":{"type":"json_schema","name":"n","schema":{"maximum":12345678901234567890123},"strict":true},"verbosity":"low"},
        "truncation":"auto","max_tool_calls":3,"prompt_cache_key":"k","prompt_cache_retention":"24h","user":"u",
        "safety_identifier":"s","metadata":{"a":"b"},"service_tier":"flex","stream":true,"store":false,
        "stream_options":{"include_obfuscation":false},"client_metadata":{"x":1},"unknown":1,"background":false}"#,
    );
    assert_eq!(conversation.system, [BlockKind::text("be").into()]);
    assert_eq!(conversation.max_output_tokens, Some(100));
    assert_eq!(conversation.sampling.temperature, Number::from_f64(0.5));
    assert_eq!((conversation.sampling.logprobs, conversation.sampling.top_logprobs), (Some(true), Some(2)));
    assert_eq!(conversation.tool_choice, Some(ToolChoice::Tool("f".into(), None)));
    assert_eq!(conversation.parallel_tool_calls, Some(false));
    let reasoning = Reasoning {
        effort: Some(Effort::XHigh),
        summary: Some("auto".into()),
        wants_token: true,
        ..Reasoning::default()
    };
    assert_eq!(conversation.reasoning, Some(reasoning));
    let schema = JsonText::parse(r#"{"maximum":12345678901234567890123}"#).unwrap();
    let format = OutputFormat::JsonSchema { name: Some("n".into()), description: None, schema, strict: Some(true) };
    assert_eq!(conversation.output_format, Some(format));
    assert_eq!(conversation.verbosity.as_deref(), Some("low"));
    assert_eq!(conversation.identity.user.as_deref(), Some("s"));
    assert_eq!(conversation.identity.cache_key.as_deref(), Some("k"));
    assert!(conversation.stream);
    let names: Vec<&str> = conversation.rest.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["include", "max_tool_calls", "prompt_cache_retention", "stream_options", "truncation", "unknown"];
    assert_eq!(names.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
}

/// What cannot be given is refused by the name of its field.
#[test]
fn what_cannot_be_given_is_refused() {
    for (fields, param) in [
        (r#""input":"x","background":true"#, "background"),
        (r#""input":"x","prompt":{"id":"p"}"#, "prompt"),
        (r#""input":"x","conversation":"c""#, "conversation"),
        (r#""input":"x","truncation":"some""#, "truncation"),
        (r#""input":"x","reasoning":{"effort":"most"}"#, "reasoning.effort"),
        (r#""input":"x","tool_choice":"maybe""#, "tool_choice"),
        (r#""input":"x","text":{"format":{"type":"xml"}}"#, "text.format.type"),
        (r#""input":"x","stream":1"#, "stream"),
        (r#""input":[]"#, "input"),
        (r#""input":7"#, "input"),
        (r#""stream":true"#, "input"),
        (r#""input":[{"type":"item_reference","id":"msg_1"}]"#, "input[0].id"),
        (r#""input":[{"type":"strange"}]"#, "input[0].type"),
        (r#""input":["x"]"#, "input[0]"),
        (r#""input":[{"role":"user","content":[{"type":"strange"}]}]"#, "input[0].content[0].type"),
        (r#""input":[{"role":"user","content":[{"type":"input_text"}]}]"#, "input[0].content[0].text"),
        (r#""input":[{"role":"tool","content":"x"}]"#, "input[0].role"),
        (r#""input":[{"type":"function_call","name":"f","arguments":"{}"}]"#, "input[0].call_id"),
        (r#""input":[{"type":"compaction_trigger"},{"role":"user","content":"x"}]"#, "input[0]"),
        (r#""input":"x","tools":[{"type":"function"}]"#, "tools[0].name"),
        (
            r#""input":"x","tools":[{"type":"namespace","name":"n","tools":[{"type":"function"}]}]"#,
            "tools[0].tools[0].name",
        ),
    ] {
        assert_eq!(refused(&format!(r#"{{"model":"m",{fields}}}"#)), param, "{fields}");
    }
}

/// Section 3.3: parts of messages.
#[test]
fn parts_become_blocks() {
    let read = turns(
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"t"},
        {"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},
        {"type":"input_image","image_url":"https://x/y.png"},{"type":"input_image","file_id":"file_1"},
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="},
        {"type":"input_file","file_url":"https://x/y.pdf"},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}"#,
    );
    let inline = |mime: &str| MediaSource::Inline { mime: mime.into(), base64: "AA==".into() };
    let media = |source: MediaSource| Media { source, ..Media::default() };
    let expected = [
        BlockKind::text("t"),
        BlockKind::Image(media(inline("image/png")), Some("low".into())),
        BlockKind::Image(media(MediaSource::Url("https://x/y.png".into())), None),
        BlockKind::Image(media(MediaSource::FileId("file_1".into(), Family::OpenAi)), None),
        BlockKind::File(Media { name: Some("a.pdf".into()), ..media(inline("application/pdf")) }),
        BlockKind::File(media(MediaSource::Url("https://x/y.pdf".into()))),
        BlockKind::Audio(media(inline("audio/wav"))),
    ];
    assert_eq!(read, [Turn::new(Role::User, expected.map(Block::from).to_vec())]);
}

/// The items of one answer are one turn, and the results of its calls follow it at once.
#[test]
fn items_fold_into_turns() {
    let read = turns(
        r#"{"role":"developer","content":"late enough"},{"role":"user","content":"q"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"content":null,"encrypted_content":"ENC"},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"looking"}]},
        {"type":"function_call","call_id":"a","name":"f","arguments":"{}"},
        {"type":"custom_tool_call","call_id":"b","name":"g","input":"i"},
        {"type":"function_call_output","call_id":"a","output":"old"},
        {"role":"developer","content":"between"},
        {"type":"custom_tool_call_output","call_id":"b","output":[{"type":"input_text","text":"two"}]},
        {"type":"function_call_output","call_id":"a","output":"one"},
        {"role":"user","content":"next"},
        {"type":"function_call_output","call_id":"gone","output":"orphan"},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
    );
    let words = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let expected = [
        (Role::User, words(&["q"])),
        (Role::Assistant, words(&["thought a\n\nb", "looking", "call a", "call b"])),
        (Role::User, words(&["result b: two", "result a: one"])),
        (Role::System, words(&["between"])),
        (Role::User, words(&["next"])),
        (Role::User, words(&["result gone: orphan"])),
        (Role::Assistant, words(&["call c"])),
    ];
    assert_eq!(shown(&read), expected);
}

/// J1, J10: one call after the other stays so, and what is read of calls is exact.
#[test]
fn calls_keep_their_order_and_text() {
    let read = turns(
        r#"{"type":"function_call","id":"fc_1","call_id":"a","name":"f","namespace":"n","arguments":"{\"x\":1.50}"},
        {"type":"function_call_output","call_id":"a","output":"1"},
        {"type":"local_shell_call","id":"lsh_1","call_id":"b","status":"completed","action":{"type":"exec","command":["ls"],"env":{}}},
        {"type":"local_shell_call_output","call_id":"b","output":"files"},
        {"type":"shell_call","call_id":"c","action":{"commands":["ls"]}},
        {"type":"shell_call_output","call_id":"c","output":[{"stdout":"x","stderr":"","outcome":{"type":"exit","exit_code":0}}]},
        {"type":"apply_patch_call","call_id":"d","status":"completed","operation":{"type":"delete_file","path":"p"}},
        {"type":"apply_patch_call_output","call_id":"d","status":"failed","output":"no"}"#,
    );
    let roles: Vec<Role> = read.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::Assistant, Role::User].repeat(4));
    let first = ToolUse {
        call_id: "a".into(),
        item_id: Some("fc_1".into()),
        name: "f".into(),
        namespace: Some("n".into()),
        arguments: r#"{"x":1.50}"#.into(),
        ..ToolUse::default()
    };
    assert_eq!(read[0].blocks, [BlockKind::ToolUse(first).into()]);
    let BlockKind::ToolUse(shell) = &read[2].blocks[0].kind else { panic!() };
    let expected = (ToolKind::Shell, "local_shell", r#"{"type":"exec","command":["ls"],"env":{}}"#);
    assert_eq!((shell.kind, shell.name.as_str(), shell.arguments.as_str()), expected);
    let text = r#"[{"stdout":"x","stderr":"","outcome":{"type":"exit","exit_code":0}}]"#;
    let result = |id: &str, text: &str, is_error| {
        let blocks = vec![BlockKind::text(text).into()];
        Block::from(BlockKind::ToolResult(ToolResult { call_id: id.into(), kind: ToolKind::Shell, blocks, is_error }))
    };
    assert_eq!(read[5].blocks, [result("c", text, false)]);
    assert_eq!(read[7].blocks, [result("d", "no", true)]);
}

/// J5: seals are known by their family, and those of unstored answers say nothing.
#[test]
fn j5_reasoning_items_keep_their_seals() {
    let read = turns(
        r#"{"role":"user","content":"q"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"ENC"},
        {"type":"reasoning","id":"rs_2","summary":[]},
        {"type":"reasoning","id":"rs_3","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]},
        {"type":"reasoning","id":"rs_gwr1_0","summary":[],"encrypted_content":"ENC"}"#,
    );
    let token = |id: Option<&str>| {
        Some(ReasoningToken { item_id: id.map(str::to_owned), ..ReasoningToken::new(Family::OpenAi, "ENC") })
    };
    let thought =
        |text: &str, is_summary, token| Block::from(BlockKind::Thinking { text: text.into(), is_summary, token });
    let expected =
        [thought("", true, token(Some("rs_1"))), thought("raw", false, None), thought("", true, token(None))];
    assert_eq!(read[1].blocks, expected);
}

/// A long input of calls is folded in time that grows with it.
#[test]
fn a_long_history_is_read_once() {
    let call = |at: usize| format!(r#"{{"type":"function_call","call_id":"{at}","name":"f","arguments":""}}"#);
    let output = |at: usize| format!(r#"{{"type":"function_call_output","call_id":"{at}","output":""}}"#);
    let count = 20_000;
    let items: Vec<String> = (0..count).map(call).chain((0..count).rev().map(output)).collect();
    let begun = std::time::Instant::now();
    let read = turns(&items.join(","));
    assert_eq!((read.len(), read[0].blocks.len(), read[1].blocks.len()), (2, count, count));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}
