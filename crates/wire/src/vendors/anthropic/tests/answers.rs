use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::finish_reason;
use super::{Anthropic, context, told};
use crate::Usage;
use crate::clients::ClientFormat as _;
use crate::clients::messages::Messages;
use crate::common::{BlockKind, Conversation, Family, FinishReason, ReasoningToken, Role, Turn, plain_annotation};
use crate::vendors::VendorFormat as _;

const FIXTURES: [&str; 3] = [
    include_str!("../fixtures/answers/thinking_and_tools.json"),
    include_str!("../fixtures/answers/tools_only.json"),
    include_str!("../fixtures/answers/citations.json"),
];

fn fixtures() -> Vec<Value> {
    FIXTURES.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn read(body: &Value) -> crate::common::Answer {
    Anthropic.answer(&Bytes::from(body.to_string())).unwrap()
}

/// I1, C2, J14: each golden answer is counted as it says, with the cache tokens inside the prompt's.
#[test]
fn c2_golden_answers_are_counted() {
    for fixture in fixtures() {
        let answer = read(&fixture["anthropic"]);
        let usage: Option<Usage> = serde_json::from_value(fixture["usage"].clone()).unwrap();
        assert_eq!(answer.usage, usage, "{}", fixture["about"]);
        let head = (json!(answer.head.id), json!(answer.head.model));
        assert_eq!(head, (fixture["anthropic"]["id"].clone(), fixture["anthropic"]["model"].clone()));
    }
}

/// I4, order, J14: an answer told to a client of this API, and one that a client sends back, is what Anthropic said, byte
/// for byte, thinking between calls in its place.
#[test]
fn i4_answers_round_trip() {
    let mut bodies: Vec<Value> = fixtures().iter().map(|fixture| fixture["anthropic"].clone()).collect();
    bodies[0]["content"].as_array_mut().unwrap().swap(1, 3);
    for body in bodies {
        let answer = read(&body);
        let blocks = answer.blocks.clone();
        let conversation = Conversation { turns: vec![Turn::new(Role::Assistant, blocks)], ..Conversation::default() };
        let (back, _) = told(&conversation, "claude-x").unwrap();
        assert_eq!(back["messages"][0]["content"].to_string(), body["content"].to_string());
        let whole: Value = serde_json::from_slice(&Messages.whole(answer, &context(&conversation))).unwrap();
        assert_eq!(whole["content"].to_string(), body["content"].to_string());
        for field in ["input_tokens", "cache_read_input_tokens", "output_tokens", "cache_creation_input_tokens"] {
            if body["usage"].is_object() {
                let told = body["usage"][field].as_u64().unwrap_or(0);
                assert_eq!(whole["usage"][field].as_u64(), Some(told), "{field}");
            }
        }
    }
}

/// I1: blocks by their kinds; a citation of a page is an annotation of its text.
#[test]
fn i1_blocks_have_their_kinds() {
    let big = r#"{"id":12345678901234567890123}"#;
    let body = format!(
        r#"{{"content":[{{"type":"redacted_thinking","data":"d"}},{{"type":"thinking","thinking":"t","signature":""}},{{"type":"text","text":"ế b","citations":[{{"type":"web_search_result_location","url":"https://a","title":"A","encrypted_index":"I"}}]}},{{"type":"server_tool_use","id":"s","n":1.0}},{{"type":"tool_use","id":"i","name":"f","input":{big}}}],"stop_reason":"refusal","stop_sequence":"S","stop_details":{{"a":1.0}}}}"#
    );
    let answer = Anthropic.answer(&Bytes::from(body)).unwrap();
    let kinds: Vec<&BlockKind> = answer.blocks.iter().map(|block| &block.kind).collect();
    assert_eq!(kinds[0], &BlockKind::Redacted(ReasoningToken::new(Family::Anthropic, "d")));
    assert_eq!(kinds[1], &BlockKind::Thinking { text: "t".into(), is_summary: false, token: None });
    let BlockKind::Text { annotations, .. } = kinds[2] else { panic!() };
    let page = json!({"start_index": 0, "end_index": 3, "url": "https://a", "title": "A"});
    let plain = plain_annotation(&annotations[0]).unwrap().value();
    assert_eq!(plain, json!({"type": "url_citation", "url_citation": page}));
    assert!(matches!(kinds[3], BlockKind::Hosted { raw, family: Family::Anthropic } if raw.as_str().ends_with("1.0}")));
    assert!(matches!(kinds[4], BlockKind::ToolUse(call) if call.arguments == big && call.call_id == "i"));
    assert_eq!((answer.finish.reason, answer.finish.stop_sequence.as_deref()), (FinishReason::Refusal, Some("S")));
    assert_eq!(answer.finish.details.unwrap().as_str(), r#"{"a":1.0}"#);
}

#[test]
fn stop_reasons_have_their_counterparts() {
    let cases = [
        ("end_turn", FinishReason::End, FinishReason::Tool),
        ("stop_sequence", FinishReason::StopSequence, FinishReason::Tool),
        ("pause_turn", FinishReason::Pause, FinishReason::Tool),
        ("max_tokens", FinishReason::Length, FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::ContextWindow, FinishReason::ContextWindow),
        ("tool_use", FinishReason::Tool, FinishReason::Tool),
        ("refusal", FinishReason::Refusal, FinishReason::Refusal),
        ("new", FinishReason::End, FinishReason::Tool),
    ];
    for (word, bare, with_calls) in cases {
        assert_eq!((finish_reason(word, false), finish_reason(word, true)), (bare, with_calls), "{word}");
    }
}

/// D2: an error inside a 200 answer, and what is no message at all, are errors.
#[test]
fn d2_what_is_no_message_is_an_error() {
    for body in ["<html>", "{}", "[]", r#"{"content":"x"}"#] {
        let error = Anthropic.answer(&Bytes::from(body)).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("malformed_answer"), "{body}");
    }
    for body in [r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#, r#"{"message":"busy"}"#] {
        assert_eq!(Anthropic.answer(&Bytes::from(body)).unwrap_err().message, "busy");
    }
}

#[test]
fn a_lone_surrogate_does_not_break_an_answer() {
    let body = r#"{"id":"m","model":"c","content":[{"type":"text","text":"a\ud83d"},{"type":"text","text":"b"}]}"#;
    let answer = Anthropic.answer(&Bytes::from(body)).unwrap();
    assert_eq!(answer.blocks[0].kind, BlockKind::text("a\u{fffd}"));
}
