//! Bodies that hold something until they are written: a whole answer its place, an error the rest of its request.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web;
use bytes::Bytes;

use super::admit::Permit;

/// The bytes that are handed to the server at once: it copies them, and asks for more when they are written.
const PIECE: usize = 32 << 10;

/// A whole answer. It owns the request's permit, which is given back when the server has asked for all of it, or the
/// client is given up (D7).
pub struct WholeBody {
    size: u64,
    rest: Bytes,
    _permit: Permit,
}

impl WholeBody {
    /// The body of an answer.
    pub fn new(body: Bytes, permit: Permit) -> Self {
        Self { size: body.len() as u64, rest: body, _permit: permit }
    }
}

impl MessageBody for WholeBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let rest = &mut self.get_mut().rest;
        let piece = rest.split_to(PIECE.min(rest.len()));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// An error's body, with the payload of a request that was not read to its end.
pub struct UnreadBody {
    /// What is answered.
    pub body: BoxBody,
    /// The rest of the request.
    pub _payload: web::Payload,
}

impl MessageBody for UnreadBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
