//! A Hugging Face hub of a test's own: it sends large files by way of another server, as the real one does, and small ones
//! by way of another path.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use gateway_actors::embed::fetch::hub::git_hash;
use gateway_actors::embed::fetch::sha256;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::http::Reader;

/// The commit of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// From this size on a file is a large one.
const LARGE: usize = 1 << 16;

/// How a file is sent.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    /// As it is.
    Well,
    /// With the hash of another content.
    WithAnotherHash,
    /// With a mark of its own, which is no hash.
    WithoutHash,
    /// Not at all, with the connection left open.
    Silently,
    /// The first half, with the connection left open.
    Half,
    /// The first half, and then the connection is closed.
    Cut,
}

#[derive(Clone)]
struct Stored {
    content: Arc<Vec<u8>>,
    manner: Manner,
}

#[derive(Default)]
struct FakeState {
    files: Mutex<HashMap<String, Stored>>,
    asked: Mutex<Vec<String>>,
}

/// A hub on a free port of this machine, and the server that its large files are on.
pub struct FakeHub {
    address: SocketAddr,
    shared: Arc<FakeState>,
    listening: Vec<JoinHandle<()>>,
}

impl FakeHub {
    pub async fn start() -> Self {
        let shared = Arc::new(FakeState::default());
        let (hub, storage) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
        let (hub, storage) = (hub.await.unwrap(), storage.await.unwrap());
        let (address, behind) = (hub.local_addr().unwrap(), storage.local_addr().unwrap());
        let listening = [hub, storage].map(|listener| tokio::spawn(listen(listener, shared.clone(), behind)));
        Self { address, shared, listening: listening.into() }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keeps a file, or another content for it.
    pub fn with(&self, repository: &str, path: &str, content: impl Into<Vec<u8>>) -> &Self {
        let stored = Stored { content: Arc::new(content.into()), manner: Manner::Well };
        self.shared.files.lock().unwrap().insert(format!("{repository}/{path}"), stored);
        self
    }

    /// Sends a file in another manner from now on.
    pub fn sending(&self, repository: &str, path: &str, manner: Manner) -> &Self {
        self.shared.files.lock().unwrap().get_mut(&format!("{repository}/{path}")).unwrap().manner = manner;
        self
    }

    /// The files that were asked for, as `owner/name@revision/path`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}

async fn listen(listener: TcpListener, shared: Arc<FakeState>, storage: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move { serve(stream, &shared, storage).await });
    }
}

async fn serve(stream: TcpStream, shared: &FakeState, storage: SocketAddr) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut reader = Reader::new(read);
    while let Some(head) = reader.head().await {
        let path = head.first_line.split(' ').nth(1).unwrap_or_default().to_owned();
        let resolved = path.trim_start_matches('/').split_once("/resolve/");
        let name = match resolved {
            Some((repository, rest)) => {
                let (revision, file) = rest.split_once('/').unwrap();
                shared.asked.lock().unwrap().push(format!("{repository}@{revision}/{file}"));
                format!("{repository}/{file}")
            }
            None => path.split('?').next().unwrap().replace("/stored/", "").replace("/api/resolve-cache/", ""),
        };
        let Some(stored) = shared.files.lock().unwrap().get(&name).cloned() else {
            write.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        };
        match resolved {
            Some(_) => redirect(&name, &stored, storage, &mut write).await?,
            None => send(&stored, path.starts_with("/stored/"), &mut write).await?,
        }
    }
    Ok(())
}

/// What the content is told to be made of.
fn told(stored: &Stored) -> Vec<u8> {
    if stored.manner == Manner::WithAnotherHash { b"another".to_vec() } else { stored.content.to_vec() }
}

async fn redirect(name: &str, stored: &Stored, storage: SocketAddr, to: &mut OwnedWriteHalf) -> std::io::Result<()> {
    let head = if stored.content.len() < LARGE {
        format!("307 Temporary Redirect\r\nlocation: /api/resolve-cache/{name}")
    } else {
        let (hash, size) = (sha256::hex_digest(&told(stored)), stored.content.len());
        let hash = if stored.manner == Manner::WithoutHash { "5f3c-1a2b".to_owned() } else { hash };
        let location = format!("http://{storage}/stored/{name}?signature=canary");
        format!("302 Found\r\nlocation: {location}\r\nx-linked-etag: \"{hash}\"\r\nx-linked-size: {size}")
    };
    to.write_all(format!("HTTP/1.1 {head}\r\nx-repo-commit: {COMMIT}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await
}

async fn send(stored: &Stored, is_storage: bool, to: &mut OwnedWriteHalf) -> std::io::Result<()> {
    // The storage has hashes of its own, which say nothing of the content.
    let etag = if is_storage { sha256::hex_digest(b"of its own kind") } else { git_hash(&told(stored)) };
    let length = stored.content.len();
    let sent = match stored.manner {
        Manner::Well | Manner::WithAnotherHash | Manner::WithoutHash => length,
        Manner::Silently => return std::future::pending().await,
        Manner::Half | Manner::Cut => length / 2,
    };
    let head = format!("HTTP/1.1 200 OK\r\netag: W/\"{etag}\"\r\ncontent-length: {length}\r\n\r\n");
    to.write_all(head.as_bytes()).await?;
    to.write_all(&stored.content[..sent]).await?;
    match stored.manner {
        Manner::Half => std::future::pending().await,
        Manner::Cut => to.shutdown().await,
        _ => Ok(()),
    }
}
