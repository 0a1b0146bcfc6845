//! Answers in the common form, whole or as events.

use super::json_texts::guard_all;
use super::{AnswerGuard, TextKind, TextPlace, whole};
use crate::ErrorBody;
use crate::common::{Answer, BlockHead, BlockKind, Delta, Event, JsonText, ToolKind, ToolUse};

/// Guards the events of one stream.
pub(crate) struct EventGuard {
    guard: Box<dyn AnswerGuard>,
    open: Option<Open>,
}

/// The text under way.
struct Open {
    place: TextPlace,
    /// Whether it came out another so far.
    is_altered: bool,
    /// What came in less what went out, while both are the same.
    held: String,
}

impl EventGuard {
    /// A guard for one stream.
    pub fn new(guard: Box<dyn AnswerGuard>) -> Self {
        Self { guard, open: None }
    }

    /// What came of the guardrails so far, where the client is to be told.
    pub fn results(&self) -> Option<String> {
        self.guard.results()
    }

    /// Takes an event, and gives what becomes of it.
    ///
    /// # Errors
    /// Where the answer is denied.
    pub fn push(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        if !self.guard.changes() {
            self.look(&event)?;
            out.push(event);
            return Ok(());
        }
        match event {
            Event::BlockStart(index, mut head) => {
                self.close(out)?;
                if let BlockHead::Hosted(raw, _) = &mut head {
                    guard_json(raw, &mut *self.guard, TextPlace { choice: 0, index, kind: TextKind::Reasoning })?;
                }
                let kind = kind_of(&head);
                let arguments = head.take_arguments();
                out.push(Event::BlockStart(index, head));
                let place = kind.map(|kind| TextPlace { choice: 0, index, kind });
                self.open = place.map(|place| Open { place, is_altered: false, held: String::new() });
                arguments.map_or(Ok(()), |arguments| self.grow(Delta::Arguments(arguments), out))
            }
            Event::Delta(_, delta @ (Delta::Text(_) | Delta::Arguments(_))) => self.grow(delta, out),
            Event::Delta(index, Delta::Annotation(mut annotation)) => {
                let place = TextPlace { choice: 0, index, kind: TextKind::Reasoning };
                guard_json(&mut annotation, &mut *self.guard, place)?;
                // In a text that came out another it would point to other words.
                if !self.open.as_ref().is_some_and(|open| open.is_altered) {
                    out.push(Event::Delta(index, Delta::Annotation(annotation)));
                }
                Ok(())
            }
            // They repeat every word.
            Event::Delta(_, Delta::Logprobs(_)) => Ok(()),
            Event::Delta(index, Delta::Token(token)) => {
                self.close_text(index, out)?;
                // A seal on other words is none.
                let is_altered = self.open.as_ref().is_some_and(|open| open.is_altered);
                if !is_altered {
                    out.push(Event::Delta(index, Delta::Token(token)));
                }
                Ok(())
            }
            Event::BlockStop(_) => {
                self.close(out)?;
                out.push(event);
                Ok(())
            }
            Event::Finish(_) => {
                self.close(out)?;
                self.guard.end()?;
                out.push(event);
                Ok(())
            }
            Event::Done | Event::Error(_) => {
                self.close(out)?;
                out.push(event);
                Ok(())
            }
            Event::Start(_) | Event::Usage(_) => {
                out.push(event);
                Ok(())
            }
        }
    }

    /// Guards a part of the open text.
    fn grow(&mut self, delta: Delta, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (Delta::Text(part) | Delta::Arguments(part)) = &delta else { return Ok(()) };
        let mut told = String::with_capacity(part.len());
        self.guard.push(open.place, part, &mut told)?;
        open.passed(part, &told);
        out.extend(open.event(told));
        Ok(())
    }

    /// Lets go of what the open text holds, which has ended.
    fn close_text(&mut self, _index: usize, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut rest = String::new();
        self.guard.finish(open.place, &mut rest)?;
        open.passed("", &rest);
        open.is_altered |= !open.held.is_empty();
        out.extend(open.event(rest));
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let index = self.open.as_ref().map_or(0, |open| open.place.index);
        self.close_text(index, out)?;
        self.open = None;
        Ok(())
    }

    /// Tells a guard that changes nothing what is said.
    fn look(&mut self, event: &Event) -> Result<(), ErrorBody> {
        let unread = &mut String::new();
        let kind = |delta: &Delta| match delta {
            Delta::Arguments(_) => TextKind::Arguments,
            _ => TextKind::Content,
        };
        match event {
            Event::BlockStart(index, BlockHead::ToolUse(call)) => {
                let place = TextPlace { choice: 0, index: *index, kind: TextKind::Arguments };
                self.guard.push(place, &call.arguments, unread)
            }
            Event::Delta(index, delta @ (Delta::Text(part) | Delta::Arguments(part))) => {
                self.guard.push(TextPlace { choice: 0, index: *index, kind: kind(delta) }, part, unread)
            }
            Event::BlockStop(index) => {
                let place = |kind| TextPlace { choice: 0, index: *index, kind };
                self.guard.finish(place(TextKind::Content), unread)?;
                self.guard.finish(place(TextKind::Arguments), unread)
            }
            Event::Finish(_) => self.guard.end(),
            _ => Ok(()),
        }
    }
}

impl Open {
    /// Takes note of what went in and came out.
    fn passed(&mut self, part: &str, told: &str) {
        if self.is_altered {
            return;
        }
        self.held.push_str(part);
        match self.held.strip_prefix(told) {
            Some(rest) => self.held = rest.to_owned(),
            None => self.is_altered = true,
        }
    }

    fn event(&self, text: String) -> Option<Event> {
        let delta = |text| match self.place.kind {
            TextKind::Arguments | TextKind::Input => Delta::Arguments(text),
            _ => Delta::Text(text),
        };
        (!text.is_empty()).then(|| Event::Delta(self.place.index, delta(text)))
    }
}

fn kind_of(head: &BlockHead) -> Option<TextKind> {
    match head {
        BlockHead::Text => Some(TextKind::Content),
        BlockHead::Refusal => Some(TextKind::Refusal),
        BlockHead::Thinking { .. } => Some(TextKind::Reasoning),
        BlockHead::ToolUse(call) => Some(kind_of_call(call)),
        BlockHead::Redacted(_) | BlockHead::Hosted(..) => None,
    }
}

fn kind_of_call(call: &ToolUse) -> TextKind {
    if call.kind == ToolKind::Custom { TextKind::Input } else { TextKind::Arguments }
}

fn guard_json(json: &mut JsonText, guard: &mut dyn AnswerGuard, place: TextPlace) -> Result<bool, ErrorBody> {
    let mut value = json.value();
    let is_altered = guard_all(&mut value, guard, place)?;
    if is_altered {
        *json = JsonText::from(value);
    }
    Ok(is_altered)
}

/// Guards a whole answer.
///
/// # Errors
/// Where it is denied.
pub fn guard_answer(answer: &mut Answer, guard: &mut dyn AnswerGuard) -> Result<(), ErrorBody> {
    let mut is_altered = false;
    for (index, block) in answer.blocks.iter_mut().enumerate() {
        is_altered |= guard_block(&mut block.kind, guard, index)?;
    }
    guard.end()?;
    if is_altered {
        // They repeat every word.
        answer.logprobs.clear();
    }
    Ok(())
}

/// Guards one block; gives whether it came out another.
fn guard_block(block: &mut BlockKind, guard: &mut dyn AnswerGuard, index: usize) -> Result<bool, ErrorBody> {
    let mut replace = |text: &mut String, kind| {
        let told = whole(guard, TextPlace { choice: 0, index, kind }, text)?;
        let is_altered = told != *text;
        *text = told;
        Ok::<bool, ErrorBody>(is_altered)
    };
    match block {
        BlockKind::Text { text, annotations } => {
            let is_altered = replace(text, TextKind::Content)?;
            if is_altered {
                annotations.clear();
            }
            for annotation in annotations {
                guard_json(annotation, guard, TextPlace { choice: 0, index, kind: TextKind::Reasoning })?;
            }
            Ok(is_altered)
        }
        BlockKind::Refusal(text) => replace(text, TextKind::Refusal),
        BlockKind::Thinking { text, token, .. } => {
            let is_altered = replace(text, TextKind::Reasoning)?;
            if is_altered {
                *token = None;
            }
            Ok(is_altered)
        }
        BlockKind::ToolUse(call) => {
            let kind = kind_of_call(call);
            let is_altered = replace(&mut call.arguments, kind)?;
            if is_altered {
                call.token = None;
            }
            Ok(is_altered)
        }
        BlockKind::Hosted { raw, .. } => {
            guard_json(raw, guard, TextPlace { choice: 0, index, kind: TextKind::Reasoning })
        }
        _ => Ok(false),
    }
}
