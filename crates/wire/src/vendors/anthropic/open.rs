//! The content blocks of a stream while they grow.

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{Fields, token};
use super::event::Growth;
use crate::common::{BlockHead, Delta, Family, JsonText, ToolUse, annotation_of};
use crate::json_object::{JsonObject, json_string};

/// What a block tells.
#[derive(Debug)]
pub(super) enum Step {
    Head(BlockHead),
    Grow(Delta),
}

/// A block under way.
#[derive(Debug)]
pub(super) struct Open {
    /// Anthropic's number of it.
    pub number: u64,
    /// Whether it began without a word, as some vendors leave that out.
    pub is_implicit: bool,
    /// Whether its end came.
    pub is_stopped: bool,
    /// What it told while another was open.
    pub held: Vec<Step>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text {
        length: usize,
        citations: Vec<Value>,
    },
    Thinking {
        signature: String,
    },
    Tool {
        given: Option<String>,
        has_arguments: bool,
    },
    /// One that is told whole at its end.
    Whole {
        raw: JsonText,
        input: String,
        content: String,
    },
    Told,
}

impl Open {
    /// A block that begins.
    pub fn start(number: u64, raw: &RawValue) -> (Self, Vec<Step>) {
        let fields = Fields::read(raw);
        let mut steps = Vec::new();
        let kind = match fields.kind.as_str() {
            _ if !fields.is_known() => Kind::Whole { raw: raw.into(), input: String::new(), content: String::new() },
            "text" => {
                steps.push(Step::Head(BlockHead::Text));
                Kind::Text { length: 0, citations: fields.citations.unwrap_or_default() }
            }
            "thinking" => {
                steps.push(Step::Head(BlockHead::Thinking { is_summary: false }));
                Kind::Thinking { signature: fields.signature.unwrap_or_default() }
            }
            "redacted_thinking" => {
                steps.extend(token(fields.data).map(|token| Step::Head(BlockHead::Redacted(token))));
                Kind::Told
            }
            _ => {
                let call = ToolUse {
                    call_id: fields.id.unwrap_or_default(),
                    name: fields.name.unwrap_or_default(),
                    ..ToolUse::default()
                };
                steps.push(Step::Head(BlockHead::ToolUse(call)));
                let given = fields.input.map(RawValue::get).filter(|input| input.starts_with('{'));
                Kind::Tool { given: given.map(str::to_owned), has_arguments: false }
            }
        };
        let mut open = Self { number, is_implicit: false, is_stopped: false, held: Vec::new(), kind };
        let words = fields.text.or(fields.thinking);
        open.say(words, &mut steps);
        (open, steps)
    }

    /// A block whose beginning did not come; none where nothing says what it is.
    pub fn implied(number: u64, growth: &Growth) -> Option<(Self, Vec<Step>)> {
        let (head, kind) = match growth {
            Growth { text: Some(_), .. } => (BlockHead::Text, Kind::Text { length: 0, citations: Vec::new() }),
            Growth { thinking: Some(_), .. } => {
                (BlockHead::Thinking { is_summary: false }, Kind::Thinking { signature: String::new() })
            }
            _ => return None,
        };
        let open = Self { number, is_implicit: true, is_stopped: false, held: Vec::new(), kind };
        Some((open, vec![Step::Head(head)]))
    }

    /// Takes in what the block grows by; gives what it tells and how many bytes it keeps for its end.
    pub fn grow(&mut self, growth: Growth) -> (Vec<Step>, usize) {
        let mut steps = Vec::new();
        let mut kept = 0;
        match &mut self.kind {
            Kind::Text { citations, .. } => {
                kept = growth.citation.as_ref().map_or(0, |citation| citation.to_string().len());
                citations.extend(growth.citation);
                self.say(growth.text, &mut steps);
            }
            Kind::Thinking { signature } => {
                let more = growth.signature.unwrap_or_default();
                kept = more.len();
                signature.push_str(&more);
                self.say(growth.thinking, &mut steps);
            }
            Kind::Tool { has_arguments, .. } => {
                if let Some(part) = growth.partial_json.filter(|part| !part.is_empty()) {
                    *has_arguments = true;
                    steps.push(Step::Grow(Delta::Arguments(part)));
                }
            }
            Kind::Whole { input, content, .. } => {
                let (more, words) = (growth.partial_json.unwrap_or_default(), growth.content.unwrap_or_default());
                let words = words.as_str().unwrap_or_default();
                kept = more.len() + words.len();
                input.push_str(&more);
                content.push_str(words);
            }
            Kind::Told => {}
        }
        (steps, kept)
    }

    fn say(&mut self, words: Option<String>, steps: &mut Vec<Step>) {
        let Some(words) = words.filter(|words| !words.is_empty()) else { return };
        match &mut self.kind {
            Kind::Text { length, .. } => *length += words.chars().count(),
            Kind::Thinking { .. } => {}
            _ => return,
        }
        steps.push(Step::Grow(Delta::Text(words)));
    }

    /// Takes in the block's end; gives what it told last.
    pub fn stop(&mut self) -> Vec<Step> {
        self.is_stopped = true;
        match std::mem::replace(&mut self.kind, Kind::Told) {
            Kind::Text { length, citations } => {
                let annotation = |citation| Step::Grow(Delta::Annotation(annotation_of(citation, 0, length)));
                citations.iter().map(annotation).collect()
            }
            Kind::Thinking { signature } => {
                token(Some(signature)).map(|token| Step::Grow(Delta::Token(token))).into_iter().collect()
            }
            // A call without arguments has an empty object, not an empty text.
            Kind::Tool { given, has_arguments: false } => {
                vec![Step::Grow(Delta::Arguments(given.unwrap_or_else(|| "{}".to_owned())))]
            }
            Kind::Whole { raw, input, content } => {
                vec![Step::Head(BlockHead::Hosted(whole(raw, &input, &content), Family::Anthropic))]
            }
            Kind::Tool { .. } | Kind::Told => Vec::new(),
        }
    }
}

/// A block with what it grew by.
fn whole(raw: JsonText, input: &str, content: &str) -> JsonText {
    let words = json_string(content);
    let mut set = Vec::new();
    if serde_json::from_str::<&RawValue>(input).is_ok() {
        set.push(("input", input));
    }
    if !content.is_empty() {
        set.push(("content", words.as_str()));
    }
    if set.is_empty() {
        return raw;
    }
    let edited =
        JsonObject::parse(Bytes::copy_from_slice(raw.as_str().as_bytes())).map(|block| block.edited(&set, &[]));
    let text = edited.ok().and_then(|text| JsonText::parse(std::str::from_utf8(&text).ok()?).ok());
    text.unwrap_or(raw)
}
