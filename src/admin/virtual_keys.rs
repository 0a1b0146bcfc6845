//! `/admin/virtual-keys`. A key is named by its id or its text; the id is better, as addresses end up in logs.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse};
use gateway_actors::keys::registry::{
    CreateKey, CreatedKey, GetKey, ListKeys, ReissueKey, RevokeKey, RotateProviderKey, UpdateKey,
};
use gateway_actors::keys::virtual_key::{KeyRef, VirtualKey};
use serde_json::json;

use super::body::whole;
use super::key_request::{grace, key_change, new_credential, new_key};
use super::key_view::KeyView;
use super::page::Page;
use super::{AdminError, AdminState};
use crate::error::method_not_allowed;

type State = web::Data<AdminState>;
type Answer = Result<HttpResponse, AdminError>;

/// Adds the paths below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    use web::{delete, get, patch, post, put, resource};
    let other = || web::route().to(method_not_allowed);
    let all = resource("/virtual-keys").route(get().to(list)).route(post().to(create));
    let one = resource("/virtual-keys/{vk}").route(get().to(show)).route(patch().to(update)).route(delete().to(revoke));
    let rotation = resource("/virtual-keys/{vk}/rotate").route(put().to(rotate));
    let reissue = resource("/virtual-keys/{vk}/reissue").route(post().to(reissue));
    cfg.service(all.default_service(other()))
        .service(one.default_service(other()))
        .service(rotation.default_service(other()))
        .service(reissue.default_service(other()));
}

/// Answers 200 like OpenAI's own endpoints that create something, and shows the key's text this once.
async fn create(state: State, body: Result<Bytes, Error>) -> Answer {
    let new = new_key(&whole(body)?, &state)?;
    let created = state.keys.ask(CreateKey(new)).await??;
    log::info!("admin: virtual key {} created", created.key.id);
    Ok(shown_once(&created))
}

async fn list(state: State, page: web::Query<Page>) -> Answer {
    let keys = state.keys.ask(ListKeys).await?;
    let view = |key: &Arc<VirtualKey>| json!(KeyView::masked(key));
    Ok(HttpResponse::Ok().json(page.of(&keys, |key| key.id.to_string(), view)?))
}

async fn show(state: State, vk: web::Path<String>) -> Answer {
    let key = state.keys.ask(GetKey(KeyRef::from_text(&vk))).await?.ok_or_else(AdminError::no_such_key)?;
    Ok(masked(&key))
}

async fn update(state: State, vk: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    let change = key_change(&whole(body)?, &state)?;
    let key = state.keys.ask(UpdateKey { key: KeyRef::from_text(&vk), change }).await??;
    log::info!("admin: virtual key {} changed", key.id);
    Ok(masked(&key))
}

async fn revoke(state: State, vk: web::Path<String>) -> Answer {
    let key = state.keys.ask(RevokeKey(KeyRef::from_text(&vk))).await??;
    log::info!("admin: virtual key {} revoked", key.id);
    Ok(masked(&key))
}

async fn rotate(state: State, vk: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    let credential = new_credential(&whole(body)?)?;
    let key = state.keys.ask(RotateProviderKey { key: KeyRef::from_text(&vk), credential }).await??;
    log::info!("admin: provider credential of virtual key {} rotated", key.id);
    Ok(masked(&key))
}

/// Shows the key's new text this once. What it replaces works on for the grace period; an older text does not.
async fn reissue(state: State, vk: web::Path<String>, body: Result<Bytes, Error>) -> Answer {
    let grace = grace(&whole(body)?)?;
    let reissued = state.keys.ask(ReissueKey { key: KeyRef::from_text(&vk), grace }).await??;
    log::info!("admin: virtual key {} reissued", reissued.key.id);
    Ok(shown_once(&reissued))
}

fn shown_once(created: &CreatedKey) -> HttpResponse {
    let view = KeyView::new(&created.key, created.text.expose());
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(view)
}

fn masked(key: &VirtualKey) -> HttpResponse {
    HttpResponse::Ok().json(KeyView::masked(key))
}
