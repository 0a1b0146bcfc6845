//! The store as request handlers use it: a response is there from the moment that it is put.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use chrono::{TimeDelta, Utc};
use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;
use gateway_testkit::postgres::TestPostgres;
use serde_json::json;

use super::handle::{NotStored, ResponseRules, StoredResponses};
use super::record::{ResponseContent, StoredResponse};
use super::store_actor::ResponseStore;
use crate::db::tests::OpenStore;
use crate::db::tests::sql::Sql;
use crate::db::{At, Store};
use crate::keys::encryption::MasterKey;
use crate::metrics::Metrics;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::stats::ActorStats;

const LONG: Duration = Duration::from_secs(60);

const RED: &str = "team:red";

/// A store with an actor, and its counters.
struct Started {
    responses: StoredResponses,
    store: Rc<Store>,
    metrics: Arc<Metrics>,
}

impl Started {
    async fn at(place: &Place, key: u8, keep: Option<TimeDelta>) -> Self {
        let store = Rc::new(place.store().await);
        let metrics = Arc::new(Metrics::new().unwrap());
        let stats = ActorStats::new("response_store", "test", 64);
        let actor = ResponseStore::new(store.clone(), metrics.clone(), stats.clone()).start();
        let master_key = MasterKey::from_hex_or_base64(&format!("{key:02x}").repeat(32)).unwrap();
        let rules = ResponseRules { max_bytes: 1_000, keep };
        let mailbox = Mailbox::new(actor, stats, LONG);
        Self { responses: StoredResponses::new(mailbox, master_key, rules, metrics.clone()), store, metrics }
    }

    async fn new(place: &Place) -> Self {
        Self::at(place, 7, Some(TimeDelta::days(1))).await
    }

    fn counted(&self, result: &str) -> bool {
        self.metrics.text().unwrap().contains(&format!("gateway_stored_responses_total{{result=\"{result}\"}} 1"))
    }
}

fn response(id: &str) -> StoredResponse {
    let content = ResponseContent {
        input: vec![json!({ "role": "user", "content": "the canary's question" })],
        output: vec![json!({ "type": "message" })],
        response: json!({ "id": id, "output": [{ "type": "message" }] }),
    };
    let created_at = At::from(Utc::now()).time().unwrap();
    let (tenant, virtual_key_id, model) = (RED.to_owned(), "key".to_owned(), "a\0model".to_owned());
    StoredResponse { id: id.to_owned(), tenant, virtual_key_id, model, created_at, content }
}

on_both_stores! {
    /// H1: a response is there at once for its tenant alone, and for other processes once it is written, which tells
    /// the database nothing of what was said.
    async fn a_response_is_there_from_the_moment_it_is_put(place) {
        let (one, other) = (Started::new(&place).await, Started::new(&place).await);
        one.responses.put(response("resp_1")).unwrap();
        let found = one.responses.get(RED, "resp_1").await.unwrap().unwrap();
        assert_eq!(found.content, response("resp_1").content);
        assert_eq!(one.responses.get("team:blue", "resp_1").await.unwrap(), None);
        assert!(!one.responses.delete("team:blue", "resp_1").await.unwrap());
        one.responses.flush(LONG).await.unwrap();
        assert!(one.counted("written"));
        for started in [&one, &other] {
            let again = started.responses.get(RED, "resp_1").await.unwrap().unwrap();
            assert_eq!((again.created_at, again.content), (found.created_at, found.content.clone()));
            for (tenant, id) in [("team:blue", "resp_1"), (RED, "resp_2"), (RED, "a\0b"), (RED, ""), (RED, "é")] {
                assert_eq!(started.responses.get(tenant, id).await.unwrap(), None);
                assert!(!started.responses.delete(tenant, id).await.unwrap());
            }
        }
        let row = one.store.stored_response(RED, "resp_1", At(0)).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&row.sealed).contains("canary"));
        assert!(other.responses.delete(RED, "resp_1").await.unwrap());
        assert_eq!(one.responses.get(RED, "resp_1").await.unwrap(), None);
    }

    /// A response that is removed while it waits, or while it is written, does not come back.
    async fn a_removed_response_does_not_come_back(place) {
        let started = Started::new(&place).await;
        for polls in 0..6 {
            let id = format!("resp_{polls}");
            started.responses.put(response(&id)).unwrap();
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            assert!(started.responses.delete(RED, &id).await.unwrap(), "{id}");
            assert_eq!(started.responses.get(RED, &id).await.unwrap(), None, "{id}");
        }
        started.responses.flush(LONG).await.unwrap();
        assert_eq!(Sql::new(&place).count("SELECT count(*) AS count FROM stored_responses"), 0);
    }

    /// H-3: a response that the master key does not open is passed over, and named.
    async fn h_3_a_response_that_does_not_open_is_a_bad_row(place) {
        let (one, other) = (Started::new(&place).await, Started::at(&place, 8, Some(TimeDelta::days(1))).await);
        one.responses.put(response("resp_1")).unwrap();
        one.responses.flush(LONG).await.unwrap();
        assert_eq!(other.responses.get(RED, "resp_1").await.unwrap(), None);
        // What was told before it is handled before it.
        other.responses.flush(LONG).await.unwrap();
        let bad: Vec<_> = other.store.bad_rows().all().into_iter().map(|row| (row.table, row.id)).collect();
        assert_eq!(bad, [("stored_responses", "resp_1".to_owned())]);
    }
}

/// A response is not stored where it is not to be, or where there is no room for it.
#[actix_rt::test]
async fn what_is_not_stored_is_told() {
    let place = Place::sqlite();
    let off = Started::at(&place, 7, None).await;
    assert!(!off.responses.is_on());
    assert_eq!(off.responses.put(response("resp_1")), Err(NotStored::Off));
    let started = Started::new(&place).await;
    let mut large = response("resp_1");
    large.content.input = vec![json!("a".repeat(1_000))];
    assert_eq!(started.responses.put(large), Err(NotStored::TooLarge));
    assert_eq!(started.responses.put(response("é")), Err(NotStored::Failed));
    // The actor runs on this same thread, so that nothing is taken out of its mailbox before the next await.
    let put: Vec<_> = (0..65).map(|n| started.responses.put(response(&format!("resp_{n}")))).collect();
    assert_eq!((put[63], put[64]), (Ok(()), Err(NotStored::Full)));
    assert!(["too_large", "failed", "full"].iter().all(|result| started.counted(result)));
    started.responses.flush(LONG).await.unwrap_err();
}

/// G3: a store that is away takes no response, which is counted, and nobody is told that a response did not exist.
#[actix_rt::test]
async fn g3_a_store_that_is_away_is_told() {
    let postgres = TestPostgres::start();
    let place = Place::at(postgres.database());
    let started = Started::new(&place).await;
    started.responses.put(response("resp_1")).unwrap();
    started.responses.flush(LONG).await.unwrap();
    postgres.stop();
    started.responses.put(response("resp_2")).unwrap();
    assert!(started.responses.get(RED, "resp_2").await.unwrap().is_some(), "it waits to be written");
    started.responses.flush(LONG).await.unwrap();
    assert!(started.counted("failed"));
    for id in ["resp_1", "resp_2"] {
        assert!(started.responses.get(RED, id).await.is_err(), "{id}");
        assert!(started.responses.delete(RED, id).await.is_err(), "{id}");
    }
    postgres.start_again();
    let back = async {
        loop {
            match started.responses.get(RED, "resp_1").await {
                Ok(found) => return found,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    assert!(tokio::time::timeout(LONG, back).await.unwrap().is_some());
    assert_eq!(started.responses.get(RED, "resp_2").await.unwrap(), None);
}

/// Expired responses are removed when the actor starts.
#[actix_rt::test]
async fn expired_responses_are_removed() {
    let place = Place::sqlite();
    let started = Started::new(&place).await;
    let old = StoredResponse { created_at: Utc::now() - TimeDelta::days(2), ..response("resp_1") };
    started.responses.put(old).unwrap();
    started.responses.put(response("resp_2")).unwrap();
    started.responses.flush(LONG).await.unwrap();
    assert_eq!(started.responses.get(RED, "resp_1").await.unwrap(), None);
    let records = super::records::ResponseRecords::new(started.store.clone(), started.metrics.clone());
    records.expire(At::from(Utc::now())).await.unwrap();
    assert_eq!(Sql::new(&place).count("SELECT count(*) AS count FROM stored_responses"), 1);
}
