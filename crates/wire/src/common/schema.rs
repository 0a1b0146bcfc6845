//! JSON schemas for vendors that take a subset of the standard.
//!
//! What the vendor refuses is told to the model in the description instead, as the vendors' own SDKs do. Required names,
//! enumerations and nesting stay. A schema that is transformed already comes out unchanged.

mod merge;
mod walk;

use serde_json::Value;

use self::walk::Walk;
use super::JsonText;

/// What a vendor takes.
#[derive(Clone, Copy, Debug)]
struct Subset {
    /// The values of `format`.
    formats: &'static [&'static str],
    /// Whether a keyword beyond those that all take is taken with this value.
    takes: fn(&str, &Value) -> bool,
    /// Whether every property has to be required.
    all_required: bool,
}

/// Anthropic's structured outputs and strict tools.
const ANTHROPIC: Subset = Subset {
    formats: &["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"],
    takes: |keyword, value| keyword == "minItems" && value.as_u64().is_some_and(|least| least <= 1),
    all_required: false,
};

/// OpenAI's strict mode.
const OPEN_AI_STRICT: Subset = Subset {
    formats: &["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"],
    takes: |keyword, _| {
        let bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
        bounds.contains(&keyword) || matches!(keyword, "pattern" | "minItems" | "maxItems")
    },
    all_required: true,
};

/// The most passes: each merges what the one before made mergeable.
const MAX_PASSES: usize = 16;

/// A schema as Anthropic's structured outputs and strict tools take it: objects are closed, `oneOf` is `anyOf`, bounds
/// and unknown formats are words in the description.
pub fn for_anthropic(schema: &JsonText) -> JsonText {
    transformed(schema, &ANTHROPIC)
}

/// A schema as OpenAI's strict mode takes it: objects are closed and all their properties required, so that every answer
/// also follows the schema as it was given.
pub fn for_open_ai_strict(schema: &JsonText) -> JsonText {
    transformed(schema, &OPEN_AI_STRICT)
}

/// The schema after passes that change nothing more; what is no object, or nested too deep to read, stays as it is.
fn transformed(schema: &JsonText, subset: &Subset) -> JsonText {
    let Ok(mut tree) = schema.read::<Value>() else { return schema.clone() };
    if !tree.is_object() {
        return schema.clone();
    }
    for _ in 0..MAX_PASSES {
        let root = merge::unrolled(tree.clone());
        let next = Walk::new(&root, subset).schema(&root, 0);
        if next == tree {
            break;
        }
        tree = next;
    }
    JsonText::from(tree)
}

#[cfg(test)]
mod tests;
