//! A reasoning item.

use serde::Serialize;

use super::frames::Place;
use crate::common::JsonText;

/// Reasoning that grows.
#[derive(Debug)]
pub(super) struct Thought {
    id: String,
    text: String,
    is_summary: bool,
    sealed: Option<String>,
    is_open: bool,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    r#type: &'static str,
    summary: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<[Part<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_content: Option<&'a str>,
    status: &'static str,
}

#[derive(Serialize)]
struct Part<'a> {
    r#type: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    item_id: &'a str,
    output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Part<'a>>,
}

const SUMMARY: &str = "summary_text";
const RAW: &str = "reasoning_text";

impl Thought {
    /// Begins a reasoning item.
    pub fn open(id: String, is_summary: bool, place: &mut Place<'_>) -> Self {
        let thought = Self { id, text: String::new(), is_summary, sealed: None, is_open: false };
        place.added(&thought.item("in_progress"));
        thought
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The words grow. Clients show summaries, and send them back; raw reasoning is told as one too.
    pub fn grow(&mut self, delta: &str, place: &mut Place<'_>) {
        if !self.is_open {
            self.is_open = true;
            let part = Some(Part { r#type: SUMMARY, text: "" });
            place.send("response.reasoning_summary_part.added", &Event { part, ..self.summary(place) });
        }
        self.text.push_str(delta);
        let event = Event { delta: Some(delta), ..self.summary(place) };
        place.send("response.reasoning_summary_text.delta", &event);
    }

    /// The vendor's seal on it.
    pub fn seal(&mut self, sealed: String) {
        self.sealed = Some(sealed);
    }

    /// Ends it; gives it whole.
    pub fn close(self, place: &mut Place<'_>) -> JsonText {
        if self.is_open {
            let text = Some(self.text.as_str());
            place.send("response.reasoning_summary_text.done", &Event { text, ..self.summary(place) });
            let part = Some(Part { r#type: SUMMARY, text: &self.text });
            place.send("response.reasoning_summary_part.done", &Event { part, ..self.summary(place) });
        }
        if self.has_content() {
            let text = Some(self.text.as_str());
            let part = |text| Some(Part { r#type: RAW, text });
            place.send("response.content_part.added", &Event { part: part(""), ..self.content(place) });
            place.send("response.reasoning_text.done", &Event { text, ..self.content(place) });
            place.send("response.content_part.done", &Event { part: part(&self.text), ..self.content(place) });
        }
        let item = self.item("completed");
        place.done(&item);
        JsonText::of(&item)
    }

    /// The item as far as it came.
    pub fn so_far(&self) -> JsonText {
        JsonText::of(&self.item("incomplete"))
    }

    /// Whether the words stand as raw reasoning too: where no seal covers them.
    fn has_content(&self) -> bool {
        !self.is_summary && self.sealed.is_none() && !self.text.is_empty()
    }

    fn event(&self, place: &Place<'_>) -> Event<'_> {
        Event {
            item_id: &self.id,
            output_index: place.index,
            summary_index: None,
            content_index: None,
            delta: None,
            text: None,
            part: None,
        }
    }

    fn summary(&self, place: &Place<'_>) -> Event<'_> {
        Event { summary_index: Some(0), ..self.event(place) }
    }

    fn content(&self, place: &Place<'_>) -> Event<'_> {
        Event { content_index: Some(0), ..self.event(place) }
    }

    fn item(&self, status: &'static str) -> Item<'_> {
        let is_done = status != "in_progress";
        let text = self.text.as_str();
        let summary = if text.is_empty() { Vec::new() } else { vec![Part { r#type: SUMMARY, text }] };
        let content = (is_done && self.has_content()).then_some([Part { r#type: RAW, text }]);
        Item { id: &self.id, r#type: "reasoning", summary, content, encrypted_content: self.sealed.as_deref(), status }
    }
}
