//! `[guardrails.engines.NAME]`: outside engines that guardrails ask.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_actors::guardrails::{
    EngineApi, EngineSettings, EngineType, MAX_TIMEOUT_MS, OnError, PiiKind, is_engine_name,
};
use gateway_wire::Dialect;
use serde::{Deserialize, Serialize};

use super::check::at_least_one;
use super::{Config, base_url};

/// `[guardrails.engines.NAME]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSection {
    /// What it is: `presidio`, `moderations` or `llama_guard`.
    #[serde(rename = "type")]
    pub kind: EngineType,
    /// Address of a Presidio analyzer.
    #[serde(default)]
    pub base_url: String,
    /// Language of the texts, as Presidio names it.
    #[serde(default = "english")]
    pub language: String,
    /// Score from 0 to 1 from which on a finding of Presidio's counts.
    #[serde(default = "half")]
    pub threshold: f64,
    /// The gateway's kinds of Presidio's entities, beside those that it knows.
    #[serde(default)]
    pub entities: BTreeMap<String, String>,
    /// Provider of the model.
    #[serde(default)]
    pub provider: String,
    /// Model that is asked.
    #[serde(default)]
    pub model: String,
    /// Whether the chat model is asked for log probabilities.
    #[serde(default)]
    pub logprobs: bool,
    /// How long the texts of a request or of an answer may take, in milliseconds.
    #[serde(default = "second")]
    pub timeout_ms: u64,
    /// What a check without a verdict comes to: `deny` or `allow`; by its action where absent.
    #[serde(default)]
    pub on_error: Option<OnError>,
    /// How long a verdict holds for the same text, in seconds; 0 for never.
    #[serde(default = "five_minutes")]
    pub cache_seconds: u64,
    /// Calls under way at once.
    #[serde(default = "places")]
    pub max_in_flight: usize,
}

fn english() -> String {
    "en".to_owned()
}

fn half() -> f64 {
    0.5
}

fn second() -> u64 {
    1_000
}

fn five_minutes() -> u64 {
    300
}

fn places() -> usize {
    16
}

/// A day: what is kept longer is no verdict on the model in use any more.
const MAX_CACHE_SECONDS: u64 = 86_400;

impl EngineSection {
    /// What the engine is started with.
    pub(super) fn settings(&self) -> EngineSettings {
        let model = self.model.clone();
        let api = match self.kind {
            EngineType::Presidio => EngineApi::Presidio {
                base_url: self.base_url.clone(),
                language: self.language.clone(),
                threshold: self.threshold,
                entities: self
                    .entities
                    .iter()
                    .filter_map(|(name, kind)| Some((name.clone(), kind.parse().ok()?)))
                    .collect(),
            },
            EngineType::Moderations => EngineApi::Moderations { model },
            EngineType::LlamaGuard => EngineApi::LlamaGuard { model, logprobs: self.logprobs },
        };
        EngineSettings {
            api,
            timeout: Duration::from_millis(self.timeout_ms),
            on_error: self.on_error,
            cache: Duration::from_secs(self.cache_seconds),
            max_in_flight: self.max_in_flight,
        }
    }
}

/// Each engine must have what its type needs, and nothing that it does not know.
pub(super) fn check(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    for (name, section) in &config.guardrails.engines {
        let path = format!("guardrails.engines.{name}");
        if !is_engine_name(name) {
            let message = "an engine's name may contain a-z, 0-9, - and _ only, at most 64, and is not 'local'";
            wrong(&path, message.to_owned());
        }
        let mut wrong = |key: &str, message: String| wrong(&format!("{path}.{key}"), message);
        check_limits(section, &mut wrong);
        match section.kind {
            EngineType::Presidio => check_presidio(section, &mut wrong),
            EngineType::Moderations | EngineType::LlamaGuard => check_model(config, section, &mut wrong),
        }
    }
}

/// What keeps engines from being asked, though they are configured as they should be.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let catalogue = config.catalogue();
    let warning = |(name, section): (&String, &EngineSection)| {
        let why = catalogue.get(&section.provider)?.why_not_ready.as_ref()?;
        Some(format!("guardrails.engines.{name}.provider: {why}"))
    };
    config.guardrails.engines.iter().filter_map(warning).collect()
}

fn check_limits(section: &EngineSection, wrong: &mut dyn FnMut(&str, String)) {
    if !(1..=MAX_TIMEOUT_MS).contains(&section.timeout_ms) {
        wrong("timeout_ms", format!("must be from 1 to {MAX_TIMEOUT_MS}"));
    }
    if section.cache_seconds > MAX_CACHE_SECONDS {
        wrong("cache_seconds", format!("must be at most {MAX_CACHE_SECONDS}"));
    }
    at_least_one(&[("max_in_flight", section.max_in_flight as u64)], wrong);
}

fn check_presidio(section: &EngineSection, wrong: &mut dyn FnMut(&str, String)) {
    if let Some(problem) = base_url::problem(&section.base_url) {
        wrong("base_url", problem);
    } else if section.base_url.contains('?') {
        wrong("base_url", "must have no query: the gateway adds /analyze".to_owned());
    } else if section.base_url.trim_end_matches('/').ends_with("/analyze") {
        wrong("base_url", "must end before /analyze: the gateway adds it".to_owned());
    }
    if section.language.is_empty() {
        wrong("language", "must name a language, such as 'en'".to_owned());
    }
    if !(0.0..=1.0).contains(&section.threshold) {
        wrong("threshold", "must be a number from 0 to 1".to_owned());
    }
    for (entity, kind) in &section.entities {
        if kind.parse::<PiiKind>().is_err() {
            wrong(&format!("entities.{entity}"), format!("'{kind}' must be a kind of personal data, such as 'NAME'"));
        }
    }
    for (key, is_set) in [
        ("provider", !section.provider.is_empty()),
        ("model", !section.model.is_empty()),
        ("logprobs", section.logprobs),
    ] {
        if is_set {
            wrong(key, "is not for the type 'presidio'".to_owned());
        }
    }
}

fn check_model(config: &Config, section: &EngineSection, wrong: &mut dyn FnMut(&str, String)) {
    let kind = section.kind.as_str();
    match config.providers.get(&section.provider) {
        _ if section.provider.is_empty() => wrong("provider", "must name the provider of the model".to_owned()),
        None => wrong("provider", format!("the section [providers.{}] does not exist", section.provider)),
        Some(settings)
            if section.kind == EngineType::Moderations
                && matches!(settings.dialect, Dialect::Anthropic | Dialect::Ollama) =>
        {
            wrong("provider", "must be of OpenAI's format: others have no moderations".to_owned());
        }
        Some(_) => {}
    }
    if section.model.is_empty() {
        wrong("model", "must name the model".to_owned());
    }
    let is_model = section.kind == EngineType::LlamaGuard;
    for (key, is_set) in [
        ("base_url", !section.base_url.is_empty()),
        ("language", section.language != english()),
        ("threshold", section.threshold != half()),
        ("entities", !section.entities.is_empty()),
        ("logprobs", section.logprobs && !is_model),
    ] {
        if is_set {
            wrong(key, format!("is not for the type '{kind}'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::config::load;

    fn problems(sections: &str) -> Vec<String> {
        match load(Some(sections), &HashMap::new()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// D8: what is wrong with an engine is told with its path before the start.
    #[test]
    fn d8_wrong_engines_are_told() {
        let presidio = "[guardrails.engines.p]\ntype = 'presidio'\nbase_url = 'http://h:3000'\n";
        let model =
            "[guardrails.engines.m]\ntype = 'moderations'\nprovider = 'openai'\nmodel = 'omni-moderation-latest'\n";
        let guard = "[guardrails.engines.g]\ntype = 'llama_guard'\nprovider = 'ollama'\nmodel = 'llama-guard3'\n";
        assert_eq!(problems(&format!("{presidio}{model}{guard}")), [""; 0]);
        for (sections, told) in [
            ("[guardrails.engines.p]\ntype = 'magic'".to_owned(), "guardrails.engines.p.type"),
            ("[guardrails.engines.p]\ntype = 'presidio'".to_owned(), "guardrails.engines.p.base_url"),
            (format!("{presidio}language = ''"), "guardrails.engines.p.language"),
            (format!("{presidio}threshold = 1.5"), "guardrails.engines.p.threshold"),
            (format!("{presidio}threshold = nan"), "guardrails.engines.p.threshold"),
            (format!("{presidio}entities = {{ X = 'MAGIC' }}"), "guardrails.engines.p.entities.X"),
            (format!("{presidio}provider = 'openai'"), "guardrails.engines.p.provider"),
            (format!("{presidio}timeout_ms = 0"), "guardrails.engines.p.timeout_ms"),
            (format!("{presidio}cache_seconds = 90000"), "guardrails.engines.p.cache_seconds"),
            (format!("{presidio}max_in_flight = 0"), "guardrails.engines.p.max_in_flight"),
            (format!("{presidio}on_error = 'pass'"), "guardrails.engines.p.on_error"),
            (format!("{model}base_url = 'http://h'"), "guardrails.engines.m.base_url"),
            (format!("{model}logprobs = true"), "guardrails.engines.m.logprobs"),
            (model.replace("openai", "none"), "guardrails.engines.m.provider"),
            (model.replace("openai", "ollama"), "guardrails.engines.m.provider"),
            (guard.replace("llama-guard3", ""), "guardrails.engines.g.model"),
            (presidio.replace("engines.p", "engines.local"), "guardrails.engines.local"),
            (presidio.replace("3000", "3000/analyze"), "guardrails.engines.p.base_url"),
            (
                format!("{model}[guardrails.floor]\ninput = [{{ type = 'pii_detection', engine = 'm' }}]"),
                "guardrails.floor.input[0].engine",
            ),
            (
                "[configs.c]\nguardrails = { output = [{ type = 'content_safety', engine = 'none' }] }".to_owned(),
                "configs.c.guardrails.output[0].engine",
            ),
        ] {
            let found = problems(&sections);
            assert!(found.len() <= 2 && found[0].starts_with(told), "{sections}: {found:?}");
        }
    }

    #[test]
    fn an_engine_whose_provider_has_no_credential_is_told() {
        let engine = "[guardrails.engines.m]\ntype = 'moderations'\nprovider = 'openai'\nmodel = 'omni'\n";
        let told = |key: &str| {
            let environment = HashMap::from([("OPENAI_API_KEY".to_owned(), key.to_owned())]);
            load(Some(engine), &environment).unwrap().warnings
        };
        let warnings = told("");
        assert!(warnings.len() == 1 && warnings[0].starts_with("guardrails.engines.m.provider: "), "{warnings:?}");
        assert_eq!(told("sk-x"), [""; 0]);
    }
}
