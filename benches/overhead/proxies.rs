//! The processes under comparison, on private ports.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{load, soak, usage};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn listening(port: u16) {
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing listens on {port}");
}

/// Waits until a gateway is ready: it listens, and answers 503 or closes, before its store is open.
async fn ready(port: u16) {
    for _ in 0..500 {
        if is_ready(port).await.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the gateway on {port} is not ready");
}

async fn is_ready(port: u16) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.write_all(b"GET /health/ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The static provider.
pub struct Upstream {
    _process: Process,
    pub port: u16,
}

impl Upstream {
    pub async fn start() -> Self {
        let port = free_port();
        let program = std::env::current_exe().unwrap();
        let process = Command::new(program).args(["--upstream", &port.to_string()]).spawn().unwrap();
        listening(port).await;
        Self { _process: Process(process), port }
    }

    /// Connections that are open to it.
    pub async fn connections(&self) -> usize {
        String::from_utf8(load::get(self.port, "/").await).unwrap().parse().unwrap()
    }
}

/// nginx as a reverse proxy.
pub struct Nginx {
    process: Process,
    pub buffered_port: u16,
    pub unbuffered_port: u16,
}

impl Nginx {
    pub async fn start(folder: &Path, upstream: u16) -> Self {
        if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
            eprintln!("nginx is missing; trying: apt-get install -y nginx-light");
            let installed = Command::new("apt-get").args(["install", "-y", "-qq", "nginx-light"]).status();
            assert!(
                installed.is_ok_and(|status| status.success()),
                "install nginx, for example: apt-get install nginx-light"
            );
        }
        let (buffered_port, unbuffered_port) = (free_port(), free_port());
        let server = |port: u16, buffering: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port}; access_log {0}/access.log; location / {{ proxy_pass http://up; \
                 proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering {buffering}; }} }}",
                folder.display()
            )
        };
        let config = format!(
            "daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/error.log; events {{ worker_connections 4096; }}
             http {{ keepalive_requests 10000000; client_body_temp_path {0}/b; proxy_temp_path {0}/p;
             fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
             upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 10000000; }}
             {1} {2} }}",
            folder.display(),
            server(buffered_port, "on"),
            server(unbuffered_port, "off"),
        );
        let path = folder.join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let process = Command::new("nginx").arg("-p").arg(folder).arg("-c").arg(&path).stderr(Stdio::null()).spawn();
        let process = Process(process.unwrap());
        listening(buffered_port).await;
        listening(unbuffered_port).await;
        Self { process, buffered_port, unbuffered_port }
    }

    pub fn processes(&self) -> Vec<u32> {
        let master = self.process.0.id();
        let mut all = usage::children(master);
        all.push(master);
        all
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A killed master would leave its worker behind.
        let _ = Command::new("kill").args(["-s", "TERM", &self.process.0.id().to_string()]).status();
        let _ = self.process.0.wait();
    }
}

/// The bare handler.
pub struct Floor {
    process: Process,
    pub port: u16,
}

impl Floor {
    pub async fn start(upstream: u16) -> Self {
        let port = free_port();
        let program = std::env::current_exe().unwrap();
        let ports = [port.to_string(), upstream.to_string()];
        let process = Process(Command::new(program).arg("--floor").args(ports).spawn().unwrap());
        listening(port).await;
        Self { process, port }
    }

    pub fn process(&self) -> u32 {
        self.process.0.id()
    }
}

/// The gateway with everything on.
pub struct Gateway {
    process: Process,
    pub port: u16,
    pub key: String,
    /// One with a budget and a credential of its own.
    pub full_key: String,
    pub cached_key: String,
    pub meaning_key: String,
}

/// Two questions of the same meaning.
const MEANING: [&str; 2] =
    ["How do I reset my email password?", "Could you please tell me how to reset my email password?"];

async fn new_key(port: u16, body: &str) -> String {
    let answer = load::post(port, "/admin/virtual-keys", "bench", body).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    answer["virtual_key"].as_str().expect("a virtual key").to_owned()
}

/// The variable of `budgets.log_unbudgeted`. Former builds refuse it: they call it `budgets.log_all`.
fn log_variable(program: &str, folder: &Path) -> &'static str {
    let name = "GATEWAY_BUDGETS__LOG_UNBUDGETED";
    let mut check = Command::new(program);
    check
        .current_dir(folder)
        .env_clear()
        .env(name, "true")
        .arg("check-config")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if check.status().unwrap().success() { name } else { "GATEWAY_BUDGETS__LOG_ALL" }
}

impl Gateway {
    /// With the usage log for every key, or only for keys with a budget; on SQLite, or on the stores whose addresses are
    /// given. `binary` is another build than the one of this run.
    pub async fn start(
        binary: Option<&str>,
        folder: &Path,
        upstream: u16,
        log_unbudgeted: bool,
        stores: &[(&str, String)],
    ) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let port = free_port();
        let program = binary.unwrap_or(env!("CARGO_BIN_EXE_gateway"));
        let log_variable = log_variable(program, folder);
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().args(["serve"]);
        // For trying a setting: GATEWAY_LOG__REQUESTS=false cargo bench …
        command.envs(std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")));
        for (name, value) in [
            ("GATEWAY_ADMIN_TOKEN", "bench".to_owned()),
            ("GATEWAY_SERVER__LISTEN", format!("127.0.0.1:{port}")),
            ("GATEWAY_SERVER__WORKERS", "1".to_owned()),
            (log_variable, log_unbudgeted.to_string()),
            ("GATEWAY_SERVER__MAX_IN_FLIGHT", "100000".to_owned()),
            ("GATEWAY_CONFIGS__CACHED", r#"{ cache = { mode = "simple" } }"#.to_owned()),
            ("GATEWAY_CONFIGS__MEANING", r#"{ cache = { mode = "semantic" } }"#.to_owned()),
            ("GATEWAY_LOG__FILE", format!("{}/gateway.log", folder.display())),
            ("GATEWAY_PROVIDERS__OPENAI__BASE_URL", format!("http://127.0.0.1:{upstream}/v1")),
            ("OPENAI_API_KEY", "sk-bench".to_owned()),
        ] {
            command.env(name, value);
        }
        command.envs(stores.iter().map(|(name, value)| (name, value)));
        let process = Process(command.spawn().unwrap());
        listening(port).await;
        ready(port).await;
        let key = new_key(port, r#"{"name":"bench","rate_limit":1000000000}"#).await;
        let full = r#"{"name":"bench","rate_limit":1000000000,"budget_limit_usd":1000000,"provider":"openai","real_api_key":"sk-own"}"#;
        let full_key = new_key(port, full).await;
        let cached = r#"{"name":"bench","rate_limit":1000000000,"config":"cached"}"#;
        let cached_key = new_key(port, cached).await;
        let meaning = r#"{"name":"bench","rate_limit":1000000000,"config":"meaning"}"#;
        let meaning_key = new_key(port, meaning).await;
        Self { process, port, key, full_key, cached_key, meaning_key }
    }

    /// One that answers the question that it gives from the answer to another one; none without a model.
    pub async fn by_meaning(folder: &Path, upstream: u16) -> Option<(Self, &'static str)> {
        let models = concat!(env!("CARGO_MANIFEST_DIR"), "/target/models");
        if !Path::new(models).exists() {
            println!("there is no row with semantic hits: scripts/test fetches the model into {models}");
            return None;
        }
        let settings = [
            ("GATEWAY_CACHE__SEMANTIC__CACHE_PATH", models.to_owned()),
            ("GATEWAY_CACHE__SEMANTIC__OFFLINE", "true".to_owned()),
            ("GATEWAY_CACHE__SEMANTIC__LOAD_AT_START", "true".to_owned()),
            // All connections wait for one thread that embeds.
            ("GATEWAY_CACHE__SEMANTIC__EMBED_TIMEOUT_MS", "10000".to_owned()),
        ];
        let gateway = Self::start(None, folder, upstream, false, &settings).await;
        let [asked_before, question] = MEANING;
        for _ in 0..1_000 {
            load::ask(gateway.port, &gateway.meaning_key, asked_before).await;
            // Not before: the other question would then have an answer of its own.
            if soak::gauge(&gateway, "semantic_cache_questions").await == 1.0 {
                let answer = load::ask(gateway.port, &gateway.meaning_key, question).await;
                assert!(answer.contains("\"similarity\""), "{answer}");
                return Some((gateway, question));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the model is not ready");
    }

    /// A new key with a budget, which is spent by the day.
    pub async fn new_budgeted_key(&self) -> String {
        let fields = r#"{"name":"bench","rate_limit":1000000000,"budget_limit_usd":1000000,"budget_period":"day"}"#;
        new_key(self.port, fields).await
    }

    pub fn process(&self) -> u32 {
        self.process.0.id()
    }
}
