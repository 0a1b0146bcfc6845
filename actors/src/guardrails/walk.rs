//! The way through the fields of a request, to every text in them.

mod by_engines;

use gateway_guard::json_strings::ArgumentsGuard;
use gateway_guard::pii::PiiKinds;
use gateway_guard::tokens::Vault;
use serde_json::{Map, Number, Value};

use super::engines::Judging;
use super::replacer::PolicyReplacer;
use super::split_values::replace_across;
use super::{Policy, Tally};

/// Fields of a request with the API's words and a client's formats: only personal data is looked for.
const WORDS: [&str; 16] = [
    "audio",
    "betas",
    "container",
    "context_management",
    "encoding_format",
    "include",
    "modalities",
    "output_config",
    "output_format",
    "reasoning",
    "response_format",
    "service_tier",
    "stream_options",
    "text",
    "thinking",
    "truncation",
];

/// Fields of a request in which something is said; all others are a client's data.
const CONVERSATION: [&str; 6] = ["input", "instructions", "messages", "prompt", "query", "system"];

/// Fields in which the operator speaks.
const OPERATORS: [&str; 2] = ["instructions", "system"];

/// Fields of a turn, and of its parts, with more of the API's objects; the objects of others are a client's data.
const STRUCTURE: [&str; 21] = [
    "action",
    "annotations",
    "audio",
    "caller",
    "citations",
    "content",
    "custom",
    "file",
    "function",
    "function_call",
    "image_url",
    "input_audio",
    "output",
    "outputs",
    "reasoning_details",
    "results",
    "source",
    "summary",
    "thinking_blocks",
    "tool_calls",
    "video_url",
];

/// Fields of a turn, and of its parts, with the API's words.
const API_WORDS: [&str; 9] =
    ["detail", "format", "media_type", "mime_type", "namespace", "phase", "role", "status", "type"];

/// Fields of a turn, and of its parts, with ids and addresses.
const IDS: [&str; 12] = [
    "call_id",
    "container_id",
    "file_id",
    "file_url",
    "id",
    "image_url",
    "server_label",
    "summary_id",
    "tool_call_id",
    "tool_use_id",
    "url",
    "video_url",
];

/// Fields of a turn, and of its parts, with bytes.
const BYTES: [&str; 3] = ["encrypted_content", "file_data", "signature"];

/// Fields of a tool by which its provider reaches a server.
const CREDENTIALS: [&str; 3] = ["authorization", "headers", "server_url"];

/// Fields in which somebody says something to the model, unlike names and arguments.
const SPOKEN: [&str; 6] = ["content", "input", "output", "prompt", "query", "text"];

/// Who says a text of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The operator: system and developer messages, instructions.
    Operator,
    /// Whoever else.
    User,
}

/// What the names of fields mean at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// What the API says.
    Turn,
    /// What they hold: they are a client's own, as in the arguments of a call.
    Data,
    /// The same, where only personal data is looked for.
    Words,
}

/// The way through a request.
pub(super) struct Walk<'a> {
    policy: &'a Policy,
    tally: &'a mut Tally,
    vault: Option<&'a mut Vault>,
    /// What outside engines said, where the way is theirs.
    judging: Option<&'a mut Judging>,
    is_changed: bool,
    /// Who says the texts that come next.
    part: Part,
    /// Whether the last message may be in this field.
    is_judged: bool,
    /// The number of the message that they are in.
    message: usize,
    /// The text of the last message, and its number.
    last: (usize, String),
}

impl<'a> Walk<'a> {
    pub fn new(policy: &'a Policy, tally: &'a mut Tally, vault: Option<&'a mut Vault>) -> Self {
        let last = (0, String::new());
        let (is_changed, is_judged, judging, part) = (false, false, None, Part::User);
        Self { policy, tally, vault, judging, is_changed, part, is_judged, message: 0, last }
    }

    /// The way of outside engines, behind that of the built-in detectors.
    pub fn by_engines(self, judging: &'a mut Judging) -> Self {
        Self { judging: Some(judging), ..self }
    }

    /// The text of the last message.
    pub fn into_last(self) -> String {
        self.last.1
    }

    /// Looks at a summary, which a provider reads as the words of a user.
    pub fn summary(&mut self, summary: &mut String) {
        (self.part, self.is_judged) = (Part::User, true);
        self.message += 1;
        self.text(summary, "input", Place::Turn);
    }

    /// Looks at a field of a request; gives whether it changed.
    pub fn field(&mut self, name: &str, value: &mut Value, is_judged: bool) -> bool {
        (self.is_changed, self.is_judged) = (false, is_judged);
        self.part = if OPERATORS.contains(&name) { Part::Operator } else { Part::User };
        match value {
            Value::Array(turns) if matches!(name, "messages" | "input") => {
                turns.iter_mut().for_each(|turn| self.turn(turn, name));
                self.across(turns);
            }
            Value::Array(tools) if matches!(name, "functions" | "tools") => {
                tools.iter_mut().filter_map(Value::as_object_mut).for_each(|tool| self.tool(tool));
            }
            value if WORDS.contains(&name) => self.value(value, name, Place::Words),
            // The name of `user` or `stop` is the API's, and tells nothing of the text.
            value if CONVERSATION.contains(&name) || value.is_string() => self.value(value, name, Place::Turn),
            value => self.value(value, name, Place::Data),
        }
        self.is_changed
    }

    fn turn(&mut self, turn: &mut Value, name: &str) {
        let role = turn.get("role").and_then(Value::as_str);
        self.message += usize::from(role.is_some());
        self.part = if matches!(role, Some("system" | "developer")) { Part::Operator } else { Part::User };
        self.value(turn, name, Place::Turn);
    }

    fn tool(&mut self, tool: &mut Map<String, Value>) {
        for (name, value) in tool.iter_mut().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str())) {
            self.value(value, name, Place::Data);
        }
    }

    fn value(&mut self, value: &mut Value, name: &str, place: Place) {
        match value {
            Value::String(text) => self.text(text, name, place),
            Value::Number(number) if place != Place::Turn || SPOKEN.contains(&name) => {
                if let Some(told) = self.personal(&digits(number), name) {
                    *value = Value::String(told);
                    self.is_changed = true;
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.value(item, name, place));
                if place == Place::Turn {
                    self.across(items);
                }
            }
            Value::Object(fields) if place == Place::Turn => self.fields_of_turn(fields, name),
            Value::Object(fields) => self.fields_of_data(fields, place),
            _ => {}
        }
    }

    fn fields_of_turn(&mut self, fields: &mut Map<String, Value>, name: &str) {
        let is = |field: &str, fits: &dyn Fn(&str) -> bool| fields.get(field).and_then(Value::as_str).is_some_and(fits);
        let is_call = matches!(name, "custom" | "function" | "function_call")
            || !fields.contains_key("role")
                && is("type", &|kind| kind.ends_with("_call") || kind.ends_with("tool_use"));
        let has_bytes = fields.contains_key("media_type") && !is("type", &|kind| kind == "text")
            || fields.contains_key("format")
            || is("type", &|kind| kind == "redacted_thinking" || kind.starts_with("reasoning."));
        for (field, value) in fields.iter_mut() {
            let field = field.as_str();
            let place = match value {
                Value::String(text) => {
                    let is_id = IDS.contains(&field) || field == "name" && is_call;
                    let is_bytes = BYTES.contains(&field) || field == "data" && has_bytes;
                    if is_id && text.bytes().all(|byte| byte.is_ascii_graphic()) || is_bytes && text.is_ascii() {
                        continue;
                    }
                    if API_WORDS.contains(&field) { Place::Words } else { Place::Turn }
                }
                Value::Number(_) => Place::Turn,
                _ if STRUCTURE.contains(&field) => Place::Turn,
                _ => Place::Data,
            };
            self.value(value, field, place);
        }
    }

    fn fields_of_data(&mut self, fields: &mut Map<String, Value>, place: Place) {
        fields.iter_mut().for_each(|(field, value)| self.value(value, field, place));
        let names: Vec<Option<String>> = fields.keys().map(|name| self.personal(name, "")).collect();
        if names.iter().all(Option::is_none) {
            return;
        }
        self.is_changed = true;
        for ((name, value), told) in std::mem::take(fields).into_iter().zip(names) {
            let mut name = told.unwrap_or(name);
            while fields.contains_key(&name) {
                name.push('_');
            }
            fields.insert(name, value);
        }
    }

    /// What stands for a text with personal data; none where it has none. `cue` is the name of its field.
    fn personal(&mut self, text: &str, cue: &str) -> Option<String> {
        if self.judging.is_some() {
            return None;
        }
        let mut replacer = PolicyReplacer::new(&self.policy.pii, self.tally, self.vault.as_deref_mut());
        replacer.replace_all(text, cue).filter(|told| told != text)
    }

    fn text(&mut self, text: &mut String, name: &str, place: Place) {
        if self.judging.is_some() {
            return self.text_by_engines(text, name, place);
        }
        let told = if name == "arguments" && text.trim_start().starts_with(['{', '[']) {
            let mut replacer = PolicyReplacer::new(&self.policy.pii, self.tally, self.vault.as_deref_mut());
            Some(arguments(text, &mut replacer)).filter(|told| told != text)
        } else {
            self.personal(text, if place == Place::Turn { "" } else { name })
        };
        if let Some(told) = told {
            self.is_changed = true;
            *text = told;
        }
        if place == Place::Words {
            return;
        }
        if self.policy.judges {
            self.is_changed |= self.tally.replace(self.policy, text);
            self.note_last(text, name);
        }
        if self.policy.scores {
            // What the operator says is not an attack.
            self.tally.read_request(self.policy, text, self.part == Part::Operator);
        }
    }

    /// Looks for values that are cut between the texts of a list of parts.
    fn across(&mut self, parts: &mut [Value]) {
        if self.policy.pii.all == PiiKinds::NONE || self.judging.is_some() {
            return;
        }
        let text = |part: &'_ mut Value| match part.get_mut("text") {
            Some(Value::String(text)) => Some(std::mem::take(text)),
            _ => None,
        };
        let mut texts: Vec<String> = parts.iter_mut().filter_map(text).collect();
        if texts.len() > 1 {
            let mut replacer = PolicyReplacer::new(&self.policy.pii, self.tally, self.vault.as_deref_mut());
            self.is_changed |= replace_across(&mut texts, &mut replacer);
        }
        let places = parts.iter_mut().filter_map(|part| part.get_mut("text")).filter(|text| text.is_string());
        places.zip(texts).for_each(|(place, text)| *place = Value::String(text));
    }

    /// Takes down the text of the last message, which Portkey's checks judge.
    fn note_last(&mut self, text: &str, name: &str) {
        if !self.is_judged || self.part == Part::Operator || !SPOKEN.contains(&name) {
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

/// The digits of a number, whatever its sign and its form.
fn digits(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < 1e20 => format!("{:.0}", value.abs()),
        _ => number.to_string().trim_start_matches('-').to_owned(),
    }
}

/// The arguments of a call, in which the name of a field tells what it holds.
fn arguments(text: &str, replacer: &mut PolicyReplacer<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut guard = ArgumentsGuard::new(replacer.actions.all);
    guard.push(text, replacer, &mut out);
    guard.finish(replacer, &mut out);
    out
}
