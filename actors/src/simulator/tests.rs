use super::*;
use crate::wire::json_object::JsonObject;
use crate::wire::openai::{ChatStream, read_answer};
use crate::wire::{StreamDecoder, StreamEvent};

fn ask(model: &str, body: &str, stream: bool) -> Simulated {
    answer(&JsonObject::parse(Bytes::from(body.to_owned())).unwrap(), model, stream, "chatcmpl-1", 1)
}

fn json_of(simulated: &Simulated) -> serde_json::Value {
    match &simulated.body {
        SimulatedBody::Whole { bytes, .. } => serde_json::from_slice(bytes).unwrap(),
        SimulatedBody::Stream { .. } => panic!("a stream"),
    }
}

fn events_of(simulated: Simulated) -> Vec<StreamEvent> {
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
    let SimulatedBody::Stream { ending, .. } = ask("sim-stall", HELLO, true).body else { panic!("no stream") };
    assert_eq!(ending, Ending::Stall);
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
