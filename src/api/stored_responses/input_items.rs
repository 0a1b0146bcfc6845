//! The input of a stored response as a list: each item with a type and an id, page by page.

use std::collections::HashMap;

use gateway_actors::responses::StoredResponse;
use gateway_wire::BadRequest;
use serde_json::{Map, Value, json};

/// Items of a page where nothing is said.
const DEFAULT_LIMIT: usize = 20;

/// The most items of one page.
const MAX_LIMIT: usize = 100;

/// Which part of the list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    limit: usize,
    is_ascending: bool,
    after: Option<String>,
}

impl Page {
    /// Reads `limit`, `order` and `after`.
    pub(super) fn from_query(query: &HashMap<String, String>) -> Result<Self, BadRequest> {
        let limit = match query.get("limit").map(|limit| limit.parse()) {
            None => DEFAULT_LIMIT,
            Some(Ok(limit @ 1..=MAX_LIMIT)) => limit,
            Some(_) => return Err(BadRequest::new("limit", format!("limit must be a number from 1 to {MAX_LIMIT}."))),
        };
        let is_ascending = match query.get("order").map(String::as_str) {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(BadRequest::new("order", "order must be asc or desc.")),
        };
        Ok(Self { limit, is_ascending, after: query.get("after").cloned() })
    }

    /// The wanted part of items that are in the order of the conversation.
    pub(super) fn of(&self, mut items: Vec<Value>) -> Result<Value, BadRequest> {
        if !self.is_ascending {
            items.reverse();
        }
        if let Some(after) = &self.after {
            let at = items.iter().position(|item| item["id"] == **after);
            let at = at.ok_or_else(|| BadRequest::new("after", "after must be the id of an item of this list."))?;
            items.drain(..=at);
        }
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let id = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
        let (first_id, last_id) = (id(items.first()), id(items.last()));
        Ok(json!({
            "object": "list", "data": items, "first_id": first_id, "last_id": last_id, "has_more": has_more,
        }))
    }
}

/// The input items. What a client may leave out and a reader of the list relies on is added: the type and content parts
/// of a message, and an id, which is the same each time.
pub(super) fn items_of(response: &StoredResponse) -> Vec<Value> {
    let origin = response.id.strip_prefix("resp_").unwrap_or(&response.id);
    let complete = |(at, item): (usize, &Value)| match item {
        Value::Object(item) => Value::Object(completed(item.clone(), origin, at)),
        other => other.clone(),
    };
    response.content.input.iter().enumerate().map(complete).collect()
}

fn completed(mut item: Map<String, Value>, origin: &str, at: usize) -> Map<String, Value> {
    if !item.contains_key("type") && item.contains_key("role") {
        item.insert("type".to_owned(), json!("message"));
    }
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("item").to_owned();
    if kind == "message"
        && let Some(Value::String(text)) = item.get("content")
    {
        let is_answer = item.get("role").is_some_and(|role| role == "assistant");
        let parts = match is_answer {
            true => json!([{ "type": "output_text", "text": text, "annotations": [] }]),
            false => json!([{ "type": "input_text", "text": text }]),
        };
        item.insert("content".to_owned(), parts);
    }
    if !item.get("id").is_some_and(Value::is_string) {
        let prefix = match kind.as_str() {
            "message" => "msg",
            "function_call" => "fc",
            "reasoning" => "rs",
            other => other,
        };
        item.insert("id".to_owned(), json!(format!("{prefix}_{origin}_{at}")));
    }
    item
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use gateway_actors::responses::ResponseContent;

    use super::*;

    fn page(query: &[(&str, &str)]) -> Result<Value, BadRequest> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let items = ["a", "b", "c", "d", "e"].map(|id| json!({ "id": id })).to_vec();
        Page::from_query(&query)?.of(items)
    }

    fn ids(page: &Value) -> Vec<&str> {
        page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn pages_follow_each_other_in_either_order() {
        assert_eq!(ids(&page(&[]).unwrap()), ["e", "d", "c", "b", "a"]);
        let first = page(&[("limit", "2"), ("order", "asc")]).unwrap();
        assert_eq!(ids(&first), ["a", "b"]);
        assert_eq!(
            (&first["first_id"], &first["last_id"], &first["has_more"]),
            (&json!("a"), &json!("b"), &json!(true))
        );
        let last = page(&[("limit", "2"), ("order", "asc"), ("after", "c")]).unwrap();
        assert_eq!((ids(&last), &last["has_more"]), (vec!["d", "e"], &json!(false)));
        assert_eq!(ids(&page(&[("after", "b")]).unwrap()), ["a"]);
        let beyond = page(&[("after", "a")]).unwrap();
        assert_eq!((ids(&beyond).len(), &beyond["first_id"], &beyond["last_id"]), (0, &Value::Null, &Value::Null));
    }

    #[test]
    fn what_is_no_page_is_refused_by_name() {
        for (name, value) in [("limit", "0"), ("limit", "101"), ("limit", "x"), ("order", "up"), ("after", "z")] {
            assert_eq!(page(&[(name, value)]).unwrap_err().param.as_deref(), Some(name), "{value}");
        }
    }

    #[test]
    fn an_item_has_a_type_parts_and_an_id() {
        let call = json!({ "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}" });
        let input = vec![
            json!({ "role": "user", "content": "hi" }),
            json!({ "role": "assistant", "content": "yes", "id": "msg_own" }),
            call.clone(),
            json!({ "type": "function_call_output", "call_id": "c1", "output": "1" }),
        ];
        let response = StoredResponse {
            id: "resp_x".to_owned(),
            tenant: "team:red".to_owned(),
            virtual_key_id: "key".to_owned(),
            model: "model".to_owned(),
            created_at: DateTime::UNIX_EPOCH,
            content: ResponseContent { input, output: Vec::new(), response: Value::Null },
        };
        let items = items_of(&response);
        let part = json!([{ "type": "input_text", "text": "hi" }]);
        assert_eq!(items[0], json!({ "role": "user", "content": part, "type": "message", "id": "msg_x_0" }));
        assert_eq!((&items[1]["id"], &items[1]["content"][0]["type"]), (&json!("msg_own"), &json!("output_text")));
        assert_eq!((&items[2]["id"], &items[2]["call_id"]), (&json!("fc_x_2"), &call["call_id"]));
        assert_eq!(items[3]["id"], "function_call_output_x_3");
    }
}
