//! Guardrails that nobody can follow: a 400 that names the path, in the shape of the client's format, and an error of
//! `check-config`.

use serde_json::{Value, json};

use super::pii;
use crate::harness::clients::CLIENTS;
use crate::harness::temp_dir::TempDir;
use crate::harness::{FakeProvider, Request, Setup};

/// What is wrong, and the path that is told.
fn wrong() -> Vec<(Value, &'static str)> {
    let short = |guardrail: Value| json!({ "guardrails": { "output": [guardrail] } });
    vec![
        (short(json!({ "type": "magic" })), "guardrails.output[0].type"),
        (short(json!({ "action": "deny" })), "guardrails.output[0].type"),
        (short(json!({ "type": "pii_detection", "action": "hide" })), "guardrails.output[0].action"),
        (short(json!({ "type": "content_safety", "action": "redact" })), "guardrails.output[0].action"),
        (short(json!({ "type": "content_safety", "threshold": 1.5 })), "guardrails.output[0].threshold"),
        (short(json!({ "type": "content_safety", "threshold": -0.1 })), "guardrails.output[0].threshold"),
        (short(json!({ "type": "content_safety", "threshold": "x" })), "guardrails.output[0].threshold"),
        (short(json!({ "type": "content_safety", "threshold": "NaN" })), "guardrails.output[0].threshold"),
        (short(json!({ "type": "prompt_injection", "threshold": 2 })), "guardrails.output[0].threshold"),
        (short(json!({ "type": "pii_detection", "categories": [] })), "guardrails.output[0].categories"),
        (short(json!({ "type": "content_safety", "categories": [] })), "guardrails.output[0].categories"),
        (short(json!({ "type": "pii_detection", "categories": ["SHOE"] })), "guardrails.output[0].categories[0]"),
        (short(json!({ "type": "content_safety", "categories": ["rude"] })), "guardrails.output[0].categories[0]"),
        (
            json!({ "output_guardrails": [{ "default.regexReplace": { "rule": "A-.*" } }] }),
            "output_guardrails[0].default.regexReplace.rule",
        ),
    ]
}

/// The endpoints, with a body that each takes.
fn bodies() -> Vec<(&'static str, Value)> {
    let of = |field: &str| json!({ "model": "gpt-4o-mini", field: "hi" });
    let mut bodies: Vec<(&'static str, Value)> =
        CLIENTS.iter().map(|client| (client.path, (client.body)("gpt-4o-mini", "hi", false))).collect();
    bodies.extend([("/v1/embeddings", of("input")), ("/v1/moderations", of("input"))]);
    bodies.push(("/v1/rerank", json!({ "model": "gpt-4o-mini", "query": "q", "documents": ["a"] })));
    bodies
}

/// D8, "config: unknown type/action, threshold 1.5, empty category list -> 400 naming the path", at every endpoint.
#[tokio::test]
async fn d8_wrong_guardrails_are_a_400_that_names_the_path_in_every_format() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    for (path, body) in bodies() {
        for (config, place) in wrong() {
            let asked = Request::new("POST", path).key(&key).config(&config).json(&body);
            let told = gateway.ask(asked).await.expect(400).json();
            let message = told["error"]["message"].as_str().unwrap_or_else(|| panic!("{path}: {told}"));
            assert!(message.contains(place), "{path}: {place} is not in {message}");
            let is_messages = path == "/v1/messages";
            assert_eq!(told["type"] == "error", is_messages, "{path}: {told}");
            assert_eq!(told["error"].get("code").is_none(), is_messages, "{path}: {told}");
        }
        // No number is NaN or infinite in JSON.
        for threshold in ["NaN", "1e999"] {
            let config =
                format!(r#"{{"guardrails":{{"output":[{{"type":"content_safety","threshold":{threshold}}}]}}}}"#);
            let asked = Request::new("POST", path).key(&key).header("x-portkey-config", &config).json(&body);
            gateway.ask(asked).await.expect(400);
        }
    }
    assert_eq!(openai.count(), 0, "nothing is sent");
    // The same with nothing wrong.
    openai.always(crate::harness::bodies::openai::answer("hello"));
    let fine = CLIENTS[0].asks(&key, "gpt-4o-mini", "hi", false).config(&pii("output", "redact"));
    gateway.ask(fine).await.expect(200);
}

/// D8: the same in the file, in the floor and in a named config, is told by `check-config`, and stops a start.
#[tokio::test]
async fn d8_wrong_guardrails_of_the_file_are_told_by_check_config() {
    for (wrong, field) in [
        ("type = \"magic\"", "[0].type"),
        ("type = \"pii_detection\", action = \"hide\"", "[0].action"),
        ("type = \"content_safety\", threshold = 1.5", "[0].threshold"),
        ("type = \"content_safety\", threshold = nan", "[0].threshold"),
        ("type = \"content_safety\", threshold = inf", "[0].threshold"),
        ("type = \"content_safety\", threshold = \"x\"", "[0].threshold"),
        ("type = \"pii_detection\", categories = []", "[0].categories"),
        ("type = \"content_safety\", categories = []", "[0].categories"),
        ("type = \"pii_detection\", categories = [\"SHOE\"]", "[0].categories[0]"),
        ("\"default.regexReplace\" = { rule = \"A-.*\" }", "[0].default.regexReplace.rule"),
    ] {
        let folder = TempDir::new();
        let text =
            format!("[guardrails.floor]\noutput = [{{ {wrong} }}]\n[configs.x.guardrails]\noutput = [{{ {wrong} }}]\n");
        std::fs::write(folder.path().join("my.toml"), text).unwrap();
        for arguments in [["check-config", "my.toml"].as_slice(), &["serve", "--config", "my.toml"]] {
            let ended = Setup::new().command(folder.path()).args(arguments).output().await.unwrap();
            let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
            assert_eq!(ended.status.code(), Some(64), "{wrong}: {told}");
            for place in [format!("guardrails.floor.output{field}"), format!("configs.x.guardrails.output{field}")] {
                assert!(told.contains(&place), "{place} is not in {told}");
            }
        }
    }
}
