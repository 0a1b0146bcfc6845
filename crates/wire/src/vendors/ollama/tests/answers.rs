use serde_json::json;

use super::*;
use crate::common::{AnswerHead, Finish, FinishReason};

fn answer(body: &str) -> Result<Answer, ErrorBody> {
    Ollama.answer(&Bytes::copy_from_slice(body.as_bytes()))
}

fn end(reason: FinishReason) -> Finish {
    Finish { reason, ..Finish::default() }
}

/// I2: thinking, words and calls in their order; one that calls ends with that.
#[test]
fn i2_whole_answers_are_told() {
    let body = r#"{"model":"llama3:8b","message":{"role":"assistant","content":"Hi.","thinking":"hm",
        "tool_calls":[{"function":{"name":"f","arguments":{"a":1.0,"b":12345678901234567890123}}},
            {"id":"call_x","function":{"name":"g","arguments":"{\"c\": 2}"}},{"id":"","function":{"name":"h"}}]},
        "done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":4.0}"#;
    let kinds = [
        BlockKind::Thinking { text: "hm".into(), is_summary: false, token: None },
        BlockKind::text("Hi."),
        // numbers: as they came.
        BlockKind::ToolUse(call("", "f", r#"{"a":1.0,"b":12345678901234567890123}"#)),
        BlockKind::ToolUse(call("call_x", "g", r#"{"c": 2}"#)),
        BlockKind::ToolUse(call("", "h", "{}")),
    ];
    let expected = Answer {
        head: AnswerHead { model: "llama3:8b".into(), ..AnswerHead::default() },
        blocks: kinds.into_iter().map(Into::into).collect(),
        finish: end(FinishReason::Tool),
        usage: Some(Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() }),
        logprobs: Vec::new(),
    };
    assert_eq!(answer(body), Ok(expected));
}

#[test]
fn a_whole_answer_survives_a_lone_surrogate_and_missing_counts() {
    let told =
        answer("\u{feff}{\"message\":{\"content\":\"a\\ud83d\"},\"done\":true,\"done_reason\":\"length\"}").unwrap();
    assert_eq!(told.blocks, [text("a\u{fffd}")]);
    assert_eq!((told.finish, told.usage), (end(FinishReason::Length), None));
    let empty = answer(r#"{"message":{"content":""},"done":true}"#).unwrap();
    assert_eq!((empty.blocks.len(), empty.finish), (0, end(FinishReason::End)));
}

/// D2: a whole answer that stops before its end is none.
#[test]
fn d2_an_incomplete_whole_answer_is_an_error() {
    for body in [r#"{"message":{"content":"a"},"done":false}"#, r#"{"message":{"content":"a"#, "[]", "{}", "<html>"] {
        assert_eq!(answer(body).unwrap_err().code.as_deref(), Some("malformed_answer"), "{body}");
    }
    assert_eq!(answer(r#"{"error":"no"}"#).unwrap_err().message, "no");
    assert_eq!(answer(r#"{"error":{"message":"no"}}"#).unwrap_err().message, "no");
}

#[test]
fn logprobs_are_openais() {
    let body = r#"{"message":{"content":"a"},"logprobs":[{"token":"a","logprob":-0.5}],"done":true}"#;
    let expected = json!([{"token": "a", "logprob": -0.5, "bytes": null, "top_logprobs": []}]);
    assert_eq!(answer(body).unwrap().logprobs[0].value(), expected);
}

#[test]
fn a_missing_model_is_told_from_a_missing_path() {
    let code = |body: &str| Ollama.error(404, body.as_bytes()).code;
    assert_eq!(code(r#"{"error":"model 'x' not found"}"#).as_deref(), Some("model_not_found"));
    assert_eq!(code("404 page not found"), None);
    assert_eq!(Ollama.error(500, br#"{"error":"out of memory"}"#).message, "out of memory");
}

/// B7: what was counted is read where there is no answer too.
#[test]
fn b7_counts_of_errors_are_read() {
    let usage = Ollama.usage_in(br#"{"error":"x","prompt_eval_count":3}"#).unwrap();
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (3, 0));
    assert_eq!(Ollama.usage_in(br#"{"error":"x"}"#), None);
}
