use bytes::Bytes;
use serde_json::{Value, json};

use super::{OPENAI_CHAT, read, told};
use crate::clients::chat::CHAT;
use crate::clients::{ClientFormat, ReplyContext};
use crate::common::Conversation;
use crate::vendors::{Quirks, VendorFormat};

fn requests() -> Vec<Value> {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let user = |content: Value| json!({"role": "user", "content": content});
    let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
    let function =
        json!({"name": "f", "description": "d", "parameters": {"type": "object", "maximum": 1e3}, "strict": false});
    vec![
        json!({"model": "m", "messages": [user(json!("hi"))]}),
        json!({"model": "m", "messages": [{"role": "system", "content": "s"}, user(json!("")),
            {"role": "system", "content": "late"}, {"role": "assistant", "content": "a"},
            {"role": "user", "name": "an", "content": "b"}, {"role": "assistant", "content": null, "refusal": "no"}]}),
        json!({"model": "m", "messages": [user(json!([{"type": "text", "text": "t"}, url("https://x/y.png"),
            url("data:image/png;base64,AAAA"), {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0x"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,Q2jDoG8="}},
            {"type": "file", "file": {"file_id": "f"}}]))]}),
        json!({"model": "m", "messages": [user(json!("go")),
            {"role": "assistant", "content": "Looking.", "tool_calls": [
                call("a", "f", "{\"n\":12345678901234567890123, \"x\":1.50}"),
                {"id": "b", "type": "custom", "custom": {"name": "p", "input": "*** {"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "tool", "tool_call_id": "b", "content": ""},
            {"role": "assistant", "content": null, "tool_calls": [call("c", "f", "{}")]},
            {"role": "tool", "tool_call_id": "c", "content": "2"}, user(json!("and?")),
            {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}],
            "tools": [{"type": "function", "function": function},
                {"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}}, {"type": "browser", "x": 1}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false}),
        json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto",
                "tools": [{"type": "function", "function": {"name": "f"}}]}}}),
        json!({"model": "m", "messages": [], "max_completion_tokens": 9, "temperature": 0.5, "top_p": 1, "stop": ["a"],
            "seed": 4, "frequency_penalty": 0.1, "presence_penalty": -1, "n": 1, "logit_bias": {"1": 2},
            "logprobs": true, "top_logprobs": 2, "top_k": 3, "reasoning_effort": "max", "response_format": {
                "type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"a": 1.50}}},
            "user": "u", "verbosity": "low", "prompt_cache_key": "k", "service_tier": "flex", "metadata": {"a": "b"},
            "stream": true, "stream_options": {"include_usage": true}, "store": true, "made_up": {"x": [1, 2.0]}}),
        json!({"model": "m", "messages": [user(json!([{"type": "text", "text": "t",
            "cache_control": {"type": "ephemeral", "ttl": "1h"}}]))], "metadata": {"user_id": "u"},
            "response_format": {"type": "json_object"}}),
    ]
}

/// What chat completions can say survives the common form, digit by digit; nothing is told as lost.
#[test]
fn requests_are_the_same_behind_the_common_form() {
    for body in requests() {
        let (found, dropped) = told(&read(&body), &Quirks::default());
        assert_eq!(found, body);
        assert_eq!(dropped, [""; 0], "{body}");
    }
}

/// Reading what was told gives the same again, whatever was lost the first time.
#[test]
fn requests_settle_at_once() {
    let quirks = Quirks { own_fields_refused: true, system_first_only: true, ..Quirks::default() };
    for body in requests() {
        for quirks in [&quirks, &Quirks::default()] {
            let once = told(&read(&body), quirks).0;
            let (twice, dropped) = told(&read(&once), quirks);
            assert_eq!((once, dropped.len()), (twice, 0));
        }
    }
}

fn answers() -> Vec<Value> {
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 11, "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3, "audio_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 4}});
    let message = |fields: Value| {
        let mut message = json!({"role": "assistant", "content": null, "refusal": null});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        message
    };
    let call =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"n\": 1.50}"}});
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": "s"});
    let cited =
        json!({"type": "url_citation", "url_citation": {"start_index": 2, "end_index": 3, "url": "u", "title": "t"}});
    let messages = [
        (message(json!({"content": "Xin chào", "annotations": [cited]})), "stop"),
        (message(json!({"content": ""})), "length"),
        (message(json!({"refusal": "no"})), "stop"),
        (
            message(json!({"content": "x", "tool_calls": [call("a"), call("b")], "reasoning_content": "hm"})),
            "tool_calls",
        ),
        (
            message(json!({"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "p", "input": "{"}},
                {"id": "d", "type": "function", "function": {"name": "f", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "U0lH"}}}]})),
            "tool_calls",
        ),
        (
            message(
                json!({"content": "ab", "tool_calls": [call("a")], "annotations": [cited], "reasoning_content": "12",
                "content_blocks": [thought("1"), {"type": "text", "text": "a"}, thought("2"),
                    {"type": "tool_use", "id": "a", "name": "f"}, {"type": "text", "text": "b"}]}),
            ),
            "tool_calls",
        ),
        (message(json!({"content": "x"})), "content_filter"),
    ];
    let answer = |(message, reason): (Value, &str)| {
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "gpt-x", "choices": [
            {"index": 0, "message": message, "logprobs": {"content": [{"token": "x", "logprob": -0.1}], "refusal": null},
                "finish_reason": reason}], "usage": usage, "service_tier": "flex"})
    };
    messages.into_iter().map(answer).collect()
}

/// What a chat answer can say survives the common form, whole and as a stream.
#[test]
fn answers_are_the_same_behind_the_common_form() {
    let conversation = Conversation { include_usage: true, ..Conversation::default() };
    let context = ReplyContext {
        request_id: "r",
        conversation: &conversation,
        now: 1,
        input_estimate: None,
        strict: false,
        sealer: None,
    };
    for body in answers() {
        let answer = OPENAI_CHAT.answer(&Bytes::from(body.to_string())).unwrap();
        let told: Value = serde_json::from_slice(&CHAT.whole(answer.clone(), &context)).unwrap();
        assert_eq!(told, body);
        // The same through a stream on either side.
        let mut encoder = CHAT.stream(&context);
        let mut frames = bytes::BytesMut::new();
        answer.clone().into_events().into_iter().for_each(|event| encoder.push(event, &mut frames));
        let mut decoder = OPENAI_CHAT.stream();
        let mut events = Vec::new();
        decoder.push(frames.freeze(), &mut events);
        let mut collector = crate::common::Collector::default();
        let last = events.into_iter().map(|event| collector.push(event).unwrap()).last();
        assert_eq!(last, Some(true));
        let mut streamed = collector.whole().unwrap();
        // A stream has the tier behind its beginning.
        streamed.head.service_tier = answer.head.service_tier;
        let told: Value = serde_json::from_slice(&CHAT.whole(streamed, &context)).unwrap();
        let mut expected = body.clone();
        if expected["choices"][0]["message"]["content"] == "" {
            expected["choices"][0]["message"]["content"] = Value::Null;
        }
        if told["choices"][0]["logprobs"].is_null() {
            expected["choices"][0]["logprobs"] = Value::Null;
        }
        assert_eq!(told, expected);
    }
}
