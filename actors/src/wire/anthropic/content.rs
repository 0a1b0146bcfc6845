//! Content parts: text, images and documents.

use serde_json::{Value, json};

use crate::wire::BadRequest;

/// Anthropic's blocks for a message's content, a text or an array of parts.
pub(super) fn blocks(content: &Value, path: &str) -> Result<Vec<Value>, BadRequest> {
    match content {
        Value::Null => Ok(Vec::new()),
        // Anthropic refuses empty text blocks.
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![json!({"type": "text", "text": text})]),
        Value::Array(parts) => {
            let block = |(at, part): (usize, &Value)| block(part, &format!("{path}[{at}]"));
            let blocks = parts.iter().enumerate().map(block).collect::<Result<Vec<_>, _>>()?;
            Ok(blocks.into_iter().filter(|block| block["type"] != "text" || block["text"] != "").collect())
        }
        _ => Err(BadRequest::new(path, "A message's content must be a text or an array of parts.")),
    }
}

fn block(part: &Value, path: &str) -> Result<Value, BadRequest> {
    let mut block = match part.get("type").and_then(Value::as_str) {
        Some("text") => json!({"type": "text", "text": part.get("text").cloned().unwrap_or_default()}),
        Some("refusal") => json!({"type": "text", "text": part.get("refusal").cloned().unwrap_or_default()}),
        Some("image_url") => {
            let url = part.get("image_url").and_then(|image| image.get("url").unwrap_or(image).as_str());
            let url = url.ok_or_else(|| BadRequest::new(format!("{path}.image_url.url"), "An image needs a URL."))?;
            json!({"type": "image", "source": source(url, &format!("{path}.image_url.url"))?})
        }
        Some("file") => {
            let file = part.get("file").unwrap_or(&Value::Null);
            let Some(data) = file.get("file_data").and_then(Value::as_str) else {
                let message = "Anthropic takes files as data: 'file.file_data' must be a data: URL.";
                return Err(BadRequest::new(format!("{path}.file.file_data"), message));
            };
            let mut block = json!({"type": "document", "source": source(data, &format!("{path}.file.file_data"))?});
            if let Some(name) = file.get("filename") {
                block["title"] = name.clone();
            }
            block
        }
        Some("input_audio") => return Err(BadRequest::new(path, "Anthropic takes no audio.")),
        // Anthropic's own blocks pass as they are.
        Some(
            "image" | "document" | "thinking" | "redacted_thinking" | "tool_use" | "tool_result" | "search_result",
        ) => {
            return Ok(part.clone());
        }
        _ => return Err(BadRequest::new(format!("{path}.type"), "A part must be text, image_url or file.")),
    };
    if let Some(cache) = part.get("cache_control") {
        block["cache_control"] = cache.clone();
    }
    Ok(block)
}

/// A `data:` URL as base64, any other as a URL.
fn source(url: &str, path: &str) -> Result<Value, BadRequest> {
    let Some(data) = url.strip_prefix("data:") else {
        return Ok(json!({"type": "url", "url": url}));
    };
    match data.split_once(";base64,") {
        Some((media_type, data)) if !media_type.is_empty() => {
            Ok(json!({"type": "base64", "media_type": media_type, "data": data}))
        }
        _ => Err(BadRequest::new(path, "A data: URL must be 'data:TYPE;base64,DATA'.")),
    }
}
