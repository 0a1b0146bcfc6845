//! OpenAI's own format, and every vendor compatible with it: bodies pass through, and only what the gateway acts on is
//! read or changed.

mod answer;
mod error;
mod request;
mod stream;

pub use answer::{read_answer, with_metadata};
pub use error::{error_body, error_event, error_text};
pub use request::{chat_request, embeddings_request};
pub use stream::ChatStream;
