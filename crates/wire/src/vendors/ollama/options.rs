//! Ollama's `options`: those that the client gave as an extension, and the common parameters over them.

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use super::request::{note, present};
use crate::BadRequest;
use crate::common::{Conversation, JsonText};
use crate::json_object::JsonObject;
use crate::vendors::TargetModel;

/// Options in their order.
#[derive(Default)]
pub(super) struct Options(Vec<(String, JsonText)>);

impl Options {
    pub(super) fn of(
        conversation: &Conversation,
        target: &TargetModel<'_>,
        dropped: &mut Vec<String>,
    ) -> Result<Self, BadRequest> {
        let mut options = present(conversation, "options").map_or(Ok(Self::default()), Self::given)?;
        let sampling = &conversation.sampling;
        let number = |number: &Option<Number>| number.clone().map(Value::Number).map(JsonText::from);
        let whole = |number: Option<u64>| number.map(|number| JsonText::from(Value::from(number)));
        options.set("temperature", number(&sampling.temperature));
        options.set("top_p", number(&sampling.top_p));
        options.set("top_k", whole(sampling.top_k).or_else(|| present(conversation, "top_k").cloned()));
        options.set("min_p", present(conversation, "min_p").cloned());
        options.set("seed", number(&sampling.seed));
        options.set("frequency_penalty", number(&sampling.frequency_penalty));
        options.set("presence_penalty", number(&sampling.presence_penalty));
        options.set("num_predict", whole(limit(conversation, target, dropped)));
        if !sampling.stop.is_empty() {
            options.set("stop", Some(JsonText::from(Value::from(sampling.stop.clone()))));
        }
        Ok(options)
    }

    fn given(options: &JsonText) -> Result<Self, BadRequest> {
        let object = JsonObject::parse(Bytes::copy_from_slice(options.as_str().as_bytes()));
        let wrong = || BadRequest::new("options", "'options' must be an object of Ollama's options.");
        let object = object.map_err(|_| wrong())?;
        let mut given = Self::default();
        for (name, value) in object.fields() {
            given.set(name, Some(JsonText::parse(value).map_err(|_| wrong())?));
        }
        Ok(given)
    }

    fn set(&mut self, name: &str, value: Option<JsonText>) {
        let Some(value) = value else { return };
        match self.0.iter_mut().find(|(there, _)| there == name) {
            Some((_, there)) => *there = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The most output tokens: no more than the model can, where that is known (J13).
fn limit(conversation: &Conversation, target: &TargetModel<'_>, dropped: &mut Vec<String>) -> Option<u64> {
    let asked = conversation.max_output_tokens?;
    match target.max_output_tokens.filter(|most| *most < asked) {
        Some(most) => {
            note("max_tokens", dropped);
            Some(most)
        }
        None => Some(asked),
    }
}

impl Serialize for Options {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
