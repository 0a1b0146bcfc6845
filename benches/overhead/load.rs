//! The load: closed loops over raw keep-alive connections, every answer checked.

use std::time::{Duration, Instant};

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream::EVENTS;
use crate::usage;

/// In which format streams are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Chat,
    Messages,
    Responses,
}

/// What one cell measured.
pub struct Measured {
    pub cpu_us: f64,
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
}

/// Loads a port with a request for a while, as wrk does: each connection asks again once it is answered.
pub async fn run(
    port: u16,
    (request, events): (&[u8], Events),
    connections: usize,
    time: Duration,
    processes: &[u32],
) -> Measured {
    let mut sockets = Vec::new();
    for _ in 0..connections {
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.set_nodelay(true).unwrap();
        sockets.push(socket);
    }
    let local = tokio::task::LocalSet::new();
    let before = usage::cpu_ns(processes);
    let begun = Instant::now();
    let end = begun + time;
    let loops = sockets.into_iter().map(|socket| local.spawn_local(closed_loop(socket, request.to_vec(), events, end)));
    let loops: Vec<_> = loops.collect();
    let mut latencies = Vec::new();
    local
        .run_until(async {
            for one in loops {
                latencies.extend(one.await.unwrap());
            }
        })
        .await;
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu = usage::cpu_ns(processes) - before;
    latencies.sort_unstable();
    let count = latencies.len();
    assert!(count > 0, "nothing was answered");
    let at = |share: f64| latencies[((count - 1) as f64 * share) as usize] as f64 / 1e3;
    Measured {
        cpu_us: cpu as f64 / 1e3 / count as f64,
        per_second: count as f64 / elapsed,
        p50_us: at(0.5),
        p99_us: at(0.99),
    }
}

/// How many events an answer has: none where it comes whole.
#[derive(Clone, Copy)]
pub enum Events {
    None,
    Exactly(usize),
    AtLeast(usize),
}

async fn closed_loop(mut socket: TcpStream, request: Vec<u8>, expected: Events, end: Instant) -> Vec<u64> {
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(64 << 10);
    while Instant::now() < end {
        let sent = Instant::now();
        socket.write_all(&request).await.unwrap();
        buffer.clear();
        read_answer(&mut socket, &mut buffer).await;
        latencies.push(sent.elapsed().as_nanos() as u64);
        assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
        let events = match expected {
            Events::None => continue,
            Events::Exactly(_) | Events::AtLeast(_) => memmem::find_iter(&buffer, b"data: ").count(),
        };
        let is_whole = match expected {
            Events::Exactly(count) => events == count,
            Events::AtLeast(count) => events >= count,
            Events::None => true,
        };
        assert!(is_whole, "{}", String::from_utf8_lossy(&buffer));
    }
    latencies
}

/// Reads one answer to its end.
pub async fn read_answer(socket: &mut TcpStream, buffer: &mut Vec<u8>) {
    let mut needed = None;
    let mut chunked = false;
    loop {
        assert!(socket.read_buf(buffer).await.unwrap() > 0, "closed: {}", String::from_utf8_lossy(buffer));
        if needed.is_none()
            && !chunked
            && let Some(at) = memmem::find(buffer, b"\r\n\r\n")
        {
            // Cheap, as wrk is: what the load takes of the machine, the proxies lack.
            needed = buffer[..at].split(|byte| *byte == b'\n').find_map(|line| {
                let (name, value) = line.split_at_checked(15)?;
                let value = std::str::from_utf8(value).unwrap().trim();
                name.eq_ignore_ascii_case(b"content-length:").then(|| at + 4 + value.parse::<usize>().unwrap())
            });
            chunked = needed.is_none();
        }
        if needed.is_some_and(|needed| buffer.len() >= needed) || (chunked && buffer.ends_with(b"0\r\n\r\n")) {
            return;
        }
    }
}

/// A request for a stream as it goes over the wire, and the events that come.
pub fn streamed(key: &str, format: Format) -> (Vec<u8>, Events) {
    match format {
        Format::Chat => (request(key, true, "Hello!"), Events::Exactly(EVENTS + 1)),
        Format::Messages => {
            let body = r#"{"model":"gpt-4o-mini","stream":true,"max_tokens":500,"messages":[{"role":"user","content":"Hello!"}]}"#;
            (head("POST", "/v1/messages", key, body), Events::AtLeast(EVENTS))
        }
        Format::Responses => {
            let body = r#"{"model":"gpt-4o-mini","stream":true,"store":false,"input":"Hello!"}"#;
            (head("POST", "/v1/responses", key, body), Events::AtLeast(EVENTS))
        }
    }
}

/// A chat request as it goes over the wire.
pub fn request(key: &str, stream: bool, text: &str) -> Vec<u8> {
    let stream = if stream { r#""stream":true,"# } else { "" };
    let body = format!(
        r#"{{"model":"gpt-4o-mini",{stream}"temperature":0.7,"messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{text}"}}]}}"#
    );
    head("POST", "/v1/chat/completions", key, &body)
}

fn head(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         accept: application/json\r\nuser-agent: bench\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The body of a GET.
pub async fn get(port: u16, path: &str) -> Vec<u8> {
    exchange(port, head("GET", path, "", "")).await
}

/// The body of the answer to a question.
pub async fn ask(port: u16, key: &str, question: &str) -> String {
    String::from_utf8(exchange(port, request(key, false, question)).await).unwrap()
}

/// The body of the answer to a POST.
pub async fn post(port: u16, path: &str, key: &str, body: &str) -> Vec<u8> {
    exchange(port, head("POST", path, key, body)).await
}

async fn exchange(port: u16, request: Vec<u8>) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    socket.write_all(&request).await.unwrap();
    let mut buffer = Vec::new();
    read_answer(&mut socket, &mut buffer).await;
    let at = buffer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    buffer.split_off(at)
}
