//! J22: conversations that are sealed into one item, and go on from it.

use serde_json::{Value, json};

use crate::continued_responses::responses;
use crate::harness::bodies::{anthropic, openai};
use crate::harness::{FakeProvider, Gateway, Request, Setup};

fn compacting(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "instructions": "be kind", "input": [
        { "role": "user", "content": "the question" },
        { "role": "assistant", "content": "the answer" },
        { "type": "compaction_trigger" },
    ]})
}

/// The one item of an answer, whole or streamed.
async fn item(gateway: &Gateway, key: &str, body: &Value) -> Value {
    if body["stream"] == false {
        let answer = gateway.ask(responses(key, body)).await.expect(200).json();
        assert_eq!(answer["output"].as_array().unwrap().len(), 1, "{answer}");
        return answer["output"][0].clone();
    }
    let events = gateway.stream(responses(key, body)).await.rest().await;
    let kinds: Vec<&Value> = events.chunks().into_iter().map(|event| &event["type"]).collect();
    let items = ["response.output_item.added", "response.output_item.done", "response.completed"];
    assert_eq!(json!(kinds[1..]), json!(items), "{events:?}");
    events.chunks().last().unwrap()["response"]["output"][0].clone()
}

/// J22: on every kind of target a trigger gives one sealed item, from which its tenant alone goes on.
#[tokio::test]
async fn j22_a_conversation_goes_on_from_its_sealed_summary() {
    let openai = FakeProvider::start().await;
    openai.by_body(|body| match body["stream"] == true {
        true => openai::stream(&["the ", "canary"]),
        false => openai::answer("the canary"),
    });
    let anthropic = FakeProvider::answering(anthropic::answer("the canary")).await;
    let gateway = Setup::new().openai(&openai).anthropic(&anthropic).start().await;
    let red = gateway.new_key(json!({ "team_id": "red" })).await;
    let blue = gateway.new_key(json!({ "team_id": "blue" })).await;
    for (model, stream) in [("gpt-4o-mini", false), ("gpt-4o-mini", true), ("anthropic/claude-sonnet-4-5", false)] {
        let item = item(&gateway, &red, &compacting(model, stream)).await;
        assert_eq!(item["type"], "compaction", "{item}");
        assert!(!item.to_string().contains("canary"), "{item}");
        let next = json!({ "model": "gpt-4o-mini", "input": [item, { "role": "user", "content": "go on" }] });
        gateway.ask(responses(&red, &next)).await.expect(200);
        let sent = openai.request(openai.count()).await.body["messages"].to_string();
        assert!(sent.contains("the canary") && sent.contains("go on"), "{sent}");
        let refused = gateway.ask(responses(&blue, &next)).await.expect(400).json();
        assert_eq!(refused["error"]["param"], "input", "{refused}");
    }
}

/// J22: a target that speaks Responses is asked in plain words too, and gets the opened summary.
#[tokio::test]
async fn j22_a_responses_target_is_asked_in_plain_words() {
    let openai = FakeProvider::answering(crate::continued_responses::native(false)).await;
    let setup = Setup::new().openai(&openai).set("providers.openai.serves_responses", true);
    let (gateway, key) = setup.start().await.with_key().await;
    let item = item(&gateway, &key, &compacting("gpt-4o-mini", false)).await;
    let sent = openai.request(1).await.body.to_string();
    assert!(!sent.contains("compaction_trigger") && sent.contains("Summarise"), "{sent}");
    let next = json!({ "model": "gpt-4o-mini", "input": [item, { "role": "user", "content": "go on" }] });
    gateway.ask(responses(&key, &next)).await.expect(200);
    let sent = openai.request(2).await.body;
    let opened = sent["input"][0]["content"][0]["text"].as_str().unwrap();
    assert_eq!(opened, "Summary of the conversation up to here:\n\nhello");
}

/// J22: `/v1/responses/compact` keeps the words that are not the model's, and seals the rest.
#[tokio::test]
async fn j22_compact_gives_the_conversation_that_goes_on() {
    let openai = FakeProvider::answering(openai::answer("the canary")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let compact = |body: &Value| Request::new("POST", "/v1/responses/compact").key(&key).json(body);
    let mut body = compacting("gpt-4o-mini", false);
    body["input"].as_array_mut().unwrap().pop();
    let answer = gateway.ask(compact(&body)).await.expect(200).json();
    assert_eq!(answer["object"], "response.compaction", "{answer}");
    let output = answer["output"].as_array().unwrap();
    assert_eq!(
        (output.len(), &output[0]["content"], &output[1]["type"]),
        (2, &json!("the question"), &json!("compaction"))
    );
    assert_eq!(answer["usage"]["output_tokens"], 15);
    let next = json!({ "model": "gpt-4o-mini", "input": output });
    gateway.ask(responses(&key, &next)).await.expect(200);
    assert!(openai.request(2).await.body["messages"].to_string().contains("the canary"));

    openai.always(openai::answer(""));
    assert_eq!(gateway.ask(compact(&body)).await.expect(502).json()["error"]["code"], "malformed_answer");
    gateway.ask(compact(&json!({ "model": "gpt-4o-mini" }))).await.expect(400);
}
