use bytes::Bytes;
use serde_json::{Value, json};

use super::{context, sent_back};
use crate::clients::ClientFormat;
use crate::clients::chat::{CHAT, finish_reason};
use crate::common::{
    Answer, AnswerHead, Block, BlockKind, Conversation, Family, Finish, FinishReason, JsonText, ReasoningToken, Tool,
    ToolDefinition, ToolKind, ToolUse, annotation_of,
};
use crate::{ErrorBody, ServiceTier, Usage};

const FIXTURES: [&str; 3] = [
    include_str!("../../../vendors/anthropic/fixtures/answers/thinking_and_tools.json"),
    include_str!("../../../vendors/anthropic/fixtures/answers/tools_only.json"),
    include_str!("../../../vendors/anthropic/fixtures/answers/citations.json"),
];

fn fixtures() -> Vec<Value> {
    FIXTURES.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// A block of Anthropic's, as a vendor's decoder has it.
fn block(block: &Value) -> Option<Block> {
    let word = |name: &str| block[name].as_str().unwrap_or_default().to_owned();
    Some(
        match block["type"].as_str()? {
            "text" => {
                let end = word("text").chars().count();
                let cited = block["citations"].as_array().into_iter().flatten();
                let annotations = cited.map(|citation| annotation_of(citation, 0, end)).collect();
                BlockKind::Text { text: word("text"), annotations }
            }
            "thinking" => {
                let token = Some(ReasoningToken::new(Family::Anthropic, word("signature")));
                BlockKind::Thinking { text: word("thinking"), is_summary: false, token }
            }
            "redacted_thinking" => BlockKind::Redacted(ReasoningToken::new(Family::Anthropic, word("data"))),
            "tool_use" => BlockKind::ToolUse(ToolUse {
                call_id: word("id"),
                name: word("name"),
                arguments: block["input"].to_string(),
                ..ToolUse::default()
            }),
            _ => BlockKind::Hosted { raw: block.clone().into(), family: Family::Anthropic },
        }
        .into(),
    )
}

fn answer_of(fixture: &Value) -> Answer {
    let message = &fixture["anthropic"];
    let blocks: Vec<Block> = message["content"].as_array().unwrap().iter().filter_map(block).collect();
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let reason = if has_calls { FinishReason::Tool } else { FinishReason::StopSequence };
    Answer {
        head: AnswerHead {
            id: message["id"].as_str().unwrap().into(),
            model: message["model"].as_str().unwrap().into(),
            service_tier: (message["usage"]["service_tier"] == "standard").then_some(ServiceTier::Default),
            ..AnswerHead::default()
        },
        blocks,
        finish: Finish { reason, ..Finish::default() },
        usage: serde_json::from_value(fixture["usage"].clone()).unwrap(),
        logprobs: Vec::new(),
    }
}

fn told(answer: Answer, strict: bool) -> Value {
    let conversation = Conversation { model: "asked".into(), ..Conversation::default() };
    serde_json::from_slice(&CHAT.whole(answer, &context(&conversation, strict))).unwrap()
}

/// I1, C2: each golden answer becomes exactly its counterpart, with the cache tokens inside the prompt's.
#[test]
fn i1_c2_golden_answers() {
    for fixture in fixtures() {
        assert_eq!(told(answer_of(&fixture), false), fixture["openai"], "{}", fixture["about"]);
    }
}

/// I1, I4, order: an answer that a client sends back in the next turn is what the model said, wherever its thinking stood.
#[test]
fn i4_answers_round_trip() {
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": format!("sig-{text}")});
    let call = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {"a": 1}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let redacted = json!({"type": "redacted_thinking", "data": "R"});
    let mut answers: Vec<Vec<Value>> = vec![
        vec![thought("one"), call("t1", "f"), thought("two"), call("t2", "g")],
        vec![text("a"), thought("one"), text("b"), call("t1", "f"), redacted.clone(), text("c")],
        vec![call("t1", "f"), redacted, call("t2", "g")],
        vec![thought("one"), thought("two"), text("a")],
        vec![text("a"), call("t1", "f")],
    ];
    answers.extend(
        fixtures()
            .iter()
            .filter(|fixture| fixture["one_way"] != true)
            .map(|fixture| fixture["anthropic"]["content"].as_array().unwrap().clone()),
    );
    for content in answers {
        let blocks: Vec<Block> = content.iter().filter_map(block).collect();
        let answer = Answer { blocks: blocks.clone(), ..Answer::default() };
        let message = told(answer, false)["choices"][0]["message"].clone();
        assert_eq!(sent_back(&message), blocks, "{message}");
    }
}

/// order: reasoning first stands alone, as it always did; behind words and calls it stands among all blocks.
#[test]
fn content_blocks_tell_the_order_where_it_matters() {
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": "s"});
    let blocks = |content: &[Value]| {
        let blocks = content.iter().filter_map(block).collect();
        told(Answer { blocks, ..Answer::default() }, false)["choices"][0]["message"]["content_blocks"].clone()
    };
    let (text, call) = (json!({"type": "text", "text": "a"}), json!({"type": "tool_use", "id": "t", "name": "f"}));
    assert_eq!(blocks(&[thought("1"), text.clone(), call.clone()]), json!([thought("1")]));
    assert_eq!(
        blocks(&[thought("1"), text.clone(), thought("2"), call.clone()]),
        json!([thought("1"), text, thought("2"), call])
    );
    assert_eq!(blocks(&[text, call]), Value::Null);
}

/// I5: strict answers have no reasoning at all, and it never becomes content.
#[test]
fn i5_strict_answers_drop_reasoning() {
    for fixture in fixtures() {
        let mut expected = fixture["openai"].clone();
        let message = expected["choices"][0]["message"].as_object_mut().unwrap();
        message.shift_remove("reasoning_content");
        message.shift_remove("content_blocks");
        assert_eq!(told(answer_of(&fixture), true), expected, "{}", fixture["about"]);
    }
}

#[test]
fn ends_have_their_words() {
    let cases = [
        (FinishReason::End, "stop"),
        (FinishReason::StopSequence, "stop"),
        (FinishReason::Pause, "stop"),
        (FinishReason::Length, "length"),
        (FinishReason::ContextWindow, "length"),
        (FinishReason::Tool, "tool_calls"),
        (FinishReason::Filter, "content_filter"),
        (FinishReason::Refusal, "content_filter"),
    ];
    for (reason, word) in cases {
        assert_eq!(finish_reason(reason, false, false), word, "{reason:?}");
    }
    // I2: calls end with tool_calls; a refusal in words is an end of its own.
    assert_eq!(finish_reason(FinishReason::End, true, false), "tool_calls");
    assert_eq!(finish_reason(FinishReason::Length, true, false), "length");
    assert_eq!(finish_reason(FinishReason::Refusal, false, true), "stop");
}

/// What the vendor does not tell is the gateway's own; what it wrote keeps its digits (numbers).
#[test]
fn an_answer_without_a_head() {
    let call = |id: &str, arguments: &str, token: Option<ReasoningToken>| {
        let call =
            ToolUse { call_id: id.into(), name: "f".into(), arguments: arguments.into(), token, ..ToolUse::default() };
        Block::from(BlockKind::ToolUse(call))
    };
    let seal = ReasoningToken::new(Family::Gemini, "U0lH");
    let answer = Answer {
        blocks: vec![
            BlockKind::Thinking { text: "hm".into(), is_summary: false, token: None }.into(),
            call("a", r#"{"id":12345678901234567890123}"#, Some(seal)),
            call("b", "", None),
        ],
        finish: Finish { reason: FinishReason::Tool, ..Finish::default() },
        usage: Some(Usage { prompt_tokens: 3, completion_tokens: 4, ..Usage::default() }),
        logprobs: vec![JsonText::parse(r#"[{"token":"x","logprob":-0.5}]"#).unwrap()],
        ..Answer::default()
    };
    assert_eq!(
        told(answer.clone(), false),
        json!({"id": "chatcmpl-req1", "object": "chat.completion", "created": 7, "model": "asked", "choices": [{
            "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "refusal": null,
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"id\":12345678901234567890123}"},
                        "extra_content": {"google": {"thought_signature": "U0lH"}}},
                    {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "reasoning_content": "hm"},
            "logprobs": {"content": [{"token": "x", "logprob": -0.5}], "refusal": null}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}})
    );
    assert!(!told(answer, true).to_string().contains("extra_content"));
}

/// J10, J12: the client sees its own names, and custom tools as what they are.
#[test]
fn j12_tools_have_the_clients_names() {
    let long = "a".repeat(70) + " b";
    let tool = |kind, name: &str| Tool {
        definition: ToolDefinition::Client {
            kind,
            name: name.into(),
            namespace: None,
            description: None,
            schema: None,
            strict: None,
            is_deferred: false,
            rest: vec![],
        },
        cache: None,
    };
    let tools = vec![tool(ToolKind::Function, &long), tool(ToolKind::Custom, "patch")];
    let conversation = Conversation { tools, ..Conversation::default() };
    let call = |name: &str, kind, arguments: &str| {
        let call = ToolUse { name: name.into(), kind, arguments: arguments.into(), ..ToolUse::default() };
        Block::from(BlockKind::ToolUse(call))
    };
    let fitted = crate::common::tool_ids::TOOL_NAME.fit(&long);
    let blocks = vec![
        call(&fitted, ToolKind::Function, "{}"),
        call("patch", ToolKind::Function, r#"{"input":"*** x"}"#),
        call("patch", ToolKind::Custom, "*** y"),
    ];
    let answer = Answer { blocks, ..Answer::default() };
    let told: Value = serde_json::from_slice(&CHAT.whole(answer, &context(&conversation, false))).unwrap();
    let calls = &told["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls[0]["function"]["name"], long);
    assert_eq!(calls[1], json!({"id": "", "type": "custom", "custom": {"name": "patch", "input": "*** x"}}));
    assert_eq!(calls[2]["custom"]["input"], "*** y");
}

#[test]
fn an_error_has_all_four_fields() {
    let told: Bytes = CHAT.error(429, &ErrorBody::new("rate_limit_error", "c", "m"), "req1");
    assert_eq!(told, r#"{"error":{"message":"m","type":"rate_limit_error","param":null,"code":"c"}}"#);
}
