//! Whole answers, and items as blocks.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::common::{
    Answer, AnswerHead, Block, BlockKind, Family, Finish, FinishReason, JsonText, ReasoningToken, ToolKind, ToolUse,
};
use crate::openai::{error_text, is_bare_error};
use crate::surrogates::replace_lone;
use crate::usage::Count;
use crate::{ErrorBody, ServiceTier, Usage, malformed};

/// A response, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Response<'a> {
    pub id: Option<String>,
    pub model: Option<String>,
    pub created_at: Count,
    pub status: Option<String>,
    #[serde(borrow)]
    pub output: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub service_tier: Option<&'a RawValue>,
}

impl Response<'_> {
    /// How the answer begins.
    pub fn head(&self) -> AnswerHead {
        AnswerHead {
            id: self.id.clone().unwrap_or_default(),
            model: self.model.clone().unwrap_or_default(),
            created: self.created_at.0.unwrap_or(0),
            usage: None,
            service_tier: None,
        }
    }

    /// What was counted.
    pub fn usage(&self) -> Option<Usage> {
        let tier = self.service_tier.map(|raw| ServiceTier::from_name(raw.get().trim_matches('"')));
        let usage = usage::read(self.usage?)?;
        Some(Usage { service_tier: tier.unwrap_or_default(), ..usage })
    }

    /// The error of a response that failed.
    pub fn failure(&self) -> Option<ErrorBody> {
        let failed = matches!(self.status.as_deref(), Some("failed" | "cancelled"));
        let error = self.error.filter(|error| error.get() != "null");
        (failed || error.is_some()).then(|| failure(error.map_or("{}", RawValue::get)))
    }

    /// Why it ended.
    pub fn finish(&self, said: Said) -> Finish {
        let reason = match (self.status.as_deref(), self.incomplete_details.map(RawValue::get)) {
            (Some("incomplete"), Some(why)) if why.contains("content_filter") => FinishReason::Filter,
            (Some("incomplete"), _) => FinishReason::Length,
            _ if said.calls => FinishReason::Tool,
            _ if said.refuses => FinishReason::Refusal,
            _ => FinishReason::End,
        };
        Finish { reason, ..Finish::default() }
    }
}

/// What kinds of block an answer has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub calls: bool,
    pub refuses: bool,
}

impl Said {
    /// Takes in a block.
    pub fn add(&mut self, block: &BlockKind) {
        self.calls |= matches!(block, BlockKind::ToolUse(_));
        self.refuses |= matches!(block, BlockKind::Refusal(_));
    }
}

/// The error of a failed response, with the kind that its code stands for.
pub(super) fn failure(text: &str) -> ErrorBody {
    let mut error = error_text(format!("{{\"error\":{text}}}").as_bytes());
    if error.message.is_empty() || error.message == "{}" {
        error.message = "The provider's answer failed.".to_owned();
    }
    let code = error.code.as_deref().unwrap_or_default();
    if error.kind.is_empty() || error.kind == "error" {
        error.kind = kind_of(code).to_owned();
    }
    error
}

fn kind_of(code: &str) -> &'static str {
    match code {
        "rate_limit_exceeded" => "rate_limit_error",
        "insufficient_quota" | "usage_not_included" => "insufficient_quota",
        "context_length_exceeded" | "previous_response_not_found" => "invalid_request_error",
        "server_is_overloaded" | "slow_down" => "overloaded_error",
        code if code.starts_with("invalid_") || code.contains("image") => "invalid_request_error",
        _ => "api_error",
    }
}

/// A whole answer.
///
/// # Errors
/// Where it is an error or no answer.
pub(super) fn answer(body: &Bytes) -> Result<Answer, ErrorBody> {
    let text = body.strip_prefix(crate::sse::BOM).unwrap_or(body);
    let text = replace_lone(text);
    let not_one = || malformed("The provider answered with something that is no response.");
    let is_object = text.trim_ascii_start().starts_with(b"{");
    let response: Response<'_> =
        Some(&text).filter(|_| is_object).and_then(|text| serde_json::from_slice(text).ok()).ok_or_else(not_one)?;
    if let Some(error) = response.failure() {
        return Err(error);
    }
    let Some(output) = &response.output else {
        let is_error = serde_json::from_slice(&text).is_ok_and(|object| is_bare_error(&object));
        return Err(if is_error { error_text(&text) } else { not_one() });
    };
    let mut said = Said::default();
    let mut blocks: Vec<Block> = Vec::new();
    for block in output.iter().flat_map(|raw| blocks_of(raw)) {
        said.add(&block);
        blocks.push(block.into());
    }
    Ok(Answer {
        head: response.head(),
        blocks,
        finish: response.finish(said),
        usage: response.usage(),
        logprobs: output.iter().flat_map(|raw| logprobs_of(raw)).collect(),
    })
}

/// The log probabilities of an item's words, a list for each part.
fn logprobs_of(raw: &RawValue) -> Vec<JsonText> {
    // Most answers have none, and need not be read again for them.
    if !raw.get().contains("\"logprob\"") {
        return Vec::new();
    }
    let item: Item<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
    item.content.unwrap_or_default().into_iter().filter_map(|part| told_logprobs(part.logprobs?)).collect()
}

/// A list of log probabilities, where there are any.
pub(super) fn told_logprobs(list: JsonText) -> Option<JsonText> {
    list.value().as_array().is_some_and(|list| !list.is_empty()).then_some(list)
}

/// An item of the output, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub id: Option<String>,
    pub call_id: Option<String>,
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub execution: Option<String>,
    pub encrypted_content: Option<String>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow)]
    pub action: Option<&'a RawValue>,
    #[serde(borrow)]
    pub operation: Option<&'a RawValue>,
    pub content: Option<Vec<Part>>,
    pub summary: Option<Vec<Part>>,
}

/// A part of a message or of reasoning.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub text: Option<String>,
    pub refusal: Option<String>,
    pub annotations: Option<Vec<JsonText>>,
    pub logprobs: Option<JsonText>,
}

impl Part {
    /// Whether it is a refusal.
    pub fn is_refusal(&self) -> bool {
        self.kind.as_deref() == Some("refusal")
    }
}

impl Item<'_> {
    /// The call that it is, without arguments, where its events tell how it grows.
    pub fn growing_call(&self) -> Option<ToolUse> {
        let kind = match self.kind.as_deref() {
            Some("function_call") => ToolKind::Function,
            Some("custom_tool_call") => ToolKind::Custom,
            _ => return None,
        };
        Some(self.call(kind, self.name.clone()?, None))
    }

    fn call(&self, kind: ToolKind, name: String, arguments: Option<&RawValue>) -> ToolUse {
        ToolUse {
            call_id: self.call_id.clone().or_else(|| self.id.clone()).unwrap_or_default(),
            item_id: self.id.clone(),
            name,
            namespace: self.namespace.clone(),
            kind,
            arguments: arguments.map(words).unwrap_or_default(),
            token: None,
        }
    }

    /// The seal of a reasoning item.
    pub fn token(&self) -> Option<ReasoningToken> {
        let text = self.encrypted_content.as_deref().filter(|text| !text.is_empty())?;
        Some(ReasoningToken { item_id: self.id.clone(), ..ReasoningToken::new(Family::OpenAi, text) })
    }

    /// The arguments of a call that grows.
    pub fn arguments(&self) -> String {
        self.arguments.or(self.input).map(words).unwrap_or_default()
    }
}

/// The text that a JSON string says; of any other value its JSON text.
pub(super) fn words(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// The blocks that an item is; none where it says nothing.
pub(super) fn blocks_of(raw: &RawValue) -> Vec<BlockKind> {
    let Ok(item) = serde_json::from_str::<Item<'_>>(raw.get()) else { return Vec::new() };
    let shell = |name: &str, fields| vec![BlockKind::ToolUse(item.call(ToolKind::Shell, name.to_owned(), fields))];
    match item.kind.as_deref() {
        Some("message") => item.content.unwrap_or_default().into_iter().filter_map(spoken).collect(),
        Some("reasoning") => reasoned(&item).into_iter().collect(),
        Some("function_call" | "custom_tool_call") => {
            let call = item.growing_call().map(|call| ToolUse { arguments: item.arguments(), ..call });
            call.map(BlockKind::ToolUse).into_iter().collect()
        }
        Some("tool_search_call") if item.execution.as_deref() == Some("client") => {
            vec![BlockKind::ToolUse(item.call(ToolKind::ToolSearch, "tool_search".to_owned(), item.arguments))]
        }
        Some("local_shell_call") => shell("local_shell", item.action),
        Some("shell_call") => shell("shell", item.action),
        Some("apply_patch_call") => shell("apply_patch", item.operation),
        Some(_) => vec![BlockKind::Hosted { raw: raw.into(), family: Family::OpenAi }],
        None => Vec::new(),
    }
}

fn spoken(part: Part) -> Option<BlockKind> {
    if part.is_refusal() {
        return part.refusal.map(BlockKind::Refusal);
    }
    let text = part.text.filter(|text| !text.is_empty())?;
    Some(BlockKind::Text { text, annotations: part.annotations.unwrap_or_default() })
}

fn reasoned(item: &Item<'_>) -> Option<BlockKind> {
    let texts = |parts: &Option<Vec<Part>>, between| {
        let texts = parts.iter().flatten().filter_map(|part| part.text.as_deref());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
    };
    let summary = texts(&item.summary, "\n\n");
    let is_summary = !summary.is_empty();
    let text = if is_summary { summary } else { texts(&item.content, "") };
    match (text.is_empty(), item.token()) {
        (true, token) => token.map(BlockKind::Redacted),
        (false, token) => Some(BlockKind::Thinking { text, is_summary, token }),
    }
}
