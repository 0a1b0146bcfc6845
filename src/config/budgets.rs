//! `[budgets]`: budgets and the usage log.

use std::time::Duration;

use gateway_actors::budgets::ledger_actor::LedgerSettings;
use gateway_actors::money::amount::PerMillion;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::request::reserve_budget::{BudgetRules, HiddenInput};
use serde::{Deserialize, Serialize};

use super::Config;
use super::check::at_least_one;

/// The longest time that clocks are asked to add.
const YEAR_MS: u64 = 365 * 86_400_000;

/// `[budgets]`: budgets and the usage log.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetSettings {
    /// IANA time zone whose midnight starts days, weeks and months.
    pub time_zone: String,
    /// Folder of the usage journal. Processes that share it recover the journal of one that was killed.
    pub journal: String,
    /// Whether the usage log has requests of keys without a budget too.
    pub log_unbudgeted: bool,
    /// Days to keep rows of the usage log; 0 for ever.
    pub usage_retention_days: u32,
    /// Maximum output tokens of a request with a budget that sets no limit of its own.
    pub default_output_tokens: u64,
    /// Whether a response that the budget does not cover is shortened. Otherwise the request is refused.
    pub shorten_answers: bool,
    /// Minimum output tokens that are worth a request.
    pub min_output_tokens: u64,
    /// Whether a request to which the vendor adds input reserves the context window, or is refused.
    pub hidden_input: HiddenInput,
    /// Input tokens to reserve for such a request; 0 for the context window.
    pub hidden_input_tokens: u64,
    /// Price of models without a price. Without it, keys with a budget cannot use them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_price: Option<CeilingPrice>,
    /// Alert thresholds in percent of a budget; each fires once per period.
    pub alert_percent: Vec<u32>,
    /// Interval at which usage rows are written to the database, in milliseconds.
    pub flush_ms: u64,
    /// Interval at which budgets and prices are read from the database, in milliseconds.
    pub refresh_ms: u64,
    /// Idle time after which a leased slice goes back to the database, in milliseconds.
    pub lease_idle_ms: u64,
    /// Lifetime of a lease without renewal, in milliseconds.
    pub lease_ms: u64,
    /// Time after the end of a lease at which its process counts as lost and the slice as spent, in milliseconds.
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
    /// Price of the input.
    pub input: PerMillion,
    /// Price of the output.
    pub output: PerMillion,
}

impl Config {
    /// How budgets are applied.
    pub fn budget_rules(&self) -> BudgetRules {
        let settings = &self.budgets;
        BudgetRules {
            default_output_tokens: settings.default_output_tokens,
            shorten_answers: settings.shorten_answers,
            min_output_tokens: settings.min_output_tokens,
            hidden_input: settings.hidden_input,
            hidden_input_tokens: Some(settings.hidden_input_tokens).filter(|tokens| *tokens > 0),
            query_timeout: Duration::from_millis(self.store.query_timeout_ms),
        }
    }

    /// What the ledger is started with; alerts go `out`.
    pub fn ledger_settings(&self, out: &Outbound) -> LedgerSettings {
        let settings = &self.budgets;
        LedgerSettings {
            journal: settings.journal.clone().into(),
            flush: Duration::from_millis(settings.flush_ms),
            refresh: Duration::from_millis(settings.refresh_ms),
            lease_idle: Duration::from_millis(settings.lease_idle_ms),
            lease: Duration::from_millis(settings.lease_ms),
            orphan_lease: Duration::from_millis(settings.orphan_lease_ms),
            keep_usage: match settings.usage_retention_days {
                0 => None,
                days => Some(Duration::from_secs(u64::from(days) * 86_400)),
            },
            alert_percent: settings.alert_percent.clone(),
            webhook: self.webhook(out),
        }
    }
}

/// Times, prices and parts must be usable.
pub(super) fn check(budgets: &BudgetSettings, wrong: &mut dyn FnMut(&str, String)) {
    if budgets.time_zone.parse::<chrono_tz::Tz>().is_err() {
        wrong("budgets.time_zone", format!("'{}' must be a time zone, such as Asia/Ho_Chi_Minh", budgets.time_zone));
    }
    let settings = [
        ("budgets.default_output_tokens", budgets.default_output_tokens),
        ("budgets.min_output_tokens", budgets.min_output_tokens),
        ("budgets.flush_ms", budgets.flush_ms),
        ("budgets.refresh_ms", budgets.refresh_ms),
        ("budgets.lease_ms", budgets.lease_ms),
    ];
    at_least_one(&settings, wrong);
    for (path, value) in [("budgets.lease_ms", budgets.lease_ms), ("budgets.orphan_lease_ms", budgets.orphan_lease_ms)]
    {
        if value > YEAR_MS {
            wrong(path, "must be at most a year".to_owned());
        }
    }
    if let Some(ceiling) = budgets.ceiling_price {
        for (path, price) in [("input", ceiling.input), ("output", ceiling.output)] {
            if price == PerMillion::default() {
                wrong(&format!("budgets.ceiling_price.{path}"), "must be above 0".to_owned());
            }
        }
    }
    if !budgets.alert_percent.iter().all(|percent| (1..=100).contains(percent)) {
        wrong("budgets.alert_percent", "each value must be from 1 to 100".to_owned());
    }
}
