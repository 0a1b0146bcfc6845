//! Content parts: text, images and documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::BadRequest;

/// Anthropic's blocks for a message's content, a text or an array of parts.
pub(super) fn blocks(content: &Value, path: &str, dropped: &mut Vec<String>) -> Result<Vec<Value>, BadRequest> {
    let blocks = match content {
        Value::Null => Vec::new(),
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(parts) => {
            let mut block = |(at, part): (usize, &Value)| block(part, &format!("{path}[{at}]"), dropped);
            parts.iter().enumerate().map(&mut block).collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(BadRequest::new(path, "Content must be a text or an array of parts.")),
    };
    // Anthropic refuses texts of nothing but white space.
    let says =
        |block: &Value| block["type"] != "text" || block["text"].as_str().is_some_and(|text| !text.trim().is_empty());
    Ok(blocks.into_iter().filter(says).collect())
}

/// The same for system messages, which take text only.
pub(super) fn texts(content: &Value, path: &str, dropped: &mut Vec<String>) -> Result<Vec<Value>, BadRequest> {
    let blocks = blocks(content, path, dropped)?;
    if blocks.iter().any(|block| block["type"] != "text") {
        return Err(BadRequest::new(path, "A system message can only hold text."));
    }
    Ok(blocks)
}

/// Names a lost field, once.
pub(super) fn note(dropped: &mut Vec<String>, name: &str) {
    if !dropped.iter().any(|dropped| dropped == name) {
        dropped.push(name.to_owned());
    }
}

fn block(part: &Value, path: &str, dropped: &mut Vec<String>) -> Result<Value, BadRequest> {
    let text = |name: &str| match part.get(name) {
        Some(Value::String(text)) => Ok(json!({"type": "text", "text": text})),
        _ => Err(BadRequest::new(format!("{path}.{name}"), "A text part must hold a text.")),
    };
    let mut block = match part.get("type").and_then(Value::as_str) {
        Some("text") => text("text")?,
        Some("refusal") => text("refusal")?,
        Some("image_url") => {
            let image = part.get("image_url").unwrap_or(&Value::Null);
            if image.get("detail").is_some_and(|detail| detail != "auto" && !detail.is_null()) {
                note(dropped, "image_url.detail");
            }
            json!({"type": "image", "source": image_source(image, &format!("{path}.image_url.url"))?})
        }
        Some("file") => document(part.get("file").unwrap_or(&Value::Null), &format!("{path}.file.file_data"))?,
        Some("input_audio") => {
            let message = "Anthropic takes no audio: leave the part out or choose another provider.";
            return Err(BadRequest::new(path, message));
        }
        // Anthropic's own blocks pass as they are.
        Some(
            "image" | "document" | "thinking" | "redacted_thinking" | "tool_use" | "tool_result" | "search_result",
        ) => return Ok(part.clone()),
        _ => return Err(BadRequest::new(format!("{path}.type"), "A part must be text, image_url or file.")),
    };
    for name in ["cache_control", "citations"] {
        if let Some(value) = part.get(name).filter(|value| !value.is_null()) {
            block[name] = value.clone();
        }
    }
    Ok(block)
}

fn image_source(image: &Value, path: &str) -> Result<Value, BadRequest> {
    let url = image.get("url").unwrap_or(image).as_str();
    let url = url.ok_or_else(|| BadRequest::new(path, "An image needs a URL."))?;
    match data_url(url, path)? {
        Some((media_type, data)) => Ok(json!({"type": "base64", "media_type": media_type, "data": data})),
        None => Ok(json!({"type": "url", "url": url})),
    }
}

/// A file as a document: PDF as it is, plain text decoded.
fn document(file: &Value, path: &str) -> Result<Value, BadRequest> {
    let refused = || {
        let message = "Anthropic takes files as data of PDF or text: 'file_data' must be a data: URL of one.";
        BadRequest::new(path, message)
    };
    let data = file.get("file_data").and_then(Value::as_str).ok_or_else(refused)?;
    let source = match data_url(data, path)? {
        Some(("application/pdf", data)) => json!({"type": "base64", "media_type": "application/pdf", "data": data}),
        Some((media_type, data)) if media_type.starts_with("text/") => {
            let text = STANDARD.decode(data).ok().and_then(|text| String::from_utf8(text).ok()).ok_or_else(refused)?;
            json!({"type": "text", "media_type": "text/plain", "data": text})
        }
        Some(_) => return Err(refused()),
        None if data.starts_with("https://") || data.starts_with("http://") => json!({"type": "url", "url": data}),
        // "%PDF-" in base64: some clients leave the URL's head out.
        None if data.starts_with("JVBERi") => {
            json!({"type": "base64", "media_type": "application/pdf", "data": data})
        }
        None => return Err(refused()),
    };
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = file.get("filename").filter(|name| name.is_string()) {
        block["title"] = name.clone();
    }
    Ok(block)
}

/// The media type and base64 data of a `data:` URL; `None` for any other.
fn data_url<'a>(url: &'a str, path: &str) -> Result<Option<(&'a str, &'a str)>, BadRequest> {
    let Some(rest) = url.strip_prefix("data:") else { return Ok(None) };
    let parts = rest.split_once(";base64,").map(|(head, data)| (head.split(';').next().unwrap_or_default(), data));
    match parts {
        Some((media_type, _)) if !media_type.is_empty() => Ok(parts),
        _ => Err(BadRequest::new(path, "A data: URL must be 'data:TYPE;base64,DATA'.")),
    }
}
