//! A whole answer, and what it shares with the parts of a streamed one.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::common::{Answer, AnswerHead, BlockKind, Finish, FinishReason, JsonText, ToolUse};
use crate::surrogates::replace_lone;
use crate::{ErrorBody, Usage, malformed, openai, sse, usage};

/// A value as it stands; what is of another kind than it should be counts as absent.
type Raw<'a> = Option<&'a RawValue>;

/// A whole answer, or one line of a streamed one.
#[derive(Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    error: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
    #[serde(borrow)]
    done: Raw<'a>,
    #[serde(borrow)]
    done_reason: Raw<'a>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
    #[serde(borrow)]
    prompt_eval_count: Raw<'a>,
    #[serde(borrow)]
    eval_count: Raw<'a>,
}

#[derive(Default, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Raw<'a>,
    #[serde(borrow)]
    thinking: Raw<'a>,
    #[serde(borrow)]
    tool_calls: Raw<'a>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    function: Raw<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    arguments: Raw<'a>,
}

/// What a message says, in this order.
#[derive(Default)]
pub(super) struct Said {
    pub(super) thinking: String,
    pub(super) text: String,
    pub(super) calls: Vec<ToolUse>,
}

/// An object; a list would pass for its values in their order.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    Some(text).filter(|text| text.trim_start().starts_with('{')).and_then(|text| serde_json::from_str(text).ok())
}

/// A text that says something.
fn text(raw: Raw<'_>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok().filter(|text: &String| !text.is_empty())
}

impl<'a> Part<'a> {
    /// Reads an object.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        object(std::str::from_utf8(json).ok()?)
    }

    /// The error that stands in the place of an answer, which is this text.
    pub(super) fn error(&self, json: &[u8]) -> Option<ErrorBody> {
        self.error.filter(|error| error.get() != "null").map(|_| openai::error_text(json))
    }

    pub(super) fn head(&self) -> AnswerHead {
        AnswerHead { model: text(self.model).unwrap_or_default(), ..AnswerHead::default() }
    }

    /// Whether the answer ends here; none where it does not say.
    pub(super) fn is_done(&self) -> Option<bool> {
        serde_json::from_str(self.done?.get()).ok()
    }

    pub(super) fn said(&self) -> Option<Said> {
        let message: Message<'_> = object(self.message?.get())?;
        let calls: Vec<&RawValue> =
            message.tool_calls.and_then(|calls| serde_json::from_str(calls.get()).ok()).unwrap_or_default();
        Some(Said {
            thinking: text(message.thinking).unwrap_or_default(),
            text: text(message.content).unwrap_or_default(),
            calls: calls.iter().filter_map(|call| tool_use(call)).collect(),
        })
    }

    pub(super) fn finish(&self, calls_tools: bool) -> Finish {
        let reason = match text(self.done_reason).as_deref() {
            _ if calls_tools => FinishReason::Tool,
            Some("length") => FinishReason::Length,
            _ => FinishReason::End,
        };
        Finish { reason, ..Finish::default() }
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |raw: Raw<'_>| usage::count(&serde_json::from_str(raw?.get()).ok()?);
        let (prompt, completion) = (count(self.prompt_eval_count), count(self.eval_count));
        (prompt.is_some() || completion.is_some()).then(|| Usage {
            prompt_tokens: prompt.unwrap_or(0),
            completion_tokens: completion.unwrap_or(0),
            ..Usage::default()
        })
    }

    /// The log probabilities; Ollama leaves out fields that OpenAI's clients insist on.
    pub(super) fn logprobs(&self) -> Option<JsonText> {
        let mut tokens: Vec<Value> = serde_json::from_str(self.logprobs?.get()).ok()?;
        for token in tokens.iter_mut().filter_map(Value::as_object_mut) {
            token.entry("bytes").or_insert(Value::Null);
            token.entry("top_logprobs").or_insert_with(|| json!([]));
        }
        (!tokens.is_empty()).then(|| JsonText::from(Value::Array(tokens)))
    }
}

/// A call; Ollama's carry an object for arguments and often no id, for which the answer's consumer sees.
fn tool_use(call: &RawValue) -> Option<ToolUse> {
    let call: Call<'_> = object(call.get())?;
    let function: Function<'_> = object(call.function?.get())?;
    let arguments = match function.arguments.map(RawValue::get) {
        None | Some("null") => "{}".to_owned(),
        Some(raw) if raw.starts_with('"') => serde_json::from_str(raw).unwrap_or_default(),
        Some(raw) => raw.to_owned(),
    };
    let (call_id, name) = (text(call.id).unwrap_or_default(), text(function.name).unwrap_or_default());
    Some(ToolUse { call_id, name, arguments, ..ToolUse::default() })
}

/// Reads a whole answer.
pub(super) fn whole(body: &Bytes) -> Result<Answer, ErrorBody> {
    let not_ollamas = || malformed("The provider's answer is not in Ollama's format.");
    let json = replace_lone(body.strip_prefix(sse::BOM).unwrap_or(body));
    let part = Part::read(&json).ok_or_else(not_ollamas)?;
    if let Some(error) = part.error(&json) {
        return Err(error);
    }
    if part.is_done() == Some(false) {
        return Err(malformed("The provider's answer is not complete."));
    }
    let said = part.said().ok_or_else(not_ollamas)?;
    let finish = part.finish(!said.calls.is_empty());
    let thinking = BlockKind::Thinking { text: said.thinking, is_summary: false, token: None };
    let is_empty = |kind: &BlockKind| match kind {
        BlockKind::Thinking { text, .. } | BlockKind::Text { text, .. } => text.is_empty(),
        _ => false,
    };
    let kinds = [thinking, BlockKind::text(said.text)].into_iter().filter(|kind| !is_empty(kind));
    let blocks = kinds.chain(said.calls.into_iter().map(BlockKind::ToolUse)).map(Into::into).collect();
    Ok(Answer {
        head: part.head(),
        blocks,
        finish,
        usage: part.usage(),
        logprobs: part.logprobs().into_iter().collect(),
    })
}
