//! A Redis server of the tests' own: a free loopback port, nothing on disk, gone with the test process however that
//! ends. It needs the program `redis-server`, of Debian's package of that name.
//!
//! Only the standard library is used, so that tests of other packages can take this file in by its path.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Starts the server, does what it is told line by line, and stops it when its input ends.
const KEEPER: &str = r#"
port=$1
start() {
    redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --requirepass canary-redis >/dev/null &
    pid=$!
    for _ in $(seq 200); do
        answer=$(redis-cli -p "$port" --no-auth-warning -a canary-redis ping 2>/dev/null)
        [ "$answer" = PONG ] && return 0
        kill -0 $pid 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
start && echo ready || echo failed
while read -r word; do
    case $word in
        stop) kill -KILL $pid; wait $pid 2>/dev/null ;;
        start) start ;;
        freeze) kill -STOP $pid ;;
        thaw) kill -CONT $pid ;;
        flush) redis-cli -p "$port" --no-auth-warning -a canary-redis flushall >/dev/null ;;
    esac
    echo "$word done"
done
kill -CONT $pid 2>/dev/null
kill -KILL $pid 2>/dev/null
"#;

/// A running server.
pub struct TestRedis {
    port: u16,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl TestRedis {
    /// A server for one test.
    pub fn start() -> Self {
        // Another process may take the port that was free a moment ago.
        let started = (0..5).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut keeper = keeper(port);
            (keeper.line() == "ready").then_some((port, keeper))
        });
        let (port, keeper) = started.expect("Redis starts: install Debian's package redis-server");
        Self { port, keeper: Mutex::new(keeper) }
    }

    /// Its address, with a password that nothing may tell.
    pub fn url(&self) -> String {
        format!("redis://:canary-redis@127.0.0.1:{}/0", self.port)
    }

    /// Ends the server at once, as a crash does.
    pub fn stop(&self) {
        self.say("stop");
    }

    /// Starts it again, empty.
    pub fn start_again(&self) {
        self.say("start");
    }

    /// Lets it hang: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.say("freeze");
    }

    /// Ends what [`TestRedis::freeze`] began.
    pub fn thaw(&self) {
        self.say("thaw");
    }

    /// Takes away all that it holds.
    pub fn flush(&self) {
        self.say("flush");
    }

    /// Runs `redis-cli` as an operator does, and gives what it prints.
    pub fn cli(&self, arguments: &str) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "--no-auth-warning", "-a", "canary-redis"]);
        let output = command.args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "redis-cli refuses {arguments}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn say(&self, word: &str) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(keeper.input.as_mut().unwrap(), "{word}").unwrap();
        assert_eq!(keeper.line(), format!("{word} done"));
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.input.take());
        let _ended = keeper.process.wait();
    }
}

impl Keeper {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

fn keeper(port: u16) -> Keeper {
    // A session of its own, so that Ctrl-C ends the tests and not their keeper.
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", KEEPER, "keeper"]).arg(port.to_string());
    let mut process = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = process.stdin.take();
    let output = BufReader::new(process.stdout.take().unwrap());
    Keeper { process, input, output }
}
