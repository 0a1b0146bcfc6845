use serde_json::json;

use super::*;
use crate::common::{BlockKind, Family, FinishReason, ReasoningToken, ToolKind, ToolUse};
use crate::{ServiceTier, Usage};

fn answered(output: Value) -> Answer {
    let body = json!({"id": "resp_v", "object": "response", "created_at": 7, "status": "completed", "model": "vm",
        "output": output, "error": null});
    OpenAiResponses.answer(&Bytes::from(body.to_string())).unwrap()
}

#[test]
fn items_become_blocks() {
    let answer = answered(json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "encrypted_content": "ENC"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "ENC2"},
        {"type": "reasoning", "id": "rs_3", "summary": []},
        {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "t", "annotations": [{"type": "x"}]}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "namespace": "n", "arguments": "{\"x\":1.50}"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "d", "name": "g", "input": "i"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"}]));
    let token =
        |text: &str, id: &str| ReasoningToken { item_id: Some(id.into()), ..ReasoningToken::new(Family::OpenAi, text) };
    let call = |id: &str, name: &str, arguments: &str| ToolUse {
        call_id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        ..ToolUse::default()
    };
    let annotations = vec![crate::common::JsonText::parse("{\"type\":\"x\"}").unwrap()];
    let raw = crate::common::JsonText::parse(r#"{"type":"web_search_call","id":"ws_1","status":"completed"}"#).unwrap();
    let expected = [
        BlockKind::Thinking { text: "a\n\nb".into(), is_summary: true, token: Some(token("ENC", "rs_1")) },
        BlockKind::Redacted(token("ENC2", "rs_2")),
        BlockKind::Text { text: "t".into(), annotations },
        BlockKind::Refusal("no".into()),
        BlockKind::ToolUse(ToolUse {
            namespace: Some("n".into()),
            item_id: Some("fc_1".into()),
            ..call("c", "f", "{\"x\":1.50}")
        }),
        BlockKind::ToolUse(ToolUse { kind: ToolKind::Custom, item_id: Some("ctc_1".into()), ..call("d", "g", "i") }),
        BlockKind::Hosted { raw, family: Family::OpenAi },
    ];
    assert_eq!(answer.blocks.iter().map(|block| block.kind.clone()).collect::<Vec<_>>(), expected);
    assert_eq!((answer.finish.reason, answer.head.created), (FinishReason::Tool, 7));
}

#[test]
fn ends_and_counts_are_read() {
    let told = |more: Value| {
        let mut body = json!({"id": "r", "object": "response", "model": "m", "output": []});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        OpenAiResponses.answer(&Bytes::from(body.to_string()))
    };
    let reason = |more: Value| told(more).unwrap().finish.reason;
    assert_eq!(reason(json!({"status": "completed"})), FinishReason::End);
    let incomplete = |why: &str| json!({"status": "incomplete", "incomplete_details": {"reason": why}});
    assert_eq!(reason(incomplete("max_output_tokens")), FinishReason::Length);
    assert_eq!(reason(incomplete("content_filter")), FinishReason::Filter);
    let refusal = json!({"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "n"}]}]});
    assert_eq!(reason(refusal), FinishReason::Refusal);
    let error =
        told(json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}})).unwrap_err();
    assert_eq!((error.kind.as_str(), error.code.as_deref()), ("rate_limit_error", Some("rate_limit_exceeded")));
    assert_eq!(told(json!({"status": "failed"})).unwrap_err().kind, "api_error");
    for body in ["", "[]", "{}", "null"] {
        assert!(OpenAiResponses.answer(&Bytes::from(body)).is_err(), "{body}");
    }
    let usage = json!({"input_tokens": 101, "output_tokens": 53, "total_tokens": 154,
        "input_tokens_details": {"cached_tokens": 31, "cache_write_tokens": 7}, "output_tokens_details": {"reasoning_tokens": 23}});
    let counted = Usage {
        prompt_tokens: 101,
        completion_tokens: 53,
        cached_tokens: 31,
        cache_write_tokens: 7,
        reasoning_tokens: 23,
        service_tier: ServiceTier::Flex,
        ..Usage::default()
    };
    assert_eq!(told(json!({"usage": usage, "service_tier": "flex"})).unwrap().usage, Some(counted));
    let in_error = OpenAiResponses.usage_in(json!({"usage": usage, "error": {}}).to_string().as_bytes()).unwrap();
    assert_eq!(in_error.prompt_tokens, 101);
    assert_eq!(OpenAiResponses.usage_in(b"x"), None);
}
