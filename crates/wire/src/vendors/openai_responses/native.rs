//! Streamed answers that pass to Responses clients as they came; usage, errors and the end are read out of them.

mod open;
mod wire;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::open::Open;
use self::wire::Wire;
use super::answer::{Response, failure, words};
use crate::clients::responses::{failure_json, usage_json};
use crate::common::JsonText;
use crate::json_object::JsonObject;
use crate::openai::error_text;
use crate::splice::Splices;
use crate::sse::{SseDecoder, SseEvent, named_frame};
use crate::vendors::{NativeDecoder, NativeEvent};
use crate::{ErrorBody, MAX_EVENT_BYTES, Usage, cut_short, stream_error, too_long};

/// A streamed answer of Responses for a client of Responses.
#[derive(Debug)]
pub struct NativeResponses {
    sse: SseDecoder,
    /// The response object as it was created.
    response: JsonText,
    /// Fields of the response object that are the gateway's, as JSON text.
    fields: Vec<(&'static str, String)>,
    is_created: bool,
    is_ended: bool,
    /// The number of the next event for the client.
    next: u64,
    /// The items that are complete, and how long they are.
    output: Vec<JsonText>,
    output_bytes: usize,
    open: Option<Open>,
}

impl NativeResponses {
    /// A decoder; the id, the model and the time stand in a failure of an answer that was never begun.
    pub fn new(id: &str, model: &str, now: u64) -> Self {
        let response = json!({
            "id": id, "object": "response", "created_at": now, "status": "in_progress", "error": null,
            "incomplete_details": null, "instructions": null, "metadata": {}, "model": model, "output": [],
            "parallel_tool_calls": true, "temperature": null, "tool_choice": "auto", "tools": [], "top_p": null,
        });
        Self {
            sse: SseDecoder::default(),
            response: response.into(),
            fields: Vec::new(),
            is_created: false,
            is_ended: false,
            next: 0,
            output: Vec::new(),
            output_bytes: 0,
            open: None,
        }
    }

    /// The same with fields of the response object that are the gateway's, as JSON text.
    pub fn with_fields(mut self, fields: Vec<(&'static str, String)>) -> Self {
        self.response = with_fields(self.response.as_str(), &fields).unwrap_or(self.response);
        self.fields = fields;
        self
    }

    fn take(&mut self, event: SseEvent, out: &mut Vec<NativeEvent>) {
        if self.is_ended || event.data.trim_ascii() == b"[DONE]" {
            return;
        }
        let is_object = event.data.trim_ascii_start().starts_with(b"{");
        let read =
            Some(&event.data).filter(|_| is_object).and_then(|data| serde_json::from_slice::<Wire<'_>>(data).ok());
        let Some(wire) = read else {
            return self.end(stream_error("The provider's stream is not in its format.", "malformed_stream"), out);
        };
        let kind = wire.kind.as_deref().or(event.name.as_deref()).unwrap_or_default();
        match kind {
            "error" => {
                let own = String::from_utf8_lossy(&event.data);
                let error = wire.error.filter(|error| error.get() != "null").map_or(&*own, RawValue::get);
                return self.end(failure(error), out);
            }
            "" if wire.error.is_some() => return self.end(error_text(&event.data), out),
            "response.failed" | "response.cancelled" => return self.failed(wire.response, out),
            _ => {}
        }
        let (content, text) = self.read(kind, &wire);
        let is_last = matches!(kind, "response.completed" | "response.incomplete");
        let usage = if is_last { wire.response.and_then(usage_of) } else { None };
        let bytes = self.frame(kind, &wire, &event);
        out.push(NativeEvent::Frame { bytes, content: content || is_last, text });
        if is_last {
            self.is_ended = true;
            out.extend(usage.map(NativeEvent::Usage));
            out.push(NativeEvent::Done);
        } else if self.output_bytes > MAX_EVENT_BYTES {
            self.end(too_long(), out);
        }
    }

    /// The event for the client: as it came, but for the fields that are the gateway's.
    fn frame(&mut self, kind: &str, wire: &Wire<'_>, event: &SseEvent) -> Bytes {
        let number = wire.sequence_number.and_then(|raw| raw.get().parse::<u64>().ok());
        self.next = number.unwrap_or(self.next).saturating_add(1);
        let response = wire.response.filter(|_| !self.fields.is_empty());
        let response = response.and_then(|raw| Some((raw, with_fields(raw.get(), &self.fields)?)));
        if response.is_none()
            && let (None, Some(frame)) = (&event.name, &event.frame)
        {
            return frame.clone();
        }
        let mut splices = Splices::default();
        if let Some((raw, own)) = response {
            splices.replace(&event.data, raw, own.as_str().to_owned());
        }
        let data = if splices.is_empty() { event.data.clone() } else { splices.apply(&event.data).into() };
        named_frame(event.name.as_deref().unwrap_or(kind), &data)
    }

    /// Reads what an event tells; gives whether it is a part of the answer, and the words that the model made.
    fn read(&mut self, kind: &str, wire: &Wire<'_>) -> (bool, Option<String>) {
        match kind {
            "response.created" | "response.in_progress" => {
                self.is_created = true;
                if let Some(response) = wire.response {
                    self.response = with_fields(response.get(), &self.fields).unwrap_or_else(|| response.into());
                }
                (false, None)
            }
            "response.output_item.added" => {
                self.open = Open::of(wire.output_index, wire.item);
                (self.open.as_ref().is_some_and(Open::is_call), None)
            }
            "response.output_item.done" => {
                self.open = None;
                if let Some(item) = wire.item {
                    self.output_bytes += item.get().len();
                    self.output.push(item.into());
                }
                (true, None)
            }
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                if let Some(open) = &mut self.open {
                    open.part_added(kind, wire.part);
                }
                (false, None)
            }
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                if let Some(open) = &mut self.open {
                    open.part_done(wire.part);
                }
                (false, None)
            }
            kind if kind.ends_with(".delta") => {
                let text = wire.delta.map(words).filter(|text| !text.is_empty());
                if let (Some(open), Some(text)) = (&mut self.open, &text) {
                    open.grow(text);
                    self.output_bytes += text.len();
                }
                (text.is_some(), text)
            }
            _ => (false, None),
        }
    }

    fn failed(&mut self, response: Option<&RawValue>, out: &mut Vec<NativeEvent>) {
        let usage = response.and_then(usage_of);
        let read = response.and_then(|raw| serde_json::from_str::<Response<'_>>(raw.get()).ok());
        let response = Response { status: Some("failed".to_owned()), ..read.unwrap_or_default() };
        out.extend(usage.map(NativeEvent::Usage));
        let error = response.failure().unwrap_or_else(|| failure("{}"));
        self.end(error, out);
    }

    fn end(&mut self, error: ErrorBody, out: &mut Vec<NativeEvent>) {
        self.is_ended = true;
        out.push(NativeEvent::Error(error));
    }

    fn close(&mut self, out: &mut Vec<NativeEvent>) {
        let mut events = Vec::new();
        self.sse.finish(&mut events);
        for event in events {
            self.take(event, out);
        }
        if !self.is_ended {
            self.end(cut_short(), out);
        }
    }

    /// Appends an event of the gateway's own.
    fn own(&mut self, kind: &str, mut fields: Value, out: &mut BytesMut) {
        if let Some(fields) = fields.as_object_mut() {
            fields.shift_insert(0, "type".to_owned(), json!(kind));
            fields.shift_insert(1, "sequence_number".to_owned(), json!(self.next));
        }
        self.next += 1;
        out.put_slice(&named_frame(kind, fields.to_string().as_bytes()));
    }

    /// The response as it was created, with how it ends.
    fn ended(&self, status: &str, fields: &[(&str, Value)], usage: Option<&Usage>) -> Value {
        let mut response = self.response.value();
        if let Some(known) = response.as_object_mut() {
            known.insert("status".to_owned(), json!(status));
            for (name, value) in fields {
                known.insert((*name).to_owned(), value.clone());
            }
            known.insert("output".to_owned(), self.output.iter().map(JsonText::value).collect());
            known.insert("usage".to_owned(), usage.map_or(Value::Null, usage_json));
        }
        json!({"response": response})
    }
}

/// A response object with some fields set.
fn with_fields(response: &str, fields: &[(&'static str, String)]) -> Option<JsonText> {
    let response = JsonObject::parse(response.to_owned().into()).ok()?;
    let set: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
    JsonText::parse(std::str::from_utf8(&response.edited(&set, &[])).ok()?).ok()
}

fn usage_of(response: &RawValue) -> Option<Usage> {
    serde_json::from_str::<Response<'_>>(response.get()).ok()?.usage()
}

impl NativeDecoder for NativeResponses {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<NativeEvent>) {
        let mut events = Vec::new();
        let pushed = self.sse.push(bytes, &mut events);
        for event in events {
            self.take(event, out);
        }
        if pushed.is_err() && !self.is_ended {
            self.end(too_long(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<NativeEvent>) {
        self.close(out);
    }

    fn broken(&mut self, out: &mut Vec<NativeEvent>) {
        self.close(out);
    }

    fn is_complete(&self) -> bool {
        self.is_ended
    }

    fn cut(&mut self, usage: Option<&Usage>) -> Bytes {
        self.is_ended = true;
        let mut out = BytesMut::new();
        if let Some(open) = self.open.take() {
            let (events, item) = open.closed();
            for (kind, fields) in events {
                self.own(kind, fields, &mut out);
            }
            self.output.push(item.into());
        }
        let why = [("incomplete_details", json!({"reason": "max_output_tokens"}))];
        let fields = self.ended("incomplete", &why, usage);
        self.own("response.incomplete", fields, &mut out);
        out.freeze()
    }

    fn fail(&mut self, error: &ErrorBody) -> Bytes {
        self.is_ended = true;
        let mut out = BytesMut::new();
        if !self.is_created {
            self.is_created = true;
            let fields = json!({"response": self.response.value()});
            self.own("response.created", fields, &mut out);
        }
        let fields = self.ended("failed", &[("error", failure_json(error))], None);
        self.own("response.failed", fields, &mut out);
        out.freeze()
    }
}
