//! A request for Anthropic as it is written.

use bytes::Bytes;
use serde::Serialize;

use super::model::{Abilities, abilities};
use crate::BadRequest;
use crate::common::{Conversation, Family, JsonText, Reasoning};
use crate::json_object::{JsonObject, json_string};
use crate::vendors::TargetModel;

/// The fields of a request, and what of the client's cannot be among them.
pub(super) struct Draft<'a> {
    pub conversation: &'a Conversation,
    pub abilities: Abilities,
    /// The most output tokens of the model, where that is known.
    pub most_output: Option<u64>,
    /// Whether the client speaks this format too, so that its own words stand.
    pub is_native: bool,
    /// Fields that have no counterpart.
    pub dropped: Vec<String>,
    fields: Vec<(&'a str, String)>,
    /// `output_config`.
    output: Vec<(String, String)>,
}

impl<'a> Draft<'a> {
    pub fn new(conversation: &'a Conversation, target: &TargetModel<'_>) -> Self {
        let is_native = conversation.rest_family == Some(Family::Anthropic);
        // A client that speaks of thinking in this API's own words knows what it asks for.
        let own_words = |reasoning: &Reasoning| reasoning.adaptive || reasoning.budget_tokens.is_some();
        let is_explicit = is_native || conversation.reasoning.as_ref().is_some_and(own_words);
        let mut abilities = abilities(target.model, is_explicit);
        abilities.system_turns &= is_native || abilities.most_output.is_some();
        Self {
            conversation,
            abilities,
            most_output: target.max_output_tokens.or(abilities.most_output),
            is_native,
            dropped: conversation.lost.clone(),
            fields: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Sets a field; the first word counts.
    pub fn set(&mut self, name: &'a str, value: &impl Serialize) {
        if !self.has(name) {
            // Texts, numbers and JSON that was checked always serialise.
            self.fields.push((name, serde_json::to_string(value).unwrap_or_default()));
        }
    }

    /// Whether a field is set.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| *field == name)
    }

    /// Sets a field of `output_config`, beside those that the client gave.
    pub fn set_output(&mut self, name: &str, value: &impl Serialize) {
        if !self.output.iter().any(|(field, _)| field == name) {
            self.output.push((name.to_owned(), serde_json::to_string(value).unwrap_or_default()));
        }
    }

    /// Takes in an `output_config` of the client's.
    pub fn take_output(&mut self, config: &JsonText) -> Result<(), BadRequest> {
        let bad = |_| BadRequest::new("output_config", "'output_config' must be an object.");
        let config = JsonObject::parse(Bytes::copy_from_slice(config.as_str().as_bytes())).map_err(bad)?;
        for (name, value) in config.fields() {
            if self.abilities.effort || name != "effort" || self.abilities.most_output.is_none() {
                self.output.push((name.to_owned(), value.to_owned()));
            } else {
                self.note("output_config.effort");
            }
        }
        Ok(())
    }

    /// A field that only the client's format has, or that passes as an extension.
    pub fn rest(&self, name: &str) -> Option<&'a JsonText> {
        self.conversation.rest.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Names a lost field, once.
    pub fn note(&mut self, name: &str) {
        if !self.dropped.iter().any(|dropped| dropped == name) {
            self.dropped.push(name.to_owned());
        }
    }

    /// The name of a field in the client's own format, for telling it.
    pub fn named(&self, own: &'static str, others: &'static str) -> &'static str {
        if self.is_native { own } else { others }
    }

    /// The body.
    pub fn body(mut self) -> (Bytes, Vec<String>) {
        if !self.output.is_empty() {
            let fields = std::mem::take(&mut self.output);
            let text = object(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            self.fields.push(("output_config", text));
        }
        let text = object(self.fields.iter().map(|(name, value)| (*name, value.as_str())));
        (Bytes::from(text), self.dropped)
    }
}

/// A JSON object of fields whose values are JSON texts.
fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (name, value) in fields {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&json_string(name));
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}
