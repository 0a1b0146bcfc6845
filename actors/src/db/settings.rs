//! Small facts that outlive a restart, such as the hash of the admin token.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::backend::lenient::Lenient;
use super::bad_rows::BadRow;
use super::schema::settings;
use super::{Store, StoreError};

impl Store {
    /// The value of a setting, if it was ever set; empty where it is no text.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let query = settings::table.filter(settings::name.eq(name)).select(settings::value);
        let value: Option<Lenient<String>> = read!(self, c => async { query.first(c).await.optional() })?;
        let bad = value.as_ref().and_then(|value| value.0.as_ref().err());
        let bad = bad.map(|problem| BadRow::new("settings", name, problem)).into_iter().collect();
        self.bad_rows().read_some("settings", [name], bad);
        Ok(value.map(|value| value.0.unwrap_or_default()))
    }

    /// Sets a setting, replacing its former value.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let set = again!(self, c => diesel::insert_into(settings::table)
            .values((settings::name.eq(name), settings::value.eq(value)))
            .on_conflict(settings::name)
            .do_update()
            .set(settings::value.eq(value))
            .execute(c));
        set.map(drop)
    }
}
