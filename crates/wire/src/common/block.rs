//! The typed blocks that turns and answers are made of.

use serde::Serialize;

use super::{Family, JsonText, ReasoningToken};

/// A part of a turn or of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Whether the vendor is to cache the prompt up to here.
    pub cache: Option<CacheMark>,
}

/// How long a vendor's prompt cache is to keep what ends at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum CacheMark {
    /// For the vendor's default of five minutes.
    FiveMinutes,
    /// For an hour.
    OneHour,
}

/// The kinds of block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum BlockKind {
    /// Text.
    Text {
        /// The words.
        text: String,
        /// Citations, in the form of OpenAI's `annotations` (JSON objects).
        annotations: Vec<JsonText>,
    },
    /// A refusal of the model.
    Refusal(String),
    /// A picture, with OpenAI's `detail` where the client gave one.
    Image(Media, Option<String>),
    /// A document.
    File(Media),
    /// Sound.
    Audio(Media),
    /// Readable reasoning.
    Thinking {
        /// The words; empty where the vendor shows none.
        text: String,
        /// Whether the words are a summary of the reasoning and not the reasoning itself.
        is_summary: bool,
        /// The vendor's seal on it.
        token: Option<ReasoningToken>,
    },
    /// Reasoning that the vendor does not show.
    Redacted(ReasoningToken),
    /// A call of a tool by the model.
    ToolUse(ToolUse),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// Names a deferred tool that the client's tool search found (Anthropic's `tool_reference`).
    ToolReference(String),
    /// A block that only one family knows, such as the result of a search that the vendor ran itself.
    Hosted {
        /// The block as it stands.
        raw: JsonText,
        /// The family that knows it.
        family: Family,
    },
    /// A conversation up to here in sealed form (Responses' `compaction`).
    Compaction(ReasoningToken),
}

impl BlockKind {
    /// Text without citations.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), annotations: Vec::new() }
    }
}

impl From<BlockKind> for Block {
    fn from(kind: BlockKind) -> Self {
        Self { kind, cache: None }
    }
}

/// A picture, a document, or sound.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Media {
    /// Where its bytes are.
    pub source: MediaSource,
    /// The name of the file, or the title of the document.
    pub name: Option<String>,
    /// What the client tells of a document beside it (Anthropic's `context`).
    pub context: Option<String>,
    /// Whether citations of it are wanted.
    pub citations: bool,
}

/// Where the bytes of a medium are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum MediaSource {
    /// In the request.
    Inline {
        /// The media type, such as `image/png`; for sound `audio/wav` or `audio/mp3`.
        mime: String,
        /// The bytes in base64, as the client wrote them.
        base64: String,
    },
    /// Plain text in the place of a document.
    Text(String),
    /// At an address that the vendor fetches from.
    Url(String),
    /// At the vendor, by an id of the family.
    FileId(String, Family),
}

impl Default for MediaSource {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToolUse {
    /// The id that its result names.
    pub call_id: String,
    /// The id of the item (Responses' `fc_…`), where it has one.
    pub item_id: Option<String>,
    /// The tool.
    pub name: String,
    /// The namespace that the tool is in (Responses).
    pub namespace: Option<String>,
    /// The kind of tool.
    pub kind: ToolKind,
    /// The arguments exactly as the model wrote them: JSON text for functions, any text for custom tools.
    pub arguments: String,
    /// The vendor's seal on it (Gemini).
    pub token: Option<ReasoningToken>,
}

/// The kinds of tool that a client runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub enum ToolKind {
    /// A function with JSON arguments.
    #[default]
    Function,
    /// A tool that takes any text (Responses' `custom`).
    Custom,
    /// The client's own search for tools (Responses' `tool_search`).
    ToolSearch,
    /// The client's own shell (Responses' `local_shell` and `shell`).
    Shell,
}

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ToolResult {
    /// The call that it answers.
    pub call_id: String,
    /// The kind of the tool.
    pub kind: ToolKind,
    /// Text, pictures and documents.
    pub blocks: Vec<Block>,
    /// Whether the tool failed.
    pub is_error: bool,
}
