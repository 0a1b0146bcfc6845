//! The item whose parts are being told.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Item, Part, Said, blocks_of, told_logprobs, words};
use crate::common::{Answer, Block, BlockHead, Delta, Event, JsonText};

/// An event of the vendor's, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub output_index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub part: Option<&'a RawValue>,
    #[serde(borrow)]
    pub delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub annotation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
}

/// What of an item is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Words { is_refusal: bool },
    Thinking { is_summary: bool },
    Call,
}

/// Tells the blocks of one item at a time.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The number of the next block.
    next: usize,
    open: Option<Open>,
    /// How many blocks of the item were begun.
    begun: usize,
    /// Whether the open block has said something, and its open part.
    has_said: bool,
    part_said: bool,
    /// Whether the next words of reasoning begin another part.
    parted: bool,
    annotated: bool,
    /// What kinds of block the answer has.
    pub said: Said,
}

impl Live {
    /// Takes in an event of the item.
    pub fn take(&mut self, kind: &str, event: &Wire<'_>, out: &mut Vec<Event>) {
        let said = |raw: Option<&RawValue>| raw.map(words).unwrap_or_default();
        match kind {
            "response.output_item.added" => self.added(event.item, out),
            "response.content_part.added" => self.part_added(event.part, out),
            "response.output_text.delta" => {
                self.speak(false, said(event.delta), out);
                self.weigh(event.logprobs, out);
            }
            "response.refusal.delta" => self.speak(true, said(event.delta), out),
            "response.output_text.done" if !self.part_said => self.speak(false, said(event.text), out),
            "response.refusal.done" if !self.part_said => self.speak(true, said(event.refusal), out),
            "response.output_text.annotation.added" => {
                if let (Some(Open::Words { is_refusal: false }), Some(raw)) = (self.open, event.annotation) {
                    self.annotate(raw.into(), out);
                }
            }
            "response.content_part.done" => self.part_done(event.part, out),
            "response.reasoning_summary_part.added" => self.next_part(),
            "response.reasoning_summary_text.delta" => self.think(true, said(event.delta), out),
            "response.reasoning_text.delta" => self.think(false, said(event.delta), out),
            "response.reasoning_summary_text.done" if !self.part_said => self.think(true, said(event.text), out),
            "response.reasoning_text.done" if !self.part_said => self.think(false, said(event.text), out),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.argue(said(event.delta), out);
            }
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" if !self.has_said => {
                self.argue(said(event.arguments.or(event.input)), out);
            }
            "response.output_item.done" => self.done(event.item, out),
            _ => {}
        }
    }

    /// Tells an item that came whole.
    pub fn whole(&mut self, raw: &RawValue, out: &mut Vec<Event>) {
        self.tell(blocks_of(raw).into_iter().map(Block::from).collect(), out);
    }

    /// Ends the item.
    pub fn end(&mut self, out: &mut Vec<Event>) {
        self.stop(out);
        self.begun = 0;
    }

    fn tell(&mut self, blocks: Vec<Block>, out: &mut Vec<Event>) {
        for block in blocks {
            self.said.add(&block.kind);
            let events = Answer { blocks: vec![block], ..Answer::default() }.into_events();
            let at = self.next;
            for event in events {
                match event {
                    Event::BlockStart(_, head) => {
                        self.next += 1;
                        out.push(Event::BlockStart(at, head));
                    }
                    Event::Delta(_, delta) => out.push(Event::Delta(at, delta)),
                    Event::BlockStop(_) => out.push(Event::BlockStop(at)),
                    _ => {}
                }
            }
        }
    }

    fn start(&mut self, open: Open, head: BlockHead, out: &mut Vec<Event>) {
        self.stop(out);
        self.said.calls |= open == Open::Call;
        self.said.refuses |= open == Open::Words { is_refusal: true };
        out.push(Event::BlockStart(self.next, head));
        (self.open, self.begun) = (Some(open), self.begun + 1);
        (self.has_said, self.part_said, self.parted, self.annotated) = (false, false, false, false);
    }

    fn stop(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::BlockStop(self.next));
            self.next += 1;
        }
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<Event>) {
        out.push(Event::Delta(self.next, delta));
    }

    fn added(&mut self, item: Option<&RawValue>, out: &mut Vec<Event>) {
        self.end(out);
        let item = item.and_then(|raw| serde_json::from_str::<Item<'_>>(raw.get()).ok());
        if let Some(call) = item.and_then(|item| item.growing_call()) {
            self.start(Open::Call, BlockHead::ToolUse(call), out);
        }
    }

    fn part_added(&mut self, part: Option<&RawValue>, out: &mut Vec<Event>) {
        let part = part.and_then(|raw| serde_json::from_str::<Part>(raw.get()).ok()).unwrap_or_default();
        match part.kind.as_deref() {
            Some("output_text") => self.words(false, out),
            Some("refusal") => self.words(true, out),
            // Reasoning begins with its first words.
            _ => {}
        }
    }

    fn words(&mut self, is_refusal: bool, out: &mut Vec<Event>) {
        let head = if is_refusal { BlockHead::Refusal } else { BlockHead::Text };
        self.start(Open::Words { is_refusal }, head, out);
    }

    fn speak(&mut self, is_refusal: bool, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if self.open != Some(Open::Words { is_refusal }) {
            self.words(is_refusal, out);
        }
        (self.has_said, self.part_said) = (true, true);
        self.delta(Delta::Text(text), out);
    }

    /// The log probabilities of what was said last.
    fn weigh(&mut self, logprobs: Option<&RawValue>, out: &mut Vec<Event>) {
        let Some(raw) = logprobs.filter(|raw| raw.get() != "[]") else { return };
        if self.open == Some(Open::Words { is_refusal: false })
            && let Some(list) = told_logprobs(raw.into())
        {
            self.delta(Delta::Logprobs(list), out);
        }
    }

    fn annotate(&mut self, annotation: JsonText, out: &mut Vec<Event>) {
        self.annotated = true;
        self.delta(Delta::Annotation(annotation), out);
    }

    fn part_done(&mut self, part: Option<&RawValue>, out: &mut Vec<Event>) {
        let Some(Open::Words { is_refusal }) = self.open else { return };
        let part = part.and_then(|raw| serde_json::from_str::<Part>(raw.get()).ok()).unwrap_or_default();
        if !self.part_said {
            let text = if is_refusal { part.refusal } else { part.text };
            self.speak(is_refusal, text.unwrap_or_default(), out);
        }
        if !self.annotated {
            for annotation in part.annotations.unwrap_or_default() {
                self.annotate(annotation, out);
            }
        }
        self.stop(out);
    }

    fn next_part(&mut self) {
        self.parted = self.has_said && self.open == Some(Open::Thinking { is_summary: true });
        self.part_said = false;
    }

    fn think(&mut self, is_summary: bool, text: String, out: &mut Vec<Event>) {
        let open = Open::Thinking { is_summary };
        // Of an item that has both, the first that comes is told.
        if text.is_empty() || self.open.is_some_and(|known| known != open) {
            return;
        }
        if self.open.is_none() {
            self.start(open, BlockHead::Thinking { is_summary }, out);
        }
        if std::mem::take(&mut self.parted) {
            self.delta(Delta::Text("\n\n".to_owned()), out);
        }
        (self.has_said, self.part_said) = (true, true);
        self.delta(Delta::Text(text), out);
    }

    fn argue(&mut self, arguments: String, out: &mut Vec<Event>) {
        if self.open == Some(Open::Call) && !arguments.is_empty() {
            self.has_said = true;
            self.delta(Delta::Arguments(arguments), out);
        }
    }

    /// Takes the item whole, at its end: what of it was not told yet is told now.
    fn done(&mut self, raw: Option<&RawValue>, out: &mut Vec<Event>) {
        let item = raw.and_then(|raw| serde_json::from_str::<Item<'_>>(raw.get()).ok()).unwrap_or_default();
        match self.open {
            Some(Open::Call) if !self.has_said => self.argue(item.arguments(), out),
            Some(Open::Thinking { .. }) => {
                if let Some(token) = item.token() {
                    self.delta(Delta::Token(token), out);
                }
            }
            Some(Open::Words { .. }) if !self.has_said => {
                // A part that was begun and said nothing so far.
                let part = item.content.into_iter().flatten().nth(self.begun.saturating_sub(1));
                let (is_refusal, part) = (part.as_ref().is_some_and(Part::is_refusal), part.unwrap_or_default());
                let text = if is_refusal { part.refusal } else { part.text };
                self.speak(is_refusal, text.unwrap_or_default(), out);
            }
            _ => {}
        }
        let begun = self.begun;
        self.end(out);
        if let Some(raw) = raw {
            let blocks = blocks_of(raw).into_iter().skip(begun).map(Block::from);
            self.tell(blocks.collect(), out);
        }
    }
}
