//! The answer of a request that was passed through: a provider's body as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use gateway_actors::request::pass_through::{BrokenOff, PassThroughReply};
use tokio::sync::mpsc;

use super::admit::Permit;
use super::reply;
use crate::error::status_code;
use crate::server::shutdown::Phase;
use crate::server::state::AppState;

/// The answer as the provider gave it.
pub fn response(reply: PassThroughReply, permit: Permit, shared: &AppState) -> HttpResponse {
    let PassThroughReply { head, status, headers, body } = reply;
    let mut response = HttpResponse::build(status_code(status));
    reply::tell(&mut response, &head);
    for (name, value) in headers {
        response.insert_header((HeaderName::from_static(name), value));
    }
    response.insert_header((HeaderName::from_static("x-accel-buffering"), "no"));
    let mut phase = shared.phase.clone();
    let cut = async move {
        if phase.wait_for(|phase| *phase == Phase::Cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    response.streaming(RelayedBody { body, cut: Box::pin(cut), _permit: permit })
}

/// A body that owns its request's permit: dropping it, when the client leaves, cancels the request (D6, D7).
struct RelayedBody {
    body: mpsc::Receiver<Result<Bytes, BrokenOff>>,
    cut: LocalBoxFuture<'static, ()>,
    _permit: Permit,
}

impl Stream for RelayedBody {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        // An error closes the connection, so that nobody takes what came for the whole.
        let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the provider broke off its answer");
        match body.body.poll_recv(cx) {
            Poll::Ready(piece) => Poll::Ready(piece.map(|piece| piece.map_err(|BrokenOff| broken()))),
            Poll::Pending if body.cut.as_mut().poll(cx).is_ready() => Poll::Ready(Some(Err(broken()))),
            Poll::Pending => Poll::Pending,
        }
    }
}
