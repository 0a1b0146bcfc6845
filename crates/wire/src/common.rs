//! The common form that every client format and every vendor's format translates to and from.
//!
//! A request is a [`Conversation`] of typed blocks; an answer is an [`Answer`], or a row of [`Event`]s where it streams.

mod answer;
mod block;
mod call_ids;
mod citation;
mod conversation;
mod custom_tool;
mod event;
mod json_text;
mod portable;
mod question;
mod reasoning_token;
pub mod schema;
mod streamed_calls;
pub mod tool_ids;

pub use answer::{Answer, AnswerHead, Collector, Finish, FinishReason};
pub use block::{Block, BlockKind, CacheMark, Media, MediaSource, ToolKind, ToolResult, ToolUse};
pub use call_ids::CallIds;
pub(crate) use call_ids::call_id;
pub use citation::{annotation_of, citation_of, own_citation, plain_annotation};
pub use conversation::{
    Conversation, Effort, Identity, OutputFormat, Reasoning, Role, Sampling, Tool, ToolChoice, ToolDefinition, Turn,
};
pub use custom_tool::{custom_arguments, custom_description, custom_input, custom_schema};
pub use event::{BlockHead, Delta, Event};
pub use json_text::JsonText;
pub use portable::{is_billing_line, refuse_unportable, without_billing_line};
pub use question::{WITHOUT_EFFECT, asked};
pub use reasoning_token::{Family, ReasoningToken};
pub(crate) use streamed_calls::StreamedCalls;
