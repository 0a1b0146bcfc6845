//! Blocks as the parts of messages and of tools' outputs.

use serde_json::{Value, json};

use crate::BadRequest;
use crate::common::{Block, BlockKind, Family, Media, MediaSource};

/// What could not be told, by the names of the client's fields.
#[derive(Debug, Default)]
pub(super) struct Dropped(Vec<String>);

impl Dropped {
    /// Notes a field, once.
    pub fn add(&mut self, name: &str) {
        if !self.0.iter().any(|known| known == name) {
            self.0.push(name.to_owned());
        }
    }

    /// The names.
    pub fn into_names(self) -> Vec<String> {
        self.0
    }
}

/// The parts of words of the user, or of a tool.
///
/// # Errors
/// Where the format has no part for one.
pub(super) fn parts(blocks: &[Block], dropped: &mut Dropped) -> Result<Vec<Value>, BadRequest> {
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        parts.extend(part(&block.kind, dropped)?);
    }
    Ok(parts)
}

fn part(block: &BlockKind, dropped: &mut Dropped) -> Result<Option<Value>, BadRequest> {
    Ok(Some(match block {
        BlockKind::Text { text, .. } | BlockKind::Refusal(text) => input_text(text),
        BlockKind::ToolReference(name) => input_text(&format!("The tool {name} was found.")),
        BlockKind::Image(media, detail) => image(media, detail.as_deref())?,
        BlockKind::File(media) => file(media)?,
        BlockKind::Audio(_) => {
            return Err(BadRequest::new("messages", "This provider's format takes no sound in a message."));
        }
        _ => {
            dropped.add("messages");
            return Ok(None);
        }
    }))
}

/// A part of text.
pub(super) fn input_text(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}

fn image(media: &Media, detail: Option<&str>) -> Result<Value, BadRequest> {
    let detail = detail.unwrap_or("auto");
    Ok(match &media.source {
        MediaSource::FileId(id, Family::OpenAi) => json!({"type": "input_image", "file_id": id, "detail": detail}),
        MediaSource::FileId(..) => return Err(foreign_file()),
        source => json!({"type": "input_image", "image_url": url(source), "detail": detail}),
    })
}

fn file(media: &Media) -> Result<Value, BadRequest> {
    let mut part = json!({"type": "input_file"});
    let (name, value) = match &media.source {
        MediaSource::FileId(id, Family::OpenAi) => ("file_id", id.clone()),
        MediaSource::FileId(..) => return Err(foreign_file()),
        MediaSource::Url(url) => ("file_url", url.clone()),
        // A document that is words is told as words.
        MediaSource::Text(text) => {
            let title = media.name.as_deref().map(|name| format!("{name}:\n")).unwrap_or_default();
            return Ok(input_text(&format!("{title}{text}")));
        }
        source @ MediaSource::Inline { .. } => ("file_data", url(source)),
    };
    if let Some(fields) = part.as_object_mut() {
        // Files that stand at the vendor or at an address have names of their own.
        if name == "file_data" {
            fields.insert("filename".to_owned(), json!(media.name.as_deref().unwrap_or("document.pdf")));
        }
        fields.insert(name.to_owned(), json!(value));
    }
    Ok(part)
}

fn url(source: &MediaSource) -> String {
    match source {
        MediaSource::Inline { mime, base64 } => format!("data:{mime};base64,{base64}"),
        MediaSource::Url(text) | MediaSource::Text(text) | MediaSource::FileId(text, _) => text.clone(),
    }
}

fn foreign_file() -> BadRequest {
    BadRequest::new("messages", "The id of a file is known to the vendor that keeps it alone: send the file itself.")
}
