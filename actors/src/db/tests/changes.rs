//! What changed, in both databases: by whom and with what clock makes no difference (H-4, G10).

use std::collections::BTreeSet;
use std::time::Duration;

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use super::keys::row;
use super::sql::Sql;
use crate::db::{Changes, KeyRowChange, Mark, Store, Which};
use crate::limits::Limits;

fn some(ids: &[&str]) -> Option<Which> {
    Some(Which::Some(ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>()))
}

async fn since(store: &Store, mark: &Mark) -> Changes {
    store.changes_since(Some(mark)).await.unwrap()
}

const TABLES: [&str; 5] = ["virtual_keys", "user_budgets", "team_budgets", "scope_limits", "pricing_config"];

on_both_stores! {
    /// H-4, M-8: each row is named that was made, changed or removed, also by hand, and nothing else.
    async fn h_4_every_written_row_is_named(place) {
        let store = place.store().await;
        let sql = Sql::new(&place);
        let first = store.changes_since(None).await.unwrap();
        assert!(TABLES.iter().all(|table| first.of(table) == Some(Which::All)));
        let nothing = since(&store, &first.mark).await;
        assert!(TABLES.iter().all(|table| nothing.of(table).is_none()));

        store.insert_key(&row("a")).await.unwrap();
        store.insert_key(&row("b")).await.unwrap();
        store.set_user_budget("ann", Some("5".parse().unwrap())).await.unwrap();
        let limits = Limits { max_parallel: Some(1), ..Limits::default() };
        let scope = crate::scope::Scope::new(crate::scope::ScopeKind::Team, "red/1");
        store.set_scope_limits(&scope, limits).await.unwrap();
        let second = since(&store, &first.mark).await;
        assert_eq!(second.of("virtual_keys"), some(&["a", "b"]));
        assert_eq!((second.of("user_budgets"), second.of("team_budgets")), (some(&["ann"]), None));
        assert_eq!(second.of("scope_limits"), some(&["team/red/1"]));
        assert_eq!(second.of("pricing_config"), None);

        // No clock is written.
        sql.run("UPDATE virtual_keys SET is_active = false WHERE id = 'a'");
        sql.run("UPDATE virtual_keys SET id = 'c' WHERE id = 'b'");
        sql.run("DELETE FROM user_budgets");
        sql.run("INSERT INTO team_budgets (team_id, monthly_limit_usd) VALUES ('red', 1)");
        sql.run("INSERT INTO pricing_config (provider, model, input, output) VALUES ('p', 'm', 0, 0)");
        let third = since(&store, &second.mark).await;
        assert_eq!(third.of("virtual_keys"), some(&["a", "b", "c"]));
        assert_eq!((third.of("user_budgets"), third.of("team_budgets")), (some(&["ann"]), some(&["red"])));
        assert_eq!((third.of("pricing_config"), third.of("scope_limits")), (some(&["p/m"]), None));
        assert_eq!(since(&store, &third.mark).await.of("virtual_keys"), None);
    }

    /// M-8: after very many changes the table is read as a whole.
    async fn m_8_very_many_changes_are_all_of_them(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        let mark = store.changes_since(None).await.unwrap().mark;
        let row = |number: u32| format!("('user{number}', 1)");
        let rows: Vec<String> = (0..1_500).map(row).collect();
        sql.run(&format!("INSERT INTO user_budgets (user_id, monthly_limit_usd) VALUES {}", rows.join(", ")));
        let changes = since(&store, &mark).await;
        assert_eq!(changes.of("user_budgets"), Some(Which::All));
        assert_eq!(store.user_budgets(&Which::All).await.unwrap().limits.len(), 1_500);
        assert_eq!(since(&store, &changes.mark).await.of("user_budgets"), None);
    }

    /// The log is cut where all have read it, and what is written later is not lost by that.
    async fn what_was_read_long_ago_is_forgotten(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        store.insert_key(&row("a")).await.unwrap();
        let mark = forgotten(&store, &sql).await;
        store.insert_key(&row("b")).await.unwrap();
        assert_eq!(store.forget_changes(&mark).await.unwrap(), 0);
        assert_eq!(since(&store, &mark).await.of("virtual_keys"), some(&["b"]));

        let mark = forgotten(&store, &sql).await;
        let revoke = KeyRowChange { is_active: Some(false), ..KeyRowChange::default() };
        store.update_key("a", None, revoke).await.unwrap();
        assert_eq!(since(&store, &mark).await.of("virtual_keys"), some(&["a"]));
    }
}

/// Removes everything from the log. On PostgreSQL that has to wait for the transactions of all databases of the server,
/// those of other tests included.
async fn forgotten(store: &Store, sql: &Sql) -> Mark {
    let forget = async {
        loop {
            let mark = store.changes_since(None).await.unwrap().mark;
            store.forget_changes(&mark).await.unwrap();
            if sql.count("SELECT count(*) AS count FROM change_log") == 0 {
                return mark;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), forget).await.unwrap()
}

/// M-8: however many changes there are, no statement removes more than it has the time for.
#[actix_rt::test]
async fn m_8_old_changes_are_removed_some_at_a_time() {
    let place = Place::postgres();
    let (store, sql) = (place.store().await, Sql::new(&place));
    sql.run("INSERT INTO change_log (table_name) SELECT 'virtual_keys' FROM generate_series(1, 12000)");
    sql.run(
        "CREATE FUNCTION too_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF (SELECT count(*) FROM gone) > 5000 THEN RAISE EXCEPTION 'canceling statement'; END IF; RETURN NULL; \
         END $$; \
         CREATE TRIGGER too_many AFTER DELETE ON change_log REFERENCING OLD TABLE AS gone \
         FOR EACH STATEMENT EXECUTE FUNCTION too_many()",
    );
    forgotten(&store, &sql).await;
}

async fn session(place: &Place) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&place.url, tokio_postgres::NoTls).await.unwrap();
    actix_rt::spawn(async move { connection.await.unwrap() });
    client
}

/// H-4: what a long transaction writes is seen once it has committed, however many looks were in between and whatever
/// committed meanwhile.
#[actix_rt::test]
async fn h_4_a_long_transaction_is_seen_when_it_commits() {
    let place = Place::postgres();
    let (store, sql) = (place.store().await, Sql::new(&place));
    for id in ["a", "b", "c"] {
        store.insert_key(&row(id)).await.unwrap();
    }
    let mut mark = store.changes_since(None).await.unwrap().mark;
    let incident = session(&place).await;
    let begin = "BEGIN; UPDATE virtual_keys SET is_active = false WHERE id = 'a'; SAVEPOINT s";
    incident.batch_execute(begin).await.unwrap();
    incident.batch_execute("UPDATE virtual_keys SET is_active = false WHERE id = 'b'").await.unwrap();
    for limit in 1..=3 {
        sql.run(&format!("UPDATE virtual_keys SET rate_limit = {limit} WHERE id = 'c'"));
        let changes = since(&store, &mark).await;
        assert_eq!(changes.of("virtual_keys"), some(&["c"]), "not committed, and not twice");
        mark = changes.mark;
    }
    sql.run("BEGIN; UPDATE virtual_keys SET is_active = false WHERE id = 'c'; ROLLBACK");
    incident.batch_execute("COMMIT").await.unwrap();
    let changes = since(&store, &mark).await;
    assert_eq!(changes.of("virtual_keys"), some(&["a", "b"]));
    assert_eq!(since(&store, &changes.mark).await.of("virtual_keys"), None);
}

/// G10: a TRUNCATE, and a session that plays the part of a replica, are seen; and the writer needs no right on the log.
#[actix_rt::test]
async fn g10_what_bypasses_ordinary_triggers_is_seen() {
    let place = Place::postgres();
    let (store, sql) = (place.store().await, Sql::new(&place));
    store.insert_key(&row("a")).await.unwrap();
    let mark = store.changes_since(None).await.unwrap().mark;
    sql.run("SET session_replication_role = replica; UPDATE virtual_keys SET is_active = false");
    assert_eq!(since(&store, &mark).await.of("virtual_keys"), some(&["a"]));
    sql.run("TRUNCATE virtual_keys");
    assert_eq!(since(&store, &mark).await.of("virtual_keys"), Some(Which::All));
    sql.run(
        "DROP ROLE IF EXISTS clerk; CREATE ROLE clerk; GRANT SELECT, INSERT, UPDATE ON user_budgets TO clerk; \
         SET ROLE clerk; INSERT INTO user_budgets (user_id, monthly_limit_usd) VALUES ('ann', 1); RESET ROLE; \
         DROP OWNED BY clerk; DROP ROLE clerk",
    );
    assert_eq!(since(&store, &mark).await.of("user_budgets"), some(&["ann"]));
}

/// After a restart of the server nothing is taken for known: a failover may have given numbers a second time.
#[actix_rt::test]
async fn after_a_restart_of_the_server_everything_is_read_again() {
    let server = gateway_testkit::postgres::TestPostgres::start();
    let store = Store::open(&server.database()).await.unwrap();
    let mark = store.changes_since(None).await.unwrap().mark;
    server.stop();
    server.start_again();
    assert_eq!(since(&store, &mark).await.of("virtual_keys"), Some(Which::All));
}

/// What REPLACE takes away is seen, though SQLite tells no trigger of it.
#[actix_rt::test]
async fn a_replaced_row_is_seen() {
    let place = Place::sqlite();
    let (store, sql) = (place.store().await, Sql::new(&place));
    store.insert_key(&row("a")).await.unwrap();
    let mark = store.changes_since(None).await.unwrap().mark;
    sql.run(
        "INSERT OR REPLACE INTO virtual_keys (id, virtual_key, hint, name, created_at, updated_at) \
         SELECT 'b', virtual_key, hint, name, 1, 1 FROM virtual_keys",
    );
    assert_eq!(since(&store, &mark).await.of("virtual_keys"), some(&["a", "b"]));
    let found = store.read_keys(&since(&store, &mark).await.of("virtual_keys").unwrap()).await.unwrap();
    assert_eq!(found.rows.len(), 1);
}

/// H-4: nor does SQLite tell a trigger of what an UPDATE OR REPLACE takes away.
#[actix_rt::test]
async fn h_4_a_row_that_an_update_replaces_is_seen() {
    let place = Place::sqlite();
    let (store, sql) = (place.store().await, Sql::new(&place));
    for id in ["a", "b", "c"] {
        store.insert_key(&row(id)).await.unwrap();
    }
    let mark = store.changes_since(None).await.unwrap().mark;
    sql.run(
        "UPDATE OR REPLACE virtual_keys SET virtual_key = (SELECT virtual_key FROM virtual_keys WHERE id = 'a') \
         WHERE id = 'b'",
    );
    let changes = since(&store, &mark).await;
    assert_eq!(changes.of("virtual_keys"), some(&["a", "b"]));
    sql.run("UPDATE OR REPLACE virtual_keys SET id = 'c' WHERE id = 'b'");
    assert_eq!(since(&store, &changes.mark).await.of("virtual_keys"), some(&["b", "c"]));
    assert_eq!(store.list_keys().await.unwrap().len(), 1);
}
