//! What keeps a server of the tests' own: a shell script that starts it on a free loopback port, does what it is told line
//! by line, and stops it when its input ends, which the kernel sees to even where the test process is killed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A running script.
pub struct ServerScript(Mutex<Running>);

struct Running {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl ServerScript {
    /// Starts the script with these arguments and a port; gives the port too. None where the server does not start.
    pub fn start(script: &str, arguments: &[&str], user: &[String]) -> Option<(Self, u16)> {
        // Another process may take the port that was free a moment ago.
        (0..5).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut running = Running::start(script, arguments, port, user);
            (running.line() == "ready").then(|| (Self(Mutex::new(running)), port))
        })
    }

    /// Says one word and waits until it is done.
    pub fn say(&self, word: &str) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(running.input.as_mut().unwrap(), "{word}").unwrap();
        assert_eq!(running.line(), format!("{word} done"));
    }
}

impl Drop for ServerScript {
    fn drop(&mut self) {
        let running = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(running.input.take());
        let _ended = running.process.wait();
    }
}

impl Running {
    /// As another user where a command for that is given, and in a session of its own, so that Ctrl-C ends the tests and
    /// not their keeper.
    fn start(script: &str, arguments: &[&str], port: u16, user: &[String]) -> Self {
        let mut command = Command::new("env");
        command.args(user).args(["setsid", "sh", "-c", script, "keeper"]).args(arguments).arg(port.to_string());
        let mut process = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}
