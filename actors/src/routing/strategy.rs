//! `strategy`: how the children of a node are used.

use serde_json::{Map, Value};

use super::conditions::Condition;
use super::fields::{Fields, Findings};
use super::sticky::{self, Sticky};
use super::{Child, ErrorRule};

const MODES: &str = "'single', 'fallback', 'loadbalance' or 'conditional'";
const KNOWN_FIELDS: &[&str] = &["mode", "on_status_codes", "conditions", "default", "sticky", "cb_config"];
const BREAKER: &[&str] = &[
    "failure_threshold",
    "failure_threshold_percentage",
    "minimum_requests",
    "cooldown_interval",
    "failure_status_codes",
    "enabled",
];
const CONDITION: &[&str] = &["query", "then"];

/// Conditions that a whole config may have.
const MAX_CONDITIONS: usize = 32;

/// A strategy.
#[derive(Debug)]
pub(super) enum Mode {
    /// The first child.
    Single,
    /// The children in turn, as failures lead on.
    Fallback {
        /// `on_status_codes`; any failure leads on where absent.
        statuses: Option<Vec<u16>>,
    },
    /// One child by weight.
    Loadbalance {
        /// What keeps equal requests at the same child.
        sticky: Option<Sticky>,
    },
    /// The child that the first fitting condition names.
    Conditional {
        /// What to look for, in order.
        conditions: Vec<Branch>,
        /// The child where none fits.
        default: Option<String>,
    },
}

/// One entry of `conditions`.
#[derive(Debug)]
pub(super) struct Branch {
    /// The condition.
    pub condition: Condition,
    /// It as it was written.
    pub query: Value,
    /// The name of the child to go to.
    pub then: String,
}

/// A node's strategy; `None` for a node that is a target itself.
pub(super) fn read(fields: &Fields<'_>, found: &mut Findings) -> Option<Mode> {
    check_breaker(fields, found);
    let own;
    let options = match fields.get("strategy") {
        None if fields.get("targets").is_some() || fields.get("weights").is_some() => {
            found.error(fields.at("strategy"), format!("targets need a strategy: {MODES}"));
            return None;
        }
        None => return None,
        Some(Value::String(mode)) => {
            let options = Map::from_iter([("mode".to_owned(), Value::String(mode.clone()))]);
            own = options;
            &own
        }
        Some(Value::Object(options)) => options,
        Some(_) => {
            found.error(fields.at("strategy"), format!("must be {MODES}, or an object with a 'mode'"));
            return None;
        }
    };
    let options = Fields::new(&fields.at("strategy"), options, &[KNOWN_FIELDS], found);
    check_breaker(&options, found);
    // What is wrong below a strategy that is wrong itself is told too.
    let has_targets = fields.get("targets").is_some() || fields.get("weights").is_some();
    let unknown = has_targets.then_some(Mode::Loadbalance { sticky: None });
    let Some(mode) = options.get("mode").and_then(Value::as_str) else {
        found.error(options.at("mode"), format!("must be {MODES}"));
        return unknown;
    };
    match mode {
        // Without targets the node itself is the one.
        "single" if fields.get("targets").is_none() && fields.get("weights").is_none() => None,
        "single" => Some(Mode::Single),
        "fallback" => Some(Mode::Fallback { statuses: options.statuses("on_status_codes", found) }),
        "loadbalance" => Some(Mode::Loadbalance { sticky: sticky::read(&options, found) }),
        "conditional" => Some(conditional(&options, found)),
        _ => {
            found.error(options.at("mode"), format!("'{mode}' is not a strategy: use {MODES}"));
            unknown
        }
    }
}

fn conditional(options: &Fields<'_>, found: &mut Findings) -> Mode {
    let default = options.text("default", found).map(str::to_owned);
    let Some(list) = options.get("conditions").and_then(Value::as_array) else {
        found.error(options.at("conditions"), "must be an array of {query, then}");
        return Mode::Conditional { conditions: Vec::new(), default };
    };
    found.conditions += list.len();
    if found.conditions > MAX_CONDITIONS {
        found.error(options.at("conditions"), format!("a config may have {MAX_CONDITIONS} conditions at most"));
        return Mode::Conditional { conditions: Vec::new(), default };
    }
    let conditions = list.iter().enumerate().filter_map(|(at, item)| {
        let path = options.at(&format!("conditions[{at}]"));
        let Some(object) = item.as_object() else {
            found.error(path, "must be an object with 'query' and 'then'");
            return None;
        };
        let item = Fields::new(&path, object, &[CONDITION], found);
        let then = item.text("then", found);
        if item.get("then").is_none() {
            found.error(item.at("then"), "must be the name of a target");
        }
        let Some(query) = item.get("query") else {
            found.error(item.at("query"), "must be an object");
            return None;
        };
        let condition = Condition::read(query, &item.at("query"), found);
        Some(Branch { condition: condition?, query: query.clone(), then: then?.to_owned() })
    });
    Mode::Conditional { conditions: conditions.collect(), default }
}

/// The gateway has one breaker a provider; a config's own is checked and told to be without effect.
fn check_breaker(fields: &Fields<'_>, found: &mut Findings) {
    let Some(breaker) = fields.object("cb_config", found) else { return };
    let breaker = Fields::new(&fields.at("cb_config"), breaker, &[BREAKER], found);
    for name in ["failure_threshold", "minimum_requests", "cooldown_interval"] {
        breaker.number(name, 0, u64::from(u32::MAX), found);
    }
    breaker.number("failure_threshold_percentage", 0, 100, found);
    breaker.statuses("failure_status_codes", found);
    found.warn(format!("'{}' is not used: each provider has one circuit breaker, set by the operator", breaker.path));
}

/// What only the whole node tells.
pub(super) fn check(mode: &Mode, fields: &Fields<'_>, children: &[Child], found: &mut Findings) {
    match mode {
        Mode::Fallback { .. } => {
            if let [only] = children
                && only.rule != ErrorRule::Any
            {
                found.warn(format!("'{}' has one target, so there is nothing to fall back to", fields.at("targets")));
            }
        }
        Mode::Conditional { conditions, default } => {
            let exists = |name: &str| children.iter().any(|child| child.name.as_deref() == Some(name));
            let entries = conditions.iter().enumerate();
            let mut names: Vec<(String, &str)> =
                entries.map(|(at, branch)| (format!("strategy.conditions[{at}].then"), branch.then.as_str())).collect();
            names.extend(default.iter().map(|name| ("strategy.default".to_owned(), name.as_str())));
            for (place, name) in names.iter().filter(|(_, name)| !exists(name)) {
                found.error(fields.at(place), format!("no target has the name '{name}'"));
            }
        }
        Mode::Single | Mode::Loadbalance { .. } => {}
    }
}
