//! OpenAI's own format, and every vendor compatible with it: bodies pass through, and only what the gateway acts on is
//! read or changed.

mod answer;
mod cut;
mod error;
mod finish;
mod fit;
mod request;
mod stream;

use std::sync::LazyLock;

use memchr::memmem;

pub use answer::{chat_answer, read_answer, usage_in, with_metadata};
pub(crate) use answer::{listed_error, read_usage, service_tier};
pub use cut::{cut_off, usage_chunk};
pub use error::{error_body, error_event, error_json, error_text, is_bare_error};
pub use fit::fitted;
pub use request::{StreamOptions, chat_request, embeddings_request, passed_request};
pub use stream::ChatStream;

/// Fields beside OpenAI's own that carry reasoning; removed from strict answers (I5).
const REASONING_FIELDS: [&str; 5] =
    ["reasoning_content", "reasoning", "reasoning_details", "content_blocks", "thinking_blocks"];

/// A text to look for, made ready once.
type Finder = LazyLock<memmem::Finder<'static>>;

static REASONING: Finder = LazyLock::new(|| memmem::Finder::new(b"reasoning"));
static BLOCKS: Finder = LazyLock::new(|| memmem::Finder::new(b"_blocks"));

/// Whether a text may have one of those fields.
fn may_reason(json: &[u8]) -> bool {
    REASONING.find(json).is_some() || BLOCKS.find(json).is_some()
}

/// Takes those fields out of the message or delta of every choice.
fn strip_reasoning(answer: &mut serde_json::Value, part: &str) {
    for choice in answer.get_mut("choices").and_then(|choices| choices.as_array_mut()).into_iter().flatten() {
        if let Some(fields) = choice.get_mut(part).and_then(|part| part.as_object_mut()) {
            fields.retain(|name, _| !REASONING_FIELDS.contains(&name.as_str()));
        }
    }
}
