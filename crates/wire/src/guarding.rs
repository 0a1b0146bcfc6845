//! Guards of answers: every text of an answer passes them, whole or as a stream, in every format.

mod chat_chunks;
mod chat_stream;
mod chat_whole;
mod events;
mod json_texts;
mod observed;

pub use chat_chunks::ChunkGuard;
pub(crate) use chat_chunks::with_results;
pub use chat_stream::GuardedChat;
pub use chat_whole::{guarded_chat, guarded_field, guarded_output};
pub(crate) use events::EventGuard;
pub use events::guard_answer;
pub use observed::Observed;

use crate::ErrorBody;

/// One text of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextPlace {
    /// The choice that it is in.
    pub choice: u64,
    /// Tells apart the texts of an answer.
    pub index: usize,
    /// What it is.
    pub kind: TextKind,
}

/// What a text of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TextKind {
    /// The answer itself.
    Content,
    /// Readable reasoning, and whatever else stands beside the answer.
    Reasoning,
    /// A refusal.
    Refusal,
    /// The arguments of a call, a JSON text.
    Arguments,
    /// What a custom tool is given, any text.
    Input,
}

/// Where texts stand that are guarded one by one.
const ASIDE: TextPlace = TextPlace { choice: 0, index: usize::MAX, kind: TextKind::Reasoning };

/// Looks at the texts of one answer on their way to the client, and may change them or end the answer.
///
/// An error means that the client may get nothing more of the answer; it must not tell what was found.
pub trait AnswerGuard {
    /// Whether it may change, hold back or stop a text; else what it writes is not looked at.
    fn changes(&self) -> bool;

    /// Takes the next part of a text, and writes what is free to go.
    ///
    /// # Errors
    /// Where the answer is denied.
    fn push(&mut self, place: TextPlace, part: &str, out: &mut String) -> Result<(), ErrorBody>;

    /// Takes the end of a text, and writes what was held back.
    ///
    /// # Errors
    /// Where the answer is denied.
    fn finish(&mut self, place: TextPlace, out: &mut String) -> Result<(), ErrorBody>;

    /// Takes the cut of a text that does not go on, and writes what waited for its end alone: what may be a part of
    /// something longer stays back.
    ///
    /// # Errors
    /// Where the answer is denied.
    fn cut(&mut self, _place: TextPlace, _out: &mut String) -> Result<(), ErrorBody> {
        Ok(())
    }

    /// What came of the guardrails so far, a JSON text, where the client of a stream is to be told.
    fn results(&self) -> Option<String> {
        None
    }

    /// Takes the end of the answer, before the client is told of it.
    ///
    /// # Errors
    /// Where the answer is denied.
    fn end(&mut self) -> Result<(), ErrorBody>;
}

/// Makes guards for the answers to one request.
pub trait GuardSource {
    /// A guard for one answer.
    fn guard(&self) -> Box<dyn AnswerGuard>;
}

/// A whole text as it may go out.
fn whole(guard: &mut dyn AnswerGuard, place: TextPlace, text: &str) -> Result<String, ErrorBody> {
    let mut out = String::with_capacity(text.len());
    guard.push(place, text, &mut out)?;
    guard.finish(place, &mut out)?;
    Ok(if guard.changes() { out } else { text.to_owned() })
}

#[cfg(test)]
mod tests;
