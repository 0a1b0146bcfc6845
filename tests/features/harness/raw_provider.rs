//! A provider that answers with the bytes that a test gives it, and counts its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::http::Reader;

/// What is done with one request: these bytes are written, and the connection is closed or not.
pub struct Turn {
    pub bytes: Vec<u8>,
    pub close: bool,
    /// How long the provider waits before it does so.
    pub after: Duration,
}

impl Turn {
    /// These bytes, with the connection left open.
    pub fn write(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), close: false, after: Duration::ZERO }
    }

    /// These bytes, and the end of the connection.
    pub fn close(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), close: true, after: Duration::ZERO }
    }

    /// The same, some time later.
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// A provider on a free port of this machine.
pub struct RawProvider {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl RawProvider {
    /// A provider that does with request number `request` of connection number `connection` (both from 0) what `turn` says.
    pub async fn start(turn: impl Fn(usize, usize) -> Turn + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (turn, shared) = (Arc::new(turn), (connections.clone(), requests.clone()));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (turn, connection) = (turn.clone(), shared.0.fetch_add(1, Ordering::Relaxed));
                let requests = shared.1.clone();
                tokio::spawn(async move {
                    let (read, mut write) = stream.into_split();
                    let mut reader = Reader::new(read);
                    for request in 0.. {
                        if reader.head().await.is_none() {
                            return;
                        }
                        reader.body().await;
                        requests.fetch_add(1, Ordering::Relaxed);
                        let turn = turn(connection, request);
                        tokio::time::sleep(turn.after).await;
                        if write.write_all(&turn.bytes).await.is_err() || turn.close {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, connections, requests, listening }
    }

    /// Connections that were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Requests that came so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for RawProvider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
