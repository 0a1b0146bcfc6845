//! Alerts: told once by all processes together, and kept in `alert_outbox` until the operator's webhook has taken them.

use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::{Integer, Text};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::backend::lenient::Lenient;
use super::backend::types::{At, Id, sql};
use super::bad_rows::BadRow;
use super::schema::{alert_outbox, settings};
use super::{Store, StoreError};

/// An alert on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingAlert {
    /// What makes it the same one however often it is sent.
    pub id: Uuid,
    /// JSON, as it is posted.
    pub event: String,
    /// How often it was tried, this time included.
    pub attempts: i32,
}

#[derive(QueryableByName)]
struct ClaimedAlert {
    #[diesel(sql_type = sql::Id)]
    id: Lenient<Id>,
    #[diesel(sql_type = Text)]
    name: Lenient<String>,
    #[diesel(sql_type = Text)]
    event: Lenient<String>,
    #[diesel(sql_type = Integer)]
    attempts: Lenient<i32>,
}

impl ClaimedAlert {
    fn read(self) -> Result<OutgoingAlert, BadRow> {
        let read = || Ok((self.id.0?.0, self.event.0?, self.attempts.0?));
        let alert = read().map(|(id, event, attempts)| OutgoingAlert { id, event, attempts });
        alert.map_err(|problem: String| BadRow::new("alert_outbox", self.name.or_unnamed(), problem))
    }
}

impl Store {
    /// Notes that an alert of this name is told, and tells whether it was this call that did (B8). What is to be sent
    /// is written together with that, so that it is not lost with the process.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn alert_once(&self, name: &str, send: Option<(Uuid, &str)>, at: At) -> Result<bool, StoreError> {
        tx!(self, c => {
            let noted = diesel::insert_into(settings::table)
                .values((settings::name.eq(name), settings::value.eq("1")))
                .on_conflict_do_nothing()
                .execute(&mut *c)
                .await?;
            if noted > 0 && let Some((id, event)) = send {
                diesel::insert_into(alert_outbox::table)
                    .values((
                        alert_outbox::id.eq(Id(id)),
                        alert_outbox::event.eq(event),
                        alert_outbox::attempts.eq(0),
                        alert_outbox::due_at.eq(at),
                    ))
                    .execute(&mut *c)
                    .await?;
            }
            Ok::<_, Error>(noted > 0)
        })
    }

    /// Takes one alert that is due; until `until` no other process does. An alert that its taker neither removes nor
    /// puts off is then due again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim_alert(&self, now: At, until: At) -> Result<Option<OutgoingAlert>, StoreError> {
        let claim = "UPDATE alert_outbox SET attempts = attempts + 1, due_at = $1 WHERE due_at <= $2 AND id = \
                     (SELECT id FROM alert_outbox WHERE due_at <= $2 ORDER BY due_at LIMIT 1) \
                     RETURNING id, CAST(id AS TEXT) AS name, event, attempts";
        loop {
            let claimed: Option<ClaimedAlert> = on!(self, c => async {
                let query = diesel::sql_query(claim).bind::<sql::Moment, _>(until).bind::<sql::Moment, _>(now);
                query.get_result(c).await.optional()
            })?;
            match claimed.map(ClaimedAlert::read).transpose() {
                Ok(alert) => return Ok(alert),
                // It is put off until then, and the next one takes its turn.
                Err(bad) => self.bad_rows().read_some("alert_outbox", [], vec![bad]),
            }
            if until <= now {
                return Ok(None);
            }
        }
    }

    /// Lets an alert be tried again from `until` on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn put_off_alert(&self, id: Uuid, until: At) -> Result<(), StoreError> {
        let put_off = diesel::update(alert_outbox::table.find(Id(id))).set(alert_outbox::due_at.eq(until));
        on!(self, c => put_off.execute(c)).map(drop)
    }

    /// Removes an alert that is delivered or given up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remove_alert(&self, id: Uuid) -> Result<(), StoreError> {
        again!(self, c => diesel::delete(alert_outbox::table.find(Id(id))).execute(c)).map(drop)
    }
}
