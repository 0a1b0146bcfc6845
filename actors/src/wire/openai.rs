//! OpenAI's own format, and every vendor compatible with it: bodies pass through, and only what the gateway acts on is
//! read or changed.

mod answer;
mod cut;
mod error;
mod finish;
mod request;
mod stream;

pub use answer::{chat_answer, read_answer, usage_in, with_metadata};
pub use cut::{cut_off, usage_chunk};
pub use error::{error_body, error_event, error_text, is_bare_error};
pub use request::{StreamOptions, chat_request, embeddings_request};
pub use stream::ChatStream;

/// Fields beside OpenAI's own that carry reasoning; removed from strict answers (I5).
const REASONING_FIELDS: [&str; 5] =
    ["reasoning_content", "reasoning", "reasoning_details", "content_blocks", "thinking_blocks"];

/// Whether a text may have one of those fields.
fn may_reason(json: &[u8]) -> bool {
    memchr::memmem::find(json, b"reasoning").is_some() || memchr::memmem::find(json, b"_blocks").is_some()
}

/// Takes those fields out of the message or delta of every choice.
fn strip_reasoning(answer: &mut serde_json::Value, part: &str) {
    for choice in answer.get_mut("choices").and_then(|choices| choices.as_array_mut()).into_iter().flatten() {
        if let Some(fields) = choice.get_mut(part).and_then(|part| part.as_object_mut()) {
            fields.retain(|name, _| !REASONING_FIELDS.contains(&name.as_str()));
        }
    }
}
