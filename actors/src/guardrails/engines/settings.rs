//! What an outside engine is, as configured.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_guard::pii::PiiKind;
use serde::{Deserialize, Serialize};

use crate::guardrails::Rule;

/// The API of an outside engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineType {
    /// Presidio's analyzer, which finds personal data.
    Presidio,
    /// OpenAI's moderations, which score content.
    Moderations,
    /// A chat model that answers `safe` or `unsafe`.
    LlamaGuard,
}

/// What a check comes to that its engine gave no verdict for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// It fails.
    Deny,
    /// It holds.
    Allow,
}

/// One engine.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSettings {
    /// What is asked, and where.
    pub api: EngineApi,
    /// How long all texts of a request or of an answer may take.
    pub timeout: Duration,
    /// What a check without a verdict comes to, where the guardrail says nothing of that.
    pub on_error: Option<OnError>,
    /// How long a verdict holds for the same text; zero for never.
    pub cache: Duration,
    /// Calls under way at once.
    pub max_in_flight: usize,
}

/// What an engine is asked, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineApi {
    /// `POST BASE_URL/analyze`.
    Presidio {
        /// The analyzer's address.
        base_url: String,
        /// The language of the texts.
        language: String,
        /// The score from which on a finding counts.
        threshold: f64,
        /// Our kinds of the analyzer's entities, beside those that are known.
        entities: BTreeMap<String, PiiKind>,
    },
    /// `POST /moderations` of a provider.
    Moderations {
        /// The model.
        model: String,
    },
    /// A chat completion of a provider.
    LlamaGuard {
        /// The model.
        model: String,
        /// Whether log probabilities are asked for, which make scores between 0 and 1.
        logprobs: bool,
    },
}

impl EngineType {
    /// The word of configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Presidio => "presidio",
            Self::Moderations => "moderations",
            Self::LlamaGuard => "llama_guard",
        }
    }

    /// Whether it can do what a check does.
    pub fn fits(self, rule: &Rule) -> bool {
        match self {
            Self::Presidio => matches!(rule, Rule::Pii(_)),
            Self::Moderations => matches!(rule, Rule::Safety(_)),
            Self::LlamaGuard => matches!(rule, Rule::Safety(_) | Rule::Injection(_)),
        }
    }
}
