//! Puts the chunks of a stream together to the whole answer that they make.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A whole answer that grows chunk by chunk.
#[derive(Debug, Default)]
pub struct AnswerBuilder {
    head: Map<String, Value>,
    choices: BTreeMap<u64, Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    message: Map<String, Value>,
    /// What a choice has beside its delta, such as `finish_reason` and `logprobs`.
    rest: Map<String, Value>,
}

impl AnswerBuilder {
    /// Adds one chunk.
    pub fn push(&mut self, chunk: Map<String, Value>) {
        for (name, value) in chunk {
            match (name.as_str(), value) {
                ("choices", Value::Array(choices)) => choices.into_iter().for_each(|choice| self.choice(choice)),
                ("choices", _) => {}
                (_, value) => set(&mut self.head, name, value),
            }
        }
    }

    /// The whole answer.
    pub fn whole(self) -> Map<String, Value> {
        let mut whole = self.head;
        whole.insert("object".to_owned(), json!("chat.completion"));
        let choices = self.choices.into_iter().map(|(index, Choice { mut message, rest })| {
            message.entry("role").or_insert_with(|| json!("assistant"));
            message.entry("content").or_insert(Value::Null);
            unnumber(&mut message);
            let mut choice = Map::new();
            choice.insert("index".to_owned(), json!(index));
            choice.insert("message".to_owned(), Value::Object(message));
            choice.insert("logprobs".to_owned(), Value::Null);
            choice.extend(rest);
            Value::Object(choice)
        });
        let choices = choices.collect();
        whole.insert("choices".to_owned(), Value::Array(choices));
        whole
    }

    fn choice(&mut self, choice: Value) {
        let Value::Object(choice) = choice else { return };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let joined = self.choices.entry(index).or_default();
        for (name, value) in choice {
            match (name.as_str(), value) {
                ("index", _) => {}
                ("delta", Value::Object(delta)) => grow(&mut joined.message, delta),
                ("delta", _) => {}
                (_, Value::Object(more)) => match joined.rest.get_mut(&name) {
                    Some(Value::Object(rest)) => grow(rest, more),
                    _ => set(&mut joined.rest, name, Value::Object(more)),
                },
                (_, value) => set(&mut joined.rest, name, value),
            }
        }
    }
}

/// A null says nothing about what an earlier chunk told.
fn set(object: &mut Map<String, Value>, name: String, value: Value) {
    if !value.is_null() || !object.contains_key(&name) {
        object.insert(name, value);
    }
}

/// Texts are told in pieces, but for names; lists go on, and their numbered items grow by themselves.
fn grow(into: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta {
        match (into.get_mut(&name), value) {
            (Some(Value::String(text)), Value::String(more)) if !is_name(&name) => text.push_str(&more),
            (Some(Value::Object(inner)), Value::Object(more)) => grow(inner, more),
            (Some(Value::Array(items)), Value::Array(more)) => more.into_iter().for_each(|item| add(items, item)),
            (None, Value::Array(more)) => {
                let mut items = Vec::new();
                more.into_iter().for_each(|item| add(&mut items, item));
                into.insert(name, Value::Array(items));
            }
            (_, value) => set(into, name, value),
        }
    }
}

fn is_name(name: &str) -> bool {
    matches!(name, "role" | "id" | "type" | "name")
}

fn add(items: &mut Vec<Value>, item: Value) {
    let number = |item: &Value| item.get("index").and_then(Value::as_u64);
    let same = number(&item).and_then(|index| items.iter_mut().find(|known| number(known) == Some(index)));
    match (same, item) {
        (Some(Value::Object(known)), Value::Object(more)) => grow(known, more),
        (_, item) => items.push(item),
    }
}

/// Tool calls of a whole answer are not numbered.
fn unnumber(message: &mut Map<String, Value>) {
    let Some(Value::Array(calls)) = message.get_mut("tool_calls") else { return };
    for call in calls.iter_mut().filter_map(Value::as_object_mut) {
        call.remove("index");
    }
}
