use bytes::Bytes;
use serde_json::{Value, json};

use super::OPENAI_CHAT;
use crate::common::{Answer, BlockKind, FinishReason, ToolKind, ToolUse};
use crate::vendors::VendorFormat;
use crate::{ErrorBody, ServiceTier, Usage};

fn answer(body: &str) -> Result<Answer, ErrorBody> {
    OPENAI_CHAT.answer(&Bytes::copy_from_slice(body.as_bytes()))
}

fn of(message: Value, reason: Value) -> Answer {
    answer(&json!({"id": "c1", "choices": [{"message": message, "finish_reason": reason}]}).to_string()).unwrap()
}

fn kinds(message: Value) -> Vec<BlockKind> {
    of(message, json!("stop")).blocks.into_iter().map(|block| block.kind).collect()
}

fn thinking(text: &str) -> BlockKind {
    BlockKind::Thinking { text: text.into(), is_summary: false, token: None }
}

/// Reasoning in all of its places, Mistral's among the words.
#[test]
fn reasoning_has_many_places() {
    for name in ["reasoning_content", "reasoning"] {
        assert_eq!(kinds(json!({"content": "a", name: "hm"})), [thinking("hm"), BlockKind::text("a")]);
    }
    let mistral = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
        {"type": "text", "text": "a"}, {"type": "reference", "reference_ids": [1]}]});
    assert_eq!(kinds(mistral), [thinking("hm"), BlockKind::text("a")]);
    assert_eq!(kinds(json!({"content": "", "refusal": "no"})), [BlockKind::Refusal("no".into())]);
    assert_eq!(kinds(json!({"content": null})), []);
}

/// Calls in all forms; what the model wrote stays as it is (numbers).
#[test]
fn calls_have_many_forms() {
    let call = |id: &str, arguments: &str| {
        BlockKind::ToolUse(ToolUse {
            call_id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolUse::default()
        })
    };
    let raw = r#"{"choices":[{"message":{"content":"","tool_calls":[
        {"id":"a","function":{"name":"f","arguments":{"n":12345678901234567890123}}},
        {"function":{"name":"f","arguments":"{broken"}},{"id":"","function":{"name":"f"}}]},"finish_reason":"stop"}],"id":"c1"}"#;
    let found = answer(raw).unwrap();
    let kinds: Vec<BlockKind> = found.blocks.into_iter().map(|block| block.kind).collect();
    assert_eq!(
        kinds,
        [call("a", r#"{"n":12345678901234567890123}"#), call("call_c1_1", "{broken"), call("call_c1_2", "")]
    );
    assert_eq!(self::kinds(json!({"function_call": {"name": "f", "arguments": "{}"}})), [call("call_c1_0", "{}")]);
    let custom = json!({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]});
    assert!(
        matches!(&self::kinds(custom)[..], [BlockKind::ToolUse(call)] if call.kind == ToolKind::Custom && call.arguments == "x")
    );
}

/// M-10, I2: calls end with `Tool`; an empty finish reason is none, and a word that is not known is an end.
#[test]
fn i2_ends() {
    let call = json!({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]});
    let text = json!({"content": "x"});
    let cases = [
        (&text, json!("stop"), FinishReason::End),
        (&text, json!("eos"), FinishReason::End),
        (&text, json!(""), FinishReason::End),
        (&text, Value::Null, FinishReason::End),
        (&text, json!("made_up"), FinishReason::End),
        (&text, json!("tool_calls"), FinishReason::End),
        (&text, json!("length"), FinishReason::Length),
        (&text, json!("content_filter"), FinishReason::Filter),
        (&call, json!("stop"), FinishReason::Tool),
        (&call, json!("STOP"), FinishReason::Tool),
        (&call, json!(""), FinishReason::Tool),
        (&call, Value::Null, FinishReason::Tool),
        (&call, json!("length"), FinishReason::Length),
    ];
    for (message, word, expected) in cases {
        assert_eq!(of(message.clone(), word.clone()).finish.reason, expected, "{word}");
    }
    assert_eq!(of(json!({"content": null, "refusal": "no"}), json!("stop")).finish.reason, FinishReason::Refusal);
}

/// C3, C4, sse-usage-place: counts in the places where vendors put them, and the tier that served.
#[test]
fn c4_usage_has_many_places() {
    let told = r#"{"prompt_tokens":7,"completion_tokens":5}"#;
    let expected = Usage { prompt_tokens: 7, completion_tokens: 5, ..Usage::default() };
    for body in [
        format!(r#"{{"choices":[{{"message":{{}}}}],"usage":{told}}}"#),
        format!(r#"{{"choices":[{{"message":{{}},"usage":{told}}}],"usage":null}}"#),
        format!(r#"{{"choices":[{{"message":{{}}}}],"x_groq":{{"id":"r","usage":{told}}}}}"#),
    ] {
        assert_eq!(answer(&body).unwrap().usage, Some(expected), "{body}");
        assert_eq!(OPENAI_CHAT.usage_in(body.as_bytes()), Some(expected), "{body}");
        let tiered = body.replacen('{', r#"{"service_tier":"flex","#, 1);
        let answer = answer(&tiered).unwrap();
        assert_eq!(
            (answer.usage.unwrap().service_tier, answer.head.service_tier),
            (ServiceTier::Flex, Some(ServiceTier::Flex))
        );
    }
    assert_eq!(OPENAI_CHAT.usage_in(b"<html>"), None);
}

/// D2: an error inside a 200 answer, and what is no answer at all, are errors.
#[test]
fn d2_what_is_no_answer_is_an_error() {
    for body in [
        r#"{"error":{"message":"boom","code":42}}"#,
        r#"{"object":"error","message":"boom"}"#,
        r#"[{"error":{"message":"boom"}}]"#,
        r#"{"choices":[{"error":{"message":"boom"},"message":{"content":""},"finish_reason":"error"}]}"#,
    ] {
        assert_eq!(answer(body).unwrap_err().message, "boom", "{body}");
    }
    for body in ["<html>", "[]", "1", "", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"data":[]}"#] {
        assert_eq!(answer(body).unwrap_err().code.as_deref(), Some("malformed_answer"), "{body}");
    }
    assert_eq!(OPENAI_CHAT.error(429, b"slow").kind, "rate_limit_error");
}

#[test]
fn the_first_choice_is_the_answer() {
    let body = "\u{feff}{\"choices\":[{\"index\":1,\"message\":{\"content\":\"b\"}},{\"index\":0,\"message\":{\"content\":\"a\\ud83d\"}}]}";
    assert_eq!(answer(body).unwrap().blocks[0].kind, BlockKind::text("a\u{fffd}"));
}
