//! The real packages for Python drive a freshly started gateway.

use serde_json::json;
use tokio::process::Command;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Gate, Gateway, Reply, Request, Setup, TEST_TIMEOUT};

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

    let keys = [("KEY", &*key), ("NARROW_KEY", &*narrow), ("LIMITED_KEY", &*limited)];
    run("client.py", &gateway, &keys).await;
    gate.open_for_good();
    holding.answer().await.expect(200);
}

/// Runs a script of the tests against a gateway.
pub async fn run(script: &str, gateway: &Gateway, environment: &[(&str, &str)]) {
    let python = std::env::var_os("GATEWAY_TEST_PYTHON")
        .expect("run scripts/test: it installs the clients' packages and sets GATEWAY_TEST_PYTHON");
    let mut command = Command::new(python);
    command.arg(format!("{}/tests/features/python/{script}", env!("CARGO_MANIFEST_DIR")));
    // The scripts share a module, which leaves no compiled file in the source.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("BASE_URL", format!("http://{}/v1", gateway.address)).envs(environment.iter().copied());
    let ran = tokio::time::timeout(3 * TEST_TIMEOUT, command.kill_on_drop(true).output()).await;
    let ran = ran.expect("the Python client ends in time").unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("all good"), "{out}\n{err}\n{:#?}", gateway.stdout());
}
