//! The gateway as a process of its own, in a folder of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::client::{Answer, Request};
use super::fake_provider::FakeProvider;
use super::metrics::Scrape;
use super::reply::Gate;
use super::temp_dir::TempDir;
use super::{TEST_TIMEOUT, in_time};

pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests";

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway");

/// What a gateway is started with.
pub struct Setup {
    environment: Vec<(String, String)>,
    toml: String,
    limits: Option<String>,
}

impl Setup {
    pub fn new() -> Self {
        let setup = Self { environment: Vec::new(), toml: String::new(), limits: None };
        setup.env("GATEWAY_ADMIN_TOKEN", ADMIN_TOKEN).set("server.listen", "127.0.0.1:0").set("server.workers", 2)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(given, _)| given != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets no file grow beyond so many KiB: what is written beyond that is refused, as a full disk does.
    pub fn files_up_to(self, kib: u32) -> Self {
        self.limited(&format!("trap '' XFSZ; ulimit -f {}", kib * 2))
    }

    /// Runs a shell's command before the gateway starts in its place, such as `ulimit -n 600`.
    pub fn limited(self, command: &str) -> Self {
        Self { limits: Some(command.to_owned()), ..self }
    }

    /// Takes a variable away again.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(given, _)| given != name);
        self
    }

    /// Sets a key of the configuration, `server.workers`, by its environment variable.
    pub fn set(self, key: &str, value: impl ToString) -> Self {
        let name = format!("GATEWAY_{}", key.to_uppercase().replace('.', "__"));
        self.env(&name, &value.to_string())
    }

    /// Adds to the configuration file.
    pub fn toml(mut self, text: &str) -> Self {
        self.toml.push_str(text);
        self.toml.push('\n');
        self
    }

    pub fn openai(self, fake: &FakeProvider) -> Self {
        self.set("providers.openai.base_url", fake.origin() + "/v1").env("OPENAI_API_KEY", "sk-openai-own")
    }

    pub fn anthropic(self, fake: &FakeProvider) -> Self {
        self.set("providers.anthropic.base_url", fake.origin()).env("ANTHROPIC_API_KEY", "sk-ant-own")
    }

    pub fn ollama(self, fake: &FakeProvider) -> Self {
        self.set("providers.ollama.base_url", fake.origin())
    }

    /// Starts the gateway and waits until it listens.
    pub async fn start(self) -> Gateway {
        self.start_in(TempDir::new()).await
    }

    /// Starts the gateway in a folder that another one may have used before.
    pub async fn start_in(self, folder: TempDir) -> Gateway {
        self.start_until("listening", folder).await
    }

    /// Starts the gateway and waits until it answers without its store.
    pub async fn start_waiting(self) -> Gateway {
        self.start_until("starting", TempDir::new()).await
    }

    /// The same in a folder that another one may have used before.
    pub async fn start_waiting_in(self, folder: TempDir) -> Gateway {
        self.start_until("starting", folder).await
    }

    /// Starts the gateway, and reads no more of its log once it listens until [`Gateway::read_log`].
    pub async fn start_unread(self) -> Gateway {
        self.start_reading("listening", TempDir::new(), Some(Gate::new())).await
    }

    async fn start_until(self, message: &str, folder: TempDir) -> Gateway {
        self.start_reading(message, folder, None).await
    }

    async fn start_reading(self, message: &str, folder: TempDir, unread: Option<Gate>) -> Gateway {
        std::fs::write(folder.path().join("gateway.toml"), &self.toml).unwrap();
        let mut process = self.command(folder.path());
        let mut process = process.args(["serve", "--config", "gateway.toml"]).spawn().expect("the gateway starts");
        let out = collect(process.stdout.take().unwrap(), unread.clone());
        let err = collect(process.stderr.take().unwrap(), None);
        let address = SocketAddr::from(([0; 4], 0));
        let secrets = Mutex::new(self.secrets());
        let mut gateway = Gateway { folder: Some(folder), process, out, err, unread, address, secrets };
        let listening =
            gateway.wait_for_log(&format!("the gateway is {message}"), |line| line["message"] == message).await;
        gateway.address = listening["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
        gateway
    }

    /// The credentials that the environment holds.
    fn secrets(&self) -> Vec<String> {
        let is_secret = |name: &str| name.ends_with("_KEY") || name.ends_with("_TOKEN");
        let secrets = self.environment.iter().filter(|(name, value)| is_secret(name) && value.len() >= 8);
        secrets.map(|(_, value)| value.clone()).collect()
    }

    /// The program with this environment, in this folder.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = match &self.limits {
            None => Command::new(PROGRAM),
            Some(limits) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), PROGRAM]);
                command
            }
        };
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(folder).kill_on_drop(true);
        if !self.environment.iter().any(|(name, _)| name == "DATABASE_URL") {
            command.env("DATABASE_URL", format!("sqlite://{}/gateway.db", folder.display()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Reads lines; with a gate, those after the one that tells the address only once it opens.
fn collect(source: impl AsyncRead + Unpin + Send + 'static, unread: Option<Gate>) -> watch::Receiver<Vec<String>> {
    let (lines, seen) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut source = BufReader::new(source).lines();
        while let Ok(Some(line)) = source.next_line().await {
            let gate = unread.as_ref().filter(|_| line.contains(r#""listening""#));
            lines.send_modify(|all| all.push(line));
            if let Some(gate) = gate {
                gate.pass().await;
            }
        }
    });
    seen
}

/// A running gateway; dropping it ends the process and removes its folder.
pub struct Gateway {
    pub address: SocketAddr,
    folder: Option<TempDir>,
    process: Child,
    out: watch::Receiver<Vec<String>>,
    err: watch::Receiver<Vec<String>>,
    unread: Option<Gate>,
    secrets: Mutex<Vec<String>>,
}

impl Drop for Gateway {
    /// H1, in every test: no credential is in the log, on standard error or in a file of the gateway; nothing panicked.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut written: Vec<(String, String)> = Vec::new();
        written.extend(self.stdout().into_iter().chain(self.stderr()).map(|line| ("log".to_owned(), line)));
        if let Some(folder) = &self.folder {
            written.extend(texts_below(folder.path()));
        }
        let secrets = self.secrets.lock().unwrap();
        for (place, text) in &written {
            assert!(!text.contains("panicked at"), "{place}: {text}");
            let told = secrets.iter().find(|secret| text.contains(secret.as_str()));
            assert!(told.is_none(), "H1: a secret stands in {place}");
        }
    }
}

/// What the files below a folder hold, but for the configuration, which is the operator's own.
fn texts_below(folder: &Path) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts.extend(texts_below(&path));
        } else if path.file_name().is_some_and(|name| name != "gateway.toml") && path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    texts
}

impl Gateway {
    /// A gateway with the built-in providers in front of this fake OpenAI, and a key for all of them.
    pub async fn before(openai: &FakeProvider) -> (Self, String) {
        Setup::new().openai(openai).start().await.with_key().await
    }

    /// The gateway, and a new key without any limits.
    pub async fn with_key(self) -> (Self, String) {
        let key = self.new_key(json!({})).await;
        (self, key)
    }

    /// Makes a virtual key with these fields; a name is given where there is none.
    pub async fn new_key(&self, fields: Value) -> String {
        let made = self.make_key(fields).await;
        made["virtual_key"].as_str().expect("the key is shown once").to_owned()
    }

    /// Makes a virtual key, and gives the whole answer.
    pub async fn make_key(&self, mut fields: Value) -> Value {
        if fields["name"].is_null() {
            fields["name"] = json!("a test's key");
        }
        let answer = self.admin("POST", "/admin/virtual-keys", Some(fields)).await;
        assert!((200..300).contains(&answer.status), "{}", answer.text());
        let made = answer.json();
        self.secrets.lock().unwrap().extend(made["virtual_key"].as_str().map(str::to_owned));
        made
    }

    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = Request::new(method, path).key(ADMIN_TOKEN);
        self.ask(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Sends a request and waits for the whole answer.
    pub async fn ask(&self, request: Request) -> Answer {
        request.send(self.address).await.answer().await
    }

    /// Sends a request and waits for the head of its stream.
    pub async fn stream(&self, request: Request) -> super::EventStream {
        request.send(self.address).await.stream().await
    }

    /// Every metric now.
    pub async fn scrape(&self) -> Scrape {
        Scrape::parse(self.ask(Request::get("/metrics")).await.expect(200).text())
    }

    /// Polls the metrics until this one has this value.
    pub async fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let deadline = tokio::time::Instant::now() + TEST_TIMEOUT;
        loop {
            let scrape = self.scrape().await;
            let found = scrape.sum(name, labels);
            if scrape.has(name, labels) && (found - value).abs() < 1e-12 {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{name}{labels:?} is {found} instead of {value}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The in-flight gauge is back at zero: no slot is left behind (D7).
    pub async fn wait_until_idle(&self) {
        self.wait_for_metric("llm_requests_in_flight", &[], 0.0).await;
    }

    /// One actor's line of `GET /admin/actors`.
    pub async fn actor(&self, name: &str) -> Value {
        let all = self.admin("GET", "/admin/actors", None).await.expect(200).json();
        let found = all["actors"].as_array().unwrap().iter().find(|actor| actor["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no actor {name} in {all}"))
    }

    /// Waits for a log line.
    pub async fn wait_for_log(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut out = self.out.clone();
        let find = |lines: &[String]| {
            lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| wanted(line))
        };
        let found = tokio::time::timeout(TEST_TIMEOUT, out.wait_for(|lines| find(lines).is_some())).await;
        match found {
            Ok(Ok(lines)) => find(&lines).unwrap(),
            _ => panic!("no log line: {what}; out: {:#?}; err: {:#?}", self.stdout(), self.stderr()),
        }
    }

    /// Waits for the line of the request with this trace id.
    pub async fn request_log(&self, trace_id: &str) -> Value {
        let is_it = |line: &Value| line["message"] == "request" && line["trace_id"] == trace_id;
        self.wait_for_log(&format!("the request with the trace id {trace_id}"), is_it).await
    }

    /// Reads the log on, which was left unread.
    pub fn read_log(&self) {
        self.unread.as_ref().expect("started unread").open();
    }

    pub fn stdout(&self) -> Vec<String> {
        self.out.borrow().clone()
    }

    pub fn stderr(&self) -> Vec<String> {
        self.err.borrow().clone()
    }

    pub fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Bytes of memory of the process as Linux counts them: `VmRSS` now, `VmHWM` at most since the peak was forgotten.
    pub fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).expect("a line of it");
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Lets the peak begin at what is used now.
    pub fn forget_peak(&self) {
        std::fs::write(self.proc("clear_refs"), "5").unwrap();
    }

    /// The number that the process' next descriptor gets.
    pub fn next_descriptor(&self) -> usize {
        let open: Vec<_> =
            std::fs::read_dir(self.proc("fd")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        (0..).find(|number: &usize| !open.iter().any(|name| *name == *number.to_string())).unwrap()
    }

    /// Lets the process open no more descriptors than those below so many.
    pub async fn limit_descriptors(&self, most: usize) {
        let pid = self.process.id().expect("the gateway runs");
        let (pid, limit) = (format!("--pid={pid}"), format!("--nofile={most}:"));
        assert!(Command::new("prlimit").args([pid, limit]).status().await.unwrap().success());
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.process.id().expect("the gateway runs"))
    }

    /// The process' id.
    pub fn pid(&self) -> u32 {
        self.process.id().expect("the gateway runs")
    }

    /// Sends SIGTERM.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends a signal by its name without SIG.
    pub async fn signal(&self, name: &str) {
        let pid = self.process.id().expect("the gateway runs");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Waits for the process to end.
    pub async fn exit(&mut self) -> ExitStatus {
        in_time("the gateway ends", self.process.wait()).await.unwrap()
    }

    /// The folder of a process that has ended, for another to go on with.
    pub fn into_folder(mut self) -> TempDir {
        self.folder.take().unwrap()
    }

    /// Kills the process with SIGKILL and gives its folder, for another to go on with.
    pub async fn kill(mut self) -> TempDir {
        self.process.kill().await.unwrap();
        self.folder.take().unwrap()
    }

    /// Ends the process and gives its folder, for another to go on with.
    pub async fn stop(mut self) -> TempDir {
        self.terminate().await;
        assert!(self.exit().await.success());
        self.folder.take().unwrap()
    }
}
