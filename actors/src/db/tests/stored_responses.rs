//! Stored responses, in both databases.

use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use super::sql::Sql;
use crate::db::{At, StoredResponseRow};

fn row(id: &str, tenant: &str, expires_at: i64) -> StoredResponseRow {
    StoredResponseRow {
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        virtual_key_id: "key".to_owned(),
        model: "model".to_owned(),
        created_at: At(1),
        expires_at: At(expires_at),
        bytes: 3,
        sealed: vec![0, 255, 7],
    }
}

on_both_stores! {
    /// Another tenant's response is neither read nor removed, nor is one that has expired.
    async fn a_response_is_there_for_its_tenant_until_it_expires(place) {
        let (one, other) = (place.store().await, place.store().await);
        let red = row("resp_1", "team:red", 100);
        one.put_stored_response(&red).await.unwrap();
        assert_eq!(other.stored_response("team:red", "resp_1", At(99)).await.unwrap(), Some(red.clone()));
        for (tenant, id, now) in [("team:blue", "resp_1", 99), ("team:red", "resp_2", 99), ("team:red", "resp_1", 100)] {
            assert_eq!(other.stored_response(tenant, id, At(now)).await.unwrap(), None, "{tenant} {id} {now}");
            assert!(!other.delete_stored_response(tenant, id, At(now)).await.unwrap(), "{tenant} {id} {now}");
        }
        assert!(other.delete_stored_response("team:red", "resp_1", At(99)).await.unwrap());
        assert!(!one.delete_stored_response("team:red", "resp_1", At(99)).await.unwrap());
        assert_eq!(one.stored_response("team:red", "resp_1", At(99)).await.unwrap(), None);
    }

    /// What is written once stays as it is, whoever writes the same id.
    async fn a_response_never_changes(place) {
        let store = place.store().await;
        let red = row("resp_1", "team:red", 100);
        store.put_stored_response(&red).await.unwrap();
        store.put_stored_response(&row("resp_1", "team:blue", 200)).await.unwrap();
        let changed = StoredResponseRow { sealed: Vec::new(), ..red.clone() };
        store.put_stored_response(&changed).await.unwrap();
        assert_eq!(store.stored_response("team:red", "resp_1", At(99)).await.unwrap(), Some(red));
        assert_eq!(store.stored_response("team:blue", "resp_1", At(99)).await.unwrap(), None);
    }

    /// G7: expired responses go in batches, the oldest first, and no other does.
    async fn g7_expired_responses_go_in_batches(place) {
        let (one, other) = (place.store().await, place.store().await);
        for n in 0..25 {
            one.put_stored_response(&row(&format!("resp_{n}"), "team:red", n)).await.unwrap();
        }
        assert_eq!(one.delete_expired_responses(At(19), 15).await.unwrap(), 15);
        assert!(one.stored_response("team:red", "resp_15", At(0)).await.unwrap().is_some());
        assert_eq!(other.delete_expired_responses(At(19), 15).await.unwrap(), 5);
        assert_eq!(one.delete_expired_responses(At(19), 15).await.unwrap(), 0);
        assert_eq!(Sql::new(&place).count("SELECT count(*) AS count FROM stored_responses"), 5);
    }

    /// A response of the largest size that may be configured comes back.
    async fn a_large_response_comes_back(place) {
        let store = place.store().await;
        let large = StoredResponseRow { sealed: vec![7; 16 << 20], ..row("resp_1", "team:red", 100) };
        store.put_stored_response(&large).await.unwrap();
        assert!(store.stored_response("team:red", "resp_1", At(1)).await.unwrap() == Some(large));
    }
}
