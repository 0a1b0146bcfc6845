use bytes::Bytes;
use serde_json::{Value, json};

use super::streams::{CITATIONS, SHORT, TOOLS};
use crate::vendors::anthropic::{NativeStream, native_whole};
use crate::vendors::{NativeDecoder as _, NativeEvent};
use crate::{ErrorBody, Usage};

fn decode(text: &str, cuts: &[usize], model: Option<&str>) -> Vec<NativeEvent> {
    let mut stream = NativeStream::new(model, "req-1");
    let mut out = Vec::new();
    let mut from = 0;
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    for &cut in cuts.iter().chain([&text.len()]) {
        stream.push(bytes.slice(from..cut), &mut out);
        from = cut;
    }
    stream.finish(&mut out);
    out
}

/// What a client gets.
fn frames(events: &[NativeEvent]) -> String {
    let bytes = events.iter().filter_map(|event| match event {
        NativeEvent::Frame { bytes, .. } => Some(bytes.to_vec()),
        _ => None,
    });
    String::from_utf8(bytes.flatten().collect()).unwrap()
}

/// 1.2: a stream passes byte for byte, and what the gateway must know is read in it.
#[test]
fn a_stream_passes_as_it_is() {
    for text in [TOOLS, CITATIONS] {
        assert_eq!(frames(&decode(text, &[], None)), text);
    }
    let events = decode(TOOLS, &[], None);
    let usage = Usage { prompt_tokens: 125, completion_tokens: 40, cached_tokens: 100, ..Usage::default() };
    assert_eq!(events[events.len() - 2..], [NativeEvent::Usage(usage), NativeEvent::Done]);
    let said: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            NativeEvent::Frame { text, .. } => text.as_deref(),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["Hừm…", "Xin ", "chào 😀", "{\"city\":", "\"Hà Nội\"}"]);
    // D1: nothing before the first words is content.
    let content = |event: &NativeEvent| matches!(event, NativeEvent::Frame { content: true, .. });
    assert_eq!(events.iter().position(content), Some(3));
}

#[test]
fn the_model_is_the_clients() {
    let told = frames(&decode(TOOLS, &[], Some("gw/\"best\"")));
    assert_eq!(told, TOOLS.replace("\"claude-x-1\"", "\"gw/\\\"best\\\"\""));
}

/// J2: an event without a name gets it, for clients skip those.
#[test]
fn j2_every_event_has_a_name() {
    let told = frames(&decode(SHORT, &[], None));
    for frame in told.split_terminator("\n\n") {
        let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data = String::from_utf8_lossy(&crate::surrogates::replace_lone(data.as_bytes())).into_owned();
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["type"], name);
    }
}

/// D5: any chunking gives the same events.
#[test]
fn d5_any_chunking_decodes_the_same() {
    for text in [TOOLS, CITATIONS, SHORT] {
        let whole = decode(text, &[], Some("m"));
        for cut in 1..text.len() {
            assert_eq!(decode(text, &[cut], Some("m")), whole, "cut at {cut}");
        }
        let every_byte: Vec<usize> = (1..text.len()).collect();
        assert_eq!(decode(text, &every_byte, Some("m")), whole);
    }
}

/// D2, J3: a cut stream and an error event are failures, told once and billed.
#[test]
fn d2_failures_are_told() {
    let begun = TOOLS.split_once("event: content_block_stop").unwrap().0;
    let events = decode(begun, &[], None);
    assert!(matches!(&events[events.len() - 2..], [NativeEvent::Usage(_), NativeEvent::Error(_)]));
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    let events = decode(&format!("{begun}{error}{TOOLS}"), &[], None);
    assert!(matches!(events.last(), Some(NativeEvent::Error(error)) if error.message == "busy"));
    let mut stream = NativeStream::new(None, "req-1");
    let told = stream.fail(&ErrorBody::new("api_error", "overloaded_error", "busy"));
    let expected = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"},\"request_id\":\"req-1\"}\n\n";
    assert_eq!(told, expected);
    let mut out = Vec::new();
    stream.push(Bytes::from(TOOLS), &mut out);
    stream.finish(&mut out);
    assert_eq!(out, []);
}

/// A stream that the gateway ends early is closed as one that reached its limit.
#[test]
fn a_stream_can_be_cut() {
    let begun = &TOOLS
        [..TOOLS.find("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1").unwrap()];
    let mut stream = NativeStream::new(None, "req-1");
    let mut out = Vec::new();
    stream.push(Bytes::from(begun.to_owned()), &mut out);
    let usage = Usage { prompt_tokens: 125, completion_tokens: 7, cached_tokens: 100, ..Usage::default() };
    let expected = concat!(
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},",
        "\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":100,\"output_tokens\":7}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    assert_eq!(stream.cut(Some(&usage)), expected);
    assert_eq!(stream.cut(None), "");
    let before = out.len();
    stream.push(Bytes::from(&TOOLS[begun.len()..]), &mut out);
    assert_eq!(out.len(), before);
}

/// sse-end, other-framing: a stream without its last event gets it, and a whole message is told as a stream.
#[test]
fn what_lacks_its_framing_gets_it() {
    let last = TOOLS.find("event: message_stop").unwrap();
    assert_eq!(frames(&decode(&TOOLS[..last], &[], None)), TOOLS);
    let whole = r#"{"id":"msg_1","type":"message","model":"m","content":[{"type":"text","text":"good"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":2}}"#;
    let events = decode(whole, &[], Some("best"));
    let told = frames(&events);
    assert!(told.starts_with("event: message_start\n") && told.ends_with("{\"type\":\"message_stop\"}\n\n"), "{told}");
    assert!(told.contains("\"text\":\"good\"") && told.contains("\"model\":\"best\""));
    assert!(matches!(events[events.len() - 2..], [NativeEvent::Usage(_), NativeEvent::Done]));
}

#[test]
fn a_whole_answer_passes_as_it_is() {
    let body =
        Bytes::from_static(br#"{ "model" : "claude-x", "content":[], "usage":{"input_tokens":5,"output_tokens":2}}"#);
    let (told, answer) = native_whole(&body, Some("best")).unwrap();
    assert_eq!(told, r#"{ "model" : "best", "content":[], "usage":{"input_tokens":5,"output_tokens":2}}"#);
    assert_eq!(answer.usage, Some(Usage { prompt_tokens: 5, completion_tokens: 2, ..Usage::default() }));
    assert_eq!(native_whole(&body, None).unwrap().0, body);
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}).to_string();
    assert_eq!(native_whole(&Bytes::from(error), None).unwrap_err().message, "busy");
}
