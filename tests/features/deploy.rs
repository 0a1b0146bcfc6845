//! What is shipped for running the gateway in containers fits the gateway.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::harness::temp_dir::TempDir;
use crate::harness::{Request, Setup, in_time};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn shipped(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `docker-compose.yml` as JSON.
async fn compose() -> Value {
    let python = std::env::var_os("GATEWAY_TEST_PYTHON")
        .expect("run scripts/test: it installs PyYAML and sets GATEWAY_TEST_PYTHON");
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let file = Path::new(ROOT).join("docker-compose.yml");
    let read = in_time("the file is read", Command::new(python).args(["-c", script]).arg(file).output()).await.unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).unwrap()
}

/// The first variable in a text such as `postgres://gateway:${PASSWORD:?set it}@postgres`: its name, what follows it,
/// and the text around it.
fn variable(text: &str) -> Option<(&str, &str, [&str; 2])> {
    let (before, rest) = text.split_once("${")?;
    let (inside, after) = rest.split_once('}')?;
    let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, operator) = inside.split_at(end);
    Some((name, operator, [before, after]))
}

/// Every variable that the file takes from outside, by name, with what follows it.
fn outside(value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => object.values().for_each(|value| outside(value, found)),
        Value::Array(items) => items.iter().for_each(|value| outside(value, found)),
        Value::String(text) => {
            if let Some((name, operator, _)) = variable(text) {
                found.insert(name.to_owned(), operator.to_owned());
            }
        }
        _ => {}
    }
}

/// What the gateway's container finds in its environment; `given` is asked for what comes from outside.
fn environment(compose: &Value, given: impl Fn(&str) -> Option<&'static str>) -> BTreeMap<String, String> {
    let variables = compose["services"]["gateway"]["environment"].as_object().unwrap();
    let value = |text: &Value| match variable(text.as_str().unwrap()) {
        Some((name, operator, [before, after])) => {
            let default = operator.strip_prefix(":-").unwrap_or_default();
            format!("{before}{}{after}", given(name).unwrap_or(default))
        }
        None => text.as_str().unwrap().to_owned(),
    };
    variables.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

const MASTER_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// What has no default.
fn needed(name: &str) -> Option<&'static str> {
    match name {
        "POSTGRES_PASSWORD" => Some("secret"),
        "GATEWAY_ADMIN_TOKEN" => Some(crate::harness::gateway::ADMIN_TOKEN),
        "GATEWAY_MASTER_KEY" => Some(MASTER_KEY),
        _ => None,
    }
}

/// G3: the environment of `docker-compose.yml` is one that the gateway starts with: with what is needed alone, and with
/// everything.
#[tokio::test]
async fn g3_the_composed_environment_is_accepted() {
    let compose = compose().await;
    let everything =
        |name: &str| needed(name).or((name.ends_with("_KEY") || name.ends_with("_TOKEN")).then_some("sk-x"));
    for environment in [environment(&compose, needed), environment(&compose, everything)] {
        let setup = environment.iter().fold(Setup::new(), |setup, (name, value)| setup.env(name, value));
        let folder = TempDir::new();
        let checked =
            in_time("the check ends", setup.command(folder.path()).arg("check-config").output()).await.unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// Every variable that `docker-compose.yml` gives the gateway is one that it reads.
#[tokio::test]
async fn every_composed_variable_is_read() {
    let compose = compose().await;
    let environment = environment(&compose, |name| needed(name).or(name.ends_with("_API_KEY").then_some("sk-x")));
    assert_eq!(environment["DATABASE_URL"], "postgres://gateway:secret@postgres/gateway");
    let setup = environment.iter().filter(|(name, _)| *name != "DATABASE_URL" && *name != "GATEWAY_SERVER__LISTEN");
    let gateway = setup.fold(Setup::new(), |setup, (name, value)| setup.env(name, value)).start().await;
    let config = gateway.admin("GET", "/admin/config", None).await.expect(200).json();
    // An unknown variable of the gateway's own would have been refused.
    let others = environment.keys().filter(|name| !name.starts_with("GATEWAY_"));
    assert_eq!(config["redis"]["url"], environment["REDIS_URL"]);
    for name in others.filter(|name| !["DATABASE_URL", "REDIS_URL"].contains(&name.as_str())) {
        assert_eq!(config["environment"][name], "***", "{name} is read by no provider: {config}");
    }
}

/// `.env.example` names every variable of `docker-compose.yml` and no other, and has no secret in it.
#[tokio::test]
async fn the_example_environment_is_complete_and_without_secrets() {
    let mut wanted = BTreeMap::new();
    outside(&compose().await, &mut wanted);
    let example = shipped(".env.example");
    let lines = example.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let given: BTreeMap<&str, &str> = lines.map(|line| line.split_once('=').unwrap()).collect();
    let names = |names: &mut dyn Iterator<Item = String>| names.collect::<BTreeSet<_>>();
    assert_eq!(
        names(&mut wanted.keys().cloned()),
        names(&mut given.keys().map(|name| (*name).to_owned())),
        "in the one and the other"
    );
    for (name, value) in given {
        let is_secret = ["_KEY", "_TOKEN", "PASSWORD", "WEBHOOK_URL"].iter().any(|end| name.ends_with(end));
        assert!(value.is_empty() || !is_secret, "{name} has a default");
        let is_needed = wanted[name].starts_with(":?");
        assert_eq!(is_needed, needed(name).is_some(), "{name}");
    }
}

/// The files that containers mount are there, but for the certificates, which are the operator's.
#[tokio::test]
async fn every_mounted_file_is_shipped() {
    let compose = compose().await;
    let mut mounted = 0;
    for service in compose["services"].as_object().unwrap().values() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            if source.starts_with("./") && source != "./ssl" {
                assert!(Path::new(ROOT).join(source).exists(), "{source}");
                mounted += 1;
            } else if source != "./ssl" {
                assert!(compose["volumes"].get(source).is_some(), "{source}");
            }
        }
    }
    assert!(mounted >= 4, "{mounted}");
}

/// The image's health check passes while the gateway lives, and fails when nothing listens.
#[tokio::test]
async fn the_image_knows_whether_it_lives() {
    let dockerfile = shipped("Dockerfile").replace("\\\n", "");
    let line = dockerfile.lines().find(|line| line.starts_with("HEALTHCHECK")).expect("a health check");
    let check: Vec<String> = serde_json::from_str(line.split_once("CMD ").unwrap().1).unwrap();
    let mut gateway = Setup::new().start().await;
    let port = gateway.address.port().to_string();
    let passes = async || {
        let arguments = check[1..].iter().map(|argument| argument.replace("8000", &port));
        let mut command = Command::new(&check[0]);
        in_time("the check ends", command.args(arguments).kill_on_drop(true).output()).await.unwrap().status.success()
    };
    assert!(check[2].contains("8000") && passes().await);
    gateway.terminate().await;
    gateway.exit().await;
    assert!(!passes().await);
}

/// Every metric that the dashboard shows is one that the gateway has.
#[tokio::test]
async fn the_dashboard_shows_metrics_that_exist() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    gateway.stream(Request::streamed_hello(&key, "sim-text")).await.rest().await;
    gateway.wait_until_idle().await;
    let scrape = gateway.scrape().await;
    let dashboard: Value = serde_json::from_str(&shipped("config/grafana/dashboards/gateway.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut shown = 0;
    for target in targets {
        let expression = target["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for metric in words.filter(|word| word.starts_with("llm_") || word.starts_with("gateway_")) {
            assert!(scrape.has(metric, &[]), "{metric} of {expression}");
            shown += 1;
        }
    }
    assert!(shown >= 8, "{shown}");
}
