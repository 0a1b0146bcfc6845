//! Questions that tell the fake models what to say, as what, and where to cut it; and what clients are told then.

use serde_json::{Value, json};

use crate::harness::bodies::scene::{Part, Scene, Upstream};
use crate::harness::client::Event;
use crate::harness::clients::{CLIENTS, Client};
use crate::harness::{Gateway, Reply, Request};

/// A question to the model `script`: what it is to say, and the characters before which it is to cut that.
pub fn say(text: &str, cuts: &[usize]) -> String {
    json!({ "say": text, "cuts": cuts }).to_string()
}

/// The same in writes of so many bytes, as a `text`, `thought`, `refusal` or `call`.
pub fn say_as(kind: &str, text: &str, cuts: &[usize], bytes: usize) -> String {
    json!({ "say": text, "as": kind, "cuts": cuts, "bytes": bytes }).to_string()
}

/// What such a question is answered with.
pub fn reply(upstream: Upstream, body: &Value, question: &str) -> Reply {
    let script: Value = serde_json::from_str(question).unwrap();
    let text = String::leak(script["say"].as_str().unwrap().to_owned());
    let part = match script["as"].as_str() {
        Some("thought") => Part::Thinking(text),
        Some("refusal") => Part::Refusal(text),
        Some("call") => Part::Call { id: "call_1", name: "get_weather".to_owned(), arguments: json!({ "city": text }) },
        _ => Part::Text(text),
    };
    let cuts = script["cuts"].as_array().unwrap().iter().map(|cut| usize::try_from(cut.as_u64().unwrap()).unwrap());
    let reply = upstream.reply(&Scene { cuts: cuts.collect(), ..Scene::of([part]) }, body);
    match script["bytes"].as_u64() {
        Some(bytes) => reply.in_writes_of(usize::try_from(bytes).unwrap()),
        None => reply,
    }
}

/// Every client format before an upstream of its own format, and before one of another.
pub fn ways() -> impl Iterator<Item = (&'static Client, &'static str)> {
    CLIENTS.iter().flat_map(|client| client.upstreams.iter().map(move |upstream| (client, *upstream)))
}

/// The text that a client is told, whole or streamed, and every other text that it gets.
pub async fn told(gateway: &Gateway, client: &Client, request: Request, stream: bool) -> (String, Vec<String>) {
    let mut texts = Vec::new();
    if !stream {
        let answer = gateway.ask(request).await.expect(200).json();
        texts_of(&answer, "", &mut texts);
        return ((client.said)(&answer).0, texts);
    }
    let events = gateway.stream(request).await.rest().await.0;
    assert_eq!(client.failures(&events), 0, "{}: {events:?}", client.path);
    for event in &events {
        if let Event::Data(data) = event {
            texts_of(data, "", &mut texts);
        }
    }
    (client.text(&events), texts)
}

/// Fields with ids, which may have any digits.
const IDS: [&str; 9] = [
    "call_id",
    "id",
    "item_id",
    "obfuscation",
    "request_id",
    "response_id",
    "system_fingerprint",
    "tool_call_id",
    "tool_use_id",
];

/// All texts of a value but ids, and the names of its fields.
pub fn texts_of(value: &Value, name: &str, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if !IDS.contains(&name) => {
            texts.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, name, texts)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            texts.push(name.clone());
            texts_of(value, name, texts);
        }),
        _ => {}
    }
}

/// Looks for every part of four characters of each value.
#[track_caller]
pub fn assert_no_part(what: &str, text: &str, values: &[&str]) {
    for value in values {
        let characters: Vec<char> = value.chars().collect();
        for part in characters.windows(4) {
            let part: String = part.iter().collect();
            assert!(!text.contains(&part), "{what} shows '{part}' of '{value}': {text}");
        }
    }
}
