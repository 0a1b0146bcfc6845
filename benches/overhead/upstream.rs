//! A provider that costs next to nothing: canned answers over keep-alive connections.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Events of a stream before its end.
pub const EVENTS: usize = 50;

/// What is answered to whoever asks for a failure.
const FAILURE: &[u8] = b"HTTP/1.1 500 Broken\r\ncontent-type: application/json\r\ncontent-length: 29\r\n\r\n{\"error\":{\"message\":\"sorry\"}}";

/// Serves until the process is killed.
pub async fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let open = Rc::new(Cell::new(0_usize));
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                socket.set_nodelay(true).unwrap();
                open.set(open.get() + 1);
                let open = open.clone();
                tokio::task::spawn_local(async move {
                    // A client that leaves is no failure.
                    let _ = connection(socket, &open).await;
                    open.set(open.get() - 1);
                });
            }
        })
        .await;
}

async fn connection(mut socket: TcpStream, open: &Cell<usize>) -> std::io::Result<()> {
    let whole = whole_answer();
    let mut buffer = Vec::with_capacity(4096);
    loop {
        buffer.clear();
        let body_at = loop {
            if socket.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if let Some(end) = request_end(&buffer) {
                break end;
            }
        };
        if buffer.starts_with(b"GET ") {
            // Without this very connection.
            let body = (open.get() - 1).to_string();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await?;
        } else if contains(&buffer[body_at..], b"\"stream\":true") {
            let body = &buffer[body_at..];
            stream(&mut socket, contains(body, b"slow"), contains(body, b"include_usage")).await?;
        } else if contains(&buffer[body_at..], b"please fail") {
            socket.write_all(FAILURE).await?;
        } else {
            socket.write_all(&whole).await?;
        }
    }
}

/// Where the body of a request that is here whole begins.
fn request_end(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    (buffer.len() >= head + length).then_some(head)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn whole_answer() -> Vec<u8> {
    let content = "The quick brown fox jumps over the lazy dog. ".repeat(6);
    let body = format!(
        r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1735689600,"model":"gpt-4o-mini-2024-07-18","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":10,"completion_tokens":60,"total_tokens":70,"prompt_tokens_details":{{"cached_tokens":0}}}}}}"#
    );
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    (head + &body).into_bytes()
}

/// Events one by one; a slow stream takes five seconds. Who asks for usage is sent it last, as OpenAI does it.
async fn stream(socket: &mut TcpStream, slow: bool, usage: bool) -> std::io::Result<()> {
    let pause = Duration::from_millis(if slow { 100 } else { 1 });
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await?;
    let event = |choices: &str, usage: &str| {
        let json = format!(
            r#"{{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1735689600,"model":"gpt-4o-mini-2024-07-18","system_fingerprint":"fp_1","choices":[{choices}]{usage}}}"#
        );
        let event = format!("data: {json}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    let choice = |delta: &str, finish: &str| {
        format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#)
    };
    let text = event(&choice(r#"{"content":" quick brown"}"#, "null"), "");
    for _ in 0..EVENTS - 1 {
        socket.write_all(text.as_bytes()).await?;
        tokio::time::sleep(pause).await;
    }
    let mut last = event(&choice("{}", r#""stop""#), "");
    if usage {
        last += &event("", r#","usage":{"prompt_tokens":10,"completion_tokens":98,"total_tokens":108}"#);
    }
    socket.write_all(format!("{last}e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n").as_bytes()).await
}
