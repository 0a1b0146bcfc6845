//! SQL as an operator runs it, beside the store.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection};
use gateway_testkit::database::Place;
use gateway_testkit::postgres::TestPostgres;

/// The way of an operator into a test's database.
pub(crate) struct Sql {
    url: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Sql {
    pub(crate) fn new(place: &Place) -> Self {
        Self { url: place.url.clone() }
    }

    /// Runs statements.
    pub(crate) fn run(&self, sql: &str) {
        self.try_run(sql).unwrap();
    }

    /// Runs statements that may be refused.
    pub(crate) fn try_run(&self, sql: &str) -> Result<(), String> {
        match self.sqlite() {
            Some(mut connection) => connection.batch_execute(sql).map_err(|error| error.to_string()),
            None => TestPostgres::shared().try_psql(&self.url, sql).map(drop),
        }
    }

    /// Runs `SELECT count(*) AS count …`.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        match self.sqlite() {
            Some(mut connection) => diesel::sql_query(sql).get_result::<Count>(&mut connection).unwrap().count,
            None => TestPostgres::shared().psql(&self.url, sql).parse().unwrap(),
        }
    }

    /// Runs `SELECT … AS text …`, a line for each row.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        match self.sqlite() {
            Some(mut connection) => {
                let lines = diesel::sql_query(sql).load::<Line>(&mut connection).unwrap();
                lines.into_iter().map(|line| line.text).collect()
            }
            None => TestPostgres::shared().psql(&self.url, sql).lines().map(str::to_owned).collect(),
        }
    }

    /// Whether the database is one of PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        !self.url.starts_with("sqlite://")
    }

    fn sqlite(&self) -> Option<SqliteConnection> {
        let path = self.url.strip_prefix("sqlite://")?;
        let mut connection = SqliteConnection::establish(path).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
        Some(connection)
    }
}
