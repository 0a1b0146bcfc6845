//! `cache`: whether answers may come from, and go to, the gateway's cache.

use std::time::Duration;

use serde_json::{Value, json};

use super::fields::{Fields, Findings};

const KNOWN_FIELDS: &[&str] = &["mode", "ttl", "max_age", "threshold", "namespace", "read", "write"];
const MODES: &str = "'simple', 'semantic' or 'disabled'";

/// How long an answer may be used at most, by Portkey's documentation, in seconds.
pub const MAX_AGE_SECONDS: u64 = 7_776_000;
/// How long by default.
const DEFAULT_AGE_SECONDS: u64 = 604_800;

/// How a request is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMode {
    /// By equality.
    Simple,
    /// By equality, then by meaning.
    Semantic,
}

/// What a config asks of the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheRule {
    /// How a request is looked up.
    pub mode: CacheMode,
    /// How long an answer may be used.
    pub max_age: Duration,
    /// The least cosine similarity of a semantic hit, 0.8..=1; the embedding model's own where absent.
    pub threshold: Option<f64>,
    /// Answers are shared within a namespace alone.
    pub namespace: Option<String>,
    /// Whether answers may come from the cache.
    pub read: bool,
    /// Whether answers may go to the cache.
    pub write: bool,
}

impl CacheRule {
    fn new(mode: CacheMode) -> Self {
        Self {
            mode,
            max_age: Duration::from_secs(DEFAULT_AGE_SECONDS),
            threshold: None,
            namespace: None,
            read: true,
            write: true,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mode = match self.mode {
            CacheMode::Simple => "simple",
            CacheMode::Semantic => "semantic",
        };
        let mut rule = json!({"mode": mode, "max_age": self.max_age.as_secs(), "namespace": self.namespace,
            "read": self.read, "write": self.write});
        if let Some(threshold) = self.threshold {
            rule["threshold"] = json!(threshold);
        }
        rule
    }
}

/// What a node says about the cache: `None` for nothing, so that it inherits, `Some(None)` for no cache.
pub(super) fn read(fields: &Fields<'_>, found: &mut Findings) -> Option<Option<CacheRule>> {
    let object = match fields.get("cache")? {
        Value::Bool(false) => return Some(None),
        Value::String(word) => return mode(word, &fields.at("cache"), found).map(|mode| mode.map(CacheRule::new)),
        Value::Object(object) => object,
        _ => {
            found.error(fields.at("cache"), format!("must be {MODES}, or an object with a 'mode'"));
            return None;
        }
    };
    let cache = Fields::new(&fields.at("cache"), object, &[KNOWN_FIELDS], found);
    let mode = match cache.get("mode") {
        Some(Value::String(word)) => mode(word, &cache.at("mode"), found),
        _ => {
            found.error(cache.at("mode"), format!("must be {MODES}"));
            None
        }
    };
    let mut age = |name: &str| {
        let seconds = cache.number(name, 1, MAX_AGE_SECONDS, found)?;
        if seconds < 60 {
            found.warn(format!("'{}' is under a minute", cache.at(name)));
        }
        Some(Duration::from_secs(seconds))
    };
    let (ttl, max_age) = (age("ttl"), age("max_age"));
    let threshold = cache.fraction("threshold", 0.8, 1.0, found);
    let namespace = cache.text("namespace", found).map(str::to_owned);
    let (reads, writes) = (cache.flag("read", found), cache.flag("write", found));
    let Some(mode) = mode? else { return Some(None) };
    let default = CacheRule::new(mode);
    let rule = CacheRule {
        max_age: max_age.or(ttl).unwrap_or(default.max_age),
        threshold,
        namespace,
        read: reads.unwrap_or(true),
        write: writes.unwrap_or(true),
        ..default
    };
    Some(Some(rule).filter(|rule| rule.read || rule.write))
}

/// A mode by its word; `Some(None)` for no cache, `None` for no such word.
fn mode(word: &str, path: &str, found: &mut Findings) -> Option<Option<CacheMode>> {
    match word {
        "simple" => Some(Some(CacheMode::Simple)),
        "semantic" => Some(Some(CacheMode::Semantic)),
        "disabled" | "none" | "off" => Some(None),
        _ => {
            found.error(path, format!("must be {MODES}"));
            None
        }
    }
}
