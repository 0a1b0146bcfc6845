//! Streams of Anthropic's that go to clients of the Messages API as they are.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer;
use super::error::error_body;
use super::event::{Growth, Told};
use super::usage::add_usage;
use crate::clients::StreamEncoder as _;
use crate::clients::messages::MessagesStream;
use crate::clients::messages::frames::{Ending, Frame};
use crate::clients::messages::usage::Counts;
use crate::common::Answer;
use crate::json_object::json_string;
use crate::splice::Splices;
use crate::sse::{SseDecoder, SseEvent, named_frame};
use crate::surrogates::SurrogateRepair;
use crate::vendors::{NativeDecoder, NativeEvent};
use crate::{ErrorBody, Usage, cut_short, malformed, stream_error, too_long};

/// Passes Anthropic's events to a client of the Messages API: each as it came, with its name before it.
#[derive(Debug)]
pub struct NativeStream {
    sse: SseDecoder,
    surrogates: SurrogateRepair,
    /// The model as the client named it, which stands for the vendor's name of it.
    model: Option<String>,
    request_id: String,
    usage: Option<Usage>,
    /// Anthropic's numbers of the blocks that are open.
    open: Vec<u64>,
    has_begun: bool,
    has_stop_reason: bool,
    ended: bool,
}

impl NativeStream {
    /// A decoder; `model` is told in the place of the vendor's name, where it is given.
    pub fn new(model: Option<&str>, request_id: &str) -> Self {
        Self {
            sse: SseDecoder::default(),
            surrogates: SurrogateRepair::default(),
            model: model.map(str::to_owned),
            request_id: request_id.to_owned(),
            usage: None,
            open: Vec::new(),
            has_begun: false,
            has_stop_reason: false,
            ended: false,
        }
    }

    fn take(&mut self, event: &SseEvent, out: &mut Vec<NativeEvent>) {
        if self.ended {
            return;
        }
        let text = self.surrogates.repair(&event.data);
        let Ok(told) = serde_json::from_slice::<Told<'_>>(&text) else {
            if event.name.as_deref() == Some("error") {
                return self.end(NativeEvent::Error(error_body(200, &text)), out);
            }
            let error = stream_error("The provider's stream is not in Anthropic's format.", "malformed_stream");
            return self.end(NativeEvent::Error(error), out);
        };
        let name = told.kind.as_deref().or(event.name.as_deref()).unwrap_or_default().to_owned();
        if told.error.is_some() || name == "error" || event.name.as_deref() == Some("error") {
            return self.end(NativeEvent::Error(error_body(200, &text)), out);
        }
        if name == "message" {
            return self.take_whole(&text, out);
        }
        let mut data = event.data.clone();
        if name == "message_start"
            && let Some(renamed) = self.renamed(&told, &text)
        {
            data = renamed;
        }
        let (content, said) = self.note(&name, told);
        let stops = name == "message_stop";
        out.push(NativeEvent::Frame { bytes: named_frame(&name, &data), content: content || stops, text: said });
        if stops {
            self.end(NativeEvent::Done, out);
        }
    }

    /// The event with the client's name of the model.
    fn renamed(&self, told: &Told<'_>, text: &[u8]) -> Option<Bytes> {
        let (model, place) = (self.model.as_ref()?, told.message.as_ref()?.model?);
        let mut splices = Splices::default();
        splices.replace(text, place, json_string(model));
        Some(Bytes::from(splices.apply(text)))
    }

    /// Notes what an event tells; gives whether it carries a part of the answer, and the words in it.
    fn note(&mut self, name: &str, told: Told<'_>) -> (bool, Option<String>) {
        match name {
            "message_start" => {
                self.has_begun = true;
                self.count(told.message.and_then(|message| message.usage).as_ref());
                (false, None)
            }
            "content_block_start" => {
                let number = told.index.unwrap_or_default();
                self.open.retain(|open| *open != number);
                self.open.push(number);
                let fields = told.content_block.map(answer::Fields::read).unwrap_or_default();
                let said = fields.text.or(fields.thinking).filter(|text| !text.is_empty());
                (said.is_some() || !matches!(fields.kind.as_str(), "text" | "thinking"), said)
            }
            "content_block_delta" => {
                let Growth { text, thinking, partial_json, signature, citation, .. } = told.delta.unwrap_or_default();
                let is_sealed = signature.is_some() || citation.is_some();
                let said = text.or(thinking).or(partial_json).filter(|text| !text.is_empty());
                (said.is_some() || is_sealed, said)
            }
            "content_block_stop" => {
                let number = told.index.unwrap_or_default();
                self.open.retain(|open| *open != number);
                (false, None)
            }
            "message_delta" => {
                self.count(told.usage.as_ref());
                let reason = told.delta.and_then(|delta| delta.stop_reason);
                self.has_stop_reason |= reason.is_some_and(|reason| !reason.is_empty());
                (true, None)
            }
            _ => (false, None),
        }
    }

    fn count(&mut self, counts: Option<&Value>) {
        if let Some(counts) = counts.filter(|counts| counts.is_object()) {
            add_usage(self.usage.get_or_insert_default(), counts);
        }
    }

    /// Tells a whole answer, which came in the place of a stream's events, as those.
    fn take_whole(&mut self, text: &[u8], out: &mut Vec<NativeEvent>) {
        let answer = match answer::answer(text) {
            Ok(answer) => answer,
            Err(error) => return self.end(NativeEvent::Error(error), out),
        };
        self.usage = answer.usage;
        let model = self.model.clone().unwrap_or_else(|| answer.head.model.clone());
        let estimate = answer.usage.map(|usage| usage.prompt_tokens);
        let id = answer.head.id.clone();
        let mut encoder = MessagesStream::new(id, &model, &self.request_id, estimate, Default::default());
        for event in answer.into_events() {
            let content = event.is_content();
            let text = match &event {
                crate::common::Event::Delta(
                    _,
                    crate::common::Delta::Text(text) | crate::common::Delta::Arguments(text),
                ) => Some(text.clone()),
                _ => None,
            };
            let mut bytes = BytesMut::new();
            encoder.push(event, &mut bytes);
            if !bytes.is_empty() {
                out.push(NativeEvent::Frame { bytes: bytes.freeze(), content, text });
            }
        }
        self.end(NativeEvent::Done, out);
    }

    /// Ends the stream: what was counted is told first, so that a broken stream is billed too (B7).
    fn end(&mut self, last: NativeEvent, out: &mut Vec<NativeEvent>) {
        self.ended = true;
        out.extend(self.usage.map(NativeEvent::Usage));
        out.push(last);
    }

    /// Takes in an event that lacks only its blank line.
    fn take_last(&mut self, out: &mut Vec<NativeEvent>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in &events {
            self.take(event, out);
        }
    }
}

impl NativeDecoder for NativeStream {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<NativeEvent>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        for event in &events {
            self.take(event, out);
        }
        if pushed.is_err() && !self.ended {
            self.end(NativeEvent::Error(too_long()), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<NativeEvent>) {
        self.take_last(out);
        if !self.ended && self.is_complete() {
            let mut bytes = BytesMut::new();
            Frame::MessageStop.write(&mut bytes);
            out.push(NativeEvent::Frame { bytes: bytes.freeze(), content: true, text: None });
            self.end(NativeEvent::Done, out);
        }
        self.broken(out);
    }

    fn broken(&mut self, out: &mut Vec<NativeEvent>) {
        self.take_last(out);
        if !self.ended {
            self.end(NativeEvent::Error(cut_short()), out);
        }
    }

    fn is_complete(&self) -> bool {
        self.has_stop_reason && self.open.is_empty()
    }

    fn cut(&mut self, usage: Option<&Usage>) -> Bytes {
        let mut out = BytesMut::new();
        if self.ended {
            return Bytes::new();
        }
        self.ended = true;
        if !self.has_begun {
            let counts = Counts::at_start(usage, None);
            let id = format!("msg_{}", self.request_id);
            Frame::opening(&id, self.model.as_deref().unwrap_or_default(), counts).write(&mut out);
        }
        for number in self.open.drain(..) {
            Frame::ContentBlockStop { index: usize::try_from(number).unwrap_or_default() }.write(&mut out);
        }
        if !self.has_stop_reason {
            let delta = Ending { stop_reason: "max_tokens", stop_sequence: None, stop_details: None };
            let counts = usage.or(self.usage.as_ref()).map_or_else(|| Counts::at_start(None, None), Counts::from);
            Frame::MessageDelta { delta, usage: counts }.write(&mut out);
        }
        Frame::MessageStop.write(&mut out);
        out.freeze()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.ended = true;
        let mut out = BytesMut::new();
        let mut encoder = MessagesStream::new(String::new(), "", &self.request_id, None, Default::default());
        encoder.fail(error, &mut out);
        out.freeze()
    }
}

/// A whole answer for a client of the Messages API: as it came, but for the name of the model, and what it says.
///
/// # Errors
/// Where it is no message of Anthropic's, or an error.
pub fn native_whole(body: &Bytes, model: Option<&str>) -> Result<(Bytes, Answer), ErrorBody> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow)]
        model: Option<&'a RawValue>,
    }
    let answer = answer::answer(body)?;
    let malformed = |_| malformed("The provider's answer is not in Anthropic's format.");
    let head: Head<'_> = serde_json::from_slice(body).map_err(malformed)?;
    let mut splices = Splices::default();
    if let (Some(place), Some(model)) = (head.model, model) {
        splices.replace(body, place, json_string(model));
    }
    let told = if splices.is_empty() { body.clone() } else { Bytes::from(splices.apply(body)) };
    Ok((told, answer))
}
