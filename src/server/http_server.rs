//! The HTTP server: actix-web's, over connections that are given up when a client takes nothing of its answer.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::Error;
use actix_web::dev::{AppConfig, Server};
use gateway_actors::metrics::Metrics;
use tokio::net::TcpStream;

use super::connection::ClientConnection;
use crate::config::ServerSettings;

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client that was refused before its body was read may take to read why.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server of the app on these listeners, not yet running.
///
/// # Errors
/// Where a listener cannot be used.
pub fn build<F, I, S, B>(
    listeners: Vec<TcpListener>,
    settings: &ServerSettings,
    metrics: &Arc<Metrics>,
    app: F,
) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let mut builder = Server::build()
        .workers(settings.worker_threads())
        .disable_signals()
        // The drain ends first; this is for workers that hang.
        .shutdown_timeout(settings.drain_timeout_ms.div_ceil(1000) + 2);
    let stopping = builder.graceful_shutdown_signal();
    let header_timeout = Duration::from_millis(settings.header_timeout_ms);
    let write_timeout = Duration::from_millis(settings.write_timeout_ms);
    for listener in listeners {
        let name = listener.local_addr()?.to_string();
        let (app, metrics, stopping) = (app.clone(), metrics.clone(), stopping.clone());
        builder = builder.listen(name, listener, move || {
            let (metrics, stopping) = (metrics.clone(), stopping.clone());
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let service = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(header_timeout)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                // A client that closed its side has left: its call ends at once (D6).
                .h1_allow_half_closed(false)
                .finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| {
                let metrics = metrics.clone();
                async move {
                    if let Err(error) = stream.set_nodelay(true) {
                        log::debug!("TCP_NODELAY could not be set: {error}");
                    }
                    let peer = stream.peer_addr().ok();
                    Ok((ClientConnection::new(stream, write_timeout, metrics), Protocol::Http1, peer))
                }
            })
            .and_then(service)
        })?;
    }
    Ok(builder.run())
}
