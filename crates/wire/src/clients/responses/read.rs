//! A request in the common form.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::fields::{field, object, present};
use super::tools::{self, Tools};
use super::{compaction, input};
use crate::BadRequest;
use crate::common::{
    BlockKind, Conversation, Effort, Family, Identity, JsonText, OutputFormat, Reasoning, Sampling, ToolChoice,
};
use crate::json_object::JsonObject;
use crate::usage::Count;

/// Fields that are read here or mean nothing to a vendor; all others are for vendors that know them.
const READ: [&str; 25] = [
    "background",
    "client_metadata",
    "conversation",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "type",
    "user",
];

/// Fields that are repeated in the answer.
const ECHOED: [&str; 17] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
];

/// Reads a request.
///
/// # Errors
/// Where it is not in the format, or asks for what no target could give.
pub(super) fn read(body: &JsonObject) -> Result<Conversation, BadRequest> {
    refuse(body)?;
    let mut tools = Tools::default();
    if let Some(list) = present(body, "tools") {
        tools.add_list(list, "tools")?;
    }
    let input = input::read(body, &mut tools)?;
    let mut system: Vec<_> = instructions(body)?.into_iter().collect();
    system.extend(input.system);
    let mut conversation = Conversation {
        model: field(body, "model", "a text")?.unwrap_or_default(),
        system,
        turns: input.turns,
        tools: tools.list,
        namespaces: tools.namespaces,
        tool_choice: present(body, "tool_choice").map(tools::choice).transpose()?,
        parallel_tool_calls: field(body, "parallel_tool_calls", "true or false")?,
        max_output_tokens: field::<Count>(body, "max_output_tokens", "a whole number")?.and_then(|count| count.0),
        sampling: sampling(body)?,
        reasoning: reasoning(body)?,
        identity: identity(body)?,
        service_tier: field(body, "service_tier", "a text")?,
        metadata: field::<Map<String, Value>>(body, "metadata", "an object")?,
        stream: field(body, "stream", "true or false")?.unwrap_or_default(),
        rest: rest(body)?,
        rest_family: Some(Family::OpenAi),
        echo: kept(body, &ECHOED),
        superseded: input.superseded,
        is_compaction: input.is_compaction,
        ..Conversation::default()
    };
    text(body, &mut conversation)?;
    if conversation.is_compaction {
        conversation.turns.push(compaction::question());
        conversation.tool_choice = (!conversation.tools.is_empty()).then_some(ToolChoice::None);
        conversation.output_format = None;
    }
    Ok(conversation)
}

/// Refuses what the gateway cannot give and what would change the meaning if it were left out.
fn refuse(body: &JsonObject) -> Result<(), BadRequest> {
    if field::<bool>(body, "background", "true or false")? == Some(true) {
        return Err(BadRequest::new(
            "background",
            "Answers in the background are not kept here: leave 'background' out.",
        ));
    }
    for (name, message) in [
        ("prompt", "Prompt templates are not kept here: send 'instructions' and 'input' instead of 'prompt'."),
        ("conversation", "Conversations are not kept here: use 'previous_response_id', or send the whole 'input'."),
    ] {
        if present(body, name).is_some() {
            return Err(BadRequest::new(name, message));
        }
    }
    match field::<String>(body, "truncation", "auto or disabled")?.as_deref() {
        None | Some("auto" | "disabled") => Ok(()),
        Some(_) => Err(BadRequest::new("truncation", "'truncation' must be auto or disabled.")),
    }
}

/// The instructions: a text, or (in answers that are sent back) a list of items, which are not taken.
fn instructions(body: &JsonObject) -> Result<Option<crate::common::Block>, BadRequest> {
    let text: Option<String> = field(body, "instructions", "a text")?;
    Ok(text.filter(|text| !text.is_empty()).map(|text| BlockKind::text(text).into()))
}

fn kept(body: &JsonObject, names: &[&str]) -> Vec<(String, JsonText)> {
    let field = |name: &&str| Some(((*name).to_owned(), JsonText::parse(present(body, name)?).ok()?));
    names.iter().filter_map(field).collect()
}

/// The fields that the common form does not know. Natives pass with them, so that what they cost must be seen.
fn rest(body: &JsonObject) -> Result<Vec<(String, JsonText)>, BadRequest> {
    let not_json = |error: serde_json::Error| BadRequest { param: None, message: error.to_string() };
    let others = body.fields().filter(|(name, value)| !READ.contains(name) && *value != "null");
    others.map(|(name, value)| Ok((name.to_owned(), JsonText::parse(value).map_err(not_json)?))).collect()
}

fn includes(body: &JsonObject, what: &str) -> Result<bool, BadRequest> {
    let include: Option<Vec<String>> = field(body, "include", "an array of texts")?;
    Ok(include.is_some_and(|include| include.iter().any(|word| word == what)))
}

fn sampling(body: &JsonObject) -> Result<Sampling, BadRequest> {
    let number = |name: &str| field::<Number>(body, name, "a number");
    let top_logprobs = field::<Count>(body, "top_logprobs", "a whole number")?.and_then(|count| count.0);
    let wanted = includes(body, "message.output_text.logprobs")?;
    Ok(Sampling {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        logprobs: wanted.then_some(true),
        top_logprobs,
        ..Sampling::default()
    })
}

fn reasoning(body: &JsonObject) -> Result<Option<Reasoning>, BadRequest> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Wire {
        effort: Option<String>,
        summary: Option<String>,
        generate_summary: Option<String>,
    }
    let wants_token = includes(body, "reasoning.encrypted_content")?;
    let Some(text) = present(body, "reasoning") else {
        return Ok(wants_token.then(|| Reasoning { wants_token, ..Reasoning::default() }));
    };
    let wire: Wire = object(text, "reasoning")?;
    let effort = match wire.effort.as_deref() {
        None => None,
        Some(word) => Some(Effort::from_word(word).ok_or_else(|| {
            let message = "'reasoning.effort' must be none, minimal, low, medium, high, xhigh or max.";
            BadRequest::new("reasoning.effort", message)
        })?),
    };
    let summary = wire.summary.or(wire.generate_summary).filter(|word| word != "none");
    Ok(Some(Reasoning { effort, summary, wants_token, ..Reasoning::default() }))
}

fn identity(body: &JsonObject) -> Result<Identity, BadRequest> {
    let text = |name: &str| field::<String>(body, name, "a text");
    let user = match text("safety_identifier")? {
        Some(user) => Some(user),
        None => text("user")?,
    };
    Ok(Identity { user, cache_key: text("prompt_cache_key")? })
}

/// The form of the answer and its wordiness.
fn text(body: &JsonObject, conversation: &mut Conversation) -> Result<(), BadRequest> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Wire<'a> {
        #[serde(borrow)]
        format: Option<&'a RawValue>,
        verbosity: Option<String>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Format<'a> {
        #[serde(rename = "type")]
        kind: Option<String>,
        name: Option<String>,
        description: Option<String>,
        #[serde(borrow)]
        schema: Option<&'a RawValue>,
        strict: Option<bool>,
    }
    let Some(text) = present(body, "text") else { return Ok(()) };
    let wire: Wire<'_> = object(text, "text")?;
    conversation.verbosity = wire.verbosity;
    let Some(raw) = wire.format else { return Ok(()) };
    let format: Format<'_> = object(raw.get(), "text.format")?;
    conversation.output_format = match (format.kind.as_deref(), format.schema) {
        (None | Some("text"), _) => None,
        (Some("json_object"), _) => Some(OutputFormat::JsonObject),
        (Some("json_schema"), Some(schema)) => Some(OutputFormat::JsonSchema {
            name: format.name,
            description: format.description,
            schema: schema.into(),
            strict: format.strict,
        }),
        (Some("json_schema"), None) => {
            return Err(BadRequest::new("text.format.schema", "'text.format.schema' is missing."));
        }
        (Some(_), _) => {
            return Err(BadRequest::new(
                "text.format.type",
                "'text.format.type' must be text, json_object or json_schema.",
            ));
        }
    };
    Ok(())
}
