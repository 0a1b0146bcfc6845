//! One node of a config: its own fields, what it inherits, and its children.

use std::sync::Arc;

use serde_json::Value;

use super::error_rule::ErrorWord;
use super::fields::{Fields, Findings, join};
use super::strategy::{self, Mode};
use super::{Child, ErrorRule, Node, Target, config_keys, target};

const MAX_DEPTH: usize = 8;
const MAX_TARGETS: usize = 64;

/// A share that adds up with 63 others without becoming infinite.
const MAX_WEIGHT: f64 = 1e12;

/// Keys of a child that its parent's strategy reads; the others are looked at with the child itself.
const OF_PARENT: &[&str] = &["weight", "on_errors", "name"];

/// Reads a node; `path` is its place for messages, `place` the one for the answer's header. Gives the node, and the
/// settings that hold for all of it.
pub(super) fn read_node(
    value: &Value,
    path: &str,
    place: &str,
    inherited: &Target,
    depth: usize,
    found: &mut Findings,
) -> Option<(Node, Target)> {
    let at_node = if path.is_empty() { "config" } else { path };
    let Some(object) = value.as_object() else {
        found.error(at_node, "must be an object");
        return None;
    };
    if depth > MAX_DEPTH {
        found.error(at_node, format!("exceeds the limit: a config may be nested {MAX_DEPTH} levels deep"));
        return None;
    }
    let fields = Fields::new(path, object, &[config_keys::USED, config_keys::UNUSED], found);
    check_odd_keys(&fields, found);
    target::note_credentials(&fields, place, found);
    let own = target::own_settings(&fields, place, inherited, found);
    let node = match strategy::read(&fields, found) {
        Some(mode) => {
            for name in ["provider", "api_key", "virtual_key"].iter().filter(|name| fields.get(name).is_some()) {
                found.warn(format!("'{}' is not used beside targets: write it into them", fields.at(name)));
            }
            let children = children(&fields, place, &own, &mode, depth, found);
            strategy::check(&mode, &fields, &children, found);
            Node::Branch { mode, children }
        }
        None => Node::Leaf(Arc::new(target::leaf(&fields, place, own.clone(), found))),
    };
    Some((node, own))
}

fn check_odd_keys(fields: &Fields<'_>, found: &mut Findings) {
    if fields.get("options").is_some() {
        found.error(
            fields.at("options"),
            "This version of config is not supported in this route. Please migrate to the latest version",
        );
    }
    for name in config_keys::UNUSED.iter().filter(|name| fields.get(name).is_some()) {
        found.warn(format!("'{}' is not used by this gateway", fields.at(name)));
    }
    if fields.statuses("on_status_codes", found).is_some() {
        let place = fields.at("on_status_codes");
        found.warn(format!("'{place}' has no effect: write it into 'strategy' for fallback, or into 'retry'"));
    }
}

fn children(
    fields: &Fields<'_>,
    place: &str,
    inherited: &Target,
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
    if found.targets > MAX_TARGETS {
        found.error(fields.at(name), format!("a config may have {MAX_TARGETS} targets at most"));
        return Vec::new();
    }
    let child = |(at, value): (usize, &Value)| {
        let path = join(&fields.path, &format!("{name}[{at}]"));
        let (node, _) = read_node(value, &path, &format!("{place}.targets[{at}]"), inherited, depth + 1, found)?;
        child_of(node, value, &path, mode, found)
    };
    list.iter().enumerate().filter_map(child).collect()
}

fn child_of(node: Node, value: &Value, path: &str, mode: &Mode, found: &mut Findings) -> Option<Child> {
    let own = Fields::new(path, value.as_object()?, &[OF_PARENT], &mut Findings::default());
    let weight = own.fraction("weight", 0.0, MAX_WEIGHT, found).unwrap_or(1.0);
    let words = error_words(&own, found);
    let rule = match (words, mode) {
        (Some(words), Mode::Fallback { .. }) => ErrorRule::Words(words),
        (None, Mode::Fallback { statuses: Some(statuses) }) => ErrorRule::Statuses(statuses.clone()),
        (Some(_), _) => {
            warn_no_effect(&own, found);
            ErrorRule::Any
        }
        (None, _) => ErrorRule::Any,
    };
    // A leaf has told a wrong name already.
    let name = own.get("name").and_then(Value::as_str).map(str::to_owned);
    Some(Child { node, weight, name, rule })
}

/// `on_errors` of the whole config, which is nobody's child.
pub(super) fn check_root(value: &Value, found: &mut Findings) {
    let Some(object) = value.as_object() else { return };
    let own = Fields::new("", object, &[OF_PARENT], &mut Findings::default());
    if error_words(&own, found).is_some() {
        warn_no_effect(&own, found);
    }
}

fn error_words(own: &Fields<'_>, found: &mut Findings) -> Option<Vec<ErrorWord>> {
    own.read("on_errors", "an array of timeout, rate_limit, connection, statuses, 4xx, 5xx or *", found, |value| {
        value.as_array()?.iter().map(ErrorWord::from_value).collect()
    })
}

fn warn_no_effect(own: &Fields<'_>, found: &mut Findings) {
    found.warn(format!("'{}' has no effect: it belongs to a target of the strategy 'fallback'", own.at("on_errors")));
}
