//! References, and schemas that must hold all at once (`allOf`), as one schema.

use serde_json::map::Entry;
use serde_json::{Map, Value};

/// The deepest place at which a reference is replaced, so that no pass makes a schema deeper than can be read.
const MAX_DEPTH: usize = 16;

/// The most values of a schema that replaces a reference, so that no schema grows without end.
const MAX_VALUES: usize = 256;

/// The most references that lead from one to the next.
const MAX_HOPS: usize = 8;

/// A root that is a reference into its own definitions, replaced by what it names.
pub(super) fn unrolled(mut root: Value) -> Value {
    for _ in 0..MAX_HOPS {
        let Some(target) = root.get("$ref").and_then(|reference| target(reference, &root)) else { break };
        let Some(mut unrolled) = target.as_object().cloned() else { break };
        let Some(given) = root.as_object() else { break };
        for (keyword, value) in given.iter().filter(|(keyword, _)| *keyword != "$ref") {
            unrolled.insert(keyword.clone(), value.clone());
        }
        root = Value::Object(unrolled);
    }
    root
}

/// What a reference names: a place below the root, other than the root itself.
fn target<'a>(reference: &Value, root: &'a Value) -> Option<&'a Value> {
    let path = reference.as_str()?.strip_prefix('#')?;
    root.pointer(path).filter(|_| !path.is_empty())
}

/// What stands for a part that is a reference, where it is small and itself whole.
pub(super) fn resolved<'a>(part: &Value, root: &'a Value, depth: usize) -> Option<&'a Value> {
    let target = target(part.get("$ref")?, root)?;
    let mut room = MAX_VALUES;
    (depth < MAX_DEPTH && is_whole(target, &mut room)).then_some(target)
}

/// Whether nothing in it waits to be merged, and its values fit into the room.
fn is_whole(schema: &Value, room: &mut usize) -> bool {
    if *room == 0 {
        return false;
    }
    *room -= 1;
    match schema {
        Value::Object(map) => !map.contains_key("allOf") && map.values().all(|value| is_whole(value, room)),
        Value::Array(items) => items.iter().all(|item| is_whole(item, room)),
        _ => true,
    }
}

/// A single reference with nothing but words around it, which stands alone.
pub(super) fn reference(around: &Map<String, Value>, parts: &[Value]) -> Option<Map<String, Value>> {
    let [Value::Object(part)] = parts else { return None };
    let is_bare = around.keys().all(|keyword| matches!(keyword.as_str(), "description" | "title"));
    (is_bare && part.contains_key("$ref")).then(|| part.clone())
}

/// All of the parts in one schema; none where they say different things under one keyword.
pub(super) fn merged(mut schema: Map<String, Value>, parts: impl Iterator<Item = Value>) -> Option<Map<String, Value>> {
    for part in parts {
        let Value::Object(part) = part else { return None };
        for (keyword, value) in part {
            match keyword.as_str() {
                // Closed once they are one.
                "additionalProperties" => {}
                "$ref" => return None,
                "title" => drop(schema.entry(keyword).or_insert(value)),
                _ => add(&mut schema, keyword, value)?,
            }
        }
    }
    Some(schema)
}

fn add(schema: &mut Map<String, Value>, keyword: String, value: Value) -> Option<()> {
    match schema.entry(keyword) {
        Entry::Vacant(place) => drop(place.insert(value)),
        Entry::Occupied(mut place) => {
            let keyword = place.key().clone();
            match (keyword.as_str(), place.get_mut(), value) {
                (_, there, value) if *there == value => {}
                ("properties", Value::Object(there), Value::Object(more)) => {
                    for (name, value) in more {
                        let kept = there.entry(name).or_insert_with(|| value.clone());
                        (*kept == value).then_some(())?;
                    }
                }
                ("required", Value::Array(there), Value::Array(more)) => {
                    for name in more {
                        if !there.contains(&name) {
                            there.push(name);
                        }
                    }
                }
                ("description", Value::String(there), Value::String(more)) => {
                    there.push_str("\n\n");
                    there.push_str(&more);
                }
                _ => return None,
            }
        }
    }
    Some(())
}
