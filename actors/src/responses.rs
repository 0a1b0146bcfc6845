//! Stored responses: what clients of `/v1/responses` may ask for again, or go on from.

pub mod handle;
pub mod keeper;
mod record;
mod records;
pub mod store_actor;
mod summary_sealer;
mod waiting_bytes;
mod write_queue;

#[cfg(test)]
mod tests;

pub use handle::{NotStored, ResponseStoreError, StoredResponses};
pub use keeper::AnswerKeeper;
pub use record::{ResponseContent, StoredResponse};
