//! What is PostgreSQL's alone: the documented SQL, and a server that goes away.

use std::time::{Duration, Instant};

use gateway_testkit::postgres::TestPostgres;

use super::keys::row;
use super::leases::scope;
use super::usage::usage;
use crate::db::{At, KeyRowChange, Store, StoreError};

/// The SQL of the documentation runs as it is printed, and the gateway notices what it does.
#[actix_rt::test]
async fn the_documented_sql_runs_as_printed() {
    let server = TestPostgres::shared();
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    let now = chrono::Utc::now().timestamp_micros();
    let mut rows: Vec<_> = (0..3).map(|_| usage("one", 10_500_000, &[(&scope("a"), "2026-11")])).collect();
    rows.iter_mut().for_each(|row| row.timestamp = now);
    rows[2].timestamp = now - 25 * 3_600_000_000;
    store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
    store.seed_prices(crate::money::prices::PriceTable::built_in().unwrap().rows()).await.unwrap();

    server.psql(
        &url,
        "-- Add indexes for common queries
         CREATE INDEX idx_usage_user_date ON llm_usage_log(user_id, timestamp DESC);
         CREATE INDEX idx_usage_provider ON llm_usage_log(provider, model);
         CREATE INDEX idx_virtual_keys_active ON virtual_keys(virtual_key) WHERE is_active = true;",
    );
    let sums = server.psql(
        &url,
        "-- Check PostgreSQL data
SELECT 
    provider,
    model,
    SUM(cost) as total_cost,
    SUM(prompt_tokens + completion_tokens) as total_tokens
FROM llm_usage_log
WHERE timestamp >= NOW() - INTERVAL '24 hours'
GROUP BY provider, model;",
    );
    assert_eq!(sums, "openai|gpt-4o-mini|0.000021000000|50");
    let prices = server.psql(&url, "-- Verify pricing\nSELECT * FROM pricing_config WHERE provider = 'openai';");
    assert!(prices.contains("openai|gpt-4o-mini||1970-01-01|0.150000|0.600000|"), "{prices}");

    for limit in ["500", "499.99"] {
        server.psql(
            &url,
            &format!(
                "PREPARE set_user_budget AS
        INSERT INTO user_budgets (user_id, monthly_limit_usd)
        VALUES ($1, $2)
        ON CONFLICT (user_id) 
        DO UPDATE SET monthly_limit_usd = $2
    ; EXECUTE set_user_budget('ann', {limit});"
            ),
        );
        assert_eq!(store.monthly_limits().await.unwrap().users["ann"].to_string(), limit);
    }
    assert_eq!(server.psql(&url, "SELECT updated_at > now() - interval '1 minute' FROM user_budgets"), "t");
}

/// An amount that is none is an error: never no limit.
#[actix_rt::test]
async fn no_odd_amount_gets_into_the_limits() {
    let server = TestPostgres::shared();
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    for amount in ["'NaN'", "-1", "9223372037", "'Infinity'"] {
        let sql = format!(
            "DO $$ BEGIN INSERT INTO user_budgets (user_id, monthly_limit_usd) VALUES ('a', {amount}); \
             RAISE EXCEPTION 'taken'; EXCEPTION WHEN check_violation OR numeric_value_out_of_range THEN END $$;"
        );
        server.psql(&url, &sql);
    }
    server.psql(&url, "INSERT INTO user_budgets (user_id, monthly_limit_usd) VALUES ('a', 1::numeric / 3)");
    assert_eq!(store.monthly_limits().await.unwrap().users["a"].to_string(), "0.333333333");
}

async fn recovered<T>(what: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let begun = Instant::now();
    loop {
        match what().await {
            Ok(value) => return value,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(20), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// G2: the store comes back by itself after PostgreSQL did; meanwhile it fails at once and tells no password.
#[actix_rt::test]
async fn g2_the_store_survives_a_restart_of_the_server() {
    let server = TestPostgres::start();
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    let key = scope("a");
    let rows: Vec<_> = (0..2).map(|_| usage("one", 5, &[(&key, "2026-11")])).collect();
    store.insert_key(&row("a")).await.unwrap();
    store.record_usage(&[&rows[0]]).await.unwrap();

    server.stop();
    for _ in 0..10 {
        let begun = Instant::now();
        let errors =
            [store.list_keys().await.map(drop).unwrap_err(), store.record_usage(&[&rows[1]]).await.unwrap_err()];
        assert!(begun.elapsed() < Duration::from_secs(1));
        for error in errors {
            assert!(!error.to_string().contains("canary"), "{error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
    let error = Store::open(&url).await.map(drop).unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");

    server.start_again();
    recovered(async || store.record_usage(&[&rows[1]]).await).await;
    assert_eq!(recovered(|| store.list_keys()).await.len(), 1);
    assert_eq!(store.spent(&key, "2026-11").await.unwrap().picos(), 10);

    // A restart between two reads is not noticed at all.
    server.stop();
    server.start_again();
    assert_eq!(store.list_keys().await.unwrap().len(), 1);
}

/// G2: a server that hangs is given up after a while, and a transaction that was cut takes nothing along.
#[actix_rt::test]
async fn g2_a_server_that_hangs_is_given_up() {
    let server = TestPostgres::start();
    let url = server.database();
    let store = Store::open(&url).await.unwrap();
    let key = scope("a");
    let row = usage("one", 5, &[(&key, "2026-11")]);
    store.spent(&key, "2026-11").await.unwrap();
    store.release_replica("nobody").await.unwrap();

    server.freeze();
    let begun = Instant::now();
    let error = store.list_keys().await.map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Timeout(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(7));
    // The caller gives up first, as an actor does that is stopped.
    let cut = tokio::time::timeout(Duration::from_millis(200), store.record_usage(&[&row])).await;
    assert!(cut.is_err());
    server.thaw();

    recovered(async || store.record_usage(&[&row]).await).await;
    let other = Store::open(&url).await.unwrap();
    assert_eq!(other.spent(&key, "2026-11").await.unwrap().picos(), 5);
    assert!(other.list_keys().await.unwrap().is_empty());
    let nothing = KeyRowChange { updated_at: At(1), ..KeyRowChange::default() };
    assert_eq!(recovered(|| store.update_key("a", None, nothing.clone())).await, None);
}

/// The way is encrypted as `sslmode` says; a certificate that does not fit, or a server without one, is a mistake.
#[actix_rt::test]
async fn the_way_is_encrypted_as_the_address_says() {
    let server = TestPostgres::start();
    let plain = server.database();
    let with = |parameters: &str| format!("{plain}?{parameters}");
    let refused = async |url: &str| match Store::open(url).await.map(drop) {
        Err(StoreError::Refused(reason)) => reason,
        other => panic!("{url}: {other:?}"),
    };
    assert!(refused(&with("sslmode=require")).await.contains("does not support TLS"));
    let certificate = server.encrypt();
    let local = |parameters: &str| with(parameters).replace("127.0.0.1", "localhost");
    let verified = format!("sslmode=verify-full&sslrootcert={certificate}");
    for (url, encrypted) in [
        (plain.clone(), "f"),
        (with("sslmode=disable&connect_timeout=5"), "f"),
        (with("sslmode=require"), "t"),
        (local(&verified), "t"),
        (local(&verified).replace("verify-full", "require"), "t"),
    ] {
        let store = Store::open(&url).await.unwrap();
        store.list_keys().await.unwrap();
        store.release_replica("nobody").await.unwrap();
        let sql = "SELECT bool_and(ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'gateway' AND datname = current_database()";
        assert_eq!(server.psql(&plain, sql), format!("{encrypted}|2"), "{url}");
        drop(store);
        while server.psql(&plain, sql) != "|0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(refused(&with(&verified)).await.contains("certificate"), "it is one for another host");
    assert!(refused(&local("sslmode=verify-full")).await.contains("certificate"), "nobody vouches for it");
    assert!(refused(&with("sslmode=verify-full&sslrootcert=/nowhere")).await.contains("/nowhere"));
    assert!(refused(&with("sslmode=verify-ca")).await.contains("sslmode"));
}
