//! Citations of web pages, which OpenAI's format has as annotations of the message.

use serde_json::{Value, json};

/// OpenAI's annotation for a citation of the text between two places, in characters; `None` where it cites no URL.
pub(super) fn annotation(citation: &Value, start: usize, end: usize) -> Option<Value> {
    let url = citation.get("url")?.as_str()?;
    let title = citation.get("title").and_then(Value::as_str).unwrap_or(url);
    let cited = json!({"start_index": start, "end_index": end, "url": url, "title": title});
    Some(json!({"type": "url_citation", "url_citation": cited}))
}
