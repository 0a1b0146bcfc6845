//! The items of calls.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json as value};

use super::frames::Place;
use super::offered::Offered;
use crate::common::{JsonText, ToolKind, ToolUse, custom_input};

/// The kinds of item that a call is told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Function,
    Custom,
    ToolSearch,
    LocalShell,
    Shell,
    ApplyPatch,
}

impl Shape {
    fn of(kind: ToolKind, name: &str) -> Self {
        match (kind, name) {
            (ToolKind::Function, _) => Self::Function,
            (ToolKind::Custom, _) => Self::Custom,
            (ToolKind::ToolSearch, _) => Self::ToolSearch,
            (ToolKind::Shell, "local_shell") => Self::LocalShell,
            (ToolKind::Shell, "apply_patch") => Self::ApplyPatch,
            (ToolKind::Shell, _) => Self::Shell,
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Function => "fc",
            Self::Custom => "ctc",
            Self::ToolSearch => "tsc",
            Self::LocalShell => "lsh",
            Self::Shell => "sh",
            Self::ApplyPatch => "apc",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Function => "function_call",
            Self::Custom => "custom_tool_call",
            Self::ToolSearch => "tool_search_call",
            Self::LocalShell => "local_shell_call",
            Self::Shell => "shell_call",
            Self::ApplyPatch => "apply_patch_call",
        }
    }

    /// Whether its events tell how it grows; the others have none.
    fn streams(self) -> bool {
        matches!(self, Self::Function | Self::Custom)
    }
}

/// A call that grows.
#[derive(Debug)]
pub(super) struct Call {
    shape: Shape,
    /// Whether the text is passed on as it comes, and is not another form of what the item has.
    is_plain: bool,
    id: String,
    call_id: String,
    name: String,
    namespace: Option<String>,
    text: String,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'static str>,
    call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum What<'a> {
    Arguments(&'a str),
    Input(&'a str),
    #[serde(rename = "arguments")]
    Search(JsonText),
    Action(Value),
    Operation(JsonText),
}

#[derive(Serialize)]
struct Event<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
}

impl Call {
    /// Begins the item of a call; `id` gives ids by their prefix.
    pub fn open(call: ToolUse, offered: &Offered, id: impl Fn(&str) -> String, place: &mut Place<'_>) -> Self {
        let own = offered.own(&call);
        let shape = Shape::of(own.kind, &own.name);
        let call_id = if call.call_id.is_empty() { id("call") } else { call.call_id };
        let mut opened = Self {
            shape,
            is_plain: shape == Shape::Function || (shape == Shape::Custom && call.kind == ToolKind::Custom),
            id: id(shape.prefix()),
            call_id,
            name: own.name,
            namespace: own.namespace,
            text: String::new(),
        };
        if shape.streams() {
            place.added(&opened.item("in_progress", ""));
        }
        opened.grow(&call.arguments, place);
        opened
    }

    /// The id that its result will name.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The arguments grow.
    pub fn grow(&mut self, delta: &str, place: &mut Place<'_>) {
        if delta.is_empty() {
            return;
        }
        self.text.push_str(delta);
        if self.is_plain {
            self.tell(delta, place);
        }
    }

    fn tell(&self, delta: &str, place: &mut Place<'_>) {
        let event = Event { delta: Some(delta), ..self.event(place) };
        let kind = match self.shape {
            Shape::Custom => "response.custom_tool_call_input.delta",
            _ => "response.function_call_arguments.delta",
        };
        place.send(kind, &event);
    }

    /// Ends the call; gives the item whole.
    pub fn close(mut self, place: &mut Place<'_>) -> JsonText {
        match self.shape {
            Shape::Function => {
                if self.text.trim().is_empty() {
                    self.text.clear();
                    self.grow("{}", place);
                }
                let event = Event { name: Some(&self.name), arguments: Some(&self.text), ..self.event(place) };
                place.send("response.function_call_arguments.done", &event);
            }
            Shape::Custom => {
                if !self.is_plain {
                    self.text = custom_input(&self.text);
                    if !self.text.is_empty() {
                        self.tell(&self.text, place);
                    }
                }
                let event = Event { input: Some(&self.text), ..self.event(place) };
                place.send("response.custom_tool_call_input.done", &event);
            }
            _ => place.added(&self.item("in_progress", &self.text)),
        }
        let item = self.item("completed", &self.text);
        place.done(&item);
        JsonText::of(&item)
    }

    /// The item as far as it came.
    pub fn so_far(&self) -> JsonText {
        JsonText::of(&self.item("incomplete", &self.text))
    }

    fn event(&self, place: &Place<'_>) -> Event<'_> {
        let output_index = place.index;
        Event { item_id: &self.id, output_index, delta: None, name: None, arguments: None, input: None }
    }

    fn item<'a>(&'a self, status: &'static str, text: &'a str) -> Item<'a> {
        let is_named = self.shape.streams();
        let what = match self.shape {
            Shape::Function => What::Arguments(text),
            Shape::Custom => What::Input(text),
            Shape::ToolSearch => What::Search(raw_fields(text, "query")),
            Shape::LocalShell => What::Action(local_action(text)),
            Shape::Shell => What::Action(shell_action(text)),
            Shape::ApplyPatch => What::Operation(raw_fields(text, "diff")),
        };
        Item {
            id: &self.id,
            r#type: self.shape.kind(),
            status,
            execution: (self.shape == Shape::ToolSearch).then_some("client"),
            call_id: &self.call_id,
            name: is_named.then_some(self.name.as_str()),
            namespace: self.namespace.as_deref().filter(|_| is_named),
            what,
        }
    }
}

/// The arguments as an object; what is none stands under the name of the field that it must be meant for.
fn fields(text: &str, only: &str) -> Value {
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(fields) => Value::Object(fields),
        Err(_) if text.trim().is_empty() => value!({}),
        Err(_) => value!({only: text}),
    }
}

/// The same as it stands, so that numbers keep their digits.
fn raw_fields(text: &str, only: &str) -> JsonText {
    JsonText::parse(text).ok().filter(JsonText::is_object).unwrap_or_else(|| fields(text, only).into())
}

fn local_action(text: &str) -> Value {
    let mut action = fields(text, "command");
    if let Value::Object(fields) = &mut action {
        fields.insert("type".to_owned(), value!("exec"));
        fields.entry("env").or_insert_with(|| value!({}));
        as_list(fields, "command", |line| value!(["bash", "-lc", line]));
    }
    action
}

fn shell_action(text: &str) -> Value {
    let mut action = fields(text, "commands");
    if let Value::Object(fields) = &mut action {
        as_list(fields, "commands", |line| value!([line]));
        fields.entry("timeout_ms").or_insert(Value::Null);
        fields.entry("max_output_length").or_insert(Value::Null);
    }
    action
}

/// Makes the list that a field must be out of the one text that models often write.
fn as_list(fields: &mut Map<String, Value>, name: &str, list: impl Fn(&str) -> Value) {
    let value = fields.entry(name).or_insert_with(|| value!([]));
    if let Value::String(line) = value {
        *value = list(line);
    }
}

/// An item that only one family knows, as it stands.
pub(super) fn hosted(raw: &JsonText, place: &mut Place<'_>) {
    if let Ok(raw) = serde_json::from_str::<&RawValue>(raw.as_str()) {
        place.added(&raw);
        place.done(&raw);
    }
}
