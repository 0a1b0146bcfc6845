//! A provider of which a test decides every byte, and which remembers all that it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::http::{Head, Reader};
use super::reply::{Reply, Step};
use super::{TEST_TIMEOUT, in_time};

/// A fake provider on a free port of this machine.
pub struct FakeProvider {
    address: SocketAddr,
    shared: Arc<FakeState>,
    listening: JoinHandle<()>,
}

/// Chooses a reply by the request's body.
type Choice = Box<dyn Fn(&Value) -> Reply + Send>;

struct FakeState {
    once: Mutex<VecDeque<Reply>>,
    always: Mutex<Option<Reply>>,
    by_body: Mutex<Option<Choice>>,
    seen: watch::Sender<Vec<RecordedRequest>>,
    connections: watch::Sender<usize>,
}

/// One request that a fake provider got.
#[derive(Clone)]
pub struct RecordedRequest {
    pub path: String,
    pub head: Head,
    /// The body as JSON; null where it is none.
    pub body: Value,
    pub at: Instant,
    left: watch::Receiver<Option<Instant>>,
}

impl RecordedRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Waits until the caller closes the connection before its answer is complete; gives the moment.
    pub async fn abandoned(&self) -> Instant {
        let mut left = self.left.clone();
        let moment = in_time("the connection to the provider is closed", left.wait_for(Option::is_some)).await;
        let moment = *moment.expect("the reply was sent to its end, nobody left");
        moment.unwrap()
    }
}

impl FakeProvider {
    /// Starts a provider that answers nothing yet: tell it with [`FakeProvider::once`] and [`FakeProvider::always`].
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(FakeState {
            once: Mutex::default(),
            always: Mutex::default(),
            by_body: Mutex::default(),
            seen: watch::Sender::default(),
            connections: watch::Sender::default(),
        });
        let listening = tokio::spawn(listen(listener, shared.clone()));
        Self { address, shared, listening }
    }

    /// A provider that gives every request the same reply.
    pub async fn answering(reply: Reply) -> Self {
        let provider = Self::start().await;
        provider.always(reply);
        provider
    }

    /// A port at which nothing listens, so that connections are refused.
    pub async fn refusing() -> Self {
        let provider = Self::start().await;
        provider.listening.abort();
        while !provider.listening.is_finished() {
            tokio::task::yield_now().await;
        }
        provider
    }

    /// The reply to the next request that has none yet.
    pub fn once(&self, reply: Reply) -> &Self {
        self.shared.once.lock().unwrap().push_back(reply);
        self
    }

    /// The reply to every request that has none of its own.
    pub fn always(&self, reply: Reply) -> &Self {
        *self.shared.always.lock().unwrap() = Some(reply);
        self
    }

    /// Chooses the replies to requests that have none of their own by their bodies.
    pub fn by_body(&self, choice: impl Fn(&Value) -> Reply + Send + 'static) -> &Self {
        *self.shared.by_body.lock().unwrap() = Some(Box::new(choice));
        self
    }

    /// Drops the replies that no request took.
    pub fn forget(&self) {
        self.shared.once.lock().unwrap().clear();
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.seen.borrow().clone()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.shared.seen.borrow().len()
    }

    /// Waits for request number `n`, counted from 1.
    pub async fn request(&self, n: usize) -> RecordedRequest {
        let mut seen = self.shared.seen.subscribe();
        let seen = in_time(&format!("request number {n}"), seen.wait_for(|seen| seen.len() >= n)).await;
        seen.unwrap()[n - 1].clone()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Waits until at most `most` connections are open.
    pub async fn connections_at_most(&self, most: usize) {
        let mut connections = self.shared.connections.subscribe();
        let what = format!("at most {most} connections to the provider are open");
        in_time(&what, connections.wait_for(|count| *count <= most)).await.unwrap();
    }

    /// Waits until the gateway has given up what it holds beyond `most` connections: two looks, a quarter of a minute
    /// apart, tell it what is spare.
    pub async fn spare_connections_closed(&self, most: usize) {
        let mut connections = self.shared.connections.subscribe();
        let closed = tokio::time::timeout(2 * TEST_TIMEOUT, connections.wait_for(|count| *count <= most)).await;
        assert!(closed.is_ok(), "{} connections to the provider are still open", self.connections());
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<FakeState>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let shared = shared.clone();
        tokio::spawn(async move {
            shared.connections.send_modify(|count| *count += 1);
            serve(stream, &shared).await;
            shared.connections.send_modify(|count| *count -= 1);
        });
    }
}

async fn serve(stream: TcpStream, shared: &FakeState) {
    let (read, mut write) = stream.into_split();
    let mut reader = Reader::new(read);
    while let Some(head) = reader.head().await {
        let body = reader.body().await;
        let (left, left_seen) = watch::channel(None);
        let path = head.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let seen = RecordedRequest { path, head, body, at: Instant::now(), left: left_seen };
        // The reply is chosen before the test can see the request, so that their order is the same.
        let chosen = || shared.by_body.lock().unwrap().as_ref().map(|choice| choice(&seen.body));
        let reply = shared.once.lock().unwrap().pop_front().or_else(chosen);
        let reply = reply.or_else(|| shared.always.lock().unwrap().clone());
        shared.seen.send_modify(|all| all.push(seen));
        let reply = reply.unwrap_or_else(|| Reply::text(500, "text/plain", "the test scripted no reply"));
        let sent = tokio::select! {
            sent = send(reply, &mut write) => sent,
            () = reader.closed() => Err(std::io::ErrorKind::ConnectionReset.into()),
        };
        if sent.is_err() {
            left.send_replace(Some(Instant::now()));
        }
        if !matches!(sent, Ok(true)) {
            // Dropped, it would end its side properly, even where the connection is to be reset.
            write.forget();
            return;
        }
    }
}

/// Takes a reply's steps; tells whether the connection can go on.
async fn send(reply: Reply, to: &mut OwnedWriteHalf) -> std::io::Result<bool> {
    let write_size = reply.write_size.unwrap_or(usize::MAX);
    let mut chunked = false;
    for step in reply.script() {
        match step {
            Step::Head { status, headers, length } => {
                chunked = length.is_none();
                let framing = length.map_or_else(
                    || "transfer-encoding: chunked".to_owned(),
                    |length| format!("content-length: {length}"),
                );
                let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                to.write_all(format!("HTTP/1.1 {status} Scripted\r\n{headers}{framing}\r\n\r\n").as_bytes()).await?;
            }
            Step::Send(bytes) => send_piece(&bytes, write_size, chunked, to).await?,
            Step::Wait(gate) => gate.pass().await,
            Step::Cut => {
                to.shutdown().await?;
                return Ok(false);
            }
            Step::Reset => {
                to.as_ref().set_zero_linger()?;
                return Ok(false);
            }
            Step::Stall => std::future::pending().await,
            Step::End => to.write_all(b"0\r\n\r\n").await?,
        }
    }
    Ok(true)
}

async fn send_piece(bytes: &[u8], write_size: usize, chunked: bool, to: &mut OwnedWriteHalf) -> std::io::Result<()> {
    for part in bytes.chunks(write_size.min(bytes.len()).max(1)) {
        if chunked {
            let mut framed = format!("{:x}\r\n", part.len()).into_bytes();
            framed.extend_from_slice(part);
            framed.extend_from_slice(b"\r\n");
            to.write_all(&framed).await?;
        } else {
            to.write_all(part).await?;
        }
        to.flush().await?;
        if write_size < bytes.len() {
            // Lets the other side read what is there before more comes.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
