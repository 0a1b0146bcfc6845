//! What makes two requests the same.

use gateway_wire::json_object::JsonObject;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Fields that change nothing in an answer: who asks, what is logged, and how the answer is sent. All others count (F1),
/// also those that this gateway does not know.
pub const IGNORED: [&str; 8] = [
    "user",
    "safety_identifier",
    "metadata",
    "store",
    "stream",
    "stream_options",
    "prompt_cache_key",
    "prompt_cache_retention",
];

/// The SHA-256 of all that makes a request what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// In hexadecimal digits, as it stands in Redis.
    pub fn to_hex(self) -> String {
        const_hex::encode(self.0)
    }

    /// The key of the same and something more.
    pub fn with(self, more: &str) -> Self {
        Self(Sha256::new_with_prefix(self.0).chain_update(more).finalize().into())
    }

    /// What [`CacheKey::to_hex`] wrote.
    pub fn from_hex(hex: &str) -> Option<Self> {
        const_hex::decode_to_array(hex).ok().map(Self)
    }
}

/// What surrounds the body of a request.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Whose answers may be shared: a team's, or a key's.
    pub tenant: &'a str,
    /// Answers are shared within a namespace alone.
    pub namespace: &'a str,
    /// The route.
    pub endpoint: &'a str,
    /// The providers and models that may answer, and what the config changes in the request.
    pub plan: &'a str,
}

/// The key of a request; none where the body cannot be read, which makes it the same as nothing.
pub fn cache_key(surroundings: Surroundings<'_>, body: &JsonObject) -> Option<CacheKey> {
    Some(key_of(surroundings, &serde_json::from_slice(body.text()).ok()?))
}

/// The key of a request whose body was read.
pub(super) fn key_of(surroundings: Surroundings<'_>, body: &Map<String, Value>) -> CacheKey {
    let Surroundings { tenant, namespace, endpoint, plan } = surroundings;
    let mut hasher = Hasher(Sha256::new());
    for text in [tenant, namespace, endpoint, plan] {
        hasher.text(text);
    }
    hasher.object(body.iter().filter(|(name, _)| !IGNORED.contains(&name.as_str())));
    CacheKey(hasher.0.finalize().into())
}

/// Takes in values by their meaning: whatever the order of fields and the white space (F2).
struct Hasher(Sha256);

impl Hasher {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.update(b"n"),
            Value::Bool(true) => self.0.update(b"t"),
            Value::Bool(false) => self.0.update(b"f"),
            Value::Number(number) => {
                self.0.update(b"#");
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.0.update(b"\"");
                self.text(text);
            }
            Value::Array(items) => {
                self.0.update(b"[");
                self.0.update((items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Object(fields) => self.object(fields.iter()),
        }
    }

    fn object<'a>(&mut self, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
        let mut fields: Vec<_> = fields.collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        self.0.update(b"{");
        self.0.update((fields.len() as u64).to_le_bytes());
        for (name, value) in fields {
            self.text(name);
            self.value(value);
        }
    }

    /// With its length, so that no two sequences of texts are the same bytes.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}

#[cfg(test)]
mod tests;
