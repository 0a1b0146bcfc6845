//! `[security]` and the secrets of the environment.

use std::net::IpAddr;

use gateway_actors::keys::encryption::{MasterKey, SealingError};
use gateway_actors::secret::Secret;
use serde::{Deserialize, Serialize};

use super::Config;

/// The fewest characters of an admin token where others than this machine can try it.
const MIN_ADMIN_TOKEN: usize = 8;

/// The fewest characters of an admin token where the gateway listens on the loopback interface alone.
const MIN_LOCAL_ADMIN_TOKEN: usize = 3;

/// The characters from which an admin token is out of reach of guesses.
const GOOD_ADMIN_TOKEN: usize = 16;

/// `[security]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecuritySettings {
    /// File with the key that seals provider credentials, made at the first start. `GATEWAY_MASTER_KEY` wins over it.
    pub master_key_file: String,
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self { master_key_file: "data/master.key".to_owned() }
    }
}

impl Config {
    /// The key that seals provider credentials: the variable's, or that of the file.
    ///
    /// # Errors
    /// Where neither can be read.
    pub fn open_master_key(&self) -> Result<MasterKey, SealingError> {
        match &self.master_key {
            Some(key) => MasterKey::from_hex_or_base64(key.expose()),
            None => MasterKey::load_or_create(self.security.master_key_file.as_ref()),
        }
    }
}

/// Secrets are told by the name of their variable, never by their value (H1).
pub(super) fn check(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    if let Some(key) = &config.master_key
        && let Err(error) = MasterKey::from_hex_or_base64(key.expose())
    {
        wrong("GATEWAY_MASTER_KEY", error.to_string());
    }
    let own = [
        ("GATEWAY_ADMIN_TOKEN", &config.admin_token),
        ("GATEWAY_ALERT_WEBHOOK_TOKEN", &config.alert_webhook_token),
        ("GATEWAY_MASTER_KEY", &config.master_key),
    ];
    let own = own.into_iter().filter_map(|(name, secret)| Some((name, secret.as_ref()?)));
    let mut variables: Vec<(&str, &Secret)> =
        config.provider_variables.iter().map(|(name, secret)| (name.as_str(), secret)).chain(own).collect();
    variables.sort_by_key(|(name, _)| *name);
    for (name, secret) in variables {
        if !secret.expose().chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            wrong(name, "must contain printable ASCII only, because it is sent in a header".to_owned());
        }
    }
    check_admin_token(config, wrong);
}

/// Refuses an admin token that can be guessed: beyond this machine a short one, on it what is no token at all.
fn check_admin_token(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    let Some(token) = &config.admin_token else { return };
    let host = config.server.listen.rsplit_once(':').map_or("", |(host, _)| host);
    let is_local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let least = if is_local { MIN_LOCAL_ADMIN_TOKEN } else { MIN_ADMIN_TOKEN };
    if token.expose().chars().count() < least {
        let message = format!("must have at least {least} characters, as server.listen is {}", config.server.listen);
        wrong("GATEWAY_ADMIN_TOKEN", format!("{message}; for example: openssl rand -hex 32"));
    }
}

/// What an operator should know of an admin token that works.
pub(super) fn warning(config: &Config) -> Option<String> {
    let is_short = |token: &Secret| token.expose().chars().count() < GOOD_ADMIN_TOKEN;
    config.admin_token.as_ref().filter(|token| is_short(token)).map(|_| {
        format!(
            "GATEWAY_ADMIN_TOKEN has fewer than {GOOD_ADMIN_TOKEN} characters; create a longer one with: openssl rand -hex 32"
        )
    })
}
