//! The listeners, and what they answer while the gateway waits for its store.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;
use tokio::net::{TcpSocket, lookup_host};
use tokio::time::timeout;

use crate::{error, health};

/// A start that takes no longer needs nobody to answer meanwhile.
const FAST_START: Duration = Duration::from_millis(200);

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 2048;

/// Opens every address that a name stands for.
///
/// # Errors
/// Where none of them can be listened on.
pub async fn listen(at: &str) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut refused = None;
    for address in lookup_host(at).await? {
        match open(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Awaits the start. Where it takes longer than a moment, the listeners meanwhile answer: alive, not ready, try again.
///
/// # Errors
/// Where no thread can be started for that.
pub async fn answering<T>(listeners: &[TcpListener], start: impl Future<Output = T>) -> io::Result<T> {
    let mut start = pin!(start);
    if let Ok(started) = timeout(FAST_START, &mut start).await {
        return Ok(started);
    }
    let app = || {
        App::new()
            .configure(health::always)
            .route("/health/ready", web::get().to(unready))
            .default_service(web::route().to(error::starting))
    };
    // No connection outlives this server, so that none is cut when the gateway itself takes the listeners over.
    let mut server =
        HttpServer::new(app).workers(1).disable_signals().keep_alive(KeepAlive::Disabled).shutdown_timeout(1);
    for listener in listeners {
        server = server.listen(listener.try_clone()?)?;
        log::info!(address = listener.local_addr()?.to_string(); "starting");
    }
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    let started = start.await;
    handle.stop(true).await;
    Ok(started)
}

async fn unready() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(json!({ "status": "starting", "waiting_for": ["store"] }))
}
