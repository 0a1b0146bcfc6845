//! `[budgets]`: what requests may cost, and what is kept of them.

use gateway_actors::money::amount::PerMillion;
use gateway_actors::request::reserve_budget::HiddenInput;
use serde::{Deserialize, Serialize};

/// `[budgets]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// The IANA name of the time zone whose midnight begins days, weeks and months.
    pub time_zone: String,
    /// The folder of the usage journal; processes that share it take up what one of them leaves when it is killed.
    pub journal: String,
    /// Whether requests of keys without a budget are in the usage log too.
    pub log_unbudgeted: bool,
    /// Days that rows of the usage log are kept; 0 for ever.
    pub usage_retention_days: u32,
    /// Output tokens that a request with a budget may use where it sets no limit of its own.
    pub default_output_tokens: u64,
    /// Whether an answer is made shorter where the budget does not allow a whole one; otherwise it is refused.
    pub shorten_answers: bool,
    /// The shortest answer that is worth a request, in tokens.
    pub min_output_tokens: u64,
    /// Whether a request to which the vendor adds input of its own is reserved for in full, or refused.
    pub hidden_input: HiddenInput,
    /// Input tokens that such a request counts as; 0 for the most that the model takes.
    pub hidden_input_tokens: u64,
    /// What a model without a price is reserved, charged and logged at; none refuses it to keys with a budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_price: Option<CeilingPrice>,
    /// Parts of a limit, in hundredths, that are told once when they are spent.
    pub alert_percent: Vec<u32>,
    /// How often usage rows are written to the store, in milliseconds.
    pub flush_ms: u64,
    /// How often limits and prices are read from the store, in milliseconds.
    pub refresh_ms: u64,
    /// How long nobody may use a leased slice before it goes back to the store, in milliseconds.
    pub lease_idle_ms: u64,
    /// How long a lease stands without being renewed, in milliseconds.
    pub lease_ms: u64,
    /// How long after that a process counts as gone, in milliseconds; what it had leased then counts as spent.
    pub orphan_lease_ms: u64,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            journal: "data/journal".to_owned(),
            log_unbudgeted: true,
            usage_retention_days: 0,
            default_output_tokens: 16_384,
            shorten_answers: true,
            min_output_tokens: 64,
            hidden_input: HiddenInput::Reserve,
            hidden_input_tokens: 0,
            ceiling_price: None,
            alert_percent: vec![80],
            flush_ms: 200,
            refresh_ms: 2_000,
            lease_idle_ms: 5_000,
            lease_ms: 30_000,
            orphan_lease_ms: 3_600_000,
        }
    }
}

/// `[budgets.ceiling_price]`, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingPrice {
    /// Of the input.
    pub input: PerMillion,
    /// Of the output.
    pub output: PerMillion,
}
