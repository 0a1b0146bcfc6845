//! What makes two requests the same.

use gateway_wire::clients::ClientFormat;
use gateway_wire::clients::chat::CHAT;
use gateway_wire::common::{Conversation, WITHOUT_EFFECT, asked};
use gateway_wire::formats;
use gateway_wire::json_object::JsonObject;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What stands for the route of a conversation, whatever the client's format: one answer serves all of them. It is the
/// route of chat, so that what was stored before there were others is still found.
pub const CONVERSATION: &str = "/v1/chat/completions";

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

/// A conversation of another format than chat, as its key is made.
pub enum Asked {
    /// Chat can say all of it: a chat body that does, and whose key is that of every chat client who asks the same.
    AsChat(JsonObject),
    /// Chat cannot: the conversation itself.
    Beyond(Map<String, Value>),
}

impl Asked {
    /// What a conversation asks; none where it cannot be told.
    pub fn of(conversation: &Conversation) -> Option<Self> {
        let asked_for = asked(conversation);
        let told = serde_json::to_value(&asked_for).ok()?;
        let chat = formats::chat_body(&asked_for).ok().and_then(|body| JsonObject::parse(body).ok());
        if let Some(chat) = chat
            && let Ok(read) = CHAT.read(&chat)
            && serde_json::to_value(asked(&read)).is_ok_and(|read| read == told)
        {
            return Some(Self::AsChat(chat));
        }
        match told {
            Value::Object(fields) => Some(Self::Beyond(fields)),
            _ => None,
        }
    }

    /// Its key.
    pub fn key(&self, surroundings: Surroundings<'_>) -> Option<CacheKey> {
        match self {
            Self::AsChat(body) => cache_key(surroundings, body),
            // Named apart, so that no chat body passes for it.
            Self::Beyond(fields) => Some(key_of(Surroundings { endpoint: "conversation", ..surroundings }, fields)),
        }
    }
}

/// The key of a request whose body was read.
pub(super) fn key_of(surroundings: Surroundings<'_>, body: &Map<String, Value>) -> CacheKey {
    let Surroundings { tenant, namespace, endpoint, plan } = surroundings;
    let mut hasher = Hasher(Sha256::new());
    for text in [tenant, namespace, endpoint, plan] {
        hasher.text(text);
    }
    let is_chat = endpoint == CONVERSATION;
    let one_limit = is_chat && !body.contains_key("max_completion_tokens");
    let fields = body.iter().filter(|(name, _)| !WITHOUT_EFFECT.contains(&name.as_str()));
    // The older name of the same limit.
    let renamed = |name| if one_limit && name == "max_tokens" { "max_completion_tokens" } else { name };
    hasher.fields(fields.map(|(name, value)| (renamed(name.as_str()), value)), |hasher, name, value| match name {
        "messages" if is_chat => hasher.messages(value),
        "stop" if is_chat && value.is_string() => hasher.items(std::slice::from_ref(value), Hasher::value),
        _ => hasher.value(value),
    });
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
            Value::Array(items) => self.items(items, Self::value),
            Value::Object(fields) => self.object(fields),
        }
    }

    fn items(&mut self, items: &[Value], item: impl Fn(&mut Self, &Value)) {
        self.0.update(b"[");
        self.0.update((items.len() as u64).to_le_bytes());
        items.iter().for_each(|value| item(self, value));
    }

    fn object(&mut self, fields: &Map<String, Value>) {
        self.fields(fields.iter().map(|(name, value)| (name.as_str(), value)), |hasher, _, value| hasher.value(value));
    }

    fn fields<'a>(
        &mut self,
        fields: impl Iterator<Item = (&'a str, &'a Value)>,
        field: impl Fn(&mut Self, &str, &Value),
    ) {
        let mut fields: Vec<_> = fields.collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        self.0.update(b"{");
        self.0.update((fields.len() as u64).to_le_bytes());
        for (name, value) in fields {
            self.text(name);
            field(self, name, value);
        }
    }

    /// The messages of a chat body, each of whose contents may be a text or a list of it alone.
    fn messages(&mut self, messages: &Value) {
        let Value::Array(messages) = messages else { return self.value(messages) };
        self.items(messages, |hasher, message| match message {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                hasher.fields(fields, |hasher, name, value| match name {
                    "content" => hasher.value(only_text(value).unwrap_or(value)),
                    _ => hasher.value(value),
                });
            }
            other => hasher.value(other),
        });
    }

    /// With its length, so that no two sequences of texts are the same bytes.
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}

/// The text of a list of parts that has nothing else.
fn only_text(content: &Value) -> Option<&Value> {
    let [Value::Object(part)] = content.as_array()?.as_slice() else { return None };
    let is_text = part.len() == 2 && part.get("type").is_some_and(|kind| kind == "text");
    part.get("text").filter(|text| is_text && text.is_string())
}

#[cfg(test)]
mod tests;
