//! A request in the common form.

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::{Block, BlockKind, Family, JsonText, ToolKind};

/// What a client asks for, whatever its format.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Conversation {
    /// The model as the client named it.
    pub model: String,
    /// The instructions that stand before all turns.
    pub system: Vec<Block>,
    /// The turns in their order; neighbours may have one role.
    pub turns: Vec<Turn>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Which tool it has to call; none for the vendor's default.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several tools at once.
    pub parallel_tool_calls: Option<bool>,
    /// The most output tokens.
    pub max_output_tokens: Option<u64>,
    /// How the next token is chosen, and when the answer stops.
    pub sampling: Sampling,
    /// How much to reason.
    pub reasoning: Option<Reasoning>,
    /// The form that the answer must have.
    pub output_format: Option<OutputFormat>,
    /// How wordy the answer may be (`low`, `medium`, `high`).
    pub verbosity: Option<String>,
    /// Who asks.
    pub identity: Identity,
    /// The class of service, in the client's own word.
    pub service_tier: Option<String>,
    /// The client's metadata, echoed by Responses.
    pub metadata: Option<Map<String, Value>>,
    /// Whether the answer streams.
    pub stream: bool,
    /// Whether the stream of a chat client ends with its usage.
    pub include_usage: bool,
    /// Fields that the common form does not know, as they stand: kept for the same family, told as dropped for another.
    pub rest: Vec<(String, JsonText)>,
    /// The family whose fields `rest` has.
    pub rest_family: Option<Family>,
    /// Fields that reading lost because nothing in the common form stands for them (`messages[].audio`): told as dropped
    /// by every vendor's format.
    pub lost: Vec<String>,
    /// Fields that the client's own format repeats in its answers, as the client wrote them (Responses).
    pub echo: Vec<(String, JsonText)>,
    /// What the namespaces of tools are for (Responses), by their names.
    pub namespaces: Vec<(String, String)>,
    /// Results of calls that have a later one, which counts: only bytes that pass as they stand say them.
    pub superseded: Vec<super::ToolResult>,
    /// Whether the client wants the conversation sealed into one item (Responses' `compaction_trigger`); the turns end
    /// with the words that ask for its summary.
    pub is_compaction: bool,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Role {
    /// The user, and the tools that the client runs.
    User,
    /// The model.
    Assistant,
    /// The operator, behind the first turn.
    System,
}

/// One turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub blocks: Vec<Block>,
    /// The name of the speaker (chat's `name`).
    pub name: Option<String>,
}

/// A tool that a client offers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tool {
    /// What it is.
    pub definition: ToolDefinition,
    /// Whether the prompt is to be cached up to here.
    pub cache: Option<super::CacheMark>,
}

/// The kinds of tool as they are defined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ToolDefinition {
    /// A tool that the client runs.
    Client {
        /// The kind of its calls.
        kind: ToolKind,
        /// The name.
        name: String,
        /// The namespace that it is in (Responses); the name is the bare one.
        namespace: Option<String>,
        /// What it does.
        description: Option<String>,
        /// The JSON schema of its arguments; of custom tools their `format`.
        schema: Option<JsonText>,
        /// Whether arguments must follow the schema.
        strict: Option<bool>,
        /// Whether the tool is only offered once a tool reference names it.
        is_deferred: bool,
        /// Fields that only the client's family knows.
        rest: Vec<(String, JsonText)>,
    },
    /// A tool that the vendor runs, or whose schema is built into its model.
    Hosted {
        /// Its `type`, such as `web_search_20250305`.
        kind: String,
        /// Its name, where it has one.
        name: Option<String>,
        /// The definition as it stands.
        raw: JsonText,
        /// The family that knows it.
        family: Family,
    },
}

/// Which tools the model has to call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one: its name, and the namespace that it is in.
    Tool(String, Option<String>),
    /// Some of these.
    Allowed {
        /// Whether one of them must be called.
        required: bool,
        /// The names.
        names: Vec<String>,
    },
}

/// How the next token is chosen, and when the answer stops. Numbers stay as the client wrote them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sampling {
    /// The temperature, on the client's scale.
    pub temperature: Option<Number>,
    /// Nucleus sampling.
    pub top_p: Option<Number>,
    /// The number of candidates.
    pub top_k: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// The seed.
    pub seed: Option<Number>,
    /// The penalty of tokens by how often they stood.
    pub frequency_penalty: Option<Number>,
    /// The penalty of tokens that stood.
    pub presence_penalty: Option<Number>,
    /// How many answers (chat's `n`).
    pub choices: Option<u64>,
    /// Biases by token (chat).
    pub logit_bias: Option<JsonText>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many alternatives with each.
    pub top_logprobs: Option<u64>,
}

/// How hard the model is to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Beyond high.
    XHigh,
    /// All that the model can.
    Max,
}

/// How much to reason, and what of it to show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reasoning {
    /// The effort, where the client told one.
    pub effort: Option<Effort>,
    /// The most tokens of reasoning, where the client told a budget.
    pub budget_tokens: Option<u64>,
    /// Whether the model decides by itself how much (Anthropic's `adaptive`).
    pub adaptive: bool,
    /// What readable reasoning is wanted: `auto`, `concise`, `detailed`, `summarized`, `omitted`.
    pub summary: Option<String>,
    /// Whether sealed reasoning is wanted in the answer (Responses' `reasoning.encrypted_content`).
    pub wants_token: bool,
}

/// The form that the answer must have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum OutputFormat {
    /// Some JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The name of the schema.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: JsonText,
        /// Whether it must be followed to the letter.
        strict: Option<bool>,
    },
}

/// Who asks, by the client's own account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The end user (`user`, `safety_identifier`, `metadata.user_id`).
    pub user: Option<String>,
    /// The conversation that prompt caches keep together (`prompt_cache_key`).
    pub cache_key: Option<String>,
}

impl Effort {
    /// The effort that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// OpenAI's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The tokens of reasoning that the effort stands for, for models that take a budget.
    pub fn budget_tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 4_096,
            Self::High => 16_384,
            Self::XHigh | Self::Max => 32_768,
        }
    }

    /// The effort that a budget stands for, so that effort to budget to effort gives the same again.
    pub fn from_budget_tokens(budget: u64) -> Self {
        match budget {
            0 => Self::None,
            1..2_048 => Self::Low,
            2_048..8_192 => Self::Medium,
            8_192..24_576 => Self::High,
            _ => Self::XHigh,
        }
    }
}

impl Conversation {
    /// Whether a result of a search for tools names the tool, so that a deferred one is offered (J16).
    pub fn refers_to_tool(&self, name: &str) -> bool {
        let is_it = |block: &Block| matches!(&block.kind, BlockKind::ToolReference(named) if named == name);
        let has_it = |block: &Block| match &block.kind {
            BlockKind::ToolResult(result) => result.blocks.iter().any(is_it),
            _ => is_it(block),
        };
        self.turns.iter().any(|turn| turn.blocks.iter().any(has_it))
    }
}

impl Turn {
    /// A turn of a role.
    pub fn new(role: Role, blocks: Vec<Block>) -> Self {
        Self { role, blocks, name: None }
    }
}
