use serde_json::{Value, json};

use super::super::{chat_answer, finish_reason};
use super::turns;
use crate::Usage;

const FIXTURES: [&str; 3] = [
    include_str!("../fixtures/answers/thinking_and_tools.json"),
    include_str!("../fixtures/answers/tools_only.json"),
    include_str!("../fixtures/answers/citations.json"),
];

fn fixtures() -> Vec<Value> {
    FIXTURES.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn answer(body: &Value, strict: bool) -> Value {
    let whole = chat_answer(body.to_string().as_bytes(), 7, strict).unwrap();
    serde_json::from_slice(&whole.body).unwrap()
}

/// I1, C2: each golden answer becomes exactly its counterpart, with the cache tokens inside the prompt's.
#[test]
fn i1_c2_golden_answers() {
    for fixture in fixtures() {
        let whole = chat_answer(fixture["anthropic"].to_string().as_bytes(), 7, false).unwrap();
        let found: Value = serde_json::from_slice(&whole.body).unwrap();
        assert_eq!(found, fixture["openai"], "{}", fixture["about"]);
        let usage: Option<Usage> = serde_json::from_value(fixture["usage"].clone()).unwrap();
        assert_eq!(whole.usage, usage, "{}", fixture["about"]);
    }
}

/// I1, I4: an answer that a client sends back in the next turn is what Anthropic said, byte for byte.
#[test]
fn i4_answers_round_trip() {
    let mut checked = 0;
    for fixture in fixtures().iter().filter(|fixture| fixture["one_way"] != true) {
        let message = answer(&fixture["anthropic"], false)["choices"][0]["message"].clone();
        let back = turns(json!([message]))[0]["content"].clone();
        assert_eq!(back.to_string(), fixture["anthropic"]["content"].to_string(), "{}", fixture["about"]);
        checked += 1;
    }
    assert_eq!(checked, 2);
}

/// I5: strict answers have no reasoning at all, and it never becomes content.
#[test]
fn i5_strict_answers_drop_reasoning() {
    for fixture in fixtures() {
        let mut expected = fixture["openai"].clone();
        let message = expected["choices"][0]["message"].as_object_mut().unwrap();
        message.shift_remove("reasoning_content");
        message.shift_remove("content_blocks");
        assert_eq!(answer(&fixture["anthropic"], true), expected, "{}", fixture["about"]);
    }
}

#[test]
fn stop_reasons_have_their_counterparts() {
    let cases = [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ];
    for (anthropic, openai) in cases {
        assert_eq!(finish_reason(anthropic, false), openai);
    }
}

/// D2: an error inside a 200 answer, and what is no message at all, are errors.
#[test]
fn d2_what_is_no_message_is_an_error() {
    for body in ["<html>", "{}", "[]", r#"{"content":"x"}"#] {
        let error = chat_answer(body.as_bytes(), 1, false).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("malformed_answer"), "{body}");
    }
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    assert_eq!(chat_answer(body, 1, false).unwrap_err().message, "busy");
}

#[test]
fn a_lone_surrogate_does_not_break_an_answer() {
    let body = br#"{"id":"m","model":"c","content":[{"type":"text","text":"a\ud83d"},{"type":"text","text":"b"}]}"#;
    let whole = chat_answer(body, 1, true).unwrap();
    let found: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(found["choices"][0]["message"]["content"], "a\u{fffd}b");
}
