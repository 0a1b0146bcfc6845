//! What a request says of stored answers; the caller resolves it before the request is read.

use super::fields::{field, present, raw_list};
use super::ids::{self, Ids};
use crate::BadRequest;
use crate::common::{Conversation, JsonText};
use crate::json_object::{JsonObject, json_string};

/// The item that asks for the conversation to be compacted.
const TRIGGER: &str = "compaction_trigger";

/// Whether the client wants the answer stored, which is the format's default.
///
/// # Errors
/// Where `store` is neither true nor false.
pub fn store(body: &JsonObject) -> Result<bool, BadRequest> {
    Ok(field(body, "store", "true or false")?.unwrap_or(true))
}

/// The stored answer that the request goes on from.
///
/// # Errors
/// Where it is no text.
pub fn previous_response_id(body: &JsonObject) -> Result<Option<String>, BadRequest> {
    field(body, "previous_response_id", "a text")
}

/// Whether the answer is stored, as [`with_store`] told.
pub fn is_stored(conversation: &Conversation) -> bool {
    conversation.echo.iter().any(|(name, value)| name == "store" && value.as_str() == "true")
}

/// The ids of the items that the request refers to.
pub fn references(body: &JsonObject) -> Vec<String> {
    match present(body, "input").filter(|text| text.contains("item_reference")) {
        Some(_) => own_items(body).unwrap_or_default().iter().filter_map(reference).collect(),
        None => Vec::new(),
    }
}

/// The id of the answer that an item belongs to, for items of this gateway.
pub fn response_of_item(id: &str) -> Option<String> {
    ids::answer_of(id)
}

/// Whether the request asks for the conversation to be compacted: an input with an item of that kind.
pub fn is_compaction(body: &JsonObject) -> bool {
    if !present(body, "input").is_some_and(|text| text.contains(TRIGGER)) {
        return false;
    }
    own_items(body).unwrap_or_default().last().is_some_and(|item| kind_of(item).as_deref() == Some(TRIGGER))
}

/// The request with `store` set to what is done, so that the answer tells that.
pub fn with_store(body: &JsonObject, stored: bool) -> JsonObject {
    body.with(&[("store", if stored { "true" } else { "false" })], &[])
}

/// The request with stored items before its new input. `previous_response_id` stays, for the answer to repeat it.
///
/// # Errors
/// Where the input is neither a text nor an array.
pub fn with_history(body: &JsonObject, items: &[JsonText]) -> Result<JsonObject, BadRequest> {
    let new = own_items(body)?;
    let all: Vec<&str> = items.iter().map(JsonText::as_str).chain(new.iter().map(JsonText::as_str)).collect();
    Ok(body.with(&[("input", &format!("[{}]", all.join(",")))], &[]))
}

/// The request that asks for its conversation to be compacted, whole.
///
/// # Errors
/// Where the input is neither a text nor an array.
pub fn with_trigger(body: &JsonObject) -> Result<JsonObject, BadRequest> {
    let mut items = own_items(body)?;
    items.retain(|item| kind_of(item).as_deref() != Some(TRIGGER));
    items.extend(JsonText::parse(&format!(r#"{{"type":"{TRIGGER}"}}"#)));
    let all: Vec<&str> = items.iter().map(JsonText::as_str).collect();
    Ok(body.with(&[("input", &format!("[{}]", all.join(","))), ("stream", "false")], &[]))
}

/// The messages of the request that are not the model's, which compaction leaves as they are.
///
/// # Errors
/// Where the input is neither a text nor an array.
pub fn words_of_users(body: &JsonObject) -> Result<Vec<JsonText>, BadRequest> {
    let mut items = own_items(body)?;
    items.retain(|item| {
        let named = item.read::<Named>().unwrap_or_default();
        let is_message = named.kind.as_deref().is_none_or(|kind| kind == "message");
        is_message && matches!(named.role.as_deref(), Some("user" | "developer" | "system"))
    });
    Ok(items)
}

/// The request with every `item_reference` replaced by the item that `find` gives for its id.
///
/// # Errors
/// Where one is not found, or the input is neither a text nor an array.
pub fn with_references(body: &JsonObject, find: impl Fn(&str) -> Option<JsonText>) -> Result<JsonObject, BadRequest> {
    if !present(body, "input").is_some_and(|text| text.contains("item_reference")) {
        return Ok(body.clone());
    }
    let mut items = own_items(body)?;
    for (at, item) in items.iter_mut().enumerate() {
        if let Some(id) = reference(item) {
            let field = format!("input[{at}].id");
            let message = format!("Item '{id}' was not found.");
            *item = find(&id).ok_or_else(|| BadRequest::new(field, message))?;
        }
    }
    let all: Vec<&str> = items.iter().map(JsonText::as_str).collect();
    Ok(body.with(&[("input", &format!("[{}]", all.join(",")))], &[]))
}

/// The items of the request's input, each with an id, as they are stored and told by `GET …/input_items`.
///
/// # Errors
/// Where the input is neither a text nor an array.
pub fn input_items(body: &JsonObject, request_id: &str) -> Result<Vec<JsonText>, BadRequest> {
    let ids = Ids::of(request_id);
    let with_id = |(at, item): (usize, JsonText)| {
        let object = JsonObject::parse(item.as_str().to_owned().into()).ok();
        let Some(object) = object.filter(|object| present(object, "id").is_none()) else { return item };
        let mut set = Vec::new();
        if object.get("type").is_none() {
            set.push(("type", "\"message\""));
        }
        let prefix = prefix_of(object.read("type").ok().flatten());
        let id = json_string(&ids.item(prefix, at));
        set.push(("id", &id));
        let text = object.edited(&set, &[]);
        std::str::from_utf8(&text).ok().and_then(|text| JsonText::parse(text).ok()).unwrap_or(item)
    };
    Ok(own_items(body)?.into_iter().enumerate().map(with_id).collect())
}

/// How the id of an item of a kind begins; a letter tells items of the input from those of the answer.
fn prefix_of(kind: Option<String>) -> &'static str {
    match kind.as_deref() {
        Some("function_call") => "fc_in",
        Some("custom_tool_call") => "ctc_in",
        Some("function_call_output") => "fco_in",
        Some("custom_tool_call_output") => "ctco_in",
        Some("reasoning") => "rs_in",
        _ => "msg_in",
    }
}

/// The items of the input as they stand; a text is a message of the user.
fn own_items(body: &JsonObject) -> Result<Vec<JsonText>, BadRequest> {
    let Some(text) = present(body, "input") else { return Ok(Vec::new()) };
    if text.starts_with('"') {
        let item = format!(r#"{{"type":"message","role":"user","content":[{{"type":"input_text","text":{text}}}]}}"#);
        return JsonText::parse(&item).map(|item| vec![item]).map_err(|_| wrong());
    }
    Ok(raw_list(text, "input").map_err(|_| wrong())?.into_iter().map(JsonText::from).collect())
}

fn wrong() -> BadRequest {
    BadRequest::new("input", "'input' must be a text or an array of items.")
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Named {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    id: Option<String>,
}

fn kind_of(item: &JsonText) -> Option<String> {
    item.read::<Named>().ok()?.kind
}

fn reference(item: &JsonText) -> Option<String> {
    let named = item.read::<Named>().ok()?;
    named.id.filter(|_| named.kind.as_deref() == Some("item_reference"))
}
