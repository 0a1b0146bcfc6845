use gateway_wire::json_object::JsonObject;
use gateway_wire::openai::{ChatStream, read_answer};
use gateway_wire::{StreamDecoder, StreamEvent};

use super::*;

fn ask(model: &str, body: &str, stream: bool) -> SimulatedAnswer {
    answer(&JsonObject::parse(Bytes::from(body.to_owned())).unwrap(), model, stream, "chatcmpl-1", 1)
}

fn json_of(simulated: &SimulatedAnswer) -> serde_json::Value {
    match &simulated.body {
        SimulatedBody::Whole { bytes, .. } => serde_json::from_slice(bytes).unwrap(),
        SimulatedBody::Stream { .. } => panic!("a stream"),
    }
}

fn events_of(simulated: SimulatedAnswer) -> Vec<StreamEvent> {
    let SimulatedBody::Stream { events, .. } = simulated.body else { panic!("no stream") };
    let mut decoder = ChatStream::new(false);
    let mut out = Vec::new();
    for (_, bytes) in events {
        decoder.push(bytes, &mut out);
    }
    decoder.finish(&mut out);
    out
}

const HELLO: &str = r#"{"messages":[{"role":"user","content":"Xin chào"}],"stream_options":{"include_usage":true}}"#;

#[test]
fn models_do_what_their_names_say() {
    assert_eq!(json_of(&ask("sim-echo", HELLO, false))["choices"][0]["message"]["content"], "Xin chào");
    assert_eq!(ask("sim-delay-250", HELLO, false).delay, Duration::from_millis(250));
    assert_eq!(ask("sim-status-503", HELLO, true).status, 503);
    assert_eq!(ask("sim-status-429", HELLO, false).headers, [("retry-after", "1".to_owned())]);
    assert_eq!(json_of(&ask("sim-status-429", HELLO, false))["error"]["type"], "rate_limit_error");
    assert_eq!(ask("sim-slow-10001x1", HELLO, true).status, 404);
    assert_eq!(ask("sim-unheard-of", HELLO, false).status, 404);
    assert_eq!(ask("sim-slow-x", HELLO, false).status, 404);
    let reasoning = json_of(&ask("sim-reasoning", HELLO, false));
    assert!(reasoning["choices"][0]["message"]["reasoning_content"].is_string());
}

#[test]
fn whole_answers_are_openais() {
    let SimulatedBody::Whole { bytes, .. } = ask("sim-text", HELLO, false).body else { panic!("a stream") };
    let usage = read_answer(bytes).unwrap().usage.unwrap();
    assert!(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
}

#[test]
fn streams_end_as_their_names_say() {
    let events = events_of(ask("sim-slow-20x1", HELLO, true));
    let content = events.iter().filter(|event| matches!(event, StreamEvent::Chunk { content: true, .. })).count();
    assert_eq!(content, 21, "20 chunks and the finish reason");
    assert!(matches!(events[events.len() - 2], StreamEvent::Usage { .. }));
    assert_eq!(events.last(), Some(&StreamEvent::Done));
    assert!(matches!(events_of(ask("sim-cut", HELLO, true)).last(), Some(StreamEvent::Error(_))));
    let SimulatedBody::Stream { events, ending } = ask("sim-stall", HELLO, true).body else { panic!("no stream") };
    assert_eq!((events.len(), ending), (3, Ending::Stall), "the role and two pieces of text, then silence");
    // Whole: the one says nothing at all, the other half of it.
    assert!(ask("sim-stall", HELLO, false).delay > Duration::from_secs(3_600));
    let SimulatedBody::Whole { bytes, ending } = ask("sim-cut", HELLO, false).body else { panic!("a stream") };
    assert!(ending == Ending::Cut && read_answer(bytes).is_err());
}

/// A stream takes as long as its name says: the waits are before the pieces of text and nowhere else.
#[test]
fn slow_streams_last_as_long_as_named() {
    let SimulatedBody::Stream { events, .. } = ask("sim-slow-20x100", HELLO, true).body else { panic!("no stream") };
    assert_eq!(events.iter().map(|(pause, _)| *pause).sum::<Duration>(), Duration::from_secs(2));
    assert_eq!(events[0].0, Duration::ZERO);
}

fn deltas(model: &str, body: &str) -> Vec<serde_json::Value> {
    let SimulatedBody::Stream { events, .. } = ask(model, body, true).body else { panic!("no stream") };
    let read = |frame: &Bytes| serde_json::from_slice::<serde_json::Value>(&frame[6..]).ok();
    events.iter().filter_map(|(_, frame)| read(frame)).map(|chunk| chunk["choices"][0]["delta"].clone()).collect()
}

#[test]
fn streamed_arguments_and_reasoning_add_up() {
    let body = r#"{"messages":[],"tools":[{"type":"function","function":{"name":"look_up"}}]}"#;
    let tool = deltas("sim-tool", body);
    assert_eq!(tool[1]["tool_calls"][0]["function"]["name"], "look_up");
    let fragments: Vec<&str> =
        tool.iter().filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str()).collect();
    let arguments: serde_json::Value = serde_json::from_str(&fragments.concat()).unwrap();
    assert!(fragments.len() > 2 && arguments["city"].is_string(), "{fragments:?}");
    let whole = json_of(&ask("sim-reasoning", body, false))["choices"][0]["message"].clone();
    for field in ["reasoning_content", "content"] {
        let told: String = deltas("sim-reasoning", body).iter().filter_map(|delta| delta[field].as_str()).collect();
        assert_eq!(told, whole[field].as_str().unwrap());
    }
}

/// Usage is in a stream only where it was asked for, as OpenAI has it.
#[test]
fn usage_is_streamed_on_request() {
    let asked =
        |body: &str| events_of(ask("sim-text", body, true)).iter().any(|e| matches!(e, StreamEvent::Usage { .. }));
    assert!(asked(HELLO) && !asked(r#"{"messages":[]}"#));
}

#[test]
fn half_a_surrogate_pair_is_echoed_as_its_replacement() {
    let body = r#"{"messages":[{"role":"user","content":"a\ud83d"}]}"#;
    assert_eq!(json_of(&ask("sim-echo", body, false))["choices"][0]["message"]["content"], "a\u{fffd}");
}

#[test]
fn embeddings_are_unit_vectors_in_both_encodings() {
    let body = |format: &str| format!(r#"{{"input":["a","b"],"dimensions":10,"encoding_format":"{format}"}}"#);
    let ask =
        |format: &str| json_of(&embeddings(&JsonObject::parse(Bytes::from(body(format))).unwrap(), "sim-embedding"));
    let floats: Vec<f32> = serde_json::from_value(ask("float")["data"][1]["embedding"].clone()).unwrap();
    assert!((floats.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
    let encoded = ask("base64")["data"][1]["embedding"].as_str().unwrap().to_owned();
    let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(encoded, base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes));
}

#[test]
fn embeddings_refuse_what_they_cannot_do() {
    let ask = |body: &'static str| embeddings(&JsonObject::parse(Bytes::from(body)).unwrap(), "sim-embedding");
    for body in [
        "{}",
        r#"{"input":[]}"#,
        r#"{"input":"a","dimensions":0}"#,
        r#"{"input":"a","dimensions":4097}"#,
        r#"{"input":"a","dimensions":"many"}"#,
    ] {
        assert_eq!(ask(body).status, 400, "{body}");
    }
    let vectors = |body| json_of(&ask(body))["data"].as_array().unwrap().len();
    assert_eq!((vectors(r#"{"input":[1,2,3]}"#), vectors(r#"{"input":[[1,2],[3]]}"#)), (1, 2));
    assert_eq!(ask(r#"{"input":"a"}"#), ask(r#"{"input":"a"}"#), "the same text, the same vector");
}
