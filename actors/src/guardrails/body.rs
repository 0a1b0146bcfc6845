//! The texts of a request: all that a provider would get to read.

use gateway_guard::checks::Subject;
use gateway_guard::tokens::Vault;
use gateway_wire::BadRequest;
use gateway_wire::json_object::JsonObject;
use gateway_wire::surrogates::replace_lone;
use serde_json::{Map, Value};

use super::engines::Judging;
use super::walk::Walk;
use super::{Policy, Tally, prefix};

/// Fields of a request that are not looked at: what tools there are, and what answers.
const SETTINGS: [&str; 6] =
    ["function_call", "logit_bias", "mcp_servers", "model", "previous_response_id", "tool_choice"];

/// Fields that define tools, which are looked at where a check wants that.
const TOOLS: [&str; 2] = ["functions", "tools"];

/// Fields in which a judged text may stand.
const JUDGED: [&str; 4] = ["messages", "input", "prompt", "query"];

/// What is known of a request beside its texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts<'a> {
    /// The model that was asked for.
    pub model: Option<&'a str>,
    /// The kind of request in Portkey's words.
    pub request_type: Option<&'a str>,
    /// The request's metadata.
    pub metadata: Option<&'a Map<String, Value>>,
}

/// All that a provider would get to read of a request.
#[derive(Clone, Debug)]
pub struct RequestTexts {
    /// The body in the client's own format.
    pub body: JsonObject,
    /// What the config sets in the body, as a chat body has it.
    pub params: Map<String, Value>,
    /// What is sealed in the body, with what it is.
    pub summaries: Vec<(String, String)>,
}

impl RequestTexts {
    /// How much it is, in bytes; what the config sets has bounds of its own.
    pub fn bytes(&self) -> usize {
        self.summaries.iter().map(|(_, summary)| summary.len()).sum::<usize>() + self.body.text().len()
    }
}

/// Makes of the texts what may leave, where they may; gives whether the body changed.
///
/// # Errors
/// Where a field cannot be read: nobody knows what is in it.
pub fn guard_texts(
    texts: &mut RequestTexts,
    (policy, facts): (&Policy, &RequestFacts<'_>),
    tally: &mut Tally,
    vault: Option<&mut Vault>,
) -> Result<bool, BadRequest> {
    let prefixed = prefix::add(&texts.body, policy, facts, tally);
    let mut is_changed = prefixed.is_some();
    if let Some(prefixed) = prefixed {
        texts.body = prefixed;
    }
    let mut walk = Walk::new(policy, &mut *tally, vault);
    is_changed |= walk_all(texts, &mut walk, (facts, policy.reach.tools))?;
    if policy.judges {
        let text = walk.into_last();
        let RequestFacts { model, request_type, metadata } = *facts;
        tally.judge(policy, &Subject { text: &text, model, request_type, metadata });
    }
    Ok(is_changed)
}

/// Has outside engines look at texts that may leave as far as the built-in detectors know; gives whether the body changed.
///
/// # Errors
/// Where a field cannot be read.
pub fn judge_texts(
    texts: &mut RequestTexts,
    policy: &Policy,
    tally: &mut Tally,
    vault: Option<&mut Vault>,
    judging: &mut Judging,
) -> Result<bool, BadRequest> {
    let mut walk = Walk::new(policy, tally, vault).by_engines(judging);
    walk_all(texts, &mut walk, (&RequestFacts::default(), policy.reach.tools))
}

/// Goes through all texts, of definitions of tools too where these are to be looked at; gives whether the body changed.
fn walk_all(
    texts: &mut RequestTexts,
    walk: &mut Walk<'_>,
    (facts, tools): (&RequestFacts<'_>, bool),
) -> Result<bool, BadRequest> {
    for (_, summary) in &mut texts.summaries {
        walk.summary(summary);
    }
    let mut changed: Vec<(String, String)> = Vec::new();
    let is_read = |name: &str| !SETTINGS.contains(&name) && (tools || !TOOLS.contains(&name));
    for (name, text) in texts.body.fields().filter(|(name, _)| is_read(name)) {
        if !text.contains('"') {
            continue;
        }
        let mut value = serde_json::from_slice::<Value>(&replace_lone(text.as_bytes())).map_err(|error| {
            let message = format!("'{name}' cannot be read, so that guardrails cannot look at it: {error}.");
            BadRequest::new(name, message)
        })?;
        if walk.field(name, &mut value, is_judged(name, facts.request_type)) {
            changed.push((name.to_owned(), value.to_string()));
        }
    }
    let of_chat = facts.request_type.filter(|kind| matches!(*kind, "embed" | "moderate" | "rerank"));
    for (name, value) in texts.params.iter_mut().filter(|(name, _)| is_read(name)) {
        walk.field(name, value, is_judged(name, of_chat.or(Some("chatComplete"))));
    }
    if changed.is_empty() {
        return Ok(false);
    }
    let set: Vec<(&str, &str)> = changed.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    texts.body = texts.body.with(&set, &[]);
    Ok(true)
}

/// Whether the last message of a kind of request stands in a field; others are no conversation to its provider.
fn is_judged(name: &str, request_type: Option<&str>) -> bool {
    match request_type {
        Some("chatComplete" | "messages") => name == "messages",
        Some("complete") => name == "prompt",
        Some("createModelResponse" | "embed" | "moderate") => name == "input",
        Some("rerank") => name == "query",
        _ => JUDGED.contains(&name),
    }
}

#[cfg(test)]
mod tests;
