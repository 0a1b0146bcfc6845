//! A chat request.

use super::messages::{self, note};
use super::{Shape, tools};
use crate::clients::chat::ANTHROPIC_FIELDS;
use crate::clients::chat::object::Object;
use crate::common::tool_ids::USER_ID;
use crate::common::{Conversation, Effort, OutputFormat, refuse_unportable};
use crate::vendors::TargetModel;
use crate::vendors::openai_models::takes_effort;
use crate::{BadRequest, VendorRequest};

/// OpenAI's own fields that the common form does not type.
const OPENAI_FIELDS: [&str; 8] = [
    "audio",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "web_search_options",
];

/// OpenAI's words for classes of service.
const TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];

/// Tells a request.
pub(super) fn request(conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
    refuse_unportable(conversation)?;
    if conversation.sampling.choices.is_some_and(|choices| choices > 1) {
        let message = "This provider is asked for one choice at a time: leave 'n' out or set it to 1.";
        return Err(BadRequest::new("n", message));
    }
    let shape = Shape::new(conversation, target.quirks);
    let mut dropped = Vec::new();
    let mut body = Object::default();
    body.set("model", target.model);
    body.raw("messages", &messages::messages(conversation, shape, &mut dropped)?);
    tools::tools(conversation, shape, &mut body, &mut dropped)?;
    limit(conversation, target, &mut body, &mut dropped);
    sampling(conversation, shape, &mut body, &mut dropped);
    reasoning(conversation, shape, target.model, &mut body, &mut dropped);
    match &conversation.output_format {
        None => {}
        Some(OutputFormat::JsonObject) => body.raw("response_format", r#"{"type":"json_object"}"#),
        Some(OutputFormat::JsonSchema { name, description, schema, strict }) => {
            let format = tools::schema_format(name.as_deref(), description.as_deref(), schema, *strict);
            body.raw("response_format", &format);
        }
    }
    identity(conversation, shape, &mut body, &mut dropped);
    if conversation.stream {
        body.set("stream", true);
        if !target.quirks.no_stream_options {
            body.raw("stream_options", r#"{"include_usage":true}"#);
        }
    }
    rest(conversation, shape, &mut body, &mut dropped);
    conversation.lost.iter().for_each(|name| note(&mut dropped, name));
    let path = "/chat/completions".to_owned();
    Ok(VendorRequest { path, headers: Vec::new(), body: body.end().into(), dropped_params: dropped })
}

/// The most output tokens, in the field that the vendor has for them, and no more than the model gives (J13).
fn limit(conversation: &Conversation, target: &TargetModel<'_>, body: &mut Object, dropped: &mut Vec<String>) {
    let Some(asked) = conversation.max_output_tokens else { return };
    let field = if target.quirks.max_completion_tokens == Some(false) { "max_tokens" } else { "max_completion_tokens" };
    let most = target.max_output_tokens.unwrap_or(u64::MAX);
    if asked > most {
        note(dropped, &format!("{field}>{most}"));
    }
    body.set(field, asked.min(most));
}

fn sampling(conversation: &Conversation, shape: Shape<'_>, body: &mut Object, dropped: &mut Vec<String>) {
    let sampling = &conversation.sampling;
    body.set_some("temperature", sampling.temperature.as_ref());
    body.set_some("top_p", sampling.top_p.as_ref());
    if !sampling.stop.is_empty() {
        body.set("stop", &sampling.stop);
    }
    body.set_some("seed", sampling.seed.as_ref());
    body.set_some("frequency_penalty", sampling.frequency_penalty.as_ref());
    body.set_some("presence_penalty", sampling.presence_penalty.as_ref());
    body.set_some("n", sampling.choices.filter(|_| shape.is_chat));
    body.set_some("logit_bias", sampling.logit_bias.as_ref());
    body.set_some("logprobs", sampling.logprobs);
    body.set_some("top_logprobs", sampling.top_logprobs);
    match sampling.top_k {
        Some(top_k) if shape.has_extensions() => body.set("top_k", top_k),
        Some(_) => note(dropped, "top_k"),
        None => {}
    }
}

/// The effort that is asked for, in any of the forms; what a chat client asks for goes along as it is.
fn reasoning(conversation: &Conversation, shape: Shape<'_>, model: &str, body: &mut Object, dropped: &mut Vec<String>) {
    let Some(reasoning) = &conversation.reasoning else { return };
    let asked = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::from_budget_tokens));
    match asked {
        Some(effort) if shape.is_chat => body.set("reasoning_effort", effort.as_str()),
        // The highest that most of this format's vendors know.
        Some(effort) if takes_effort(reasoning, effort, model) => {
            body.set("reasoning_effort", effort.min(Effort::XHigh).as_str());
        }
        Some(_) => note(dropped, "reasoning_effort"),
        None => {}
    }
}

/// Who asks, for what, and how it is to be served.
fn identity(conversation: &Conversation, shape: Shape<'_>, body: &mut Object, dropped: &mut Vec<String>) {
    let in_metadata = conversation.metadata.as_ref().and_then(|metadata| metadata.get("user_id")?.as_str());
    let is_told = |user: &&String| shape.is_chat && in_metadata == Some(user.as_str());
    let user = conversation.identity.user.as_ref().filter(|user| !is_told(user));
    // What other clients tell may be longer than OpenAI takes.
    body.set_some("user", user.map(|user| if shape.is_chat { user.into() } else { USER_ID.fit(user) }));
    let newer = [
        ("verbosity", conversation.verbosity.as_ref()),
        ("prompt_cache_key", conversation.identity.cache_key.as_ref()),
    ];
    for (name, value) in newer {
        match value {
            Some(value) if shape.is_like_openai() => body.set(name, value),
            Some(_) => note(dropped, name),
            None => {}
        }
    }
    match conversation.service_tier.as_deref() {
        None => {}
        Some(word) if TIERS.contains(&word) || shape.is_chat => body.set("service_tier", word),
        Some("standard_only") => body.set("service_tier", "default"),
        Some(_) => note(dropped, "service_tier"),
    }
    if let Some(metadata) = &conversation.metadata {
        // OpenAI takes metadata only of what it stores, which another format's client did not ask for.
        let is_identity = metadata.keys().all(|name| name == "user_id");
        if shape.is_chat {
            body.set("metadata", metadata);
        } else if !is_identity {
            note(dropped, "metadata");
        }
    }
}

/// Fields that the common form does not know: a chat client's own, as far as the vendor takes them.
fn rest(conversation: &Conversation, shape: Shape<'_>, body: &mut Object, dropped: &mut Vec<String>) {
    for (name, value) in &conversation.rest {
        let is_openais = shape.is_chat && OPENAI_FIELDS.contains(&name.as_str());
        let is_anthropics = ANTHROPIC_FIELDS.contains(&name.as_str()) || name == "output_config";
        // Of a name that stands twice, vendors may take the one that nothing here has read.
        if (is_openais || (shape.has_extensions() && !is_anthropics)) && !body.has(name) {
            body.set(name, value);
        } else {
            note(dropped, name);
        }
    }
}
