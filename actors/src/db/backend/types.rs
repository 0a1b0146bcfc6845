//! Column types that both databases have: one `SqlType` each, with its form in PostgreSQL and its form in SQLite.

use std::io::Write;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use uuid::Uuid;

use super::numeric;
use crate::money::amount::PicoUsd;
use crate::money::usd::Usd;

/// The types as `schema.rs` names them.
pub mod sql {
    use diesel::query_builder::QueryId;
    use diesel::sql_types::SqlType;

    /// Money that people set: `NUMERIC`, or an INTEGER of billionths of a dollar.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 1700, array_oid = 1231))]
    #[diesel(sqlite_type(name = "Long"))]
    pub struct Nanos;

    /// Money that is counted: `NUMERIC`, or an INTEGER of pico-dollars.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 1700, array_oid = 1231))]
    #[diesel(sqlite_type(name = "Long"))]
    pub struct Picos;

    /// A moment: `TIMESTAMPTZ`, or an INTEGER of microseconds since 1970 in UTC.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 1184, array_oid = 1185))]
    #[diesel(sqlite_type(name = "Long"))]
    pub struct Moment;

    /// A day: `DATE`, or TEXT such as `2026-11-25`.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 1082, array_oid = 1182))]
    #[diesel(sqlite_type(name = "Text"))]
    pub struct Day;

    /// A UUID: `UUID`, or TEXT.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 2950, array_oid = 2951))]
    #[diesel(sqlite_type(name = "Text"))]
    pub struct Id;
}

/// Billionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Nanos)]
pub struct Nanos(pub i64);

/// Pico-dollars (10⁻¹² US dollars); SQLite holds 9.2 million dollars of them, and no amount beyond is written there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Picos)]
pub struct Picos(pub PicoUsd);

/// Microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Moment)]
pub struct At(pub i64);

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Day)]
pub struct Day(pub NaiveDate);

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql::Id)]
pub struct Id(pub Uuid);

impl From<Usd> for Nanos {
    fn from(usd: Usd) -> Self {
        Self(usd.nanos())
    }
}

impl From<Nanos> for Usd {
    fn from(nanos: Nanos) -> Self {
        Self::from_nanos(nanos.0)
    }
}

impl From<DateTime<Utc>> for At {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl At {
    /// The moment, where the calendar reaches it.
    pub fn time(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }
}

impl Picos {
    /// An amount of pico-dollars.
    pub(in crate::db) fn from_picos(picos: i128) -> Self {
        Self(PicoUsd::from_picos(picos))
    }

    fn clamped(self) -> i64 {
        let picos = self.0.picos();
        i64::try_from(picos).unwrap_or(if picos < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Microseconds from 1970 to 2000, where PostgreSQL counts from.
const MICROS_TO_2000: i64 = 946_684_800_000_000;

fn first_day() -> NaiveDate {
    DateTime::UNIX_EPOCH.date_naive() + TimeDelta::microseconds(MICROS_TO_2000)
}

impl ToSql<sql::Nanos, Pg> for Nanos {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&numeric::encode(i128::from(self.0) * 1_000, 9))?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Nanos, Pg> for Nanos {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let picos = numeric::decode(value.as_bytes())?;
        if picos % 1_000 != 0 {
            return Err("an amount with more than nine decimals".into());
        }
        Ok(Self(i64::try_from(picos / 1_000)?))
    }
}

impl ToSql<sql::Picos, Pg> for Picos {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&numeric::encode(self.0.picos(), 12))?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Picos, Pg> for Picos {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from_picos(numeric::decode(value.as_bytes())?))
    }
}

impl ToSql<sql::Moment, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0.saturating_sub(MICROS_TO_2000).to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Moment, Pg> for At {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(i64::from_be_bytes(value.as_bytes().try_into()?).saturating_add(MICROS_TO_2000)))
    }
}

impl ToSql<sql::Day, Pg> for Day {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let days = self.0.signed_duration_since(first_day()).num_days();
        out.write_all(&i32::try_from(days)?.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Day, Pg> for Day {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let days = i32::from_be_bytes(value.as_bytes().try_into()?);
        let day = first_day().checked_add_signed(TimeDelta::days(i64::from(days)));
        day.map(Self).ok_or_else(|| "a day beyond the calendar".into())
    }
}

impl ToSql<sql::Id, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Id, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

fn integer(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<i64> {
    FromSql::<BigInt, Sqlite>::from_sql(value)
}

fn text(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<String> {
    FromSql::<Text, Sqlite>::from_sql(value)
}

impl ToSql<sql::Nanos, Sqlite> for Nanos {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Nanos, Sqlite> for Nanos {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        integer(value).map(Self)
    }
}

impl ToSql<sql::Picos, Sqlite> for Picos {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.clamped());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Picos, Sqlite> for Picos {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        integer(value).map(|picos| Self::from_picos(i128::from(picos)))
    }
}

impl ToSql<sql::Moment, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Moment, Sqlite> for At {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        integer(value).map(Self)
    }
}

impl ToSql<sql::Day, Sqlite> for Day {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Day, Sqlite> for Day {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(text(value)?.parse()?))
    }
}

impl ToSql<sql::Id, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<sql::Id, Sqlite> for Id {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::parse_str(&text(value)?)?))
    }
}
