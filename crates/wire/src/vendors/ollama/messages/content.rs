//! What the blocks of one message say.

use serde::Deserialize;

use super::{Message, call};
use crate::BadRequest;
use crate::common::{
    Block, BlockKind, JsonText, Media, MediaSource, ToolResult, ToolUse, is_billing_line, without_billing_line,
};
use crate::vendors::ollama::request::note;

/// The blocks of a message, by what they become.
#[derive(Default)]
pub(super) struct Content<'a> {
    texts: Vec<String>,
    images: Vec<&'a str>,
    thinking: Vec<&'a str>,
    calls: Vec<&'a ToolUse>,
}

/// A block as a tool result, which is a message of its own.
pub(super) fn result(block: &Block) -> Option<&ToolResult> {
    match &block.kind {
        BlockKind::ToolResult(result) => Some(result),
        _ => None,
    }
}

impl<'a> Content<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.images.is_empty() && self.thinking.is_empty() && self.calls.is_empty()
    }

    pub(super) fn calls(&self) -> &[&'a ToolUse] {
        &self.calls
    }

    pub(super) fn into_message(self, role: &'static str, between: &str) -> Result<Message<'a>, BadRequest> {
        Ok(Message {
            role,
            content: self.texts.join(between),
            images: self.images,
            thinking: self.thinking.join("\n"),
            tool_calls: self.calls.into_iter().map(call).collect::<Result<_, _>>()?,
            ..Message::default()
        })
    }

    /// Takes a block of the instructions; what only Anthropic's own API reads there is left out (J17).
    pub(super) fn instruct(&mut self, block: &'a Block, dropped: &mut Vec<String>) -> Result<(), BadRequest> {
        match &block.kind {
            BlockKind::Text { text, .. } if is_billing_line(text) => Ok(()),
            BlockKind::Text { text, .. } => {
                self.texts.push(without_billing_line(text).to_owned());
                note_cache(block, dropped);
                Ok(())
            }
            _ => self.take(block, dropped),
        }
    }

    pub(super) fn take(&mut self, block: &'a Block, dropped: &mut Vec<String>) -> Result<(), BadRequest> {
        note_cache(block, dropped);
        match &block.kind {
            BlockKind::Text { text, annotations } => {
                if !annotations.is_empty() {
                    note("messages[].annotations", dropped);
                }
                self.texts.push(text.clone());
            }
            BlockKind::Refusal(text) => self.texts.push(text.clone()),
            BlockKind::Image(media, _) => self.images.push(inline(media)?),
            BlockKind::File(media) => self.texts.push(document(media)?),
            BlockKind::Thinking { text, .. } if !text.is_empty() => self.thinking.push(text),
            // Sealed reasoning is for its own vendor alone.
            BlockKind::Thinking { .. } | BlockKind::Redacted(_) => {}
            BlockKind::ToolUse(call) => self.calls.push(call),
            BlockKind::ToolReference(name) => self.texts.push(format!("The tool '{name}' can be called now.")),
            BlockKind::Hosted { raw, .. } => note(&format!("messages[].{}", kind_of(raw)), dropped),
            BlockKind::Compaction(_) => {
                return Err(BadRequest::new("input", "A sealed conversation can be read by its own provider alone."));
            }
            BlockKind::Audio(_) | BlockKind::ToolResult(_) => return Err(unsupported()),
        }
        Ok(())
    }
}

fn note_cache(block: &Block, dropped: &mut Vec<String>) {
    if block.cache.is_some() {
        note("cache_control", dropped);
    }
}

fn unsupported() -> BadRequest {
    BadRequest::new("messages[].content[].type", "Ollama takes text and images: a part must be 'text' or 'image_url'.")
}

fn inline(media: &Media) -> Result<&str, BadRequest> {
    match &media.source {
        MediaSource::Inline { base64, .. } => Ok(base64),
        _ => {
            let message = "Ollama takes images as data: the URL must be 'data:TYPE;base64,DATA'.";
            Err(BadRequest::new("messages[].content[].image_url.url", message))
        }
    }
}

/// A document of plain text, its name in front.
fn document(media: &Media) -> Result<String, BadRequest> {
    let MediaSource::Text(text) = &media.source else { return Err(unsupported()) };
    let lines = [media.name.as_deref(), media.context.as_deref(), Some(text)];
    Ok(lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

/// The `type` of a block that only one family knows.
fn kind_of(raw: &JsonText) -> String {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    raw.read::<Head>().map_or_else(|_| "content".to_owned(), |head| head.kind)
}
