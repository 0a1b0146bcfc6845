//! OpenAI's Responses as vendors speak it: <https://platform.openai.com/docs/api-reference/responses>.

mod answer;
mod items;
mod live;
mod native;
mod native_request;
mod outputs;
mod parts;
mod request;
mod stream;
mod tools;
mod usage;

use bytes::Bytes;
use serde_json::value::RawValue;

pub use self::native::NativeResponses;
pub use self::native_request::native_request;

use super::{EventDecoder, TargetModel, VendorFormat};
use crate::common::{Answer, Conversation};
use crate::openai::error_body;
use crate::{BadRequest, ErrorBody, Usage, VendorRequest};

/// Responses.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

impl VendorFormat for OpenAiResponses {
    fn request(&self, conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
        request::request(conversation, target)
    }

    fn answer(&self, body: &Bytes) -> Result<Answer, ErrorBody> {
        answer::answer(body)
    }

    fn stream(&self) -> Box<dyn EventDecoder> {
        Box::<stream::ResponsesStream>::default()
    }

    fn error(&self, status: u16, body: &[u8]) -> ErrorBody {
        error_body(status, body)
    }

    fn usage_in(&self, body: &[u8]) -> Option<Usage> {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            usage: Option<&'a RawValue>,
        }
        usage::read(serde_json::from_slice::<Body<'_>>(body).ok()?.usage?)
    }
}

#[cfg(test)]
mod tests;
