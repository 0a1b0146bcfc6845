//! Virtual keys: what an application presents instead of a provider's credential, and what it may do with it.

mod key_text;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::money::usd::Usd;
use crate::pattern::matches_pattern;
pub use key_text::{KeyHash, KeyRef, KeyText};

use crate::limits::limit_table::ScopeLimits;
use crate::limits::{Counters, Limits};
use crate::money::period::BudgetPeriod;
use crate::secret::Secret;

/// One virtual key as the hot path reads it: complete, immutable, replaced whole by an edit.
pub struct VirtualKey {
    /// The name that programs use once the key text is no longer at hand (UUID version 7).
    pub id: Uuid,
    /// The id as text.
    pub id_text: Arc<str>,
    /// SHA-256 of the key text; the text itself is kept nowhere (H1).
    pub hash: KeyHash,
    /// The key as shown to people: `vk-abc…wxyz`.
    pub hint: String,
    /// What the administrator calls it.
    pub name: String,
    /// The provider that requests without a routing config go to, and that `real_api_key` belongs to.
    pub provider: Option<String>,
    /// The provider credential used instead of the gateway's own.
    pub real_api_key: Option<Secret>,
    /// How often, how much and how many at once the key may ask.
    pub limits: Limits,
    /// US dollars that the key may spend in a `budget_period`; none means no limit.
    pub budget_limit_usd: Option<Usd>,
    /// How often the budget begins anew.
    pub budget_period: BudgetPeriod,
    /// The user whose budget the key also draws on.
    pub user_id: Option<String>,
    /// The team whose budget the key also draws on.
    pub team_id: Option<String>,
    /// Patterns (`*` stands for any text) of the models that the key may ask for, by the names that clients use for them;
    /// none means all.
    pub allowed_models: Option<Vec<String>>,
    /// The providers that the key may reach; none means all.
    pub allowed_providers: Option<Vec<String>>,
    /// When the key stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// The named routing config of requests that bring none.
    pub config: Option<String>,
    /// False once revoked.
    pub is_active: bool,
    /// When the key was made.
    pub created_at: DateTime<Utc>,
    /// When the key was last changed.
    pub updated_at: DateTime<Utc>,
    /// The text that the key had before it was reissued.
    pub former: Option<FormerText>,
    /// The counters behind `limits`, shared by successive versions of the key: an edit gives it no fresh minute.
    pub(crate) counters: Option<Arc<Counters>>,
}

/// What a reissued key was known by before, and still is until its grace period ends (H5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerText {
    /// SHA-256 of the former text.
    pub hash: KeyHash,
    /// When it stops working.
    pub until: DateTime<Utc>,
}

/// Why a known key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The key was revoked.
    #[error("this virtual key was revoked")]
    Revoked,
    /// The key's `expires_at` has passed.
    #[error("this virtual key has expired")]
    Expired,
    /// The key has a new text, and the grace period of this one is over.
    #[error("this virtual key was reissued")]
    Reissued,
}

impl VirtualKey {
    /// Whether an edit would change nothing that a request looks at.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let shown = |key: &Self| {
            (
                (key.hash, key.name.clone(), key.provider.clone(), key.limits, key.budget_limit_usd, key.budget_period),
                (key.user_id.clone(), key.team_id.clone(), key.allowed_models.clone(), key.allowed_providers.clone()),
                (key.expires_at, key.config.clone(), key.is_active, key.updated_at, key.former),
            )
        };
        shown(self) == shown(other) && self.real_api_key == other.real_api_key
    }

    /// Those who share what is kept of the key's requests, such as cached responses: its team, or the key alone.
    pub fn tenant(&self) -> String {
        self.team_id.as_ref().map_or_else(|| ["key:", &self.id_text].concat(), |team| ["team:", team].concat())
    }

    /// Whether the key works at all at `now`, by the text with this hash: the one check that every use of a key starts
    /// with (H4).
    ///
    /// # Errors
    /// Why it does not.
    pub fn authorize(&self, presented: KeyHash, now: DateTime<Utc>) -> Result<(), KeyRefusal> {
        if !self.is_active {
            return Err(KeyRefusal::Revoked);
        }
        match self.expires_at {
            Some(expires_at) if expires_at <= now => return Err(KeyRefusal::Expired),
            _ => {}
        }
        let in_grace = |former: &FormerText| former.hash == presented && now < former.until;
        if self.hash == presented || self.former.as_ref().is_some_and(in_grace) {
            return Ok(());
        }
        Err(KeyRefusal::Reissued)
    }

    /// What the key can be found by.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = KeyHash> {
        [Some(self.hash), self.former.map(|former| former.hash)].into_iter().flatten()
    }

    /// The key's own limits with their counters, where it has any.
    pub fn limited(&self) -> Option<ScopeLimits> {
        let counters = self.counters.clone().filter(|_| !self.limits.is_empty())?;
        Some(ScopeLimits { limits: self.limits, counters })
    }

    /// Whether the key may ask this provider for this model. A pattern is a name as clients use it: `gpt-4o` for the model
    /// at any provider, or `openai/gpt-4o`, where `is_provider` knows the first part.
    pub fn allows_model(&self, provider: &str, model: &str, is_provider: &dyn Fn(&str) -> bool) -> bool {
        let Some(patterns) = &self.allowed_models else { return true };
        patterns.iter().any(|pattern| {
            let pattern = pattern.strip_prefix('@').unwrap_or(pattern);
            match pattern.split_once('/') {
                Some((prefix, rest)) if is_provider(&prefix.to_ascii_lowercase()) => {
                    prefix.eq_ignore_ascii_case(provider) && matches_pattern(rest, model)
                }
                Some((prefix, rest)) if prefix.contains('*') => {
                    let is_qualified = matches_pattern(prefix, provider) && matches_pattern(rest, model);
                    is_qualified || matches_pattern(pattern, model)
                }
                _ => matches_pattern(pattern, model),
            }
        })
    }

    /// Whether the key may ask for an alias of this name, whatever serves it.
    pub fn allows_alias(&self, name: &str) -> bool {
        let Some(patterns) = &self.allowed_models else { return true };
        patterns.iter().any(|pattern| matches_pattern(pattern, name))
    }

    /// Whether the key may reach this provider.
    pub fn allows_provider(&self, provider: &str) -> bool {
        match &self.allowed_providers {
            Some(allowed) => allowed.iter().any(|name| name == provider),
            None => true,
        }
    }
}

/// What an administrator says when a key is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewKey {
    /// See [`VirtualKey::name`].
    pub name: String,
    /// See [`VirtualKey::provider`].
    pub provider: Option<String>,
    /// See [`VirtualKey::real_api_key`].
    pub real_api_key: Option<Secret>,
    /// See [`VirtualKey::limits`].
    pub limits: Limits,
    /// See [`VirtualKey::budget_limit_usd`].
    pub budget_limit_usd: Option<Usd>,
    /// See [`VirtualKey::budget_period`]; a month where absent.
    pub budget_period: Option<BudgetPeriod>,
    /// See [`VirtualKey::user_id`].
    pub user_id: Option<String>,
    /// See [`VirtualKey::team_id`].
    pub team_id: Option<String>,
    /// See [`VirtualKey::allowed_models`].
    pub allowed_models: Option<Vec<String>>,
    /// See [`VirtualKey::allowed_providers`].
    pub allowed_providers: Option<Vec<String>>,
    /// See [`VirtualKey::expires_at`].
    pub expires_at: Option<DateTime<Utc>>,
    /// See [`VirtualKey::config`].
    pub config: Option<String>,
}

/// An edit of a key: absent fields stay as they are, and `Some(None)` takes a value away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyChange {
    /// See [`VirtualKey::name`].
    pub name: Option<String>,
    /// See [`VirtualKey::provider`].
    pub provider: Option<Option<String>>,
    /// See [`VirtualKey::real_api_key`].
    pub real_api_key: Option<Option<Secret>>,
    /// See [`Limits::requests_per_minute`].
    pub rate_limit: Option<Option<u32>>,
    /// See [`Limits::tokens_per_minute`].
    pub tokens_per_minute: Option<Option<u32>>,
    /// See [`Limits::max_parallel`].
    pub max_parallel: Option<Option<u32>>,
    /// See [`VirtualKey::budget_limit_usd`].
    pub budget_limit_usd: Option<Option<Usd>>,
    /// See [`VirtualKey::budget_period`].
    pub budget_period: Option<BudgetPeriod>,
    /// See [`VirtualKey::user_id`].
    pub user_id: Option<Option<String>>,
    /// See [`VirtualKey::team_id`].
    pub team_id: Option<Option<String>>,
    /// See [`VirtualKey::allowed_models`].
    pub allowed_models: Option<Option<Vec<String>>>,
    /// See [`VirtualKey::allowed_providers`].
    pub allowed_providers: Option<Option<Vec<String>>>,
    /// See [`VirtualKey::expires_at`].
    pub expires_at: Option<Option<DateTime<Utc>>>,
    /// See [`VirtualKey::config`].
    pub config: Option<Option<String>>,
    /// See [`VirtualKey::is_active`].
    pub is_active: Option<bool>,
}

impl KeyChange {
    /// The names of the fields that are edited, without their values.
    pub fn fields(&self) -> Vec<&'static str> {
        let edited = [
            ("name", self.name.is_some()),
            ("provider", self.provider.is_some()),
            ("real_api_key", self.real_api_key.is_some()),
            ("rate_limit", self.rate_limit.is_some()),
            ("tokens_per_minute", self.tokens_per_minute.is_some()),
            ("max_parallel", self.max_parallel.is_some()),
            ("budget_limit_usd", self.budget_limit_usd.is_some()),
            ("budget_period", self.budget_period.is_some()),
            ("user_id", self.user_id.is_some()),
            ("team_id", self.team_id.is_some()),
            ("allowed_models", self.allowed_models.is_some()),
            ("allowed_providers", self.allowed_providers.is_some()),
            ("expires_at", self.expires_at.is_some()),
            ("config", self.config.is_some()),
            ("is_active", self.is_active.is_some()),
        ];
        edited.iter().filter(|(_, edited)| *edited).map(|(name, _)| *name).collect()
    }
}
