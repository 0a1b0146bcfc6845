//! H-3, in both databases: a row that cannot be read hides no other.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use super::keys::row;
use super::sql::Sql;
use crate::db::Which;
use crate::money::amount::PicoUsd;

fn is_sqlite(place: &Place) -> bool {
    place.url.starts_with("sqlite:")
}

/// Lets bad rows in, as those are that were there before the checks.
fn without_checks(sql: &Sql, place: &Place, statement: &str) {
    if is_sqlite(place) {
        let drop = "DROP TRIGGER IF EXISTS pricing_config_check_insert; PRAGMA ignore_check_constraints = 1";
        return sql.run(&format!("{drop}; {statement}"));
    }
    sql.run("ALTER TABLE pricing_config DISABLE TRIGGER pricing_config_checked");
    sql.run(statement);
}

on_both_stores! {
    async fn h_3_a_bad_price_hides_no_other(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        let prices = crate::money::prices::PriceTable::built_in().unwrap();
        store.seed_prices(prices.rows()).await.unwrap();
        let good = store.read_prices().await.unwrap().rows.len();
        let insert = "INSERT INTO pricing_config (provider, model, input, output, effective_from) VALUES";
        let odd_day = if is_sqlite(&place) { "soon" } else { "infinity" };
        without_checks(&sql, &place, &format!("{insert} ('openai', 'odd-day', 1000, 1000, '{odd_day}')"));
        let insert = "INSERT INTO pricing_config (provider, model, input, output, service_tier) VALUES";
        without_checks(&sql, &place, &format!("{insert} ('openai', 'odd-tier', 1000, 1000, 'standard')"));
        let insert = "INSERT INTO pricing_config (provider, model, input, output, above) VALUES";
        without_checks(&sql, &place, &format!("{insert} ('openai', 'odd-above', 1000, 1000, 'none')"));
        let found = store.read_prices().await.unwrap();
        let mut bad: Vec<_> = found.bad.iter().map(|row| row.id.as_str()).collect();
        bad.sort_unstable();
        assert_eq!(bad, ["openai/odd-above", "openai/odd-day", "openai/odd-tier"]);
        assert_eq!(found.rows.len(), good);
        store.seed_prices(prices.rows()).await.unwrap();
    }

    async fn h_3_a_bad_budget_is_one_of_nothing(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        if !is_sqlite(&place) {
            sql.run("ALTER TABLE user_budgets ALTER monthly_limit_usd TYPE numeric");
            sql.run("ALTER TABLE user_budgets DROP CONSTRAINT user_budgets_monthly_limit_usd_check");
        }
        without_checks(&sql, &place, "INSERT INTO user_budgets (user_id, monthly_limit_usd) VALUES ('a', -1), ('b', 1000)");
        let read = store.user_budgets(&Which::All).await.unwrap();
        assert_eq!(read.limits["a"], PicoUsd::default());
        assert!(read.limits["b"] > PicoUsd::default());
        assert_eq!(read.bad.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    async fn h_3_a_bad_limit_lets_nothing_through(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        if !is_sqlite(&place) {
            sql.run("ALTER TABLE scope_limits DROP CONSTRAINT scope_limits_scope_check");
            sql.run("ALTER TABLE scope_limits DROP CONSTRAINT scope_limits_requests_per_minute_check");
        }
        let insert = "INSERT INTO scope_limits (scope, scope_id, requests_per_minute) VALUES";
        without_checks(&sql, &place, &format!("{insert} ('user', 'ann', -5), ('house', 'b', 1), ('team', 'red', 7)"));
        let mut read = store.scope_limits(&Which::All).await.unwrap();
        read.limits.sort_by(|one, other| one.0.cmp(&other.0));
        let limits: Vec<_> = read.limits.iter().map(|(scope, limits)| (&*scope.id, limits.max_parallel)).collect();
        assert_eq!(limits, [("ann", Some(0)), ("red", None)]);
        let mut bad: Vec<_> = read.bad.iter().map(|row| row.id.as_str()).collect();
        bad.sort_unstable();
        assert_eq!(bad, ["house/b", "user/ann"]);
    }
}

on_both_stores! {
    /// H-3: what no version could read does not get into the tables any more; what can be read does.
    async fn h_3_the_next_bad_row_is_kept_out(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        store.insert_key(&row("a")).await.unwrap();
        let price = |columns: &str, values: &str| {
            let insert = "INSERT INTO pricing_config (provider, model, input, output";
            format!("{insert}, {columns}) VALUES ('p', 'm', 1000, 1000, {values})")
        };
        for bad in [
            price("service_tier", "'standard'"),
            price("effective_from", if is_sqlite(&place) { "'2026-1-5'" } else { "'infinity'" }),
            price("above", "'none'"),
            price("above", "'{}'"),
            price("above", "'[1]'"),
            "UPDATE virtual_keys SET allowed_models = 'gpt-4*'".to_owned(),
            "UPDATE virtual_keys SET allowed_models = '\"gpt-4\"'".to_owned(),
            "UPDATE virtual_keys SET allowed_providers = '[1]'".to_owned(),
        ] {
            let refusal = sql.try_run(&bad).expect_err(&bad);
            assert!(refusal.contains("refused by the gateway"), "{refusal}");
        }
        if is_sqlite(&place) {
            sql.try_run(&price("reasoning", "1500")).expect_err("seven decimals");
        }
        sql.run(&price("service_tier, above", "'flex', '[{\"tokens\": 1, \"input\": \"1\", \"output\": \"1\"}]'"));
        sql.run("UPDATE virtual_keys SET allowed_models = '[\"gpt-4*\"]', allowed_providers = NULL");
        let found = store.read_prices().await.unwrap();
        assert_eq!((found.rows.len(), found.bad.len()), (1, 0));
    }
}

/// H-3, H6: an old row that is bad keeps nobody from revoking the keys of a team, itself included.
#[actix_rt::test]
async fn h_3_an_old_bad_row_stops_no_update_of_other_columns() {
    let place = Place::postgres();
    let (store, sql) = (place.store().await, Sql::new(&place));
    for id in ["a", "b"] {
        store.insert_key(&row(id)).await.unwrap();
    }
    sql.run("ALTER TABLE virtual_keys DISABLE TRIGGER virtual_keys_checked");
    sql.run("UPDATE virtual_keys SET allowed_models = 'gpt-4*', expires_at = 'infinity' WHERE id = 'a'");
    sql.run("ALTER TABLE virtual_keys ENABLE TRIGGER virtual_keys_checked");
    sql.run("UPDATE virtual_keys SET is_active = false, updated_at = now()");
    assert_eq!(sql.count("SELECT count(*) AS count FROM virtual_keys WHERE is_active"), 0);
    // The row is repaired column by column, and does not get worse.
    sql.run("UPDATE virtual_keys SET allowed_models = '[]'");
    sql.try_run("UPDATE virtual_keys SET former_until = 'infinity'").expect_err("a moment that never comes");
    sql.run("UPDATE virtual_keys SET expires_at = NULL");
    assert_eq!(store.list_keys().await.unwrap().len(), 2);

    sql.run("ALTER TABLE pricing_config DISABLE TRIGGER pricing_config_checked");
    let insert = "INSERT INTO pricing_config (provider, model, input, output, above) VALUES";
    sql.run(&format!("{insert} ('openai', 'odd', 1, 1, 'none')"));
    sql.run("ALTER TABLE pricing_config ENABLE TRIGGER pricing_config_checked");
    sql.run("UPDATE pricing_config SET input = 2");
    sql.try_run("UPDATE pricing_config SET above = '{}'").expect_err("no list");
}

/// SQLite takes a text that is none; PostgreSQL does not.
#[actix_rt::test]
async fn h_3_a_text_that_is_none_hides_no_other_key() {
    let place = Place::sqlite();
    let (store, sql) = (place.store().await, Sql::new(&place));
    for id in ["a", "b", "c"] {
        store.insert_key(&row(id)).await.unwrap();
    }
    sql.run("UPDATE virtual_keys SET name = CAST(x'ff' AS TEXT) WHERE id = 'a'");
    sql.run("UPDATE virtual_keys SET id = CAST(x'fe' AS TEXT) WHERE id = 'b'");
    let changes = store.changes_since(None).await.unwrap();
    let found = store.read_keys(&changes.of("virtual_keys").unwrap()).await.unwrap();
    assert_eq!(found.rows, [row("c")]);
    let bad: Vec<_> = found.bad.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(bad, ["a", "(an id that is no text)"]);

    sql.run("UPDATE virtual_keys SET name = CAST(x'fe' AS TEXT) WHERE id = CAST(x'fe' AS TEXT)");
    let changes = store.changes_since(Some(&changes.mark)).await.unwrap();
    assert_eq!(changes.of("virtual_keys"), Some(Which::All), "the log holds an id that is no text");
    store.set_setting("hash", "1").await.unwrap();
    sql.run("UPDATE settings SET value = CAST(x'ff' AS TEXT)");
    assert_eq!(store.setting("hash").await.unwrap().as_deref(), Some(""));
    assert_eq!(store.bad_rows().all()[0].id, "hash");
}
