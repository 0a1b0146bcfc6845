use serde_json::json;

use super::*;
use crate::clients::ReplyContext;
use crate::clients::responses::codex::{KNOWN_SLUG, NEWEST_SLUG, UNKNOWN_SLUG};

/// J10: what Codex sends is told to the vendor in the same meaning, with tools in their own kinds.
#[test]
fn j10_requests_of_codex_keep_their_meaning() {
    for request in [UNKNOWN_SLUG, KNOWN_SLUG, NEWEST_SLUG] {
        let conversation = read(request);
        let (body, dropped) = sent(&conversation, &Quirks::default());
        assert_eq!(dropped, Vec::<String>::new());
        let again = read(&body.to_string());
        assert_eq!((&again.turns, &again.namespaces), (&conversation.turns, &conversation.namespaces), "{request}");
        assert_eq!(again.system, conversation.system);
        assert_eq!(again.tool_choice, conversation.tool_choice);
        let twice = sent(&again, &Quirks::default()).0;
        assert_eq!(twice, body, "telling it again changes nothing");
    }
}

/// J10: a vendor that knows functions alone gets functions, with names of one level.
#[test]
fn j10_functions_alone() {
    let quirks = Quirks { functions_only: true, ..Quirks::default() };
    let (body, dropped) = sent(&read(NEWEST_SLUG), &quirks);
    let tools: Vec<(&str, &str)> = body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| (tool["type"].as_str().unwrap(), tool["name"].as_str().unwrap()))
        .collect();
    assert_eq!(tools, [("function", "exec_command"), ("function", "apply_patch"), ("function", "mcp__files__read")]);
    assert_eq!(body["tools"][1]["parameters"]["required"], json!(["input"]));
    assert_eq!(dropped, Vec::<String>::new());
    assert_eq!(sent(&read(UNKNOWN_SLUG), &quirks).1, ["tools.web_search"]);
}

/// J7: the items of any answer, sent back as input, come to the vendor with their reasoning directly before what it led
/// to and byte-equal; through the translation and through the passing of bytes.
#[test]
fn j7_answers_sent_back_keep_their_reasoning() {
    for kinds in super::streams::corpus() {
        let blocks: Vec<crate::common::Block> = kinds.into_iter().map(Into::into).collect();
        let answer = Answer { blocks, ..Answer::default() };
        let conversation = read(r#"{"model":"m","input":"x"}"#);
        let context = ReplyContext {
            request_id: "r2",
            conversation: &conversation,
            now: 7,
            input_estimate: None,
            strict: false,
            sealer: None,
        };
        let items = crate::clients::responses::output_items(&answer, &context);
        let mut input = vec![json!({"type": "message", "role": "user", "content": "x"})];
        input.extend(items.iter().map(crate::common::JsonText::value));
        input.push(json!({"type": "message", "role": "user", "content": "y"}));
        let next = json!({"model": "m", "input": input}).to_string();
        let translated = sent(&read(&next), &Quirks::default()).0;
        let passed = native_request(&object(&next), "v", false, |_| None).unwrap();
        let passed: Value = serde_json::from_slice(&passed.body).unwrap();
        for body in [translated, passed] {
            let input = body["input"].as_array().unwrap();
            for (at, item) in input.iter().enumerate().filter(|(_, item)| item["type"] == "reasoning") {
                assert_eq!(item["encrypted_content"], "ENC");
                assert_eq!(item["id"], "rs_gwr1_0", "the id that the vendor sealed");
                let next = &input[at + 1];
                assert!(next["role"] == "assistant" || next["type"].as_str().unwrap().ends_with("_call"), "{body}");
            }
            assert!(!body.to_string().contains("_gwr2"), "{body}");
            assert_eq!((&body["store"], &body["include"][0]), (&json!(false), &json!("reasoning.encrypted_content")));
        }
    }
}

/// J5: what other vendors sealed is left out of bytes that pass, and all else stays as it is.
#[test]
fn j5_passing_requests_lose_only_what_is_foreign() {
    let plain = r#"{"model":"a","input":[{"role":"user","content":"x"}],"store":true,"n":1.50}"#;
    let body = native_request(&object(plain), "b", true, |_| None).unwrap().body;
    assert_eq!(body, r#"{"input":[{"role":"user","content":"x"}],"store":true,"n":1.50,"model":"b"}"#);
    let foreign = crate::common::ReasoningToken::new(crate::common::Family::Anthropic, "SIG")
        .for_client(crate::common::Family::OpenAi);
    let sealed =
        crate::common::ReasoningToken::new(crate::common::Family::Other, "S").for_client(crate::common::Family::OpenAi);
    let mixed = json!({"model": "a", "input": [
        {"type": "compaction", "id": "cmp_gwx_0", "encrypted_content": sealed},
        {"type": "reasoning", "id": "rs_gwx_0", "summary": [], "encrypted_content": foreign},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ENC"},
        {"type": "message", "id": "msg_gwx_1", "role": "assistant", "content": [{"type": "output_text", "text": "t"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "ENC"},
        {"role": "user", "content": "y"}]});
    let object = object(&mixed.to_string());
    assert!(native_request(&object, "b", false, |_| None).is_err());
    let body = native_request(&object, "b", false, |text| (text == "S").then(|| "sum".to_owned())).unwrap().body;
    let expected = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "sum"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "ENC"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "t"}]},
        {"role": "user", "content": "y"}]);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["input"], expected);
}

/// Log probabilities pass from the vendor to its client as they are, whole and streamed.
#[test]
fn log_probabilities_pass_both_ways() {
    let conversation = read(r#"{"model":"m","input":"x","include":["message.output_text.logprobs"],"top_logprobs":1}"#);
    let context = ReplyContext {
        request_id: "r2",
        conversation: &conversation,
        now: 7,
        input_estimate: None,
        strict: false,
        sealer: None,
    };
    let told = r#"[{"token":"a","logprob":-0.1250,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.1250,"bytes":[97]}]}]"#;
    let logprobs = vec![crate::common::JsonText::parse(told).unwrap()];
    let blocks = vec![crate::common::BlockKind::text("a").into()];
    let answer = Answer { blocks, logprobs: logprobs.clone(), ..Answer::default() };
    let whole = Responses.whole(answer.clone(), &context);
    assert_eq!(OpenAiResponses.answer(&whole).unwrap().logprobs, logprobs);
    let (mut encoder, mut frames) = (Responses.stream(&context), bytes::BytesMut::new());
    answer.into_events().into_iter().for_each(|event| encoder.push(event, &mut frames));
    let decoded: Vec<_> = super::streams::decoded(&frames, &[]);
    let passed: Vec<_> = decoded
        .into_iter()
        .filter_map(|event| match event {
            crate::common::Event::Delta(_, crate::common::Delta::Logprobs(list)) => Some(list),
            _ => None,
        })
        .collect();
    assert_eq!(passed, logprobs);
}

/// What a tool gives back is told to a vendor of the same format when the request goes over the common form, and named as
/// lost elsewhere.
#[test]
fn a_tools_output_schema_stays() {
    let tool = json!({"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false,
        "output_schema": {"type": "string"}});
    let conversation = read(&json!({"model": "m", "input": "x", "tools": [tool]}).to_string());
    assert_eq!(sent(&conversation, &Quirks::default()).0["tools"], json!([tool]));
    let functions_only = Quirks { functions_only: true, ..Quirks::default() };
    assert!(sent(&conversation, &functions_only).0["tools"][0].get("output_schema").is_none());
    let quirks = Quirks::default();
    let target = TargetModel { model: "v", quirks: &quirks, max_output_tokens: None };
    let chat = crate::vendors::openai_chat::OPENAI_CHAT.request(&conversation, &target).unwrap();
    assert_eq!(chat.dropped_params, ["tools[].output_schema"]);
}
