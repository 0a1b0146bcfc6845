//! A streamed answer in the common form.

use super::{AnswerHead, Finish, JsonText, ReasoningToken, ToolUse};
use crate::{ErrorBody, Usage};

/// One step of a streamed answer.
///
/// The order: `Start` first; then blocks, each `BlockStart`, any `Delta`s, `BlockStop`, one open at a time, numbered from
/// 0 without gaps; `Finish`; at most one `Usage` of the whole answer, before or after `Finish`; `Done`. `Error` ends the
/// stream at any place, after a `Usage` where the vendor counted what came.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start(AnswerHead),
    /// A block begins.
    BlockStart(usize, BlockHead),
    /// The block grows.
    Delta(usize, Delta),
    /// The block is complete.
    BlockStop(usize),
    /// What the vendor counted.
    Usage(Usage),
    /// Why the answer ended.
    Finish(Finish),
    /// The answer is complete.
    Done,
    /// The answer broke off.
    Error(ErrorBody),
}

/// What is known of a block when it begins.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockHead {
    /// Text.
    Text,
    /// A refusal.
    Refusal,
    /// Readable reasoning, a summary of it or the reasoning itself.
    Thinking {
        /// Whether it is a summary.
        is_summary: bool,
    },
    /// Reasoning that the vendor does not show; it has no deltas.
    Redacted(ReasoningToken),
    /// A call of a tool, with its arguments where they came with it.
    ToolUse(ToolUse),
    /// A block that only one family knows; it has no deltas.
    Hosted(JsonText, super::Family),
}

/// What a block grows by.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Words of a text, a refusal or a thinking block.
    Text(String),
    /// A piece of the arguments of a call, as the model wrote it.
    Arguments(String),
    /// The seal of a thinking block or a call: once, last.
    Token(ReasoningToken),
    /// A citation in a text block, in the form of OpenAI's `annotations`.
    Annotation(JsonText),
    /// The log probabilities of words that came, a JSON array of tokens in OpenAI's form.
    Logprobs(JsonText),
}

impl BlockHead {
    /// Takes out the arguments that came with a call, where there are some.
    pub fn take_arguments(&mut self) -> Option<String> {
        let Self::ToolUse(call) = self else { return None };
        Some(std::mem::take(&mut call.arguments)).filter(|arguments| !arguments.is_empty())
    }
}

impl Event {
    /// Whether it carries any part of the answer, so that no other target can take over after it (D1).
    pub fn is_content(&self) -> bool {
        match self {
            Self::Start(_) | Self::Usage(_) | Self::BlockStop(_) | Self::Error(_) => false,
            Self::BlockStart(_, head) => {
                matches!(head, BlockHead::ToolUse(_) | BlockHead::Redacted(_) | BlockHead::Hosted(..))
            }
            Self::Delta(_, Delta::Text(text) | Delta::Arguments(text)) => !text.is_empty(),
            Self::Delta(..) | Self::Finish(_) | Self::Done => true,
        }
    }
}
