//! Outside engines: services that judge a text, or find personal data in it, for guardrails.
//!
//! The guards stay synchronous. A pass over the texts notes what it lacks a verdict on, the engines are asked for that,
//! and the pass is made again with their verdicts.

mod actor;
mod choice;
mod client;
mod judging;
mod running;
mod settings;
mod spans;
mod text;
mod verdict;
mod verdict_cache;

pub use actor::EngineRoute;
pub(super) use choice::EngineChoice;
pub use choice::{MAX_TIMEOUT_MS, is_engine_name};
pub(super) use judging::{Judging, Pending};
pub use running::Engines;
pub use settings::{EngineApi, EngineSettings, EngineType, OnError};
pub(super) use text::{EngineText, Passed, fails_on_error};
pub(super) use verdict::{EngineFailure, Outcome};
