//! What a conversation holds and chat cannot say.

use serde::Serialize;
use serde_json::{Value, json};

use crate::common::{
    Block, BlockKind, Conversation, Family, JsonText, Media, MediaSource, Role, ToolChoice, ToolDefinition,
    without_billing_line,
};
use crate::json_object::json_string;

/// JSON texts: objects in the form of parts where a vendor adds input of its own or where a medium must be counted, and
/// strings where the bytes are all there is.
#[derive(Debug, Default)]
pub(super) struct Unsaid(Vec<String>);

impl Unsaid {
    /// Takes out of a conversation what chat cannot say.
    pub fn take(&mut self, conversation: &mut Conversation) {
        conversation.system.retain(|block| self.keeps_words(block));
        for turn in &mut conversation.turns {
            match turn.role {
                Role::User => turn.blocks.retain_mut(|block| self.keeps_input(block)),
                Role::Assistant => turn.blocks.retain(|block| self.keeps_answer(block)),
                Role::System => turn.blocks.retain(|block| self.keeps_words(block)),
            }
        }
        conversation.turns.retain(|turn| !turn.blocks.is_empty());
        for result in &conversation.superseded {
            self.all(&result.blocks);
        }
        self.tools(conversation);
        for (_, description) in &conversation.namespaces {
            self.text(description);
        }
    }

    /// The array; none where all was said.
    pub fn json(self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("[{}]", self.0.join(",")))
    }

    /// Words of the operator.
    fn keeps_words(&mut self, block: &Block) -> bool {
        match &block.kind {
            BlockKind::Text { text, annotations } => {
                self.jsons(annotations);
                let told = without_billing_line(text);
                if told.len() < text.len() {
                    self.text(text.get(..text.len() - told.len()).unwrap_or(text));
                }
                true
            }
            _ => self.block(block),
        }
    }

    /// A block of the user's.
    fn keeps_input(&mut self, block: &mut Block) -> bool {
        match &mut block.kind {
            BlockKind::ToolResult(result) => {
                result.blocks.retain(|block| self.keeps_content(block));
                true
            }
            // It is said in a result alone.
            BlockKind::ToolReference(_) => self.block(block),
            BlockKind::Refusal(_) => true,
            _ => self.keeps_content(block),
        }
    }

    /// A block of the user's or of a result.
    fn keeps_content(&mut self, block: &Block) -> bool {
        match &block.kind {
            BlockKind::Text { annotations, .. } => {
                self.jsons(annotations);
                true
            }
            BlockKind::ToolReference(_) => true,
            BlockKind::Image(media, _) => is_here_or_at_url(media) || self.block(block),
            BlockKind::Audio(media) => is_inline(media) || self.block(block),
            BlockKind::File(media) if is_sayable(media) => {
                // Only a document of plain text is told with its context.
                if let (false, Some(context)) = (matches!(media.source, MediaSource::Text(_)), &media.context) {
                    self.text(context);
                }
                true
            }
            BlockKind::Hosted { raw, .. } => match words_of(raw) {
                Words::All => true,
                Words::Some => {
                    self.block(block);
                    true
                }
                Words::None => self.block(block),
            },
            _ => self.block(block),
        }
    }

    /// A block of the model's.
    fn keeps_answer(&mut self, block: &Block) -> bool {
        match &block.kind {
            BlockKind::Text { annotations, .. } => {
                self.jsons(annotations);
                true
            }
            BlockKind::Refusal(_) => true,
            BlockKind::ToolUse(call) => {
                if let Some(token) = &call.token {
                    self.text(&token.text);
                }
                true
            }
            // What vendors ran themselves is told in full, but for media that they keep.
            BlockKind::Hosted { raw, .. } if !names_media(raw) => {
                self.text(raw.as_str());
                false
            }
            _ => self.block(block),
        }
    }

    /// Tools are all told, and so is what only their own family knows of them.
    fn tools(&mut self, conversation: &mut Conversation) {
        for tool in &mut conversation.tools {
            if let ToolDefinition::Client { is_deferred, rest, .. } = &mut tool.definition {
                *is_deferred = false;
                rest.iter().for_each(|(_, value)| self.text(value.as_str()));
            }
        }
        if let Some(ToolChoice::Allowed { required, .. }) = conversation.tool_choice {
            conversation.tool_choice = Some(if required { ToolChoice::Required } else { ToolChoice::Auto });
        }
    }

    /// Takes in a block; it is not to be kept.
    fn block(&mut self, block: &Block) -> bool {
        match &block.kind {
            BlockKind::Hosted { raw, .. } if raw.is_object() => self.0.push(raw.as_str().to_owned()),
            BlockKind::Hosted { raw, .. } => self.text(raw.as_str()),
            BlockKind::Image(media, _) => self.medium("input_image", "image_url", media),
            BlockKind::File(media) => self.medium("file", "file_url", media),
            BlockKind::Audio(media) => self.medium("audio", "audio_url", media),
            BlockKind::Compaction(token) => {
                self.part(&json!({"type": "compaction", "encrypted_content": token.text}));
            }
            BlockKind::ToolResult(result) => self.all(&result.blocks),
            BlockKind::Text { text, annotations } => {
                self.text(text);
                self.jsons(annotations);
            }
            kind @ (BlockKind::Refusal(_)
            | BlockKind::Thinking { .. }
            | BlockKind::Redacted(_)
            | BlockKind::ToolUse(_)
            | BlockKind::ToolReference(_)) => self.text(JsonText::of(kind).as_str()),
        }
        false
    }

    fn all(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn medium(&mut self, kind: &str, at: &str, media: &Media) {
        match &media.source {
            MediaSource::Inline { mime, base64 } => {
                let data = format!("data:{mime};base64,{base64}");
                self.part(&json!({"type": kind, at: data}));
            }
            MediaSource::Text(text) => self.text(text),
            MediaSource::Url(url) => self.part(&json!({"type": kind, at: url})),
            MediaSource::FileId(id, _) => self.part(&json!({"type": kind, "file_id": id})),
        }
        let about = [&media.name, &media.context];
        about.into_iter().flatten().for_each(|text| self.text(text));
    }

    fn part(&mut self, part: &impl Serialize) {
        self.0.push(JsonText::of(part).as_str().to_owned());
    }

    fn text(&mut self, text: &str) {
        self.0.push(json_string(text));
    }

    fn jsons(&mut self, texts: &[JsonText]) {
        texts.iter().for_each(|json| self.text(json.as_str()));
    }
}

fn is_inline(media: &Media) -> bool {
    matches!(media.source, MediaSource::Inline { .. })
}

fn is_here_or_at_url(media: &Media) -> bool {
    is_inline(media) || matches!(media.source, MediaSource::Url(_))
}

/// Whether chat can say a file, for a client of another format.
fn is_sayable(media: &Media) -> bool {
    let is_known =
        matches!(media.source, MediaSource::FileId(_, Family::Other | Family::OpenAi) | MediaSource::Text(_));
    is_known || is_inline(media)
}

/// Whether a block of the vendor's own names pictures or files, whose tokens its bytes do not tell.
fn names_media(raw: &JsonText) -> bool {
    ["\"file_id\"", "\"image_url\"", "\"file_url\"", "\"base64\""].iter().any(|name| raw.as_str().contains(name))
}

/// How much of a block that one family alone knows is told in words.
enum Words {
    All,
    Some,
    None,
}

fn words_of(raw: &JsonText) -> Words {
    let value = raw.value();
    let is_told = matches!(value["type"].as_str(), Some("search_result" | "document"));
    let parts = value.get("content").or_else(|| value.get("source").and_then(|source| source.get("content")));
    match parts.and_then(Value::as_array).filter(|_| is_told) {
        None => Words::None,
        Some(parts) if parts.iter().all(|part| part["type"] == "text") => Words::All,
        Some(_) => Words::Some,
    }
}
