//! The routing config of a request: its header, its key's default, or the gateway's; checked against what is allowed.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use gateway_actors::guardrails::{Guardrail, Side};
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::routing::aliases::Alias;
use gateway_actors::routing::{self, ConfigHeader, Plan};
use serde_json::{Value, json};

use super::config_cache::ReadConfig;
use super::request_headers::{flag, text};
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

static CONFIG: HeaderName = HeaderName::from_static("x-portkey-config");

/// The plan that a request is to follow, and what was odd in it.
#[derive(Debug)]
pub struct ClientConfig {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Warnings for `x-gateway-config-warning`.
    pub warnings: Vec<String>,
    /// Whether the plan may look at the client's headers.
    pub own: bool,
    /// Whether the request itself brought the config.
    pub is_of_request: bool,
}

impl ClientConfig {
    /// The alias that the model's name is, if it is one that serves. An alias's config goes before those of the key and of
    /// the gateway, and a request's own before it.
    pub fn alias(&mut self, shared: &AppState, model: &str) -> Option<Arc<Alias>> {
        let alias = shared.configs.aliases.get(model)?;
        if let Alias::Config(plan) = alias.as_ref() {
            if self.is_of_request {
                return None;
            }
            (self.plan, self.own) = (plan.clone(), true);
        }
        Some(alias.clone())
    }
}

/// Reads a request's routing config.
///
/// # Errors
/// 400 naming every wrong field, in Portkey's shape beside OpenAI's.
pub fn read(shared: &AppState, request: &HttpRequest, key: &VirtualKey) -> Result<ClientConfig, ApiError> {
    let headers = request.headers();
    if headers.contains_key(&CONFIG) {
        let header = text(headers, CONFIG.as_str())?.unwrap_or_default();
        let strict = flag(headers, "x-gateway-config-strict")? == Some(true);
        if shared.configs.plans.contains_key(header) {
            return Ok(ClientConfig { is_of_request: true, ..saved(shared, header)? });
        }
        let ReadConfig { plan, warnings } = shared.configs.inline.get(header, || inline(shared, header))?;
        if strict && !warnings.is_empty() {
            return Err(invalid(&warnings));
        }
        return Ok(ClientConfig { plan, warnings: warnings.to_vec(), own: true, is_of_request: true });
    }
    match &key.config {
        Some(slug) => saved(shared, slug),
        None => {
            let own = !shared.config.routing.default_config.is_empty();
            let plan = shared.configs.default_plan.clone();
            Ok(ClientConfig { plan, warnings: Vec::new(), own, is_of_request: false })
        }
    }
}

/// The config of a key, whose guardrails a request's own config adds to.
pub fn of_key(shared: &AppState, key: &VirtualKey) -> Option<Arc<Plan>> {
    shared.configs.plans.get(key.config.as_deref()?).cloned()
}

/// The guardrails of one side of what a key asks: of the floor, of the key's config, and of the request's.
///
/// # Errors
/// 400 where the config is wrong.
pub fn guardrails(
    shared: &AppState,
    request: &HttpRequest,
    key: &VirtualKey,
    side: Side,
) -> Result<Vec<Arc<Guardrail>>, ApiError> {
    let plan = read(shared, request, key)?.plan;
    let of_key = of_key(shared, key).filter(|own| !Arc::ptr_eq(own, &plan));
    let of_key = of_key.map(|plan| plan.all_guardrails()).unwrap_or_default();
    let floor = &shared.routing.guardrails.floor;
    let (floor, of_key, of_plan) = match side {
        Side::Input => (&floor.input, of_key.input, &plan.input_guardrails),
        Side::Output => (&floor.output, of_key.output, &plan.output_guardrails),
    };
    Ok(floor.iter().cloned().chain(of_key).chain(of_plan.iter().cloned()).collect())
}

/// Refuses what guardrails cannot look at, where some hold for every request of a key.
///
/// # Errors
/// 400.
pub fn refuse_unguarded(shared: &AppState, request: &HttpRequest, key: &VirtualKey) -> Result<(), ApiError> {
    let floor = &shared.routing.guardrails.floor;
    let of_key = of_key(shared, key).is_some_and(|plan| plan.has_guardrails());
    let has_default = key.config.is_none() && shared.configs.default_plan.has_guardrails();
    let of_request = match request.headers().contains_key(&CONFIG) {
        true => read(shared, request, key)?.plan.has_guardrails(),
        false => has_default,
    };
    if floor.is_empty() && !of_key && !of_request {
        return Ok(());
    }
    let message = "Guardrails hold for this request, and cannot look at what passes through: use the routes that the \
                   gateway reads.";
    Err(ApiError::new(Code::NotSupported, message))
}

fn inline(shared: &AppState, header: &str) -> Result<ReadConfig, ApiError> {
    match routing::parse(header.as_bytes()).map_err(|errors| invalid(&errors_text(&errors)))? {
        ConfigHeader::Inline(parsed) => {
            allowed(shared, &parsed.plan)?;
            Ok(ReadConfig { plan: Arc::new(parsed.plan), warnings: parsed.warnings.into() })
        }
        ConfigHeader::Slug(slug) => Err(no_such_config(&slug)),
    }
}

fn no_such_config(slug: &str) -> ApiError {
    invalid(&[format!("path: config, message: no saved config named '{slug}'")])
}

fn saved(shared: &AppState, slug: &str) -> Result<ClientConfig, ApiError> {
    match shared.configs.plans.get(slug) {
        Some(plan) => Ok(ClientConfig { plan: plan.clone(), warnings: Vec::new(), own: true, is_of_request: false }),
        None => Err(no_such_config(slug)),
    }
}

/// What a client's own config may not ask of this gateway.
fn allowed(shared: &AppState, plan: &Plan) -> Result<(), ApiError> {
    let unsupported = plan.unsupported_features();
    if !unsupported.is_empty() {
        let message = format!("This gateway does not yet do what these parts ask for: {}.", unsupported.join(", "));
        let errors: Vec<String> =
            unsupported.iter().map(|path| format!("path: {path}, message: not supported yet")).collect();
        let error = ApiError::new(Code::NotSupported, message);
        return Err(ApiError { beside: Some(portkey_shape(&errors)), param: unsupported.into_iter().next(), ..error });
    }
    let engines = routing::check_engines(&plan.all_guardrails(), &shared.routing.guardrails.engines.types());
    if !engines.is_empty() {
        return Err(invalid(&errors_text(&engines)));
    }
    let hosts = plan.custom_hosts();
    if !hosts.is_empty() {
        let why = "custom_host is not allowed; ask the operator for a [providers.NAME] entry";
        return Err(invalid(&hosts.iter().map(|path| format!("path: {path}, message: {why}")).collect::<Vec<_>>()));
    }
    let mut credentials = plan.uses_client_credentials();
    let mut why = "credentials in a config are not allowed here (routing.allow_client_api_keys)";
    if shared.config.routing.allow_client_api_keys {
        credentials.retain(|path| path.ends_with("virtual_key"));
        why = "virtual keys belong to the request, not to a target";
    }
    if !credentials.is_empty() {
        return Err(invalid(
            &credentials.iter().map(|path| format!("path: {path}, message: {why}")).collect::<Vec<_>>(),
        ));
    }
    Ok(())
}

fn errors_text(errors: &[routing::ConfigError]) -> Vec<String> {
    errors.iter().map(|error| format!("path: {}, message: {}", error.path, error.message)).collect()
}

fn invalid(errors: &[String]) -> ApiError {
    let message = format!("Invalid config passed: {}", errors.join("; "));
    let beside = Some(portkey_shape(errors));
    ApiError { param: Some("x-portkey-config".to_owned()), beside, ..ApiError::new(Code::InvalidConfig, message) }
}

fn portkey_shape(errors: &[String]) -> Box<Value> {
    Box::new(json!({ "status": "failure", "message": "Invalid config passed", "errors": errors }))
}
