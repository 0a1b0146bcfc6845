//! A virtual key as the admin API shows it.

use chrono::{DateTime, SecondsFormat, Utc};
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::money::period::BudgetPeriod;
use gateway_actors::money::usd::Usd;
use serde::Serialize;

/// The documented fields first; none of them is a secret, except `virtual_key` in the answer that makes or reissues
/// the key.
#[derive(Serialize)]
pub(super) struct KeyView<'a> {
    virtual_key: &'a str,
    name: &'a str,
    provider: Option<&'a str>,
    rate_limit: Option<u32>,
    tokens_per_minute: Option<u32>,
    max_parallel: Option<u32>,
    budget_limit_usd: Option<Usd>,
    budget_period: BudgetPeriod,
    created_at: String,
    id: String,
    is_active: bool,
    has_real_api_key: bool,
    user_id: Option<&'a str>,
    team_id: Option<&'a str>,
    allowed_models: Option<&'a [String]>,
    allowed_providers: Option<&'a [String]>,
    config: Option<&'a str>,
    expires_at: Option<String>,
    updated_at: String,
    former_until: Option<String>,
}

impl<'a> KeyView<'a> {
    /// The key with its hint in place of its text.
    pub(super) fn masked(key: &'a VirtualKey) -> Self {
        Self::new(key, &key.hint)
    }

    /// The key just made or reissued, with its text.
    pub(super) fn new(key: &'a VirtualKey, virtual_key: &'a str) -> Self {
        Self {
            virtual_key,
            name: &key.name,
            provider: key.provider.as_deref(),
            rate_limit: key.limits.requests_per_minute,
            tokens_per_minute: key.limits.tokens_per_minute,
            max_parallel: key.limits.max_parallel,
            budget_limit_usd: key.budget_limit_usd,
            budget_period: key.budget_period,
            created_at: time_text(key.created_at),
            id: key.id.to_string(),
            is_active: key.is_active,
            has_real_api_key: key.real_api_key.is_some(),
            user_id: key.user_id.as_deref(),
            team_id: key.team_id.as_deref(),
            allowed_models: key.allowed_models.as_deref(),
            allowed_providers: key.allowed_providers.as_deref(),
            config: key.config.as_deref(),
            expires_at: key.expires_at.map(time_text),
            updated_at: time_text(key.updated_at),
            former_until: key.former.map(|former| time_text(former.until)),
        }
    }
}

fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
