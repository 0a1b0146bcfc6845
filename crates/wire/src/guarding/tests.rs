//! A guard that hides the word "secret" in whatever pieces it comes, and denies at "forbidden".

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::common::{Answer, AnswerHead, Block, BlockKind, Collector, Event, Finish, JsonText, ToolUse};
use crate::openai::ChatStream;
use crate::{StreamDecoder, StreamEvent, sse};

#[derive(Default)]
struct Hider {
    held: HashMap<TextPlace, String>,
    looks_on: bool,
}

impl Hider {
    fn let_go(&mut self, place: TextPlace, is_end: bool, out: &mut String) -> Result<(), ErrorBody> {
        let held = self.held.entry(place).or_default();
        if held.contains("forbidden") {
            return Err(ErrorBody::new("hooks_failed", "", "no"));
        }
        let told = held.replace("secret", "[HIDDEN]");
        let longest = |words: [&str; 2]| {
            let ends = |word: &&str| (1..word.len()).rev().find(|at| told.ends_with(&word[..*at])).unwrap_or(0);
            words.iter().map(ends).max().unwrap_or(0)
        };
        let keep = if is_end { 0 } else { longest(["secret", "forbidden"]) };
        let (free, rest) = told.split_at(told.len() - keep);
        out.push_str(free);
        *held = rest.to_owned();
        Ok(())
    }
}

impl AnswerGuard for Hider {
    fn changes(&self) -> bool {
        !self.looks_on
    }

    fn push(&mut self, place: TextPlace, part: &str, out: &mut String) -> Result<(), ErrorBody> {
        self.held.entry(place).or_default().push_str(part);
        if self.looks_on { Ok(()) } else { self.let_go(place, false, out) }
    }

    fn finish(&mut self, place: TextPlace, out: &mut String) -> Result<(), ErrorBody> {
        if self.looks_on { Ok(()) } else { self.let_go(place, true, out) }
    }

    fn end(&mut self) -> Result<(), ErrorBody> {
        Ok(())
    }
}

fn hider() -> Box<dyn AnswerGuard> {
    Box::new(Hider::default())
}

fn chunk(choice: u64, delta: Value, reason: Option<&str>) -> String {
    let choice =
        json!({"index": choice, "delta": delta, "finish_reason": reason, "logprobs": {"content": [{"token": "x"}]}});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// What a stream says in each field of each choice, its events, and all its bytes.
fn streamed(text: &str) -> (HashMap<(u64, String), String>, Vec<StreamEvent>, String) {
    let inner = Box::new(ChatStream::new(false).of(2));
    let mut stream = GuardedChat::new(inner, hider());
    let mut events = Vec::new();
    stream.push(Bytes::from(text.to_owned()), &mut events);
    stream.finish(&mut events);
    let (mut said, mut bytes) = (HashMap::new(), String::new());
    for event in &events {
        let StreamEvent::Framed { frame, .. } = event else { continue };
        bytes.push_str(std::str::from_utf8(frame).unwrap());
        for line in std::str::from_utf8(frame).unwrap().split("\n\n").filter(|line| !line.is_empty()) {
            let chunk: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
            for choice in chunk["choices"].as_array().unwrap() {
                let index = choice["index"].as_u64().unwrap();
                for (name, value) in choice["delta"].as_object().unwrap() {
                    let text = match value {
                        Value::String(text) => text.clone(),
                        Value::Array(calls) => {
                            calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect()
                        }
                        _ => String::new(),
                    };
                    assert!(!text.is_empty() || value.is_array(), "an empty delta: {line}");
                    said.entry((index, name.clone())).or_insert_with(String::new).push_str(&text);
                }
            }
        }
    }
    (said, events, bytes)
}

/// D8: in every choice and every field, however the words are cut, the stream says what the whole says.
#[test]
fn d8_a_chat_stream_says_what_is_left_of_the_whole() {
    let text = "a secret here";
    let arguments = r#"{"note":"secret"}"#;
    for size in 1..=text.len() {
        let pieces = |text: &str| {
            text.as_bytes().chunks(size).map(|part| String::from_utf8(part.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        let mut stream = chunk(0, json!({"role": "assistant", "content": ""}), None);
        for choice in [1, 0] {
            for field in ["reasoning_content", "content", "refusal"] {
                pieces(text).iter().for_each(|part| stream.push_str(&chunk(choice, json!({field: part}), None)));
            }
            let begun = json!({"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]});
            stream.push_str(&chunk(choice, begun, None));
            for part in pieces(arguments) {
                let part = json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
                stream.push_str(&chunk(choice, part, None));
            }
            stream.push_str(&chunk(choice, json!({}), Some("tool_calls")));
        }
        stream.push_str("data: [DONE]\n\n");
        let (said, events, bytes) = streamed(&stream);
        for choice in [0, 1] {
            for field in ["reasoning_content", "content", "refusal"] {
                let said = said.get(&(choice, field.to_owned())).map(String::as_str);
                assert_eq!(said, Some("a [HIDDEN] here"), "{choice} {field} in pieces of {size}");
            }
            assert_eq!(said[&(choice, "tool_calls".to_owned())], r#"{"note":"[HIDDEN]"}"#, "in pieces of {size}");
        }
        assert!(!bytes.contains("secret") && !bytes.contains("logprobs"), "{bytes}");
        assert_eq!(events.last(), Some(&StreamEvent::Done));
        let counted: String = events
            .iter()
            .filter_map(|event| if let StreamEvent::Framed { text, .. } = event { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(counted.matches("secret").count(), 8, "all that was generated is counted");
    }
}

/// D8: what is held comes before the end, whichever the end is, and before the usage.
#[test]
fn d8_what_is_held_comes_before_the_end() {
    let held = chunk(0, json!({"content": "a secr"}), None);
    let usage = r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    // What broke off may be a part of what would have been found.
    for (end, told) in [
        (chunk(0, json!({}), Some("stop")) + usage + "\n\ndata: [DONE]\n\n", "a secr"),
        (chunk(0, json!({}), Some("stop")), "a secr"),
        (chunk(0, json!({}), Some("stop")) + "data: {\"error\":{\"message\":\"boom\"}}\n\n", "a secr"),
        ("data: [DONE]\n\n".to_owned(), "a secr"),
        ("data: {\"error\":{\"message\":\"boom\"}}\n\n".to_owned(), "a "),
        (String::new(), "a "),
    ] {
        let (said, events, _) = streamed(&(held.clone() + &end));
        assert_eq!(said[&(0, "content".to_owned())], told, "{end}");
        let last =
            events.iter().rposition(|event| matches!(event, StreamEvent::Framed { frame, .. } if !frame.is_empty()));
        let usage = events.iter().position(|event| matches!(event, StreamEvent::Usage { .. }));
        assert!(usage.is_none_or(|usage| Some(usage) > last), "{events:?}");
    }
}

/// D8: what stands between its halves, the end included, lets no half of a value go.
#[test]
fn d8_texts_that_take_turns_are_guarded_as_they_are_joined() {
    let call = |index: u64, part: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": part}}]});
    let turns = [
        chunk(0, json!({"content": "a sec"}), None),
        chunk(0, json!({"reasoning_content": "hm"}), None),
        chunk(0, json!({"content": "ret"}), None),
        chunk(0, call(0, "sec"), None),
        chunk(0, call(1, "hm"), None),
        chunk(0, call(0, "ret"), None),
        chunk(0, json!({"content": " se"}), Some("stop")),
        chunk(0, json!({"content": "cret."}), None),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (said, _, bytes) = streamed(&turns.concat());
    assert_eq!(said[&(0, "content".to_owned())], "a [HIDDEN] [HIDDEN].");
    let calls = &said[&(0, "tool_calls".to_owned())];
    assert!(calls.contains("[HIDDEN]") && calls.contains("hm") && !bytes.contains("sec"), "{bytes}");
    let end = r#""delta":{},"finish_reason":"tool_calls"}]}"#;
    assert!(bytes.trim_end().ends_with(end) && bytes.matches(end).count() == 1, "the end comes last: {bytes}");
}

/// D8: no place in a chunk is unguarded, and a chunk that is held back loses nothing else.
#[test]
fn d8_every_place_in_a_chunk_is_guarded() {
    let chunk = |choice: Value, more: Value| {
        let mut chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"});
        chunk["choices"] = choice;
        chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("data: {chunk}\n\n")
    };
    let item = json!([{"title": "a secret", "url": "https://a.example/secret", "id": "x1"}]);
    let frames = [
        chunk(
            json!([{"index": 0, "delta": {"content": "sec"}}]),
            json!({"citations": ["https://b.example", "a secret"]}),
        ),
        chunk(json!([{"index": 0, "delta": {"content": "ret"}, "message": {"content": "a secret"}}]), json!({})),
        chunk(
            json!([{"index": 0, "message": {"content": "secret"}, "text": "secret"}]),
            json!({"search_results": item}),
        ),
        chunk(json!([{"index": 0, "delta": {}, "reasoning": "sec"}]), json!({})),
        chunk(json!([{"index": 0, "delta": {"annotations": item}, "reasoning": "ret"}]), json!({})),
        chunk(
            json!([{"index": 0, "delta": {"role": "a secret", "name": "secret"}, "message": {"content": "secret"}, "finish_reason": "stop"}]),
            json!({"note": "secret"}),
        ),
        chunk(json!([]), json!({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "citations": ["a secret"]})),
        "data: [DONE]\n\n".to_owned(),
    ];
    let mut stream = GuardedChat::new(Box::new(ChatStream::new(false)), hider());
    let mut events = Vec::new();
    stream.push(Bytes::from(frames.concat()), &mut events);
    let mut told = String::new();
    for event in &events {
        match event {
            StreamEvent::Framed { frame, .. } => told.push_str(std::str::from_utf8(frame).unwrap()),
            StreamEvent::Usage { chunk, .. } => {
                assert!(chunk.windows(12).any(|part| part == b"[\"a [HIDDEN]\""[..12].as_ref()), "{chunk:?}");
                told.push_str(std::str::from_utf8(chunk).unwrap());
            }
            _ => {}
        }
    }
    let told = told.replace(r#""name":"secret""#, "");
    assert!(!told.contains("secret"), "{told}");
    assert!(told.contains(r#""citations":["https://b.example","a [HIDDEN]"]"#), "{told}");
    assert!(told.contains(r#""title":"a [HIDDEN]","url":"https://a.example/[HIDDEN]","id":"x1""#), "{told}");
    assert!(told.contains(r#""reasoning":"[HIDDEN]""#) && told.contains(r#""note":"[HIDDEN]""#), "{told}");
}

/// D8: what was held of a list comes out as a list.
#[test]
fn d8_held_parts_of_lists_keep_their_form() {
    let delta = json!({"content": [{"type": "text", "text": "a sec"}],
        "reasoning_details": [{"type": "reasoning.text", "index": 3, "text": "a sec", "signature": "secret"}]});
    let frames = chunk(0, delta, None) + &chunk(0, json!({}), Some("stop")) + "data: [DONE]\n\n";
    let bytes = streamed(&frames).2;
    assert!(bytes.contains(r#""delta":{"content":[{"text":"sec","type":"text"}]}"#), "{bytes}");
    let details = r#""delta":{"reasoning_details":[{"text":"sec","index":3,"type":"reasoning.text"}]}"#;
    assert!(bytes.contains(details), "{bytes}");
}

/// D8: the input of a custom tool is any text, the arguments of a function are JSON.
#[test]
fn d8_the_input_of_a_custom_tool_is_text() {
    struct Kinds(Vec<TextKind>);
    impl AnswerGuard for Kinds {
        fn changes(&self) -> bool {
            true
        }
        fn push(&mut self, place: TextPlace, part: &str, out: &mut String) -> Result<(), ErrorBody> {
            self.0.push(place.kind);
            out.push_str(part);
            Ok(())
        }
        fn finish(&mut self, _: TextPlace, _: &mut String) -> Result<(), ErrorBody> {
            Ok(())
        }
        fn end(&mut self) -> Result<(), ErrorBody> {
            Ok(())
        }
    }
    let calls = json!([{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": calls}}]});
    let mut kinds = Kinds(Vec::new());
    guarded_chat(&Bytes::from(body.to_string()), &mut kinds).1.unwrap();
    assert_eq!(kinds.0, [TextKind::Input, TextKind::Arguments]);
    let custom = ToolUse { arguments: "x".into(), kind: crate::common::ToolKind::Custom, ..ToolUse::default() };
    let mut answer = Answer { blocks: vec![Block::from(BlockKind::ToolUse(custom))], ..answer() };
    let mut kinds = Kinds(Vec::new());
    guard_answer(&mut answer, &mut kinds).unwrap();
    assert_eq!(kinds.0, [TextKind::Input]);
}

/// D8: the same places of a whole answer; texts that clients join are guarded as one.
#[test]
fn d8_every_place_in_a_whole_chat_answer_is_guarded() {
    let message =
        json!({"role": "assistant", "content": [{"type": "text", "text": "a sec"}, {"type": "text", "text": "ret"}]});
    let body = json!({"id": "secret", "model": "secret-1", "choices": [{"index": 0, "message": message, "reasoning": "a secret"}],
        "search_results": [{"title": "a secret"}], "usage": {"prompt_tokens": 1}});
    let told = guarded_chat(&Bytes::from(body.to_string()), &mut *hider()).1.unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    let content = &told["choices"][0]["message"]["content"];
    assert_eq!((&content[0]["text"], &content[1]["text"]), (&json!("a "), &json!("[HIDDEN]")));
    assert_eq!((&told["choices"][0]["reasoning"], &told["id"]), (&json!("a [HIDDEN]"), &json!("secret")));
    assert_eq!(told["search_results"][0]["title"], "a [HIDDEN]");
}

/// D8: a denied stream ends at once, with nothing of what was denied.
#[test]
fn d8_a_denied_stream_ends_without_a_trace() {
    let text = "this is forbidden, and more";
    for size in 1..=text.len() {
        let mut stream = String::new();
        for part in text.as_bytes().chunks(size) {
            stream.push_str(&chunk(0, json!({"content": std::str::from_utf8(part).unwrap()}), None));
        }
        stream.push_str(&(chunk(0, json!({}), Some("stop")) + "data: [DONE]\n\n"));
        let (said, events, bytes) = streamed(&stream);
        assert!(
            matches!(events.last(), Some(StreamEvent::Denied(error)) if error.kind == "hooks_failed"),
            "{events:?}"
        );
        assert!("this is ".starts_with(said.get(&(0, "content".to_owned())).map_or("", String::as_str)), "{said:?}");
        assert!(!bytes.contains("forb") && !bytes.contains("more"), "{bytes}");
    }
}

/// D8: whole chat answers, all choices; what nobody changed keeps its bytes.
#[test]
fn d8_whole_chat_answers_are_guarded_in_every_choice() {
    let choice = |text: &str| {
        json!({"index": 0, "finish_reason": "stop", "logprobs": {"content": [{"token": text}]},
            "message": {"role": "assistant", "content": text, "reasoning_content": text, "refusal": null,
                "tool_calls": [{"id": "secret", "type": "function", "function": {"name": "f", "arguments": text}}]}})
    };
    let body = Bytes::from(json!({"id": "x", "n": 1.50, "choices": [choice("fine"), choice("a secret")]}).to_string());
    let (said, told) = guarded_chat(&body, &mut *hider());
    let told: Value = serde_json::from_slice(&told.unwrap()).unwrap();
    assert_eq!(said.matches("secret").count(), 3);
    assert_eq!(told["choices"][0], choice("fine"));
    let message = &told["choices"][1]["message"];
    for text in [&message["content"], &message["reasoning_content"], &message["tool_calls"][0]["function"]["arguments"]]
    {
        assert_eq!(text, "a [HIDDEN]");
    }
    assert_eq!((&told["choices"][1]["logprobs"], &message["tool_calls"][0]["id"]), (&Value::Null, &json!("secret")));
    let untouched = Bytes::from_static(b"{ \"choices\": [ {\"message\":{\"content\":\"fine\"}} ], \"n\": 1.50 }");
    assert_eq!(guarded_chat(&untouched, &mut *hider()).1.unwrap(), untouched);
    let denied =
        Bytes::from_static(br#"{"choices":[{"message":{"content":"forbidden"}},{"message":{"content":"b"}}]}"#);
    let (said, told) = guarded_chat(&denied, &mut *hider());
    assert!(said == "forbiddenb" && told.is_err());
}

fn answer() -> Answer {
    let call = ToolUse { call_id: "c".into(), name: "f".into(), arguments: "a secret".into(), ..ToolUse::default() };
    let kinds = [
        BlockKind::Thinking { text: "a secret".into(), is_summary: false, token: None },
        BlockKind::text("a secret, twice a secret"),
        BlockKind::Refusal("secret".into()),
        BlockKind::ToolUse(call),
    ];
    Answer {
        head: AnswerHead::default(),
        blocks: kinds.into_iter().map(Block::from).collect(),
        finish: Finish::default(),
        usage: None,
        logprobs: vec![JsonText::parse(r#"[{"token":"secret"}]"#).unwrap()],
    }
}

/// D8, F4: events and answers of the common form come out the same.
#[test]
fn d8_events_and_answers_come_out_the_same() {
    let mut whole = answer();
    guard_answer(&mut whole, &mut *hider()).unwrap();
    assert!(!format!("{whole:?}").contains("secret") && format!("{whole:?}").matches("[HIDDEN]").count() == 5);
    let mut guard = EventGuard::new(hider());
    let (mut events, mut collector) = (Vec::new(), Collector::default());
    for event in answer().into_events() {
        guard.push(event, &mut events).unwrap();
    }
    assert!(
        events
            .iter()
            .all(|event| !matches!(event, Event::Delta(_, crate::common::Delta::Text(text)) if text.is_empty()))
    );
    for event in events {
        collector.push(event).unwrap();
    }
    assert_eq!(collector.whole().unwrap(), whole);
}

/// D8: texts that follow one another are guarded as one, as clients join them; each keeps its own words.
#[test]
fn d8_a_value_in_two_blocks_is_found() {
    let thinking = || BlockKind::Thinking { text: "hm".into(), is_summary: false, token: None };
    let call = || BlockKind::ToolUse(ToolUse { call_id: "c".into(), arguments: "{}".into(), ..ToolUse::default() });
    let citation = || JsonText::parse(r#"{"type":"url_citation","url":"https://a.example/secret"}"#).unwrap();
    let cited = |text: &str| BlockKind::Text { text: text.into(), annotations: vec![citation()] };
    let cases = [
        (vec![cited("a sec"), thinking(), cited("ret here")], vec!["a ", "[HIDDEN] here"]),
        (vec![cited("s"), cited("ec"), cited("r"), cited("et.")], vec!["", "", "", "[HIDDEN]."]),
        (vec![cited("a sec"), thinking(), cited("tor")], vec!["a sec", "tor"]),
        (vec![cited("a s"), cited("e"), cited("x")], vec!["a ", "", "sex"]),
        (vec![cited("a sec"), call(), cited("ret")], vec!["a sec", "ret"]),
        (vec![cited("a secret"), thinking(), cited("b")], vec!["a [HIDDEN]", "b"]),
        (vec![cited("a sec"), thinking()], vec!["a sec"]),
    ];
    for (kinds, told) in cases {
        let answer = Answer { blocks: kinds.into_iter().map(Block::from).collect(), logprobs: Vec::new(), ..answer() };
        let (mut guard, mut events, mut collector) = (EventGuard::new(hider()), Vec::new(), Collector::default());
        for event in answer.clone().into_events() {
            guard.push(event, &mut events).unwrap();
        }
        events.into_iter().for_each(|event| assert!(collector.push(event).is_ok()));
        let streamed = collector.whole().unwrap();
        let mut whole = answer;
        guard_answer(&mut whole, &mut *hider()).unwrap();
        for answer in [&streamed, &whole] {
            let texts: Vec<&str> = answer
                .blocks
                .iter()
                .filter_map(
                    |block| if let BlockKind::Text { text, .. } = &block.kind { Some(text.as_str()) } else { None },
                )
                .collect();
            assert_eq!(texts.concat(), told.concat());
            assert_eq!(texts.len(), told.len());
            assert!(!format!("{answer:?}").contains("secret"), "{answer:?}");
        }
        let of = |answer: &Answer| answer.blocks.iter().map(|block| block.kind.clone()).collect::<Vec<_>>();
        let is_altered = told.concat().contains("HIDDEN");
        assert!(is_altered || told == ["a ", "", "sex"] || of(&streamed) == of(&whole), "{streamed:?} {whole:?}");
    }
}

/// D8: a citation of a text that came out another goes, wherever it came.
#[test]
fn d8_a_citation_of_other_words_is_left_out() {
    let citation = JsonText::parse(r#"{"type":"url_citation","url":"https://a.example"}"#).unwrap();
    let delta = |text: &str| Event::Delta(0, crate::common::Delta::Text(text.into()));
    for (text, count) in [("a sec", 0), ("second", 1)] {
        let (mut guard, mut events) = (EventGuard::new(hider()), Vec::new());
        for event in [
            Event::BlockStart(0, crate::common::BlockHead::Text),
            delta(text),
            Event::Delta(0, crate::common::Delta::Annotation(citation.clone())),
            delta("ret"),
            Event::BlockStop(0),
            Event::Finish(Finish::default()),
        ] {
            guard.push(event, &mut events).unwrap();
        }
        let cited = events.iter().filter(|event| matches!(event, Event::Delta(_, crate::common::Delta::Annotation(_))));
        assert_eq!(cited.count(), count, "{events:?}");
    }
}

/// D8: a stream that breaks shows no part of what it held.
#[test]
fn d8_a_broken_stream_of_events_drops_what_it_held() {
    let (mut guard, mut events) = (EventGuard::new(hider()), Vec::new());
    for event in [
        Event::BlockStart(0, crate::common::BlockHead::Text),
        Event::Delta(0, crate::common::Delta::Text("a secr".into())),
        Event::Error(ErrorBody::new("server_error", "", "boom")),
    ] {
        guard.push(event, &mut events).unwrap();
    }
    assert!(!format!("{events:?}").contains("secr\"") && matches!(events.last(), Some(Event::Error(_))), "{events:?}");
    assert!(format!("{events:?}").contains("\"a \""), "{events:?}");
}

/// D8: where a guard only looks on, the bytes pass as they came.
#[test]
fn d8_a_guard_that_looks_on_changes_no_byte() {
    let frames = chunk(0, json!({"content": "a secret"}), None) + &chunk(0, json!({}), Some("stop"));
    let guard = Box::new(Hider { looks_on: true, ..Hider::default() });
    let mut stream = GuardedChat::new(Box::new(ChatStream::new(false)), guard);
    let mut events = Vec::new();
    stream.push(Bytes::from(frames.clone() + "data: [DONE]\n\n"), &mut events);
    let mut passed = String::new();
    for event in &events {
        if let StreamEvent::Framed { frame, .. } = event {
            passed.push_str(std::str::from_utf8(frame).unwrap());
        }
    }
    assert_eq!(passed, frames);
    assert_eq!(stream.end(), sse::DONE);
}
