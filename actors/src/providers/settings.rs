//! What the actors are configured with; the root package reads these from TOML and the environment.

use std::collections::BTreeMap;

use gateway_wire::Dialect;
use gateway_wire::clients::ClientKind;
use gateway_wire::json_object::JsonObject;
use gateway_wire::vendors::Quirks;
use serde::{Deserialize, Serialize};

use super::pass_through::PassThroughRule;
use crate::pattern::matches_pattern;

/// One provider: an entry of `config/providers.toml`, overridden by `[providers.NAME]` in the configuration.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// The API format that the provider speaks.
    pub dialect: Dialect,
    /// What the vendor's own SDK means by its base URL: with `/v1` for OpenAI-like vendors, the origin for Anthropic and
    /// Ollama, empty for the simulator.
    #[serde(default)]
    pub base_url: String,
    /// An environment variable that, where set, replaces `base_url`.
    #[serde(default)]
    pub base_url_env: Option<String>,
    /// The environment variable that holds the gateway's own credential for this provider; none is sent without it.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// The header that carries the credential.
    #[serde(default = "default_auth_header")]
    pub auth_header: String,
    /// What stands before the credential in that header, its space included.
    #[serde(default = "default_auth_prefix")]
    pub auth_prefix: String,
    /// Further headers sent with each request, such as `anthropic-version`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Patterns (`*` stands for any text) of the models that belong to this vendor, so that a bare model name finds it.
    #[serde(default)]
    pub models: Vec<String>,
    /// The field in which a budget limits the answer, where the client does not limit it itself.
    #[serde(default)]
    pub output_limit_field: OutputLimitField,
    /// Whether the vendor tells its usage in streams where `stream_options` asks for it. Where false, the field is never
    /// sent: the vendor refuses it.
    #[serde(default = "default_stream_options")]
    pub stream_options: bool,
    /// Whether Responses clients reach the vendor at its own `/responses` instead of over chat completions. Absent: at
    /// OpenAI itself, and where a request has tools that the vendor runs.
    #[serde(default)]
    pub serves_responses: Option<bool>,
    /// Patterns of the models that the vendor serves at `/responses` alone, where it has one.
    #[serde(default)]
    pub responses_models: Vec<String>,
    /// Patterns of the models that take tools together with a reasoning effort at `/responses` alone, where it has one.
    #[serde(default)]
    pub responses_models_with_tools: Vec<String>,
    /// Which of its own paths clients may use as they are, below `/v1/proxy/NAME`.
    #[serde(default)]
    pub pass_through: Vec<PassThroughRule>,
    /// What else the vendor takes and refuses.
    #[serde(default)]
    pub quirks: Quirks,
    /// `http://USER:PASSWORD@HOST:PORT` or `https://…` of a proxy that leads to this provider, or `direct` for none; absent
    /// for what `[proxy]` and the environment say.
    #[serde(default)]
    pub proxy: Option<String>,
    /// A PEM file with certificate authorities that are trusted beside the system's and Mozilla's.
    #[serde(default)]
    pub ca: Option<String>,
    /// How long an idle connection is kept, in milliseconds; shorter than the provider keeps it. 0 uses none again.
    #[serde(default = "default_keep_alive_ms")]
    pub keep_alive_ms: u64,
    /// Time limits of one attempt.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Requests under way at this provider at once, over all worker threads; one more is refused (0 = no limit).
    #[serde(default = "default_max_in_flight")]
    pub max_in_flight: usize,
    /// When the circuit breaker opens and closes.
    #[serde(default)]
    pub breaker: BreakerSettings,
    /// Retries allowed, as a percentage of the provider's requests (E8), above a floor of ten.
    #[serde(default = "default_retry_budget_percent")]
    pub retry_budget_percent: u32,
}

impl ProviderSettings {
    /// The format in which a model is asked for a chat body of a client.
    pub fn dialect_for(&self, client: ClientKind, model: &str, body: &JsonObject) -> Dialect {
        if self.dialect != Dialect::OpenAi {
            return self.dialect;
        }
        let has_responses = self.serves_responses.unwrap_or_else(|| self.is_open_ai());
        let is_for_responses = client == ClientKind::Responses && (has_responses || has_hosted_tools(body));
        let names =
            |patterns: &[String]| has_responses && patterns.iter().any(|pattern| matches_pattern(pattern, model));
        if is_for_responses || names(&self.responses_models) {
            return Dialect::Responses;
        }
        if !names(&self.responses_models_with_tools) {
            return self.dialect;
        }
        let has = |name: &str, unset: &[&str]| body.get(name).is_some_and(|text| !unset.contains(&text));
        let needs = has("tools", &["null", "[]"]) && has("reasoning_effort", &["null", "\"none\""]);
        if needs { Dialect::Responses } else { self.dialect }
    }

    fn is_open_ai(&self) -> bool {
        self.base_url.starts_with("https://api.openai.com/")
    }

    /// What the vendor takes and refuses.
    pub fn quirks(&self) -> Quirks {
        Quirks {
            max_completion_tokens: Some(self.output_limit_field == OutputLimitField::MaxCompletionTokens),
            no_stream_options: !self.stream_options,
            ..self.quirks.clone()
        }
    }
}

/// Tools that only a vendor can run, and only at `/responses`.
const HOSTED_TOOLS: [&str; 6] =
    ["code_interpreter", "computer", "computer_use_preview", "file_search", "image_generation", "mcp"];

/// Whether a body has tools that the vendor runs and chat completions do not know.
fn has_hosted_tools(body: &JsonObject) -> bool {
    #[derive(Deserialize)]
    struct Tool {
        #[serde(default, rename = "type")]
        kind: String,
    }
    let tools: Option<Vec<Tool>> = body.read("tools").ok().flatten();
    tools.is_some_and(|tools| tools.iter().any(|tool| HOSTED_TOOLS.contains(&tool.kind.as_str())))
}

fn default_auth_header() -> String {
    "authorization".to_owned()
}

fn default_auth_prefix() -> String {
    "Bearer ".to_owned()
}

fn default_stream_options() -> bool {
    true
}

fn default_keep_alive_ms() -> u64 {
    50_000
}

fn default_max_in_flight() -> usize {
    2048
}

fn default_retry_budget_percent() -> u32 {
    20
}

/// The field in which a vendor is told the most output tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputLimitField {
    /// OpenAI's newer name; its reasoning models refuse the older one.
    #[default]
    MaxCompletionTokens,
    /// The older name, the only one that some vendors know.
    MaxTokens,
}

impl OutputLimitField {
    /// The field's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
        }
    }
}

/// Time limits of one attempt, in milliseconds; 0 switches one off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect_ms: u64,
    /// For a stream, until its first content event; a whole answer has `total_ms` for it.
    pub first_byte_ms: u64,
    /// Between two data events of a stream, or two reads of a whole answer (D3: comments do not count).
    pub idle_ms: u64,
    /// From the first byte sent to the last byte received.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 5_000, first_byte_ms: 120_000, idle_ms: 60_000, total_ms: 600_000 }
    }
}

/// When a provider's circuit breaker opens: at `failure_threshold` failures in a row, or at the percentage of a window
/// once `minimum_requests` were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// Consecutive failures that open the breaker (0 switches the breaker off).
    pub failure_threshold: u32,
    /// Failures per hundred requests of the window that open the breaker (0 = not used).
    pub failure_threshold_percentage: u32,
    /// Requests a window needs before the percentage counts.
    pub minimum_requests: u32,
    /// The length of the window, in milliseconds.
    pub window_ms: u64,
    /// How long the breaker stays open before one probe is let through, in milliseconds.
    pub cooldown_ms: u64,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            failure_threshold_percentage: 50,
            minimum_requests: 20,
            window_ms: 30_000,
            cooldown_ms: 15_000,
        }
    }
}
