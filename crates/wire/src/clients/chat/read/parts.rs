//! Content parts: OpenAI's own, and Anthropic's blocks as an extension.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::fields::{self, Fields};
use super::assistant::reasoning_block;
use crate::BadRequest;
use crate::common::{Block, BlockKind, CacheMark, Family, JsonText, Media, MediaSource, ToolResult, ToolUse};

/// The blocks of a content, a text or an array of parts.
pub(super) fn blocks(content: Option<&str>, path: &str) -> Result<Vec<Block>, BadRequest> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = fields::text(content) {
        return Ok(vec![BlockKind::text(text).into()]);
    }
    let parts =
        fields::list(content).ok_or_else(|| BadRequest::new(path, "Content must be a text or an array of parts."))?;
    parts.into_iter().enumerate().map(|(at, part)| block(part, &format!("{path}[{at}]"))).collect()
}

/// The same for system messages, which take text only.
pub(super) fn texts(content: Option<&str>, path: &str) -> Result<Vec<Block>, BadRequest> {
    let mut blocks = blocks(content, path)?;
    blocks.retain(|block| !matches!(&block.kind, BlockKind::Text { text, .. } if text.is_empty()));
    if blocks.iter().any(|block| !matches!(block.kind, BlockKind::Text { .. })) {
        return Err(BadRequest::new(path, "A system message can only hold text."));
    }
    Ok(blocks)
}

/// The cache mark in a `cache_control`.
pub(super) fn cache(fields: &Fields<'_>) -> Option<CacheMark> {
    let control = fields.object("cache_control")?;
    Some(if control.text("ttl").as_deref() == Some("1h") { CacheMark::OneHour } else { CacheMark::FiveMinutes })
}

/// Puts a message's own `cache_control` on its last block that may carry one.
pub(super) fn mark(blocks: &mut [Block], message: &Fields<'_>) {
    let Some(mark) = cache(message) else { return };
    let takes = |block: &&mut Block| !matches!(block.kind, BlockKind::Thinking { .. } | BlockKind::Redacted(_));
    if let Some(block) = blocks.iter_mut().rfind(takes) {
        block.cache = Some(mark);
    }
}

fn block(part: &str, path: &str) -> Result<Block, BadRequest> {
    let fields = Fields::of(part).unwrap_or_default();
    let kind = fields.text("type").unwrap_or_default();
    let text = |name: &str| {
        let missing = || BadRequest::new(format!("{path}.{name}"), "A text part must hold a text.");
        fields.text(name).ok_or_else(missing)
    };
    let kind = match kind.as_str() {
        "text" => BlockKind::text(text("text")?),
        "refusal" => BlockKind::Refusal(text("refusal")?),
        "image_url" => image(&fields, path)?,
        "input_audio" => audio(&fields.object("input_audio").unwrap_or_default(), path)?,
        "file" => file(&fields, path)?,
        "image" | "document" => medium(&kind, &fields, part, path)?,
        "thinking" | "redacted_thinking" => {
            let unsigned = || BadRequest::new(format!("{path}.signature"), "Thinking must have its signature.");
            reasoning_block(&fields).ok_or_else(unsigned)?
        }
        "tool_use" => BlockKind::ToolUse(ToolUse {
            call_id: fields.text("id").unwrap_or_default(),
            name: text("name")?,
            arguments: fields.get("input").unwrap_or("{}").to_owned(),
            ..ToolUse::default()
        }),
        "tool_result" => BlockKind::ToolResult(ToolResult {
            call_id: text("tool_use_id")?,
            blocks: blocks(fields.get("content"), &format!("{path}.content"))?,
            is_error: fields.read("is_error").unwrap_or(false),
            ..ToolResult::default()
        }),
        "search_result" => hosted(part, path)?,
        _ => {
            let message = "A part must be text, image_url, input_audio or file.";
            return Err(BadRequest::new(format!("{path}.type"), message));
        }
    };
    Ok(Block { kind, cache: cache(&fields) })
}

fn hosted(part: &str, path: &str) -> Result<BlockKind, BadRequest> {
    let raw = JsonText::parse(part).map_err(|_| BadRequest::new(path, "A part must be an object."))?;
    Ok(BlockKind::Hosted { raw, family: Family::Anthropic })
}

fn image(part: &Fields<'_>, path: &str) -> Result<BlockKind, BadRequest> {
    let path = format!("{path}.image_url.url");
    let image = part.object("image_url");
    let url = image.as_ref().map_or_else(|| part.text("image_url"), |image| image.text("url"));
    let url = url.ok_or_else(|| BadRequest::new(&path, "An image needs a URL."))?;
    let detail = image.and_then(|image| image.text("detail"));
    Ok(BlockKind::Image(media(&url, &path)?, detail))
}

/// What a URL names: data in it, or an address.
fn media(url: &str, path: &str) -> Result<Media, BadRequest> {
    let source = match data_url(url, path)? {
        Some((mime, base64)) => MediaSource::Inline { mime: mime.to_owned(), base64: base64.to_owned() },
        None => MediaSource::Url(url.to_owned()),
    };
    Ok(Media { source, ..Media::default() })
}

fn audio(audio: &Fields<'_>, path: &str) -> Result<BlockKind, BadRequest> {
    let missing =
        |name: &str| BadRequest::new(format!("{path}.input_audio.{name}"), "Sound needs 'data' and 'format'.");
    let base64 = audio.text("data").ok_or_else(|| missing("data"))?;
    let format = audio.text("format").ok_or_else(|| missing("format"))?;
    let source = MediaSource::Inline { mime: format!("audio/{format}"), base64 };
    Ok(BlockKind::Audio(Media { source, ..Media::default() }))
}

/// A file as a document: PDF and others as they are, plain text decoded.
fn file(part: &Fields<'_>, path: &str) -> Result<BlockKind, BadRequest> {
    let file = part.object("file").unwrap_or_default();
    let path = format!("{path}.file.file_data");
    let refused = || BadRequest::new(&path, "A file needs a 'file_data' that is a data: URL, or a 'file_id'.");
    let source = match (file.text("file_data"), file.text("file_id")) {
        (None, Some(id)) => MediaSource::FileId(id, super::super::FAMILY),
        (None, None) => return Err(refused()),
        (Some(data), _) => match data_url(&data, &path)? {
            Some((mime, base64)) if mime.starts_with("text/") => {
                let bytes = STANDARD.decode(base64).ok();
                MediaSource::Text(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(refused)?)
            }
            Some((mime, base64)) => MediaSource::Inline { mime: mime.to_owned(), base64: base64.to_owned() },
            None if data.starts_with("https://") || data.starts_with("http://") => MediaSource::Url(data),
            // "%PDF-" in base64: some clients leave the URL's head out.
            None if data.starts_with("JVBERi") => {
                MediaSource::Inline { mime: "application/pdf".to_owned(), base64: data }
            }
            None => return Err(refused()),
        },
    };
    Ok(BlockKind::File(Media { source, name: file.text("filename"), context: None, citations: cites(part) }))
}

/// Whether citations of a document are wanted.
fn cites(part: &Fields<'_>) -> bool {
    part.object("citations").and_then(|citations| citations.read("enabled")).unwrap_or(false)
}

/// Anthropic's own picture or document.
fn medium(kind: &str, part: &Fields<'_>, json: &str, path: &str) -> Result<BlockKind, BadRequest> {
    let source = part.object("source").unwrap_or_default();
    let field = |name: &str| {
        let message = format!("The source must have the text '{name}'.");
        source.text(name).ok_or_else(|| BadRequest::new(format!("{path}.source.{name}"), message))
    };
    let source = match source.text("type").as_deref() {
        Some("base64") => MediaSource::Inline { mime: field("media_type")?, base64: field("data")? },
        Some("text") => MediaSource::Text(field("data")?),
        Some("url") => MediaSource::Url(field("url")?),
        Some("file") => MediaSource::FileId(field("file_id")?, Family::Anthropic),
        _ => return hosted(json, path),
    };
    if kind == "image" {
        return Ok(BlockKind::Image(Media { source, ..Media::default() }, None));
    }
    let (name, context) = (part.text("title"), part.text("context"));
    Ok(BlockKind::File(Media { source, name, context, citations: cites(part) }))
}

/// The media type and base64 data of a `data:` URL; none for any other.
fn data_url<'a>(url: &'a str, path: &str) -> Result<Option<(&'a str, &'a str)>, BadRequest> {
    let Some(rest) = url.strip_prefix("data:") else { return Ok(None) };
    let parts = rest.split_once(";base64,").map(|(head, data)| (head.split(';').next().unwrap_or_default(), data));
    match parts {
        Some((mime, _)) if !mime.is_empty() => Ok(parts),
        _ => Err(BadRequest::new(path, "A data: URL must be 'data:TYPE;base64,DATA'.")),
    }
}
