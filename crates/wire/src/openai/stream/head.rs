//! OpenAI's chunks, as far as they are read, without allocating for the rest.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::usage::Count;

/// A chunk, as far as it is read.
#[derive(Deserialize)]
pub(super) struct ChunkHead<'a> {
    #[serde(borrow, default)]
    pub choices: Option<Vec<ChoiceHead<'a>>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub service_tier: Option<&'a RawValue>,
    /// Where Groq counts.
    #[serde(borrow, default)]
    pub x_groq: Option<UsageHead<'a>>,
    /// What OpenAI pads a chunk with, so that its length does not tell the text.
    #[serde(borrow, default)]
    pub obfuscation: Option<&'a RawValue>,
}

/// Something with counts in it.
#[derive(Deserialize)]
pub(super) struct UsageHead<'a> {
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
}

/// One of its choices.
#[derive(Deserialize)]
pub(super) struct ChoiceHead<'a> {
    #[serde(default)]
    pub index: Count,
    #[serde(borrow, default)]
    pub delta: Option<DeltaHead<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Option<&'a RawValue>,
    /// Where Moonshot counts.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    /// What a whole answer has in the place of a delta.
    #[serde(default)]
    pub message: Option<IgnoredAny>,
}

/// Whether a delta carries any part of the answer, its tool calls, and its text where it carries nothing else.
#[derive(Debug, Default)]
pub(super) struct DeltaHead<'a> {
    pub content: bool,
    pub tool_calls: Option<&'a RawValue>,
    pub text: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for DeltaHead<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Delta;
        impl<'de> Visitor<'de> for Delta {
            type Value = DeltaHead<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a delta object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut delta = DeltaHead::default();
                while let Some((name, value)) = map.next_entry::<FieldName, &RawValue>()? {
                    if matches!(name, FieldName::Role) || matches!(value.get(), "null" | "\"\"" | "[]" | "{}") {
                        continue;
                    }
                    let is_first = !std::mem::replace(&mut delta.content, true);
                    delta.text = Some(value).filter(|_| is_first && matches!(name, FieldName::Content));
                    if matches!(name, FieldName::ToolCalls) {
                        delta.tool_calls = Some(value);
                    }
                }
                Ok(delta)
            }
        }
        deserializer.deserialize_map(Delta)
    }
}

/// A delta's field name, of which few matter; read without allocating.
enum FieldName {
    Role,
    Content,
    ToolCalls,
    Other,
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = FieldName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName, E> {
                Ok(match name {
                    "role" => FieldName::Role,
                    "content" => FieldName::Content,
                    "tool_calls" => FieldName::ToolCalls,
                    _ => FieldName::Other,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}
