//! `POST /v1/responses` with the store: answers are kept, and conversations go on from them.

use serde_json::{Value, json};

use crate::harness::bodies::{anthropic, openai};
use crate::harness::{Answer, FakeProvider, Gateway, Reply, Request, Setup};

pub fn responses(key: &str, body: &Value) -> Request {
    Request::new("POST", "/v1/responses").key(key).json(body)
}

fn stored(key: &str, id: &str) -> Request {
    Request::get(&format!("/v1/responses/{id}")).key(key)
}

fn id_of(response: &Value) -> String {
    response["id"].as_str().unwrap().to_owned()
}

fn has_no_previous(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "previous_response_not_found");
    assert_eq!(error["param"], "previous_response_id");
}

/// A reply of a provider that speaks Responses: reasoning and words, whole or streamed.
pub fn native(stream: bool) -> Reply {
    let output = json!([
        { "id": "rs_vendor", "type": "reasoning", "summary": [], "encrypted_content": "sealed" },
        { "id": "msg_vendor", "type": "message", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": "hello", "annotations": [] }] },
    ]);
    let whole = json!({
        "id": "resp_vendor", "object": "response", "created_at": 1_736_935_200, "status": "completed",
        "model": "gpt-4o-mini", "output": output, "store": false, "previous_response_id": null,
        "usage": { "input_tokens": 10, "output_tokens": 15, "total_tokens": 25 },
    });
    if !stream {
        return Reply::json(200, &whole);
    }
    let mut opened = whole.clone();
    (opened["status"], opened["output"]) = (json!("in_progress"), json!([]));
    let item = |kind: &str, at: usize| (kind.to_owned(), json!({ "output_index": at, "item": output[at] }));
    let events = [
        ("response.created".to_owned(), json!({ "response": opened })),
        item("response.output_item.added", 0),
        item("response.output_item.done", 0),
        item("response.output_item.added", 1),
        item("response.output_item.done", 1),
        ("response.completed".to_owned(), json!({ "response": whole })),
    ];
    let framed = events.into_iter().enumerate().map(|(number, (kind, mut data))| {
        (data["type"], data["sequence_number"]) = (json!(kind), json!(number));
        format!("event: {kind}\ndata: {data}\n\n")
    });
    Reply::events(framed)
}

/// The response at the end of a stream.
async fn streamed(gateway: &Gateway, request: Request) -> Value {
    let events = gateway.stream(request).await.rest().await;
    let last = events.chunks().last().copied().cloned().unwrap();
    assert_eq!(last["type"], "response.completed", "{events:?}");
    last["response"].clone()
}

/// J19: an answer of a provider that speaks chat can be gone on from, by those who share it.
#[tokio::test]
async fn j19_a_conversation_goes_on_from_a_stored_answer() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let red = gateway.new_key(json!({ "team_id": "red" })).await;
    let blue = gateway.new_key(json!({ "team_id": "blue" })).await;
    let first = json!({ "model": "gpt-4o-mini", "instructions": "be kind", "input": "one" });
    let first = gateway.ask(responses(&red, &first)).await.expect(200).json();
    assert_eq!((&first["store"], &first["previous_response_id"]), (&json!(true), &Value::Null));
    assert_eq!(gateway.ask(stored(&red, &id_of(&first))).await.expect(200).json(), first);

    openai.always(openai::stream(&["two"]));
    let second =
        json!({ "model": "gpt-4o-mini", "input": "more", "stream": true, "previous_response_id": first["id"] });
    let second = streamed(&gateway, responses(&red, &second)).await;
    assert_eq!(second["previous_response_id"], first["id"]);
    let sent = openai.request(2).await.body;
    let said: Vec<(&Value, &Value)> =
        sent["messages"].as_array().unwrap().iter().map(|said| (&said["role"], &said["content"])).collect();
    let said = json!(said);
    assert_eq!(said, json!([["user", "one"], ["assistant", "hello"], ["user", "more"]]));
    // It was there before its last event was.
    assert_eq!(gateway.ask(stored(&red, &id_of(&second))).await.expect(200).json(), second);
    let list = gateway.ask(stored(&red, &format!("{}/input_items?order=asc", id_of(&second)))).await.expect(200).json();
    let roles: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|item| &item["role"]).collect();
    assert_eq!(json!(roles), json!(["user", "assistant", "user"]));

    let third = |id: &str| json!({ "model": "gpt-4o-mini", "input": "x", "previous_response_id": id });
    has_no_previous(&gateway.ask(responses(&blue, &third(&id_of(&second)))).await);
    has_no_previous(&gateway.ask(responses(&red, &third("resp_none"))).await);
    assert_eq!(openai.count(), 2);
}

/// What is not to be stored is not, and the answer says so; a failure is not stored either.
#[tokio::test]
async fn the_answer_tells_whether_it_is_stored() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let unstored = json!({ "model": "gpt-4o-mini", "input": "one", "store": false });
    let answer = gateway.ask(responses(&key, &unstored)).await.expect(200).json();
    assert_eq!(answer["store"], false);
    gateway.ask(stored(&key, &id_of(&answer))).await.expect(404);
    let next = json!({ "model": "gpt-4o-mini", "input": "two", "previous_response_id": answer["id"] });
    has_no_previous(&gateway.ask(responses(&key, &next)).await);

    openai.always(Reply::events([openai::role(), openai::text("a")]).cut());
    let broken = json!({ "model": "gpt-4o-mini", "input": "one", "stream": true });
    let events = gateway.stream(responses(&key, &broken)).await.rest().await;
    let failed = events.chunks().last().copied().cloned().unwrap();
    assert_eq!(failed["type"], "response.failed", "{failed}");
    gateway.ask(stored(&key, &id_of(&failed["response"]))).await.expect(404);

    let background = json!({ "model": "gpt-4o-mini", "input": "one", "background": true });
    assert_eq!(gateway.ask(responses(&key, &background)).await.expect(400).json()["error"]["param"], "background");
}

/// A store that is off stores nothing, and has nothing to go on from.
#[tokio::test]
async fn a_store_that_is_off_has_no_previous_answer() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).set("responses.store_days", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    let answer =
        gateway.ask(responses(&key, &json!({ "model": "gpt-4o-mini", "input": "one" }))).await.expect(200).json();
    assert_eq!(answer["store"], false);
    let next = json!({ "model": "gpt-4o-mini", "input": "two", "previous_response_id": answer["id"] });
    has_no_previous(&gateway.ask(responses(&key, &next)).await);
}

/// J5: the signatures of reasoning are stored though the answer does not show them, and go back to their vendor.
#[tokio::test]
async fn j5_signatures_are_stored_with_the_answer() {
    let content = json!([
        { "type": "thinking", "thinking": "hm", "signature": "c2lnbmVk" },
        { "type": "tool_use", "id": "toolu_1", "name": "look", "input": { "at": 1 } },
    ]);
    let whole = Reply::json(200, &anthropic::message(content, "tool_use"));
    let anthropic = FakeProvider::answering(whole).await;
    let (gateway, key) = Setup::new().anthropic(&anthropic).start().await.with_key().await;
    let tools = json!([{ "type": "function", "name": "look", "parameters": { "type": "object" } }]);
    let ask = |input: Value, previous: &Value| {
        let body = json!({ "model": "anthropic/claude-sonnet-4-5", "input": input, "tools": tools,
            "reasoning": { "effort": "low", "summary": "auto" }, "previous_response_id": previous });
        responses(&key, &body)
    };
    let first = gateway.ask(ask(json!("look"), &Value::Null)).await.expect(200).json();
    assert!(!first.to_string().contains("encrypted_content\":\""), "{first}");
    let call = first["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap();
    let result = json!([{ "type": "function_call_output", "call_id": call["call_id"], "output": "seen" }]);
    anthropic.always(anthropic::answer("done"));
    gateway.ask(ask(result, &first["id"])).await.expect(200);
    let sent = anthropic.request(2).await.body.to_string();
    assert!(sent.contains("c2lnbmVk"), "{sent}");
    assert!(sent.contains("tool_result") && sent.contains("seen"), "{sent}");
}

/// An answer that passes as it stands has the gateway's id, and is stored with the vendor's items.
#[tokio::test]
async fn a_passing_answer_is_stored_under_the_gateways_id() {
    let openai = FakeProvider::start().await;
    openai.by_body(|body| native(body["stream"] == true));
    let setup = Setup::new().openai(&openai).set("providers.openai.serves_responses", true);
    let (gateway, key) = setup.start().await.with_key().await;
    let first =
        gateway.ask(responses(&key, &json!({ "model": "gpt-4o-mini", "input": "one" }))).await.expect(200).json();
    assert!(id_of(&first).starts_with("resp_gw"), "{first}");
    let second = json!({ "model": "gpt-4o-mini", "input": "two", "stream": true, "previous_response_id": first["id"] });
    let second = streamed(&gateway, responses(&key, &second)).await;
    assert!(id_of(&second).starts_with("resp_gw") && second["id"] != first["id"], "{second}");
    assert_eq!((&second["store"], &second["previous_response_id"]), (&json!(true), &first["id"]));
    for response in [&first, &second] {
        assert_eq!(gateway.ask(stored(&key, &id_of(response))).await.expect(200).json(), *response);
    }
    let sent = openai.request(2).await.body;
    assert_eq!((&sent["store"], &sent["previous_response_id"]), (&json!(false), &Value::Null));
    let kinds: Vec<&Value> = sent["input"].as_array().unwrap().iter().map(|item| &item["type"]).collect();
    assert_eq!(json!(kinds), json!(["message", "reasoning", "message", "message"]), "{sent}");
    assert_eq!(sent["input"][1]["encrypted_content"], "sealed");
}

/// An item that is referred to is put in its place; one that nobody knows, or another's, is named.
#[tokio::test]
async fn a_reference_stands_for_its_item() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let red = gateway.new_key(json!({ "team_id": "red" })).await;
    let blue = gateway.new_key(json!({ "team_id": "blue" })).await;
    let first =
        gateway.ask(responses(&red, &json!({ "model": "gpt-4o-mini", "input": "one" }))).await.expect(200).json();
    let refer = |id: &Value| {
        json!({ "model": "gpt-4o-mini",
            "input": [{ "type": "item_reference", "id": id }, { "role": "user", "content": "two" }] })
    };
    let own = &first["output"][0]["id"];
    gateway.ask(responses(&red, &refer(own))).await.expect(200);
    assert_eq!(openai.request(2).await.body["messages"][0]["content"], "hello");
    for (key, id) in [(&blue, own), (&red, &json!("msg_none"))] {
        let error = gateway.ask(responses(key, &refer(id))).await.expect(400).json();
        assert_eq!(error["error"]["param"], "input[0].id", "{error}");
    }
}

/// What stands in the store counts as if it had been sent: a small request cannot refer to more than a large one says.
#[tokio::test]
async fn stored_items_count_in_the_limit_of_a_body() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) =
        Setup::new().openai(&openai).set("server.max_body_bytes", 4_000).start().await.with_key().await;
    let first = json!({ "model": "gpt-4o-mini", "input": "x".repeat(1_500) });
    let first = gateway.ask(responses(&key, &first)).await.expect(200).json();
    let items = gateway.ask(stored(&key, &format!("{}/input_items", id_of(&first)))).await.expect(200).json();
    let reference = json!({ "type": "item_reference", "id": items["data"][0]["id"] });
    for (times, status) in [(2, 200), (3, 413)] {
        let again = json!({ "model": "gpt-4o-mini", "input": vec![reference.clone(); times] });
        gateway.ask(responses(&key, &again)).await.expect(status);
    }
    for (bytes, status) in [(1_500, 200), (3_000, 413)] {
        let more = json!({ "model": "gpt-4o-mini", "input": "y".repeat(bytes), "previous_response_id": first["id"] });
        gateway.ask(responses(&key, &more)).await.expect(status);
    }
    gateway.wait_until_idle().await;
}
