//! Legacy completions, moderations, rankings, and the lists of models.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gateway, Reply, Request, Setup};

fn post(path: &str, key: &str, body: &Value) -> Request {
    Request::new("POST", path).key(key).json(body)
}

/// A legacy completion is answered by a chat model of any provider, whole and streamed, and is booked.
#[tokio::test]
async fn legacy_completions_are_answered_by_chat_models() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Gateway::before(&openai).await;
    openai.once(openai::answer("hello"));
    let mut body = json!({ "model": "gpt-4o-mini", "prompt": "Say hello.", "max_tokens": 100, "stop": ["END"] });
    let answer = gateway.ask(post("/v1/completions", &key, &body)).await.expect(200);
    assert!(answer.header("x-gateway-cost-usd").is_some());
    let answer = answer.json();
    assert_eq!((&answer["object"], &answer["choices"][0]["text"]), (&json!("text_completion"), &json!("hello")));
    assert_eq!((&answer["choices"][0]["finish_reason"], &answer["model"]), (&json!("stop"), &json!("gpt-4o-mini")));
    let asked = openai.request(1).await;
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.body["messages"], json!([{ "role": "user", "content": "Say hello." }]));
    assert_eq!((&asked.body["max_completion_tokens"], &asked.body["stop"]), (&json!(100), &json!(["END"])));

    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    openai.once(openai::stream(&["hel", "lo"]));
    let stream = gateway.ask(post("/v1/completions", &key, &body)).await.expect(200).text();
    let chunks: Vec<Value> =
        stream.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(text, "hello", "{stream}");
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 15, "{stream}");
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");

    for (field, value) in [("n", json!(2)), ("echo", json!(true)), ("prompt", json!([1, 2])), ("prompt", Value::Null)] {
        let mut body = json!({ "model": "gpt-4o-mini", "prompt": "x" });
        body[field] = value;
        let refused = gateway.ask(post("/v1/completions", &key, &body)).await.expect(400).json();
        assert_eq!(refused["error"]["param"], field);
    }
}

/// F4: a completion is given again, to a chat client too.
#[tokio::test]
async fn f4_completions_are_given_again() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let simple = json!({ "cache": { "mode": "simple" } });
    let mut body = json!({ "model": "gpt-4o-mini", "prompt": "Say hello.", "max_tokens": 100 });
    let ask = async |body: &Value| gateway.ask(post("/v1/completions", &key, body).config(&simple)).await.expect(200);
    let first = ask(&body).await;
    let again = ask(&body).await;
    assert_eq!(again.header("x-portkey-cache-status"), Some("HIT"));
    assert_eq!(again.text(), first.text());
    body["stream"] = json!(true);
    let stream = ask(&body).await;
    assert_eq!(stream.header("x-portkey-cache-status"), Some("HIT"));
    assert!(stream.text().contains("hello"));
    let chat =
        json!({ "model": "gpt-4o-mini", "max_tokens": 100, "messages": [{ "role": "user", "content": "Say hello." }] });
    let chat = gateway.ask(Request::chat(&key, &chat).config(&simple)).await.expect(200);
    assert_eq!((chat.header("x-portkey-cache-status"), chat.content().as_str()), (Some("HIT"), "hello"));
    assert_eq!(openai.count(), 1);
}

/// Moderations and rankings pass as they stand, keep to the key's rights, and are booked by what the vendor counts, or by
/// what the gateway counts.
#[tokio::test]
async fn moderations_and_rankings_pass_and_are_booked() {
    let openai = FakeProvider::start().await;
    let claude = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).anthropic(&claude).start().await.with_key().await;
    let key_of_other = gateway.new_key(json!({ "allowed_models": ["gpt-4o"] })).await;
    let flags = json!({ "id": "modr-1", "model": "text-embedding-3-small", "results": [{ "flagged": true }] });
    let ranks = json!({ "model": "text-embedding-3-small", "results": [{ "index": 1, "relevance_score": 0.9 }],
        "usage": { "total_tokens": 1000 } });
    let moderation = json!({ "model": "text-embedding-3-small", "input": ["hello ".repeat(1000)], "x": 1 });
    let ranking = json!({ "model": "text-embedding-3-small", "query": "q", "documents": ["a", "b"], "top_n": 1 });
    for (path, body, answer) in [("/v1/moderations", &moderation, &flags), ("/v1/rerank", &ranking, &ranks)] {
        openai.once(Reply::json(200, answer));
        let told = gateway.ask(post(path, &key, body)).await.expect(200);
        let cost: f64 = told.header("x-gateway-cost-usd").unwrap().parse().unwrap();
        // A thousand tokens at $0.02 for a million.
        assert!((0.000_015..0.000_03).contains(&cost), "{path}: {cost}");
        assert_eq!(told.json()["results"], answer["results"]);
        let asked = openai.request(openai.count()).await;
        assert_eq!((asked.path.as_str(), &asked.body), (path, body));
        gateway.ask(post(path, &key_of_other, body)).await.expect(403);
        gateway.ask(post(path, &key, &json!({ "model": "text-embedding-3-small" }))).await.expect(400);
        let mut elsewhere = body.clone();
        elsewhere["model"] = json!("anthropic/claude-sonnet-4-5");
        let refused = gateway.ask(post(path, &key, &elsewhere)).await.expect(400).json();
        assert_eq!(refused["error"]["param"], "model", "{refused}");
    }
    assert_eq!((openai.count(), claude.count()), (2, 0));
    let simulated = json!({ "model": "sim-rerank", "query": "red fox", "documents": ["a dog", "a red fox"] });
    let answer = gateway.ask(post("/v1/rerank", &key, &simulated)).await.expect(200).json();
    assert_eq!(answer["results"][0]["index"], 1);
}

/// J23: the list of models has the shape that its caller reads.
#[tokio::test]
async fn j23_the_list_of_models_has_the_callers_shape() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let list = async |path: &str, version: Option<&str>| {
        let request = Request::get(path).key(&key);
        let request =
            version.into_iter().fold(request, |request, version| request.header("anthropic-version", version));
        gateway.ask(request).await
    };
    let openai = list("/v1/models", None).await.expect(200).json();
    assert_eq!((&openai["object"], openai.get("models")), (&json!("list"), None));
    let codex = list("/v1/models?client_version=0.171.0", None).await.expect(200).json();
    assert_eq!((&codex["data"], &codex["models"]), (&openai["data"], &json!([])));
    let claude = list("/v1/models?limit=1000", Some("2023-06-01")).await.expect(200).json();
    let (data, ids) = (claude["data"].as_array().unwrap(), openai["data"].as_array().unwrap());
    assert_eq!(data.len(), ids.len());
    assert_eq!(
        (&data[0]["type"], &data[0]["id"], &claude["has_more"]),
        (&json!("model"), &ids[0]["id"], &json!(false))
    );
    assert_eq!((&claude["first_id"], &claude["last_id"]), (&ids[0]["id"], &ids.last().unwrap()["id"]));
    assert!(data[0]["display_name"].is_string() && data[0]["created_at"].is_string());
    let one = list("/v1/models/sim-text", Some("2023-06-01")).await.expect(200).json();
    assert_eq!((&one["type"], &one["id"]), (&json!("model"), &json!("sim-text")));
    let none = list("/v1/models/none", Some("2023-06-01")).await.expect(404).json();
    assert_eq!((&none["type"], &none["error"]["type"]), (&json!("error"), &json!("not_found_error")));
}
