//! The names of the API formats.

use serde::{Deserialize, Serialize};

/// The API format that a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's chat completions and embeddings, and every vendor compatible with them.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages API.
    Anthropic,
    /// Ollama's native `/api/chat` and `/api/embed`.
    Ollama,
    /// The built-in simulator: no network, scripted by model name.
    Simulator,
}

impl Dialect {
    /// Whether it is chat completions, which chat clients' bytes pass to.
    pub fn is_chat(self) -> bool {
        matches!(self, Self::OpenAi | Self::Simulator)
    }

    /// The end of a base URL that the dialect's own paths repeat (`/v1/messages` behind `…/v1`), if it has one.
    pub fn version_suffix(self, base_url: &str) -> Option<&'static str> {
        let suffixes: &[&str] = match self {
            Self::OpenAi | Self::Responses | Self::Simulator => &[],
            Self::Anthropic => &["/v1"],
            Self::Ollama => &["/v1", "/api"],
        };
        let path = base_url.split('?').next().unwrap_or_default().trim_end_matches('/');
        suffixes.iter().copied().find(|suffix| path.ends_with(suffix))
    }
}
