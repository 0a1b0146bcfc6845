//! Anthropic's Messages API (version 2023-06-01), as vendors speak it: <https://docs.anthropic.com/en/api/messages>.
//!
//! What has a counterpart there is translated; what has none is named in `dropped_params` (I6).

mod answer;
mod content;
mod draft;
mod error;
mod event;
mod model;
pub mod native;
mod open;
mod request;
mod stream;
mod thinking;
mod tools;
mod turns;
mod usage;

use bytes::Bytes;

pub use self::native::{NativeStream, native_whole};
use super::{EventDecoder, TargetModel, VendorFormat};
use crate::common::{Answer, Conversation};
use crate::{BadRequest, ErrorBody, Usage, VendorRequest};

/// The Messages API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anthropic;

impl VendorFormat for Anthropic {
    fn request(&self, conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
        request::request(conversation, target)
    }

    fn answer(&self, body: &Bytes) -> Result<Answer, ErrorBody> {
        answer::answer(body)
    }

    fn stream(&self) -> Box<dyn EventDecoder> {
        Box::<stream::Stream>::default()
    }

    fn error(&self, status: u16, body: &[u8]) -> ErrorBody {
        error::error_body(status, body)
    }

    fn usage_in(&self, body: &[u8]) -> Option<Usage> {
        usage::usage_in(body)
    }
}

#[cfg(test)]
mod tests;
