//! `[alerts]`: where alerts go.

use std::fmt;

use gateway_actors::budgets::ledger_actor::Webhook;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::secret::Secret;
use serde::{Deserialize, Serialize};

use super::Config;
use super::base_url::is_http_url;

/// `[alerts]`.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// URL that gets a JSON event for each alert; empty for none.
    pub webhook_url: String,
}

impl fmt::Debug for AlertSettings {
    /// Tells whether there is an address; it may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertSettings").field("webhook", &!self.webhook_url.is_empty()).finish_non_exhaustive()
    }
}

impl Config {
    /// Where alerts are posted to, if anywhere.
    pub(super) fn webhook(&self, out: &Outbound) -> Option<Webhook> {
        let url = &self.alerts.webhook_url;
        (!url.is_empty()).then(|| Webhook {
            url: Secret::new(url),
            token: self.alert_webhook_token.clone(),
            outbound: out.clone(),
        })
    }
}

/// The webhook must have an address.
pub(super) fn check(alerts: &AlertSettings, wrong: &mut dyn FnMut(&str, String)) {
    let webhook = &alerts.webhook_url;
    if !webhook.is_empty() && !is_http_url(webhook) {
        // It may hold a secret (H1).
        wrong("alerts.webhook_url", "must be an http or https URL".to_owned());
    }
}
