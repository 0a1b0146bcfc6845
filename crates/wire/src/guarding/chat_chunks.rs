//! Streams of chat chunks that pass as the vendor tells them.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::chat_whole::kind_of;
use super::json_texts::visit;
use super::{AnswerGuard, TextKind, TextPlace};
use crate::surrogates::replace_lone;
use crate::{CutOff, ErrorBody, StreamDecoder, StreamEvent, sse};

/// The fields that all chunks of a stream have in common.
const COMMON: [&str; 5] = ["id", "object", "created", "model", "system_fingerprint"];

/// Guards the chunks of one stream.
pub struct ChunkGuard {
    guard: Box<dyn AnswerGuard>,
    /// The texts so far.
    texts: Vec<Text>,
    /// What all chunks have in common.
    head: Map<String, Value>,
    /// The choices that have finished.
    finished: BTreeSet<u64>,
    is_over: bool,
}

/// One text of a choice.
struct Text {
    place: TextPlace,
    /// Where it stands in a delta: the field, or the number of the call and the field of its function.
    at: TextAt,
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum TextAt {
    /// Under this path of fields.
    Field(String),
    /// The arguments of the call with this number, in `function` or `custom`.
    Call(u64, &'static str),
}

impl ChunkGuard {
    /// A guard for one stream.
    pub fn new(guard: Box<dyn AnswerGuard>) -> Self {
        let (texts, head, finished) = (Vec::new(), Map::new(), BTreeSet::new());
        Self { guard, texts, head, finished, is_over: false }
    }

    /// Takes an event, and gives what becomes of it.
    pub fn take(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) {
        if self.is_over {
            return;
        }
        let done = match event {
            StreamEvent::Chunk { frame, content, .. } => self.chunk(frame, content, out),
            StreamEvent::Framed { .. } => {
                out.push(event);
                Ok(())
            }
            StreamEvent::Usage { .. } | StreamEvent::Done | StreamEvent::Error(_) => {
                self.flush(None, out).and_then(|()| self.ended()).map(|()| out.push(event))
            }
            StreamEvent::Denied(error) => Err(error),
        };
        if let Err(error) = done {
            self.is_over = true;
            out.push(StreamEvent::Denied(error));
        }
    }

    fn ended(&mut self) -> Result<(), ErrorBody> {
        self.guard.end()
    }

    fn chunk(&mut self, frame: Bytes, content: bool, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        let json = frame.strip_prefix(b"data: ").unwrap_or(&frame);
        let Ok(mut chunk) = serde_json::from_slice::<Map<String, Value>>(&replace_lone(json)) else {
            return Err(crate::malformed("The provider's stream is not JSON."));
        };
        if self.head.is_empty() {
            self.head =
                COMMON.iter().filter_map(|name| Some(((*name).to_owned(), chunk.get(*name)?.clone()))).collect();
        }
        let mut said = String::new();
        let mut choices = chunk.get_mut("choices").map(Value::take).unwrap_or_default();
        let mut result = Ok(());
        for choice in choices.as_array_mut().into_iter().flatten() {
            result = self.choice(choice, &mut said, out);
            if result.is_err() {
                break;
            }
        }
        let finishes = choices.as_array().is_some_and(|choices| choices.iter().any(is_finish));
        let results = self.guard.results().filter(|_| finishes);
        if result.is_err() || !self.guard.changes() {
            let frame = match (&result, results) {
                (Err(_), _) => Bytes::new(),
                (Ok(()), Some(results)) => with_results(&frame, &results),
                (Ok(()), None) => frame,
            };
            out.push(StreamEvent::Framed { frame, content, text: said });
            return result;
        }
        let had_any = choices.as_array().is_some_and(|choices| !choices.is_empty());
        let choices: Vec<Value> = choices.as_array_mut().map(std::mem::take).unwrap_or_default();
        let choices: Vec<Value> = choices.into_iter().filter(tells_anything).collect();
        let frame = if had_any && choices.is_empty() {
            // All of it is held back.
            Bytes::new()
        } else {
            chunk.insert("choices".to_owned(), Value::Array(choices));
            // It is as long as what it hides.
            chunk.shift_remove("obfuscation");
            let frame = sse::frame(Value::Object(chunk).to_string().as_bytes());
            results.map_or(frame.clone(), |results| with_results(&frame, &results))
        };
        out.push(StreamEvent::Framed { frame, content, text: said });
        Ok(())
    }

    /// Guards what a chunk adds to a choice.
    fn choice(&mut self, choice: &mut Value, said: &mut String, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        let number = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        if self.guard.changes()
            && let Some(fields) = choice.as_object_mut()
        {
            fields.shift_remove("logprobs");
        }
        if let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut) {
            let calls = delta.shift_remove("tool_calls");
            let mut others = Value::Object(std::mem::take(delta));
            visit(&mut others, &mut String::new(), &mut |path, text| {
                self.part(number, TextAt::Field(path.trim_start_matches('.').to_owned()), text, said, out)
            })?;
            *delta = others.as_object_mut().map(std::mem::take).unwrap_or_default();
            if self.guard.changes() {
                delta.retain(|_, value| !is_hollow(value));
            }
            if let Some(mut calls) = calls {
                for call in calls.as_array_mut().into_iter().flatten() {
                    self.call(number, call, said, out)?;
                }
                delta.insert("tool_calls".to_owned(), calls);
            }
        }
        if is_finish(choice) {
            self.flush(Some(number), out)?;
            self.finished.insert(number);
        }
        Ok(())
    }

    /// Guards a part of a call.
    fn call(
        &mut self,
        choice: u64,
        call: &mut Value,
        said: &mut String,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), ErrorBody> {
        let number = call.get("index").and_then(Value::as_u64).unwrap_or(0);
        for (inner, field) in [("function", "arguments"), ("custom", "input")] {
            if let Some(Value::String(text)) = call.get_mut(inner).and_then(|inner| inner.get_mut(field)) {
                self.part(choice, TextAt::Call(number, inner), text, said, out)?;
            }
        }
        Ok(())
    }

    /// Guards a part of one text, which becomes what may go out. What other texts of the choice hold goes out before it.
    fn part(
        &mut self,
        choice: u64,
        at: TextAt,
        text: &mut String,
        said: &mut String,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), ErrorBody> {
        if text.is_empty() {
            return Ok(());
        }
        said.push_str(text);
        let known = self.texts.iter().position(|known| known.place.choice == choice && known.at == at);
        let known = known.unwrap_or_else(|| {
            let kind = match &at {
                TextAt::Call(..) => TextKind::Arguments,
                TextAt::Field(path) => kind_of(path),
            };
            let place = TextPlace { choice, index: self.texts.len(), kind };
            self.texts.push(Text { place, at: at.clone(), is_open: false });
            self.texts.len() - 1
        });
        // The same words may stand in several fields of a chunk: only another kind of text ends one.
        let kind = self.texts.get(known).map(|text| text.place.kind);
        let others: Vec<usize> = (0..self.texts.len())
            .filter(|at| {
                self.texts.get(*at).is_some_and(|text| {
                    let is_other = Some(text.place.kind) != kind || matches!(text.at, TextAt::Call(..)) && *at != known;
                    text.is_open && text.place.choice == choice && is_other
                })
            })
            .collect();
        for other in others {
            self.close(other, out)?;
        }
        let mut told = String::with_capacity(text.len());
        if let Some(known) = self.texts.get_mut(known) {
            known.is_open = true;
            self.guard.push(known.place, text, &mut told)?;
        }
        if self.guard.changes() {
            *text = told;
        }
        Ok(())
    }

    /// Lets go of what is held, of one choice or of all.
    fn flush(&mut self, choice: Option<u64>, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        for at in 0..self.texts.len() {
            let is_open = |text: &Text| text.is_open && choice.is_none_or(|choice| choice == text.place.choice);
            if self.texts.get(at).is_some_and(is_open) {
                self.close(at, out)?;
            }
        }
        Ok(())
    }

    /// Ends a text: what it holds goes out in a chunk of its own.
    fn close(&mut self, at: usize, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        let Some(text) = self.texts.get_mut(at) else { return Ok(()) };
        text.is_open = false;
        let mut rest = String::new();
        self.guard.finish(text.place, &mut rest)?;
        if rest.is_empty() || !self.guard.changes() {
            return Ok(());
        }
        let delta = match &text.at {
            TextAt::Call(number, inner) => {
                let field = if *inner == "function" { "arguments" } else { "input" };
                json!({"tool_calls": [{"index": number, *inner: {field: rest}}]})
            }
            TextAt::Field(path) => path.rsplit('.').fold(Value::String(rest), |inner, name| json!({name: inner})),
        };
        let mut chunk = self.head.clone();
        let choice = json!({"index": text.place.choice, "delta": delta, "finish_reason": null});
        chunk.insert("choices".to_owned(), json!([choice]));
        let frame = sse::frame(Value::Object(chunk).to_string().as_bytes());
        out.push(StreamEvent::Framed { frame, content: true, text: String::new() });
        Ok(())
    }

    /// A frame in the manner of the stream's, for one that was held back.
    fn model_frame(&self) -> Bytes {
        sse::frame(Value::Object(self.head.clone()).to_string().as_bytes())
    }
}

/// Whether a choice of a chunk tells its end.
fn is_finish(choice: &Value) -> bool {
    choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| !reason.is_empty())
}

/// Frames whose last chunk tells what came of the guardrails, as Portkey's clients look for it.
pub(crate) fn with_results(frames: &[u8], results: &str) -> Bytes {
    let Some(open) = frames.trim_ascii_end().strip_suffix(b"}") else { return Bytes::copy_from_slice(frames) };
    Bytes::from([open, b",\"hook_results\":", results.as_bytes(), b"}\n\n"].concat())
}

/// Whether a text field, or what is left of a list of parts, has nothing in it.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether a choice of a chunk still tells the client anything.
fn tells_anything(choice: &Value) -> bool {
    let has_delta = choice.get("delta").and_then(Value::as_object).is_some_and(|delta| {
        delta.iter().any(|(name, value)| match name.as_str() {
            "tool_calls" => value.as_array().is_some_and(|calls| calls.iter().any(tells_call)),
            _ => !value.is_null(),
        })
    });
    has_delta || choice.get("finish_reason").is_some_and(|reason| !reason.is_null())
}

/// Whether a part of a call has more than its number.
fn tells_call(call: &Value) -> bool {
    let has_more = |inner: &str, field: &str| {
        call.get(inner).and_then(Value::as_object).is_some_and(|inner| {
            inner.iter().any(|(name, value)| name != field || value.as_str().is_some_and(|text| !text.is_empty()))
        })
    };
    call.get("id").is_some() || has_more("function", "arguments") || has_more("custom", "input")
}

/// A chat stream behind a guard.
pub struct GuardedChat {
    inner: Box<dyn StreamDecoder>,
    guard: ChunkGuard,
    events: Vec<StreamEvent>,
}

impl GuardedChat {
    /// A guarded stream.
    pub fn new(inner: Box<dyn StreamDecoder>, guard: Box<dyn AnswerGuard>) -> Self {
        Self { inner, guard: ChunkGuard::new(guard), events: Vec::new() }
    }

    fn tell(&mut self, out: &mut Vec<StreamEvent>) {
        for event in self.events.drain(..) {
            self.guard.take(event, out);
        }
    }
}

impl StreamDecoder for GuardedChat {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<StreamEvent>) {
        self.inner.push(bytes, &mut self.events);
        self.tell(out);
    }

    fn finish(&mut self, out: &mut Vec<StreamEvent>) {
        self.inner.finish(&mut self.events);
        self.tell(out);
    }

    fn broken(&mut self, out: &mut Vec<StreamEvent>) {
        self.inner.broken(&mut self.events);
        self.tell(out);
    }

    fn is_complete(&self) -> bool {
        self.inner.is_complete()
    }

    fn cut(&mut self, cut: CutOff<'_>) -> Bytes {
        if cut.frame.is_empty() {
            let frame = self.guard.model_frame();
            return self.inner.cut(CutOff { frame: &frame, ..cut });
        }
        self.inner.cut(cut)
    }

    fn end(&mut self) -> Bytes {
        self.inner.end()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.inner.fail(error)
    }
}
