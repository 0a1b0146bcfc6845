//! The usage log and what is added up from it, in both databases.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use diesel_async::RunQueryDsl;
use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;
use gateway_wire::Usage;
use uuid::Uuid;

use super::OpenStore;
use super::leases::{lease, scope};
use super::sql::Sql;
use crate::db::{At, AuditEntry, Savings, SavingsSum, Store, StoreError, UsageGroup, UsageSum};
use crate::money::amount::PicoUsd;
use crate::scope::{Scope, ScopeKind};
use crate::usage::charge::Charge;
use crate::usage::row::UsageRow;
use crate::usage::row::tests::row;

/// 2026-11-25T12:00:00Z.
pub(super) const NOON: i64 = 1_795_608_000_000_000;

pub(super) fn usage(replica: &str, cost: i64, charges: &[(&Scope, &str)]) -> UsageRow {
    let charge = |(scope, period): &(&Scope, &str)| Charge { scope: (*scope).clone(), period: (*period).into() };
    UsageRow {
        id: Uuid::now_v7(),
        timestamp: NOON,
        trace_id: "trace".to_owned(),
        request_id: "request".to_owned(),
        virtual_key_id: "key".into(),
        usage: Usage { prompt_tokens: 10, completion_tokens: 15, cached_tokens: 3, ..Usage::default() },
        cost: Some(cost),
        baseline_cost: Some(cost.saturating_mul(2)),
        stream: true,
        duration_ms: 250,
        replica: replica.into(),
        charges: charges.iter().map(charge).collect(),
        ..row(0)
    }
}

#[derive(diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    size: i64,
}

/// The bytes of the largest row: its texts as they are, and sixteen for any other column.
async fn largest_row(store: &Store) -> i64 {
    let texts = ["trace_id", "request_id", "virtual_key_id", "provider", "model", "endpoint", "status", "replica"];
    let texts = texts.into_iter().map(|column| format!("octet_length({column})")).collect::<Vec<_>>().join(" + ");
    let scopes = "octet_length(coalesce(user_id, '')) + octet_length(coalesce(team_id, ''))";
    let query = format!("SELECT CAST(max({texts} + {scopes} + 14 * 16) AS BIGINT) AS size FROM llm_usage_log");
    let size = async { Ok::<Size, StoreError>(on!(store, c => diesel::sql_query(&query).get_result::<Size>(c))?) };
    size.await.unwrap().size
}

async fn total(store: &Store, group: UsageGroup) -> Vec<UsageSum> {
    store.usage_report(group, 0, i64::MAX / 2).await.unwrap()
}

on_both_stores! {
    /// G2: a row that is written twice, in one batch or in two, counts once, in the log, in budgets and in leases.
    async fn g2_a_row_counts_once_however_often_it_is_written(place) {
        let store = place.store().await;
        let (key, user) = (scope("a"), Scope::new(ScopeKind::User, "ann"));
        lease(&store, &key, "one", 1_000_000, 10_000_000).await;
        let rows: Vec<_> = (0..7).map(|_| usage("one", 30_000, &[(&key, "2026-11"), (&user, "2026-11")])).collect();
        let batch: Vec<_> = rows[..5].iter().chain(&rows[..3]).collect();
        store.record_usage(&batch).await.unwrap();
        store.record_usage(&batch).await.unwrap();
        let all: Vec<_> = rows.iter().collect();
        store.record_usage(&all).await.unwrap();
        store.record_usage(&[]).await.unwrap();

        let spent = PicoUsd::from_picos(7 * 30_000);
        assert_eq!(store.spent(&key, "2026-11").await.unwrap(), spent);
        assert_eq!(store.spent(&user, "2026-11").await.unwrap(), spent);
        assert_eq!(store.spent(&user, "2026-12").await.unwrap(), PicoUsd::default());
        let figures = store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
        assert_eq!(figures.len(), 2);
        assert_eq!(figures[0].leased, PicoUsd::from_picos(1_000_000 - 7 * 30_000));
        let report = total(&store, UsageGroup::Key).await;
        assert_eq!(report.len(), 1);
        assert_eq!((report[0].requests, report[0].cost_usd.as_str()), (7, "0.00000021"));
        assert_eq!(store.all_spend(&["2026-11", "total"]).await.unwrap().len(), 2);
        assert!(store.all_spend(&["2026-12"]).await.unwrap().is_empty());
    }

    /// A lease never falls below nothing where a request cost more than was reserved, and spend stops at what a column
    /// holds.
    async fn amounts_stay_in_their_columns(place) {
        let store = place.store().await;
        let key = scope("a");
        lease(&store, &key, "one", 1_000, 10_000).await;
        let rows = [usage("one", i64::MAX, &[(&key, "2026-11")]), usage("one", i64::MAX, &[(&key, "2026-11")])];
        store.record_usage(&[&rows[0]]).await.unwrap();
        store.record_usage(&[&rows[1]]).await.unwrap();
        let spent = store.spent(&key, "2026-11").await.unwrap();
        assert!(spent.picos() >= i128::from(i64::MAX), "{spent}");
        assert_eq!(store.budget_figures(Duration::from_secs(3_600)).await.unwrap()[0].leased, PicoUsd::default());
        let report = total(&store, UsageGroup::Day).await;
        assert_eq!(report[0].cost_usd, "18446744.073709551614");
    }

    async fn an_odd_row_does_not_keep_the_others_from_being_written(place) {
        let store = place.store().await;
        let mut odd = usage("one", 1, &[]);
        odd.model = "\u{0}gpt\u{0}".to_owned();
        odd.trace_id = "'; DROP TABLE llm_usage_log; -- 🙂".to_owned();
        odd.cost = None;
        odd.baseline_cost = None;
        odd.usage.prompt_tokens = u64::MAX;
        odd.attempt = u32::MAX;
        odd.timestamp = 0;
        store.record_usage(&[&odd, &usage("one", 1, &[])]).await.unwrap();
        assert_eq!(total(&store, UsageGroup::Model).await.len(), 2);
    }

    async fn usage_is_added_up_by_each_group(place) {
        let store = place.store().await;
        let mut rows: Vec<_> = (0..1_100).map(|_| usage("one", 10_500_000, &[])).collect();
        rows[0].user_id = None;
        rows[0].estimated = true;
        rows[1].timestamp = NOON + 12 * 3_600_000_000;
        rows[2].provider = "anthropic".into();
        rows[3].team_id = Some("blue".to_owned());
        rows[4].cost = None;
        store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        let groups = |sums: &[UsageSum]| sums.iter().map(|sum| (sum.group.clone(), sum.requests)).collect::<Vec<_>>();
        let owned = |groups: &[(&str, i64)]| groups.iter().map(|(of, n)| ((*of).to_owned(), *n)).collect::<Vec<_>>();
        for (group, expected) in [
            (UsageGroup::Day, [("2026-11-25", 1_099), ("2026-11-26", 1)]),
            (UsageGroup::User, [("", 1), ("ann", 1_099)]),
            (UsageGroup::Team, [("", 1_099), ("blue", 1)]),
            (UsageGroup::Provider, [("anthropic", 1), ("openai", 1_099)]),
            (UsageGroup::Model, [("anthropic/gpt-4o-mini", 1), ("openai/gpt-4o-mini", 1_099)]),
        ] {
            assert_eq!(groups(&total(&store, group).await), owned(&expected), "{group:?}");
        }
        let all = total(&store, UsageGroup::Key).await;
        let expected = UsageSum {
            group: "key".to_owned(),
            requests: 1_100,
            prompt_tokens: 11_000,
            completion_tokens: 16_500,
            cost_usd: "0.0115395".to_owned(),
            estimated: 1,
        };
        assert_eq!(all, [expected]);
        assert_eq!(store.usage_report(UsageGroup::Key, NOON, NOON).await.unwrap(), []);
        assert_eq!(store.usage_report(UsageGroup::Key, NOON, NOON + 1).await.unwrap()[0].requests, 1_099);
    }

    /// B08: no figure in a row keeps the report of all from being made; a sum beyond 64 bits is told as the largest.
    async fn b08_absurd_figures_spoil_no_report(place) {
        let (store, sql) = (place.store().await, Sql::new(&place));
        let mut rows: Vec<_> = (0..4).map(|_| usage("one", i64::MAX, &[])).collect();
        for row in &mut rows[1..] {
            row.usage.prompt_tokens = u64::MAX;
            row.usage.completion_tokens = 1 << 33;
        }
        store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        if !place.url.starts_with("sqlite:") {
            sql.run("UPDATE llm_usage_log SET cost = 'NaN', baseline_cost = 'NaN' WHERE prompt_tokens = 10");
        }
        for group in [UsageGroup::Day, UsageGroup::Key, UsageGroup::Model] {
            let sums = store.usage_report(group, 0, i64::MAX / 2).await.unwrap();
            assert_eq!((sums[0].requests, sums[0].prompt_tokens), (4, i64::MAX));
            assert_eq!(sums[0].completion_tokens, 3 * (1 << 33) + 15);
            let costs = if place.url.starts_with("sqlite:") { "36893488.147419103228" } else { "27670116.110564327421" };
            assert_eq!(sums[0].cost_usd, costs);
        }
        assert_eq!(store.savings(0, i64::MAX / 2).await.unwrap().requests, 4);
    }

    /// G7: a row has at most 4 KB, whatever the names in it.
    async fn g7_a_row_is_small_with_the_longest_names(place) {
        let store = place.store().await;
        let long = |chars: usize| "\u{1f600}".repeat(chars);
        // The longest that the gateway takes, and what somebody may have written by hand.
        for (names, trace) in [(200, "t".repeat(200)), (100_000, "t".repeat(100_000))] {
            let mut row = usage("0190d5a0-0000-7000-8000-000000000000", i64::MIN, &[]);
            (row.user_id, row.team_id) = (Some(long(names)), Some(long(names)));
            (row.model, row.trace_id) = (long(names.max(256)), trace);
            row.virtual_key_id = "0190d5a0-0000-7000-8000-000000000000".into();
            row.request_id = "0".repeat(32);
            row.provider = "p".repeat(64).into();
            row.usage.prompt_tokens = u64::MAX;
            row.time_to_first_token_ms = Some(i64::MAX);
            store.record_usage(&[&row]).await.unwrap();
            let size = largest_row(&store).await;
            assert!((2_500..=4_096).contains(&size), "{size} bytes");
        }
    }

    /// Savings are told apart by their means; what is not known saves nothing.
    async fn savings_are_added_up_by_their_means(place) {
        let store = place.store().await;
        let row = |cost, baseline_cost| UsageRow { cost, baseline_cost, ..usage("one", 0, &[]) };
        let rows = [
            row(Some(10), None),
            row(Some(10), Some(10)),
            row(Some(20), Some(100)),
            row(Some(30), Some(60)),
            row(Some(0), Some(1_000)),
            row(Some(9), Some(4)),
            row(None, Some(10_000)),
            row(None, None),
            UsageRow { status: "cache_hit".into(), ..row(Some(0), Some(500)) },
            UsageRow { status: "error".into(), ..row(Some(70_000), None) },
            UsageRow { timestamp: NOON + 1, ..row(Some(1), Some(70_000)) },
        ];
        store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        let savings = store.savings(NOON, NOON + 1).await.unwrap();
        let saved = |requests, amount| SavingsSum { requests, amount: PicoUsd::from_picos(amount) };
        let expected = Savings {
            requests: 9,
            cost: PicoUsd::from_picos(79),
            baseline: PicoUsd::from_picos(1_684),
            cache: saved(1, 500),
            local_models: saved(1, 1_000),
            cheaper_routes: saved(2, 110),
            dearer_routes: saved(1, -5),
        };
        assert_eq!(savings, expected);
        assert_eq!(savings.saved(), PicoUsd::from_picos(1_605));
        assert_eq!(store.savings(0, NOON).await.unwrap(), Savings::default());
        let dear = [row(Some(0), Some(i64::MAX)), row(Some(0), Some(i64::MAX))];
        store.record_usage(&dear.iter().collect::<Vec<_>>()).await.unwrap();
        let saved = store.savings(NOON, NOON + 1).await.unwrap().local_models;
        assert_eq!(saved.amount.picos(), 2 * i128::from(i64::MAX) + 1_000);
    }

    /// G7: old rows go in batches, and what was spent stays.
    async fn g7_old_rows_go_in_batches(place) {
        let store = place.store().await;
        let key = scope("a");
        let rows: Vec<_> = (0..25).map(|at| UsageRow { timestamp: at, ..usage("one", 2, &[(&key, "total")]) }).collect();
        store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        let before: SystemTime = UNIX_EPOCH + Duration::from_micros(22);
        let mut deleted = Vec::new();
        for _ in 0..4 {
            deleted.push(store.delete_usage_before(before, 10).await.unwrap());
        }
        assert_eq!(deleted, [10, 10, 2, 0]);
        assert_eq!(total(&store, UsageGroup::Key).await[0].requests, 3);
        assert_eq!(store.spent(&key, "total").await.unwrap(), PicoUsd::from_picos(50));
    }

    /// G7: replicas that remove old rows at the same time share the work.
    async fn g7_old_rows_go_by_several_replicas_at_once(place) {
        let stores = [place.store().await, place.store().await];
        let rows: Vec<_> = (0..40).map(|at| UsageRow { timestamp: at, ..usage("one", 2, &[]) }).collect();
        stores[0].record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        let before: SystemTime = UNIX_EPOCH + Duration::from_micros(30);
        let mut deleted = 0;
        while deleted < 30 {
            let both = stores.iter().map(|store| store.delete_usage_before(before, 4));
            let both = futures_util::future::join_all(both).await;
            let both: Vec<usize> = both.into_iter().map(Result::unwrap).collect();
            assert!(both.iter().sum::<usize>() > 0 && both.iter().all(|count| *count <= 4), "{both:?} after {deleted}");
            deleted += both.iter().sum::<usize>();
        }
        assert_eq!((deleted, total(&stores[0], UsageGroup::Key).await[0].requests), (30, 10));
    }

    async fn the_audit_log_is_read_from_its_end(place) {
        let store = place.store().await;
        let entry = |at| AuditEntry {
            id: Uuid::now_v7(),
            at: At(at),
            actor: "admin".to_owned(),
            action: "key.create".to_owned(),
            subject: "key".to_owned(),
            detail: "{}".to_owned(),
        };
        let entries = [entry(1), entry(2), entry(3)];
        for entry in &entries {
            store.insert_audit(entry).await.unwrap();
            store.insert_audit(entry).await.unwrap();
        }
        let [first, second, third] = entries;
        assert_eq!(store.list_audit(At(9), 2).await.unwrap(), [third, second]);
        assert_eq!(store.list_audit(At(2), 2).await.unwrap(), [first]);
    }
}
