//! What a request asks by its meaning, and all that must be equal exactly beside it.

use gateway_wire::json_object::JsonObject;
use serde_json::{Map, Value};

use crate::cache::key::{CacheKey, Surroundings, key_of};

/// The last message of a user, and what surrounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SemanticQuestion {
    /// The message's text.
    pub text: String,
    /// Everything else: the tenant, the plan, the system prompt, earlier turns, tools and parameters.
    pub context: CacheKey,
}

/// The question of a request; none where its last message is not a user's text alone: then its meaning is not looked up
/// (F3).
pub fn question(surroundings: Surroundings<'_>, body: &JsonObject) -> Option<SemanticQuestion> {
    let mut body: Map<String, Value> = serde_json::from_slice(body.text()).ok()?;
    let last = body.get_mut("messages")?.as_array_mut()?.last_mut()?.as_object_mut()?;
    if last.get("role")?.as_str()? != "user" {
        return None;
    }
    let text = text_of(&last.insert("content".to_owned(), Value::Null)?)?;
    (!text.trim().is_empty()).then(|| SemanticQuestion { text, context: key_of(surroundings, &body) })
}

fn text_of(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => match parts.as_slice() {
            [part] if part.get("type")? == "text" => part.get("text")?.as_str().map(str::to_owned),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn question_of(body: &Value) -> Option<SemanticQuestion> {
        let around = Surroundings { tenant: "t", namespace: "", endpoint: "/", plan: "" };
        question(around, &JsonObject::parse(Bytes::from(body.to_string())).unwrap())
    }

    /// F3: the system prompt, earlier turns, tools and parameters are compared exactly; the last message is not.
    #[test]
    fn f3_all_but_the_question_must_be_equal() {
        let body = json!({ "model": "m", "temperature": 0, "tools": [], "messages": [
            { "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": "Hello" }, { "role": "user", "content": "How are you?" }] });
        let asked = question_of(&body).unwrap();
        assert_eq!(asked.text, "How are you?");
        let mut other = body.clone();
        other["messages"][3]["content"] = json!([{ "type": "text", "text": "How do you do?" }]);
        assert_eq!(question_of(&other).unwrap().context, asked.context);
        for (path, value) in [
            ("/messages/0/content", json!("Be long.")),
            ("/messages/1/content", json!("Hi!")),
            ("/messages/2/content", json!("Hello!")),
            ("/temperature", json!(1)),
            ("/tools", json!([1])),
            ("/model", json!("n")),
        ] {
            let mut other = body.clone();
            *other.pointer_mut(path).unwrap() = value;
            assert_ne!(question_of(&other).unwrap().context, asked.context, "{path}");
        }
    }

    /// F3: media, tool results and empty messages have no meaning to be looked up.
    #[test]
    fn f3_what_is_not_a_users_text_is_not_looked_up() {
        let image = json!([{ "type": "text", "text": "What is it?" },
            { "type": "image_url", "image_url": { "url": "https://a/b.png" } }]);
        for last in [
            json!({ "role": "user", "content": image }),
            json!({ "role": "tool", "tool_call_id": "c", "content": "7" }),
            json!({ "role": "assistant", "content": "x" }),
            json!({ "role": "user", "content": " " }),
            json!({ "role": "user" }),
        ] {
            assert_eq!(question_of(&json!({ "messages": [last] })), None, "{last}");
        }
        assert_eq!(question_of(&json!({ "messages": [] })), None);
    }
}
