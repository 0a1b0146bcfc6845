use serde_json::{Map, Number, Value, json};

use super::requests::tool;
use super::{asked, question, told, turns};
use crate::common::{
    BlockKind, Conversation, Effort, Family, JsonText, OutputFormat, Reasoning, Role, ToolChoice, ToolResult, ToolUse,
};
use crate::vendors::anthropic::Anthropic;
use crate::vendors::{Quirks, TargetModel, VendorFormat as _};

fn effort(effort: Effort) -> Conversation {
    Conversation { reasoning: Some(Reasoning { effort: Some(effort), ..Reasoning::default() }), ..question() }
}

fn number(value: f64) -> Option<Number> {
    Number::from_f64(value)
}

/// I1, I6: every parameter with a counterpart; what has none is named.
#[test]
fn i1_parameters() {
    let mut conversation = question();
    conversation.max_output_tokens = Some(9);
    conversation.stream = true;
    conversation.identity.user = Some("u2".into());
    conversation.identity.cache_key = Some("k".into());
    conversation.metadata = Some(Map::from_iter([("case".to_owned(), json!("7"))]));
    conversation.service_tier = Some("default".into());
    conversation.verbosity = Some("low".into());
    let sampling = &mut conversation.sampling;
    sampling.stop = vec!["END".into(), "KẾT THÚC".into()];
    (sampling.temperature, sampling.top_p, sampling.top_k) = (number(1.5), number(0.5), Some(3));
    (sampling.seed, sampling.logprobs, sampling.choices) = (Some(1.into()), Some(true), Some(1));
    conversation.output_format = Some(OutputFormat::JsonSchema {
        name: Some("n".into()),
        description: None,
        schema: JsonText::parse(r#"{"type":"object"}"#).unwrap(),
        strict: Some(true),
    });
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    assert_eq!(
        body,
        json!({"model": "claude-x", "messages": asked(), "max_tokens": 9, "stop_sequences": ["END", "KẾT THÚC"],
            "temperature": 1, "top_p": 0.5, "top_k": 3, "stream": true, "metadata": {"user_id": "u2"},
            "service_tier": "standard_only",
            "output_config": {"format": {"type": "json_schema",
                "schema": {"type": "object", "properties": {}, "additionalProperties": false}}}})
    );
    assert_eq!(dropped, ["temperature>1", "metadata", "seed", "logprobs", "verbosity", "prompt_cache_key"]);
    conversation.sampling.choices = Some(2);
    assert_eq!(told(&conversation, "claude-x").unwrap_err().param.as_deref(), Some("n"));
}

/// Older models think within a budget, which is a part of the bound on the answer and never widens the client's own.
#[test]
fn effort_is_a_budget_for_older_models() {
    let bounded = Conversation { max_output_tokens: Some(8000), ..effort(Effort::High) };
    let cases = [
        (effort(Effort::Low), Some(1024), 5120),
        (effort(Effort::Medium), Some(4096), 8192),
        (effort(Effort::High), Some(16_384), 20_480),
        (effort(Effort::XHigh), Some(32_768), 36_864),
        (bounded, Some(6000), 8000),
        (effort(Effort::None), None, 4096),
    ];
    for (conversation, budget, max_tokens) in cases {
        let (body, dropped) = told(&conversation, "claude-sonnet-4-5-20250929").unwrap();
        assert_eq!(body["thinking"]["budget_tokens"].as_u64(), budget);
        assert_eq!((body["max_tokens"].as_u64(), dropped.len()), (Some(max_tokens), 0));
    }
}

/// I6: thinking that Anthropic would refuse is left out and named, and so is sampling beside thinking.
#[test]
fn i6_what_thinking_excludes_is_named() {
    let call = ToolUse { call_id: "t".into(), name: "f".into(), ..ToolUse::default() };
    let result = ToolResult { call_id: "t".into(), ..ToolResult::default() };
    let after_a_call = turns(vec![
        (Role::User, vec![BlockKind::text("go")]),
        (Role::Assistant, vec![BlockKind::ToolUse(call)]),
        (Role::User, vec![BlockKind::ToolResult(result)]),
    ]);
    let refused = [
        Conversation { max_output_tokens: Some(1000), ..effort(Effort::High) },
        Conversation {
            tools: vec![tool("f", None, None)],
            tool_choice: Some(ToolChoice::Required),
            ..effort(Effort::High)
        },
        Conversation { reasoning: effort(Effort::Low).reasoning, ..after_a_call },
    ];
    for conversation in refused {
        let (body, dropped) = told(&conversation, "claude-x").unwrap();
        assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning_effort".to_owned()]));
    }
    let mut conversation = effort(Effort::Low);
    let sampling = &mut conversation.sampling;
    (sampling.temperature, sampling.top_p, sampling.top_k) = (number(0.2), number(0.9), Some(5));
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    let sampling = &mut conversation.sampling;
    (sampling.temperature, sampling.top_p, sampling.top_k) = (number(1.0), number(0.97), None);
    let (body, dropped) = told(&conversation, "claude-x").unwrap();
    assert_eq!((body["temperature"].as_f64(), body["top_p"].as_f64(), dropped.len()), (Some(1.0), Some(0.97), 0));
}

/// Models from 4.6 on decide themselves how much to think, and from 4.7 on take no sampling parameters.
#[test]
fn effort_is_adaptive_for_newer_models() {
    let mut conversation = effort(Effort::XHigh);
    conversation.sampling.temperature = number(0.2);
    let (body, dropped) = told(&conversation, "claude-opus-4-7").unwrap();
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!((&body["output_config"]["effort"], body.get("temperature")), (&json!("xhigh"), None));
    assert_eq!(dropped, ["temperature"]);
    assert_eq!(told(&conversation, "claude-sonnet-4-6").unwrap().0["output_config"]["effort"], "high");
    conversation.reasoning = None;
    let (body, dropped) = told(&conversation, "claude-sonnet-4-6").unwrap();
    assert_eq!((body["temperature"].as_f64(), dropped.len()), (Some(0.2), 0));
    let forced = Conversation {
        tools: vec![tool("f", None, None)],
        tool_choice: Some(ToolChoice::Required),
        ..effort(Effort::Low)
    };
    let (body, dropped) = told(&forced, "claude-sonnet-5").unwrap();
    assert_eq!((body.get("thinking"), dropped.len()), (None, 0));
    assert_eq!(body["output_config"]["effort"], "low");
    let summary = Reasoning { effort: Some(Effort::Low), summary: Some("auto".into()), ..Reasoning::default() };
    let (body, _) = told(&Conversation { reasoning: Some(summary), ..question() }, "claude-opus-5").unwrap();
    assert_eq!(body["thinking"], json!({"type": "adaptive", "display": "summarized"}));
}

fn native(reasoning: Reasoning, bound: u64) -> Conversation {
    let rest_family = Some(Family::Anthropic);
    Conversation { reasoning: Some(reasoning), max_output_tokens: Some(bound), rest_family, ..question() }
}

/// Thinking of clients of this API fits the model that serves them.
#[test]
fn native_thinking_fits_the_model() {
    let adaptive = Reasoning { adaptive: true, effort: Some(Effort::High), ..Reasoning::default() };
    let budget = |tokens: u64| Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() };
    let enabled = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let cases = [
        (adaptive.clone(), "claude-sonnet-4-5", enabled(16_384), Value::Null),
        (adaptive.clone(), "claude-opus-4-6", json!({"type": "adaptive"}), json!({"effort": "high"})),
        (budget(5000), "claude-opus-4-6", enabled(5000), Value::Null),
        (budget(5000), "claude-opus-5", json!({"type": "adaptive"}), json!({"effort": "medium"})),
        (budget(40_000), "claude-sonnet-4-5", enabled(22_500), Value::Null),
        (
            Reasoning { effort: Some(Effort::None), ..Reasoning::default() },
            "claude-sonnet-4-5",
            json!({"type": "disabled"}),
            Value::Null,
        ),
        (adaptive, "gpt-alias", json!({"type": "adaptive"}), json!({"effort": "high"})),
    ];
    for (reasoning, model, thinking, output) in cases {
        let (body, dropped) = told(&native(reasoning, 30_000), model).unwrap();
        assert_eq!((&body["thinking"], &body["output_config"]), (&thinking, &output), "{model}");
        assert_eq!(dropped, [""; 0], "{model}");
    }
    let (body, dropped) = told(&native(budget(5000), 8000), "claude-3-5-haiku-20241022").unwrap();
    assert_eq!((body.get("thinking"), dropped), (None, vec!["thinking".to_owned()]));
}

/// J13: a bound above the model's own is clamped and told; the list of prices knows better than the table.
#[test]
fn j13_the_bound_is_clamped() {
    let conversation = native(Reasoning::default(), 128_000);
    let (body, dropped) = told(&conversation, "claude-opus-4-1").unwrap();
    assert_eq!((body["max_tokens"].as_u64(), dropped), (Some(32_000), vec!["max_tokens".to_owned()]));
    let quirks = Quirks::default();
    let target = TargetModel { model: "claude-x", quirks: &quirks, max_output_tokens: Some(64_000) };
    let request = Anthropic.request(&conversation, &target).unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((body["max_tokens"].as_u64(), request.dropped_params), (Some(64_000), vec!["max_tokens".to_owned()]));
}
