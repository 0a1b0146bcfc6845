//! `jsonSchema` and `jsonKeys`: checks of the JSON in a text.

use boon::{Compiler, Draft, SchemaIndex, Schemas, UrlLoader};
use serde_json::{Map, Value, json};

use super::code::code_blocks;
use super::params::{Operator, Params, bad, texts};
use super::{BadCheck, Outcome, patterns};

/// Places of a text that are tried as the beginning of JSON.
const MAX_BEGINNINGS: usize = 64;
/// Errors of a schema that are told.
const MAX_ERRORS: usize = 10;
/// Regular expressions in a schema.
const MAX_PATTERNS: usize = 64;
/// The name that a schema has while it is compiled.
const SCHEMA_NAME: &str = "http://localhost/schema.json";

/// A schema, of draft 2020-12 where it does not say another. It is compiled with the configuration.
pub(super) struct JsonSchema {
    schemas: Schemas,
    index: SchemaIndex,
}

pub(super) struct JsonKeys {
    keys: Vec<String>,
    operator: Operator,
}

/// Refuses what a schema refers to outside itself: neither files nor the network are read.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, _url: &str) -> Result<Value, Box<dyn std::error::Error>> {
        Err("references to other documents are not followed".into())
    }
}

impl JsonSchema {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        let schema = params.required("schema")?;
        // A schema may come as a text.
        let schema = match schema.as_str() {
            Some(text) => serde_json::from_str(text).map_err(|_| bad("schema", "Must be JSON."))?,
            None => schema.clone(),
        };
        if !schema.is_object() {
            return Err(bad("schema", "Must be a JSON schema, which is an object."));
        }
        check_patterns(&schema)?;
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.use_loader(Box::new(NoLoader));
        let mut schemas = Schemas::new();
        let wrong = |_| bad("schema", "Not a valid JSON schema, or it refers to another document.");
        compiler.add_resource(SCHEMA_NAME, schema).map_err(wrong)?;
        let index = compiler.compile(SCHEMA_NAME, &mut schemas).map_err(wrong)?;
        Ok(Self { schemas, index })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let candidates = json_in(text);
        if candidates.is_empty() {
            return Outcome::error("The text has no JSON.");
        }
        let results: Vec<_> = candidates.iter().map(|candidate| self.errors(candidate)).collect();
        let holds = results.iter().any(Vec::is_empty);
        let explanation =
            if holds { "JSON of the text fits the schema." } else { "No JSON of the text fits the schema." };
        let errors = if holds { Vec::new() } else { results.into_iter().next().unwrap_or_default() };
        Outcome::new(holds, explanation, json!({"validationErrors": errors}))
    }

    /// The parts of the schema that a value does not fit. They tell nothing of the value.
    fn errors(&self, candidate: &Value) -> Vec<Value> {
        let Err(error) = self.schemas.validate(candidate, self.index) else { return Vec::new() };
        let mut leaves = Vec::new();
        let mut open = vec![&error];
        while let Some(error) = open.pop() {
            if error.causes.is_empty() {
                let place = error.schema_url.split_once('#').map_or("", |(_, place)| place);
                leaves.push(json!({"schemaPath": place}));
            }
            open.extend(&error.causes);
        }
        leaves.truncate(MAX_ERRORS);
        if leaves.is_empty() { vec![json!({"schemaPath": ""})] } else { leaves }
    }
}

/// Holds the regular expressions of a schema to the size of those of a configuration.
fn check_patterns(schema: &Value) -> Result<(), BadCheck> {
    let mut rules: Vec<&str> = Vec::new();
    let mut open = vec![schema];
    while let Some(value) = open.pop() {
        if let Some(object) = value.as_object() {
            rules.extend(object.get("pattern").and_then(Value::as_str));
            let keys = object.get("patternProperties").and_then(Value::as_object);
            rules.extend(keys.into_iter().flat_map(|keys| keys.keys().map(String::as_str)));
            open.extend(object.values());
        }
        open.extend(value.as_array().into_iter().flatten());
    }
    if rules.len() > MAX_PATTERNS {
        return Err(bad("schema", format!("Has more than {MAX_PATTERNS} regular expressions.")));
    }
    rules.into_iter().try_for_each(|rule| patterns::compile(rule, "schema").map(|_| ()))
}

impl JsonKeys {
    pub(super) fn read(params: &Params<'_>) -> Result<Self, BadCheck> {
        Ok(Self { keys: texts(params.required("keys")?, "keys")?, operator: params.operator()? })
    }

    pub(super) fn run(&self, text: &str) -> Outcome {
        let candidates = json_in(text);
        let objects: Vec<&Map<String, Value>> = candidates.iter().filter_map(Value::as_object).collect();
        if objects.is_empty() {
            return Outcome::error("The text has no JSON object.");
        }
        let found = |object: &&Map<String, Value>| self.keys.iter().filter(|key| object.contains_key(*key)).count();
        let counts: Vec<usize> = objects.iter().map(found).collect();
        let holds = counts.iter().any(|&count| self.operator.holds(count, self.keys.len()));
        let most = counts.into_iter().max().unwrap_or_default();
        let explanation = format!("The JSON object with most of them has {most} of {} keys.", self.keys.len());
        Outcome::new(holds, explanation, json!({"operator": self.operator.as_str(), "foundCount": most}))
    }
}

/// The JSON in a text: the whole text, or its code blocks, or the objects and arrays anywhere in it.
fn json_in(text: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return vec![value];
    }
    let blocks = code_blocks(text).filter_map(|(_, inside)| serde_json::from_str(inside).ok());
    let found: Vec<Value> = blocks.take(MAX_BEGINNINGS).collect();
    if !found.is_empty() {
        return found;
    }
    let mut found = Vec::new();
    let mut rest = text;
    for _ in 0..MAX_BEGINNINGS {
        let Some(begin) = rest.find(['{', '[']) else { break };
        rest = rest.get(begin..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let skipped = match values.next() {
            Some(Ok(value)) => {
                found.push(value);
                values.byte_offset()
            }
            _ => 1,
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    found
}
