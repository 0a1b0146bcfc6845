//! A message item: parts of text and refusals.

use serde::Serialize;

use super::frames::Place;
use crate::common::JsonText;

/// A message that grows.
#[derive(Debug)]
pub(super) struct Message {
    id: String,
    parts: Vec<Part>,
    is_open: bool,
}

#[derive(Debug, Default)]
struct Part {
    is_refusal: bool,
    text: String,
    annotations: Vec<JsonText>,
    /// Log probabilities of its tokens, an object each.
    logprobs: Vec<JsonText>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    r#type: &'static str,
    status: &'static str,
    role: &'static str,
    content: Vec<PartJson<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum PartJson<'a> {
    #[serde(rename = "output_text")]
    Text { text: &'a str, annotations: &'a [JsonText], logprobs: &'a [JsonText] },
    #[serde(rename = "refusal")]
    Refusal { refusal: &'a str },
}

#[derive(Serialize)]
struct PartEvent<'a> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    part: PartJson<'a>,
}

#[derive(Serialize)]
struct TextEvent<'a> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a [JsonText]>,
}

#[derive(Serialize)]
struct AnnotationEvent<'a> {
    item_id: &'a str,
    output_index: usize,
    content_index: usize,
    annotation_index: usize,
    annotation: &'a JsonText,
}

impl Part {
    fn json(&self) -> PartJson<'_> {
        match self.is_refusal {
            true => PartJson::Refusal { refusal: &self.text },
            false => PartJson::Text { text: &self.text, annotations: &self.annotations, logprobs: &self.logprobs },
        }
    }
}

impl Message {
    /// Begins a message.
    pub fn open(id: String, place: &mut Place<'_>) -> Self {
        let message = Self { id, parts: Vec::new(), is_open: false };
        place.added(&message.item("in_progress"));
        message
    }

    /// Begins a part, where none of the kind is open.
    pub fn open_part(&mut self, is_refusal: bool, place: &mut Place<'_>) {
        if self.is_open {
            return;
        }
        let part = Part { is_refusal, ..Part::default() };
        let event = PartEvent {
            item_id: &self.id,
            output_index: place.index,
            content_index: self.parts.len(),
            part: part.json(),
        };
        place.send("response.content_part.added", &event);
        self.parts.push(part);
        self.is_open = true;
    }

    /// The open part grows.
    pub fn grow(&mut self, delta: &str, place: &mut Place<'_>) {
        let content_index = self.parts.len().saturating_sub(1);
        let Some(part) = self.parts.last_mut() else { return };
        part.text.push_str(delta);
        let is_refusal = part.is_refusal;
        let (item_id, output_index) = (self.id.as_str(), place.index);
        let logprobs: Option<&[JsonText]> = (!is_refusal).then_some(&[]);
        let (text, refusal) = (None, None);
        let event = TextEvent { item_id, output_index, content_index, delta: Some(delta), text, refusal, logprobs };
        place.send(if is_refusal { "response.refusal.delta" } else { "response.output_text.delta" }, &event);
    }

    /// Tells the log probabilities of tokens of the open part, in a delta without words: vendors tell them behind the words.
    pub fn weigh(&mut self, logprobs: &JsonText, place: &mut Place<'_>) {
        let content_index = self.parts.len().saturating_sub(1);
        let tokens: Vec<JsonText> = serde_json::from_str(logprobs.as_str()).unwrap_or_default();
        let Some(part) = self.parts.last_mut().filter(|_| !tokens.is_empty()) else { return };
        let (item_id, output_index, logprobs) = (self.id.as_str(), place.index, Some(tokens.as_slice()));
        let (text, refusal) = (None, None);
        let event = TextEvent { item_id, output_index, content_index, delta: Some(""), text, refusal, logprobs };
        place.send("response.output_text.delta", &event);
        part.logprobs.extend(tokens);
    }

    /// The open part gets a citation.
    pub fn annotate(&mut self, annotation: JsonText, place: &mut Place<'_>) {
        let content_index = self.parts.len().saturating_sub(1);
        let Some(part) = self.parts.last_mut() else { return };
        let event = AnnotationEvent {
            item_id: &self.id,
            output_index: place.index,
            content_index,
            annotation_index: part.annotations.len(),
            annotation: &annotation,
        };
        place.send("response.output_text.annotation.added", &event);
        part.annotations.push(annotation);
    }

    /// Ends the open part.
    pub fn close_part(&mut self, place: &mut Place<'_>) {
        let content_index = self.parts.len().saturating_sub(1);
        let Some(part) = self.parts.last().filter(|_| self.is_open) else { return };
        let (item_id, output_index, words) = (self.id.as_str(), place.index, part.text.as_str());
        let event = TextEvent {
            item_id,
            output_index,
            content_index,
            delta: None,
            text: (!part.is_refusal).then_some(words),
            refusal: part.is_refusal.then_some(words),
            logprobs: (!part.is_refusal).then_some(&part.logprobs),
        };
        place.send(if part.is_refusal { "response.refusal.done" } else { "response.output_text.done" }, &event);
        place
            .send("response.content_part.done", &PartEvent { item_id, output_index, content_index, part: part.json() });
        self.is_open = false;
    }

    /// Ends the message; gives it whole.
    pub fn close(mut self, place: &mut Place<'_>) -> JsonText {
        self.close_part(place);
        let item = self.item("completed");
        place.done(&item);
        JsonText::of(&item)
    }

    /// The message as far as it came.
    pub fn so_far(&self) -> JsonText {
        JsonText::of(&self.item("incomplete"))
    }

    fn item(&self, status: &'static str) -> Item<'_> {
        let content = self.parts.iter().map(Part::json).collect();
        Item { id: &self.id, r#type: "message", status, role: "assistant", content }
    }
}
