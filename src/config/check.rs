//! Checks values that types do not restrict, alone and against each other.

use std::net::IpAddr;
use std::path::Path;

use actix_web::http::header::{HeaderName, HeaderValue};
use gateway_actors::db::Store;
use gateway_actors::embed::model::Model;
use gateway_actors::fleet::redis_link::RedisLink;
use gateway_actors::keys::encryption::MasterKey;
use gateway_actors::money::amount::PerMillion;
use gateway_actors::providers::settings::ProviderSettings;
use gateway_actors::providers::upstream::Outbound;
use gateway_actors::routing;
use gateway_actors::secret::Secret;
use gateway_wire::Dialect;
use log::LevelFilter;

use super::base_url::{self, is_http_url};
use super::proxies::Network;
use super::{Config, Problem, SemanticSettings, actors, log_file, models, responses};

/// The longest time that clocks are asked to add.
const YEAR_MS: u64 = 365 * 86_400_000;

/// The fewest characters of an admin token where others than this machine can try it.
const MIN_ADMIN_TOKEN: usize = 8;

/// The fewest characters of an admin token where the gateway listens on the loopback interface alone.
const MIN_LOCAL_ADMIN_TOKEN: usize = 3;

/// The characters from which an admin token is out of reach of guesses.
const GOOD_ADMIN_TOKEN: usize = 16;

/// Adds every problem of a configuration that could be read.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let mut wrong = |path: &str, message: String| problems.push(Problem::new(path, message));
    let server = &config.server;
    if server.listen.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) {
        wrong("server.listen", format!("'{}' must be an address and port, such as 127.0.0.1:8000", server.listen));
    }
    if server.workers > 1024 {
        wrong("server.workers", "must be at most 1024".to_owned());
    }
    for (path, value) in [
        ("server.max_in_flight", server.max_in_flight),
        ("server.max_body_bytes", server.max_body_bytes),
        ("server.body_timeout_ms", server.body_timeout_ms as usize),
        ("cache.max_bytes", usize::try_from(config.cache.max_bytes).unwrap_or(usize::MAX)),
        ("cache.max_entry_bytes", config.cache.max_entry_bytes),
        ("actors.cache.embed_workers", config.actors.cache.embed_workers),
        ("actors.cache.embed_queue", config.actors.cache.embed_queue),
        ("actors.token_counter.workers", config.actors.token_counter.workers),
        ("cache.semantic.embed_timeout_ms", config.cache.semantic.embed_timeout_ms as usize),
        ("cache.semantic.hub_timeout_ms", config.cache.semantic.hub_timeout_ms as usize),
        ("routing.max_total_attempts", config.routing.max_total_attempts as usize),
    ] {
        if value == 0 {
            wrong(path, "must be at least 1".to_owned());
        }
    }
    if config.actors.cache.embed_workers > 64 {
        wrong(
            "actors.cache.embed_workers",
            "must be at most 64: each worker loads its own copy of the model".to_owned(),
        );
    }
    actors::check(&config.actors, &mut wrong);
    if config.actors.token_counter.workers > 64 {
        wrong(
            "actors.token_counter.workers",
            "must be at most 64: each of the two queues starts this many threads".to_owned(),
        );
    }
    check_semantic(&config.cache.semantic, &mut wrong);
    if (1..server.max_body_bytes as u64).contains(&server.max_bodies_bytes) {
        wrong("server.max_bodies_bytes", "must be at least server.max_body_bytes, or 0".to_owned());
    }
    for (at, origin) in server.cors.iter().enumerate() {
        if origin != "*" && !is_origin(origin) {
            let message = format!("'{origin}' must be an origin, such as https://app.example, or *");
            wrong(&format!("server.cors[{at}]"), message);
        }
    }
    for (at, network) in server.trusted_proxies.iter().enumerate() {
        if network.parse::<Network>().is_err() {
            let message = format!("'{network}' must be an address or network, such as 10.0.0.0/8");
            wrong(&format!("server.trusted_proxies[{at}]"), message);
        }
    }
    if config.log.level.parse::<LevelFilter>().is_err() {
        wrong("log.level", format!("'{}' must be one of error, warn, info, debug, trace", config.log.level));
    }
    if !config.log.file.is_empty()
        && let Err(error) = log_file::check(Path::new(&config.log.file))
    {
        wrong("log.file", format!("{}: {error}", config.log.file));
    }
    if !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| config.store.url.starts_with(scheme)) {
        wrong("store.url", "must begin with sqlite:// or postgres:// (also where DATABASE_URL sets it)".to_owned());
    } else if let Err(error) = Store::check_address(&config.store.url) {
        wrong("store.url", format!("{error} (also where DATABASE_URL sets it)"));
    }
    if !config.redis.url.is_empty()
        && let Err(error) = RedisLink::new(&config.redis.url, "limits")
    {
        let message = format!("{error}; such as redis://:PASSWORD@HOST:6379/0 (also where REDIS_URL sets it)");
        wrong("redis.url", message);
    }
    let budgets = &config.budgets;
    if budgets.time_zone.parse::<chrono_tz::Tz>().is_err() {
        wrong("budgets.time_zone", format!("'{}' must be a time zone, such as Asia/Ho_Chi_Minh", budgets.time_zone));
    }
    for (path, value) in [
        ("store.query_timeout_ms", config.store.query_timeout_ms),
        ("budgets.default_output_tokens", budgets.default_output_tokens),
        ("budgets.min_output_tokens", budgets.min_output_tokens),
        ("budgets.flush_ms", budgets.flush_ms),
        ("budgets.refresh_ms", budgets.refresh_ms),
        ("budgets.lease_ms", budgets.lease_ms),
    ] {
        if value == 0 {
            wrong(path, "must be at least 1".to_owned());
        }
    }
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
    let webhook = &config.alerts.webhook_url;
    if !webhook.is_empty() && !is_http_url(webhook) {
        // It may hold a secret (H1).
        wrong("alerts.webhook_url", "must be an http or https URL".to_owned());
    }
    if ![412, 429].contains(&config.compat.budget_status) {
        wrong("compat.budget_status", "must be 429 or 412".to_owned());
    }
    let default_config = &config.routing.default_config;
    if !default_config.is_empty() && !config.configs.contains_key(default_config) {
        wrong("routing.default_config", format!("the section [configs.{default_config}] does not exist"));
    }
    for (slug, value) in &config.configs {
        match routing::parse_value(value) {
            Err(errors) => {
                for error in errors {
                    wrong(&format!("configs.{slug}.{}", error.path), error.message);
                }
            }
            Ok(parsed) => {
                for path in parsed.plan.unsupported_features() {
                    wrong(&format!("configs.{slug}"), format!("{path} is not supported yet"));
                }
                for path in parsed.plan.custom_hosts() {
                    wrong(&format!("configs.{slug}"), format!("{path} is not allowed: add a [providers.NAME] entry"));
                }
            }
        }
    }
    models::check(config, &mut wrong);
    responses::check(&config.responses, &mut wrong);
    check_secrets(config, &mut wrong);
    check_admin_token(config, &mut wrong);
    for (name, settings) in &config.providers {
        check_provider(name, settings, &mut wrong);
        let variable = settings.base_url_env.as_ref();
        if let Some((name, url)) = variable.and_then(|name| Some((name, config.provider_variables.get(name)?)))
            && let Some(problem) = base_url::problem(url.expose())
        {
            wrong(name, problem);
        }
    }
}

/// A model must have what nobody has measured for it from the configuration.
fn check_semantic(semantic: &SemanticSettings, wrong: &mut dyn FnMut(&str, String)) {
    let model = Model::find(&semantic.model);
    if !(0.0..=1.0).contains(&semantic.threshold) {
        wrong("cache.semantic.threshold", "must be from 0 to 1".to_owned());
    }
    if !["", "english", "any"].contains(&semantic.languages.as_str()) {
        wrong("cache.semantic.languages", format!("'{}' must be english or any", semantic.languages));
    }
    match model {
        None => {
            let names = Model::names();
            let message = format!("'{}' must be one of {names}, or the repository of one of them", semantic.model);
            wrong("cache.semantic.model", message);
        }
        Some(model) => {
            if semantic.threshold_of(model).is_none() {
                let message = format!(
                    "must be set for {}, which has no measured value: the minimum cosine at which two texts share an \
                     answer; start high, such as 0.95",
                    model.id
                );
                wrong("cache.semantic.threshold", message);
            }
            match (semantic.english_only(model), model.english_only) {
                (None, _) => {
                    let message =
                        format!("must be set for {}: english if the model supports English only, else any", model.id);
                    wrong("cache.semantic.languages", message);
                }
                (Some(false), Some(true)) => {
                    wrong("cache.semantic.languages", format!("{} supports English only", model.id));
                }
                _ => {}
            }
        }
    }
    for (path, value, most) in [
        ("cache.semantic.shadow_percent", semantic.shadow_percent, 100.0),
        ("cache.semantic.shadow_agreement", semantic.shadow_agreement, 1.0),
        ("cache.semantic.target_precision", semantic.target_precision, 1.0),
    ] {
        if !(0.0..=most).contains(&value) {
            wrong(path, format!("must be from 0 to {most}"));
        }
    }
    if let Some(model) = model
        && semantic.shadow_percent > 0.0
        && semantic.agreement_of(model).is_none()
    {
        let message = format!(
            "must be set for {}, which has no measured value: the minimum cosine at which two answers agree",
            model.id
        );
        wrong("cache.semantic.shadow_agreement", message);
    }
    // What stands before an @ may be a password (H1).
    if !semantic.hub.is_empty() && (!is_http_url(&semantic.hub) || semantic.hub.contains(['@', '?', '#'])) {
        let message = "must be an http or https URL without user and query (also where HF_ENDPOINT sets it)";
        wrong("cache.semantic.hub", message.to_owned());
    }
}

/// Secrets are told by the name of their variable, never by their value (H1).
fn check_secrets(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
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

/// Adds what an operator should know of a configuration that works.
pub(super) fn warn(config: &mut Config) {
    let mut warnings = Vec::new();
    if config.admin_token.as_ref().is_some_and(|token| token.expose().chars().count() < GOOD_ADMIN_TOKEN) {
        warnings.push(format!(
            "GATEWAY_ADMIN_TOKEN has fewer than {GOOD_ADMIN_TOKEN} characters; create a longer one with: openssl rand -hex 32"
        ));
    }
    if config.limits.refuse_without_redis && config.redis.url.is_empty() {
        warnings.push(
            "limits.refuse_without_redis has no effect without redis.url: this process counts by itself".to_owned(),
        );
    }
    if config.alert_webhook_token.is_some() && config.alerts.webhook_url.is_empty() {
        warnings.push("GATEWAY_ALERT_WEBHOOK_TOKEN has no effect without alerts.webhook_url".to_owned());
    }
    for (name, settings) in &config.providers {
        if let Some(warning) = base_url::warning(settings.dialect, &settings.base_url) {
            warnings.push(format!("providers.{name}.base_url: {warning}"));
        }
    }
    for (slug, value) in &config.configs {
        let odd = routing::parse_value(value).map(|parsed| parsed.warnings).unwrap_or_default();
        warnings.extend(odd.iter().map(|warning| format!("configs.{slug}: {warning}")));
    }
    config.warnings.append(&mut warnings);
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
    if settings.breaker.failure_threshold_percentage > 100 {
        wrong(&path("breaker.failure_threshold_percentage"), "must be at most 100".to_owned());
    }
}

/// Whether this is how a browser writes the origin of a page: no path, not even a slash.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    is_http_url(text) && !host.contains(['/', '@', '?', '#']) && text.to_ascii_lowercase() == text
}
