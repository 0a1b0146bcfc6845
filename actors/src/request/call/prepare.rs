//! A client's request as one target's provider takes it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use gateway_wire::clients::chat::CHAT;
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::common::{Conversation, JsonText, refuse_unportable};
use gateway_wire::formats;
use gateway_wire::json_object::JsonObject;
use gateway_wire::openai::StreamOptions;
use gateway_wire::vendors::TargetModel;
use gateway_wire::{BadRequest, Dialect, Endpoint, VendorRequest, dialect, names, openai};

use super::ResolvedTarget;
use crate::request::router::RouteRequest;
use crate::request::translation::{ClientRequest, Translation};
use crate::routing::drop_path::segments;
use crate::routing::{Target, apply, without};
use crate::usage::estimate::LIMIT_FIELDS;

/// The field of Responses that limits the answer.
const RESPONSES_LIMIT: &str = "max_output_tokens";

/// The fields of Responses by which the vendor stores nothing, and gives what a conversation goes on from instead.
const UNSTORED: [&str; 2] = ["store", "include"];

/// A request that is ready to be sent, and how its answer comes back.
pub(super) struct Prepared {
    /// The request.
    pub request: VendorRequest,
    /// The vendor's format.
    pub dialect: Dialect,
    /// The way of the answer.
    pub translation: Translation,
    /// What is counted where the vendor does not tell: a chat body.
    pub counted: Bytes,
    /// The choices that were asked for.
    pub choices: u64,
    /// Whether the client wants the usage that each chunk has.
    pub shows_usage: bool,
}

/// What changes a client's request before it is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edits {
    /// Whether the config sets or drops some of its parameters.
    pub by_config: bool,
    /// Whether its budget limits its answer.
    pub by_budget: bool,
    /// Whether a reservation holds, so that the limit of its answer must stay.
    pub is_limited: bool,
}

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
    body: Cow<'_, JsonObject>,
    edits: Edits,
) -> Result<Prepared, BadRequest> {
    let choices = body.read("n").ok().flatten().unwrap_or(1);
    let shows_usage = shows_usage(&body);
    let settings = resolved.handle.settings();
    let kind = request.client_kind();
    let dialect = settings.dialect_for(kind, &resolved.model, &body);
    let unconverted = match request.endpoint {
        Endpoint::Chat => None,
        Endpoint::Embeddings { .. } => Some(dialect::embeddings_request(dialect, &body, &resolved.model)?),
        Endpoint::Moderations => {
            let route = ("/moderations", "moderations");
            Some(dialect::passed_request(dialect, route, &body, &resolved.model)?)
        }
        Endpoint::Rerank => Some(dialect::passed_request(dialect, ("/rerank", "reranking"), &body, &resolved.model)?),
    };
    if let Some(sent) = unconverted {
        let sent = dropped(sent, resolved, dialect, edits.is_limited)?;
        let counted = counted(dialect, &body, &sent);
        return Ok(Prepared { request: sent, dialect, translation: Translation::Chat, counted, choices, shows_usage });
    }
    let passes = request.client.is_none() && dialect.is_chat();
    let (sent, translation) = if passes {
        (chat(request, resolved, &body)?, Translation::Chat)
    } else {
        translated(request, resolved, (kind, dialect), &body, edits)?
    };
    let sent = dropped(sent, resolved, dialect, edits.is_limited)?;
    let counted = if passes { counted(dialect, &body, &sent) } else { longer(dialect, &body, &sent) };
    Ok(Prepared { request: sent, dialect, translation, counted, choices, shows_usage })
}

/// A chat client's bytes, for a vendor that takes them as they are.
fn chat(request: &RouteRequest, resolved: &ResolvedTarget, body: &JsonObject) -> Result<VendorRequest, BadRequest> {
    let settings = resolved.handle.settings();
    let options = match (request.stream, settings.stream_options) {
        (false, _) => StreamOptions::Kept,
        (true, true) => StreamOptions::WithUsage,
        (true, false) => StreamOptions::LeftOut,
    };
    if !settings.quirks.concern(body.text()) {
        return openai::chat_request(body, &resolved.model, options);
    }
    let (body, dropped) = openai::fitted(body, &settings.quirks)?;
    let mut sent = openai::chat_request(&body, &resolved.model, options)?;
    sent.dropped_params.extend(dropped);
    Ok(sent)
}

/// A request over the common form, or of another format that client and vendor share.
fn translated(
    request: &RouteRequest,
    resolved: &ResolvedTarget,
    (kind, dialect): (ClientKind, Dialect),
    body: &JsonObject,
    edits: Edits,
) -> Result<(VendorRequest, Translation), BadRequest> {
    let settings = resolved.handle.settings();
    let formats = formats::between(kind, dialect);
    // What compacts a conversation is asked in the gateway's own words, which any vendor understands.
    let passes = |client: &&ClientRequest| !edits.by_config && !client.conversation.is_compaction;
    let native = formats::native(kind, dialect);
    let limit = edits.by_budget.then(|| limit_of(body)).flatten();
    let has_room = |client: &&ClientRequest| limit.is_none_or(|limit| leaves_room(client, limit));
    let own = request.client.as_deref().filter(passes).filter(has_room);
    if let (Some(client), Some(stream)) = (own, native) {
        let mut sent = formats::native_request(kind, &client.body, &resolved.model, limit, client.sealer.as_ref())?;
        sent.headers.clone_from(&client.headers);
        return Ok((sent, Translation::Native(formats, client.conversation.clone(), stream)));
    }
    let conversation = match &request.client {
        Some(client) if !edits.by_config && !edits.by_budget => client.conversation.clone(),
        Some(client) => Arc::new(edited(&client.conversation, (&request.body, body), &resolved.target)?),
        None => Arc::new(CHAT.read(body)?),
    };
    if dialect != Dialect::Anthropic {
        refuse_unportable(&conversation)?;
    }
    let quirks = settings.quirks();
    let target = TargetModel { model: &resolved.model, quirks: &quirks, max_output_tokens: resolved.max_output_tokens };
    let mut sent = formats.vendor.request(&conversation, &target)?;
    if let (Some(client), Dialect::Anthropic) = (&request.client, dialect) {
        sent.headers.extend(client.headers.iter().cloned());
    }
    Ok((sent, Translation::Common(formats, conversation)))
}

/// Whether a limit of the answer leaves room for the thinking that a client of Messages asks for. Where it does not, the
/// vendor would refuse the request as it stands; over the common form thinking is made to fit.
fn leaves_room(client: &ClientRequest, limit: u64) -> bool {
    let thinking = client.body.get("thinking").filter(|_| client.kind == ClientKind::Messages);
    let thinking = thinking.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let budget = thinking.and_then(|thinking| thinking["budget_tokens"].as_u64());
    budget.is_none_or(|budget| budget < limit)
}

/// A client's conversation with the parameters that the config or the budget changed in its chat body, which is `before`
/// and after that: what is sent is what was priced.
fn edited(
    own: &Conversation,
    (before, body): (&JsonObject, &JsonObject),
    target: &Target,
) -> Result<Conversation, BadRequest> {
    let mut changed = CHAT.read(body)?;
    let is_changed = |name: &str| before.get(name) != body.get(name);
    let sets = |name: &str| {
        let is_dropped = |item: &String| segments(item).is_some_and(|path| path.first().is_some_and(|at| at == name));
        is_changed(name) || target.override_params.contains_key(name) || target.drop_params.iter().any(is_dropped)
    };
    let mut rest: Vec<(String, JsonText)> = own.rest.iter().filter(|(name, _)| !is_changed(name)).cloned().collect();
    rest.extend(std::mem::take(&mut changed.rest).into_iter().filter(|(name, _)| is_changed(name)));
    let mut conversation = Conversation {
        rest,
        rest_family: own.rest_family.or(changed.rest_family),
        echo: own.echo.clone(),
        namespaces: own.namespaces.clone(),
        is_compaction: own.is_compaction,
        ..changed
    };
    conversation.model.clone_from(&own.model);
    if !sets("messages") {
        conversation.system.clone_from(&own.system);
        conversation.turns.clone_from(&own.turns);
    }
    if !sets("tools") {
        conversation.tools.clone_from(&own.tools);
    }
    if !sets("reasoning_effort") {
        conversation.reasoning.clone_from(&own.reasoning);
    }
    if !sets("tool_choice") {
        conversation.tool_choice.clone_from(&own.tool_choice);
    }
    if !sets("top_k") {
        conversation.sampling.top_k = own.sampling.top_k;
    }
    Ok(conversation)
}

/// Whether a body asks for usage on each chunk of its stream, as vLLM and SGLang have it.
fn shows_usage(body: &JsonObject) -> bool {
    let options = body.get("stream_options").filter(|text| text.contains("continuous_usage_stats"));
    let options = options.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    options.is_some_and(|options| options["continuous_usage_stats"] == true)
}

/// The limit that stands in a chat body.
fn limit_of(body: &JsonObject) -> Option<u64> {
    LIMIT_FIELDS.into_iter().find_map(|field| body.read(field).ok().flatten())
}

/// What is counted where the vendor does not tell. No copy is kept that is not needed while the provider works (G4).
fn counted(dialect: Dialect, body: &JsonObject, sent: &VendorRequest) -> Bytes {
    if dialect == Dialect::OpenAi { sent.body.clone() } else { body.text().clone() }
}

/// What is counted of a request in another format: the longer of its two forms, since a chat body cannot say all that a
/// vendor may be sent. A request of Ollama's says no more than chat, and its pictures would count as text.
fn longer(dialect: Dialect, body: &JsonObject, sent: &VendorRequest) -> Bytes {
    let is_longer = dialect != Dialect::Ollama && sent.body.len() > body.text().len();
    if is_longer { sent.body.clone() } else { body.text().clone() }
}

/// The request without what the target drops.
fn dropped(
    mut sent: VendorRequest,
    resolved: &ResolvedTarget,
    dialect: Dialect,
    is_limited: bool,
) -> Result<VendorRequest, BadRequest> {
    let drops = droppable(&resolved.target.drop_params, dialect, is_limited);
    if resolved.handle.settings().dialect == Dialect::OpenAi && !drops.is_empty() {
        let body = JsonObject::parse(sent.body).map_err(unreadable)?;
        sent.body = without(&body, &drops)?.body;
    }
    Ok(sent)
}

/// What of `drop_params` may leave a request that is ready: not the limit of an answer that a reservation holds, nor what
/// keeps the vendor from storing it.
fn droppable(drop_params: &[String], dialect: Dialect, is_limited: bool) -> Vec<String> {
    let stays = |name: &str| {
        let is_limit = LIMIT_FIELDS.contains(&name) || name == RESPONSES_LIMIT;
        is_limited && is_limit || dialect == Dialect::Responses && UNSTORED.contains(&name)
    };
    let is_free = |item: &&String| segments(item).is_some_and(|path| path.first().is_some_and(|name| !stays(name)));
    drop_params.iter().filter(is_free).cloned().collect()
}

/// The body with its limit of output in the other field, where the target drops the one that it is in.
pub(super) fn renamed_limit(body: JsonObject, drop_params: &[String]) -> JsonObject {
    let is_dropped = |field: &str| drop_params.iter().any(|item| segments(item).is_some_and(|path| path == [field]));
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

#[cfg(test)]
mod tests;
