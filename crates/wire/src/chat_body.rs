//! A request of any format as a chat body, for whatever reads requests as chat: conditions, budgets, limits, counting.

mod unsaid;

use bytes::Bytes;

use crate::BadRequest;
use crate::common::{Conversation, ToolDefinition};
use crate::json_object::{JsonObject, json_string};
use crate::vendors::openai_chat::OPENAI_CHAT;
use crate::vendors::{Quirks, TargetModel, VendorFormat};

use unsaid::Unsaid;

/// The field for what chat has no words for. It is only measured: no vendor gets this body, since what is sent to one is
/// told from the conversation, or is the client's own bytes.
const UNSAID: &str = "gateway_unsaid";

/// Chat's names of the most output tokens.
const LIMITS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// A chat body that says what a conversation says. Tools and fields that only one family knows stand in it as they are,
/// and blocks that chat cannot say stand in a field of their own, so that what they cost is seen.
///
/// # Errors
/// Where a field of the client's contradicts one that was read.
pub fn chat_body(conversation: &Conversation) -> Result<Bytes, BadRequest> {
    let mut plain = conversation.clone();
    let mut unsaid = Unsaid::default();
    let hosted = without_hosted(&mut plain);
    unsaid.take(&mut plain);
    plain.rest.clear();
    if plain.tools.is_empty() {
        plain.tool_choice = None;
    }
    let quirks = Quirks::default();
    let target = TargetModel { model: &conversation.model, quirks: &quirks, max_output_tokens: None };
    let body = OPENAI_CHAT.request(&plain, &target)?.body;
    let body = JsonObject::parse(body).map_err(|error| BadRequest { param: None, message: error.to_string() })?;
    let own = body.get("tools").and_then(|text| text.trim().strip_prefix('[')?.strip_suffix(']'));
    let tools: Vec<&str> =
        own.into_iter().filter(|text| !text.trim().is_empty()).chain(hosted.iter().map(String::as_str)).collect();
    let tools = format!("[{}]", tools.join(","));
    let unsaid = unsaid.json();
    let tier = conversation.service_tier.as_deref().map(json_string);
    let mut set: Vec<(&str, &str)> = Vec::new();
    if !hosted.is_empty() {
        set.push(("tools", &tools));
    }
    if let Some(tier) = tier.as_deref().filter(|_| body.get("service_tier").is_none()) {
        set.push(("service_tier", tier));
    }
    for (name, value) in &conversation.rest {
        // A limit that another format has by this name would hold here and not at the vendor.
        let is_limit = LIMITS.contains(&name.as_str()) && conversation.max_output_tokens.is_none();
        match body.get(name) {
            None if name != UNSAID && !is_limit => set.push((name, value.as_str())),
            // It tells how to stream, in each format in its own way.
            Some(_) if name == "stream_options" => {}
            _ => {
                let message =
                    format!("'{name}' is no field of this API, and is read otherwise elsewhere: leave it out.");
                return Err(BadRequest::new(name, message));
            }
        }
    }
    if let Some(unsaid) = &unsaid {
        set.push((UNSAID, unsaid));
    }
    Ok(if set.is_empty() { body.text().clone() } else { body.edited(&set, &[]) })
}

/// Takes the tools out that a vendor runs, as they stand.
fn without_hosted(conversation: &mut Conversation) -> Vec<String> {
    let mut hosted = Vec::new();
    conversation.tools.retain(|tool| match &tool.definition {
        ToolDefinition::Hosted { raw, .. } => {
            hosted.push(raw.as_str().to_owned());
            false
        }
        ToolDefinition::Client { .. } => true,
    });
    hosted
}

#[cfg(test)]
mod tests;
