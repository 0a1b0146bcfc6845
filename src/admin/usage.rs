//! `GET /admin/usage`: the usage log, added up.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web;
use actix_web::{HttpResponse, Responder};
use chrono::{DateTime, TimeDelta, Utc};
use gateway_actors::db::actor::ReportUsage;
use gateway_actors::db::{UsageGroup, UsageSum};
use serde::Deserialize;
use serde_json::json;

use super::AdminError;
use crate::error::method_not_allowed;
use crate::server::state::Worker;

/// Adds the path below `/admin`.
pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let usage = web::resource("/usage").route(web::get().to(report));
    cfg.service(usage.default_service(web::route().to(method_not_allowed)));
}

#[derive(Deserialize)]
struct Query {
    /// `day`, `key`, `user`, `team`, `provider` or `model`; a day where absent.
    group_by: Option<String>,
    /// RFC 3339; a month ago where absent.
    from: Option<DateTime<Utc>>,
    /// RFC 3339; now where absent.
    to: Option<DateTime<Utc>>,
    /// `json` or `csv`; JSON where absent.
    format: Option<String>,
}

async fn report(worker: web::Data<Worker>, query: web::Query<Query>) -> Result<impl Responder, AdminError> {
    let word = query.group_by.as_deref().unwrap_or("day");
    let group = word.parse::<UsageGroup>().map_err(|unknown| AdminError::bad_field("group_by", unknown.to_string()))?;
    let (from, to) = span(query.from, query.to);
    let report = ReportUsage { group, from: from.timestamp_micros(), to: to.timestamp_micros() };
    let rows = worker.shared.store.ask(report).await??;
    match query.format.as_deref() {
        None | Some("json") => Ok(HttpResponse::Ok().json(json!({
            "object": "list", "group_by": word, "from": from.to_rfc3339(), "to": to.to_rfc3339(), "data": rows,
        }))),
        Some("csv") => Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/csv; charset=utf-8")).body(csv(&rows))),
        Some(_) => Err(AdminError::bad_field("format", "must be json or csv")),
    }
}

/// The time of a report: to now, and from a month ago, where nothing else was asked for.
pub(super) fn span(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> (DateTime<Utc>, DateTime<Utc>) {
    let now = Utc::now();
    (from.unwrap_or(now - TimeDelta::days(31)), to.unwrap_or(now))
}

fn csv(rows: &[UsageSum]) -> String {
    let mut text = "group,requests,prompt_tokens,completion_tokens,cost_usd,estimated\n".to_owned();
    for row in rows {
        // A group is quoted, since an id may hold anything; a leading sign would be a formula to a spreadsheet.
        let group = row.group.replace('"', "\"\"");
        let guard = if group.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        let (requests, prompt, completion) = (row.requests, row.prompt_tokens, row.completion_tokens);
        let (cost, estimated) = (&row.cost_usd, row.estimated);
        text += &format!("\"{guard}{group}\",{requests},{prompt},{completion},{cost},{estimated}\n");
    }
    text
}
