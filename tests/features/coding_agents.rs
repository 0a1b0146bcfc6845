//! Claude Code and Codex CLI, the real programs, before each kind of upstream.
//!
//! Some 800 MB: `scripts/test --long` installs them below `target/clients`, from npm.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::bodies::scene::{Part, Scene, Upstream};
use crate::harness::temp_dir::TempDir;
use crate::harness::upstreams::Upstreams;
use crate::harness::{Gateway, Reply};

/// How long an agent may take for one task.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the models say when the file is made.
const DONE: &str = "The file is there.";

/// An agent, the path of its program below `target/clients/node_modules`, and the one tool by which it makes a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agent {
    ClaudeCode,
    Codex,
}

impl Agent {
    /// The program; none where it is not installed, which is said.
    fn program(self) -> Option<PathBuf> {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/node_modules");
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let triple = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
        let program = modules.join(match self {
            Self::ClaudeCode => format!("@anthropic-ai/claude-code-linux-{arch}/claude"),
            Self::Codex => format!("@openai/codex-linux-{arch}/vendor/{triple}-unknown-linux-musl/bin/codex"),
        });
        let is_wanted = std::env::var_os("GATEWAY_LONG_TESTS").is_some();
        if !is_wanted || !program.exists() {
            println!("skipped: scripts/test --long runs it where npm can be reached");
            return None;
        }
        Some(program)
    }

    /// Lets it do one task in a folder of its own; gives what it printed.
    async fn run(self, program: &Path, gateway: &Gateway, key: &str, model: &str, work: &Path) -> String {
        let home = work.join(".home");
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", &home);
        command.current_dir(work).stdin(Stdio::null()).kill_on_drop(true);
        let (origin, task) = (format!("http://{}", gateway.address), "Create the file made.txt.");
        match self {
            Self::ClaudeCode => {
                command.env("ANTHROPIC_BASE_URL", origin).env("ANTHROPIC_API_KEY", key);
                command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
                command.args(["-p", task, "--model", model, "--allowedTools", "Write"]);
            }
            Self::Codex => {
                let settings = format!(
                    "model = \"{model}\"\nmodel_provider = \"gateway\"\n[model_providers.gateway]\nname = \"gateway\"\n\
                     base_url = \"{origin}/v1\"\nenv_key = \"GATEWAY_KEY\"\nwire_api = \"responses\"\n"
                );
                std::fs::write(home.join("config.toml"), settings).unwrap();
                command.env("CODEX_HOME", &home).env("GATEWAY_KEY", key);
                command.args(["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", task]);
            }
        }
        let ran = tokio::time::timeout(PATIENCE, command.output()).await.expect("the agent ends in time").unwrap();
        String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
    }
}

/// The first step calls whichever tool of the agent makes files; the second, which has its result, says so.
fn two_steps(upstream: Upstream, body: &Value) -> Reply {
    let text = body.to_string();
    let results = [r#""role":"tool""#, r#""type":"tool_result""#, r#""type":"function_call_output""#];
    if results.iter().any(|result| text.contains(result)) {
        return upstream.reply(&Scene::text(DONE), body);
    }
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    let has = |name: &str| tools.iter().any(|tool| tool["name"] == name || tool["function"]["name"] == name);
    let (name, arguments) = if has("functions__exec") {
        // The newest models of Codex are given a program's text instead.
        let program =
            "const made = await tools.exec_command({cmd: \"echo made > made.txt\"}); text(JSON.stringify(made));";
        ("functions__exec", json!({ "input": program }))
    } else if has("Write") {
        // Claude Code tells its model the folder in which it works.
        let folder = text.split("Primary working directory: ").nth(1).and_then(|rest| rest.split("\\n").next());
        let path = format!("{}/made.txt", folder.unwrap_or("the folder is not told"));
        ("Write", json!({ "file_path": path, "content": "made\n" }))
    } else {
        ("exec_command", json!({ "cmd": "echo made > made.txt" }))
    };
    let call = Part::Call { id: "call_a1", name: name.to_owned(), arguments };
    upstream.reply(&Scene::of([call]), body)
}

async fn works_on_every_upstream(agent: Agent) {
    let Some(program) = agent.program() else { return };
    let upstreams = Upstreams::answering(two_steps).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for upstream in ["chat", "claude", "llama"] {
        let work = TempDir::new();
        let said = agent.run(&program, &gateway, &key, &format!("{upstream}/any"), work.path()).await;
        let made = std::fs::read_to_string(work.path().join("made.txt"));
        let asked = upstreams.named(upstream).requests();
        let asked: Vec<String> = asked.iter().map(|request| request.body.to_string()).collect();
        assert_eq!(made.ok().as_deref(), Some("made\n"), "{upstream}: {said}\n{asked:#?}");
        assert!(said.contains(DONE), "{upstream}: {said}");
        assert_eq!(asked.len(), 2, "one request a step before {upstream}: {said}\n{asked:#?}");
        let billing = asked.iter().any(|body| body.contains("x-anthropic-billing-header"));
        assert!(!billing || upstream == "claude", "J17: {asked:#?}");
    }
}

/// A key without any money left: one request, which reaches no provider, and the agent says why.
async fn stops_at_the_end_of_a_budget(agent: Agent) {
    let Some(program) = agent.program() else { return };
    let upstreams = Upstreams::answering(two_steps).await;
    let prices = "[budgets.ceiling_price]\ninput = \"1\"\noutput = \"1\"";
    let gateway = upstreams.setup().toml(prices).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 0 })).await;
    for upstream in ["chat", "claude", "llama"] {
        let before = requests(&gateway);
        let work = TempDir::new();
        let said = agent.run(&program, &gateway, &key, &format!("{upstream}/any"), work.path()).await;
        assert_eq!(requests(&gateway) - before, 1, "{upstream}: {said}");
        assert!(said.contains("budget") || said.contains("Quota"), "{upstream}: {said}");
    }
    assert_eq!(upstreams.counts(), [0; 4]);
}

/// What stays until somebody acts: a model without a price, and a provider without a credential.
async fn gives_up_at_once(agent: Agent) {
    let Some(program) = agent.program() else { return };
    let upstreams = Upstreams::answering(two_steps).await;
    let gateway = upstreams.setup().start().await;
    let budget = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    let free = gateway.new_key(json!({})).await;
    for (key, model, says) in [(&budget, "chat/any", "price"), (&free, "groq/any", "GROQ_API_KEY")] {
        let before = requests(&gateway);
        let work = TempDir::new();
        let said = agent.run(&program, &gateway, key, model, work.path()).await;
        assert_eq!(requests(&gateway) - before, 1, "{model}: {said}\n{:#?}", gateway.stdout());
        assert!(said.contains(says), "{model}: {said}");
    }
    assert_eq!(upstreams.counts(), [0; 4]);
}

/// Requests to models that the gateway has logged.
fn requests(gateway: &Gateway) -> usize {
    let is_one = |line: &&String| line.contains(r#""message":"request""#);
    gateway.stdout().iter().filter(is_one).count()
}

/// J2, J16, J17: Claude Code makes a file through a tool, with one request a step, before each kind of upstream.
#[tokio::test]
async fn claude_code_works_on_every_upstream() {
    works_on_every_upstream(Agent::ClaudeCode).await;
}

/// J1, J10: Codex makes a file through its shell, with one request a step, before each kind of upstream.
#[tokio::test]
async fn codex_works_on_every_upstream() {
    works_on_every_upstream(Agent::Codex).await;
}

/// J10: Codex offers other tools for each family of models, among them custom ones in a namespace.
#[tokio::test]
async fn codex_works_with_the_tools_of_newer_models() {
    let Some(program) = Agent::Codex.program() else { return };
    let upstreams = Upstreams::answering(two_steps).await;
    let gateway = upstreams.setup().start().await;
    for (at, model) in ["gpt-5.1", "gpt-5.6-sol"].into_iter().enumerate() {
        let key = gateway.new_key(json!({ "provider": "chat" })).await;
        let work = TempDir::new();
        let said = Agent::Codex.run(&program, &gateway, &key, model, work.path()).await;
        let made = std::fs::read_to_string(work.path().join("made.txt"));
        assert_eq!(made.ok().as_deref(), Some("made\n"), "{model}: {said}");
        assert_eq!(upstreams.named("chat").count(), 2 * (at + 1), "{model}: {said}");
    }
}

/// J3: a used-up budget costs Claude Code one request.
#[tokio::test]
async fn claude_code_stops_at_the_end_of_a_budget() {
    stops_at_the_end_of_a_budget(Agent::ClaudeCode).await;
}

/// J3: a used-up budget costs Codex one request.
#[tokio::test]
async fn codex_stops_at_the_end_of_a_budget() {
    stops_at_the_end_of_a_budget(Agent::Codex).await;
}

/// J3: what stays until somebody acts costs Claude Code one request.
#[tokio::test]
async fn claude_code_gives_up_what_stays() {
    gives_up_at_once(Agent::ClaudeCode).await;
}

/// J3: what stays until somebody acts costs Codex one request.
#[tokio::test]
async fn codex_gives_up_what_stays() {
    gives_up_at_once(Agent::Codex).await;
}
