//! `[models.NAME]`: names of the operator's own for models.

use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Gateway, Request, Setup, in_time};

/// `smart` and `talk` have one config, whose condition tells them apart.
const NAMES: &str = "
[models.fast]
provider = 'openai'
model = 'gpt-4o-mini'
[models.vectors]
provider = 'simulator'
model = 'sim-embedding'
[models.smart]
config = 'by-name'
[models.'team/talk']
config = 'by-name'
[configs.by-name]
targets = [{ name = 'paid', provider = 'openai', model = 'gpt-4o-mini' },
    { name = 'free', provider = 'simulator', model = 'sim-text' }]
[configs.by-name.strategy]
mode = 'conditional'
conditions = [{ query = { 'params.model' = 'smart' }, then = 'paid' }]
default = 'free'
";

async fn before(openai: &FakeProvider) -> (Gateway, String) {
    Setup::new().openai(openai).toml(NAMES).start().await.with_key().await
}

fn cost(answer: &crate::harness::Answer) -> f64 {
    answer.header("x-gateway-cost-usd").unwrap().parse().unwrap()
}

/// A name is served by its target or its config, under the provider's own name of the model, and costs what that costs.
#[tokio::test]
async fn a_name_is_served_by_its_target_or_its_config() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = before(&openai).await;
    for name in ["fast", "smart"] {
        let answer = gateway.ask(Request::hello(&key, name)).await.expect(200);
        assert_eq!((answer.content().as_str(), answer.header("x-portkey-provider")), ("hello", Some("openai")));
        assert!((cost(&answer) - openai::COST).abs() < 1e-12, "{name}");
        assert_eq!(openai.request(openai.count()).await.body["model"], "gpt-4o-mini");
    }
    let free = gateway.ask(Request::hello(&key, "team/talk")).await.expect(200);
    assert_eq!((free.header("x-portkey-provider"), openai.count()), (Some("simulator"), 2));
    // What a header says of providers is no part of a name's meaning.
    for name in ["fast", "smart"] {
        let elsewhere = Request::hello(&key, name).header("x-portkey-provider", "simulator");
        assert_eq!(gateway.ask(elsewhere).await.expect(200).content(), "hello");
    }
    gateway.ask(Request::hello(&key, "Fast")).await.expect(400);
}

/// Every endpoint knows the names.
#[tokio::test]
async fn every_endpoint_knows_the_names() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = before(&openai).await;
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    for (path, body, told) in [
        ("/v1/messages", json!({ "model": "fast", "max_tokens": 50, "messages": messages }), "/content/0/text"),
        ("/v1/messages", json!({ "model": "smart", "max_tokens": 50, "messages": messages }), "/content/0/text"),
        ("/v1/messages", json!({ "model": "team/talk", "max_tokens": 50, "messages": messages }), "/content/0/text"),
        ("/v1/responses", json!({ "model": "team/talk", "input": "Hi" }), "/output/0/content/0/text"),
        ("/v1/completions", json!({ "model": "fast", "prompt": "Hi" }), "/choices/0/text"),
        ("/v1/embeddings", json!({ "model": "vectors", "input": "Hi" }), "/data/0/embedding/0"),
        ("/v1/messages/count_tokens", json!({ "model": "fast", "messages": messages }), "/input_tokens"),
    ] {
        let answer = gateway.ask(Request::new("POST", path).key(&key).json(&body)).await.expect(200).json();
        assert!(answer.pointer(told).is_some_and(|value| !value.is_null()), "{path}: {answer}");
    }
    assert_eq!(openai.count(), 3);
    let stream = gateway.ask(Request::streamed_hello(&key, "team/talk")).await.expect(200).text();
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
}

/// The list has the names that a key may use, and `allowed_models` allows each by itself alone.
#[tokio::test]
async fn a_key_is_allowed_a_name_by_itself() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, all) = before(&openai).await;
    let names = async |key: &str| {
        let list = gateway.ask(Request::get("/v1/models").key(key)).await.expect(200).json();
        let own = |model: &&Value| ["fast", "smart", "team/talk", "vectors"].iter().any(|name| model["id"] == *name);
        let list = list["data"].as_array().unwrap();
        (
            list.iter().filter(own).map(|model| format!("{}", model["owned_by"])).collect::<Vec<_>>().join(" "),
            list.len(),
        )
    };
    let (owners, many) = names(&all).await;
    assert!(owners == r#""openai" "gateway" "gateway" "simulator""# && many > 10, "{owners}");
    let shown = gateway.ask(Request::get("/v1/models/team/talk").key(&all)).await.expect(200).json();
    assert_eq!(shown["owned_by"], "gateway");

    let narrow = gateway.new_key(json!({ "allowed_models": ["fast", "smart"] })).await;
    assert_eq!(names(&narrow).await, (r#""openai" "gateway""#.to_owned(), 2));
    let asked = async |key: &str, model: &str| gateway.ask(Request::hello(key, model)).await.status;
    for (model, status) in
        [("fast", 200), ("smart", 200), ("team/talk", 403), ("gpt-4o-mini", 403), ("openai/gpt-4o-mini", 403)]
    {
        assert_eq!(asked(&narrow, model).await, status, "{model}");
    }
    // What a key's own config asks for is not what the operator put behind the name.
    for target in [json!({ "provider": "simulator" }), json!({ "override_params": { "model": "gpt-4o-mini" } })] {
        for model in ["fast", "smart"] {
            let request = Request::hello(&narrow, model).config(&target);
            let status = gateway.ask(request).await.status;
            // Under its own config `smart` is but a model's name, which the simulator does not know.
            let is_name = model == "smart" && target.get("provider").is_some();
            assert_eq!(status, if is_name { 404 } else { 403 }, "{model} {target}");
        }
    }
    let behind = gateway.new_key(json!({ "allowed_models": ["gpt-4o-mini"] })).await;
    assert_eq!((asked(&behind, "gpt-4o-mini").await, asked(&behind, "fast").await), (200, 403));
    let elsewhere = gateway.new_key(json!({ "allowed_providers": ["simulator"] })).await;
    assert_eq!((asked(&elsewhere, "fast").await, asked(&elsewhere, "team/talk").await), (403, 200));
    assert_eq!(names(&elsewhere).await.0, r#""gateway" "gateway" "simulator""#);
}

/// A request's own config goes before that of a name, and one that names no model keeps the name's target.
#[tokio::test]
async fn a_requests_own_config_goes_first() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = before(&openai).await;
    let simulated = json!({ "provider": "simulator", "override_params": { "model": "sim-echo" } });
    for name in ["fast", "smart"] {
        let answer = gateway.ask(Request::hello(&key, name).config(&simulated)).await.expect(200);
        assert_eq!(answer.header("x-portkey-provider"), Some("simulator"), "{name}");
    }
    let cached = json!({ "cache": { "mode": "simple" } });
    for status in ["MISS", "HIT"] {
        let answer = gateway.ask(Request::hello(&key, "fast").config(&cached)).await.expect(200);
        assert_eq!(
            (answer.header("x-portkey-cache-status"), answer.content().as_str()),
            (Some(status), "hello"),
            "the target stays"
        );
    }
    gateway.ask(Request::hello(&key, "smart").config(&cached)).await.expect(400);
    assert_eq!(openai.count(), 1);
}

/// Names that lead nowhere are told by `check-config` and stop a start.
#[tokio::test]
async fn names_that_lead_nowhere_are_refused() {
    let folder = TempDir::new();
    let text = "[models.a]\nconfig = 'none'\n[models.b]\nprovider = 'none'\nmodel = 'x'\n[models.c]\n\
        [models.d]\nprovider = 'simulator'\nmodel = 'a'\n[models.\"e\\n\"]\nprovider = 'simulator'\nmodel = 'x'\n";
    std::fs::write(folder.path().join("my.toml"), text).unwrap();
    for arguments in [["check-config", "my.toml"].as_slice(), &["serve", "--config", "my.toml"]] {
        let mut command = Setup::new().command(folder.path());
        let output = in_time("the command ends", command.args(arguments).output()).await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{told}");
        for path in ["models.a.config: ", "models.b.provider: ", "models.c: ", "models.d.model: ", "models.e\\n: "] {
            assert!(told.contains(path), "{path} is missing in:\n{told}");
        }
    }
}
