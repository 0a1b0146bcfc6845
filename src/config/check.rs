//! Checks values that types do not restrict, alone and against each other: each section's file has its own rules.

use gateway_actors::routing as plans;

use super::{
    Config, Problem, actors, alerts, base_url, budgets, cache, compat, engines, guardrails, log, models, providers,
    redis, responses, routing, security, server, store,
};

/// Adds every problem of a configuration that could be read.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    let mut wrong = |path: &str, message: String| problems.push(Problem::new(path, message));
    server::check(&config.server, &mut wrong);
    actors::check(&config.actors, &mut wrong);
    routing::check(config, &mut wrong);
    models::check(config, &mut wrong);
    providers::check(config, &mut wrong);
    store::check(&config.store, &mut wrong);
    redis::check(&config.redis, &mut wrong);
    cache::check(&config.cache, &mut wrong);
    responses::check(&config.responses, &mut wrong);
    budgets::check(&config.budgets, &mut wrong);
    alerts::check(&config.alerts, &mut wrong);
    engines::check(config, &mut wrong);
    guardrails::check(&config.guardrails, &mut wrong);
    compat::check(&config.compat, &mut wrong);
    log::check(&config.log, &mut wrong);
    security::check(config, &mut wrong);
}

/// Refuses each of these values that is 0.
pub(super) fn at_least_one(values: &[(&str, u64)], wrong: &mut dyn FnMut(&str, String)) {
    for (path, _) in values.iter().filter(|(_, value)| *value == 0) {
        wrong(path, "must be at least 1".to_owned());
    }
}

/// Adds what an operator should know of a configuration that works.
pub(super) fn warn(config: &mut Config) {
    let mut warnings: Vec<String> = security::warning(config).into_iter().collect();
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
    warnings.extend(engines::warnings(config));
    for (slug, value) in &config.configs {
        let odd = plans::parse_value(value).map(|parsed| parsed.warnings).unwrap_or_default();
        warnings.extend(odd.iter().map(|warning| format!("configs.{slug}: {warning}")));
    }
    config.warnings.append(&mut warnings);
}
