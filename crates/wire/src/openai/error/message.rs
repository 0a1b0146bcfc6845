//! The words of an error, wherever its vendor puts them.

use serde_json::{Map, Value};

/// Where a message stands, the better place first.
const PLACES: [&str; 13] = [
    "message",
    "msg",
    "error_message",
    "error_msg",
    "Message",
    "detail",
    "details",
    "error_description",
    "description",
    "errors",
    "error",
    "title",
    "reason",
];

/// How deep a message may lie.
const MAX_DEPTH: u8 = 4;

/// The best message in an error of any shape.
pub(super) fn message_of(value: &Value) -> Option<String> {
    find(value, MAX_DEPTH).filter(|text| !text.is_empty())
}

fn find(value: &Value, depth: u8) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ if depth == 0 => None,
        Value::Object(object) => {
            let text = PLACES.iter().find_map(|place| find(object.get(*place)?, depth - 1))?;
            Some(match place_of(object) {
                Some(place) => format!("{place}: {text}"),
                None => text,
            })
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().filter_map(|item| find(item, depth - 1)).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        }
        _ => None,
    }
}

/// The path of the field that a validator complains about (`loc`).
fn place_of(object: &Map<String, Value>) -> Option<String> {
    let parts = object.get("loc")?.as_array()?.iter().map(|part| match part {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("."))
}

/// What a page of markup says, or nothing; none where the text is no markup.
pub(super) fn page(text: &[u8]) -> Option<String> {
    if !text.trim_ascii_start().starts_with(b"<") {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    let said = ["title", "Message", "message", "h1"].iter().find_map(|tag| within(&text, tag));
    Some(said.unwrap_or_default())
}

fn within(text: &str, tag: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (inner, _) = rest.split_once(&format!("</{tag}>"))?;
    let words: Vec<&str> = inner.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}
