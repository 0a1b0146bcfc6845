//! `[providers.NAME]`: overrides of the built-in catalogue, and additions to it.

use actix_web::http::header::{HeaderName, HeaderValue};
use gateway_actors::providers::settings::ProviderSettings;
use gateway_actors::providers::upstream::Outbound;
use gateway_wire::Dialect;

use super::{Config, base_url};

/// Each provider must have an address, and headers that can be sent.
pub(super) fn check(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    for (name, settings) in &config.providers {
        check_provider(name, settings, wrong);
        let variable = settings.base_url_env.as_ref();
        if let Some((name, url)) = variable.and_then(|name| Some((name, config.provider_variables.get(name)?)))
            && let Some(problem) = base_url::problem(url.expose())
        {
            wrong(name, problem);
        }
    }
}

fn check_provider(name: &str, settings: &ProviderSettings, wrong: &mut dyn FnMut(&str, String)) {
    let path = |key: &str| format!("providers.{name}.{key}");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        wrong(&format!("providers.{name}"), "a provider's name may contain a-z, 0-9, - and _ only".to_owned());
    }
    let may_be_empty = settings.base_url_env.is_some() || settings.dialect == Dialect::Simulator;
    let is_absent = settings.base_url.is_empty() && may_be_empty;
    if let Some(problem) = base_url::problem(&settings.base_url).filter(|_| !is_absent) {
        wrong(&path("base_url"), problem);
    }
    if let Err((key, why)) = Outbound::check(settings) {
        wrong(&path(key), why);
    }
    if settings.auth_header.parse::<HeaderName>().is_err() {
        wrong(&path("auth_header"), format!("'{}' must be a header name", settings.auth_header));
    }
    if HeaderValue::from_str(&settings.auth_prefix).is_err() {
        wrong(&path("auth_prefix"), "must contain printable ASCII only, because it is sent in a header".to_owned());
    }
    for (header, value) in &settings.headers {
        if header.parse::<HeaderName>().is_err() {
            wrong(&path("headers"), format!("'{header}' must be a header name"));
        }
        // The value may be a credential (H1).
        if HeaderValue::from_str(value).is_err() {
            wrong(
                &path("headers"),
                format!("the value of '{header}' must contain printable ASCII only, because it is sent in a header"),
            );
        }
    }
    for (at, rule) in settings.pass_through.iter().enumerate() {
        if let Some(problem) = rule.problem() {
            wrong(&path(&format!("pass_through[{at}]")), problem);
        }
    }
    if settings.breaker.failure_threshold_percentage > 100 {
        wrong(&path("breaker.failure_threshold_percentage"), "must be at most 100".to_owned());
    }
}
