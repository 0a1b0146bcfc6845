//! Alerts, in both databases.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;
use uuid::Uuid;

use super::OpenStore;
use super::sql::Sql;
use crate::db::{At, OutgoingAlert};

on_both_stores! {
    /// B8: of several replicas one is the first to tell an alert, and what it is to send is there for all of them.
    async fn b8_an_alert_is_told_once_and_kept_until_it_is_taken(place) {
        let (one, other) = (place.store().await, place.store().await);
        let (id, second) = (Uuid::now_v7(), Uuid::now_v7());
        assert!(one.alert_once("alert:a", Some((id, "{}")), At(10)).await.unwrap());
        assert!(!other.alert_once("alert:a", Some((second, "{}")), At(10)).await.unwrap());
        assert!(other.alert_once("alert:b", None, At(10)).await.unwrap());
        assert_eq!(other.setting("alert:a").await.unwrap().as_deref(), Some("1"));

        let first = OutgoingAlert { id, event: "{}".to_owned(), attempts: 1 };
        assert_eq!(other.claim_alert(At(9), At(20)).await.unwrap(), None, "it is not due");
        assert_eq!(other.claim_alert(At(10), At(20)).await.unwrap(), Some(first.clone()));
        assert_eq!(one.claim_alert(At(19), At(30)).await.unwrap(), None, "the other one has it");
        let again = OutgoingAlert { attempts: 2, ..first.clone() };
        assert_eq!(one.claim_alert(At(20), At(30)).await.unwrap(), Some(again), "the other one may be gone");
        one.put_off_alert(id, At(50)).await.unwrap();
        assert_eq!(other.claim_alert(At(49), At(60)).await.unwrap(), None);
        let third = OutgoingAlert { attempts: 3, ..first };
        assert_eq!(other.claim_alert(At(50), At(60)).await.unwrap(), Some(third));
        other.remove_alert(id).await.unwrap();
        other.remove_alert(id).await.unwrap();
        assert_eq!(one.claim_alert(At(1_000), At(1_001)).await.unwrap(), None);
    }

    /// B8: processes that look at the same time never take the same alert.
    async fn b8_an_alert_is_taken_by_one_process(place) {
        let stores = [place.store().await, place.store().await, place.store().await];
        for n in 0..30 {
            stores[0].alert_once(&format!("alert:{n}"), Some((Uuid::now_v7(), "{}")), At(n)).await.unwrap();
        }
        let mut taken = Vec::new();
        while taken.len() < 30 {
            let claims = stores.iter().map(|store| store.claim_alert(At(100), At(200)));
            taken.extend(futures_util::future::join_all(claims).await.into_iter().filter_map(Result::unwrap));
        }
        assert!(taken.iter().all(|alert| alert.attempts == 1));
        taken.sort_by_key(|alert| alert.id);
        taken.dedup_by_key(|alert| alert.id);
        assert_eq!(taken.len(), 30);
    }
}

/// H-3: an alert that cannot be read keeps no other from being sent. PostgreSQL takes no such id.
#[actix_rt::test]
async fn h_3_an_alert_that_cannot_be_read_is_passed_over() {
    let place = Place::sqlite();
    let (store, sql) = (place.store().await, Sql::new(&place));
    sql.run("INSERT INTO alert_outbox (id, event, attempts, due_at) VALUES ('by hand', '{}', 0, 1)");
    let id = Uuid::now_v7();
    store.alert_once("alert:a", Some((id, "{}")), At(2)).await.unwrap();
    let claimed = store.claim_alert(At(10), At(20)).await.unwrap();
    assert_eq!(claimed.map(|alert| alert.id), Some(id));
    assert_eq!(store.claim_alert(At(10), At(20)).await.unwrap(), None);
    let bad: Vec<_> = store.bad_rows().all().into_iter().map(|row| (row.table, row.id)).collect();
    assert_eq!(bad, [("alert_outbox", "by hand".to_owned())]);
}
