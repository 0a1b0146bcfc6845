//! Pictures, sound and files: what guardrails of texts cannot look at.

use serde_json::{Map, Value};

use super::body::RequestTexts;

/// Fields of a request in which some may stand.
const FIELDS: [&str; 5] = ["documents", "input", "messages", "query", "system"];

/// Types of parts and items that are some.
const TYPES: [&str; 13] = [
    "audio",
    "computer_screenshot",
    "container_upload",
    "file",
    "image",
    "image_file",
    "image_generation_call",
    "image_url",
    "input_audio",
    "input_file",
    "input_image",
    "video",
    "video_url",
];

/// Fields of parts that hold some, whatever the type.
const HOLDERS: [&str; 10] =
    ["audio", "file_data", "file_id", "file_url", "image", "image_url", "images", "input_audio", "video", "video_url"];

/// Fields with a client's own data, whose names mean nothing to the API.
const DATA: [&str; 2] = ["arguments", "metadata"];

/// How many there are in a request. A field that cannot be read has none: whoever looks at its texts refuses it.
pub(super) fn count(texts: &RequestTexts) -> u32 {
    let read = |name: &str| texts.body.read::<Value>(name).ok().flatten();
    let of_body = FIELDS.iter().filter_map(|name| read(name)).map(|value| of(&value)).sum::<u32>();
    let of_params = FIELDS.iter().filter_map(|name| texts.params.get(*name)).map(of).sum::<u32>();
    of_body + of_params
}

fn of(value: &Value) -> u32 {
    match value {
        Value::Array(items) => items.iter().map(of).sum(),
        Value::Object(fields) if is_media(fields) => 1,
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| !is_data(name, fields)).map(|(_, value)| of(value)).sum()
        }
        _ => 0,
    }
}

fn is_media(fields: &Map<String, Value>) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let kind = fields.get("type").and_then(text).unwrap_or_default();
    // What a document says is a text, or blocks of some.
    let is_read = |source: &Value| matches!(source.get("type").and_then(Value::as_str), Some("text" | "content"));
    TYPES.contains(&kind.as_str())
        || kind == "document" && !fields.get("source").is_some_and(is_read)
        || HOLDERS.iter().any(|name| fields.get(*name).is_some_and(holds))
}

fn holds(value: &Value) -> bool {
    value.is_string() || value.is_object() || value.as_array().is_some_and(|items| !items.is_empty())
}

/// Whether a field is of a client's own making; the input of a call is.
fn is_data(name: &str, fields: &Map<String, Value>) -> bool {
    let is_call = || fields.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("tool_use"));
    DATA.contains(&name) || name == "input" && is_call()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_text_is_counted() {
        let part = |part: Value| json!([{"role": "user", "content": [{"type": "text", "text": "hi"}, part]}]);
        for media in [
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}),
            json!({"type": "input_image", "image_url": "https://example.com/a.png"}),
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}),
            json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
            json!({"type": "file", "file": {"file_id": "file-1"}}),
            json!({"type": "input_file", "file_data": "data:application/pdf;base64,AA=="}),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}),
            json!({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {}}]}}),
            json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {}}]}),
            json!({"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "data:"}}),
            json!({"image": "data:image/png;base64,AA=="}),
            json!({"images": ["AA=="]}),
        ] {
            assert_eq!(of(&part(media.clone())), 1, "{media}");
        }
        for text in [
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}),
            json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "hi"}]}}),
            json!({"type": "tool_use", "id": "t", "name": "f", "input": {"type": "image", "image_url": "x"}}),
            json!({"type": "tool_result", "tool_use_id": "t", "content": "an image"}),
            json!({"type": "text", "text": "file", "audio": null, "images": []}),
        ] {
            assert_eq!(of(&part(text.clone())), 0, "{text}");
        }
    }
}
