//! OpenAI's chunks, as far as they are read, without allocating for the rest.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::usage::Count;

/// A chunk, as far as it is read.
#[derive(Deserialize)]
pub(super) struct ChunkHead<'a> {
    #[serde(default)]
    pub choices: Option<Vec<ChoiceHead>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub service_tier: Option<&'a RawValue>,
}

/// One of its choices.
#[derive(Deserialize)]
pub(super) struct ChoiceHead {
    #[serde(default)]
    pub index: Count,
    #[serde(default)]
    pub delta: DeltaHead,
    #[serde(default)]
    pub finish_reason: Option<IgnoredAny>,
}

/// Whether a delta carries any part of the answer.
#[derive(Debug, Default)]
pub(super) struct DeltaHead {
    pub content: bool,
}

impl<'de> Deserialize<'de> for DeltaHead {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Delta;
        impl<'de> Visitor<'de> for Delta {
            type Value = DeltaHead;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a delta object or null")
            }

            fn visit_unit<E>(self) -> Result<DeltaHead, E> {
                Ok(DeltaHead::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DeltaHead, A::Error> {
                let mut content = false;
                while let Some((name, value)) = map.next_entry::<FieldName, &RawValue>()? {
                    let empty = matches!(value.get(), "null" | "\"\"" | "[]" | "{}");
                    content |= !name.is_role && !empty;
                }
                Ok(DeltaHead { content })
            }
        }
        deserializer.deserialize_any(Delta)
    }
}

/// A delta's field name, of which only `role` matters; read without allocating.
struct FieldName {
    is_role: bool,
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
                Ok(FieldName { is_role: name == "role" })
            }
        }
        deserializer.deserialize_str(Name)
    }
}
