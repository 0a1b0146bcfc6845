//! A PostgreSQL server of the tests' own: a temporary folder, a free loopback port, gone with the test process however
//! that ends. It needs the programs of Debian's package `postgresql`.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use crate::server::ServerScript;

const KEEPER: &str = r#"
trap '' HUP INT TERM
bin=$1 port=$2
folder=$(mktemp -d "${TMPDIR:-/tmp}/gateway-postgres-XXXXXX") || exit 1
start() {
    "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -s -w -t 60 start
}
"$bin/initdb" -D "$folder/data" -U gateway -A trust -E UTF8 --locale=C --no-sync >"$folder/initdb" 2>&1 || cat "$folder/initdb" >&2
echo 'host all locked all scram-sha-256' | cat - "$folder/data/pg_hba.conf" >"$folder/hba" && cat "$folder/hba" >"$folder/data/pg_hba.conf"
cat >>"$folder/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
fsync = off
full_page_writes = off
max_connections = 200
shared_buffers = 64MB
END
if start; then echo ready; else cat "$folder/log" >&2; echo failed; fi
while read -r word; do
    case $word in
        stop) "$bin/pg_ctl" -D "$folder/data" -s -m immediate stop ;;
        # A client may hold the port that was free for a while.
        start) for try in 1 2 3 4 5; do start && break; sleep 1; done ;;
        encrypt)
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                -keyout "$folder/data/server.key" -out "$folder/data/server.crt" 2>"$folder/openssl"
            echo 'ssl = on' >>"$folder/data/postgresql.conf"
            "$bin/pg_ctl" -D "$folder/data" -s -m immediate stop
            start ;;
        freeze) for pid in $(head -1 "$folder/data/postmaster.pid") $(pgrep -P "$(head -1 "$folder/data/postmaster.pid")"); do kill -STOP "$pid"; done ;;
        thaw) for pid in $(head -1 "$folder/data/postmaster.pid") $(pgrep -P "$(head -1 "$folder/data/postmaster.pid")"); do kill -CONT "$pid"; done ;;
    esac
    echo "$word done"
done
"$bin/pg_ctl" -D "$folder/data" -s -m immediate stop
rm -rf "$folder"
"#;

/// A running server.
pub struct TestPostgres {
    bin: PathBuf,
    script: ServerScript,
    port: u16,
    databases: AtomicU32,
}

impl TestPostgres {
    /// The server that all tests of the process share; each takes a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server for one test, which may stop it.
    pub fn start() -> Self {
        let bin = programs();
        let started = ServerScript::start(KEEPER, &[bin.to_str().unwrap()], &unprivileged());
        let (script, port) = started.expect("PostgreSQL starts; its own words are above");
        Self { bin, script, port, databases: AtomicU32::new(0) }
    }

    /// The address of a new, empty database. Its password is never asked for, except of a role `locked`; no error may tell
    /// it.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://gateway:canary-password@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL as an operator does, and gives what psql prints: a line a row, columns apart by `|`.
    pub fn psql(&self, url: &str, sql: &str) -> String {
        self.try_psql(url, sql).unwrap_or_else(|refusal| panic!("psql refuses {sql}: {refusal}"))
    }

    /// Runs SQL that may be refused.
    pub fn try_psql(&self, url: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args([url, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        let psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    /// Stops the server at once, as a crash does.
    pub fn stop(&self) {
        self.script.say("stop");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.script.say("start");
    }

    /// Lets it encrypt from now on, and gives the file of its certificate, which is one for `localhost`.
    pub fn encrypt(&self) -> String {
        self.script.say("encrypt");
        self.psql(&self.url("postgres"), "SHOW data_directory") + "/server.crt"
    }

    /// Lets it hang: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.script.say("freeze");
    }

    /// Ends what [`TestPostgres::freeze`] began.
    pub fn thaw(&self) {
        self.script.say("thaw");
    }
}

/// The newest server programs that are installed.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    let number = |path: &PathBuf| path.iter().rev().nth(1).and_then(|name| name.to_str()?.parse::<u32>().ok());
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let on_path = env::var_os("PATH").unwrap_or_default();
    let found = versions.into_iter().chain(env::split_paths(&on_path)).find(|folder| folder.join("initdb").exists());
    found.expect("these tests need PostgreSQL: install Debian's package postgresql, or put initdb and pg_ctl on PATH")
}

/// The command that goes before another to run it as somebody else, where this process is root, which PostgreSQL refuses
/// to be.
fn unprivileged() -> Vec<String> {
    if fs::metadata(format!("/proc/{}", process::id())).unwrap().uid() != 0 {
        return Vec::new();
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let command = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut ids = line.split(':').skip(2);
        let (user, group) = (ids.next()?, ids.next()?);
        Some(format!("setpriv --reuid={user} --regid={group} --clear-groups"))
    };
    let command = command("postgres").or_else(|| command("nobody")).expect("a user postgres or nobody");
    command.split(' ').map(str::to_owned).collect()
}
