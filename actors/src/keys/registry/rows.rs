//! Between a stored row and the key that the hot path reads.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::KeyError;
use crate::db::{At, KeyRow, KeyRowChange, Nanos};
use crate::keys::encryption::MasterKey;
use crate::keys::virtual_key::{FormerText, KeyChange, KeyHash, KeyText, NewKey, VirtualKey};
use crate::limits::Limits;
use crate::money::period::BudgetPeriod;
use crate::money::usd::Usd;
use crate::secret::Secret;

/// The row of a new key.
pub(super) fn new_row(
    key: NewKey,
    id: Uuid,
    text: &KeyText,
    now: DateTime<Utc>,
    master_key: &MasterKey,
) -> Result<KeyRow, KeyError> {
    Ok(KeyRow {
        id: id.to_string(),
        virtual_key: text.hash().to_hex(),
        hint: text.hint(),
        name: key.name,
        provider: key.provider,
        real_api_key: key.real_api_key.map(|credential| seal(master_key, id, &credential)).transpose()?,
        rate_limit: key.limits.requests_per_minute.map(i64::from),
        tokens_per_minute: key.limits.tokens_per_minute.map(i64::from),
        max_parallel: key.limits.max_parallel.map(i64::from),
        budget_limit_usd: key.budget_limit_usd.map(Nanos::from),
        budget_period: key.budget_period.unwrap_or_default().as_str().to_owned(),
        user_id: key.user_id,
        team_id: key.team_id,
        allowed_models: key.allowed_models.map(list_text),
        allowed_providers: key.allowed_providers.map(list_text),
        config: key.config,
        expires_at: key.expires_at.map(At::from),
        is_active: true,
        created_at: now.into(),
        updated_at: now.into(),
        former_key: None,
        former_until: None,
    })
}

/// The columns that an edit writes.
pub(super) fn row_change(
    change: KeyChange,
    id: Uuid,
    now: DateTime<Utc>,
    master_key: &MasterKey,
) -> Result<KeyRowChange, KeyError> {
    let real_api_key = match change.real_api_key {
        Some(Some(credential)) => Some(Some(seal(master_key, id, &credential)?)),
        Some(None) => Some(None),
        None => None,
    };
    Ok(KeyRowChange {
        name: change.name,
        provider: change.provider,
        real_api_key,
        rate_limit: change.rate_limit.map(|limit| limit.map(i64::from)),
        tokens_per_minute: change.tokens_per_minute.map(|limit| limit.map(i64::from)),
        max_parallel: change.max_parallel.map(|limit| limit.map(i64::from)),
        budget_limit_usd: change.budget_limit_usd.map(|limit| limit.map(Nanos::from)),
        budget_period: change.budget_period.map(|period| period.as_str().to_owned()),
        user_id: change.user_id,
        team_id: change.team_id,
        allowed_models: change.allowed_models.map(|list| list.map(list_text)),
        allowed_providers: change.allowed_providers.map(|list| list.map(list_text)),
        config: change.config,
        expires_at: change.expires_at.map(|at| at.map(At::from)),
        is_active: change.is_active,
        updated_at: now.into(),
    })
}

/// The key in a row. What cannot be read is an error, never "no restriction" and never "no credential".
pub(super) fn key_of(row: KeyRow, master_key: &MasterKey) -> Result<VirtualKey, KeyError> {
    let unreadable = |column| KeyError::Unreadable { id: row.id.clone(), column };
    let list = |column, text: &Option<String>| {
        text.as_deref().map(serde_json::from_str::<Vec<String>>).transpose().map_err(|_not_a_list| unreadable(column))
    };
    let time = |column, at: At| at.time().ok_or_else(|| unreadable(column));
    let limit = |column, limit: Option<i64>| limit.map(u32::try_from).transpose().map_err(|_range| unreadable(column));

    // In the one way of writing that the gateway's own statements look for.
    let id = Uuid::parse_str(&row.id).ok().filter(|id| id.to_string() == row.id).ok_or_else(|| unreadable("id"))?;
    let former = match (&row.former_key, row.former_until) {
        (Some(hash), Some(until)) => Some(FormerText {
            hash: KeyHash::from_hex(hash).ok_or_else(|| unreadable("former_key"))?,
            until: time("former_until", until)?,
        }),
        _ => None,
    };
    let credential = row.real_api_key.as_deref().map(|sealed| master_key.open(sealed, id.as_bytes())).transpose();
    Ok(VirtualKey {
        id,
        id_text: row.id.as_str().into(),
        budget_period: row.budget_period.parse::<BudgetPeriod>().map_err(|_unknown| unreadable("budget_period"))?,
        hash: KeyHash::from_hex(&row.virtual_key).ok_or_else(|| unreadable("virtual_key"))?,
        real_api_key: credential.map_err(|source| KeyError::Credential { id: row.id.clone(), source })?,
        limits: Limits {
            requests_per_minute: limit("rate_limit", row.rate_limit)?,
            tokens_per_minute: limit("tokens_per_minute", row.tokens_per_minute)?,
            max_parallel: limit("max_parallel", row.max_parallel)?,
        },
        budget_limit_usd: row.budget_limit_usd.map(Usd::from),
        allowed_models: list("allowed_models", &row.allowed_models)?,
        allowed_providers: list("allowed_providers", &row.allowed_providers)?,
        expires_at: row.expires_at.map(|at| time("expires_at", at)).transpose()?,
        created_at: time("created_at", row.created_at)?,
        updated_at: time("updated_at", row.updated_at)?,
        hint: row.hint,
        name: row.name,
        provider: row.provider,
        user_id: row.user_id,
        team_id: row.team_id,
        config: row.config,
        is_active: row.is_active,
        former,
        counters: None,
    })
}

fn seal(master_key: &MasterKey, id: Uuid, credential: &Secret) -> Result<Vec<u8>, KeyError> {
    let sealed = master_key.seal(credential, id.as_bytes());
    sealed.map_err(|source| KeyError::Credential { id: id.to_string(), source })
}

fn list_text(list: Vec<String>) -> String {
    serde_json::Value::from(list).to_string()
}
