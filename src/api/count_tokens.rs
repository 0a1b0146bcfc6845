//! `POST /v1/messages/count_tokens` and `POST /v1/responses/input_tokens`: the input tokens of a request that is not sent.
//!
//! They are counted here. No provider is asked, so that a count costs no limit of a key and no budget, and reaches no
//! breaker; but it is work, which takes a place and counts in the limit of its address.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use gateway_actors::keys::virtual_key::VirtualKey;
use gateway_actors::providers::resolve::{Hints, resolve};
use gateway_actors::usage::input_tokens::{Surplus, input_tokens};
use gateway_wire::clients::messages::Messages;
use gateway_wire::clients::responses::{Responses, open_compactions};
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::common::Conversation;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{BadRequest, formats, names};
use serde_json::{Value, json};

use super::admit::{authorize, limit_address, take_place};
use super::body;
use super::inference::{WorkerData, model_of, refused};
use super::reply::ResponseMeta;
use super::request_headers::ClientHeaders;
use super::stored_history::{self, Continued};
use crate::error::{ApiError, Code};
use crate::server::state::AppState;

/// The path of [`responses`].
const PATH: &str = "/v1/responses/input_tokens";

/// A format's count.
struct Count {
    client: ClientKind,
    read: fn(&JsonObject) -> Result<Conversation, BadRequest>,
    told: fn(u64) -> Value,
}

/// Counts the input tokens of a Messages request.
pub async fn messages(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let told = |tokens| json!({ "input_tokens": tokens });
    answer(
        &worker.shared,
        &request,
        payload,
        Count { client: ClientKind::Messages, read: |body| Messages.read_for_count(body), told },
    )
    .await
}

/// Counts the input tokens of a Responses request.
pub async fn responses(worker: WorkerData, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let told = |tokens| json!({ "object": "response.input_tokens", "input_tokens": tokens });
    answer(
        &worker.shared,
        &request,
        payload,
        Count { client: ClientKind::Responses, read: |body| Responses.read(body), told },
    )
    .await
}

async fn answer(shared: &AppState, request: &HttpRequest, mut payload: web::Payload, count: Count) -> HttpResponse {
    let meta = ResponseMeta { client: count.client, ..ResponseMeta::from_headers(request.headers()) };
    let mut response = match counted(shared, request, &mut payload, &count, &meta).await {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(error) => refused(shared, request, payload, None, error, &meta).await,
    };
    meta.add_to(&mut response);
    response
}

async fn counted(
    shared: &AppState,
    request: &HttpRequest,
    payload: &mut web::Payload,
    count: &Count,
    meta: &ResponseMeta,
) -> Result<Value, ApiError> {
    // Who guesses keys is limited.
    let key = authorize(shared, request, Utc::now())
        .map_err(|error| limit_address(shared, request).err().unwrap_or(error))?;
    limit_address(shared, request)?;
    let asked = ClientHeaders::read(request.headers())?;
    let (bytes, mut share) = body::read(request, payload, &shared.config.server, shared.bodies.share(key.id)).await?;
    let _place = take_place(shared)?;
    let body = JsonObject::parse(bytes).map_err(|error| {
        ApiError::new(Code::InvalidJson, format!("The request body is not a JSON object: {error}."))
    })?;
    names::check_body(&body)?;
    let (body, continued) = match count.client {
        ClientKind::Responses => {
            stored_history::continued(shared, &key, &meta.request_id, PATH, body, &mut share).await?
        }
        ClientKind::Chat | ClientKind::Messages | ClientKind::Completions => (body, Continued::default()),
    };
    let mut conversation = (count.read)(&body)?;
    if let Some(sealer) = continued.sealer {
        open_compactions(&mut conversation, |sealed| sealer.open(sealed))?;
    }
    let model = model_of(&body)?;
    let chat = JsonObject::parse(formats::chat_body(&conversation)?).map_err(|error| {
        ApiError::new(Code::Internal, format!("The request could not be read as a chat request: {error}."))
    })?;
    let surplus = surplus(shared, &key, asked.provider.as_deref(), &model, (count.client, &chat));
    Ok((count.told)(input_tokens(&shared.routing.budgets.ledger.counter, &chat, surplus).await))
}

/// That of the target that the request would go to without a config.
fn surplus(
    shared: &AppState,
    key: &VirtualKey,
    header: Option<&str>,
    model: &str,
    (client, chat): (ClientKind, &JsonObject),
) -> Surplus {
    let hints = Hints { header, key: key.provider.as_deref() };
    let (provider, model) = shared.configs.aliases.target_of(model);
    let resolved = resolve(provider, model, hints, &shared.routing.catalogue).ok();
    let dialect = resolved.and_then(|(provider, model)| {
        let handle = shared.routing.providers.get(&provider)?;
        Some(handle.settings().dialect_for(client, &model, chat))
    });
    Surplus::of(dialect, model)
}
