//! Ollama's native API: <https://docs.ollama.com/api/chat>.

mod answer;
mod embeddings;
mod lines;
mod messages;
mod nesting;
mod options;
mod request;
mod stream;
mod tools;

use bytes::Bytes;

pub use self::embeddings::{embeddings_answer, embeddings_request};
use super::{EventDecoder, TargetModel, VendorFormat};
use crate::common::{Answer, Conversation};
use crate::{BadRequest, ErrorBody, Usage, VendorRequest, openai};

/// Ollama's native format.
#[derive(Clone, Copy, Debug)]
pub struct Ollama;

impl VendorFormat for Ollama {
    fn request(&self, conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
        request::chat(conversation, target)
    }

    fn answer(&self, body: &Bytes) -> Result<Answer, ErrorBody> {
        answer::whole(body)
    }

    fn stream(&self) -> Box<dyn EventDecoder> {
        Box::new(stream::Stream::default())
    }

    fn error(&self, status: u16, body: &[u8]) -> ErrorBody {
        let mut error = openai::error_body(status, body);
        // Another 404 comes from a wrong base URL, and says nothing of models.
        if status == 404 && error.message.contains("model") {
            error.code.get_or_insert_with(|| "model_not_found".to_owned());
        }
        error
    }

    fn usage_in(&self, body: &[u8]) -> Option<Usage> {
        answer::Part::read(body)?.usage()
    }
}

#[cfg(test)]
mod tests;
