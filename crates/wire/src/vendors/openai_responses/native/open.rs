//! The item of a passing stream that is not complete, so that it can be ended early.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// An item as it grows.
#[derive(Debug)]
pub(super) struct Open {
    output_index: Value,
    item: Map<String, Value>,
    /// The parts that are complete.
    parts: Vec<Value>,
    /// The open part, and whether it is of a summary.
    part: Option<(Value, bool)>,
    text: String,
}

impl Open {
    /// The item that an event adds.
    pub fn of(output_index: Option<&RawValue>, item: Option<&RawValue>) -> Option<Self> {
        let output_index = output_index.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let item = serde_json::from_str(item?.get()).ok()?;
        Some(Self { output_index, item, parts: Vec::new(), part: None, text: String::new() })
    }

    /// Whether it is a call.
    pub fn is_call(&self) -> bool {
        self.kind().ends_with("_call")
    }

    /// Begins a part.
    pub fn part_added(&mut self, kind: &str, part: Option<&RawValue>) {
        let is_summary = kind == "response.reasoning_summary_part.added";
        let part = part.and_then(|raw| serde_json::from_str(raw.get()).ok());
        self.part = part.map(|part| (part, is_summary));
        self.text.clear();
    }

    /// Ends a part.
    pub fn part_done(&mut self, part: Option<&RawValue>) {
        self.part = None;
        self.text.clear();
        self.parts.extend(part.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()));
    }

    /// Grows.
    pub fn grow(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn kind(&self) -> &str {
        self.item.get("type").and_then(Value::as_str).unwrap_or_default()
    }

    /// The events that end it, and the item as far as it came.
    pub fn closed(mut self) -> (Vec<(&'static str, Value)>, Value) {
        let mut events = Vec::new();
        let item_id = self.item.get("id").cloned().unwrap_or_default();
        let text = std::mem::take(&mut self.text);
        let index = self.parts.len();
        let place = |fields: Value| {
            let mut event = json!({"item_id": item_id, "output_index": self.output_index});
            if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
                event.extend(fields);
            }
            event
        };
        let call_field = match self.kind() {
            "function_call" => Some("arguments"),
            "custom_tool_call" => Some("input"),
            _ => None,
        };
        if let Some((part, is_summary)) = self.part.take() {
            let (ends, part) = closed_part(part, is_summary, index, &text);
            events.extend(ends.map(|(kind, fields)| (kind, place(fields))));
            self.parts.push(part);
        } else if let Some(field) = call_field {
            let kind = match field {
                "input" => "response.custom_tool_call_input.done",
                _ => "response.function_call_arguments.done",
            };
            let name = self.item.get("name").cloned().unwrap_or_default();
            let done = if field == "input" { json!({field: text}) } else { json!({"name": name, field: text}) };
            events.push((kind, place(done)));
            self.item.insert(field.to_owned(), json!(text));
        }
        let list = if self.kind() == "reasoning" { "summary" } else { "content" };
        if call_field.is_none() && !self.parts.is_empty() {
            self.item.insert(list.to_owned(), Value::Array(std::mem::take(&mut self.parts)));
        }
        self.item.insert("status".to_owned(), json!("incomplete"));
        let item = Value::Object(self.item);
        events.push(("response.output_item.done", json!({"output_index": self.output_index, "item": item})));
        (events, item)
    }
}

/// The two events that end a part, with their own fields, and the part as far as it came.
fn closed_part(mut part: Value, is_summary: bool, index: usize, text: &str) -> ([(&'static str, Value); 2], Value) {
    let (text_done, field) = match (is_summary, part.get("type").and_then(Value::as_str)) {
        (true, _) => ("response.reasoning_summary_text.done", "text"),
        (_, Some("refusal")) => ("response.refusal.done", "refusal"),
        (_, Some("reasoning_text")) => ("response.reasoning_text.done", "text"),
        _ => ("response.output_text.done", "text"),
    };
    let place_name = if is_summary { "summary_index" } else { "content_index" };
    let mut done = json!({place_name: index, field: text});
    if let (true, Some(fields)) = (text_done == "response.output_text.done", done.as_object_mut()) {
        fields.insert("logprobs".to_owned(), json!([]));
    }
    if let Some(fields) = part.as_object_mut() {
        fields.insert(field.to_owned(), json!(text));
    }
    let part_done = if is_summary { "response.reasoning_summary_part.done" } else { "response.content_part.done" };
    ([(text_done, done), (part_done, json!({place_name: index, "part": part}))], part)
}
