//! What an administrator says about a virtual key, checked.

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use gateway_actors::keys::virtual_key::{KeyChange, NewKey};
use gateway_actors::limits::Limits;
use gateway_actors::money::usd::Usd;
use gateway_actors::secret::Secret;
use serde::de::DeserializeOwned;

use super::body::Fields;
use super::text::check_text;
use super::{AdminError, AdminState};

const MAX_ITEMS: usize = 200;
/// How long a former text works on where the request does not say, in seconds.
const DEFAULT_GRACE_SECONDS: u32 = 3_600;
/// A year.
const MAX_GRACE_SECONDS: u32 = 31_536_000;
const NEW_KEY_FIELDS: [&str; 14] = [
    "name",
    "provider",
    "real_api_key",
    "rate_limit",
    "tokens_per_minute",
    "max_parallel",
    "budget_limit_usd",
    "budget_period",
    "user_id",
    "team_id",
    "allowed_models",
    "allowed_providers",
    "expires_at",
    "config",
];

/// The body of `POST /admin/virtual-keys`.
pub(super) fn new_key(body: &Bytes, state: &AdminState) -> Result<NewKey, AdminError> {
    let mut fields = Fields::parse(body)?;
    let said = common_fields(&mut fields, state)?;
    fields.finish(&NEW_KEY_FIELDS)?;
    Ok(NewKey {
        name: said.name.ok_or_else(|| AdminError::bad_field("name", "is required"))?,
        provider: said.provider.flatten(),
        real_api_key: said.real_api_key.flatten(),
        limits: Limits {
            requests_per_minute: said.rate_limit.flatten(),
            tokens_per_minute: said.tokens_per_minute.flatten(),
            max_parallel: said.max_parallel.flatten(),
        },
        budget_limit_usd: said.budget_limit_usd.flatten(),
        budget_period: said.budget_period,
        user_id: said.user_id.flatten(),
        team_id: said.team_id.flatten(),
        allowed_models: said.allowed_models.flatten(),
        allowed_providers: said.allowed_providers.flatten(),
        expires_at: said.expires_at.flatten(),
        config: said.config.flatten(),
    })
}

/// The body of `PATCH /admin/virtual-keys/{vk}`: absent fields stay, null takes a value away.
pub(super) fn key_change(body: &Bytes, state: &AdminState) -> Result<KeyChange, AdminError> {
    let mut fields = Fields::parse(body)?;
    let change = common_fields(&mut fields, state)?;
    let is_active = required(&mut fields, "is_active", "true or false")?;
    fields.finish(&[&["is_active"], NEW_KEY_FIELDS.as_slice()].concat())?;
    Ok(KeyChange { is_active, ..change })
}

/// The body of `PUT /admin/virtual-keys/{vk}/rotate`.
pub(super) fn new_credential(body: &Bytes) -> Result<Secret, AdminError> {
    const FIELD: &str = "new_api_key";
    let mut fields = Fields::parse(body)?;
    let credential = credential(&mut fields, FIELD)?;
    fields.finish(&[FIELD])?;
    credential.flatten().ok_or_else(|| AdminError::bad_field(FIELD, "is required"))
}

/// The body of `POST /admin/virtual-keys/{vk}/reissue`, which may be empty.
pub(super) fn grace(body: &Bytes) -> Result<TimeDelta, AdminError> {
    const FIELD: &str = "grace_seconds";
    let mut seconds = None;
    if !body.is_empty() {
        let mut fields = Fields::parse(body)?;
        seconds = required(&mut fields, FIELD, "a whole number of seconds")?;
        fields.finish(&[FIELD])?;
    }
    match seconds.unwrap_or(DEFAULT_GRACE_SECONDS) {
        seconds if seconds > MAX_GRACE_SECONDS => {
            Err(AdminError::bad_field(FIELD, format!("must be at most {MAX_GRACE_SECONDS}")))
        }
        seconds => Ok(TimeDelta::seconds(i64::from(seconds))),
    }
}

fn common_fields(fields: &mut Fields, state: &AdminState) -> Result<KeyChange, AdminError> {
    let provider = text(fields, "provider")?;
    check_known("provider", "provider", provider.iter().flatten(), |name| state.providers.contains(name))?;
    let allowed_providers = list(fields, "allowed_providers")?;
    let named = allowed_providers.iter().flatten().flatten();
    check_known("allowed_providers", "provider", named, |name| state.providers.contains(name))?;
    let config = text(fields, "config")?;
    check_known("config", "config", config.iter().flatten(), |slug| state.configs.contains(slug))?;
    let name = required::<String>(fields, "name", "text")?;
    if let Some(name) = &name {
        check_text("name", name)?;
    }
    Ok(KeyChange {
        name,
        provider,
        real_api_key: credential(fields, "real_api_key")?,
        rate_limit: limit(fields, "rate_limit", "requests per minute")?,
        tokens_per_minute: limit(fields, "tokens_per_minute", "tokens per minute")?,
        max_parallel: limit(fields, "max_parallel", "requests at once")?,
        budget_limit_usd: usd(fields, "budget_limit_usd")?,
        budget_period: required(fields, "budget_period", "total, day, week or month")?,
        user_id: text(fields, "user_id")?,
        team_id: text(fields, "team_id")?,
        allowed_models: list(fields, "allowed_models")?,
        allowed_providers,
        expires_at: expires_at(fields)?,
        config,
        is_active: None,
    })
}

/// A field that may be absent but not null.
fn required<T: DeserializeOwned>(fields: &mut Fields, name: &str, expected: &str) -> Result<Option<T>, AdminError> {
    match fields.take(name, expected)? {
        Some(None) => Err(AdminError::bad_field(name, format!("must be {expected}, not null"))),
        said => Ok(said.flatten()),
    }
}

fn text(fields: &mut Fields, name: &str) -> Result<Option<Option<String>>, AdminError> {
    let said = fields.take::<String>(name, "text or null")?;
    if let Some(Some(text)) = &said {
        check_text(name, text)?;
    }
    Ok(said)
}

/// Refuses names that the configuration does not have.
pub(super) fn check_known<'a>(
    field: &str,
    what: &str,
    mut names: impl Iterator<Item = &'a String>,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), AdminError> {
    match names.find(|name| !is_known(name)) {
        Some(_) => Err(AdminError::bad_field(field, format!("names a {what} that is not configured"))),
        None => Ok(()),
    }
}

fn list(fields: &mut Fields, name: &str) -> Result<Option<Option<Vec<String>>>, AdminError> {
    let said = fields.take::<Vec<String>>(name, "a list of texts, or null for all")?;
    if let Some(Some(items)) = &said {
        if items.is_empty() || items.len() > MAX_ITEMS {
            let problem = format!("must have 1 to {MAX_ITEMS} entries; null allows all");
            return Err(AdminError::bad_field(name, problem));
        }
        items.iter().try_for_each(|item| check_text(name, item))?;
    }
    Ok(said)
}

/// A credential travels in a header, so it must fit in one.
fn credential(fields: &mut Fields, name: &str) -> Result<Option<Option<Secret>>, AdminError> {
    let said = fields.take::<String>(name, "text or null")?;
    if let Some(Some(text)) = &said
        && (text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        let problem = "must be the provider's key: visible ASCII characters without spaces";
        return Err(AdminError::bad_field(name, problem));
    }
    Ok(said.map(|text| text.map(Secret::new)))
}

pub(super) fn limit(fields: &mut Fields, name: &str, what: &str) -> Result<Option<Option<u32>>, AdminError> {
    let said = fields.take::<u32>(name, &format!("a whole number of {what} from 1 to 4294967295, or null"))?;
    if said == Some(Some(0)) {
        return Err(AdminError::bad_field(name, "must be at least 1; null removes the limit"));
    }
    Ok(said)
}

/// An amount of dollars, or null.
pub(super) fn usd(fields: &mut Fields, name: &str) -> Result<Option<Option<Usd>>, AdminError> {
    let Some(said) = fields.take_number(name)? else {
        return Ok(None);
    };
    let usd = said.map(|text| text.parse()).transpose();
    usd.map(Some).map_err(|e| AdminError::bad_field(name, e))
}

fn expires_at(fields: &mut Fields) -> Result<Option<Option<DateTime<Utc>>>, AdminError> {
    const NAME: &str = "expires_at";
    let Some(said) = fields.take::<String>(NAME, "a time such as 2025-01-15T10:00:00Z, or null")? else {
        return Ok(None);
    };
    let time = said.map(|text| DateTime::parse_from_rfc3339(&text)).transpose();
    time.map(|time| Some(time.map(|time| time.to_utc())))
        .map_err(|_other_form| AdminError::bad_field(NAME, "must be an RFC 3339 time, such as 2025-01-15T10:00:00Z"))
}
