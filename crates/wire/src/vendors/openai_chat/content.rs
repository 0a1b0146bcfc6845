//! Content parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Shape;
use crate::BadRequest;
use crate::clients::chat::object::Object;
use crate::common::{Block, BlockKind, Family, JsonText, Media, MediaSource};

/// The part for a block of a user's turn; none for one that says nothing here.
pub(super) fn part(block: &Block, shape: Shape<'_>) -> Result<Option<String>, BadRequest> {
    let mut part = match &block.kind {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => text_part(text),
        BlockKind::Image(media, detail) => image(media, detail.as_deref())?,
        BlockKind::File(media) => file(media, shape)?,
        BlockKind::Audio(media) => audio(media)?,
        BlockKind::Hosted { raw, .. } => text_part(&search_result(raw)?),
        BlockKind::Compaction(_) => {
            return Err(refused("This provider cannot read a compacted conversation: send its items instead."));
        }
        _ => return Ok(None),
    };
    if block.cache.is_some() && shape.has_extensions() {
        part.set("cache_control", cache_control(block.cache));
    }
    Ok(Some(part.end()))
}

/// Anthropic's mark, as compatible vendors take it.
pub(super) fn cache_control(mark: Option<crate::common::CacheMark>) -> Value {
    match mark {
        Some(crate::common::CacheMark::OneHour) => json!({"type": "ephemeral", "ttl": "1h"}),
        _ => json!({"type": "ephemeral"}),
    }
}

pub(super) fn text_part(text: &str) -> Object {
    let mut part = Object::default();
    part.set("type", "text");
    part.set("text", text);
    part
}

fn refused(message: &str) -> BadRequest {
    BadRequest::new("messages", message)
}

fn image(media: &Media, detail: Option<&str>) -> Result<Object, BadRequest> {
    let url = match &media.source {
        MediaSource::Inline { mime, base64 } => format!("data:{mime};base64,{base64}"),
        MediaSource::Url(url) => url.clone(),
        MediaSource::FileId(..) | MediaSource::Text(_) => {
            return Err(refused("This provider takes images as data or by URL, not by a file's id."));
        }
    };
    let mut image = Object::default();
    image.set("url", url);
    image.set_some("detail", detail);
    let mut part = Object::default();
    part.set("type", "image_url");
    part.raw("image_url", &image.end());
    Ok(part)
}

fn audio(media: &Media) -> Result<Object, BadRequest> {
    let MediaSource::Inline { mime, base64 } = &media.source else {
        return Err(refused("This provider takes sound as data."));
    };
    let mut part = Object::default();
    part.set("type", "input_audio");
    let format = mime.strip_prefix("audio/").unwrap_or(mime);
    part.set("input_audio", json!({"data": base64, "format": format}));
    Ok(part)
}

fn file(media: &Media, shape: Shape<'_>) -> Result<Object, BadRequest> {
    let mut file = Object::default();
    file.set_some("filename", media.name.as_ref());
    match &media.source {
        MediaSource::Inline { mime, base64 } => {
            if media.name.is_none() && !shape.is_chat {
                file.set("filename", if mime == "application/pdf" { "document.pdf" } else { "document" });
            }
            file.set("file_data", format!("data:{mime};base64,{base64}"));
        }
        // Few vendors take files, and all take text.
        MediaSource::Text(text) if !shape.is_chat => return Ok(text_part(&document(media, text))),
        MediaSource::Text(text) => {
            file.set("file_data", format!("data:text/plain;base64,{}", STANDARD.encode(text)));
        }
        MediaSource::Url(url) if shape.is_chat => file.set("file_data", url),
        MediaSource::Url(_) => {
            return Err(refused("This provider takes files as data: send the file itself and not its URL."));
        }
        MediaSource::FileId(id, Family::Other | Family::OpenAi) => file.set("file_id", id),
        MediaSource::FileId(..) => return Err(refused("This provider does not have the file of that id.")),
    }
    let mut part = Object::default();
    part.set("type", "file");
    part.raw("file", &file.end());
    Ok(part)
}

/// A document of plain text, its title and context before it.
fn document(media: &Media, text: &str) -> String {
    let lines = [media.name.as_deref(), media.context.as_deref(), Some(text)];
    lines.into_iter().flatten().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// A search result that the client gives, in words; other blocks that one family alone knows cannot be told.
pub(super) fn search_result(raw: &JsonText) -> Result<String, BadRequest> {
    let raw = raw.value();
    let word = |name: &str| raw.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = word("type");
    let parts = raw.get("content").or_else(|| raw.get("source").and_then(|source| source.get("content")));
    let texts = parts.and_then(Value::as_array).map(|parts| parts.iter().filter_map(|part| part["text"].as_str()));
    match (kind, texts) {
        ("search_result" | "document", Some(texts)) => {
            let lines = [word("title"), word("source")].into_iter().chain(texts);
            Ok(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
        }
        _ => Err(refused(&format!("This provider cannot read a content block of the type '{kind}'."))),
    }
}

/// What a medium is called in words.
pub(super) fn noun(kind: &BlockKind) -> Option<&'static str> {
    match kind {
        BlockKind::Image(..) => Some("Image"),
        BlockKind::File(_) => Some("File"),
        BlockKind::Audio(_) => Some("Sound"),
        _ => None,
    }
}
