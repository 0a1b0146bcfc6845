//! Every block of README and of the book does what it says.

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::process::Command;

use super::book::{Block, Page, files_below};
use crate::harness::gateway::{ADMIN_TOKEN, PROGRAM};
use crate::harness::temp_dir::TempDir;
use crate::harness::{Request, Setup};

/// How many seconds a block may take; the machine has other tests to run.
const TEST_TIMEOUT: &str = "60";

/// How long a request of a block waits for a disk that other tests keep busy, as a command is not sent twice.
const STORE_QUERY_TIMEOUT_MS: &str = "5000";

/// A program as a reader starts it: without what is particular to the machine, such as a proxy. What takes too long is ended
/// with all that it started.
pub fn command(program: impl AsRef<std::ffi::OsStr>, folder: &TempDir) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", TEST_TIMEOUT]).arg(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
    command.env("HOME", folder.path()).env("GATEWAY_ADMIN_TOKEN", ADMIN_TOKEN);
    command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs it to its end, which must be a good one, and gives its output.
pub async fn succeed(command: &mut Command, what: &str) -> String {
    let ran = command.output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{what}: {}\n{out}\n{err}", ran.status);
    out.into_owned() + &err
}

fn bash(text: &str, folder: &TempDir) -> Command {
    let mut bash = command("bash", folder);
    bash.args(["-euo", "pipefail", "-c", text]);
    bash
}

fn python(text: &str, folder: &TempDir) -> Command {
    let program = std::env::var_os("GATEWAY_TEST_PYTHON")
        .expect("run scripts/test: it installs the openai package and sets GATEWAY_TEST_PYTHON");
    let mut python = command(program, folder);
    python.args(["-c", text]);
    python
}

/// Runs the commands of a page from top to bottom, as its reader does: in one folder, with one gateway.
async fn run(path: &str) {
    let gateway = Setup::new().set("store.query_timeout_ms", STORE_QUERY_TIMEOUT_MS).start().await;
    let folder = TempDir::new();
    let address = gateway.address.to_string();
    for Block { kind, place, text } in Page::read(path).blocks() {
        let text = text.replace("127.0.0.1:8000", &address).replace("localhost:8000", &address);
        match kind.as_str() {
            "sh" => succeed(&mut bash(&text, &folder), &place).await,
            "python" => succeed(&mut python(&text, &folder), &place).await,
            _ => continue,
        };
    }
}

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        /// The pages with commands.
        const RUN: &[&str] = &[$($path),*];

        $(#[tokio::test]
        async fn $name() {
            run($path).await;
        })*
    };
}

pages! {
    the_commands_of_readme_work: "README.md",
    the_commands_of_budgets_work: "docs/src/guides/budgets.md",
    the_commands_of_coding_agents_work: "docs/src/guides/coding-agents.md",
    the_commands_of_exact_cache_work: "docs/src/guides/exact-cache.md",
    the_commands_of_guardrails_work: "docs/src/guides/guardrails.md",
    the_commands_of_key_rotation_work: "docs/src/guides/key-rotation.md",
    the_commands_of_monitoring_work: "docs/src/guides/monitoring.md",
    the_commands_of_rate_limits_work: "docs/src/guides/rate-limits.md",
    the_commands_of_retries_and_fallbacks_work: "docs/src/guides/retries-and-fallbacks.md",
    the_commands_of_routing_work: "docs/src/guides/routing.md",
    the_commands_of_quick_start_work: "docs/src/quick-start.md",
    the_commands_of_http_api_work: "docs/src/reference/http-api.md",
    the_commands_of_providers_work: "docs/src/reference/providers.md",
}

/// No page with commands is left out above.
#[test]
fn every_page_with_commands_is_run() {
    let has_commands = |page: &Page| page.blocks().iter().any(|block| ["sh", "python"].contains(&block.kind.as_str()));
    let pages: Vec<String> = Page::all().into_iter().filter(has_commands).map(|page| page.path).collect();
    let mut run = RUN.to_vec();
    run.sort_unstable();
    assert_eq!(pages, run);
}

/// README's first two blocks work as pasted into one terminal: the token of the first is the one of the second. The program
/// stands in for `cargo run --release`, on another port.
#[tokio::test]
async fn the_start_of_readme_works_as_pasted() {
    let readme = Page::read("README.md");
    assert!(readme.prose().contains("`scripts/test`"), "README names the command that runs the tests");
    let blocks = readme.blocks();
    let start = blocks.iter().position(|block| block.text.contains("cargo run --release")).expect("a start command");
    assert!(blocks[start].text.contains("export GATEWAY_ADMIN_TOKEN="), "{}", blocks[start].text);
    let pasted = format!("{}{}", blocks[start].text, blocks[start + 1].text);
    let address = format!("127.0.0.1:{}", free_port());
    let pasted = pasted.replace("cargo run --release", PROGRAM).replace("127.0.0.1:8000", &address);
    let folder = TempDir::new();
    // A terminal ends its jobs; a script does so by this line.
    let mut bash = bash(&format!("trap 'kill $(jobs -p)' EXIT\n{pasted}"), &folder);
    bash.env_remove("GATEWAY_ADMIN_TOKEN").env("GATEWAY_SERVER__LISTEN", &address);
    bash.env("GATEWAY_STORE__QUERY_TIMEOUT_MS", STORE_QUERY_TIMEOUT_MS);
    let out = succeed(&mut bash, &blocks[start].place).await;
    assert!(out.contains(r#""provider":"simulator""#), "{out}");
}

/// A port that nobody listens on, below those that systems give away by themselves: nobody else takes it meanwhile.
pub fn free_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = (0..1000).map(|_| first + COUNT.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Every TOML block and every example's file passes `check-config`, its routing configs without a warning; a fragment is at least TOML.
#[tokio::test]
async fn every_configuration_is_accepted() {
    let folder = TempDir::new();
    let blocks = Page::all().iter().flat_map(Page::blocks).collect::<Vec<_>>();
    let mut files: Vec<(String, String)> = Vec::new();
    for Block { kind, place, text } in blocks {
        if kind.starts_with("toml")
            && let Err(error) = text.parse::<toml::Table>()
        {
            panic!("{place}: {error}");
        }
        if kind == "toml" {
            files.push((place, text));
        }
    }
    for path in files_below("examples", "toml") {
        let text = Page::read(&path).text;
        files.push((path, text));
    }
    for (place, text) in files {
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let out = succeed(command(PROGRAM, &folder).args(["check-config", "gateway.toml"]), &place).await;
        assert!(out.contains("gateway.toml: ok\n") && !out.contains("warning: configs"), "{place}: {out}");
    }
}

/// Every JSON block is JSON, and each that is a routing config is accepted as one, even strictly.
#[tokio::test]
async fn every_json_block_is_json() {
    let setup = Setup::new().set("routing.max_total_attempts", 1);
    let (gateway, key) = setup.start().await.with_key().await;
    for Block { kind, place, text } in Page::all().iter().flat_map(Page::blocks) {
        if kind != "json" {
            continue;
        }
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{place}: {error}"));
        if ["strategy", "retry", "cache"].iter().any(|field| json.get(field).is_some()) {
            let request = Request::hello(&key, "sim-text").config(&json).header("x-gateway-config-strict", "true");
            let answer = gateway.ask(request).await;
            assert_ne!(answer.status, 400, "{place}: {}", answer.text());
        }
    }
}
