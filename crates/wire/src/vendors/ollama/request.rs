//! A chat request as Ollama takes it.

use bytes::Bytes;
use serde::Serialize;

use super::messages::{self, Message};
use super::options::Options;
use super::tools::{self, Tool};
use crate::common::{Conversation, Effort, JsonText, OutputFormat, Reasoning, ToolChoice, refuse_unportable};
use crate::vendors::TargetModel;
use crate::{BadRequest, VendorRequest};

/// Ollama's own fields, which clients may give as an extension.
const OWN: [&str; 3] = ["keep_alive", "truncate", "shift"];

/// Fields of the client that are read elsewhere here.
const READ: [&str; 4] = ["think", "options", "min_p", "top_k"];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    // Ollama streams unless told otherwise.
    stream: bool,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<&'a JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<&'a JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Think<'a> {
    Own(&'a JsonText),
    Level(&'static str),
    Switch(bool),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Format<'a> {
    Any(&'static str),
    Schema(&'a JsonText),
}

/// A field that only the client's family knows, where it is there and not null.
pub(super) fn present<'a>(conversation: &'a Conversation, name: &str) -> Option<&'a JsonText> {
    let found = conversation.rest.iter().rev().find(|(field, _)| field == name);
    found.map(|(_, value)| value).filter(|value| value.as_str() != "null")
}

/// Translates a chat request.
pub(super) fn chat(conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
    if conversation.sampling.choices.is_some_and(|choices| choices > 1) {
        return Err(BadRequest::new("n", "Ollama answers one choice: leave 'n' out or set it to 1."));
    }
    refuse_unportable(conversation)?;
    let mut dropped = conversation.lost.clone();
    let body = Body {
        model: target.model,
        messages: messages::of(conversation, &mut dropped)?,
        stream: conversation.stream,
        options: Options::of(conversation, target, &mut dropped)?,
        keep_alive: present(conversation, "keep_alive"),
        truncate: present(conversation, "truncate"),
        shift: present(conversation, "shift"),
        logprobs: conversation.sampling.logprobs,
        top_logprobs: conversation.sampling.top_logprobs,
        think: think(conversation, target.model),
        tools: tools::of(conversation, &mut dropped)?,
        format: format(conversation, &mut dropped),
    };
    note_lost(conversation, &mut dropped);
    let body = serde_json::to_vec(&body).map_err(|error| BadRequest { param: None, message: error.to_string() })?;
    Ok(VendorRequest {
        path: "/api/chat".to_owned(),
        headers: Vec::new(),
        body: Bytes::from(body),
        dropped_params: dropped,
    })
}

/// Efforts as Ollama's levels, of which it refuses all but low, medium, high and max; its own `think` goes first.
///
/// A model that cannot think refuses to be asked, and one that can thinks unasked. Where the client leaves it to the
/// model (as Claude Code does on all of them) only those are asked that have levels alone.
fn think<'a>(conversation: &'a Conversation, model: &str) -> Option<Think<'a>> {
    if let Some(own) = present(conversation, "think") {
        return Some(Think::Own(own));
    }
    let Reasoning { effort, budget_tokens, adaptive, .. } = conversation.reasoning.as_ref()?;
    if *adaptive && !model.contains("gpt-oss") {
        return None;
    }
    let effort = effort.or_else(|| budget_tokens.map(Effort::from_budget_tokens));
    Some(match effort {
        Some(Effort::None) => Think::Switch(false),
        Some(Effort::Minimal | Effort::Low) => Think::Level("low"),
        Some(Effort::Medium) => Think::Level("medium"),
        // "max" is refused by older servers, which know "high".
        Some(Effort::High | Effort::XHigh) => Think::Level("high"),
        Some(Effort::Max) => Think::Level("max"),
        None => return None,
    })
}

fn format<'a>(conversation: &'a Conversation, dropped: &mut Vec<String>) -> Option<Format<'a>> {
    match conversation.output_format.as_ref()? {
        OutputFormat::JsonSchema { schema, .. } if schema.is_object() => Some(Format::Schema(schema)),
        OutputFormat::JsonSchema { .. } => {
            note("response_format", dropped);
            Some(Format::Any("json"))
        }
        OutputFormat::JsonObject => Some(Format::Any("json")),
    }
}

/// Names the fields that have no counterpart (I6).
fn note_lost(conversation: &Conversation, dropped: &mut Vec<String>) {
    let Conversation { identity, sampling, .. } = conversation;
    // Ollama always chooses by itself: "none" is said by sending no tools, and some by sending these alone.
    let is_forced = match &conversation.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Tool(..)) => true,
        Some(ToolChoice::Allowed { required, .. }) => *required,
        _ => false,
    };
    let lost = [
        ("tool_choice", is_forced),
        ("parallel_tool_calls", conversation.parallel_tool_calls.is_some()),
        ("verbosity", conversation.verbosity.is_some()),
        ("user", identity.user.is_some()),
        ("prompt_cache_key", identity.cache_key.is_some()),
        ("service_tier", conversation.service_tier.is_some()),
        ("logit_bias", sampling.logit_bias.is_some()),
        ("metadata", conversation.metadata.is_some()),
    ];
    for (name, _) in lost.iter().filter(|(_, is_lost)| *is_lost) {
        note(name, dropped);
    }
    let rest = conversation.rest.iter().map(|(name, _)| name.as_str());
    for name in rest.filter(|name| !OWN.contains(name) && !READ.contains(name)) {
        if present(conversation, name).is_some() {
            note(name, dropped);
        }
    }
}

/// Names a field once.
pub(super) fn note(name: &str, dropped: &mut Vec<String>) {
    if !dropped.iter().any(|other| other == name) {
        dropped.push(name.to_owned());
    }
}
