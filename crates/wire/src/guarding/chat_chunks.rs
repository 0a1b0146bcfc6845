//! Streams of chat chunks that pass as the vendor tells them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::json_texts::{Step, guard_all, is_same, is_whole, kind_of, visit};
use super::{ASIDE, AnswerGuard, TextPlace, whole};
use crate::surrogates::replace_lone;
use crate::{ErrorBody, StreamEvent, Usage, sse};

/// The fields that all chunks of a stream have in common.
const COMMON: [&str; 7] = ["id", "object", "created", "model", "provider", "service_tier", "system_fingerprint"];
/// What of a choice is told with its end.
const NOT_IN_ENDINGS: [&str; 2] = ["index", "delta"];

/// Guards the chunks of one stream.
pub struct ChunkGuard {
    guard: Box<dyn AnswerGuard>,
    /// The texts so far.
    texts: Vec<Text>,
    /// What all chunks have in common.
    head: Map<String, Value>,
    /// The chunks that end choices, which go out behind all that the choices say.
    endings: BTreeMap<u64, Map<String, Value>>,
    /// What was counted, which comes behind them.
    usage: Option<(Usage, Bytes)>,
    is_over: bool,
}

/// One text of a choice.
struct Text {
    place: TextPlace,
    /// Where it stands in the choice.
    path: Vec<Step>,
    is_open: bool,
}

impl Text {
    /// A frame that adds to it.
    fn frame(&self, more: String, head: &Map<String, Value>) -> Bytes {
        let mut choice = json!({"index": self.place.choice, "delta": {}, "finish_reason": null});
        if let (Some(choice), Value::Object(told)) = (choice.as_object_mut(), value_at(&self.path, more)) {
            choice.extend(told);
        }
        let mut chunk = head.clone();
        chunk.insert("choices".to_owned(), json!([choice]));
        framed(chunk)
    }
}

impl ChunkGuard {
    /// A guard for one stream.
    pub fn new(guard: Box<dyn AnswerGuard>) -> Self {
        let (texts, head, endings) = (Vec::new(), Map::new(), BTreeMap::new());
        Self { guard, texts, head, endings, usage: None, is_over: false }
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
            StreamEvent::Usage { usage, chunk } => {
                self.usage = Some((usage, chunk));
                Ok(())
            }
            StreamEvent::Done | StreamEvent::Error(_) => self.end(event, out),
            StreamEvent::Denied(error) => Err(error),
        };
        if let Err(error) = done {
            self.is_over = true;
            out.push(StreamEvent::Denied(error));
        }
    }

    fn chunk(&mut self, frame: Bytes, content: bool, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        let mut chunk = fields(&frame)?;
        if self.head.is_empty() {
            self.head =
                COMMON.iter().filter_map(|name| Some(((*name).to_owned(), chunk.get(*name)?.clone()))).collect();
        }
        let mut choices = match chunk.shift_remove("choices") {
            Some(Value::Array(choices)) => choices,
            _ => Vec::new(),
        };
        let finishes = choices.iter().any(is_finish);
        let mut said = String::new();
        let result = choices.iter_mut().try_for_each(|choice| self.choice(choice, &mut said));
        if result.is_err() || !self.guard.changes() {
            for choice in choices.iter().filter(|choice| result.is_ok() && is_finish(choice)).map(number_of) {
                self.look_at_end(choice)?;
            }
            let results = self.guard.results().filter(|_| finishes);
            let frame = match (&result, results) {
                (Err(_), _) => Bytes::new(),
                (Ok(()), Some(results)) => with_results(&frame, &results),
                (Ok(()), None) => frame,
            };
            out.push(StreamEvent::Framed { frame, content, text: said });
            return result;
        }
        let frame = self.changed(chunk, choices)?;
        out.push(StreamEvent::Framed { frame, content, text: said });
        Ok(())
    }

    /// The frame of a chunk whose texts have been guarded; empty where all of it is held back.
    fn changed(&mut self, mut chunk: Map<String, Value>, mut choices: Vec<Value>) -> Result<Bytes, ErrorBody> {
        // It is as long as what it hides.
        chunk.shift_remove("obfuscation");
        chunk = guarded(chunk, &mut *self.guard)?;
        let had_any = !choices.is_empty();
        let is_end = choices.iter().any(is_finish);
        for choice in choices.iter_mut().filter(|choice| is_finish(choice)) {
            let mut ending = chunk.clone();
            ending.insert("choices".to_owned(), json!([split_ending(choice)]));
            self.endings.insert(number_of(choice), ending);
        }
        let tells_more = |(name, value): (&String, &Value)| !COMMON.contains(&name.as_str()) && !value.is_null();
        if choices.iter().any(tells_anything) {
            choices.retain(tells_anything);
        } else if had_any && (is_end || !chunk.iter().any(tells_more)) {
            return Ok(Bytes::new());
        }
        if is_end {
            // The rest goes out with the end.
            chunk = self.head.clone();
        }
        chunk.insert("choices".to_owned(), Value::Array(choices));
        Ok(framed(chunk))
    }

    /// Guards what a chunk adds to a choice.
    fn choice(&mut self, choice: &mut Value, said: &mut String) -> Result<(), ErrorBody> {
        let number = number_of(choice);
        if let Some(fields) = choice.as_object_mut().filter(|_| self.guard.changes()) {
            // They repeat what the deltas say.
            for name in ["logprobs", "message", "text"] {
                fields.shift_remove(name);
            }
        }
        visit(choice, &mut Vec::new(), &mut |path, text| self.part(number, path, text, said))?;
        if let Some(delta) = choice.get_mut("delta").and_then(Value::as_object_mut).filter(|_| self.guard.changes()) {
            delta.retain(|_, value| value.as_str() != Some(""));
        }
        Ok(())
    }

    /// Guards a part of one text, which becomes what may go out.
    fn part(&mut self, choice: u64, path: &[Step], text: &mut String, said: &mut String) -> Result<(), ErrorBody> {
        if text.is_empty() {
            return Ok(());
        }
        said.push_str(text);
        if is_whole(path) {
            *text = whole(&mut *self.guard, ASIDE, text)?;
            return Ok(());
        }
        let known = self.texts.iter().position(|known| known.place.choice == choice && is_same(&known.path, path));
        let known = known.unwrap_or_else(|| {
            let place = TextPlace { choice, index: self.texts.len(), kind: kind_of(path) };
            self.texts.push(Text { place, path: path.to_vec(), is_open: false });
            self.texts.len() - 1
        });
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

    /// Takes the last event, before which all goes out that was held back.
    fn end(&mut self, last: StreamEvent, out: &mut Vec<StreamEvent>) -> Result<(), ErrorBody> {
        let is_broken = matches!(last, StreamEvent::Error(_));
        for at in 0..self.texts.len() {
            let rest = self.close(at)?;
            // What is held of a text that broke off may be a part of what nobody could find in it.
            let is_told = !is_broken || rest.as_ref().is_some_and(|(choice, _)| self.endings.contains_key(choice));
            if let Some((_, frame)) = rest.filter(|_| is_told) {
                out.push(StreamEvent::Framed { frame, content: true, text: String::new() });
            }
        }
        self.guard.end()?;
        let results = self.guard.results();
        for (_, ending) in std::mem::take(&mut self.endings) {
            let frame = framed(ending);
            let frame = results.as_ref().map_or_else(|| frame.clone(), |results| with_results(&frame, results));
            out.push(StreamEvent::Framed { frame, content: true, text: String::new() });
        }
        if let Some((usage, chunk)) = self.usage.take() {
            out.push(StreamEvent::Usage { usage, chunk: self.usage_chunk(chunk)? });
        }
        out.push(last);
        Ok(())
    }

    /// The chunk that tells the usage, with whatever else it tells.
    fn usage_chunk(&mut self, chunk: Bytes) -> Result<Bytes, ErrorBody> {
        if chunk.is_empty() || !self.guard.changes() {
            return Ok(chunk);
        }
        let known = fields(&chunk)?;
        let told = guarded(known.clone(), &mut *self.guard)?;
        Ok(if told == known { chunk } else { Bytes::from(Value::Object(told).to_string()) })
    }

    /// Ends the texts of a choice for a guard that changes nothing.
    fn look_at_end(&mut self, choice: u64) -> Result<(), ErrorBody> {
        let is_its = |text: &Text| text.place.choice == choice;
        let texts: Vec<usize> = (0..self.texts.len()).filter(|at| self.texts.get(*at).is_some_and(is_its)).collect();
        texts.into_iter().try_for_each(|at| self.close(at).map(drop))
    }

    /// Ends a text: what it holds goes out in a chunk of its own.
    fn close(&mut self, at: usize) -> Result<Option<(u64, Bytes)>, ErrorBody> {
        let Some(text) = self.texts.get_mut(at).filter(|text| text.is_open) else { return Ok(None) };
        text.is_open = false;
        let mut rest = String::new();
        self.guard.finish(text.place, &mut rest)?;
        if rest.is_empty() || !self.guard.changes() {
            return Ok(None);
        }
        Ok(Some((text.place.choice, text.frame(rest, &self.head))))
    }

    /// Takes the cut of the stream: what waited for the end of its texts alone goes out.
    ///
    /// # Errors
    /// Where the answer is denied.
    pub(super) fn cut(&mut self) -> Result<Vec<u8>, ErrorBody> {
        let mut frames = Vec::new();
        for text in self.texts.iter().filter(|text| text.is_open) {
            let mut rest = String::new();
            self.guard.cut(text.place, &mut rest)?;
            if !rest.is_empty() && self.guard.changes() {
                frames.extend_from_slice(&text.frame(rest, &self.head));
            }
        }
        Ok(frames)
    }

    /// A frame in the manner of the stream's, for one that was held back.
    pub(super) fn model_frame(&self) -> Bytes {
        framed(self.head.clone())
    }
}

/// The fields of a chunk, framed or not.
fn fields(chunk: &[u8]) -> Result<Map<String, Value>, ErrorBody> {
    let json = chunk.strip_prefix(b"data: ").unwrap_or(chunk);
    serde_json::from_slice(&replace_lone(json)).map_err(|_| crate::malformed("The provider's stream is not JSON."))
}

fn framed(chunk: Map<String, Value>) -> Bytes {
    sse::frame(Value::Object(chunk).to_string().as_bytes())
}

/// The same fields with their texts guarded, each as a whole.
fn guarded(fields: Map<String, Value>, guard: &mut dyn AnswerGuard) -> Result<Map<String, Value>, ErrorBody> {
    let mut value = Value::Object(fields);
    guard_all(&mut value, guard, ASIDE)?;
    Ok(value.as_object_mut().map(std::mem::take).unwrap_or_default())
}

/// A value in which a text stands at a path.
fn value_at(path: &[Step], text: String) -> Value {
    let is_call = path.iter().any(|step| matches!(step, Step::Field(name) if name == "tool_calls"));
    path.iter().rev().fold(Value::String(text), |mut inner, step| match step {
        Step::Field(name) => json!({name: inner}),
        Step::Item { index, kind } => {
            if let Some(fields) = inner.as_object_mut() {
                if let Some(index) = index {
                    fields.insert("index".to_owned(), json!(index));
                }
                // Clients join the types of calls.
                if let Some(kind) = kind.as_ref().filter(|_| !is_call) {
                    fields.insert("type".to_owned(), json!(kind));
                }
            }
            json!([inner])
        }
    })
}

fn number_of(choice: &Value) -> u64 {
    choice.get("index").and_then(Value::as_u64).unwrap_or(0)
}

/// Whether a choice of a chunk tells its end.
fn is_finish(choice: &Value) -> bool {
    choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| !reason.is_empty())
}

/// Takes its end out of a choice, as a choice of its own.
fn split_ending(choice: &mut Value) -> Value {
    let mut ending = Map::from_iter([("index".to_owned(), json!(number_of(choice))), ("delta".to_owned(), json!({}))]);
    if let Some(fields) = choice.as_object_mut() {
        let (kept, moved) = std::mem::take(fields)
            .into_iter()
            .partition::<Map<String, Value>, _>(|(name, _)| NOT_IN_ENDINGS.contains(&name.as_str()));
        *fields = kept;
        fields.insert("finish_reason".to_owned(), Value::Null);
        ending.extend(moved);
    }
    Value::Object(ending)
}

/// Frames whose last chunk tells what came of the guardrails, as Portkey's clients look for it.
pub(crate) fn with_results(frames: &[u8], results: &str) -> Bytes {
    let Some(open) = frames.trim_ascii_end().strip_suffix(b"}") else { return Bytes::copy_from_slice(frames) };
    Bytes::from([open, b",\"hook_results\":", results.as_bytes(), b"}\n\n"].concat())
}

/// Whether a choice of a chunk still tells the client anything.
fn tells_anything(choice: &Value) -> bool {
    choice.as_object().into_iter().flatten().any(|(name, value)| match (name.as_str(), value) {
        ("index", _) => false,
        ("delta", Value::Object(delta)) => delta.iter().any(|(name, value)| match name.as_str() {
            "tool_calls" => value.as_array().is_some_and(|calls| calls.iter().any(tells_call)),
            _ => !value.is_null(),
        }),
        _ => !value.is_null() && value.as_str() != Some(""),
    })
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
