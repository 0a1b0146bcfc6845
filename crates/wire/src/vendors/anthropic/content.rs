//! Blocks of turns: text, media, reasoning, calls and their results.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::draft::Draft;
use crate::BadRequest;
use crate::clients::messages::form::{CacheControl, Citations, Content, Made, Part, Source, input_of};
use crate::common::tool_ids::{MESSAGES_ID, TOOL_NAME};
use crate::common::{
    Block, BlockKind, CacheMark, Family, JsonText, Media, MediaSource, ToolKind, ToolResult, ToolUse, custom_arguments,
    own_citation,
};

/// Where a block stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub path: &'p str,
    /// Whether it is a part of a tool's result.
    pub is_result: bool,
}

/// A block as Anthropic takes it; none for one that says nothing there.
pub(super) fn part<'a>(
    block: &'a Block,
    place: Place<'_>,
    draft: &mut Draft<'a>,
) -> Result<Option<Part<'a>>, BadRequest> {
    let cache = block.cache;
    let part = match &block.kind {
        // Anthropic refuses texts of nothing but white space.
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) if text.trim().is_empty() => return Ok(None),
        BlockKind::Text { text: words, annotations } => text(words, annotations, cache),
        BlockKind::Refusal(words) => text(words, &[], cache),
        BlockKind::Image(media, detail) => {
            if detail.as_deref().is_some_and(|detail| detail != "auto") {
                draft.note("image_url.detail");
            }
            image(media, cache, place.path)?
        }
        BlockKind::File(media) => file(media, cache, place.path)?,
        BlockKind::Audio(_) => {
            let message = "Anthropic takes no audio: leave the part out or choose another provider.";
            return Err(BadRequest::new(place.path, message));
        }
        BlockKind::Thinking { text, token: Some(token), .. } if token.family == Family::Anthropic => {
            let signature = Some(Cow::Borrowed(token.text.as_str()));
            Part::made(Made { kind: "thinking", thinking: Some(text), signature, ..Made::default() })
        }
        BlockKind::Redacted(token) if token.family == Family::Anthropic => {
            let data = Some(Cow::Borrowed(token.text.as_str()));
            Part::made(Made { kind: "redacted_thinking", data, ..Made::default() })
        }
        // Anthropic takes no thinking without its own signature (J5).
        BlockKind::Thinking { text, .. } => {
            if !text.is_empty() {
                draft.note(draft.named("messages[].content[].thinking", "messages[].reasoning_content"));
            }
            return Ok(None);
        }
        BlockKind::Redacted(_) => return Ok(None),
        BlockKind::ToolUse(call) => tool_use(call, cache, place.path)?,
        BlockKind::ToolResult(result) => tool_result(result, cache, place.path, draft)?,
        BlockKind::ToolReference(name) if draft.is_native && place.is_result => {
            let tool_name = Some(TOOL_NAME.fit(name));
            Part::made(Made { kind: "tool_reference", tool_name, ..Made::default() })
        }
        BlockKind::ToolReference(name) => text(format!("The tool '{name}' is available now."), &[], cache),
        BlockKind::Hosted { raw, family: Family::Anthropic } => Part::Raw(raw),
        BlockKind::Hosted { .. } => {
            draft.note("messages[].content[]");
            return Ok(None);
        }
        BlockKind::Compaction(_) => {
            let message = "Only the provider that made this compaction can read it.";
            return Err(BadRequest::new(place.path, message));
        }
    };
    Ok(Some(part))
}

/// A text, with the citations that Anthropic itself gave.
pub(super) fn text<'a>(words: impl Into<Cow<'a, str>>, annotations: &[JsonText], cache: Option<CacheMark>) -> Part<'a> {
    let given: Vec<JsonText> = annotations.iter().filter_map(own_citation).collect();
    let citations = (!given.is_empty()).then_some(Citations::Given(given));
    let cache_control = cache.map(CacheControl::from);
    Part::made(Made { kind: "text", text: Some(words.into()), citations, cache_control, ..Made::default() })
}

fn image<'a>(media: &'a Media, cache: Option<CacheMark>, path: &str) -> Result<Part<'a>, BadRequest> {
    let source = match &media.source {
        MediaSource::Inline { mime, base64 } => inline(mime, base64),
        MediaSource::Url(url) => Source { kind: "url", url: Some(url), ..Source::default() },
        MediaSource::FileId(id, Family::Anthropic) => Source { kind: "file", file_id: Some(id), ..Source::default() },
        MediaSource::FileId(..) => return Err(foreign_file(path)),
        MediaSource::Text(_) => {
            return Err(BadRequest::new(format!("{path}.image_url.url"), "An image needs a URL."));
        }
    };
    let cache_control = cache.map(CacheControl::from);
    Ok(Part::made(Made { kind: "image", source: Some(source), cache_control, ..Made::default() }))
}

fn inline<'a>(mime: &'a str, base64: &'a str) -> Source<'a> {
    // A common misnomer, which Anthropic refuses.
    let mime = if mime.eq_ignore_ascii_case("image/jpg") { "image/jpeg" } else { mime };
    Source { kind: "base64", media_type: Some(mime), data: Some(Cow::Borrowed(base64)), ..Source::default() }
}

fn foreign_file(path: &str) -> BadRequest {
    BadRequest::new(format!("{path}.file.file_id"), "Anthropic does not know this file: send its data.")
}

/// A file as a document: PDF as it is, plain text decoded; a picture as one.
fn file<'a>(media: &'a Media, cache: Option<CacheMark>, path: &str) -> Result<Part<'a>, BadRequest> {
    let source = match &media.source {
        MediaSource::Inline { mime, .. } if mime.starts_with("image/") => return image(media, cache, path),
        MediaSource::Inline { mime, base64 } => document(mime, base64, path)?,
        MediaSource::Text(text) => plain(Cow::Borrowed(text.as_str())),
        MediaSource::Url(url) => Source { kind: "url", url: Some(url), ..Source::default() },
        MediaSource::FileId(id, Family::Anthropic) => Source { kind: "file", file_id: Some(id), ..Source::default() },
        MediaSource::FileId(..) => return Err(foreign_file(path)),
    };
    Ok(Part::made(Made {
        kind: "document",
        source: Some(source),
        title: media.name.as_deref(),
        context: media.context.as_deref(),
        citations: media.citations.then_some(Citations::Wanted { enabled: true }),
        cache_control: cache.map(CacheControl::from),
        ..Made::default()
    }))
}

fn document<'a>(mime: &'a str, base64: &'a str, path: &str) -> Result<Source<'a>, BadRequest> {
    // "%PDF-" in base64: some clients leave the media type out.
    if mime == "application/pdf" || (mime.is_empty() && base64.starts_with("JVBERi")) {
        return Ok(inline("application/pdf", base64));
    }
    let text = STANDARD.decode(base64).ok().and_then(|text| String::from_utf8(text).ok());
    match text.filter(|_| mime.starts_with("text/") || mime == "application/json") {
        Some(text) => Ok(plain(Cow::Owned(text))),
        None => {
            let message = "Anthropic takes files as data of PDF or text: 'file_data' must be a data: URL of one.";
            Err(BadRequest::new(format!("{path}.file.file_data"), message))
        }
    }
}

fn plain(text: Cow<'_, str>) -> Source<'_> {
    Source { kind: "text", media_type: Some("text/plain"), data: Some(text), ..Source::default() }
}

fn tool_use<'a>(call: &'a ToolUse, cache: Option<CacheMark>, path: &str) -> Result<Part<'a>, BadRequest> {
    let input = match call.kind {
        ToolKind::Custom => input_of(&custom_arguments(&call.arguments)),
        _ => input_of(&call.arguments),
    };
    let input = input.map_err(|_| {
        let message = "A tool call's arguments must be JSON text of an object.";
        BadRequest::new(format!("{path}.function.arguments"), message)
    })?;
    Ok(Part::made(Made {
        kind: "tool_use",
        id: Some(MESSAGES_ID.fit(&call.call_id)),
        name: Some(TOOL_NAME.name(call.namespace.as_deref(), &call.name)),
        input: Some(input),
        cache_control: cache.map(CacheControl::from),
        ..Made::default()
    }))
}

fn tool_result<'a>(
    result: &'a ToolResult,
    cache: Option<CacheMark>,
    path: &str,
    draft: &mut Draft<'a>,
) -> Result<Part<'a>, BadRequest> {
    let content = match result.blocks.as_slice() {
        [] => Content::Text(""),
        [Block { kind: BlockKind::Text { text, annotations }, cache: None }] if annotations.is_empty() => {
            Content::Text(text)
        }
        blocks => {
            let mut parts = Vec::with_capacity(blocks.len());
            for (at, block) in blocks.iter().enumerate() {
                let place = Place { path: &format!("{path}.content[{at}]"), is_result: true };
                parts.extend(part(block, place, draft)?);
            }
            Content::Parts(parts)
        }
    };
    Ok(Part::made(Made {
        kind: "tool_result",
        tool_use_id: Some(MESSAGES_ID.fit(&result.call_id)),
        content: Some(content),
        is_error: result.is_error.then_some(true),
        cache_control: cache.map(CacheControl::from),
        ..Made::default()
    }))
}
