//! A proxy that leads where `CONNECT` says, or does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a proxy does.
#[derive(Clone)]
pub enum Manner {
    /// Leads there.
    Leads,
    /// Leads there who shows this header.
    WantsAuthorization(String),
    /// Answers this status.
    Answers(u16),
    /// Says nothing.
    Hangs,
    /// Leads there, and cuts the way after the first bytes have come back.
    Cuts,
}

/// A proxy on a free port of this machine.
pub struct ConnectProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl ConnectProxy {
    /// A proxy that does the same with everybody. Whatever the name is, it leads to this machine.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let shared = asked.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, manner.clone(), shared.clone()));
            }
        });
        Self { address, asked, listening }
    }

    /// `127.0.0.1:PORT`.
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// The places that it was asked for, as `HOST:PORT`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(mut client: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(client.read_u8().await.ok()?));
    }
    let to = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    asked.lock().unwrap().push(to.clone());
    let answer = match &manner {
        Manner::WantsAuthorization(wanted) => {
            let shown =
                head.to_ascii_lowercase().contains(&format!("proxy-authorization: {}\r\n", wanted.to_lowercase()));
            if shown { 200 } else { 407 }
        }
        Manner::Answers(status) => *status,
        Manner::Hangs => std::future::pending().await,
        Manner::Leads | Manner::Cuts => 200,
    };
    client.write_all(format!("HTTP/1.1 {answer} Proxy\r\nvia: test\r\n\r\n").as_bytes()).await.ok()?;
    if answer != 200 {
        return None;
    }
    let port = to.rsplit_once(':')?.1.parse::<u16>().ok()?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    if let Manner::Cuts = manner {
        let mut bytes = [0; 64 * 1024];
        let length = client.read(&mut bytes).await.ok()?;
        server.write_all(&bytes[..length]).await.ok()?;
        let length = server.read(&mut bytes).await.ok()?;
        client.write_all(&bytes[..length]).await.ok()?;
        return None;
    }
    copy_bidirectional(&mut client, &mut server).await.ok()?;
    None
}
