//! One pass over a schema.

use serde_json::{Map, Value, json};

use super::{Subset, merge};

/// Keywords that mean nothing to a model.
const SILENT: [&str; 6] = ["$schema", "$id", "$comment", "$anchor", "$vocabulary", "additionalProperties"];

/// Keywords that say what kind of value a schema describes.
const SHAPES: [&str; 9] = ["type", "$ref", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf"];

/// A pass over the schema with this root.
pub(super) struct Walk<'a> {
    root: &'a Value,
    subset: &'a Subset,
}

/// A schema as far as it is transformed.
#[derive(Default)]
struct Made {
    schema: Map<String, Value>,
    /// What is told in words.
    notes: Vec<String>,
}

impl Made {
    fn keep(&mut self, keyword: &str, value: Value) {
        self.schema.insert(keyword.to_owned(), value);
    }

    /// Appends the notes to the description.
    fn describe(&mut self) {
        if self.notes.is_empty() {
            return;
        }
        let notes = format!("{{{}}}", self.notes.join(", "));
        let description = match self.schema.get("description").and_then(Value::as_str) {
            Some(text) => format!("{text}\n\n{notes}"),
            None => notes,
        };
        self.keep("description", Value::String(description));
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Value, subset: &'a Subset) -> Self {
        Self { root, subset }
    }

    /// A schema at a depth.
    pub(super) fn schema(&self, schema: &Value, depth: usize) -> Value {
        let Some(given) = schema.as_object() else {
            return if schema == &Value::Bool(true) { json!({}) } else { schema.clone() };
        };
        let mut made = Made::default();
        // A reference stands alone.
        let is_reference = given.get("$ref").is_some_and(Value::is_string);
        for (keyword, value) in given {
            if !is_reference || matches!(keyword.as_str(), "$ref" | "$defs" | "definitions") {
                self.keyword(given, keyword, value, depth, &mut made);
            }
        }
        if let Some(parts) = given.get("allOf").and_then(Value::as_array).filter(|_| !is_reference) {
            self.all_of(parts, depth, &mut made);
        }
        made.describe();
        if !made.schema.contains_key("$ref") {
            self.close(&mut made.schema);
        }
        Value::Object(made.schema)
    }

    fn keyword(&self, given: &Map<String, Value>, keyword: &str, value: &Value, depth: usize, made: &mut Made) {
        match (keyword, value) {
            ("allOf", Value::Array(_)) => {}
            ("required", _) if self.subset.all_required => {}
            ("default", Value::Null) => {}
            _ if SILENT.contains(&keyword) => {}
            ("$defs" | "definitions" | "properties", Value::Object(named)) => {
                let inner = named.iter().map(|(name, inner)| (name.clone(), self.schema(inner, depth + 1)));
                made.keep(keyword, Value::Object(inner.collect()));
            }
            ("items", Value::Object(_) | Value::Bool(true)) => made.keep("items", self.schema(value, depth + 1)),
            ("anyOf", Value::Array(options)) if !options.iter().any(is_mere_constraint) => {
                made.keep("anyOf", self.list(options, depth));
            }
            ("oneOf", Value::Array(options))
                if !given.contains_key("anyOf") && !options.iter().any(is_mere_constraint) =>
            {
                made.keep("anyOf", self.list(options, depth));
            }
            ("$ref" | "description" | "title", Value::String(_)) | ("required", Value::Array(_)) | ("type", _) => {
                made.keep(keyword, value.clone());
            }
            ("enum", Value::Array(values)) if values.iter().all(is_scalar) => made.keep(keyword, value.clone()),
            ("const", value) if is_scalar(value) => made.keep(keyword, value.clone()),
            ("format", Value::String(format)) if self.subset.formats.contains(&format.as_str()) => {
                made.keep(keyword, value.clone());
            }
            _ if (self.subset.takes)(keyword, value) => made.keep(keyword, value.clone()),
            _ => made.notes.push(format!("{keyword}: {value}")),
        }
    }

    fn list(&self, schemas: &[Value], depth: usize) -> Value {
        schemas.iter().map(|schema| self.schema(schema, depth + 1)).collect()
    }

    /// Merges what must hold all at once into one schema; where that cannot be said in one, it stays as it is, and the
    /// vendor says whether it takes it.
    fn all_of(&self, parts: &[Value], depth: usize, made: &mut Made) {
        let parts: Vec<Value> = parts.iter().map(|part| self.schema(part, depth + 1)).collect();
        let resolved = parts.iter().map(|part| match merge::resolved(part, self.root, depth) {
            Some(target) => self.schema(target, depth + 1),
            None => part.clone(),
        });
        match merge::reference(&made.schema, &parts).or_else(|| merge::merged(made.schema.clone(), resolved)) {
            Some(merged) => made.schema = merged,
            None => made.keep("allOf", Value::Array(parts)),
        }
    }

    /// Names the type where it goes without saying, and closes objects.
    fn close(&self, schema: &mut Map<String, Value>) {
        if !["type", "anyOf", "allOf", "enum", "const"].iter().any(|keyword| schema.contains_key(*keyword)) {
            let implied = [("properties", "object"), ("items", "array")];
            if let Some((_, kind)) = implied.iter().find(|(keyword, _)| schema.contains_key(*keyword)) {
                schema.insert("type".to_owned(), json!(kind));
            }
        }
        let is_object = match schema.get("type") {
            Some(Value::String(kind)) => kind == "object",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            _ => false,
        };
        if !is_object {
            return;
        }
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        let names: Vec<Value> =
            properties.as_object().into_iter().flat_map(Map::keys).map(|name| json!(name)).collect();
        schema.insert("additionalProperties".to_owned(), json!(false));
        if self.subset.all_required {
            schema.insert("required".to_owned(), Value::Array(names));
        }
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// Whether an option only says more of the schema around it, such as which properties it must have.
fn is_mere_constraint(option: &Value) -> bool {
    let Some(option) = option.as_object() else { return false };
    let says = |keyword: &str| !matches!(keyword, "description" | "title");
    option.keys().any(|keyword| says(keyword)) && !SHAPES.iter().any(|shape| option.contains_key(*shape))
}
