//! JSON objects read field by field, each value as its text, so that numbers keep their digits.

use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::common::JsonText;
use crate::json_object::JsonObject;

/// The fields of an object, in their order.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(Vec<(String, &'a str)>);

impl<'a> Fields<'a> {
    /// The fields of a request's body.
    pub fn of_body(body: &'a JsonObject) -> Self {
        Self(body.fields().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The fields of a JSON text; none where it is no object.
    pub fn of(json: &'a str) -> Option<Self> {
        // A list would pass for an object's values in their order.
        json.trim_start().starts_with('{').then(|| serde_json::from_str(json).ok())?
    }

    /// The text of a value that is there and not null, the last where a name stands twice.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().rev().find(|(field, _)| field == name)?;
        Some(*value).filter(|value| *value != "null")
    }

    /// The value, where it is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// The value, where it is an object.
    pub fn object(&self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.get(name)?)
    }

    /// The items, where the value is an array.
    pub fn list(&self, name: &str) -> Option<Vec<&'a str>> {
        list(self.get(name)?)
    }

    /// The value read as `T`, where it is one.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The value as it stands.
    pub fn json(&self, name: &str) -> Option<JsonText> {
        JsonText::parse(self.get(name)?).ok()
    }

    /// The names and values that are there and not null.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().filter(|(_, value)| *value != "null").map(|(name, value)| (name.as_str(), *value))
    }
}

/// A string's text.
pub(crate) fn text(json: &str) -> Option<String> {
    json.starts_with('"').then(|| serde_json::from_str(json).ok())?
}

/// An array's items.
pub(crate) fn list(json: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    fields.push((name, value.get()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
