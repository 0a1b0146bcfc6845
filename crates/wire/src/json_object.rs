//! A JSON object whose top-level fields are known by position, so that a body is parsed once and edited by splicing.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::outline::outline;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The most fields of an object.
const MAX_FIELDS: usize = 65_536;

/// A JSON object as text, with the places of its top-level values.
#[derive(Clone, Debug)]
pub struct JsonObject {
    text: ByteString,
    fields: Vec<(FieldName, Range<usize>)>,
    has_plain_names: bool,
}

/// A name, which mostly needs no copy.
#[derive(Clone, Debug)]
enum FieldName {
    /// As it is written at this place.
    Written(Range<usize>),
    /// Without its escapes.
    Decoded(Box<str>),
}

impl JsonObject {
    /// Reads the top level of an object; values are checked to be JSON but not built.
    ///
    /// # Errors
    /// Where `text` is not one JSON object, or one with too many fields.
    pub fn parse(text: Bytes) -> Result<Self, serde_json::Error> {
        // A byte order mark may be ignored (RFC 8259, 8.1), and is not sent on.
        let text = if text.starts_with(BYTE_ORDER_MARK) { text.slice(BYTE_ORDER_MARK.len()..) } else { text };
        let text = ByteString::try_from(text).map_err(serde_json::Error::custom)?;
        let mut fields = Vec::with_capacity(12);
        let outline = outline(text.as_bytes(), |name, value| fields.push((FieldName::Written(name), value)));
        if let Some(has_plain_names) = outline.filter(|_| fields.len() <= MAX_FIELDS) {
            return Ok(Self { text, fields, has_plain_names });
        }
        let base = text.as_ptr() as usize;
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let fields = deserializer.deserialize_map(Fields { base })?;
        deserializer.end()?;
        Ok(Self { text, fields, has_plain_names: false })
    }

    /// Whether it is known that no object in it has a name twice, and that each name consists of small letters, digits and
    /// `_`, so that all readers agree on it.
    pub(crate) fn has_plain_names(&self) -> bool {
        self.has_plain_names
    }

    fn name<'a>(&'a self, name: &'a FieldName) -> &'a str {
        match name {
            FieldName::Written(range) => self.text.get(range.clone()).unwrap_or_default(),
            FieldName::Decoded(text) => text,
        }
    }

    /// The object's text.
    pub fn text(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The names and texts of all values, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().filter_map(|(name, range)| Some((self.name(name), self.text.get(range.clone())?)))
    }

    /// The text of one value, the last where a name stands twice.
    pub fn get(&self, name: &str) -> Option<&str> {
        let is_it = |field: &FieldName| match field {
            FieldName::Written(range) => self.text().get(range.clone()) == Some(name.as_bytes()),
            FieldName::Decoded(text) => **text == *name,
        };
        let (_, range) = self.fields.iter().rev().find(|(field, _)| is_it(field))?;
        self.text.get(range.clone())
    }

    /// One value read as `T`; `null` counts as absent.
    ///
    /// # Errors
    /// Where the value is there and is not a `T`.
    pub fn read<'a, T: serde::Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, serde_json::Error> {
        match self.get(name) {
            None | Some("null") => Ok(None),
            Some(text) => serde_json::from_str(text).map(Some),
        }
    }

    /// The object with some values set (to JSON text) and some removed; the order of the others stays.
    pub fn edited(&self, set: &[(&str, &str)], remove: &[&str]) -> Bytes {
        if set.is_empty() && !remove.iter().any(|name| self.get(name).is_some()) {
            return self.text.as_bytes().clone();
        }
        self.with(set, remove).text.into_bytes()
    }

    /// The same, as an object that can be edited again.
    pub fn with(&self, set: &[(&str, &str)], remove: &[&str]) -> Self {
        let added: usize = set.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut out = String::with_capacity(self.text.len() + added + 2);
        let mut fields = Vec::with_capacity(self.fields.len() + set.len());
        let mut goes = remove.iter().chain(set.iter().map(|(name, _)| name));
        match self.text.rfind('}').filter(|_| !self.fields.is_empty() && !goes.any(|name| self.get(name).is_some())) {
            // Nothing goes, so that all stays where it is.
            Some(end) => {
                out.push_str(self.text.get(..end).unwrap_or_default());
                fields.extend_from_slice(&self.fields);
            }
            None => {
                out.push('{');
                let kept = self.fields().filter(|(name, _)| !remove.contains(name));
                for (name, value) in kept.filter(|(name, _)| !set.iter().any(|(field, _)| field == name)) {
                    fields.push(push_field(&mut out, name, value));
                }
            }
        }
        for (name, value) in set {
            fields.push(push_field(&mut out, name, value));
        }
        out.push('}');
        Self { text: ByteString::from(out), fields, has_plain_names: false }
    }
}

/// Appends a field and tells where its name and its value stand.
fn push_field(out: &mut String, name: &str, value: &str) -> (FieldName, Range<usize>) {
    if out.len() > 1 {
        out.push(',');
    }
    let at = out.len() + 1;
    let name = if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        out.extend(["\"", name, "\":"]);
        FieldName::Written(at..at + name.len())
    } else {
        out.push_str(&json_string(name));
        out.push(':');
        FieldName::Decoded(name.into())
    };
    let start = out.len();
    out.push_str(value);
    (name, start..out.len())
}

/// A string as JSON text.
pub fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| serde_json::Value::from(text).to_string())
}

struct Fields {
    base: usize,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(FieldName, Range<usize>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(12);
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if fields.len() == MAX_FIELDS {
                return Err(A::Error::custom(format!("it has more than {MAX_FIELDS} fields")));
            }
            // The raw value borrows from the text, so its address tells its place.
            let start = (value.get().as_ptr() as usize) - self.base;
            fields.push((FieldName::Decoded(name.into()), start..start + value.get().len()));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &'static str) -> JsonObject {
        JsonObject::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    #[test]
    fn an_untouched_object_keeps_its_bytes() {
        let text = "{ \"model\" : \"m\",\n \"x\": [1, 2.50] }";
        assert_eq!(object(text).edited(&[], &["absent"]), text);
    }

    #[test]
    fn edits_replace_add_and_remove() {
        let edited = object(r#"{"model":"a","n":1.0,"user":"u"}"#).edited(&[("model", "\"b\""), ("y", "2")], &["user"]);
        assert_eq!(edited, r#"{"n":1.0,"model":"b","y":2}"#);
        let object = object(r#"{"a":"x","b":[1]}"#).with(&[("a", "12")], &[]);
        assert_eq!((object.get("a"), object.get("b")), (Some("12"), Some("[1]")));
        assert_eq!(object.edited(&[("b", "0")], &[]), r#"{"a":12,"b":0}"#);
        let object = self::object("{\"a\": {} }\n").with(&[("b\"", "1"), ("c", "[]")], &["x"]);
        assert_eq!((object.get("a"), object.get("b\""), object.get("c")), (Some("{}"), Some("1"), Some("[]")));
        assert_eq!(object.text(), "{\"a\": {} ,\"b\\\"\":1,\"c\":[]}");
        assert_eq!(self::object("{ }").edited(&[("a", "1")], &["b"]), r#"{"a":1}"#);
    }

    #[test]
    fn a_lone_surrogate_inside_a_value_is_no_error() {
        assert_eq!(object(r#"{"a":"\ud83d"}"#).get("a"), Some(r#""\ud83d""#));
    }

    #[test]
    fn a_byte_order_mark_is_left_out() {
        let object = object("\u{feff}{\"a\":[1]}");
        assert_eq!((object.get("a"), object.edited(&[], &[])), (Some("[1]"), Bytes::from_static(b"{\"a\":[1]}")));
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["[]", "{", "{} {}", "", "{\"a\":}"] {
            assert!(JsonObject::parse(Bytes::from_static(text.as_bytes())).is_err(), "{text}");
        }
    }
}
