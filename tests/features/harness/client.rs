//! A client over plain sockets: whole answers, streams event by event, and connections that can be dropped anywhere.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use super::http::{Head, Reader};
use super::in_time;

/// A request to the gateway.
#[derive(Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A chat request with this key and body.
    pub fn chat(key: &str, body: &Value) -> Self {
        Self::new("POST", "/v1/chat/completions").key(key).json(body)
    }

    /// A chat request to say hello to this model, and nothing more.
    pub fn hello(key: &str, model: &str) -> Self {
        Self::chat(key, &hello(model))
    }

    /// The same with `"stream": true`.
    pub fn streamed_hello(key: &str, model: &str) -> Self {
        let mut body = hello(model);
        body["stream"] = json!(true);
        Self::chat(key, &body)
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The routing config of the request.
    pub fn config(self, config: &Value) -> Self {
        self.header("x-portkey-config", &config.to_string())
    }

    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.body_of("application/json", body)
    }

    /// A body of any type.
    pub fn body_of(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sends all of the request but the last bytes of its body.
    pub async fn send_without(&self, missing: usize, to: SocketAddr) -> Pending {
        let bytes = self.bytes();
        send(&bytes[..bytes.len() - missing], to).await
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let Self { method, path, body, .. } = self;
        let fixed = format!("host: gateway.test\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n{fixed}{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// The status of the whole answer; none where the gateway is gone, or goes before the answer is whole.
    pub async fn try_status(&self, to: SocketAddr) -> Option<u16> {
        let stream = TcpStream::connect(to).await.ok()?;
        let (read, mut write) = tokio::io::split(stream);
        write.write_all(&self.bytes()).await.ok()?;
        let mut reader = Reader::new(read);
        let head = in_time("an answer, or the end", reader.head()).await?;
        in_time("a body, or the end", reader.body()).await;
        reader.complete.then(|| status(&head))
    }

    /// Sends the request; the answer is read later, or never.
    pub async fn send(&self, to: SocketAddr) -> Pending {
        send(&self.bytes(), to).await
    }
}

/// Sends bytes that need not be a proper request.
pub async fn send(bytes: &[u8], to: SocketAddr) -> Pending {
    let stream = TcpStream::connect(to).await.expect("the gateway takes connections");
    stream.set_nodelay(true).unwrap();
    let (read, mut write) = tokio::io::split(stream);
    // A gateway that refuses early may close before it has read everything.
    let _ = write.write_all(bytes).await;
    Pending { reader: Reader::new(read), _write: write }
}

/// Sends bytes, and gives everything that comes until the gateway closes the connection.
pub async fn exchange(bytes: &[u8], to: SocketAddr) -> String {
    let mut stream = TcpStream::connect(to).await.expect("the gateway takes connections");
    stream.write_all(bytes).await.unwrap();
    let mut all = Vec::new();
    in_time("the gateway closes the connection", stream.read_to_end(&mut all)).await.unwrap();
    String::from_utf8(all).expect("the answer is UTF-8")
}

/// The body of a chat request to this model.
pub fn hello(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Xin chào!" }] })
}

/// A request that is on its way. Dropping it closes the connection, as a client does that leaves.
pub struct Pending {
    reader: Reader<ReadHalf<TcpStream>>,
    _write: WriteHalf<TcpStream>,
}

impl Pending {
    /// Waits for the whole answer.
    pub async fn answer(mut self) -> Answer {
        in_time("an answer of the gateway", async {
            let head = self.reader.head().await.expect("the gateway answers");
            let body = self.reader.body().await;
            assert!(self.reader.complete, "the answer is cut off: {}", String::from_utf8_lossy(&body));
            Answer { status: status(&head), head, body }
        })
        .await
    }

    /// Waits for the head of a stream.
    pub async fn stream(mut self) -> EventStream {
        let head = in_time("the head of a stream", self.reader.head()).await.expect("the gateway answers");
        EventStream { status: status(&head), head, connection: self, text: String::new(), rest: Vec::new() }
    }
}

fn status(head: &Head) -> u16 {
    head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: Head,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the answer is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// Panics with the body unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The text of the first choice.
    pub fn content(&self) -> String {
        let json = self.json();
        json["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no content: {json}")).to_owned()
    }
}

/// What comes in a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `data:` with JSON.
    Data(Value),
    /// `data: [DONE]`.
    Done,
    /// A comment line.
    Comment(String),
}

/// A stream that is read event by event.
pub struct EventStream {
    pub status: u16,
    pub head: Head,
    connection: Pending,
    text: String,
    rest: Vec<u8>,
}

impl EventStream {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The next event or comment; `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                return Some(parse(event.trim_end()));
            }
            let piece = in_time("the next piece of a stream", self.connection.reader.piece()).await;
            let Some(piece) = piece else {
                assert!(self.text.is_empty() && self.rest.is_empty(), "half an event: {:?}", self.text);
                return None;
            };
            self.rest.extend(piece);
            let valid = match std::str::from_utf8(&self.rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let valid: Vec<u8> = self.rest.drain(..valid).collect();
            self.text.push_str(std::str::from_utf8(&valid).unwrap());
        }
    }

    /// The next event that is no comment.
    pub async fn data(&mut self) -> Option<Event> {
        loop {
            match self.next().await {
                Some(Event::Comment(_)) => {}
                other => return other,
            }
        }
    }

    /// Reads on until a text delta comes, and gives it.
    pub async fn next_text(&mut self) -> String {
        loop {
            match self.data().await {
                Some(Event::Data(chunk)) => match chunk["choices"][0]["delta"]["content"].as_str() {
                    Some(text) if !text.is_empty() => return text.to_owned(),
                    _ => assert!(chunk["error"].is_null(), "an error instead of text: {chunk}"),
                },
                other => panic!("no more text, but {other:?}"),
            }
        }
    }

    /// Reads to the end, which must be a proper end of the HTTP body.
    pub async fn rest(mut self) -> Events {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert!(self.connection.reader.complete, "the stream is cut off after {events:?}");
        Events(events)
    }
}

fn parse(event: &str) -> Event {
    if let Some(comment) = event.strip_prefix(':') {
        return Event::Comment(comment.trim().to_owned());
    }
    let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    match data.join("\n").as_str() {
        "[DONE]" => Event::Done,
        json => Event::Data(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {event:?}"))),
    }
}

/// All events of a stream.
#[derive(Debug)]
pub struct Events(pub Vec<Event>);

impl Events {
    /// The JSON of every data event.
    pub fn chunks(&self) -> Vec<&Value> {
        let mut chunks = Vec::new();
        for event in &self.0 {
            if let Event::Data(chunk) = event {
                chunks.push(chunk);
            }
        }
        chunks
    }

    /// The text of the first choice, put together.
    pub fn text(&self) -> String {
        self.chunks().iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
    }

    /// The error events.
    pub fn errors(&self) -> Vec<&Value> {
        self.chunks().into_iter().filter(|chunk| !chunk["error"].is_null()).map(|chunk| &chunk["error"]).collect()
    }

    /// How many comments came.
    pub fn comments(&self) -> usize {
        self.0.iter().filter(|event| matches!(event, Event::Comment(_))).count()
    }

    /// Whether the stream ended as it should: `[DONE]`, once and last.
    pub fn is_done(&self) -> bool {
        let count = self.0.iter().filter(|event| **event == Event::Done).count();
        count == 1 && self.0.last() == Some(&Event::Done)
    }
}
