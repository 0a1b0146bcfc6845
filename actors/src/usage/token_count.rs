//! Counting tokens where the vendor does not tell: of a stream whose client left, or of an answer without usage.
//!
//! Every count is bounded. Short texts are counted at once; all others by a pool of actors with a bounded queue. What
//! cannot be counted in time is estimated by its bytes, so that no attempt is ever without a row.

mod encoding;
mod generated;
mod pieces;
mod pool;
mod prompt;
#[cfg(test)]
mod tests;
mod worker;

pub use encoding::count;
pub use generated::GeneratedText;
pub use pool::{CounterPool, CounterSettings};

use bytes::Bytes;
use gateway_wire::Usage;

/// Bytes of a token in texts that nobody counts.
const BYTES_PER_TOKEN: u64 = 4;

/// What an attempt is charged for: the request, and what was generated.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// The body in OpenAI's form.
    pub body: Bytes,
    /// The answer so far.
    pub generated: GeneratedText,
}

impl Texts {
    /// The usage by bytes alone, which costs next to nothing.
    pub fn estimate(&self) -> Usage {
        Usage {
            prompt_tokens: prompt::estimate(&self.body),
            completion_tokens: self.generated.estimate(),
            ..Usage::default()
        }
    }

    /// The bytes that are to be looked at.
    fn len(&self) -> usize {
        self.body.len() + self.generated.len()
    }

    /// The usage by counting; none once `give_up` says so.
    fn count(&self, give_up: &dyn Fn() -> bool) -> Option<Usage> {
        Some(Usage {
            prompt_tokens: prompt::count(&self.body, give_up)?,
            completion_tokens: encoding::count_unless(give_up, &self.generated.unescaped())?,
            ..Usage::default()
        })
    }
}

/// The estimate for so many bytes of text.
fn estimate(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}
