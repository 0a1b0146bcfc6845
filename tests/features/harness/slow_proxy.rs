//! A way to a server that can be made slow: what goes through it waits, in both directions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};

/// The way; it is there as long as the test's runtime.
pub struct SlowProxy {
    address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
}

impl SlowProxy {
    /// A way to the server of this database address, which is not slow yet; gives the address by that way too.
    pub async fn before(url: &str) -> (Self, String) {
        let (user, place) = url.split_once('@').unwrap();
        let (server, database) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), delay_ms: Arc::default() };
        let (server, delay) = (server.to_owned(), proxy.delay_ms.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(&server).await {
                    server.set_nodelay(true).unwrap();
                    client.set_nodelay(true).unwrap();
                    let ((read, write), (client_read, client_write)) = (split(server), split(client));
                    tokio::spawn(pass(client_read, write, delay.clone()));
                    tokio::spawn(pass(read, client_write, delay.clone()));
                }
            }
        });
        let url = format!("{user}@{}/{database}", proxy.address);
        (proxy, url)
    }

    /// Lets every piece wait so long from now on.
    pub fn slow_down(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

fn left_ms(came: tokio::time::Instant, delay_ms: &AtomicU64) -> u64 {
    delay_ms.load(Ordering::Relaxed).saturating_sub(u64::try_from(came.elapsed().as_millis()).unwrap())
}

async fn pass(mut from: ReadHalf<TcpStream>, mut to: WriteHalf<TcpStream>, delay_ms: Arc<AtomicU64>) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let came = tokio::time::Instant::now();
        // In steps, so that whatever waits goes on when the way is quick again.
        while let left @ 1.. = left_ms(came, &delay_ms) {
            tokio::time::sleep(Duration::from_millis(left.min(50))).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
}
