//! What requests use: tokens before and after, the row of each attempt, and the journal that keeps rows until they are
//! stored.

pub mod charge;
pub mod contents;
pub mod estimate;
pub mod expected_tokens;
pub mod input_tokens;
pub mod journal;
pub(crate) mod json_line;
pub mod options;
pub(crate) mod outbox;
mod part;
pub mod row;
pub mod row_pool;
pub mod token_count;
