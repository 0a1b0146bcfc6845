//! One node of a config: its own fields, what it inherits, and its children.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{Fields, Findings, join};
use super::retry;
use super::strategy::{self, Mode};
use super::{Child, ErrorRule, Node, Target, refused};
use crate::plan::error_rule::ErrorWord;
use crate::secret::Secret;

const DEEPEST: usize = 8;
const MOST_TARGETS: usize = 64;

/// Keys of a node that mean something here.
const KNOWN: [&str; 30] = [
    "strategy",
    "targets",
    "weights",
    "weight",
    "name",
    "id",
    "provider",
    "model",
    "api_key",
    "virtual_key",
    "override_params",
    "default_params",
    "drop_params",
    "retry",
    "request_timeout",
    "forward_headers",
    "strict_open_ai_compliance",
    "on_errors",
    "on_status_codes",
    "custom_host",
    "cache",
    "guardrails",
    "input_guardrails",
    "output_guardrails",
    "before_request_hooks",
    "after_request_hooks",
    "cb_config",
    "metadata",
    "openai_organization",
    "openai_project",
];

/// Keys of Portkey's that are fine and mean nothing to this gateway.
const UNUSED: [&str; 38] = [
    "input_mutators",
    "output_mutators",
    "default_input_guardrails",
    "default_output_guardrails",
    "passthrough",
    "prompt_id",
    "fetch_integrated_models",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_region",
    "aws_role_arn",
    "aws_external_id",
    "aws_auth_type",
    "vertex_project_id",
    "vertex_region",
    "vertex_service_account_json",
    "resource_name",
    "deployment_id",
    "api_version",
    "deployments",
    "azure_model_name",
    "azure_auth_mode",
    "azure_ad_token",
    "azure_entra_client_id",
    "azure_entra_client_secret",
    "azure_entra_tenant_id",
    "azure_entra_scope",
    "azure_region",
    "azure_deployment_name",
    "azure_deployment_type",
    "azure_endpoint_name",
    "azure_api_version",
    "azure_managed_client_id",
    "anthropic_beta",
    "anthropic_version",
    "openai_beta",
    "options",
];

/// Keys of a child that its parent's strategy reads.
const OF_PARENT: [&str; 3] = ["weight", "on_errors", "name"];

/// What children take over from the nodes above them.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    target: Target,
}

/// Reads a node; `path` is its place for messages, `place` the one for the answer's header.
pub(super) fn read_node(
    value: &Value,
    path: &str,
    place: &str,
    inherited: &Inherited,
    depth: usize,
    found: &mut Findings,
) -> Option<Node> {
    let Some(object) = value.as_object() else {
        found.error(if path.is_empty() { "config" } else { path }, "must be an object");
        return None;
    };
    if depth > DEEPEST {
        found.error(path, format!("configs may be nested {DEEPEST} levels deep"));
        return None;
    }
    let known: Vec<&str> = KNOWN.iter().chain(&UNUSED).copied().collect();
    let fields = Fields::new(path, object, &known, found);
    if fields.get("options").is_some() {
        found.error(
            fields.at("options"),
            "This version of config is not supported in this route. Please migrate to the latest version",
        );
    }
    for name in UNUSED.iter().filter(|name| **name != "options" && fields.get(name).is_some()) {
        found.warn(format!("'{}' is not used by this gateway", fields.at(name)));
    }
    refused::note(&fields, place, found);
    let own = own_settings(&fields, inherited, found);
    match strategy::read(&fields, found) {
        Some(mode) => {
            let children = children(&fields, place, &Inherited { target: own }, &mode, depth, found);
            strategy::check(&mode, &fields, &children, found);
            Some(Node::Branch { mode, children })
        }
        None => Some(Node::Leaf(Arc::new(leaf(&fields, place, own, found)))),
    }
}

/// The settings that are inherited, with the node's own on top.
fn own_settings(fields: &Fields<'_>, inherited: &Inherited, found: &mut Findings) -> Target {
    let mut target = inherited.target.clone();
    if let Some(params) = fields.object("override_params", found) {
        if params.contains_key("stream") {
            found.error(
                fields.at("override_params.stream"),
                "cannot be overridden: the client reads the framing it asked for",
            );
        }
        merge(&mut target.override_params, params);
    }
    if let Some(params) = fields.object("default_params", found) {
        merge(&mut target.default_params, params);
    }
    if let Some(names) = fields.texts("drop_params", found) {
        target.drop_params = names;
    }
    if let Some(policy) = retry::read(fields, found) {
        target.retry = policy;
    }
    if let Some(millis) = fields.number("request_timeout", 1, 86_400_000, found) {
        target.request_timeout = Some(Duration::from_millis(millis));
    }
    if let Some(names) = fields.texts("forward_headers", found) {
        if names.iter().any(|name| name.eq_ignore_ascii_case("x-portkey-forward-headers")) {
            found.error(fields.at("forward_headers"), "may not contain x-portkey-forward-headers");
        }
        target.forward_headers = names;
    }
    if let Some(strict) = fields.flag("strict_open_ai_compliance", found) {
        target.strict = Some(strict);
    }
    for (name, header) in [("openai_organization", "openai-organization"), ("openai_project", "openai-project")] {
        if let Some(value) = fields.text(name, found) {
            target.headers.retain(|(other, _)| other != header);
            target.headers.push((header.to_owned(), value));
        }
    }
    target
}

fn leaf(fields: &Fields<'_>, place: &str, mut target: Target, found: &mut Findings) -> Target {
    place.clone_into(&mut target.path);
    if let Some(provider) = fields.text("provider", found) {
        target.provider = Some(provider.trim_start_matches('@').to_lowercase());
    }
    if let Some(key) = fields.text("api_key", found) {
        target.api_key = Some(Secret::new(key));
    }
    let model = fields.text("model", found);
    let overridden = fields.get("override_params").and_then(|params| params.get("model")?.as_str());
    if let (Some(model), Some(other)) = (&model, overridden)
        && model != other
    {
        found.error(fields.at("model"), format!("'{model}' and override_params.model '{other}' differ: give one"));
    }
    if let Some(model) = model {
        target.override_params.insert("model".to_owned(), Value::String(model));
    }
    // A model `@slug/model` names its provider.
    if let Some((slug, model)) = target.model().and_then(|model| model.strip_prefix('@')?.split_once('/')) {
        let (slug, model) = (slug.to_lowercase(), Value::String(model.to_owned()));
        target.provider.get_or_insert(slug);
        target.override_params.insert("model".to_owned(), model);
    }
    target
}

fn children(
    fields: &Fields<'_>,
    place: &str,
    inherited: &Inherited,
    mode: &Mode,
    depth: usize,
    found: &mut Findings,
) -> Vec<Child> {
    let (name, list) = match (fields.get("targets"), fields.get("weights")) {
        (Some(_), Some(_)) => {
            found.error(fields.at("weights"), "give either 'targets' or 'weights', not both");
            return Vec::new();
        }
        (None, Some(_)) if !matches!(mode, Mode::Loadbalance { .. }) => {
            found.error(fields.at("weights"), "belongs to the strategy 'loadbalance'");
            return Vec::new();
        }
        (None, Some(list)) => ("weights", list),
        (Some(list), None) => ("targets", list),
        (None, None) => {
            found.error(fields.at("targets"), "must be an array of at least one target");
            return Vec::new();
        }
    };
    let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
        found.error(fields.at(name), "must be an array of at least one target");
        return Vec::new();
    };
    found.targets += list.len();
    if found.targets > MOST_TARGETS {
        found.error(fields.at(name), format!("a config may have {MOST_TARGETS} targets at most"));
        return Vec::new();
    }
    let child = |(at, value): (usize, &Value)| {
        let path = join(&fields.path, &format!("{name}[{at}]"));
        let node = read_node(value, &path, &format!("{place}.targets[{at}]"), inherited, depth + 1, found)?;
        let own = Fields::new(&path, value.as_object()?, &OF_PARENT, &mut Findings::default());
        Some(child_of(node, &own, mode, found))
    };
    list.iter().enumerate().filter_map(child).collect()
}

fn child_of(node: Node, own: &Fields<'_>, mode: &Mode, found: &mut Findings) -> Child {
    let weight = own.read("weight", "a number that is not negative", found, |value| {
        value.as_f64().filter(|weight| weight.is_finite() && *weight >= 0.0)
    });
    let words =
        own.read("on_errors", "an array of timeout, rate_limit, connection, statuses, 4xx, 5xx or *", found, |value| {
            value.as_array()?.iter().map(ErrorWord::parse).collect::<Option<Vec<_>>>()
        });
    let rule = match (words, mode) {
        (Some(words), _) => ErrorRule::Words(words),
        (None, Mode::Fallback { statuses: Some(statuses) }) => ErrorRule::Statuses(statuses.clone()),
        (None, _) => ErrorRule::Any,
    };
    Child { node, weight: weight.unwrap_or(1.0), name: own.text("name", found), rule }
}

fn merge(under: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        under.insert(name.clone(), value.clone());
    }
}
