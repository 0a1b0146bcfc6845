//! A way to Redis on which subscriptions can fall silent, as where some device between has forgotten the connection:
//! nothing is closed, nothing passes any more. All other connections go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The way; it is there as long as the test's runtime.
pub struct DeafProxy {
    address: SocketAddr,
    /// Subscriptions up to this number are silent.
    silent: Arc<AtomicUsize>,
    subscriptions: Arc<AtomicUsize>,
}

impl DeafProxy {
    /// A way to the server of this Redis address; gives the address by that way too.
    pub async fn before(url: &str) -> (Self, String) {
        let (user, place) = url.rsplit_once('@').unwrap();
        let (server, database) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy =
            Self { address: listener.local_addr().unwrap(), silent: Arc::default(), subscriptions: Arc::default() };
        let (server, silent, subscriptions) = (server.to_owned(), proxy.silent.clone(), proxy.subscriptions.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(&server).await {
                    tokio::spawn(pass(client, server, silent.clone(), subscriptions.clone()));
                }
            }
        });
        let url = format!("{user}@{}/{database}", proxy.address);
        (proxy, url)
    }

    /// Lets all subscriptions that there are now fall silent.
    pub fn silence(&self) {
        self.silent.store(self.subscriptions.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Lets those that come later do so too.
    pub fn silence_for_good(&self) {
        self.silent.store(usize::MAX - 1, Ordering::Relaxed);
    }

    /// How many subscriptions there were.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::Relaxed)
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, silent: Arc<AtomicUsize>, subscriptions: Arc<AtomicUsize>) {
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut subscription = usize::MAX;
    loop {
        let is_silent = |subscription| subscription <= silent.load(Ordering::Relaxed);
        let passed = tokio::select! {
            length = client.read(&mut asked) => match length {
                Ok(length @ 1..) => {
                    if asked[..length].windows(9).any(|word| word == b"SUBSCRIBE") {
                        subscription = subscriptions.fetch_add(1, Ordering::Relaxed) + 1;
                    }
                    if is_silent(subscription) { continue }
                    server.write_all(&asked[..length]).await
                }
                _ => return,
            },
            length = server.read(&mut answered) => match length {
                Ok(_) if is_silent(subscription) => continue,
                Ok(length @ 1..) => client.write_all(&answered[..length]).await,
                _ => return,
            },
        };
        if passed.is_err() {
            return;
        }
    }
}
