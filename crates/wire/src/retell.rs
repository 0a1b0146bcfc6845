//! Answers as clients were told them, read back and told to clients of other formats (F4).

use bytes::{Bytes, BytesMut};

use crate::clients::{ClientKind, ReplyContext, completions};
use crate::common::{Answer, BlockKind, CallIds, Collector, FinishReason, ReasoningToken};
use crate::vendors::VendorFormat;
use crate::{Dialect, formats};

/// An answer as a client was told it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The format that the client speaks.
    pub kind: ClientKind,
    /// Whether it was told as a stream.
    pub is_stream: bool,
    /// The JSON text, or the frames of the stream up to its end.
    pub text: Bytes,
}

impl Told {
    /// What it says; none where it is not whole.
    pub fn answer(&self) -> Option<Answer> {
        let Some(vendor) = reader(self.kind) else { return completions::told(&self.text, self.is_stream) };
        let mut answer = if self.is_stream {
            let (mut decoder, mut events) = (vendor.stream(), Vec::new());
            decoder.push(self.text.clone(), &mut events);
            decoder.finish(&mut events);
            let mut collector = Collector::default();
            for event in events {
                collector.push(event).ok()?;
            }
            collector.whole().ok()?
        } else {
            vendor.answer(&self.text).ok()?
        };
        answer.head.usage = answer.head.usage.or(answer.usage);
        for block in &mut answer.blocks {
            unwrap_tokens(&mut block.kind);
        }
        Some(answer)
    }
}

/// Whether an answer was given whole (F6): it ended by itself, and not by a limit or a filter.
pub fn ends_well(answer: &Answer) -> bool {
    matches!(answer.finish.reason, FinishReason::End | FinishReason::StopSequence | FinishReason::Tool)
}

/// An answer in one piece, as a client of a format gets it.
pub fn whole(kind: ClientKind, mut answer: Answer, context: &ReplyContext<'_>) -> Bytes {
    CallIds::new(context.request_id).answer(&mut answer);
    formats::client(kind).whole(answer, context)
}

/// An answer as the frames of a stream, its end included.
pub fn frames(kind: ClientKind, answer: Answer, context: &ReplyContext<'_>) -> Bytes {
    let mut encoder = formats::client(kind).stream(context);
    let (mut ids, mut frames) = (CallIds::new(context.request_id), BytesMut::new());
    for mut event in answer.into_events() {
        ids.event(&mut event);
        encoder.push(event, &mut frames);
    }
    frames.freeze()
}

/// The vendor's format that a client's format is the other side of; legacy completions have none.
fn reader(kind: ClientKind) -> Option<&'static dyn VendorFormat> {
    Some(formats::vendor(match kind {
        ClientKind::Chat => Dialect::OpenAi,
        ClientKind::Messages => Dialect::Anthropic,
        ClientKind::Responses => Dialect::Responses,
        ClientKind::Completions => return None,
    }))
}

/// Tokens of another family were told wrapped, and are again what they were.
fn unwrap_tokens(block: &mut BlockKind) {
    let token = match block {
        BlockKind::Thinking { token: Some(token), .. } | BlockKind::Redacted(token) => token,
        BlockKind::ToolUse(call) => match &mut call.token {
            Some(token) => token,
            None => return,
        },
        _ => return,
    };
    if let Some(own) = ReasoningToken::from_client(&token.text, token.family).filter(|own| own.text != token.text) {
        *token = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Usage;
    use crate::common::{AnswerHead, Block, Conversation, Family, Finish, Reasoning, ToolUse};

    const KINDS: [ClientKind; 3] = [ClientKind::Chat, ClientKind::Messages, ClientKind::Responses];

    fn context(conversation: &Conversation) -> ReplyContext<'_> {
        ReplyContext { request_id: "r1", conversation, now: 7, input_estimate: Some(3), strict: false, sealer: None }
    }

    fn answer(kinds: Vec<BlockKind>, reason: FinishReason) -> Answer {
        Answer {
            head: AnswerHead { id: "a1".to_owned(), model: "m".to_owned(), created: 7, ..AnswerHead::default() },
            blocks: kinds.into_iter().map(Block::from).collect(),
            finish: Finish { reason, ..Finish::default() },
            usage: Some(Usage { prompt_tokens: 3, completion_tokens: 5, ..Usage::default() }),
            logprobs: Vec::new(),
        }
    }

    fn told(kind: ClientKind, is_stream: bool, answer: Answer) -> Told {
        let conversation = Conversation {
            model: "m".to_owned(),
            include_usage: true,
            reasoning: Some(Reasoning { wants_token: true, ..Reasoning::default() }),
            ..Conversation::default()
        };
        let context = context(&conversation);
        let text = if is_stream { frames(kind, answer, &context) } else { whole(kind, answer, &context) };
        Told { kind, is_stream, text }
    }

    /// F4: what one client was told is what another is told of it, whole or streamed.
    #[test]
    fn f4_an_answer_is_read_back_from_every_format() {
        let call = ToolUse {
            call_id: "call_1".to_owned(),
            name: "f".to_owned(),
            arguments: "{\"a\":1.0}".to_owned(),
            ..ToolUse::default()
        };
        let said = answer(vec![BlockKind::text("Let me see."), BlockKind::ToolUse(call)], FinishReason::Tool);
        for kind in KINDS {
            for is_stream in [false, true] {
                let told = told(kind, is_stream, said.clone());
                let read = told.answer().unwrap_or_else(|| panic!("{kind:?}: {:?}", told.text));
                let words: Vec<&BlockKind> = read.blocks.iter().map(|block| &block.kind).collect();
                assert_eq!(words[0], &BlockKind::text("Let me see."), "{kind:?} {is_stream}");
                let BlockKind::ToolUse(call) = words[1] else { panic!("{kind:?} {is_stream}: {words:?}") };
                assert_eq!((call.call_id.as_str(), call.name.as_str()), ("call_1", "f"));
                let arguments: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
                assert_eq!(arguments, serde_json::json!({ "a": 1.0 }));
                assert!(ends_well(&read), "{kind:?} {is_stream}");
                let usage = read.usage.unwrap_or_else(|| panic!("{kind:?} {is_stream}: {:?}", told.text));
                assert_eq!((usage.prompt_tokens, usage.completion_tokens), (3, 5), "{kind:?} {is_stream}");
            }
        }
    }

    /// F6: what is cut or unfinished is not whole in any format.
    #[test]
    fn f6_what_did_not_end_well_is_told_apart() {
        for kind in KINDS {
            for is_stream in [false, true] {
                for reason in [FinishReason::Length, FinishReason::Filter] {
                    let told = told(kind, is_stream, answer(vec![BlockKind::text("half")], reason));
                    assert!(!told.answer().is_some_and(|answer| ends_well(&answer)), "{kind:?} {is_stream} {reason:?}");
                }
            }
            let Told { text, .. } = told(kind, true, answer(vec![BlockKind::text("half")], FinishReason::End));
            let cut = Told { kind, is_stream: true, text: text.slice(..text.len() / 2) };
            assert!(cut.answer().is_none(), "{kind:?}");
        }
    }

    /// J5: a seal keeps its origin on its way through another client's format.
    #[test]
    fn j5_a_token_told_wrapped_is_read_as_its_own() {
        let token = ReasoningToken::new(Family::Anthropic, "EqQBCg==");
        let thought = BlockKind::Thinking { text: "hm".to_owned(), is_summary: false, token: Some(token.clone()) };
        let said = answer(vec![thought, BlockKind::text("x")], FinishReason::End);
        for is_stream in [false, true] {
            let read = told(ClientKind::Responses, is_stream, said.clone()).answer().unwrap();
            let BlockKind::Thinking { token: read, .. } = &read.blocks[0].kind else { panic!("{:?}", read.blocks) };
            assert_eq!(
                read.as_ref().map(|read| (read.family, read.text.as_str())),
                Some((Family::Anthropic, "EqQBCg=="))
            );
        }
    }
}
