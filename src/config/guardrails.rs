//! `[guardrails]`: what holds for the texts of every request and every answer.

use gateway_actors::guardrails::GuardrailFloor;
use gateway_actors::routing;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `[guardrails]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardrailSettings {
    /// Guardrails that are added to those of every request, so that no client weakens them.
    pub floor: FloorSettings,
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
    /// The floor; nothing where `check` finds something wrong with it.
    pub fn floor(&self) -> GuardrailFloor {
        routing::read_floor(&self.floor.input, &self.floor.output).unwrap_or_default()
    }
}

/// The floor must be readable, and nothing in it beyond this gateway.
pub(super) fn check(settings: &GuardrailSettings, wrong: &mut dyn FnMut(&str, String)) {
    for error in routing::read_floor(&settings.floor.input, &settings.floor.output).err().into_iter().flatten() {
        wrong(&format!("guardrails.floor.{}", error.path), error.message);
    }
}
