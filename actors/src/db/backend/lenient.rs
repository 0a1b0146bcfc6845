//! Reads what may be unreadable, so that one row does not hide the others.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};

use crate::db::bad_rows::BadRow;

/// A column's value, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq, FromSqlRow)]
pub(in crate::db) struct Lenient<T>(pub(in crate::db) Result<T, String>);

impl<T, ST, DB> FromSql<ST, DB> for Lenient<T>
where
    DB: Backend,
    T: FromSql<ST, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(T::from_sql(value).map_err(|error| error.to_string())))
    }
}

impl Lenient<String> {
    /// The text, or a name for a row whose id is no text.
    pub(in crate::db) fn or_unnamed(self) -> String {
        self.0.unwrap_or_else(|_no_text| "(an id that is no text)".to_owned())
    }
}

/// What was read of a table.
#[derive(Debug)]
pub struct TableRows<T> {
    /// The rows that can be read.
    pub rows: Vec<T>,
    /// The others.
    pub bad: Vec<BadRow>,
}

impl<T> Default for TableRows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), bad: Vec::new() }
    }
}

impl<T> TableRows<T> {
    /// Sorts rows into those that can be read and the others.
    pub(in crate::db) fn sort(rows: impl IntoIterator<Item = Result<T, BadRow>>) -> Self {
        let mut found = Self::default();
        for row in rows {
            match row {
                Ok(row) => found.rows.push(row),
                Err(bad) => found.bad.push(bad),
            }
        }
        found
    }
}
