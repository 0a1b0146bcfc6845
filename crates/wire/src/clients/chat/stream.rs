//! A streamed answer, told in chunks.

mod chunks;

use bytes::BytesMut;

use self::chunks::Chunks;
use super::content_blocks::ContentBlocks;
use super::object::Object;
use super::own_names::OwnNames;
use super::usage::{service_tier, usage_json};
use super::whole::{logprobs_json, placed};
use super::{answer_id, finish_reason};
use crate::clients::{ReplyContext, StreamEncoder};
use crate::common::{
    AnswerHead, BlockHead, Delta, Event, Family, Finish, JsonText, ReasoningToken, ToolKind, ToolUse, custom_input,
};
use crate::{ErrorBody, ServiceTier, Usage, openai, sse};

/// Tells events as chunks.
pub(super) struct ChatStream {
    id: String,
    model: String,
    created: u64,
    chunks: Chunks,
    strict: bool,
    include_usage: bool,
    names: OwnNames,
    open: Option<Open>,
    order: ContentBlocks,
    calls: usize,
    /// How long the text is so far, in characters.
    length: usize,
    annotations: Vec<JsonText>,
    has_refusal: bool,
    usage: Option<Usage>,
    finished: bool,
    tier: Option<ServiceTier>,
    begun: bool,
    ended: bool,
}

/// The block under way.
enum Open {
    Text {
        text: String,
        /// Where the block begins in the whole text, in characters.
        start: usize,
    },
    Refusal,
    Thinking {
        text: String,
        token: Option<ReasoningToken>,
    },
    Redacted(ReasoningToken),
    Call(Call),
    Other,
}

/// A call under way.
struct Call {
    index: usize,
    id: String,
    name: String,
    form: Form,
    /// Whether any arguments came.
    argued: bool,
    token: Option<ReasoningToken>,
}

/// How a call is told.
enum Form {
    Function,
    Custom,
    /// The vendor had a function in the place of a custom tool, whose arguments are told once they are whole.
    Unwrapped(String),
}

impl ChatStream {
    /// An encoder of one answer.
    pub fn new(context: &ReplyContext<'_>) -> Self {
        Self {
            id: answer_id("", context),
            model: context.conversation.model.clone(),
            created: context.now,
            chunks: Chunks::default(),
            strict: context.strict,
            include_usage: context.conversation.include_usage,
            names: OwnNames::of(context.conversation),
            open: None,
            order: ContentBlocks::numbered(),
            calls: 0,
            length: 0,
            annotations: Vec::new(),
            has_refusal: false,
            usage: None,
            finished: false,
            tier: None,
            begun: false,
            ended: false,
        }
    }

    fn start(&mut self, head: AnswerHead, out: &mut BytesMut) {
        if !head.id.is_empty() {
            self.id = head.id;
        }
        if !head.model.is_empty() {
            self.model = head.model;
        }
        if head.created != 0 {
            self.created = head.created;
        }
        self.tier = head.service_tier;
        self.usage = head.usage;
        self.begun = true;
        self.chunks = Chunks::new(&self.id, self.created, &self.model);
        let mut delta = Object::default();
        delta.set("role", "assistant");
        delta.set("content", "");
        self.chunks.delta(delta, out);
    }

    fn start_block(&mut self, head: BlockHead, out: &mut BytesMut) {
        self.stop_block(out);
        self.open = Some(match head {
            BlockHead::Text => Open::Text { text: String::new(), start: self.length },
            BlockHead::Refusal => Open::Refusal,
            BlockHead::Thinking { .. } => Open::Thinking { text: String::new(), token: None },
            BlockHead::Redacted(token) => Open::Redacted(token),
            BlockHead::ToolUse(call) => Open::Call(self.start_call(call, out)),
            BlockHead::Hosted(..) => Open::Other,
        });
    }

    fn start_call(&mut self, call: ToolUse, out: &mut BytesMut) -> Call {
        let own = self.names.find(&call.name).map(|(name, kind)| (name.to_owned(), kind));
        let form = match own {
            _ if call.kind == ToolKind::Custom => Form::Custom,
            Some((_, ToolKind::Custom)) => Form::Unwrapped(call.arguments.clone()),
            _ => Form::Function,
        };
        let name = own.map_or(call.name, |(name, _)| name);
        let (field, part) =
            if matches!(form, Form::Function) { ("function", "arguments") } else { ("custom", "input") };
        let mut inner = Object::default();
        inner.set("name", &name);
        inner.set(part, if matches!(form, Form::Unwrapped(_)) { "" } else { &call.arguments });
        let mut told = Object::default();
        told.set("index", self.calls);
        told.set("id", &call.call_id);
        told.set("type", field);
        told.raw(field, &inner.end());
        self.chunks.call(told, out);
        let index = self.calls;
        self.calls += 1;
        let argued = !call.arguments.is_empty();
        Call { index, id: call.call_id, name, form, argued, token: call.token }
    }

    fn grow_block(&mut self, delta: Delta, out: &mut BytesMut) {
        let (strict, mut open) = (self.strict, self.open.take());
        match (open.as_mut(), delta) {
            (_, Delta::Logprobs(logprobs)) => {
                let logprobs = logprobs_json(&[logprobs]);
                self.chunks.choice(Object::default(), Some(&logprobs), None, out);
            }
            (Some(Open::Text { text, .. }), Delta::Text(more)) => {
                self.length += more.chars().count();
                self.chunks.say("content", &more, out);
                // It is told again only behind reasoning, which strict answers do not have.
                if !strict {
                    text.push_str(&more);
                }
            }
            (Some(Open::Text { start, .. }), Delta::Annotation(annotation)) => {
                self.annotations.extend(placed(&annotation, *start));
            }
            (Some(Open::Refusal), Delta::Text(more)) => {
                self.has_refusal = true;
                self.chunks.say("refusal", &more, out);
            }
            (Some(Open::Thinking { text, .. }), Delta::Text(more)) if !strict => {
                self.chunks.say("reasoning_content", &more, out);
                text.push_str(&more);
            }
            (Some(Open::Thinking { token, .. } | Open::Call(Call { token, .. })), Delta::Token(seal)) => {
                *token = Some(seal);
            }
            (Some(Open::Call(call)), Delta::Arguments(more)) if !more.is_empty() => {
                call.argued = true;
                match &mut call.form {
                    Form::Unwrapped(arguments) => arguments.push_str(&more),
                    form => {
                        let part = argument_part(call.index, form, &more);
                        self.chunks.call(part, out);
                    }
                }
            }
            _ => {}
        }
        self.open = open;
    }

    fn stop_block(&mut self, out: &mut BytesMut) {
        let mut told = Vec::new();
        match self.open.take() {
            Some(Open::Text { text, .. }) if !self.strict => self.order.text(&text, &mut told),
            Some(Open::Thinking { text, token: Some(token) }) => self.order.thinking(&text, &token, &mut told),
            Some(Open::Redacted(token)) => self.order.redacted(&token, &mut told),
            Some(Open::Call(call)) => {
                self.order.call(&call.id, &call.name, &mut told);
                self.stop_call(call, out);
            }
            _ => {}
        }
        if self.strict {
            return;
        }
        // Whole, with their seals, so that a client can send them back (I4).
        for block in told {
            let mut delta = Object::default();
            delta.list("content_blocks", &[block]);
            self.chunks.delta(delta, out);
        }
    }

    fn stop_call(&mut self, call: Call, out: &mut BytesMut) {
        match &call.form {
            // A call without arguments has an empty object, not an empty text.
            Form::Function if !call.argued => self.chunks.call(argument_part(call.index, &call.form, "{}"), out),
            Form::Unwrapped(arguments) => {
                self.chunks.call(argument_part(call.index, &call.form, &custom_input(arguments)), out);
            }
            _ => {}
        }
        if let Some(token) = call.token.filter(|_| !self.strict) {
            let mut part = Object::default();
            part.set("index", call.index);
            let signature = token.for_client(Family::Gemini);
            part.set("extra_content", serde_json::json!({"google": {"thought_signature": signature}}));
            self.chunks.call(part, out);
        }
    }

    fn finish(&mut self, finish: &Finish, out: &mut BytesMut) {
        self.stop_block(out);
        let mut delta = Object::default();
        if !self.annotations.is_empty() {
            delta.set("annotations", std::mem::take(&mut self.annotations));
        }
        let reason = finish_reason(finish.reason, self.calls > 0, self.has_refusal);
        self.chunks.choice(delta, None, Some(reason), out);
        self.finished = true;
    }

    fn tell_usage(&mut self, out: &mut BytesMut) {
        let Some(usage) = self.usage.take().filter(|_| self.include_usage && self.begun) else { return };
        let mut told = Object::default();
        told.list("choices", &[]);
        told.set_some("service_tier", service_tier(self.tier, Some(&usage)));
        told.set("usage", usage_json(&usage));
        let told = told.end();
        self.chunks.frame(told.strip_prefix('{').and_then(|told| told.strip_suffix('}')).unwrap_or_default(), out);
    }

    fn fail(&mut self, error: &ErrorBody, out: &mut BytesMut) {
        self.tell_usage(out);
        out.extend_from_slice(&openai::error_event(error));
    }
}

/// A part of a call's arguments.
fn argument_part(index: usize, form: &Form, part: &str) -> Object {
    let (field, name) = if matches!(form, Form::Function) { ("function", "arguments") } else { ("custom", "input") };
    let mut inner = Object::default();
    inner.set(name, part);
    let mut told = Object::default();
    told.set("index", index);
    told.raw(field, &inner.end());
    told
}

impl StreamEncoder for ChatStream {
    fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        let is_last = matches!(event, Event::Done | Event::Error(_));
        if !self.begun && !matches!(event, Event::Start(_) | Event::Error(_)) {
            self.start(AnswerHead::default(), out);
        }
        match event {
            Event::Start(head) => self.start(head, out),
            Event::BlockStart(_, head) => self.start_block(head, out),
            Event::Delta(_, delta) => self.grow_block(delta, out),
            Event::BlockStop(_) => self.stop_block(out),
            Event::Usage(usage) => {
                self.usage = Some(usage);
                // It is the last chunk: what comes before the finish reason waits for it.
                if self.finished {
                    self.tell_usage(out);
                }
            }
            Event::Finish(finish) => self.finish(&finish, out),
            Event::Done => {
                self.tell_usage(out);
                out.extend_from_slice(&sse::DONE);
            }
            Event::Error(error) => self.fail(&error, out),
        }
        self.ended = is_last;
    }
}
