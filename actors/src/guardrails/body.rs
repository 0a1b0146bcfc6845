//! The texts of a request: all that a provider would get to read.

use gateway_guard::checks::Subject;
use gateway_guard::json_strings::ArgumentsGuard;
use gateway_guard::tokens::Vault;
use gateway_wire::json_object::JsonObject;
use gateway_wire::surrogates::replace_lone;
use serde_json::{Map, Value};

use super::replacer::PolicyReplacer;
use super::{Policy, Tally, prefix};

/// Fields of a request in which nobody writes: what the model is to do, and how.
const SETTINGS: [&str; 24] = [
    "audio",
    "betas",
    "container",
    "context_management",
    "encoding_format",
    "function_call",
    "functions",
    "include",
    "logit_bias",
    "mcp_servers",
    "modalities",
    "model",
    "output_config",
    "output_format",
    "previous_response_id",
    "reasoning",
    "response_format",
    "service_tier",
    "stream_options",
    "text",
    "thinking",
    "tool_choice",
    "tools",
    "truncation",
];

/// Fields anywhere in a request that hold names of the API, ids, addresses and bytes.
const WORDLESS: [&str; 24] = [
    "cache_control",
    "call_id",
    "container_id",
    "detail",
    "encrypted_content",
    "file_data",
    "file_id",
    "file_url",
    "format",
    "id",
    "image_url",
    "media_type",
    "mime_type",
    "namespace",
    "phase",
    "role",
    "server_label",
    "signature",
    "status",
    "summary_id",
    "tool_call_id",
    "tool_use_id",
    "type",
    "url",
];

/// Fields in which the operator speaks.
const OPERATORS: [&str; 2] = ["instructions", "system"];

/// Fields in which somebody says something to the model, unlike names and arguments.
const SPOKEN: [&str; 6] = ["content", "input", "output", "prompt", "query", "text"];

/// What is known of a request beside its texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts<'a> {
    /// The model that was asked for.
    pub model: Option<&'a str>,
    /// The kind of request in Portkey's words.
    pub request_type: Option<&'a str>,
    /// The request's metadata.
    pub metadata: Option<&'a Map<String, Value>>,
}

/// Who says a text of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The operator: system and developer messages, instructions.
    Operator,
    /// The user, tools, and whoever else.
    User,
    /// The model, in former turns.
    Model,
}

/// A body as it may leave, where it may; none where nothing of it is to be changed.
pub fn guard_body(
    body: &JsonObject,
    (policy, facts): (&Policy, &RequestFacts<'_>),
    tally: &mut Tally,
    vault: Option<&mut Vault>,
) -> Option<JsonObject> {
    let prefixed = prefix::add(body, policy, facts, tally);
    let body = prefixed.as_ref().unwrap_or(body);
    let mut walk = Walk {
        policy,
        tally: &mut *tally,
        vault,
        is_changed: false,
        part: Part::User,
        message: 0,
        last: (0, String::new()),
    };
    let mut changed: Vec<(String, String)> = Vec::new();
    for (name, text) in body.fields().filter(|(name, _)| !SETTINGS.contains(name)) {
        if !text.contains('"') {
            continue;
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(&replace_lone(text.as_bytes())) else { continue };
        walk.is_changed = false;
        walk.part = if OPERATORS.contains(&name) { Part::Operator } else { Part::User };
        walk.value(&mut value, name, false);
        if walk.is_changed {
            changed.push((name.to_owned(), value.to_string()));
        }
    }
    if policy.judges {
        let RequestFacts { model, request_type, metadata } = *facts;
        let subject = Subject { text: &walk.last.1, model, request_type, metadata };
        tally.judge(policy, &subject);
    }
    if changed.is_empty() {
        return prefixed;
    }
    let set: Vec<(&str, &str)> = changed.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Some(body.with(&set, &[]))
}

struct Walk<'a> {
    policy: &'a Policy,
    tally: &'a mut Tally,
    vault: Option<&'a mut Vault>,
    is_changed: bool,
    /// Who says the texts that come next.
    part: Part,
    /// The number of the message that they are in.
    message: usize,
    /// The text of the last message, and its number.
    last: (usize, String),
}

impl Walk<'_> {
    /// `in_data` tells that names of fields are a client's own, as in the arguments of a call.
    fn value(&mut self, value: &mut Value, name: &str, in_data: bool) {
        match value {
            Value::String(text) => self.text(text, name, in_data),
            Value::Number(number) if in_data => {
                // A number can be personal data by the name of its field; as text it is replaced.
                let own = number.to_string();
                let mut text = own.clone();
                self.text(&mut text, name, true);
                if text != own {
                    *value = Value::String(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, name, in_data)),
            Value::Object(fields) => {
                let around = self.part;
                if let Some(role) = fields.get("role").and_then(Value::as_str).filter(|_| !in_data) {
                    self.part = part_of(role);
                    self.message += 1;
                }
                let is_text_source = fields.get("type").is_some_and(|kind| kind == "text");
                let is_call = fields.contains_key("arguments") || fields.contains_key("input");
                for (field, value) in fields.iter_mut() {
                    let is_wordless = WORDLESS.contains(&field.as_str())
                        || field == "data" && !is_text_source
                        || field == "name" && (is_call || name == "function" || name == "custom");
                    if in_data || !is_wordless {
                        let is_data = in_data || matches!(field.as_str(), "arguments" | "input");
                        self.value(value, field, is_data);
                    }
                }
                self.part = around;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &mut String, name: &str, in_data: bool) {
        let mut replacer = PolicyReplacer::new(&self.policy.pii, self.tally, self.vault.as_deref_mut());
        let told = if name == "arguments" && text.trim_start().starts_with(['{', '[']) {
            arguments(text, &mut replacer)
        } else {
            replacer.replace_all(text, if in_data { name } else { "" })
        };
        if let Some(told) = told {
            self.is_changed |= told != *text;
            *text = told;
        }
        if self.policy.judges {
            self.is_changed |= self.tally.replace(self.policy, text);
            self.note_last(text, name);
        }
        // What the operator says is not an attack.
        if self.policy.scores && self.part != Part::Operator {
            self.tally.read(self.policy, text);
        }
    }

    /// Takes down the text of the last message, which Portkey's checks judge.
    fn note_last(&mut self, text: &str, name: &str) {
        if self.part == Part::Operator || !SPOKEN.contains(&name) {
            return;
        }
        if self.last.0 != self.message {
            self.last = (self.message, String::new());
        }
        if !self.last.1.is_empty() {
            self.last.1.push('\n');
        }
        self.last.1.push_str(text);
    }
}

fn part_of(role: &str) -> Part {
    match role {
        "system" | "developer" => Part::Operator,
        "assistant" | "model" => Part::Model,
        _ => Part::User,
    }
}

/// The arguments of a call, in which the name of a field tells what it holds; none where they pass as they are.
fn arguments(text: &str, replacer: &mut PolicyReplacer<'_>) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut guard = ArgumentsGuard::new(replacer.actions.all);
    guard.push(text, replacer, &mut out);
    guard.finish(replacer, &mut out);
    Some(out)
}
