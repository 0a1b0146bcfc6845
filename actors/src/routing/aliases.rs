//! Names that clients use for models, and what serves a request that asks for one of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Node, Plan, Target};

/// What stands behind a name.
#[derive(Clone, Debug)]
pub enum Alias {
    /// A named config says where the request goes.
    Config(Arc<Plan>),
    /// One provider's model.
    Target {
        /// The provider's name in the configuration.
        provider: String,
        /// The model as the provider calls it.
        model: String,
    },
}

impl Alias {
    /// The provider and the model that a target of the request's config means by the alias: what the target itself names
    /// goes before what the alias names. What comes out is no alias again.
    pub fn stand_in<'a>(&'a self, target: &'a Target) -> Option<(&'a str, &'a str)> {
        match self {
            Self::Target { provider, model } if target.model().is_none() => {
                Some((target.provider.as_deref().unwrap_or(provider), model))
            }
            _ => None,
        }
    }

    /// Whether the operator chose all that this target asks for, so that the alias's name is what a key must allow.
    pub fn serves(&self, target: &Target) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Target { .. } => target.provider.is_none() && target.model().is_none(),
        }
    }

    /// Whether one of the providers that may serve is usable. Which one a config leaves open is known per request only.
    pub fn is_served(&self, usable: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Config(plan) => plan.targets().iter().any(|target| target.provider.as_deref().is_none_or(usable)),
            Self::Target { provider, .. } => usable(provider),
        }
    }

    /// The one provider that serves, where there is but one.
    pub fn provider(&self) -> Option<&str> {
        match self {
            Self::Config(_) => None,
            Self::Target { provider, .. } => Some(provider),
        }
    }
}

/// Every alias by its name.
#[derive(Clone, Debug, Default)]
pub struct Aliases(BTreeMap<String, Arc<Alias>>);

impl Aliases {
    /// The alias of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Alias>> {
        self.0.get(name)
    }

    /// Every alias with its name, in the names' order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Alias)> {
        self.0.iter().map(|(name, alias)| (name.as_str(), alias.as_ref()))
    }

    /// The provider and the model that a name means without a config: those of its alias, or the name itself.
    pub fn target_of<'a>(&'a self, name: &'a str) -> (Option<&'a str>, &'a str) {
        match self.get(name).map(Arc::as_ref) {
            Some(Alias::Target { provider, model }) => (Some(provider), model),
            Some(Alias::Config(_)) | None => (None, name),
        }
    }
}

impl FromIterator<(String, Alias)> for Aliases {
    fn from_iter<I: IntoIterator<Item = (String, Alias)>>(aliases: I) -> Self {
        Self(aliases.into_iter().map(|(name, alias)| (name, Arc::new(alias))).collect())
    }
}

impl Plan {
    /// Every target, in the config's order.
    pub fn targets(&self) -> Vec<&Target> {
        let mut targets = Vec::new();
        let mut nodes = vec![&self.root];
        while let Some(node) = nodes.pop() {
            match node {
                Node::Leaf(target) => targets.push(target.as_ref()),
                Node::Branch { children, .. } => nodes.extend(children.iter().rev().map(|child| &child.node)),
            }
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routing::parse_value;

    fn plan(config: serde_json::Value) -> Plan {
        parse_value(&config).unwrap().plan
    }

    #[test]
    fn a_target_goes_before_the_alias() {
        let alias = Alias::Target { provider: "openai".to_owned(), model: "gpt-4o".to_owned() };
        let config = json!({ "strategy": "fallback", "targets": [
            { "retry": { "attempts": 1 } }, { "provider": "acme" }, { "override_params": { "model": "m" } } ] });
        let plan = plan(config);
        let meant: Vec<_> =
            plan.targets().into_iter().map(|target| (alias.stand_in(target), alias.serves(target))).collect();
        assert_eq!(meant, [(Some(("openai", "gpt-4o")), true), (Some(("acme", "gpt-4o")), false), (None, false),]);
    }

    #[test]
    fn targets_come_in_the_configs_order() {
        let nested = json!({ "strategy": "loadbalance", "targets": [{ "provider": "b" }, { "provider": "c" }] });
        let config = json!({ "strategy": "fallback", "targets": [{ "provider": "a" }, nested, { "provider": "d" }] });
        let plan = plan(config);
        let providers: Vec<_> = plan.targets().iter().filter_map(|target| target.provider.as_deref()).collect();
        assert_eq!(providers, ["a", "b", "c", "d"]);
    }
}
