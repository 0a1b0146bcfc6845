//! Leases: what is spent and granted never exceeds the limit, in both databases.

use std::collections::HashMap;
use std::time::Duration;

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;
use rand::{Rng, RngExt, SeedableRng};

use super::OpenStore;
use super::sql::Sql;
use super::usage::usage;
use crate::db::{Lease, LeaseRequest, Store};
use crate::money::amount::PicoUsd;
use crate::scope::{Scope, ScopeKind};

const PERIOD: &str = "2026-11";

pub(super) fn scope(id: &str) -> Scope {
    Scope::new(ScopeKind::Key, id)
}

fn picos(amount: i128) -> PicoUsd {
    PicoUsd::from_picos(amount)
}

async fn ask(store: &Store, scope: &Scope, replica: &str, want: i128, at_least: i128, limit: i128) -> Lease {
    let request = LeaseRequest {
        scope,
        period: PERIOD,
        replica,
        want: picos(want),
        at_least: picos(at_least),
        limit: picos(limit),
        stands: Duration::from_secs(30),
    };
    store.lease(request).await.unwrap()
}

/// Leases all of `amount`.
pub(super) async fn lease(store: &Store, scope: &Scope, replica: &str, amount: i128, limit: i128) {
    assert_eq!(ask(store, scope, replica, amount, amount, limit).await.added, picos(amount));
}

/// What the store grants and has spent; never more than `limit`.
async fn check(store: &Store, scope: &Scope, limit: i128) {
    let figures = store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
    if let Some(of) = figures.iter().find(|figures| figures.scope == *scope) {
        assert!(of.spent.plus(of.leased) <= picos(limit), "{} spent, {} leased", of.spent, of.leased);
    }
}

on_both_stores! {
    /// B1: shares shrink towards the limit, what is needed at once is given as long as it is there, and no more.
    async fn b1_grants_end_at_the_limit(place) {
        let store = place.store().await;
        let key = scope("a");
        let first = ask(&store, &key, "one", 50, 1, 100).await;
        assert_eq!((first.added, first.granted_total, first.others), (picos(25), picos(25), picos(0)));
        let second = ask(&store, &key, "two", 50, 40, 100).await;
        assert_eq!((second.added, second.others), (picos(40), picos(25)));
        let third = ask(&store, &key, "one", 50, 40, 100).await;
        assert_eq!((third.added, third.granted_total, third.others), (picos(35), picos(60), picos(40)));
        assert_eq!(ask(&store, &key, "two", 50, 1, 100).await.added, picos(0));
        // A lowered limit takes nothing away and gives nothing more; another budget is another one.
        let lowered = ask(&store, &key, "two", 50, 1, 10).await;
        assert_eq!((lowered.added, lowered.granted_total), (picos(0), picos(40)));
        assert_eq!(ask(&store, &scope("b"), "two", 1, 1, 10).await.added, picos(1));
    }

    /// B2: what the store believes to be leased, and the replica never heard of, comes back; nothing else changes.
    async fn b2_a_lease_is_taken_down_to_what_is_held(place) {
        let store = place.store().await;
        let key = scope("a");
        lease(&store, &key, "one", 60, 100).await;
        lease(&store, &key, "two", 40, 100).await;
        for (held, granted) in [(70, 60), (60, 60), (45, 45), (-5, 0)] {
            store.true_up(&key, PERIOD, "one", || picos(held)).await.unwrap();
            let after = ask(&store, &key, "two", 0, 0, 100).await;
            assert_eq!((after.granted_total, after.others), (picos(40), picos(granted)), "{held}");
        }
        store.true_up(&key, PERIOD, "nobody", || picos(1)).await.unwrap();
        assert_eq!(ask(&store, &key, "two", 0, 0, 100).await.others, picos(0));
    }

    async fn leases_are_returned_renewed_and_released(place) {
        let store = place.store().await;
        let key = scope("a");
        lease(&store, &key, "one", 60, 100).await;
        lease(&store, &key, "two", 40, 100).await;
        store.return_lease(&key, PERIOD, "one", picos(20)).await.unwrap();
        let after = ask(&store, &key, "two", 0, 0, 100).await;
        assert_eq!((after.granted_total, after.others), (picos(40), picos(40)));
        // More than is held gives no money to anybody.
        store.return_lease(&key, PERIOD, "one", picos(1_000)).await.unwrap();
        store.return_lease(&key, PERIOD, "nobody", picos(1_000)).await.unwrap();
        assert_eq!(ask(&store, &key, "two", 0, 0, 100).await.others, picos(0));

        // Both stand for thirty seconds, by the database's clock, and one of them for longer.
        assert!(store.expired_replicas(Duration::ZERO).await.unwrap().is_empty());
        store.renew_leases("two", Duration::ZERO).await.unwrap();
        let wait = async {
            while store.expired_replicas(Duration::ZERO).await.unwrap() != ["two"] {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
        assert!(store.expired_replicas(Duration::from_secs(3_600)).await.unwrap().is_empty());
        // An expired lease is still held: only its release frees it.
        assert_eq!(ask(&store, &key, "one", 100, 100, 100).await.added, picos(60));
        store.release_replica("two").await.unwrap();
        assert_eq!(ask(&store, &key, "one", 100, 100, 100).await.added, picos(40));
    }

    /// M-1, J 5: a lease that holds nothing is no row: given back, spent or taken down, it goes; the others are renewed.
    async fn m1_j5_a_lease_without_money_goes(place) {
        let store = place.store().await;
        let stands = Duration::from_secs(30);
        let keys = ["returned", "spent", "held", "taken down", "refused"].map(scope);
        for key in &keys[..4] {
            lease(&store, key, "one", 60, 100).await;
        }
        assert_eq!(ask(&store, &keys[4], "one", 10, 10, 0).await.added, picos(0));
        store.return_lease(&keys[0], PERIOD, "one", picos(60)).await.unwrap();
        store.record_usage(&[&usage("one", 60, &[(&keys[1], PERIOD)])]).await.unwrap();
        store.return_lease(&keys[2], PERIOD, "one", picos(59)).await.unwrap();
        store.true_up(&keys[3], PERIOD, "one", || picos(0)).await.unwrap();
        let renewed = store.renew_leases("one", stands).await.unwrap();
        assert_eq!(renewed, [(keys[2].clone(), PERIOD.into())]);
        store.return_lease(&keys[2], PERIOD, "one", picos(1)).await.unwrap();
        assert!(store.renew_leases("one", stands).await.unwrap().is_empty());
        assert!(store.expired_replicas(Duration::ZERO).await.unwrap().is_empty());
        assert_eq!(ask(&store, &keys[2], "two", 100, 100, 100).await.added, picos(100));
    }

    /// J 14: what a replica had leased that is gone counts as spent; its journal says what of it was, and gives back the rest.
    async fn j14_what_is_abandoned_counts_as_spent_until_its_journal_comes(place) {
        let store = place.store().await;
        let key = scope("a");
        lease(&store, &key, "gone", 60, 100).await;
        lease(&store, &key, "here", 10, 100).await;
        store.renew_leases("gone", Duration::ZERO).await.unwrap();
        let figures = async |abandoned: u64| {
            let all = store.budget_figures(Duration::from_secs(abandoned)).await.unwrap();
            let of = all.into_iter().find(|of| of.scope == key).unwrap();
            [of.spent, of.leased, of.presumed].map(PicoUsd::picos)
        };
        let expired = async { while figures(0).await != [0, 10, 60] {} };
        tokio::time::timeout(Duration::from_secs(20), expired).await.unwrap();
        assert_eq!(figures(3_600).await, [0, 70, 0], "it may come back");
        assert_eq!(ask(&store, &key, "here", 100, 100, 100).await.added, picos(30), "nobody else gets it");
        let rows = [usage("gone", 25, &[(&key, PERIOD)]), usage("gone", 5, &[(&key, PERIOD)])];
        for _ in 0..2 {
            store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
            assert_eq!(figures(0).await, [30, 40, 30]);
        }
        store.release_replica("gone").await.unwrap();
        assert_eq!(figures(0).await, [30, 40, 0]);
        assert_eq!(ask(&store, &key, "here", 100, 100, 100).await.added, picos(30));
    }

    /// J 5, J 14: what is abandoned goes with its period, and only then.
    async fn j5_j14_what_is_abandoned_goes_with_its_period(place) {
        let store = place.store().await;
        let key = scope("a");
        for period in ["2026-11-24", "2026-W47", "2026-10", "2026-11-25", "2026-W48", "2026-11", "total"] {
            for replica in ["gone", "here"] {
                let (want, at_least, limit) = (picos(10), picos(10), picos(100));
                let stands = Duration::from_secs(30);
                let request = LeaseRequest { scope: &key, period, replica, want, at_least, limit, stands };
                assert_eq!(store.lease(request).await.unwrap().added, picos(10));
            }
        }
        store.renew_leases("gone", Duration::ZERO).await.unwrap();
        let at = "2026-11-25T12:00:00Z".parse().unwrap();
        assert_eq!(store.delete_leases_before(at, Duration::from_secs(3_600)).await.unwrap(), 0);
        let mut removed = 0;
        let gone = async { while { removed += store.delete_leases_before(at, Duration::ZERO).await.unwrap(); removed < 3 } {} };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
        assert_eq!(store.delete_leases_before(at, Duration::ZERO).await.unwrap(), 0);
        assert_eq!(store.renew_leases("gone", Duration::ZERO).await.unwrap().len(), 4);
        assert_eq!(store.renew_leases("here", Duration::ZERO).await.unwrap().len(), 7);
    }

    /// G7: what was spent in periods that are long over goes; totals, and periods that a moment falls into, stay.
    async fn g7_spend_of_old_periods_goes(place) {
        let store = place.store().await;
        let key = scope("a");
        let old = ["2025-10-20", "2025-W42", "2025-09", "2024-12-31", "1999-W53"];
        let kept = ["2025-10-21", "2025-W43", "2025-10", "2026-11", "2026-W01", "total"];
        let rows: Vec<_> = old.iter().chain(&kept).map(|period| usage("one", 1, &[(&key, period)])).collect();
        store.record_usage(&rows.iter().collect::<Vec<_>>()).await.unwrap();
        let at = "2025-10-21T12:00:00Z".parse().unwrap();
        assert_eq!(store.delete_spend_before(at).await.unwrap(), old.len());
        assert_eq!(store.delete_spend_before(at).await.unwrap(), 0);
        let left: Vec<_> = store.budget_figures(Duration::from_secs(3_600)).await.unwrap().into_iter().map(|of| of.period).collect();
        assert_eq!(left.len(), kept.len());
        assert!(kept.iter().all(|period| left.iter().any(|left| left == period)), "{left:?}");
    }

    /// B1, B2: four replicas lease, spend, write rows, give back, die and are released in random order.
    async fn b1_b2_spent_and_granted_never_exceed_the_limit(place) {
        const LIMIT: i128 = 1_000_000;
        let url = &place.url;
        drop(place.store().await);
        std::thread::scope(|threads| {
            for number in 0..4 {
                threads.spawn(move || actix_rt::System::new().block_on(replica(url, number, LIMIT)));
            }
        });
        // Every budget: spent is the sum of what was recorded, and nothing is granted any more.
        let store = place.store().await;
        let reported = store.usage_report(crate::db::UsageGroup::Key, 0, i64::MAX / 2).await.unwrap();
        for figures in store.budget_figures(Duration::from_secs(3_600)).await.unwrap() {
            assert_eq!(figures.leased, picos(0), "{}", figures.scope);
            assert!(figures.spent <= picos(LIMIT), "{} {}", figures.scope, figures.spent);
        }
        let spent = store.spent(&scope("a"), PERIOD).await.unwrap();
        let others = store.spent(&scope("b"), PERIOD).await.unwrap();
        assert_eq!(spent.plus(others).to_string(), reported[0].cost_usd);
    }
}

/// A replica's life: it spends only what it was granted.
async fn replica(url: &str, number: u64, limit: i128) {
    let store = Store::open(url).await.unwrap();
    let mut random = rand::rngs::StdRng::seed_from_u64(number);
    let keys = [scope("a"), scope("b")];
    let mut name = format!("replica {number}");
    let mut held: HashMap<&Scope, i128> = HashMap::new();
    for step in 0..150 {
        let key = &keys[(random.next_u32() % 2) as usize];
        match random.random_range(0..10) {
            0..4 => {
                let (want, at_least) = (random.random_range(1..80_000), random.random_range(1..20_000));
                let lease = ask(&store, key, &name, want, at_least, limit).await;
                *held.entry(key).or_default() += lease.added.picos();
                assert_eq!(lease.granted_total.picos(), held[key]);
            }
            4..8 => {
                let mut rows = Vec::new();
                for _ in 0..random.random_range(1..20) {
                    let held = held.entry(key).or_default();
                    let cost = random.random_range(0..=(*held).min(2_000));
                    *held -= cost;
                    rows.push(usage(&name, cost as i64, &[(key, PERIOD)]));
                }
                let batch: Vec<_> = rows.iter().collect();
                store.record_usage(&batch).await.unwrap();
                // A replay changes nothing.
                store.record_usage(&batch).await.unwrap();
            }
            8 => {
                let held = held.entry(key).or_default();
                let amount = random.random_range(0..=*held);
                *held -= amount;
                store.return_lease(key, PERIOD, &name, picos(amount)).await.unwrap();
            }
            _ => {
                // It dies and another takes its place.
                store.release_replica(&name).await.unwrap();
                held.clear();
                name = format!("replica {number}, life {step}");
            }
        }
        check(&store, key, limit).await;
    }
    store.release_replica(&name).await.unwrap();
}

/// H-3: a NaN is the fault of its budget alone: nothing more of that is granted, and what others spend is written.
#[actix_rt::test]
async fn h_3_an_amount_that_is_no_number_ends_its_budget_alone() {
    let place = Place::postgres();
    let (store, sql) = (place.store().await, Sql::new(&place));
    let [spent, leased, good] = ["a", "b", "c"].map(scope);
    for key in [&spent, &leased, &good] {
        lease(&store, key, "one", 10, 100).await;
        store.record_usage(&[&usage("one", 5, &[(key, PERIOD)])]).await.unwrap();
    }
    sql.run("UPDATE budget_spend SET spent = 'NaN' WHERE scope_id = 'a'");
    sql.run("UPDATE budget_leases SET granted = 'NaN' WHERE scope_id = 'b'");
    let row = usage("one", 3, &[(&spent, PERIOD), (&leased, PERIOD), (&good, PERIOD)]);
    store.record_usage(&[&row]).await.unwrap();
    for key in [&spent, &leased] {
        assert_eq!(ask(&store, key, "two", 10, 1, 100).await.added, picos(0));
    }
    let own = ask(&store, &leased, "one", 10, 1, 100).await;
    assert_eq!((own.added, own.granted_total), (picos(0), picos(0)));
    let granted = ask(&store, &good, "two", 10, 1, 100).await;
    assert_eq!((granted.added, granted.spent), (picos(10), picos(8)));
    let bad = || store.bad_rows().all().into_iter().map(|row| (row.table, row.id)).collect::<Vec<_>>();
    let both = [("budget_leases", "key/b/2026-11".to_owned()), ("budget_spend", "key/a/2026-11".to_owned())];
    assert_eq!(bad(), both);
    let figures = store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
    assert!(figures.iter().any(|figures| figures.scope == good && figures.spent == picos(8)));
    assert!(store.all_spend(&[PERIOD]).await.unwrap().iter().all(|figures| figures.scope != spent));
    assert_eq!(bad(), both);
    sql.run("UPDATE budget_spend SET spent = 0; UPDATE budget_leases SET granted = 0");
    store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
    assert_eq!(bad(), []);
}
