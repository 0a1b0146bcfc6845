use serde_json::json;

use super::*;
use crate::ErrorBody;
use crate::sse::SseDecoder;
use crate::vendors::{NativeDecoder, NativeEvent};

fn decoder() -> NativeResponses {
    NativeResponses::new("resp_gwx", "m", 7)
}

fn json_of(bytes: &[u8]) -> Vec<Value> {
    let (mut decoder, mut events) = (SseDecoder::default(), Vec::new());
    decoder.push(Bytes::copy_from_slice(bytes), &mut events).unwrap();
    events.iter().map(|event| serde_json::from_slice(&event.data).unwrap()).collect()
}

fn passed(events: &[NativeEvent]) -> Vec<u8> {
    let bytes = events.iter().filter_map(|event| match event {
        NativeEvent::Frame { bytes, .. } => Some(bytes.to_vec()),
        _ => None,
    });
    bytes.flatten().collect()
}

fn recorded() -> Vec<Value> {
    let response = |status: &str, output: Value| {
        json!({"id": "resp_v", "object": "response", "status": status, "model": "vm", "output": output,
            "usage": if status == "completed" { json!({"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}) } else { Value::Null }})
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let item = |content: Value| json!({"type": "message", "id": "msg_v", "role": "assistant", "content": content});
    let of = |kind: &str| json!({"type": kind, "item_id": "msg_v", "output_index": 0, "content_index": 0});
    let with = |kind: &str, name: &str, value: Value| {
        let mut event = of(kind);
        event[name] = value;
        event
    };
    vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": item(json!([]))}),
        with("response.content_part.added", "part", part("")),
        with("response.output_text.delta", "delta", json!("he")),
        with("response.output_text.delta", "delta", json!("llo")),
        with("response.output_text.done", "text", json!("hello")),
        with("response.content_part.done", "part", part("hello")),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item(json!([part("hello")]))}),
        json!({"type": "response.completed", "response": response("completed", json!([item(json!([part("hello")]))]))}),
    ]
}

/// D5: frames pass byte for byte, whatever the chunking; text and usage are read out of them.
#[test]
fn frames_pass_untouched() {
    let stream = stream_of(&recorded());
    let mut whole = Vec::new();
    let mut native = decoder();
    native.push(Bytes::from(stream.clone()), &mut whole);
    native.finish(&mut whole);
    assert_eq!(String::from_utf8(passed(&whole)).unwrap(), stream);
    let texts: Vec<&str> = whole
        .iter()
        .filter_map(|event| match event {
            NativeEvent::Frame { text: Some(text), content: true, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["he", "llo"]);
    let usage = Usage { prompt_tokens: 3, completion_tokens: 5, ..Usage::default() };
    assert!(matches!(&whole[whole.len() - 2..], [NativeEvent::Usage(counted), NativeEvent::Done] if *counted == usage));
    assert!(matches!(&whole[0], NativeEvent::Frame { content: false, .. }));
    for cut in 1..stream.len() {
        let (mut native, mut out) = (decoder(), Vec::new());
        native.push(Bytes::copy_from_slice(&stream.as_bytes()[..cut]), &mut out);
        native.push(Bytes::copy_from_slice(&stream.as_bytes()[cut..]), &mut out);
        native.finish(&mut out);
        assert_eq!(out, whole, "cut at {cut}");
    }
}

/// A cut at any place closes what is open and ends as an answer that reached its limit.
#[test]
fn a_cut_closes_what_is_open() {
    let all = recorded();
    for at in 1..all.len() {
        let (mut native, mut out) = (decoder(), Vec::new());
        native.push(Bytes::from(stream_of(&all[..at])), &mut out);
        let usage = Usage { prompt_tokens: 3, completion_tokens: 1, ..Usage::default() };
        let mut bytes = passed(&out);
        bytes.extend(native.cut(Some(&usage)));
        let events = json_of(&bytes);
        assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at));
        let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!(count("response.output_item.added"), count("response.output_item.done"), "{at}");
        assert_eq!(count("response.content_part.added"), count("response.content_part.done"), "{at}");
        let last = &events.last().unwrap()["response"];
        assert_eq!(
            (&last["status"], &last["incomplete_details"]),
            (&json!("incomplete"), &json!({"reason": "max_output_tokens"}))
        );
        assert_eq!(last["usage"]["total_tokens"], 4);
        assert_eq!(last["output"].as_array().unwrap().len(), usize::from(at > 1));
        if at == 5 {
            assert_eq!(last["output"][0]["content"][0]["text"], "hello");
            assert_eq!((&last["output"][0]["status"], &last["id"]), (&json!("incomplete"), &json!("resp_v")));
        }
        native.push(Bytes::from(stream_of(&all)), &mut Vec::new());
    }
    let call = json!({"type": "function_call", "id": "fc_v", "call_id": "c", "name": "f", "arguments": ""});
    let events = [
        json!({"type": "response.output_item.added", "output_index": 0, "item": call}),
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_v", "delta": "{\"a"}),
    ];
    let (mut native, mut out) = (decoder(), Vec::new());
    native.push(Bytes::from(stream_of(&events)), &mut out);
    let events = json_of(&native.cut(None));
    assert_eq!(events[0]["type"], "response.function_call_arguments.done");
    assert_eq!((&events[0]["arguments"], &events[1]["item"]["arguments"]), (&json!("{\"a"), &json!("{\"a")));
}

/// J3: failures are told to the caller alone, who tells the client once or goes on with another target.
#[test]
fn j3_failures_are_told_once() {
    let failed = json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "m"},
        "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}}});
    let error = json!({"type": "error", "code": "rate_limit_exceeded", "message": "m"});
    for (event, code) in [(failed, "server_error"), (error, "rate_limit_exceeded")] {
        let (mut native, mut out) = (decoder(), Vec::new());
        native.push(Bytes::from(stream_of(&[recorded()[0].clone(), event])), &mut out);
        native.finish(&mut out);
        let NativeEvent::Error(error) = out.last().unwrap() else { panic!("{out:?}") };
        assert_eq!(error.code.as_deref(), Some(code));
        assert_eq!(json_of(&passed(&out)).len(), 1);
        let told = json_of(&native.fail(error));
        assert_eq!(
            (told.len(), &told[0]["type"], &told[0]["sequence_number"]),
            (1, &json!("response.failed"), &json!(1))
        );
        assert_eq!(told[0]["response"]["error"], json!({"code": code, "message": "m"}));
        assert_eq!(told[0]["response"]["id"], "resp_v");
    }
    let (mut native, mut out) = (decoder(), Vec::new());
    native.broken(&mut out);
    let kinds: Vec<Value> =
        json_of(&native.fail(&ErrorBody::default())).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["response.created", "response.failed"]);
    assert!(matches!(out.as_slice(), [NativeEvent::Error(error)] if error.code.as_deref() == Some("stream_cut")));
}
