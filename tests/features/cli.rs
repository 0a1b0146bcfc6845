//! The command line and the configuration as an operator meets them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use crate::harness::in_time;
use crate::harness::temp_dir::TempDir;
use crate::harness::{Request, Setup};

async fn run(setup: &Setup, folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = setup.command(folder.path());
    let Output { status, stdout, stderr } =
        in_time("the command ends", command.args(arguments).output()).await.expect("the program runs");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code(), text)
}

fn file(folder: &TempDir, text: &str) {
    std::fs::write(folder.path().join("my.toml"), text).unwrap();
}

/// `check-config` tells every problem at once, each with its path, and ends with 64.
#[tokio::test]
async fn check_config_tells_every_problem_at_once() {
    let folder = TempDir::new();
    file(
        &folder,
        "[server]\nlisten = \"nowhere\"\nmax_in_flight = 0\nworkerz = 3\n\
         [log]\nlevel = \"loud\"\n\
         [configs.pc-x]\nstrategy = \"fallbak\"\n\
         [configs.pc-y.guardrails]\ninput = [{ type = \"content_safety\", threshold = nan }]\n\
         [guardrails.floor]\noutput = [{ type = \"pii_detection\", action = \"hide\" }]\n\
         [providers.acme]\ndialect = \"openai\"\nbase_url = \"not a url\"\n\
         [providers.openai.breaker]\nfailure_threshold_percentage = 300\n",
    );
    let setup = Setup::new().without("GATEWAY_SERVER__LISTEN").set("routing.max_total_attempts", "many");
    let (code, text) = run(&setup, &folder, &["check-config", "my.toml"]).await;
    assert_eq!(code, Some(64), "{text}");
    for path in [
        "server.listen",
        "server.max_in_flight",
        "server.workerz",
        "log.level",
        "configs.pc-x",
        "configs.pc-y.guardrails.input[0].threshold",
        "guardrails.floor.output[0].action",
        "providers.acme.base_url",
        "providers.openai.breaker.failure_threshold_percentage",
        "routing.max_total_attempts",
    ] {
        assert!(text.contains(path), "{path} is missing in:\n{text}");
    }
}

/// Saved configs are held to what a header's config is: hosts are refused, unknown fields are a warning.
#[tokio::test]
async fn check_config_reads_saved_configs_as_headers() {
    let folder = TempDir::new();
    file(&folder, "[configs.a]\nprovider = \"simulator\"\ncustom_host = \"https://elsewhere.example/v1\"\n");
    let (code, text) = run(&Setup::new(), &folder, &["check-config", "my.toml"]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("configs.a: config.custom_host is not allowed"), "{text}");
    file(&folder, "[configs.a]\nprovider = \"simulator\"\nzzzzzz = 1\n");
    let (code, text) = run(&Setup::new(), &folder, &["check-config", "my.toml"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warning: configs.a: ") && text.contains("zzzzzz"), "{text}");
}

/// A good file is told to be good; the file that comes with the gateway is one.
#[tokio::test]
async fn check_config_accepts_a_good_file() {
    let folder = TempDir::new();
    file(&folder, include_str!("../../config/gateway.toml"));
    let (code, text) = run(&Setup::new(), &folder, &["check-config", "my.toml"]).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&Setup::new(), &folder, &["check-config"]).await;
    assert_eq!(code, Some(0), "the defaults: {text}");
    let (code, text) = run(&Setup::new(), &folder, &["check-config", "no-such-file.toml"]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("no-such-file.toml"), "{text}");
}

/// An unknown key is refused by its name, in the file and in the environment, and nothing starts.
#[tokio::test]
async fn unknown_keys_are_refused_by_name() {
    let folder = TempDir::new();
    file(&folder, "[server]\nmax_inflight = 3\n");
    let (code, text) = run(&Setup::new(), &folder, &["serve", "--config", "my.toml"]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("max_inflight"), "{text}");
    let (code, text) = run(&Setup::new().set("server.worker", 3), &folder, &["serve"]).await;
    assert_eq!(code, Some(64), "{text}");
    assert!(text.to_lowercase().contains("server.worker"), "{text}");
}

/// `--version` tells the version and nothing else.
#[tokio::test]
async fn the_version_is_told() {
    let (code, text) = run(&Setup::new(), &TempDir::new(), &["--version"]).await;
    assert_eq!((code, text.trim()), (Some(0), concat!("gateway ", env!("CARGO_PKG_VERSION"))));
}

/// A variable that is no text is no reason to fail; one of the gateway's own is told by its name.
#[tokio::test]
async fn variables_that_are_no_text_are_ignored() {
    let folder = TempDir::new();
    let mut command = Setup::new().command(folder.path());
    let invalid = OsStr::from_bytes(b"\xff");
    command.env("X", invalid).env("GATEWAY_LOG__LEVEL", invalid).arg("--version");
    let ran = in_time("the command ends", command.output()).await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(stderr.contains("GATEWAY_LOG__LEVEL") && stderr.lines().count() == 1, "{stderr}");
}

/// The environment wins over the file, and `serve` is the default command.
#[tokio::test]
async fn the_environment_wins_over_the_file() {
    let gateway = Setup::new().toml("[server]\nmax_in_flight = 11\nkeepalive_ms = 22").set("server.keepalive_ms", 33);
    let gateway = gateway.start().await;
    let config = gateway.admin("GET", "/admin/config", None).await.expect(200).json();
    assert_eq!((&config["server"]["max_in_flight"], &config["server"]["keepalive_ms"]), (&11.into(), &33.into()));
    let (gateway, key) = gateway.with_key().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);

    let folder = TempDir::new();
    let taken = Setup::new().set("server.listen", gateway.address);
    let (code, text) = run(&taken, &folder, &[]).await;
    assert!(code.is_some_and(|code| code != 0), "the address is taken: {text}");
    assert!(text.contains("server.listen"), "{text}");
}

/// A provider that is added in the file works like a built-in one.
#[tokio::test]
async fn a_provider_is_four_lines() {
    use crate::harness::FakeProvider;
    use crate::harness::bodies::openai;
    let acme = FakeProvider::answering(openai::answer("from acme")).await;
    let toml = format!(
        "[providers.acme]\ndialect = \"openai\"\nbase_url = \"{}/api/v1\"\napi_key_env = \"ACME_API_KEY\"",
        acme.origin()
    );
    let setup = Setup::new().toml(&toml).env("ACME_API_KEY", "sk-acme");
    let (gateway, key) = setup.start().await.with_key().await;
    let answer = gateway.ask(Request::hello(&key, "acme/their-model")).await.expect(200);
    assert_eq!(answer.content(), "from acme");
    let seen = acme.request(1).await;
    assert_eq!(
        (seen.path.as_str(), seen.header("authorization")),
        ("/api/v1/chat/completions", Some("Bearer sk-acme"))
    );
}
