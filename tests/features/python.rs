//! The real `openai` package for Python drives a freshly started gateway.

use serde_json::json;
use tokio::process::Command;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Reply, Request, Setup, in_time};

/// Whole answers, streams, tools, embeddings, models, and the matching exception for each status of the error table.
#[tokio::test]
async fn the_openai_package_drives_the_gateway() {
    let openai = FakeProvider::start().await;
    let gate = Gate::new();
    let slow = FakeProvider::answering(openai::answer("late").after(&gate)).await;
    let acme =
        format!("[providers.slow]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nmax_in_flight = 1", slow.origin());
    let setup = Setup::new().openai(&openai).toml(&acme).set("server.max_body_bytes", 100_000);
    let setup = setup.set("server.keepalive_ms", 150).set("providers.openai.breaker.failure_threshold", 0);
    let (gateway, key) = setup.start().await.with_key().await;
    openai.always(Reply::json(200, &openai::completion("Xin chào từ OpenAI")));
    let narrow = gateway.new_key(json!({ "allowed_models": ["sim-text"] })).await;
    let limited = gateway.new_key(json!({ "rate_limit": 1 })).await;
    // One request holds the provider's only place, so that the next is a 503.
    let holding = Request::hello(&key, "slow/any").send(gateway.address).await;
    slow.request(1).await;

    let python = std::env::var_os("GATEWAY_TEST_PYTHON")
        .expect("run scripts/test: it installs the openai package and sets GATEWAY_TEST_PYTHON");
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/python/client.py"));
    command.env("BASE_URL", format!("http://{}/v1", gateway.address));
    command.env("KEY", &key).env("NARROW_KEY", &narrow).env("LIMITED_KEY", &limited);
    let ran = in_time("the Python client ends", command.kill_on_drop(true).output()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("all good"), "{out}\n{err}\n{:#?}", gateway.stdout());
    gate.open_for_good();
    holding.answer().await.expect(200);
}
