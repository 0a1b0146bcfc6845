//! A whole answer in the common form, and how it grows from events.

use super::{Block, BlockHead, BlockKind, Delta, Event, JsonText, ToolUse};
use crate::{ErrorBody, ServiceTier, Usage, cut_short, malformed};

/// What is known of an answer when it begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerHead {
    /// The vendor's id of the answer; empty where it gives none.
    pub id: String,
    /// The model as the vendor names it; empty where it does not.
    pub model: String,
    /// When it was made, in seconds since 1970; 0 where the vendor does not tell.
    pub created: u64,
    /// What the vendor counted so far, at most the input.
    pub usage: Option<Usage>,
    /// The class of service that the vendor says it served with; none where it does not tell.
    pub service_tier: Option<ServiceTier>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FinishReason {
    /// By itself.
    #[default]
    End,
    /// At a stop sequence.
    StopSequence,
    /// At the limit of output tokens.
    Length,
    /// At the end of the model's context window.
    ContextWindow,
    /// With calls of tools.
    Tool,
    /// By a content filter.
    Filter,
    /// The model refused.
    Refusal,
    /// The vendor's own tools need another turn (Anthropic's `pause_turn`).
    Pause,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// The stop sequence that was met, where the vendor tells.
    pub stop_sequence: Option<String>,
    /// What the vendor tells beside it (Anthropic's `stop_details`).
    pub details: Option<JsonText>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// How it begins.
    pub head: AnswerHead,
    /// Its blocks in their order.
    pub blocks: Vec<Block>,
    /// How it ended.
    pub finish: Finish,
    /// What the vendor counted.
    pub usage: Option<Usage>,
    /// Log probabilities of its words, in JSON arrays of tokens in OpenAI's form.
    pub logprobs: Vec<JsonText>,
}

impl Answer {
    /// The events of a stream that says the same, its end included.
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Start(self.head)];
        let mut logprobs = self.logprobs;
        for (index, block) in self.blocks.into_iter().enumerate() {
            let (head, deltas) = parts(block.kind);
            let Some(head) = head else { continue };
            let is_text = head == BlockHead::Text;
            events.push(Event::BlockStart(index, head));
            if is_text {
                events.extend(logprobs.drain(..).map(|logprobs| Event::Delta(index, Delta::Logprobs(logprobs))));
            }
            events.extend(deltas.into_iter().map(|delta| Event::Delta(index, delta)));
            events.push(Event::BlockStop(index));
        }
        events.push(Event::Finish(self.finish));
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::Done);
        events
    }

    /// Whether it calls a tool.
    pub fn calls_tools(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)))
    }
}

/// A block as its head and what it grows by; no head for kinds that no answer has.
fn parts(kind: BlockKind) -> (Option<BlockHead>, Vec<Delta>) {
    let words = |text: String| if text.is_empty() { Vec::new() } else { vec![Delta::Text(text)] };
    match kind {
        BlockKind::Text { text, annotations } => {
            let mut deltas = words(text);
            deltas.extend(annotations.into_iter().map(Delta::Annotation));
            (Some(BlockHead::Text), deltas)
        }
        BlockKind::Refusal(text) => (Some(BlockHead::Refusal), words(text)),
        BlockKind::Thinking { text, is_summary, token } => {
            let mut deltas = words(text);
            deltas.extend(token.map(Delta::Token));
            (Some(BlockHead::Thinking { is_summary }), deltas)
        }
        BlockKind::Redacted(token) => (Some(BlockHead::Redacted(token)), Vec::new()),
        BlockKind::ToolUse(mut call) => {
            let arguments = std::mem::take(&mut call.arguments);
            let deltas = if arguments.is_empty() { Vec::new() } else { vec![Delta::Arguments(arguments)] };
            (Some(BlockHead::ToolUse(call)), deltas)
        }
        BlockKind::Hosted { raw, family } => (Some(BlockHead::Hosted(raw, family)), Vec::new()),
        _ => (None, Vec::new()),
    }
}

/// The whole answer that grows from the events of a stream.
#[derive(Debug, Default)]
pub struct Collector {
    answer: Answer,
    finished: bool,
}

impl Collector {
    /// Takes in one event; gives whether the stream is at its end.
    ///
    /// # Errors
    /// The stream's own, or that its events are in no order.
    pub fn push(&mut self, event: Event) -> Result<bool, ErrorBody> {
        match event {
            Event::Start(head) => self.answer.head = head,
            Event::Delta(_, Delta::Logprobs(logprobs)) => self.answer.logprobs.push(logprobs),
            Event::BlockStart(_, head) => self.answer.blocks.push(started(head).into()),
            Event::Delta(_, delta) => match self.answer.blocks.last_mut() {
                Some(block) => grow(&mut block.kind, delta),
                None => return Err(malformed("The provider's stream has a part of no block.")),
            },
            Event::BlockStop(_) => {}
            Event::Usage(usage) => self.answer.usage = Some(usage),
            Event::Finish(finish) => (self.answer.finish, self.finished) = (finish, true),
            Event::Done => return Ok(true),
            Event::Error(error) => return Err(error),
        }
        Ok(false)
    }

    /// What was counted so far.
    pub fn usage(&self) -> Option<Usage> {
        self.answer.usage.or(self.answer.head.usage)
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Where the stream told no end.
    pub fn whole(self) -> Result<Answer, ErrorBody> {
        if self.finished { Ok(self.answer) } else { Err(cut_short()) }
    }
}

fn started(head: BlockHead) -> BlockKind {
    match head {
        BlockHead::Text => BlockKind::text(""),
        BlockHead::Refusal => BlockKind::Refusal(String::new()),
        BlockHead::Thinking { is_summary } => BlockKind::Thinking { text: String::new(), is_summary, token: None },
        BlockHead::Redacted(token) => BlockKind::Redacted(token),
        BlockHead::ToolUse(call) => BlockKind::ToolUse(call),
        BlockHead::Hosted(raw, family) => BlockKind::Hosted { raw, family },
    }
}

fn grow(block: &mut BlockKind, delta: Delta) {
    match (block, delta) {
        (BlockKind::Text { text, .. } | BlockKind::Refusal(text), Delta::Text(more))
        | (BlockKind::Thinking { text, .. }, Delta::Text(more))
        | (BlockKind::ToolUse(ToolUse { arguments: text, .. }), Delta::Arguments(more)) => text.push_str(&more),
        (BlockKind::Text { annotations, .. }, Delta::Annotation(annotation)) => annotations.push(annotation),
        (BlockKind::Thinking { token, .. }, Delta::Token(seal))
        | (BlockKind::ToolUse(ToolUse { token, .. }), Delta::Token(seal)) => *token = Some(seal),
        // A part that its block cannot have says nothing that could be told.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{Family, ReasoningToken};

    /// F4: an answer told as a stream and gathered again is the same.
    #[test]
    fn f4_events_and_answers_say_the_same() {
        let token = ReasoningToken::new(Family::Anthropic, "sig");
        let call =
            ToolUse { call_id: "c".into(), name: "f".into(), arguments: "{\"a\":1.0}".into(), ..ToolUse::default() };
        let kinds = [
            BlockKind::Thinking { text: "hm".into(), is_summary: false, token: Some(token.clone()) },
            BlockKind::Redacted(token),
            BlockKind::Text { text: "t".into(), annotations: vec![JsonText::parse("{\"a\":1}").unwrap()] },
            BlockKind::ToolUse(call),
            BlockKind::Refusal("no".into()),
        ];
        let answer = Answer {
            head: AnswerHead { id: "i".into(), model: "m".into(), created: 7, ..AnswerHead::default() },
            blocks: kinds.into_iter().map(Block::from).collect(),
            finish: Finish { reason: FinishReason::Tool, stop_sequence: None, details: None },
            usage: Some(Usage { prompt_tokens: 3, completion_tokens: 5, ..Usage::default() }),
            logprobs: vec![JsonText::parse(r#"[{"token":"t"}]"#).unwrap()],
        };
        let mut collector = Collector::default();
        let events = answer.clone().into_events();
        let (last, rest) = events.split_last().unwrap();
        for event in rest {
            assert_eq!(collector.push(event.clone()), Ok(false));
        }
        assert_eq!(collector.push(last.clone()), Ok(true));
        assert_eq!(collector.whole().unwrap(), answer);
        assert!(Collector::default().whole().is_err());
    }
}
