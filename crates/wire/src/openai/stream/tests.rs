use super::*;

fn decode(text: &str, step: usize, strict: bool) -> Vec<StreamEvent> {
    decode_with(ChatStream::new(strict), text, step)
}

/// The events of a stream; whether a chunk was parsed makes no difference.
fn decode_with(mut stream: ChatStream, text: &str, step: usize) -> Vec<StreamEvent> {
    let mut out = Vec::new();
    for chunk in text.as_bytes().chunks(step) {
        stream.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(&mut out);
    let parsed = |event| match event {
        StreamEvent::Chunk { frame, content, .. } => StreamEvent::Chunk { frame, content, text: None },
        other => other,
    };
    out.into_iter().map(parsed).collect()
}

const ROLE: &str =
    r#"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const TEXT: &str = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"Xin chào"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

fn stream_of(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("data: {part}\n\n")).collect()
}

fn chunk(json: &str, content: bool) -> StreamEvent {
    StreamEvent::Chunk { frame: sse::frame(json.as_bytes()), content, text: None }
}

/// C4, D5: usage is told once and apart from the chunks, whatever the chunking.
#[test]
fn c4_d5_a_stream_is_told_in_order() {
    let text = stream_of(&[ROLE, TEXT, STOP, USAGE, "[DONE]"]);
    let usage = Usage { prompt_tokens: 3, completion_tokens: 2, ..Usage::default() };
    let expected = [
        chunk(ROLE, false),
        chunk(TEXT, true),
        chunk(STOP, true),
        StreamEvent::Usage { usage, chunk: Bytes::from(USAGE) },
        StreamEvent::Done,
    ];
    for step in [1, 7, text.len()] {
        assert_eq!(decode(&text, step, false), expected, "{step} bytes at a time");
    }
}

/// D2: an error event and an early end are errors, and nothing follows them.
#[test]
fn d2_errors_and_cuts_are_told() {
    let text = stream_of(&[TEXT, r#"{"error":{"message":"overloaded"}}"#, TEXT]);
    let events = decode(&text, text.len(), false);
    assert!(matches!(&events[1], StreamEvent::Error(error) if error.message == "overloaded"), "{events:?}");
    assert_eq!(events.len(), 2);
    for odd in ["[]", "7", "{"] {
        let malformed = decode(&stream_of(&[odd, TEXT]), 5, false);
        assert!(matches!(&malformed[..], [StreamEvent::Error(_)]), "{odd}: {malformed:?}");
    }
    let cut = decode(&stream_of(&[TEXT]), 5, false);
    assert!(matches!(&cut[1], StreamEvent::Error(error) if error.code.as_deref() == Some("stream_cut")));
    let no_done = decode(&stream_of(&[TEXT, STOP]), 5, false);
    assert_eq!(no_done.last(), Some(&StreamEvent::Done));
}

/// D2: an end without `[DONE]` is complete only if every choice has finished, and a broken connection never is.
#[test]
fn d2_every_choice_must_finish() {
    let second = r#"{"id":"c","choices":[{"index":1,"delta":{"content":"x"}}]}"#;
    let second_stop = r#"{"id":"c","choices":[{"index":1.0,"delta":{},"finish_reason":"stop"}]}"#;
    let is_cut = |event: Option<&StreamEvent>| matches!(event, Some(StreamEvent::Error(error)) if error.code.as_deref() == Some("stream_cut"));
    for (parts, complete) in [
        (vec![TEXT, second, STOP], false),
        (vec![TEXT, second, STOP, second_stop], true),
        (vec![TEXT, STOP, TEXT], true),
        (vec![STOP, second], false),
        (vec![USAGE], false),
        (vec![], false),
    ] {
        let text = stream_of(&parts);
        let ended = decode(&text, 16, false);
        assert_eq!(ended.last() == Some(&StreamEvent::Done), complete, "{parts:?}");
        assert_eq!(is_cut(ended.last()), !complete, "{parts:?}");
        let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
        stream.push(Bytes::from(text), &mut out);
        stream.broken(&mut out);
        assert!(is_cut(out.last()), "{parts:?}");
    }
    let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
    stream.push(Bytes::from(stream_of(&[TEXT, STOP, USAGE])), &mut out);
    stream.broken(&mut out);
    assert!(matches!(out[2], StreamEvent::Usage { .. }) && is_cut(out.get(3)), "B7: it is billed: {out:?}");
    let whole = stream_of(&[TEXT, "[DONE]"]);
    let (mut stream, mut out) = (ChatStream::new(false), Vec::new());
    stream.push(Bytes::from(whole), &mut out);
    stream.broken(&mut out);
    assert_eq!(out.last(), Some(&StreamEvent::Done));
}

/// C4: usage that cannot be read is none, and breaks no stream.
#[test]
fn c4_usage_that_cannot_be_read_is_none() {
    for (usage, expected) in [
        (r#"{"prompt_tokens":12.0,"completion_tokens":null}"#, Some(12)),
        (r#"{"prompt_tokens":"12"}"#, None),
        ("[]", None),
        (r#""none""#, None),
    ] {
        let told = format!(r#"{{"id":"c","choices":[],"usage":{usage}}}"#);
        let beside = format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{usage}}}"#);
        for part in [&told, &beside] {
            let events = decode(&stream_of(&[TEXT, part, STOP, "[DONE]"]), 64, false);
            let counted = events.iter().find_map(|event| match event {
                StreamEvent::Usage { usage, .. } => Some(usage.prompt_tokens),
                _ => None,
            });
            assert_eq!((counted, events.last()), (expected, Some(&StreamEvent::Done)), "{part}");
            let shown = |event: &StreamEvent| matches!(event, StreamEvent::Chunk { frame, .. } if memchr::memmem::find(frame, b"usage").is_some());
            assert!(!events.iter().any(shown), "{events:?}");
        }
    }
}

/// C3: the tier that any chunk tells is the usage's.
#[test]
fn c3_a_stream_tells_its_service_tier() {
    let tiered = r#"{"id":"c","service_tier":"priority","choices":[{"delta":{"content":"x"}}]}"#;
    let events = decode(&stream_of(&[tiered, STOP, USAGE, "[DONE]"]), 9, false);
    let usage = events.iter().find_map(|event| match event {
        StreamEvent::Usage { usage, .. } => Some(usage.service_tier),
        _ => None,
    });
    assert_eq!(usage, Some(ServiceTier::Priority));
}

#[test]
fn usage_beside_content_is_told_apart() {
    let both = r#"{"id":"c","choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let events = decode(&stream_of(&[both, "[DONE]"]), 9, false);
    assert_eq!(events[0], chunk(r#"{"id":"c","choices":[{"delta":{"content":"x"}}]}"#, true));
    assert!(matches!(&events[1], StreamEvent::Usage { chunk, .. } if chunk.starts_with(br#"{"id":"c","choices":[],"#)));
}

/// I5: strict streams lose reasoning and never gain it as content.
#[test]
fn i5_reasoning_stays_or_goes_but_is_never_content() {
    let text = stream_of(&[r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, STOP, "[DONE]"]);
    assert_eq!(decode(&text, 64, false)[0], chunk(r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, true));
    assert_eq!(decode(&text, 64, true)[0], chunk(r#"{"choices":[{"delta":{}}]}"#, true));
}

#[test]
fn a_surrogate_pair_split_over_two_events_is_joined() {
    let text = stream_of(&[
        r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#,
        r#"{"choices":[{"delta":{"content":"\ude00b"}}]}"#,
        STOP,
        "[DONE]",
    ]);
    let mut content = String::new();
    for event in decode(&text, 11, false) {
        if let StreamEvent::Chunk { frame, .. } = event {
            let json: Value = serde_json::from_slice(&frame[6..]).unwrap();
            content.push_str(json["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
    }
    assert_eq!(content, "a😀b");
}

/// sse-finish-reason: an empty finish reason is none, in whatever chunk it stands: no content, no end, and null for the
/// client.
#[test]
fn d1_d2_an_empty_finish_reason_is_none() {
    let role = r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":""}]}"#;
    let text = r#"{"choices":[{"delta":{"content":"I"},"finish_reason": "" ,"x":1.50}]}"#;
    let events = decode(&stream_of(&[role, text]), 5, false);
    let told =
        |json: &str| json.replace(r#""finish_reason":"""#, r#""finish_reason":null"#).replace(r#": "" ,"#, ": null ,");
    assert_eq!(events[..2], [chunk(&told(role), false), chunk(&told(text), true)]);
    assert!(
        matches!(&events[2], StreamEvent::Error(error) if error.code.as_deref() == Some("stream_cut")),
        "{events:?}"
    );
    let (mut stream, mut out) = (ChatStream::new(false).of(1), Vec::new());
    stream.push(Bytes::from(stream_of(&[role, text])), &mut out);
    assert!(!stream.is_complete());
    stream.push(Bytes::from(stream_of(&[STOP, role])), &mut out);
    assert!(stream.is_complete(), "what comes after the end opens it no more");
}

/// sse-end: a stream is complete once all choices that were asked for have finished.
#[test]
fn a_stream_is_complete_when_all_choices_have_finished() {
    let (mut stream, mut out) = (ChatStream::new(false).of(2), Vec::new());
    stream.push(Bytes::from(stream_of(&[TEXT, STOP])), &mut out);
    assert!(!stream.is_complete(), "the second may come yet");
    stream
        .push(Bytes::from(stream_of(&[r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#])), &mut out);
    assert!(stream.is_complete());
}

/// M-10, I2: where tools were called, the end is `tool_calls`, whatever the chunking and the vendor's word.
#[test]
fn i2_calls_end_with_tool_calls() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let with_stop = call.replace("}]}}]}", r#"}]},"finish_reason":"stop"}]}"#);
    let reason = |parts: &[&str]| {
        let events = decode(&stream_of(parts), 7, false);
        let chunks = events.iter().filter_map(|event| match event {
            StreamEvent::Chunk { frame, .. } => serde_json::from_slice::<Value>(&frame[6..]).ok(),
            _ => None,
        });
        let reasons: Vec<Value> = chunks.map(|chunk| chunk["choices"][0]["finish_reason"].clone()).collect();
        reasons.into_iter().rfind(|reason| !reason.is_null())
    };
    let ended = |word: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{word}"}}]}}"#);
    for word in ["stop", "STOP", "eos", "tool_calls"] {
        assert_eq!(reason(&[call, &ended(word), "[DONE]"]), Some("tool_calls".into()), "{word}");
    }
    assert_eq!(reason(&[&with_stop, "[DONE]"]), Some("tool_calls".into()));
    assert_eq!(reason(&[call, &ended("length"), "[DONE]"]), Some("length".into()));
    assert_eq!(reason(&[TEXT, STOP, "[DONE]"]), Some("stop".into()));
    let other = ended("stop").replace(r#""index":0"#, r#""index":1"#);
    assert_eq!(reason(&[call, &other]), Some("stop".into()), "another choice called nothing");
}

/// I3: parallel calls have numbers of their own, whatever numbers the vendor gives.
#[test]
fn i3_parallel_calls_are_numbered() {
    let part = |call: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#);
    let joined = |calls: &[&str]| {
        let parts: Vec<String> = calls.iter().map(|call| part(call)).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut joined: BTreeMap<u64, (String, String)> = BTreeMap::new();
        for event in decode(&stream_of(&parts), 11, false) {
            let StreamEvent::Chunk { frame, .. } = event else { continue };
            let chunk: Value = serde_json::from_slice(&frame[6..]).unwrap();
            for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().unwrap() {
                let known = joined.entry(call["index"].as_u64().unwrap()).or_default();
                known.0 += call["id"].as_str().unwrap_or_default();
                known.1 += call["function"]["arguments"].as_str().unwrap_or_default();
            }
        }
        joined.into_iter().map(|(index, (id, arguments))| format!("{index} {id} {arguments}")).collect::<Vec<_>>()
    };
    let right = ["0 a {\"x\":1}", "1 b {\"y\":2}"];
    let well = [
        r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#,
        r#"{"index":0,"function":{"arguments":"1}"}}"#,
        r#"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}"#,
    ];
    assert_eq!(joined(&well), right);
    let all_zero = well.map(|call| call.replace(r#""index":1"#, r#""index":0"#));
    assert_eq!(joined(&all_zero.each_ref().map(String::as_str)), right);
    let without = well.map(|call| call.replace(r#""index":1,"#, "").replace(r#""index":0,"#, ""));
    assert_eq!(joined(&without.each_ref().map(String::as_str)), right);
    let null =
        well.map(|call| call.replace(r#""index":1"#, r#""index":null"#).replace(r#""index":0"#, r#""index":null"#));
    assert_eq!(joined(&null.each_ref().map(String::as_str)), right);
    let at_once = [all_zero[0].replace(r#"\"x\":"#, r#"\"x\":1}"#) + "," + &all_zero[2]];
    assert_eq!(joined(&at_once.each_ref().map(String::as_str)), right);
    let from_one =
        well.map(|call| call.replace(r#""index":1"#, r#""index":2"#).replace(r#""index":0"#, r#""index":1"#));
    assert_eq!(joined(&from_one.each_ref().map(String::as_str)).len(), 2, "numbers that tell calls apart stay");
}

/// other-framing: one whole answer in the place of a stream, framed or not, is told as a stream; an error is one.
#[test]
fn a_whole_answer_is_told_as_a_stream() {
    let whole = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"good"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}}"#;
    for text in [whole.to_owned(), format!("\u{feff}{whole}\n"), stream_of(&[whole, "[DONE]"]), stream_of(&[whole])] {
        let events = decode(&text, 13, false);
        let usage =
            events.iter().filter(|event| matches!(event, StreamEvent::Usage { usage, .. } if usage.prompt_tokens == 9));
        assert_eq!((usage.count(), events.last()), (1, Some(&StreamEvent::Done)), "{text}: {events:?}");
        assert!(
            matches!(&events[0], StreamEvent::Chunk { frame, content: true, .. } if memchr::memmem::find(frame, b"good").is_some())
        );
    }
    for error in
        [r#"{"error":{"message":"xyzzy"}}"#, r#"{"error":"xyzzy"}"#, "{\n \"error\": {\n \"message\": \"xyzzy\"}}\n"]
    {
        for text in [error.to_owned(), stream_of(&[TEXT]) + error, stream_of(&[TEXT]) + error + "\n\ndata: [DONE]\n\n"]
        {
            let events = decode(&text, 13, false);
            assert!(
                matches!(events.last(), Some(StreamEvent::Error(error)) if error.message == "xyzzy"),
                "{text}: {events:?}"
            );
        }
    }
}

/// C4: counts that stand in a choice (Moonshot) or in `x_groq` are read and told as the others are.
#[test]
fn c4_usage_is_read_wherever_it_stands() {
    let usage = r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#;
    for chunk in [
        format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop","usage":{usage}}}]}}"#),
        format!(
            r#"{{"id":"c","choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"x_groq":{{"usage":{usage}}}}}"#
        ),
    ] {
        let mut out = Vec::new();
        ChatStream::new(false).push(Bytes::from(format!("data: {chunk}\n\ndata: [DONE]\n\n")), &mut out);
        let told = format!(r#"{{"id":"c","choices":[],"usage":{usage}}}"#);
        assert!(
            matches!(&out[1], StreamEvent::Usage { usage, chunk } if usage.total_tokens() == 7 && *chunk == told),
            "{out:?}"
        );
    }
}

/// A client that asks for usage on each chunk gets it there.
#[test]
fn usage_of_each_chunk_is_shown_to_who_wants_it() {
    let chunk =
        r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    for (shows, count) in [(true, 1), (false, 0)] {
        let mut out = Vec::new();
        ChatStream::new(false).showing_usage(shows).push(Bytes::from(format!("data: {chunk}\n\n")), &mut out);
        let shown = |event: &&StreamEvent| matches!(event, StreamEvent::Chunk { frame, .. } if memchr::memmem::find(frame, b"usage").is_some());
        assert_eq!(out.iter().filter(shown).count(), count);
    }
}
