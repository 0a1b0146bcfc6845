//! `[guardrails]`: what holds for the texts of every request and every answer.

use std::collections::{BTreeMap, HashMap};

use gateway_actors::guardrails::{
    EngineRoute, EngineType, Engines, GuardPool, GuardrailFloor, GuardrailRules, ScanLimit,
};
use gateway_actors::providers::catalogue::Catalogue;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::routing;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actors::GuardrailActorSettings;
use super::check::at_least_one;
use super::engines::EngineSection;

/// `[guardrails]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardrailSettings {
    /// Bytes of a request, or of the texts of an answer, that guardrails look at.
    pub max_scan_bytes: usize,
    /// What becomes of more: `deny` or `pass`.
    pub over_limit: Unchecked,
    /// What becomes of a request that guardrails look at, and that has what they cannot look at: `deny` or `pass`.
    pub media: Unchecked,
    /// Guardrails that are added to those of every request, so that no client weakens them.
    pub floor: FloorSettings,
    /// Outside engines that guardrails ask, by name.
    pub engines: BTreeMap<String, EngineSection>,
}

/// What becomes of what guardrails do not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unchecked {
    /// It is denied.
    Deny,
    /// It passes.
    Pass,
}

impl Default for GuardrailSettings {
    fn default() -> Self {
        let limit = ScanLimit::default();
        Self {
            max_scan_bytes: limit.max_bytes,
            over_limit: Unchecked::Deny,
            media: Unchecked::Pass,
            floor: FloorSettings::default(),
            engines: BTreeMap::new(),
        }
    }
}

/// `[guardrails.floor]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FloorSettings {
    /// Those of requests.
    pub input: Vec<Value>,
    /// Those of answers.
    pub output: Vec<Value>,
}

impl GuardrailSettings {
    /// What requests pass, with the pool of its own section and the engines that were started.
    pub fn rules(&self, pool: GuardrailActorSettings, engines: Engines) -> GuardrailRules {
        let limit = ScanLimit { max_bytes: self.max_scan_bytes, denies: self.over_limit == Unchecked::Deny };
        let denies_media = self.media == Unchecked::Deny;
        let pool = GuardPool::start(pool.pool());
        GuardrailRules { floor: self.floor(), limit, denies_media, pool, engines }
    }

    /// The engines, and the way to each. `ways` are those to the providers.
    pub fn engine_routes(
        &self,
        catalogue: &Catalogue,
        out: &Outbound,
        ways: &HashMap<String, Outbound>,
    ) -> Vec<EngineRoute> {
        let route = |(name, section): (&String, &EngineSection)| {
            let provider = catalogue.get(&section.provider).cloned();
            let outbound = ways.get(&section.provider).unwrap_or(out).clone();
            EngineRoute { name: name.clone(), settings: section.settings(), provider, outbound }
        };
        self.engines.iter().map(route).collect()
    }

    /// What each engine is.
    pub(super) fn engine_types(&self) -> BTreeMap<String, EngineType> {
        self.engines.iter().map(|(name, section)| (name.clone(), section.kind)).collect()
    }

    /// The floor; nothing where `check` finds something wrong with it.
    fn floor(&self) -> GuardrailFloor {
        routing::read_floor(&self.floor.input, &self.floor.output).unwrap_or_default()
    }
}

/// Something must be looked at; the floor must be readable, and nothing in it beyond this gateway.
pub(super) fn check(settings: &GuardrailSettings, wrong: &mut dyn FnMut(&str, String)) {
    at_least_one(&[("guardrails.max_scan_bytes", settings.max_scan_bytes as u64)], wrong);
    let read = routing::read_floor(&settings.floor.input, &settings.floor.output);
    let errors = read.map_or_else(|errors| errors, |floor| routing::check_engines(&floor, &settings.engine_types()));
    for error in errors {
        wrong(&format!("guardrails.floor.{}", error.path), error.message);
    }
}
