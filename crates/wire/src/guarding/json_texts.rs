//! The texts of a JSON value whose form nobody knows.

use serde_json::Value;

use super::{AnswerGuard, TextKind, TextPlace, whole};
use crate::ErrorBody;

/// Fields that hold names of the API, ids, addresses and bytes, where their values look like such.
const MACHINE: [&str; 25] = [
    "call_id",
    "cache_control",
    "data",
    "encrypted_content",
    "encrypted_index",
    "expires_at",
    "file_id",
    "finish_reason",
    "format",
    "id",
    "index",
    "media_type",
    "model",
    "name",
    "native_finish_reason",
    "object",
    "role",
    "service_tier",
    "signature",
    "status",
    "stop_reason",
    "system_fingerprint",
    "tool_use_id",
    "type",
    "url",
];

/// Fields of a message or a delta that are told as a whole, and do not grow.
const WHOLE: [&str; 7] = [
    "annotations",
    "citations",
    "content_blocks",
    "extra_content",
    "images",
    "provider_specific_fields",
    "search_results",
];

/// One step from a value to a text in it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Into a field.
    Field(String),
    /// Into an item of a list, with its number and its type where it tells them.
    Item {
        /// Its own `index`.
        index: Option<u64>,
        /// Its own `type`.
        kind: Option<String>,
    },
}

impl Step {
    fn of_item(item: &Value) -> Self {
        let kind = item.get("type").and_then(Value::as_str).map(str::to_owned);
        Self::Item { index: item.get("index").and_then(Value::as_u64), kind }
    }

    /// Whether both lead to the same place, which an item's type does not tell.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(name), Self::Field(other)) => name == other,
            (Self::Item { index, .. }, Self::Item { index: other, .. }) => index == other,
            _ => false,
        }
    }
}

/// Whether both lead to the same text.
pub(super) fn is_same(path: &[Step], other: &[Step]) -> bool {
    path.len() == other.len() && path.iter().zip(other).all(|(step, other)| step.is_same(other))
}

/// Whether the text at a path is told as a whole.
pub(super) fn is_whole(path: &[Step]) -> bool {
    path.iter().any(|step| matches!(step, Step::Field(name) if WHOLE.contains(&name.as_str())))
}

/// What a text of an answer is, by its path.
pub(super) fn kind_of(path: &[Step]) -> TextKind {
    let names = || path.iter().filter_map(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None });
    let is_thought = || names().any(|name| name.contains("reason") || name.contains("think"));
    match names().next_back().unwrap_or_default() {
        "arguments" => TextKind::Arguments,
        "input" => TextKind::Input,
        "refusal" => TextKind::Refusal,
        "content" | "text" | "transcript" if !is_thought() => TextKind::Content,
        _ => TextKind::Reasoning,
    }
}

/// Takes a text and the path that leads to it.
type See<'a> = dyn FnMut(&[Step], &mut String) -> Result<(), ErrorBody> + 'a;

/// Visits every text below a value, with the path that leads to it.
pub(super) fn visit(value: &mut Value, path: &mut Vec<Step>, see: &mut See<'_>) -> Result<(), ErrorBody> {
    match value {
        Value::String(text) => see(path, text),
        Value::Array(items) => items.iter_mut().try_for_each(|item| {
            let step = Step::of_item(item);
            below(step, item, path, see)
        }),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, value)| !is_machine(name, value))
            .try_for_each(|(name, value)| below(Step::Field(name.clone()), value, path, see)),
        _ => Ok(()),
    }
}

fn below(step: Step, value: &mut Value, path: &mut Vec<Step>, see: &mut See<'_>) -> Result<(), ErrorBody> {
    path.push(step);
    let seen = visit(value, path, see);
    path.pop();
    seen
}

/// Whether a field holds no words: it is one of the API's, and its value has a letter and no space.
fn is_machine(name: &str, value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    match name {
        "url" => text.starts_with("data:"),
        _ => MACHINE.contains(&name) && is_token(text),
    }
}

fn is_token(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/+=,;".contains(&byte);
    text.bytes().any(|byte| byte.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

/// Guards every text below a value, each as a whole; gives whether any came out another.
pub(super) fn guard_all(value: &mut Value, guard: &mut dyn AnswerGuard, place: TextPlace) -> Result<bool, ErrorBody> {
    let mut is_altered = false;
    visit(value, &mut Vec::new(), &mut |path, text| {
        let kind = match kind_of(path) {
            kind @ (TextKind::Arguments | TextKind::Input) => kind,
            _ => place.kind,
        };
        let told = whole(guard, TextPlace { kind, ..place }, text)?;
        is_altered |= told != *text;
        *text = told;
        Ok(())
    })?;
    Ok(is_altered)
}
