use serde_json::json;

use super::streams::{answer, call};
use super::*;
use crate::ErrorBody;
use crate::common::{BlockKind, FinishReason, ReasoningToken, Role, ToolChoice};

#[test]
fn what_a_request_says_of_stored_answers() {
    let request = body(r#"{"model":"m","input":"new","previous_response_id":"resp_1"}"#);
    assert_eq!(store(&request), Ok(true));
    assert_eq!(previous_response_id(&request), Ok(Some("resp_1".to_owned())));
    assert!(store(&body(r#"{"store":1}"#)).is_err());
    let old = JsonText::parse(r#"{"role":"user","content":"old"}"#).unwrap();
    let whole = with_history(&with_store(&request, true), &[old]).unwrap();
    let input = r#"[{"role":"user","content":"old"},{"type":"message","role":"user","content":[{"type":"input_text","text":"new"}]}]"#;
    assert_eq!(whole.get("input"), Some(input));
    let conversation = Responses.read(&whole).unwrap();
    assert_eq!(conversation.turns.len(), 2);
    let echoed: Vec<&str> = conversation.echo.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(echoed, ["previous_response_id", "store"]);
}

#[test]
fn references_are_replaced() {
    let request = body(r#"{"input":[{"type":"item_reference","id":"msg_1"},{"role":"user","content":"x"}]}"#);
    let found = JsonText::parse(r#"{"role":"assistant","content":"y"}"#).unwrap();
    let whole = with_references(&request, |id| (id == "msg_1").then(|| found.clone())).unwrap();
    assert_eq!(whole.get("input"), Some(r#"[{"role":"assistant","content":"y"},{"role":"user","content":"x"}]"#));
    assert_eq!(with_references(&request, |_| None).unwrap_err().param.as_deref(), Some("input[0].id"));
}

#[test]
fn items_of_the_input_have_ids() {
    let items =
        input_items(&body(r#"{"input":[{"role":"user","content":"x"},{"type":"reasoning","id":"rs_1"}]}"#), "r1");
    let expected = [
        r#"{"role":"user","content":"x","type":"message","id":"msg_in_gwr1_0"}"#,
        r#"{"type":"reasoning","id":"rs_1"}"#,
    ];
    assert_eq!(items.unwrap().iter().map(JsonText::as_str).collect::<Vec<_>>(), expected);
}

/// J7: what is stored of an answer has its seals, though the client asked for none.
#[test]
fn j7_stored_items_keep_their_seals() {
    let conversation = read(r#"{"model":"m","input":"x"}"#);
    let token = ReasoningToken { item_id: Some("rs_v".into()), ..ReasoningToken::new(Family::OpenAi, "ENC") };
    let thought = BlockKind::Thinking { text: "hm".into(), is_summary: true, token: Some(token.clone()) };
    let whole = answer(vec![thought.clone(), call("c", "f", "{}")], FinishReason::Tool);
    let items = output_items(&whole, &context(&conversation));
    let again = with_history(&body(r#"{"model":"m","input":"y"}"#), &items).unwrap();
    let back = Responses.read(&again).unwrap();
    assert_eq!(back.turns[0].blocks[0].kind, thought);
}

const COMPACT: &str = r#"{"model":"m","stream":true,"tools":[{"type":"function","name":"f"}],
    "input":[{"role":"user","content":"x"},{"type":"compaction_trigger"}]}"#;

fn seal() -> Seal {
    Box::new(|summary: &str| Some(format!("sealed {summary}")))
}

/// J22: a trigger is answered by exactly one item, and the talk goes on from it, for its own client alone.
#[test]
fn j22_a_conversation_is_compacted() {
    assert!(is_compaction(&body(COMPACT)) && !is_compaction(&body(r#"{"input":"compaction_trigger"}"#)));
    let conversation = read(COMPACT);
    assert!(conversation.is_compaction);
    assert_eq!((conversation.turns.len(), &conversation.tool_choice), (2, &Some(ToolChoice::None)));
    let thought = BlockKind::Thinking { text: "hm".into(), is_summary: true, token: None };
    let summary = answer(vec![thought, BlockKind::text("the "), BlockKind::text("sum")], FinishReason::End);
    let mut encoder = compaction_stream(&context(&conversation), seal());
    let mut out = BytesMut::new();
    for event in summary.clone().into_events() {
        encoder.push(event, &mut out);
    }
    let frames = frames(out);
    assert_eq!(kinds(&frames), ["created", "output_item.added", "output_item.done", "completed"]);
    let output = &frames[3]["response"]["output"];
    assert_eq!(output.as_array().unwrap().len(), 1);
    assert_eq!((&output[0]["type"], &output[0]["id"]), (&json!("compaction"), &json!("cmp_gwr1_0")));
    let whole = whole_compaction(&summary, &context(&conversation), seal());
    assert_eq!(&serde_json::from_slice::<Value>(&whole).unwrap()["output"], output);
    let next = json!({"model": "m", "input": [output[0], {"role": "user", "content": "go on"}]}).to_string();
    let mut next = read(&next);
    assert!(open_compactions(&mut next.clone(), |_| None).is_err());
    open_compactions(&mut next, |sealed| sealed.strip_prefix("sealed ").map(str::to_owned)).unwrap();
    assert_eq!(next.turns[0].role, Role::User);
    assert_eq!(next.turns[0].blocks[0].kind, BlockKind::text("Summary of the conversation up to here:\n\nthe sum"));
}

/// J22: `/responses/compact` gives the kept items and one sealed item.
#[test]
fn j22_compact_gives_one_sealed_item() {
    let conversation = read(COMPACT);
    let kept = vec![JsonText::parse(r#"{"role":"user"}"#).unwrap()];
    let summary = answer(vec![BlockKind::text("s")], FinishReason::End);
    let whole = whole_compaction(&summary, &context(&conversation), seal());
    let told = compacted(&whole, kept).unwrap();
    let silent = whole_compaction(&answer(Vec::new(), FinishReason::End), &context(&conversation), seal());
    assert!(compacted(&silent, Vec::new()).is_err());
    let token = ReasoningToken::new(Family::Other, "sealed s").for_client(Family::OpenAi);
    let expected = json!({"id": "resp_gwr1", "object": "response.compaction", "created_at": 7,
        "output": [{"role": "user"}, {"id": "cmp_gwr1_0", "type": "compaction", "encrypted_content": token}],
        "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 8}});
    assert_eq!(serde_json::from_slice::<Value>(&told).unwrap(), expected);
}

/// J22: an answer without a summary, or one that failed, is a failure and no item.
#[test]
fn j22_without_a_summary_it_fails() {
    let conversation = read(COMPACT);
    for last in [Event::Done, Event::Error(ErrorBody::new("api_error", "stream_cut", "cut"))] {
        let mut encoder = compaction_stream(&context(&conversation), seal());
        let mut out = BytesMut::new();
        for event in [last, Event::Done] {
            encoder.push(event, &mut out);
        }
        assert_eq!(kinds(&frames(out)), ["created", "failed"]);
    }
}

/// J22: what a limit, a filter or a refusal cut off is no summary to go on from.
#[test]
fn j22_a_summary_that_was_cut_off_is_a_failure() {
    let conversation = read(COMPACT);
    for (reason, is_whole) in [
        (FinishReason::End, true),
        (FinishReason::StopSequence, true),
        (FinishReason::Length, false),
        (FinishReason::ContextWindow, false),
        (FinishReason::Tool, false),
        (FinishReason::Filter, false),
        (FinishReason::Refusal, false),
        (FinishReason::Pause, false),
    ] {
        let summary = answer(vec![BlockKind::text("half of it")], reason);
        let mut encoder = compaction_stream(&context(&conversation), seal());
        let mut out = BytesMut::new();
        for event in summary.clone().into_events() {
            encoder.push(event, &mut out);
        }
        let frames = frames(out);
        let last = if is_whole { "completed" } else { "failed" };
        assert_eq!(kinds(&frames).last(), Some(&last), "{reason:?}");
        let whole = whole_compaction(&summary, &context(&conversation), seal());
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(whole["status"], last, "{reason:?}");
        assert_eq!(whole["output"].as_array().map(Vec::len), Some(usize::from(is_whole)), "{reason:?}");
    }
}
