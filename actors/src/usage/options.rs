//! Options of a vendor that change what a request costs: they have a price, or a budget does not take them (B19).

use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, ServiceTier};

use crate::money::prices::{Multiplier, Multipliers, Price};

/// Fields that let the vendor choose other models, whose prices nobody knows here.
const MODEL_CHOICES: [&str; 3] = ["models", "fallback_models", "preset"];

/// The options that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The service tier.
    pub tier: Tier,
    /// Whether the vendor's fast mode is asked for (`speed`).
    pub is_fast: bool,
    /// Whether the answer is to be made in the United States (`inference_geo`).
    pub is_in_us: bool,
}

/// The service tier that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// None, or the ordinary one.
    #[default]
    Ordinary,
    /// Whichever the vendor sees fit (`auto`).
    Any,
    /// This one.
    Named(ServiceTier),
    /// One that has no price anywhere.
    Unknown,
}

impl Tier {
    /// The tiers that the answer may be billed with.
    pub fn candidates(self) -> &'static [ServiceTier] {
        match self {
            Self::Ordinary | Self::Unknown => &[ServiceTier::Default],
            Self::Any => &[ServiceTier::Default, ServiceTier::Flex, ServiceTier::Priority],
            Self::Named(ServiceTier::Priority) => &[ServiceTier::Default, ServiceTier::Priority],
            // A vendor may serve a cheaper one as the ordinary one.
            Self::Named(ServiceTier::Flex) => &[ServiceTier::Default, ServiceTier::Flex],
            Self::Named(ServiceTier::Batch) => &[ServiceTier::Default, ServiceTier::Batch],
            Self::Named(ServiceTier::Default) => &[ServiceTier::Default],
        }
    }
}

impl Options {
    /// Reads a request; every value counts that a vendor may read.
    pub fn from_body(body: &JsonObject) -> Self {
        let tier = match word(body, "service_tier") {
            None => Tier::Ordinary,
            Some(word) => match word.as_str() {
                "default" | "standard" | "standard_only" | "on_demand" => Tier::Ordinary,
                "auto" => Tier::Any,
                "flex" | "batch" | "priority" | "fast" => Tier::Named(ServiceTier::from_name(&word)),
                _ => Tier::Unknown,
            },
        };
        let is = |name, value| word(body, name).is_some_and(|word| word == value);
        Self { tier, is_fast: is("speed", "fast"), is_in_us: is("inference_geo", "us") }
    }

    /// The factor that the options multiply the price by.
    pub fn factor(&self, multipliers: &Multipliers) -> Multiplier {
        multipliers.factor(self.is_fast, self.is_in_us)
    }

    /// Checks that everything that the request asks for has a price: `price` is the ordinary one, `has_priority` tells
    /// whether the priority tier has its own, `known` are the factors of the model.
    ///
    /// # Errors
    /// The option without a price.
    pub fn check(
        &self,
        body: &JsonObject,
        price: &Price,
        has_priority: bool,
        known: &Multipliers,
    ) -> Result<(), BadRequest> {
        if price.is_free() {
            return Ok(());
        }
        let tier_is_priced = match self.tier {
            Tier::Named(ServiceTier::Priority) => has_priority,
            Tier::Unknown => false,
            _ => true,
        };
        let asks = |name: &str, plain: &[&str]| word(body, name).is_some_and(|word| !plain.contains(&word.as_str()));
        let unpriced = [
            ("service_tier", !tier_is_priced),
            ("speed", asks("speed", &["standard"]) && !(self.is_fast && known.speed_fast.is_some())),
            (
                "inference_geo",
                asks("inference_geo", &["global"]) && !(self.is_in_us && known.inference_geo_us.is_some()),
            ),
            ("modalities", !modalities_are_priced(body, price)),
        ];
        let choices =
            MODEL_CHOICES.into_iter().map(|name| (name, !matches!(body.get(name), None | Some("null" | "[]"))));
        match unpriced.into_iter().chain(choices).find(|(_, is_unpriced)| *is_unpriced) {
            Some((name, _)) => Err(no_price(name, body.get(name).unwrap_or_default())),
            None => Ok(()),
        }
    }
}

/// The word of a field, in lower case; a value of another type is told as its JSON text.
fn word(body: &JsonObject, name: &str) -> Option<String> {
    let text = body.get(name).filter(|text| *text != "null")?;
    Some(serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()).to_ascii_lowercase())
}

/// Whether each kind of output that is asked for has a price.
fn modalities_are_priced(body: &JsonObject, price: &Price) -> bool {
    match body.read::<Vec<String>>("modalities") {
        Ok(modalities) => modalities.unwrap_or_default().iter().all(|kind| match kind.as_str() {
            "text" => true,
            "audio" => price.audio_output.is_some(),
            _ => false,
        }),
        Err(_) => false,
    }
}

/// How much of a value is quoted, in characters.
const MAX_QUOTED: usize = 40;

fn no_price(name: &str, value: &str) -> BadRequest {
    let value: String = value.chars().take(MAX_QUOTED).collect();
    BadRequest::new(
        name,
        format!(
            "'{name}' with the value {value} has no price for this model, so it cannot be used with a budget: leave it \
             out, or use a key without a budget."
        ),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::money::amount::PerMillion;
    use crate::money::prices::ModelTable;

    fn object(text: &str) -> JsonObject {
        JsonObject::parse(Bytes::from(text.to_owned())).unwrap()
    }

    fn price() -> Price {
        let per_million = PerMillion::from_micros(1_000_000);
        Price { input: per_million, output: per_million, ..Price::default() }
    }

    fn refused(text: &str, tier: ServiceTier) -> Option<String> {
        let known = ModelTable::built_in().unwrap().find("anthropic", "claude-opus-4-8").multipliers;
        let body = object(text);
        let checked = Options::from_body(&body).check(&body, &price(), tier == ServiceTier::Priority, &known);
        checked.err().and_then(|bad| bad.param)
    }

    /// B19: what has a price passes, whatever else a client can ask for does not.
    #[test]
    fn b19_an_option_without_a_price_is_named() {
        for text in [
            "{}",
            r#"{"service_tier":"auto"}"#,
            r#"{"service_tier":"flex"}"#,
            r#"{"service_tier":null}"#,
            r#"{"service_tier":"standard_only"}"#,
            r#"{"speed":"fast","inference_geo":"US"}"#,
            r#"{"speed":"standard","inference_geo":"global"}"#,
            r#"{"modalities":["text"],"models":[]}"#,
        ] {
            assert_eq!(refused(text, ServiceTier::Default), None, "{text}");
        }
        for (text, param) in [
            (r#"{"service_tier":"priority"}"#, "service_tier"),
            (r#"{"service_tier":"f\u0061st"}"#, "service_tier"),
            (r#"{"service_tier":"scale"}"#, "service_tier"),
            (r#"{"service_tier":7}"#, "service_tier"),
            (r#"{"speed":"ultra"}"#, "speed"),
            (r#"{"speed":["fast"]}"#, "speed"),
            (r#"{"inference_geo":"eu"}"#, "inference_geo"),
            (r#"{"modalities":["text","audio"]}"#, "modalities"),
            (r#"{"modalities":"audio"}"#, "modalities"),
            (r#"{"modalities":["image"]}"#, "modalities"),
            (r#"{"models":["dearer"]}"#, "models"),
            (r#"{"preset":"p"}"#, "preset"),
        ] {
            assert_eq!(refused(text, ServiceTier::Default).as_deref(), Some(param), "{text}");
        }
        assert_eq!(refused(r#"{"service_tier":"priority"}"#, ServiceTier::Priority), None);
    }

    #[test]
    fn options_of_a_free_model_cost_nothing() {
        let body = object(r#"{"speed":"ultra","service_tier":"priority"}"#);
        let free = Price::default();
        assert_eq!(Options::from_body(&body).check(&body, &free, false, &Multipliers::default()), Ok(()));
    }
}
