//! What a Responses request takes out of the store: the answer that it goes on from, and items that it refers to.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::Utc;
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::responses::{AnswerKeeper, StoredResponse};
use gateway_wire::clients::Sealer;
use gateway_wire::clients::responses::{
    input_items, is_compaction, previous_response_id, references, response_of_item, store, with_history,
    with_references, with_store, with_trigger, words_of_users,
};
use gateway_wire::common::JsonText;
use gateway_wire::json_object::JsonObject;
use serde_json::Value;

use super::body::no_room;
use super::body_budget::BodyShare;
use super::inference::field;
use super::responses::COMPACT;
use super::stored_responses::unavailable;
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// The most items that a request may refer to.
const MAX_REFERENCES: usize = 1_000;

/// The most stored answers that they may be of: each has to be read.
const MAX_ANSWERS: usize = 200;

/// What a Responses request needs beside its body.
#[derive(Default)]
pub struct Continued {
    /// What stores the answer, where it is to be stored.
    pub keeper: Option<Box<AnswerKeeper>>,
    /// What seals the summary of a conversation, and opens former ones.
    pub sealer: Option<Arc<dyn Sealer>>,
    /// The items that stand before the sealed one, where the conversation is compacted by a request of its own.
    pub kept: Option<Vec<JsonText>>,
}

/// The request with all that it stands on, which is counted in `share`, and what its answer needs.
///
/// # Errors
/// 400 where what it goes on from is not there, or is another tenant's; 413 where it is too large with that; 503 where
/// nobody knows, or the bodies under way leave no room for it.
pub async fn continued(
    shared: &AppState,
    key: &VirtualKey,
    request_id: &str,
    path: &str,
    body: JsonObject,
    share: &mut BodyShare,
) -> Result<(JsonObject, Continued), ApiError> {
    let tenant = key.tenant();
    let mut room = Room::beside(&body, shared.config.server.max_body_bytes);
    let history = match previous_response_id(&body)? {
        Some(id) => {
            let previous = shared.responses.get(&tenant, &id).await.map_err(unavailable)?;
            let StoredResponse { content, .. } = previous.ok_or_else(|| no_previous(&id))?;
            History::of(content.input.into_iter().chain(content.output), &mut room)?
        }
        None => History::default(),
    };
    let known = referred(shared, &tenant, &history, &references(&body), &mut room).await?;
    if !share.grow(room.taken) {
        return Err(no_room());
    }
    let body = with_references(&body, |id| known.get(id).cloned())?;
    let body = match history.items.is_empty() {
        true => body,
        false => with_history(&body, &history.items)?,
    };
    let sealer = Some(shared.responses.sealer(&tenant));
    if path == COMPACT {
        let kept = Some(words_of_users(&body)?);
        return Ok((with_store(&with_trigger(&body)?, false), Continued { kept, sealer, keeper: None }));
    }
    let is_stored = store(&body)? && shared.responses.is_on();
    let body = with_store(&body, is_stored);
    if !is_stored {
        return Ok((body, Continued { sealer, ..Continued::default() }));
    }
    // A compacted conversation goes on from its summary alone.
    let input = if is_compaction(&body) { Vec::new() } else { input_items(&body, request_id)? };
    let keeper = AnswerKeeper {
        responses: shared.responses.clone(),
        tenant,
        virtual_key_id: key.id.to_string(),
        model: body.read("model").ok().flatten().unwrap_or_default(),
        created_at: Utc::now(),
        input,
    };
    Ok((body, Continued { keeper: Some(Box::new(keeper)), sealer, kept: None }))
}

/// What stored items may add to a request, which must not become larger than one that is sent whole.
struct Room {
    limit: usize,
    left: usize,
    taken: usize,
}

impl Room {
    fn beside(body: &JsonObject, limit: usize) -> Self {
        Self { limit, left: limit.saturating_sub(body.text().len()), taken: 0 }
    }

    fn take(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            let limit = self.limit;
            let message = format!("The request is over the limit of {limit} bytes with the stored items it stands on.");
            ApiError::new(Code::BodyTooLarge, message)
        })?;
        self.taken += bytes;
        Ok(())
    }
}

/// The items that stand before a request's own.
#[derive(Default)]
struct History {
    items: Vec<JsonText>,
    /// The place of the first item of each id.
    places: HashMap<String, usize>,
}

impl History {
    fn of(values: impl Iterator<Item = Value>, room: &mut Room) -> Result<Self, ApiError> {
        let mut history = Self::default();
        for value in values {
            if let Some(id) = value.get("id").and_then(Value::as_str) {
                history.places.entry(id.to_owned()).or_insert(history.items.len());
            }
            let item = JsonText::from(value);
            room.take(item.as_str().len())?;
            history.items.push(item);
        }
        Ok(history)
    }

    fn item(&self, id: &str) -> Option<&JsonText> {
        self.items.get(*self.places.get(id)?)
    }
}

/// How often each id stands in a request.
///
/// # Errors
/// 400 where there are more than anybody needs.
fn counted(ids: &[String]) -> Result<HashMap<&str, usize>, ApiError> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for id in ids {
        *counts.entry(id).or_default() += 1;
    }
    if counts.len() > MAX_REFERENCES {
        return Err(field("input", &format!("'input' must not refer to more than {MAX_REFERENCES} items.")));
    }
    Ok(counts)
}

/// The items that are referred to, as far as they are known: those of the history, and those of other stored answers,
/// which their ids tell.
async fn referred(
    shared: &AppState,
    tenant: &str,
    history: &History,
    ids: &[String],
    room: &mut Room,
) -> Result<HashMap<String, JsonText>, ApiError> {
    let mut known = HashMap::new();
    let mut elsewhere: HashMap<String, Vec<(&str, usize)>> = HashMap::new();
    for (id, count) in counted(ids)? {
        if let Some(item) = history.item(id) {
            room.take(item.as_str().len().saturating_mul(count))?;
            known.insert(id.to_owned(), item.clone());
        } else if let Some(answer) = response_of_item(id) {
            elsewhere.entry(answer).or_default().push((id, count));
        }
    }
    if elsewhere.len() > MAX_ANSWERS {
        let message = format!("'input' must not refer to items of more than {MAX_ANSWERS} responses.");
        return Err(field("input", &message));
    }
    // One is held at a time: each has a whole conversation.
    for (answer, ids) in elsewhere {
        let Some(response) = shared.responses.get(tenant, &answer).await.map_err(unavailable)? else { continue };
        for (id, count) in ids {
            let Some(item) = item_of(&response, id).map(JsonText::from) else { continue };
            room.take(item.as_str().len().saturating_mul(count))?;
            known.insert(id.to_owned(), item);
        }
    }
    Ok(known)
}

/// An item of a stored response: with its seal, where it is the one that was shown under this name.
fn item_of(response: &StoredResponse, id: &str) -> Option<Value> {
    let content = &response.content;
    let shown = content.response.get("output").and_then(Value::as_array);
    let shown = shown.into_iter().flatten().find(|item| is_named(item, id));
    let same_kind = |item: &&Value| shown.is_none_or(|shown| shown.get("type") == item.get("type"));
    let sealed = content.output.iter().find(|item| is_named(item, id)).filter(same_kind);
    sealed.or(shown).or_else(|| content.input.iter().find(|item| is_named(item, id))).cloned()
}

fn is_named(item: &Value, id: &str) -> bool {
    item.get("id").and_then(Value::as_str) == Some(id)
}

fn no_previous(id: &str) -> ApiError {
    let message = format!("Previous response with id '{id}' not found.");
    let param = Some("previous_response_id".to_owned());
    ApiError { param, ..ApiError::new(Code::PreviousResponseNotFound, message) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn room(limit: usize) -> Room {
        Room::beside(&JsonObject::parse("{}".into()).unwrap(), limit)
    }

    #[test]
    fn stored_items_count_as_if_they_had_been_sent() {
        let items = || [json!({ "id": "a", "at": 1 }), json!({ "id": "a", "at": 2 }), json!({ "at": 3 })].into_iter();
        let bytes = items().map(|item| item.to_string().len()).sum::<usize>();
        let mut wide = room(bytes + 2);
        let history = History::of(items(), &mut wide).unwrap();
        assert_eq!((wide.left, wide.taken, history.items.len()), (0, bytes, 3));
        assert_eq!(history.item("a").map(JsonText::value), Some(json!({ "id": "a", "at": 1 })), "the first of its id");
        assert!(history.item("b").is_none());
        let refused = History::of(items(), &mut room(bytes + 1)).err().unwrap();
        assert_eq!(refused.code, Code::BodyTooLarge);
        assert_eq!(wide.take(usize::MAX).unwrap_err().code, Code::BodyTooLarge);
    }

    #[test]
    fn an_id_counts_once_among_the_references_however_often_it_stands() {
        let repeated = vec!["a".to_owned(); MAX_REFERENCES + 1];
        assert_eq!(counted(&repeated).unwrap(), HashMap::from([("a", MAX_REFERENCES + 1)]));
        let many: Vec<String> = (0..=MAX_REFERENCES).map(|id| id.to_string()).collect();
        assert_eq!(counted(&many).unwrap_err().param.as_deref(), Some("input"));
    }
}
