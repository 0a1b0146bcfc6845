//! Answers in the common form, whole or as events.

use super::json_texts::guard_all;
use super::{ASIDE, AnswerGuard, TextKind, TextPlace, whole};
use crate::ErrorBody;
use crate::common::{Answer, Block, BlockHead, BlockKind, Delta, Event, JsonText, ToolKind, ToolUse};

/// Guards the events of one stream. Texts that follow one another, whatever but calls stands between them, are guarded as
/// one: clients join them.
pub(crate) struct EventGuard {
    guard: Box<dyn AnswerGuard>,
    open: Option<Open>,
    /// Where the guard sees the texts that are guarded as one.
    run: Option<TextPlace>,
    stopped: Option<Stopped>,
}

/// The text under way.
struct Open {
    place: TextPlace,
    block: usize,
    /// Whether it came out another so far.
    is_altered: bool,
    /// What came in less what went out, while both are the same.
    held: String,
    annotations: Vec<Event>,
}

/// A text that stopped while a part of it was held back, and may go on in the next.
struct Stopped {
    open: Open,
    /// What came out since.
    told: String,
    /// The events behind it.
    behind: Vec<Event>,
}

impl EventGuard {
    /// A guard for one stream.
    pub fn new(guard: Box<dyn AnswerGuard>) -> Self {
        Self { guard, open: None, run: None, stopped: None }
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
        if matches!(
            event,
            Event::BlockStart(_, BlockHead::ToolUse(_) | BlockHead::Refusal) | Event::Finish(_) | Event::Done
        ) {
            if let Some(open) = self.open.as_ref().filter(|open| open.place.kind == TextKind::Content) {
                let stop = Event::BlockStop(open.block);
                self.push(stop, out)?;
            }
            self.end_run(out)?;
        }
        let Some(stopped) = &mut self.stopped else { return self.take(event, out) };
        let block = stopped.open.block;
        let mut behind = std::mem::take(&mut stopped.behind);
        let taken = match event {
            // What broke off may be a part of a value.
            Event::Error(_) => {
                out.append(&mut behind);
                self.stopped = None;
                return self.take(event, out);
            }
            event => self.take(event, &mut behind),
        };
        match &mut self.stopped {
            Some(stopped) if stopped.open.block == block => stopped.behind = behind,
            _ => out.extend(behind),
        }
        taken?;
        self.settle(out);
        Ok(())
    }

    /// Takes the cut of the stream: what waited for the end of its text alone goes out.
    ///
    /// # Errors
    /// Where the answer is denied.
    pub fn cut(&mut self, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let (stopped, open) = (self.stopped.take(), self.open.take());
        let (behind, last) = match stopped {
            Some(Stopped { open, behind, .. }) => (behind, Some(open)),
            None => (Vec::new(), open),
        };
        let Some(last) = last.filter(|_| self.guard.changes()) else { return Ok(()) };
        let mut rest = String::new();
        self.guard.cut(last.place, &mut rest)?;
        out.extend(last.event(rest));
        out.extend(behind);
        Ok(())
    }

    fn take(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        match event {
            Event::BlockStart(index, mut head) => {
                self.close(out)?;
                if let BlockHead::Hosted(raw, _) = &mut head {
                    guard_json(raw, &mut *self.guard, TextPlace { choice: 0, index, kind: TextKind::Reasoning })?;
                }
                let kind = kind_of(&head);
                let arguments = head.take_arguments();
                out.push(Event::BlockStart(index, head));
                self.open = kind.map(|kind| self.begin(TextPlace { choice: 0, index, kind }));
                arguments.map_or(Ok(()), |arguments| self.grow(Delta::Arguments(arguments), out))
            }
            Event::Delta(_, delta @ (Delta::Text(_) | Delta::Arguments(_))) => self.grow(delta, out),
            Event::Delta(index, Delta::Annotation(mut annotation)) => {
                guard_json(&mut annotation, &mut *self.guard, ASIDE)?;
                if let Some(open) = &mut self.open {
                    open.annotations.push(Event::Delta(index, Delta::Annotation(annotation)));
                }
                Ok(())
            }
            // They repeat every word.
            Event::Delta(_, Delta::Logprobs(_)) => Ok(()),
            Event::Delta(index, Delta::Token(token)) => {
                self.close_text(out)?;
                // A seal on other words is none.
                let is_altered = self.open.as_ref().is_some_and(|open| open.is_altered);
                if !is_altered {
                    out.push(Event::Delta(index, Delta::Token(token)));
                }
                Ok(())
            }
            Event::BlockStop(_) => self.stop(event, out),
            Event::Finish(_) => {
                self.close(out)?;
                self.guard.end()?;
                out.push(event);
                Ok(())
            }
            Event::Done => {
                self.close(out)?;
                out.push(event);
                Ok(())
            }
            Event::Error(_) => {
                let unread = &mut String::new();
                for place in self.run.take().into_iter().chain(self.open.take().map(|open| open.place)) {
                    self.guard.finish(place, unread)?;
                }
                out.push(event);
                Ok(())
            }
            Event::Start(_) | Event::Usage(_) => {
                out.push(event);
                Ok(())
            }
        }
    }

    fn begin(&mut self, own: TextPlace) -> Open {
        let place = if own.kind == TextKind::Content { *self.run.get_or_insert(own) } else { own };
        let before = self.stopped.as_ref().filter(|_| own.kind == TextKind::Content).map(|stopped| &stopped.open);
        let (is_altered, held) = before.map_or((false, String::new()), |open| (open.is_altered, open.held.clone()));
        Open { place, block: own.index, is_altered, held, annotations: Vec::new() }
    }

    /// Guards a part of the open text.
    fn grow(&mut self, delta: Delta, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (Delta::Text(part) | Delta::Arguments(part)) = &delta else { return Ok(()) };
        let mut told = String::with_capacity(part.len());
        self.guard.push(open.place, part, &mut told)?;
        open.passed(part, &told);
        self.tell(told, out);
        Ok(())
    }

    /// Tells a part of the open text, which may belong to the one that stopped before.
    fn tell(&mut self, text: String, out: &mut Vec<Event>) {
        let Some(open) = &self.open else { return };
        match self.stopped.as_mut().filter(|stopped| stopped.open.place == open.place) {
            Some(stopped) => stopped.told.push_str(&text),
            None => out.extend(open.event(text)),
        }
    }

    /// Lets go of what the open text holds, which has ended.
    fn close_text(&mut self, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut rest = String::new();
        self.guard.finish(open.place, &mut rest)?;
        open.passed("", &rest);
        open.is_altered |= !open.held.is_empty();
        self.tell(rest, out);
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        self.close_text(out)?;
        if let Some(open) = self.open.take() {
            open.tell_annotations(out);
        }
        Ok(())
    }

    /// Takes the end of a block. What a text of the answer holds waits for the next.
    fn stop(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(open) = self.open.take_if(|open| open.place.kind == TextKind::Content) else {
            self.close(out)?;
            out.push(event);
            return Ok(());
        };
        // Of the text before, what came out by now is all that it gets.
        if let Some(before) = self.stopped.take() {
            let behind = std::mem::take(out);
            before.release(None, &open, behind, out);
        }
        if open.held.is_empty() && !open.is_altered {
            open.tell_annotations(out);
            out.push(event);
        } else {
            self.stopped = Some(Stopped { open, told: String::new(), behind: vec![event] });
        }
        Ok(())
    }

    /// Ends the texts that are guarded as one.
    fn end_run(&mut self, out: &mut Vec<Event>) -> Result<(), ErrorBody> {
        let Some(place) = self.run.take() else { return Ok(()) };
        let mut rest = String::new();
        self.guard.finish(place, &mut rest)?;
        if let Some(Stopped { mut open, behind, .. }) = self.stopped.take() {
            open.is_altered |= rest != open.held;
            out.extend(open.event(rest));
            open.tell_annotations(out);
            out.extend(behind);
        }
        Ok(())
    }

    /// Lets go of the text that stopped, once it is known what of it came out.
    fn settle(&mut self, out: &mut Vec<Event>) {
        let Some(open) = self.open.as_ref().filter(|open| open.place.kind == TextKind::Content) else { return };
        let is_known = |stopped: &mut Stopped| {
            let Stopped { open, told, .. } = stopped;
            open.is_altered || told.len() >= open.held.len() || !open.held.starts_with(told.as_str())
        };
        let Some(mut stopped) = self.stopped.take_if(is_known) else { return };
        let behind = std::mem::take(&mut stopped.behind);
        let held = stopped.open.held.clone();
        let is_same = !stopped.open.is_altered && stopped.told.starts_with(&held);
        stopped.release(is_same.then_some(held.len()), open, behind, out);
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

    /// Tells the citations of a text; in one that came out another they would point to other words.
    fn tell_annotations(self, out: &mut Vec<Event>) {
        if !self.is_altered {
            out.extend(self.annotations);
        }
    }

    fn event(&self, text: String) -> Option<Event> {
        let delta = |text| match self.place.kind {
            TextKind::Arguments | TextKind::Input => Delta::Arguments(text),
            _ => Delta::Text(text),
        };
        (!text.is_empty()).then(|| Event::Delta(self.block, delta(text)))
    }
}

impl Stopped {
    /// Tells the end of the text, what came behind it, and the beginning of the next; `own` bytes of what came out since
    /// are its own, where it came out as it was.
    fn release(mut self, own: Option<usize>, next: &Open, behind: Vec<Event>, out: &mut Vec<Event>) {
        let rest = self.told.split_off(own.unwrap_or(0));
        self.open.is_altered |= own.is_none();
        out.extend(self.open.event(self.told));
        self.open.tell_annotations(out);
        out.extend(behind);
        out.extend(next.event(rest));
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
    let (mut is_altered, mut run) = (false, TextRun::default());
    for index in 0..answer.blocks.len() {
        let Some(block) = answer.blocks.get_mut(index).map(|block| &mut block.kind) else { continue };
        if let BlockKind::Text { text, .. } = block {
            run.push(index, text, guard)?;
            continue;
        }
        let ends_run = matches!(block, BlockKind::ToolUse(_) | BlockKind::Refusal(_));
        is_altered |= guard_block(block, guard, index)?;
        if ends_run {
            is_altered |= std::mem::take(&mut run).end(&mut answer.blocks, guard)?;
        }
    }
    is_altered |= run.end(&mut answer.blocks, guard)?;
    guard.end()?;
    if is_altered {
        // They repeat every word.
        answer.logprobs.clear();
    }
    Ok(())
}

/// Texts that follow one another, whatever but calls stands between them: they are guarded as one.
#[derive(Default)]
struct TextRun {
    place: Option<TextPlace>,
    /// The numbers of their blocks, and what came out of each.
    outs: Vec<(usize, String)>,
}

impl TextRun {
    fn push(&mut self, index: usize, text: &str, guard: &mut dyn AnswerGuard) -> Result<(), ErrorBody> {
        let place = *self.place.get_or_insert(TextPlace { choice: 0, index, kind: TextKind::Content });
        let mut out = String::with_capacity(text.len());
        guard.push(place, text, &mut out)?;
        self.outs.push((index, out));
        Ok(())
    }

    /// Puts what came out into the blocks; gives whether any text came out another.
    fn end(mut self, blocks: &mut [Block], guard: &mut dyn AnswerGuard) -> Result<bool, ErrorBody> {
        let (Some(place), Some((_, last))) = (self.place, self.outs.last_mut()) else { return Ok(false) };
        guard.finish(place, last)?;
        if !guard.changes() {
            return Ok(false);
        }
        let (mut is_altered, mut outs) = (false, self.outs.into_iter().peekable());
        while let Some((index, mut out)) = outs.next() {
            let Some(Block { kind: BlockKind::Text { text, annotations }, .. }) = blocks.get_mut(index) else {
                continue;
            };
            // What was held came out with the next text, unless it came out as it was.
            if let (Some(held), Some((_, next))) = (text.strip_prefix(out.as_str()), outs.peek_mut())
                && let Some(own) = next.strip_prefix(held)
            {
                *next = own.to_owned();
                out.push_str(held);
            }
            if *text != out {
                is_altered = true;
                *text = out;
                annotations.clear();
            }
            for annotation in annotations {
                guard_json(annotation, guard, ASIDE)?;
            }
        }
        Ok(is_altered)
    }
}

/// Guards one block that is no text of the answer; gives whether it came out another.
fn guard_block(block: &mut BlockKind, guard: &mut dyn AnswerGuard, index: usize) -> Result<bool, ErrorBody> {
    let mut replace = |text: &mut String, kind| {
        let told = whole(guard, TextPlace { choice: 0, index, kind }, text)?;
        let is_altered = told != *text;
        *text = told;
        Ok::<bool, ErrorBody>(is_altered)
    };
    match block {
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
