//! The routing plan of a request: what the `x-portkey-config` header, or a named config, asks for.
//!
//! Two dialects are read, the short one (`"strategy": "fallback"`, `weights`, `on_errors`) and Portkey's, and become one
//! tree of targets. For each request the tree is flattened to a [`Chain`], whose [`Chain::next_step`] is the one table of
//! what follows a failure.

pub mod aliases;
mod apply;
mod cache;
mod chain;
mod choose;
mod conditions;
mod config_keys;
pub(crate) mod drop_path;
mod engines;
mod error_rule;
mod fields;
mod guardrails;
mod header;
mod node;
mod normal_form;
mod retry;
mod sticky;
mod strategy;
mod target;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value};

pub use apply::{TargetBody, apply, apply_params, without};
pub use cache::{CacheMode, CacheRule, MAX_AGE_SECONDS};
pub use chain::{Chain, Exit, NextStep, Step};
pub use choose::{NoTarget, PlanContext};
pub use engines::check_engines;
pub use error_rule::{ErrorRule, ErrorWord};
pub use guardrails::read_floor;
pub use header::{ConfigHeader, parse, parse_value};
pub use retry::RetryPolicy;

use crate::guardrails::{Guardrail, GuardrailFloor};
use crate::secret::Secret;
use strategy::Mode;

/// What a config comes to.
#[derive(Debug)]
pub struct Plan {
    /// What the whole config asks of the cache; each target holds what holds for it.
    pub cache: Option<CacheRule>,
    /// What the whole config wants done with a request before it is sent.
    pub input_guardrails: Vec<Arc<Guardrail>>,
    /// What the whole config wants done with an answer.
    pub output_guardrails: Vec<Arc<Guardrail>>,
    /// Metadata that stands in for what a request's own lacks.
    pub metadata: Map<String, Value>,
    root: Node,
    unsupported: Vec<String>,
    credentials: Vec<String>,
    custom_hosts: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl Plan {
    /// What makes two plans give the same answers: the config in its one spelling, without what it says of the cache.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let mut config = self.normal_form();
            forget_cache(&mut config);
            config.to_string()
        })
    }

    /// Whether the config or a target of it has guardrails.
    pub fn has_guardrails(&self) -> bool {
        !self.all_guardrails().is_empty()
    }

    /// The guardrails of the whole config and of all its targets, each once.
    pub fn all_guardrails(&self) -> GuardrailFloor {
        let mut all = GuardrailFloor { input: self.input_guardrails.clone(), output: self.output_guardrails.clone() };
        let add = |all: &mut Vec<Arc<Guardrail>>, more: &[Arc<Guardrail>]| {
            for guardrail in more {
                if !all.contains(guardrail) {
                    all.push(guardrail.clone());
                }
            }
        };
        for target in self.targets() {
            add(&mut all.input, &target.input_guardrails);
            add(&mut all.output, &target.output_guardrails);
        }
        all
    }

    /// Whether conditions choose where a request goes.
    pub fn is_conditional(&self) -> bool {
        self.root.is_conditional()
    }

    /// The paths of what the config asks for and this gateway does not do yet: caches, guardrails, mutators.
    pub fn unsupported_features(&self) -> Vec<String> {
        self.unsupported.clone()
    }

    /// The paths of credentials that the config brings.
    pub fn uses_client_credentials(&self) -> Vec<String> {
        self.credentials.clone()
    }

    /// The paths of hosts that the config names.
    pub fn custom_hosts(&self) -> Vec<String> {
        self.custom_hosts.clone()
    }
}

fn forget_cache(node: &mut Value) {
    let Some(object) = node.as_object_mut() else { return };
    object.remove("cache");
    if let Some(Value::Array(targets)) = object.get_mut("targets") {
        targets.iter_mut().for_each(forget_cache);
    }
}

impl Default for Plan {
    /// One target that leaves everything to the request.
    fn default() -> Self {
        let target = Target { path: "config".to_owned(), ..Target::default() };
        let root = Node::Leaf(Arc::new(target));
        Self {
            cache: None,
            input_guardrails: Vec::new(),
            output_guardrails: Vec::new(),
            metadata: Map::new(),
            root,
            unsupported: Vec::new(),
            credentials: Vec::new(),
            custom_hosts: Vec::new(),
            fingerprint: OnceLock::new(),
        }
    }
}

/// A config that was read, and what was odd in it.
#[derive(Debug)]
pub struct PlanReading {
    /// The plan.
    pub plan: Plan,
    /// What was ignored or changed, in words for the client.
    pub warnings: Vec<String>,
}

/// One thing wrong in a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `strategy.mode`, `targets[1].weight`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Where a request may go, and how.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Its label.
    pub name: Option<String>,
    /// The provider's name, in lower case and without `@`; the request decides where it is absent.
    pub provider: Option<String>,
    /// A credential that the config brings.
    pub api_key: Option<Secret>,
    /// The slug of a stored credential that the config names.
    pub virtual_key: Option<Secret>,
    /// A base URL that the config brings.
    pub custom_host: Option<String>,
    /// Fields that replace the client's.
    pub override_params: Map<String, Value>,
    /// Fields for where the client has none.
    pub default_params: Map<String, Value>,
    /// Fields that are taken out: names, or paths such as `messages[*].name`.
    pub drop_params: Vec<String>,
    /// How often the same target is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may take; for a stream, until its first content.
    pub request_timeout: Option<Duration>,
    /// Names of client headers that the provider gets too.
    pub forward_headers: Vec<String>,
    /// Headers for the provider.
    pub headers: Vec<(String, String)>,
    /// Whether only OpenAI's own fields are answered.
    pub strict: Option<bool>,
    /// What it asks of the cache.
    pub cache: Option<CacheRule>,
    /// What it wants done with a request before it is sent.
    pub input_guardrails: Vec<Arc<Guardrail>>,
    /// What it wants done with an answer.
    pub output_guardrails: Vec<Arc<Guardrail>>,
    /// The target's place, as `x-portkey-last-used-option-index` tells it: `config.targets[1]`.
    pub path: String,
}

impl Target {
    /// The model that replaces the client's.
    pub fn model(&self) -> Option<&str> {
        self.override_params.get("model").and_then(Value::as_str)
    }
}

/// A node of the config's tree.
#[derive(Debug)]
enum Node {
    /// A target.
    Leaf(Arc<Target>),
    /// A strategy over children.
    Branch {
        /// How the children are used.
        mode: Mode,
        /// The children, in the config's order.
        children: Vec<Child>,
    },
}

impl Node {
    fn is_conditional(&self) -> bool {
        match self {
            Self::Leaf(_) => false,
            Self::Branch { mode, children } => {
                matches!(mode, Mode::Conditional { .. }) || children.iter().any(|child| child.node.is_conditional())
            }
        }
    }
}

/// A node below a strategy.
#[derive(Debug)]
struct Child {
    node: Node,
    /// Its share under `loadbalance`.
    weight: f64,
    /// Its label under `conditional`.
    name: Option<String>,
    /// Which of its failures lead on to the next child under `fallback`.
    rule: ErrorRule,
}

#[cfg(test)]
mod tests;
