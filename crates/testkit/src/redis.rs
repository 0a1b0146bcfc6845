//! A Redis server of the tests' own: a free loopback port, nothing on disk, gone with the test process however that
//! ends. It needs the program `redis-server`, of Debian's package of that name.

use std::process::Command;

use crate::server::ServerScript;

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
    script: ServerScript,
    port: u16,
}

impl TestRedis {
    /// A server for one test.
    pub fn start() -> Self {
        let started = ServerScript::start(KEEPER, &[], &[]);
        let (script, port) = started.expect("Redis starts: install Debian's package redis-server");
        Self { script, port }
    }

    /// Its address, with a password that nothing may tell.
    pub fn url(&self) -> String {
        format!("redis://:canary-redis@127.0.0.1:{}/0", self.port)
    }

    /// Ends the server at once, as a crash does.
    pub fn stop(&self) {
        self.script.say("stop");
    }

    /// Starts it again, empty.
    pub fn start_again(&self) {
        self.script.say("start");
    }

    /// Lets it hang: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.script.say("freeze");
    }

    /// Ends what [`TestRedis::freeze`] began.
    pub fn thaw(&self) {
        self.script.say("thaw");
    }

    /// Takes away all that it holds.
    pub fn flush(&self) {
        self.script.say("flush");
    }

    /// Runs `redis-cli` as an operator does, and gives what it prints.
    pub fn cli(&self, arguments: &str) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "--no-auth-warning", "-a", "canary-redis"]);
        let output = command.args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "redis-cli refuses {arguments}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
