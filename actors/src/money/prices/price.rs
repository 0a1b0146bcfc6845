//! A row of the price table.

use chrono::NaiveDate;
use gateway_wire::ServiceTier;
use serde::{Deserialize, Serialize};

use crate::money::amount::PerMillion;

/// One model's prices in US dollars per million tokens; in JSON amounts are decimal texts, and numbers are taken too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The provider's name.
    pub provider: String,
    /// A name, or a pattern in which `*` stands for any text; an exact name wins, then the longest pattern.
    pub model: String,
    /// The service tier that the row is for; a tier without a row of its own costs as the default.
    #[serde(default, skip_serializing_if = "ServiceTier::is_default")]
    pub service_tier: ServiceTier,
    /// The first day, in UTC, on which the row holds; without one it always has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<NaiveDate>,
    /// Input that is none of the special kinds below.
    pub input: PerMillion,
    /// Output that is none of the special kinds below.
    pub output: PerMillion,
    /// Input read from the vendor's prompt cache; costs as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<PerMillion>,
    /// Input written to the vendor's prompt cache; costs as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PerMillion>,
    /// Input written to the vendor's prompt cache for an hour; costs as `cache_write` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<PerMillion>,
    /// Output spent on reasoning; costs as `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<PerMillion>,
    /// Input that is sound; costs as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_input: Option<PerMillion>,
    /// Output that is sound; costs as `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_output: Option<PerMillion>,
    /// Input that is pictures; costs as `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_input: Option<PerMillion>,
    /// Prices of long requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<Above>,
    /// The most tokens that the model puts out for one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Where the figures were read, and when.
    pub source: String,
}

impl Price {
    /// Whether nothing that the model does costs anything.
    pub fn is_free(&self) -> bool {
        let zero = PerMillion::default();
        let special = [
            self.cached_input,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.image_input,
        ];
        let is_zero = |amount: &PerMillion| *amount == zero;
        [self.input, self.output].iter().all(is_zero) && special.iter().flatten().all(is_zero) && self.above.is_empty()
    }
}

/// The prices of a whole request whose input is longer than some number of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Above {
    /// The longest input, in tokens, that does not yet cost so.
    pub tokens: u64,
    /// As [`Price::input`].
    pub input: PerMillion,
    /// As [`Price::output`].
    pub output: PerMillion,
    /// As [`Price::cached_input`]; costs as this tier's `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<PerMillion>,
    /// As [`Price::cache_write`]; costs as this tier's `input` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PerMillion>,
    /// As [`Price::cache_write_1h`]; costs as this tier's `cache_write` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<PerMillion>,
    /// As [`Price::reasoning`]; costs as this tier's `output` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<PerMillion>,
}
