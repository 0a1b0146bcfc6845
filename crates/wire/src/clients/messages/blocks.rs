//! Content blocks, read.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::read::bad;
use crate::BadRequest;
use crate::common::{
    Block, BlockKind, CacheMark, Family, JsonText, Media, MediaSource, ReasoningToken, ToolKind, ToolResult, ToolUse,
    annotation_of,
};

/// The items of a JSON array; none where it is no array.
pub(super) fn list(raw: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw).ok()
}

/// A text, or an array of blocks.
pub(super) fn content(raw: &str, path: &str) -> Result<Vec<Block>, BadRequest> {
    if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).map_err(|error| bad(path, &error))?;
        return Ok(vec![BlockKind::text(text).into()]);
    }
    let items = list(raw).ok_or_else(|| BadRequest::new(path, "Content must be a text or an array of blocks."))?;
    let mut blocks = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        if let Some(block) = block(item, &format!("{path}[{at}]"))? {
            add(&mut blocks, block);
        }
    }
    Ok(blocks)
}

/// Adds a block; a seal of Gemini's, which travels as a block before its call, is put on the call.
fn add(blocks: &mut Vec<Block>, mut block: Block) {
    if let BlockKind::ToolUse(call) = &mut block.kind
        && let Some(BlockKind::Redacted(token)) = blocks.last().map(|last| &last.kind)
        && token.family == Family::Gemini
    {
        call.token = Some(token.clone());
        blocks.pop();
    }
    blocks.push(block);
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Fields<'a> {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    tool_use_id: Option<String>,
    tool_name: Option<String>,
    title: Option<String>,
    context: Option<String>,
    is_error: Option<bool>,
    cache_control: Option<CacheControl>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct CacheControl {
    ttl: Option<String>,
}

impl From<CacheControl> for CacheMark {
    fn from(cache: CacheControl) -> Self {
        if cache.ttl.as_deref() == Some("1h") { Self::OneHour } else { Self::FiveMinutes }
    }
}

/// One block; none where it says nothing, as sealed reasoning without its seal does.
fn block(raw: &RawValue, path: &str) -> Result<Option<Block>, BadRequest> {
    let Kind { kind } = serde_json::from_str(raw.get()).map_err(|error| bad(path, &error))?;
    let is_known = matches!(
        kind.as_str(),
        "text"
            | "image"
            | "document"
            | "thinking"
            | "redacted_thinking"
            | "tool_use"
            | "tool_result"
            | "tool_reference"
    );
    if !is_known {
        return Ok(Some(BlockKind::Hosted { raw: raw.into(), family: Family::Anthropic }.into()));
    }
    let mut fields: Fields<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(path, &error))?;
    let cache = fields.cache_control.take().map(CacheMark::from);
    let kind = match kind.as_str() {
        "text" => text(fields, path)?,
        "image" => BlockKind::Image(media(&fields, path)?, None),
        "document" => document(fields, path)?,
        "thinking" => {
            let text = fields.thinking.unwrap_or_default();
            let token = ReasoningToken::from_client(&fields.signature.unwrap_or_default(), Family::Anthropic);
            let is_summary = token.as_ref().is_some_and(|token| token.family == Family::OpenAi);
            BlockKind::Thinking { text, is_summary, token }
        }
        "redacted_thinking" => match ReasoningToken::from_client(&fields.data.unwrap_or_default(), Family::Anthropic) {
            Some(token) => BlockKind::Redacted(token),
            None => return Ok(None),
        },
        "tool_use" => BlockKind::ToolUse(call(fields, path)?),
        "tool_result" => BlockKind::ToolResult(result(fields, path)?),
        _ => BlockKind::ToolReference(needed(fields.tool_name, path, "tool_name")?),
    };
    Ok(Some(Block { kind, cache }))
}

fn needed<T>(value: Option<T>, path: &str, name: &str) -> Result<T, BadRequest> {
    value.ok_or_else(|| BadRequest::new(format!("{path}.{name}"), format!("This block needs '{name}'.")))
}

fn text(fields: Fields<'_>, path: &str) -> Result<BlockKind, BadRequest> {
    let text = needed(fields.text, path, "text")?;
    let given: Vec<Value> = fields
        .citations
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|error| bad(path, &error))?
        .unwrap_or_default();
    let end = if given.is_empty() { 0 } else { text.chars().count() };
    let annotations = given.iter().map(|citation| annotation_of(citation, 0, end)).collect();
    Ok(BlockKind::Text { text, annotations })
}

fn call(fields: Fields<'_>, path: &str) -> Result<ToolUse, BadRequest> {
    let arguments = fields.input.map_or("{}", RawValue::get);
    if !arguments.starts_with('{') {
        return Err(BadRequest::new(format!("{path}.input"), "The input of a call must be an object."));
    }
    Ok(ToolUse {
        call_id: needed(fields.id, path, "id")?,
        name: needed(fields.name, path, "name")?,
        arguments: arguments.to_owned(),
        ..ToolUse::default()
    })
}

fn result(fields: Fields<'_>, path: &str) -> Result<ToolResult, BadRequest> {
    let blocks = fields.content.map(|raw| content(raw.get(), &format!("{path}.content"))).transpose()?;
    Ok(ToolResult {
        call_id: needed(fields.tool_use_id, path, "tool_use_id")?,
        kind: ToolKind::Function,
        blocks: blocks.unwrap_or_default(),
        is_error: fields.is_error.unwrap_or(false),
    })
}

fn document(fields: Fields<'_>, path: &str) -> Result<BlockKind, BadRequest> {
    #[derive(Deserialize)]
    struct Citations {
        #[serde(default)]
        enabled: bool,
    }
    let mut media = media(&fields, path)?;
    let wanted = fields.citations.map(|raw| serde_json::from_str::<Citations>(raw.get()));
    media.citations = wanted.transpose().map_err(|error| bad(path, &error))?.is_some_and(|wanted| wanted.enabled);
    media.name = fields.title;
    media.context = fields.context;
    Ok(BlockKind::File(media))
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(rename = "type")]
    kind: String,
    media_type: Option<String>,
    data: Option<String>,
    url: Option<String>,
    file_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

fn media(fields: &Fields<'_>, path: &str) -> Result<Media, BadRequest> {
    let path = format!("{path}.source");
    let raw = fields.source.ok_or_else(|| BadRequest::new(path.as_str(), "This block needs 'source'."))?;
    let source: Source<'_> = serde_json::from_str(raw.get()).map_err(|error| bad(path.as_str(), &error))?;
    let source = match source.kind.as_str() {
        "base64" => MediaSource::Inline {
            mime: needed(source.media_type, &path, "media_type")?,
            base64: needed(source.data, &path, "data")?,
        },
        "text" => MediaSource::Text(needed(source.data, &path, "data")?),
        "url" => MediaSource::Url(needed(source.url, &path, "url")?),
        "file" => MediaSource::FileId(needed(source.file_id, &path, "file_id")?, Family::Anthropic),
        "content" => MediaSource::Text(words(needed(source.content, &path, "content")?, &path)?),
        _ => {
            let message = "The source must be base64, text, content, url or file.";
            return Err(BadRequest::new(format!("{path}.type"), message));
        }
    };
    Ok(Media { source, ..Media::default() })
}

/// The text of a document that is given in pieces.
fn words(raw: &RawValue, path: &str) -> Result<String, BadRequest> {
    let path = format!("{path}.content");
    let mut texts = Vec::new();
    for block in content(raw.get(), &path)? {
        match block.kind {
            BlockKind::Text { text, .. } => texts.push(text),
            _ => return Err(BadRequest::new(path, "A document in pieces can only hold text.")),
        }
    }
    Ok(texts.join("\n\n"))
}

/// A value as it stands.
pub(super) fn raw_text(raw: &str, path: &str) -> Result<JsonText, BadRequest> {
    JsonText::parse(raw).map_err(|error| bad(path, &error))
}
