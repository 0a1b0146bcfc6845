use serde_json::{Value, json};

use super::super::codex::{KNOWN_SLUG, NEWEST_SLUG, UNKNOWN_SLUG};
use super::streams::{answer, call};
use super::*;
use crate::common::{BlockKind, FinishReason, ReasoningToken, ToolDefinition, ToolKind, ToolUse};

fn names(conversation: &Conversation) -> Vec<(ToolKind, Option<&str>, &str)> {
    let own = |tool: &'_ crate::common::Tool| match &tool.definition {
        ToolDefinition::Client { kind, namespace, name, .. } => Some((*kind, namespace.clone(), name.clone())),
        ToolDefinition::Hosted { .. } => None,
    };
    let tools: Vec<_> = conversation.tools.iter().filter_map(own).collect();
    Vec::leak(tools).iter().map(|(kind, space, name)| (*kind, space.as_deref(), name.as_str())).collect()
}

/// J10: the tools of Codex's three families of slugs are all understood.
#[test]
fn j10_the_tools_of_codex_are_read() {
    let unknown = read(UNKNOWN_SLUG);
    let functions = [(ToolKind::Function, None, "exec_command"), (ToolKind::Function, Some("agents"), "spawn")];
    assert_eq!(names(&unknown), functions);
    assert_eq!(unknown.namespaces, [("agents".to_owned(), "others".to_owned())]);
    assert!(
        matches!(&unknown.tools[2].definition, ToolDefinition::Hosted { kind, family: Family::OpenAi, .. } if kind == "web_search")
    );
    assert_eq!(unknown.system, [BlockKind::text("rules").into()]);
    let known = read(KNOWN_SLUG);
    let kinds = [
        (ToolKind::Custom, None, "apply_patch"),
        (ToolKind::ToolSearch, None, "tool_search"),
        (ToolKind::Shell, None, "local_shell"),
        (ToolKind::Shell, None, "shell"),
    ];
    // The built-in `apply_patch` has the name of the custom one, whose place it takes.
    assert_eq!(names(&known)[1..], kinds[1..]);
    let newest = read(NEWEST_SLUG);
    let added = [
        (ToolKind::Function, None, "exec_command"),
        (ToolKind::Custom, None, "apply_patch"),
        (ToolKind::Function, Some("mcp__files__"), "read"),
    ];
    assert_eq!(names(&newest), added);
    assert_eq!(newest.turns.len(), 1);
}

fn items(request: &str, blocks: Vec<BlockKind>) -> Value {
    let conversation = read(request);
    let frames = told(&conversation, answer(blocks, FinishReason::Tool).into_events());
    frames.last().unwrap()["response"]["output"].clone()
}

/// J10: calls come back as the items that the client's tools have, whatever a vendor without them made of those.
#[test]
fn j10_calls_come_back_as_the_clients_own() {
    let spawned =
        items(UNKNOWN_SLUG, vec![call("c1", "agents__spawn", "{}"), call("c2", "exec_command", "{\"n\":1.0}")]);
    let expected = json!([
        {"id": "fc_gwr1_0", "type": "function_call", "status": "completed", "call_id": "c1", "name": "spawn",
            "namespace": "agents", "arguments": "{}"},
        {"id": "fc_gwr1_1", "type": "function_call", "status": "completed", "call_id": "c2", "name": "exec_command",
            "arguments": "{\"n\":1.0}"}]);
    assert_eq!(spawned, expected);
    let custom = json!([{"id": "ctc_gwr1_0", "type": "custom_tool_call", "status": "completed", "call_id": "c",
        "name": "apply_patch", "input": "*** Begin"}]);
    for arguments in ["{\"input\":\"*** Begin\"}", "{\"patch\":\"*** Begin\"}", "*** Begin", "{\"x\":\"*** Begin\"}"] {
        assert_eq!(items(NEWEST_SLUG, vec![call("c", "apply_patch", arguments)]), custom, "{arguments}");
    }
    // A vendor that knows such tools gives the input itself.
    let (call_id, name) = ("c".to_owned(), "apply_patch".to_owned());
    let own = ToolUse { call_id, name, kind: ToolKind::Custom, arguments: "*** Begin".into(), ..ToolUse::default() };
    assert_eq!(items(NEWEST_SLUG, vec![BlockKind::ToolUse(own)]), custom);
    let read = items(NEWEST_SLUG, vec![call("c", "mcp__files__read", "")]);
    assert_eq!((&read[0]["namespace"], &read[0]["name"]), (&json!("mcp__files__"), &json!("read")));
    assert_eq!(read[0]["arguments"], "{}");
}

/// J10: the tools that have items of their own.
#[test]
fn j10_searches_and_shells_have_their_items() {
    let found = items(KNOWN_SLUG, vec![call("c", "tool_search", "{\"query\":\"q\",\"n\":12345678901234567890123}")]);
    let text = found[0].to_string();
    let expected = r#"{"id":"tsc_gwr1_0","type":"tool_search_call","status":"completed","execution":"client","call_id":"c","arguments":{"query":"q","n":"#;
    assert!(text.starts_with(expected), "{text}");
    let ran = items(
        KNOWN_SLUG,
        vec![call("c", "local_shell", "{\"command\":[\"ls\"]}"), call("d", "shell", "{\"commands\":\"ls\"}")],
    );
    let expected = json!([
        {"id": "lsh_gwr1_0", "type": "local_shell_call", "status": "completed", "call_id": "c",
            "action": {"command": ["ls"], "type": "exec", "env": {}}},
        {"id": "sh_gwr1_1", "type": "shell_call", "status": "completed", "call_id": "d",
            "action": {"commands": ["ls"], "timeout_ms": null, "max_output_length": null}}]);
    assert_eq!(ran, expected);
}

/// J10, J12: two tools that would have one name are refused; the same tool twice is one.
#[test]
fn j10_flat_names_must_differ() {
    let tools = |list: &str| Responses.read(&body(&format!(r#"{{"model":"m","input":"x","tools":[{list}]}}"#)));
    let space = r#"{"type":"namespace","name":"a","tools":[{"type":"function","name":"b"}]}"#;
    let error = tools(&format!(r#"{space},{{"type":"function","name":"a__b"}}"#)).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("tools[1].name"));
    assert_eq!(tools(&format!("{space},{space}")).unwrap().tools.len(), 1);
}

/// J10: what a client's search found can be called, and the model is told of it.
#[test]
fn j10_found_tools_are_added() {
    let conversation = read(
        r#"{"model":"m","tools":[{"type":"tool_search","execution":"client"}],"input":[
        {"type":"message","role":"user","content":"go"},
        {"type":"tool_search_call","call_id":"c","execution":"client","arguments":{"query":"mail"}},
        {"type":"tool_search_output","call_id":"c","execution":"client","status":"completed","tools":[
            {"type":"namespace","name":"mail","tools":[{"type":"function","name":"send","defer_loading":true}]}]}]}"#,
    );
    assert_eq!(names(&conversation)[1], (ToolKind::Function, Some("mail"), "send"));
    let BlockKind::ToolResult(result) = &conversation.turns[2].blocks[0].kind else { panic!() };
    let words = BlockKind::text("These tools were found and can be called now: mail__send.");
    assert_eq!((result.kind, &result.blocks[0].kind), (ToolKind::ToolSearch, &words));
}

/// J6: the seal of a call comes back to the call.
#[test]
fn j6_the_seal_of_a_call_comes_back() {
    let request = UNKNOWN_SLUG;
    let token = Some(ReasoningToken::new(Family::Gemini, "U0lH"));
    let sealed = ToolUse { call_id: "c".into(), name: "exec_command".into(), token, ..ToolUse::default() };
    let output = items(request, vec![BlockKind::ToolUse(sealed), call("d", "exec_command", "{}")]);
    assert_eq!(output.as_array().unwrap().len(), 3);
    let input = json!([{"role": "user", "content": "x"}, output[0], output[1], output[2],
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "function_call_output", "call_id": "d", "output": "2"}]);
    let back = read(&json!({"model": "m", "input": input}).to_string());
    assert_eq!(back.turns.len(), 3);
    let BlockKind::ToolUse(call) = &back.turns[1].blocks[0].kind else { panic!() };
    assert_eq!(call.token, Some(ReasoningToken::new(Family::Gemini, "U0lH")));
    assert_eq!(back.turns[1].blocks.len(), 2);
}
