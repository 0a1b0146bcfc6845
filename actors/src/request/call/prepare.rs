//! A client's request as one target's provider takes it.

use std::borrow::Cow;

use gateway_wire::json_object::JsonObject;
use gateway_wire::openai::StreamOptions;
use gateway_wire::{BadRequest, Dialect, Endpoint, VendorRequest, dialect, names};

use super::ResolvedTarget;
use crate::request::router::RouteRequest;
use crate::routing::{Target, apply, without};
use crate::usage::estimate::LIMIT_FIELDS;

/// The body with the target's own parameters, and what it drops.
pub(super) fn applied<'a>(
    body: &'a JsonObject,
    target: &Target,
) -> Result<(Cow<'a, JsonObject>, Vec<String>), BadRequest> {
    let applied = apply(body, target)?;
    let body = if applied.body == *body.text() {
        Cow::Borrowed(body)
    } else {
        let body = JsonObject::parse(applied.body).map_err(unreadable)?;
        // A config may set no more than a client may.
        names::check_body(&body)?;
        Cow::Owned(body)
    };
    Ok((body, applied.dropped))
}

/// The request as this target's provider takes it. `drop_params` has the last word, also over what the gateway adds; but
/// what holds an answer to its budget stays.
pub(super) fn prepare(
    request: &RouteRequest,
    resolved: &ResolvedTarget,
    body: &JsonObject,
    is_limited: bool,
) -> Result<VendorRequest, BadRequest> {
    let settings = resolved.handle.settings();
    let options = match (request.stream, settings.stream_options) {
        (false, _) => StreamOptions::Kept,
        (true, true) => StreamOptions::WithUsage,
        (true, false) => StreamOptions::LeftOut,
    };
    let mut prepared = match request.endpoint {
        Endpoint::Chat => dialect::chat_request(settings.dialect, body, &resolved.model, options)?,
        Endpoint::Embeddings { .. } => dialect::embeddings_request(settings.dialect, body, &resolved.model)?,
    };
    let stays = |item: &&String| is_limited && LIMIT_FIELDS.contains(&item.as_str());
    let drops: Vec<String> = resolved.target.drop_params.iter().filter(|item| !stays(item)).cloned().collect();
    if settings.dialect == Dialect::OpenAi && !drops.is_empty() {
        let body = JsonObject::parse(prepared.body).map_err(unreadable)?;
        prepared.body = without(&body, &drops)?.body;
    }
    Ok(prepared)
}

/// The body with its limit of output in the other field, where the target drops the one that it is in.
pub(super) fn renamed_limit(body: JsonObject, drop_params: &[String]) -> JsonObject {
    let is_dropped = |field: &str| drop_params.iter().any(|item| item == field);
    let [newer, older] = LIMIT_FIELDS;
    for (field, other) in [(newer, older), (older, newer)] {
        if is_dropped(field)
            && !is_dropped(other)
            && let Some(limit) = body.get(field)
        {
            return body.with(&[(other, limit)], &[field]);
        }
    }
    body
}

fn unreadable(error: serde_json::Error) -> BadRequest {
    BadRequest { param: None, message: format!("The edited body is not JSON: {error}.") }
}
