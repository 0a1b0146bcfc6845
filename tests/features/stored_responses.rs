//! `/v1/responses/{id}`: stored responses over real sockets, on both databases.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use chrono::{TimeDelta, Utc};
use gateway_actors::db::Store;
use gateway_actors::keys::encryption::MasterKey;
use gateway_actors::metrics::Metrics;
use gateway_actors::responses::handle::ResponseRules;
use gateway_actors::responses::store_actor::ResponseStore;
use gateway_actors::responses::{ResponseContent, StoredResponse, StoredResponses};
use gateway_actors::runtime::mailbox::Mailbox;
use gateway_actors::runtime::stats::ActorStats;
use gateway_testkit::postgres::TestPostgres;
use serde_json::{Value, json};
use tokio::task::{block_in_place, spawn_blocking};

use crate::harness::{Answer, Gateway, Request, Setup};

const LONG: Duration = Duration::from_secs(60);

/// The master key of the gateway and of what the tests store for it.
fn master_key() -> String {
    "07".repeat(32)
}

fn response(id: &str, tenant: &str) -> StoredResponse {
    let input = vec![
        json!({ "role": "user", "content": "the canary's question" }),
        json!({ "type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "1" }),
    ];
    let output = vec![json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [] })];
    let response = json!({ "id": id, "object": "response", "z": 1, "a": 2, "output": output });
    StoredResponse {
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        virtual_key_id: "key".to_owned(),
        model: "model".to_owned(),
        created_at: Utc::now(),
        content: ResponseContent { input, output, response },
    }
}

/// Stores responses as another replica of the gateway does.
async fn store(url: &str, responses: Vec<StoredResponse>) {
    let url = url.to_owned();
    let stored = spawn_blocking(move || {
        actix_rt::System::new().block_on(async move {
            let store = Rc::new(Store::open(&url).await.unwrap());
            let metrics = Arc::new(Metrics::new().unwrap());
            let stats = ActorStats::new("response_store", "test", 0);
            let actor = ResponseStore::new(store, metrics.clone(), stats.clone()).start();
            let key = MasterKey::from_hex_or_base64(&master_key()).unwrap();
            let rules = ResponseRules { max_bytes: 1 << 20, keep: Some(TimeDelta::days(1)) };
            let replica = StoredResponses::new(Mailbox::new(actor, stats, LONG), key, rules, metrics);
            responses.into_iter().for_each(|response| replica.put(response).unwrap());
            replica.flush(LONG).await.unwrap();
        });
    });
    stored.await.unwrap();
}

fn of(tenant: &Value, method: &str, path: &str) -> Request {
    Request::new(method, &format!("/v1/responses/{path}")).key(tenant["virtual_key"].as_str().unwrap())
}

fn is_not_found(answer: &Answer, id: &str) {
    assert_eq!(answer.status, 404, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!((&error["code"], &error["param"]), (&json!("response_not_found"), &json!("id")));
    assert_eq!(error["message"], format!("Response with id '{id}' not found."));
}

/// What each tenant sees, and what it cannot.
async fn each_tenant_has_its_own(gateway: &Gateway, url: &str) {
    let red = gateway.make_key(json!({ "team_id": "red" })).await;
    let also_red = gateway.make_key(json!({ "team_id": "red" })).await;
    let blue = gateway.make_key(json!({ "team_id": "blue" })).await;
    let alone = gateway.make_key(json!({})).await;
    let own = format!("key:{}", alone["id"].as_str().unwrap());
    store(url, vec![response("resp_red", "team:red"), response("resp_alone", &own)]).await;

    let shown = response("resp_red", "team:red").content.response;
    for key in [&red, &also_red] {
        let answer = gateway.ask(of(key, "GET", "resp_red")).await.expect(200);
        assert_eq!(answer.text(), shown.to_string(), "field by field in its own order");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for (key, id) in [(&blue, "resp_red"), (&alone, "resp_red"), (&red, "resp_alone"), (&red, "resp_none")] {
        for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")] {
            is_not_found(&gateway.ask(of(key, method, &format!("{id}{path}"))).await, id);
        }
    }
    is_not_found(&gateway.ask(of(&red, "GET", "a%00b")).await, "a\0b");
    gateway.ask(of(&alone, "GET", "resp_alone")).await.expect(200);

    let list = gateway.ask(of(&red, "GET", "resp_red/input_items")).await.expect(200).json();
    assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(false)));
    assert_eq!((&list["first_id"], &list["last_id"]), (&json!("fco_1"), &json!("msg_red_0")));
    let page = "resp_red/input_items?order=asc&limit=1&after=msg_red_0";
    assert_eq!(gateway.ask(of(&red, "GET", page)).await.expect(200).json()["data"][0]["id"], "fco_1");
    let refused = gateway.ask(of(&red, "GET", "resp_red/input_items?limit=0")).await.expect(400).json();
    assert_eq!(refused["error"]["param"], "limit");

    for request in [of(&red, "GET", "resp_red?stream=true"), of(&red, "POST", "resp_red/cancel")] {
        assert_eq!(gateway.ask(request).await.expect(400).json()["error"]["code"], "not_supported");
    }
    gateway.ask(Request::get("/v1/responses/resp_red")).await.expect(401);

    let deleted = gateway.ask(of(&also_red, "DELETE", "resp_red")).await.expect(200).json();
    assert_eq!(deleted, json!({ "id": "resp_red", "object": "response.deleted", "deleted": true }));
    is_not_found(&gateway.ask(of(&red, "GET", "resp_red")).await, "resp_red");
    is_not_found(&gateway.ask(of(&red, "DELETE", "resp_red")).await, "resp_red");
    assert_eq!(gateway.actor("response_store").await["alive"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_has_its_own_on_sqlite() {
    let gateway = Setup::new().env("GATEWAY_MASTER_KEY", &master_key()).start().await;
    let url = format!("sqlite://{}/gateway.db", gateway.folder().display());
    each_tenant_has_its_own(&gateway, &url).await;
}

/// G3: while the database is away nobody is told that a response did not exist.
#[tokio::test(flavor = "multi_thread")]
async fn g3_each_tenant_has_its_own_on_postgres_until_it_is_away() {
    let postgres = block_in_place(TestPostgres::start);
    let url = block_in_place(|| postgres.database());
    let setup = Setup::new().env("DATABASE_URL", &url).env("GATEWAY_MASTER_KEY", &master_key());
    let gateway = setup.start().await;
    each_tenant_has_its_own(&gateway, &url).await;
    let key = gateway.make_key(json!({ "team_id": "red" })).await;
    block_in_place(|| postgres.stop());
    for (method, path) in [("GET", "resp_1"), ("DELETE", "resp_1"), ("GET", "resp_1/input_items")] {
        let answer = gateway.ask(of(&key, method, path)).await.expect(503);
        assert_eq!(answer.json()["error"]["code"], "store_unavailable", "{method} {path}");
        assert!(answer.header("retry-after").is_some());
    }
}
