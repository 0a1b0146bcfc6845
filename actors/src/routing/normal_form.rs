//! A plan written back as a config: one spelling, with everything inherited written out, and no credential shown.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::strategy::{Branch, Mode};
use super::{CacheRule, Child, ErrorRule, Node, Plan, RetryPolicy, Target};
use crate::guardrails::Guardrail;

impl Plan {
    /// The plan as a config in Portkey's form. Reading it again gives the same, but for credentials, which are `***`.
    pub fn normal_form(&self) -> Value {
        let mut object = node(&self.root, self);
        if !self.metadata.is_empty() {
            object.insert("metadata".to_owned(), Value::Object(self.metadata.clone()));
        }
        if let Node::Branch { .. } = self.root {
            shared(&mut object, self.cache.as_ref(), &self.input_guardrails, &self.output_guardrails);
        }
        Value::Object(object)
    }
}

fn node(node: &Node, plan: &Plan) -> Map<String, Value> {
    match node {
        Node::Leaf(target) => leaf(target, plan),
        Node::Branch { mode, children } => Map::from_iter([
            ("strategy".to_owned(), strategy(mode)),
            ("targets".to_owned(), children.iter().map(|item| child(item, mode, plan)).collect()),
        ]),
    }
}

fn child(child: &Child, mode: &Mode, plan: &Plan) -> Value {
    let mut object = node(&child.node, plan);
    if matches!(mode, Mode::Loadbalance { .. }) {
        object.insert("weight".to_owned(), json!(child.weight));
    }
    if let Some(name) = &child.name {
        object.insert("name".to_owned(), json!(name));
    }
    if let ErrorRule::Words(words) = &child.rule {
        object.insert("on_errors".to_owned(), words.iter().map(|word| word.to_json()).collect());
    }
    Value::Object(object)
}

fn strategy(mode: &Mode) -> Value {
    match mode {
        Mode::Single => json!({"mode": "single"}),
        Mode::Fallback { statuses: None } => json!({"mode": "fallback"}),
        Mode::Fallback { statuses } => json!({"mode": "fallback", "on_status_codes": statuses}),
        Mode::Loadbalance { sticky: None } => json!({"mode": "loadbalance"}),
        Mode::Loadbalance { sticky: Some(sticky) } => json!({"mode": "loadbalance", "sticky": sticky.to_json()}),
        Mode::Conditional { conditions, default } => {
            let entry = |branch: &Branch| json!({"query": branch.query, "then": branch.then});
            let conditions: Vec<Value> = conditions.iter().map(entry).collect();
            json!({"mode": "conditional", "conditions": conditions, "default": default})
        }
    }
}

fn leaf(target: &Target, plan: &Plan) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value, is_said: bool| {
        if is_said {
            object.insert(name.to_owned(), value);
        }
    };
    put("name", json!(target.name), target.name.is_some());
    put("provider", json!(target.provider), target.provider.is_some());
    put("api_key", json!(target.api_key), target.api_key.is_some());
    put("virtual_key", json!(target.virtual_key), target.virtual_key.is_some());
    put("custom_host", json!(target.custom_host), target.custom_host.is_some());
    put("override_params", json!(target.override_params), !target.override_params.is_empty());
    put("default_params", json!(target.default_params), !target.default_params.is_empty());
    put("drop_params", json!(target.drop_params), !target.drop_params.is_empty());
    put("retry", target.retry.to_json(), target.retry != RetryPolicy::default());
    let millis = target.request_timeout.map(|limit| limit.as_millis() as u64);
    put("request_timeout", json!(millis), millis.is_some());
    put("forward_headers", json!(target.forward_headers), !target.forward_headers.is_empty());
    put("strict_open_ai_compliance", json!(target.strict), target.strict.is_some());
    for (header, value) in &target.headers {
        put(&header.replace('-', "_"), json!(value), true);
    }
    // What a target has switched off would else come back from the whole config's.
    put("cache", json!({"mode": "disabled"}), target.cache.is_none() && plan.cache.is_some());
    let switched_off = |own: &[Arc<Guardrail>], of_plan: &[Arc<Guardrail>]| own.is_empty() && !of_plan.is_empty();
    put("input_guardrails", json!([]), switched_off(&target.input_guardrails, &plan.input_guardrails));
    put("output_guardrails", json!([]), switched_off(&target.output_guardrails, &plan.output_guardrails));
    shared(&mut object, target.cache.as_ref(), &target.input_guardrails, &target.output_guardrails);
    object
}

fn shared(
    object: &mut Map<String, Value>,
    cache: Option<&CacheRule>,
    input: &[Arc<Guardrail>],
    output: &[Arc<Guardrail>],
) {
    if let Some(rule) = cache {
        object.insert("cache".to_owned(), rule.to_json());
    }
    for (name, list) in [("before_request_hooks", input), ("after_request_hooks", output)] {
        if !list.is_empty() {
            object.insert(name.to_owned(), list.iter().map(|guardrail| guardrail.to_json()).collect());
        }
    }
}
