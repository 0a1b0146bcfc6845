//! The real packages for Node drive a freshly started gateway: those of OpenAI and Anthropic, and Vercel's AI SDK.
//!
//! `scripts/test` installs them below `target/node-clients`, where npm is there and can be reached.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::harness::upstreams::Upstreams;
use crate::harness::{Gateway, TEST_TIMEOUT};

/// Runs a script of the tests against a gateway before every kind of upstream.
async fn drive(script: &str) {
    let packages =
        std::env::var_os("GATEWAY_TEST_NODE").filter(|folder| Path::new(folder).join("node_modules").exists());
    // `scripts/test` has said so.
    let Some(packages) = packages else { return };
    let upstreams = Upstreams::start().await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let ran = run(script, &gateway, &key, Path::new(&packages)).await;
    assert!(ran.contains("all good"), "{ran}");
}

/// What a script says. Node finds packages beside the script alone, so that it runs as a copy beside them.
async fn run(script: &str, gateway: &Gateway, key: &str, packages: &Path) -> String {
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/node"));
    for name in ["checks.mjs", script] {
        std::fs::copy(sources.join(name), packages.join(name)).unwrap();
    }
    let mut command = Command::new("node");
    command.arg(script).current_dir(packages).stdin(Stdio::null()).kill_on_drop(true);
    command.env("BASE_URL", format!("http://{}/v1", gateway.address)).env("KEY", key);
    let ran = tokio::time::timeout(3 * TEST_TIMEOUT, command.output()).await;
    let ran = ran.expect("the client ends in time").unwrap();
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

/// J1, J14: OpenAI's client, chat and Responses, whole and streamed, with tools.
#[tokio::test]
async fn j1_j14_openais_client_for_node_drives_the_gateway() {
    drive("openai.mjs").await;
}

/// J2, J14: Anthropic's client, whole and streamed, with reasoning and tools.
#[tokio::test]
async fn j2_j14_anthropics_client_for_node_drives_the_gateway() {
    drive("anthropic.mjs").await;
}

/// J1, J2: the AI SDK in each of the three formats, whole and streamed, with the steps of a tool.
#[tokio::test]
async fn j1_j2_the_ai_sdk_drives_the_gateway() {
    drive("ai.mjs").await;
}
