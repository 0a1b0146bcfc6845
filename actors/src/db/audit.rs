//! `audit_log`: who changed what through the admin API.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::backend::lenient::{Lenient, TableRows};
use super::backend::types::{At, Id};
use super::bad_rows::BadRow;
use super::schema::audit_log;
use super::{Store, StoreError};

/// One change. No field holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// What makes the entry the same one however often it is written.
    pub id: Uuid,
    /// When it was made.
    pub at: At,
    /// Who made it.
    pub actor: String,
    /// What was done, such as `key.create`.
    pub action: String,
    /// To what, such as the key's id.
    pub subject: String,
    /// The new values, as JSON.
    pub detail: String,
}

type Row = (Lenient<Id>, At, Lenient<String>, Lenient<String>, Lenient<String>, Lenient<String>);

/// The entry in a row; none where its id is not one or a text is none.
fn entry((id, at, actor, action, subject, detail): Row) -> Result<AuditEntry, BadRow> {
    let id = id.0.map_err(|problem| bad("(an id that is none)", &problem))?.0;
    let text = |text: Lenient<String>| text.0.map_err(|problem| bad(&id.to_string(), &problem));
    let (actor, action, subject, detail) = (text(actor)?, text(action)?, text(subject)?, text(detail)?);
    Ok(AuditEntry { id, at, actor, action, subject, detail })
}

fn bad(id: &str, problem: &str) -> BadRow {
    BadRow::new("audit_log", id, problem)
}

impl Store {
    /// Notes a change that an administrator has made; where that fails the change stands, and the log tells it.
    pub async fn audit(&self, action: &str, subject: &str, detail: serde_json::Value) {
        let entry = AuditEntry {
            id: Uuid::now_v7(),
            at: At(Utc::now().timestamp_micros()),
            actor: "admin".to_owned(),
            action: action.to_owned(),
            // Which PostgreSQL's texts cannot hold.
            subject: subject.replace('\0', "\u{fffd}"),
            detail: detail.to_string(),
        };
        if let Err(error) = self.insert_audit(&entry).await {
            log::error!("audit log: {action} of {subject} was made and could not be noted: {error}");
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn insert_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let added = again!(self, c => diesel::insert_into(audit_log::table)
            .values((
                audit_log::id.eq(Id(entry.id)),
                audit_log::timestamp.eq(entry.at),
                audit_log::actor.eq(&entry.actor),
                audit_log::action.eq(&entry.action),
                audit_log::subject.eq(&entry.subject),
                audit_log::detail.eq(&entry.detail),
            ))
            .on_conflict_do_nothing()
            .execute(c));
        added.map(drop)
    }

    /// Up to `most` entries before a moment, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn list_audit(&self, before: At, most: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let newest = audit_log::table
            .filter(audit_log::timestamp.lt(before))
            .order((audit_log::timestamp.desc(), audit_log::id.desc()))
            .limit(i64::from(most));
        let rows: Vec<Row> = read!(self, c => newest.load(c))?;
        let TableRows { rows, bad } = TableRows::sort(rows.into_iter().map(entry));
        self.bad_rows().read_all("audit_log", bad);
        Ok(rows)
    }
}
