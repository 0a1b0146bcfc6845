//! One attempt's answer on its way from the vendor's format to the client's: as it stands, or over the common form.

use bytes::Bytes;

use crate::clients::{ClientFormat, ReplyContext};
use crate::common::{Answer, BlockKind, CallIds, Collector, Event};
use crate::dialect::{AnswerStamp, passed_answer};
use crate::formats;
use crate::framing::StreamCollector;
use crate::guarding::{
    AnswerGuard, GuardSource, GuardedChat, Observed, TextKind, TextPlace, guard_answer, guarded_chat, guarded_field,
};
use crate::vendors::{EventDecoder, NativeDecoder, VendorFormat};
use crate::{Dialect, ErrorBody, Native, StreamDecoder, StreamEvent, Translated, Usage, WholeAnswer, openai};

/// How the answers of one attempt are told to its client.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The vendor's format.
    pub dialect: Dialect,
    /// What the gateway gives to an answer.
    pub stamp: AnswerStamp<'a>,
    /// The way between the formats.
    pub way: Way<'a>,
    /// What makes the guard that the answer passes, where there are guardrails.
    pub guards: Option<&'a dyn GuardSource>,
}

/// The way between the vendor's format and the client's.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// A chat client of a vendor that speaks chat completions: bytes with edits.
    Chat,
    /// A client and a vendor of one other format: bytes as they stand.
    Native(Formats, ReplyContext<'a>, NativeStream),
    /// Over the common form.
    Translated(Formats, ReplyContext<'a>),
}

/// Makes a decoder for a stream that passes as it stands.
pub type NativeStream = fn(&ReplyContext<'_>) -> Box<dyn NativeDecoder>;

/// A client's format and a vendor's.
#[derive(Clone, Copy)]
pub struct Formats {
    /// The client's.
    pub client: &'static dyn ClientFormat,
    /// The vendor's.
    pub vendor: &'static dyn VendorFormat,
    /// Whether the client's stream tells usage in an event of its own.
    pub has_usage_chunk: bool,
}

impl Exchange<'_> {
    /// A decoder for a streamed answer.
    pub fn stream(&self) -> Box<dyn StreamDecoder> {
        match &self.way {
            Way::Chat => {
                let chat = self.chat_stream();
                match self.guard() {
                    Some(guard) => Box::new(GuardedChat::new(chat, guard)),
                    None => chat,
                }
            }
            Way::Native(formats, context, decoder) => match self.guard() {
                None => Box::new(Native::new(decoder(context))),
                // Bytes cannot be changed as they pass.
                Some(guard) if guard.changes() => Box::new(Translated::new(*formats, context).guarded(Some(guard))),
                Some(guard) => Box::new(Observed::new(Box::new(Native::new(decoder(context))), guard)),
            },
            Way::Translated(formats, context) => Box::new(Translated::new(*formats, context).guarded(self.guard())),
        }
    }

    fn chat_stream(&self) -> Box<dyn StreamDecoder> {
        let chat = openai::ChatStream::new(self.stamp.strict);
        Box::new(chat.of(self.stamp.choices).showing_usage(self.stamp.shows_usage))
    }

    /// The guard that the answer passes, where there are guardrails.
    pub fn guard(&self) -> Option<Box<dyn AnswerGuard>> {
        self.guards.map(GuardSource::guard)
    }

    /// A whole answer in the client's format.
    ///
    /// # Errors
    /// Where the vendor's answer is not in its format, or is an error.
    pub fn whole(&self, body: Bytes) -> Result<WholeAnswer, ErrorBody> {
        match &self.way {
            Way::Chat => openai::chat_answer(body, self.stamp.strict).map(|answer| guarded(answer, self.guard())),
            Way::Native(formats, context, _) => {
                let guard = self.guard();
                if guard.as_ref().is_some_and(|guard| guard.changes()) {
                    return Ok(told(formats.vendor.answer(&body)?, *formats, context, guard));
                }
                let (body, answer) = formats::native_whole(self.dialect, body, context)?;
                let text = text_of(&answer);
                if let Some(mut guard) = guard {
                    look(&mut *guard, &text);
                }
                Ok(WholeAnswer { usage: answer.usage, text: Some(text), body, replay: None, denied: None })
            }
            Way::Translated(formats, context) => {
                Ok(told(formats.vendor.answer(&body)?, *formats, context, self.guard()))
            }
        }
    }

    /// A ranking, which repeats texts of its request.
    ///
    /// # Errors
    /// Where the vendor's answer is no JSON object, or is an error.
    pub fn ranking(&self, body: Bytes) -> Result<WholeAnswer, ErrorBody> {
        let answer = passed_answer(body)?;
        let Some(mut guard) = self.guard() else { return Ok(answer) };
        Ok(match guarded_field(&answer.body, "results", &mut *guard) {
            Ok(body) => WholeAnswer { body, ..answer },
            Err(error) => denied(answer, String::new(), error),
        })
    }

    /// What gathers a streamed answer whose client wants it whole.
    pub fn gathering(&self) -> Gathering<'_> {
        match &self.way {
            Way::Chat => Gathering::Chat {
                decoder: self.chat_stream(),
                gathered: StreamCollector::default(),
                events: Vec::new(),
            },
            Way::Native(formats, context, _) | Way::Translated(formats, context) => {
                Gathering::common(*formats, *context)
            }
        }
    }
}

/// An answer as the client gets it.
fn told(
    mut answer: Answer,
    formats: Formats,
    context: &ReplyContext<'_>,
    guard: Option<Box<dyn AnswerGuard>>,
) -> WholeAnswer {
    CallIds::new(context.request_id).answer(&mut answer);
    let (usage, text) = (answer.usage, text_of(&answer));
    let bare = WholeAnswer { body: Bytes::new(), usage, text: None, replay: None, denied: None };
    if let Some(mut guard) = guard
        && let Err(error) = guard_answer(&mut answer, &mut *guard)
    {
        return denied(bare, text, error);
    }
    let replay = formats.client.replay(&answer, context);
    WholeAnswer { body: formats.client.whole(answer, context), text: Some(text), replay, ..bare }
}

/// A whole chat answer as its guard lets it go.
fn guarded(answer: WholeAnswer, guard: Option<Box<dyn AnswerGuard>>) -> WholeAnswer {
    let Some(mut guard) = guard else { return answer };
    let (said, told) = guarded_chat(&answer.body, &mut *guard);
    match told {
        Ok(body) => WholeAnswer { body, text: Some(said), ..answer },
        Err(error) => denied(answer, said, error),
    }
}

/// An answer that the client may not have, of which only what it cost is told.
fn denied(answer: WholeAnswer, said: String, error: ErrorBody) -> WholeAnswer {
    WholeAnswer { body: Bytes::new(), text: Some(said), replay: None, denied: Some(Box::new(error)), ..answer }
}

/// Tells a guard that changes nothing what was said.
fn look(guard: &mut dyn AnswerGuard, text: &str) {
    let (place, unread) = (TextPlace { choice: 0, index: 0, kind: TextKind::Content }, &mut String::new());
    let seen = guard.push(place, text, unread).and_then(|()| guard.finish(place, unread)).and_then(|()| guard.end());
    debug_assert!(seen.is_ok(), "a guard that looks on denies nothing");
}

/// The text that the model generated.
fn text_of(answer: &Answer) -> String {
    let mut all = String::new();
    for block in &answer.blocks {
        match &block.kind {
            BlockKind::Text { text, .. } | BlockKind::Refusal(text) | BlockKind::Thinking { text, .. } => {
                all.push_str(text);
            }
            BlockKind::ToolUse(call) => all.push_str(&call.arguments),
            _ => {}
        }
    }
    all
}

/// A streamed answer that is put together for a client who wants it whole.
pub enum Gathering<'a> {
    /// In the form of chat chunks.
    Chat {
        /// What reads the vendor's bytes.
        decoder: Box<dyn StreamDecoder>,
        /// The answer so far.
        gathered: StreamCollector,
        /// What was read last.
        events: Vec<StreamEvent>,
    },
    /// In the common form.
    Common {
        /// The formats.
        formats: Formats,
        /// What the answer takes from its request.
        context: ReplyContext<'a>,
        /// What reads the vendor's bytes.
        decoder: Box<dyn EventDecoder>,
        /// The answer so far.
        collector: Collector,
        /// What was read last.
        events: Vec<Event>,
    },
}

/// What comes next of a vendor's stream.
#[derive(Clone, Debug)]
pub enum Input {
    /// These bytes.
    Bytes(Bytes),
    /// Its end.
    End,
    /// Its connection broke.
    Broken,
}

impl<'a> Gathering<'a> {
    fn common(formats: Formats, context: ReplyContext<'a>) -> Self {
        let decoder = formats.vendor.stream();
        Self::Common { formats, context, decoder, collector: Collector::default(), events: Vec::new() }
    }

    /// Takes in what comes next; gives whether the answer is complete.
    ///
    /// # Errors
    /// The stream's own, or that it is not in its format.
    pub fn push(&mut self, input: Input) -> Result<bool, ErrorBody> {
        match self {
            Self::Chat { decoder, gathered, events } => {
                match input {
                    Input::Bytes(bytes) => decoder.push(bytes, events),
                    Input::End => decoder.finish(events),
                    Input::Broken => decoder.broken(events),
                }
                for event in events.drain(..) {
                    if gathered.push(event)? {
                        return Ok(true);
                    }
                }
            }
            Self::Common { decoder, collector, events, .. } => {
                match input {
                    Input::Bytes(bytes) => decoder.push(bytes, events),
                    Input::End => decoder.finish(events),
                    Input::Broken => decoder.broken(events),
                }
                for event in events.drain(..) {
                    if collector.push(event)? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Whether every part of the answer has told its end.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Chat { decoder, .. } => decoder.is_complete(),
            Self::Common { decoder, .. } => decoder.is_complete(),
        }
    }

    /// What was counted so far.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Chat { gathered, .. } => gathered.usage(),
            Self::Common { collector, .. } => collector.usage(),
        }
    }

    /// The whole answer.
    ///
    /// # Errors
    /// Where it has no end.
    pub fn gathered(self) -> Result<Gathered<'a>, ErrorBody> {
        Ok(match self {
            Self::Chat { gathered, .. } => Gathered::Chat(gathered.whole()?),
            Self::Common { collector, formats, context, .. } => {
                Gathered::Common(Box::new(collector.whole()?), formats, context)
            }
        })
    }
}

/// A streamed answer that has been put together.
pub enum Gathered<'a> {
    /// As chat tells it.
    Chat(WholeAnswer),
    /// In the common form, with the formats and what it takes from its request.
    Common(Box<Answer>, Formats, ReplyContext<'a>),
}

impl Gathered<'_> {
    /// The answer as a guard lets it go.
    pub fn whole(&self, guard: Option<Box<dyn AnswerGuard>>) -> WholeAnswer {
        match self {
            Self::Chat(answer) => guarded(answer.clone(), guard),
            Self::Common(answer, formats, context) => told((**answer).clone(), *formats, context, guard),
        }
    }
}
