//! Requests in the common form as Anthropic takes them.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::{thinking, tools, turns};
use crate::clients::messages::form::Part;
use crate::common::schema::for_anthropic;
use crate::common::{Conversation, OutputFormat};
use crate::vendors::TargetModel;
use crate::{BadRequest, VendorRequest};

/// Fields of this API alone, which other clients may set as extensions.
const OWN: [&str; 10] = [
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "speed",
    "stop_sequences",
    "system",
    "thinking",
];

/// Those of them that have a place where they are read.
const PLACED: [&str; 4] = ["output_config", "stop_sequences", "system", "thinking"];

/// Translates a request.
pub(super) fn request(conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
    if conversation.sampling.choices.is_some_and(|choices| choices != 1) {
        return Err(BadRequest::new("n", "Anthropic answers one choice: leave 'n' out or set it to 1."));
    }
    let mut draft = Draft::new(conversation, target);
    draft.set("model", &target.model);
    if let Some(config) = draft.rest("output_config") {
        draft.take_output(config)?;
    }
    let words = output_format(&mut draft);
    let talk = turns::translate(&mut draft)?;
    let mut system = talk.system;
    system.extend(words.map(Part::text));
    if !system.is_empty() {
        draft.set("system", &system);
    }
    draft.set("messages", &talk.turns);
    let forces_tool = tools::translate(&mut draft)?;
    let thinks = thinking::translate(&mut draft, forces_tool, talk.lacks_thinking)?;
    sampling(&mut draft, thinks);
    stop(&mut draft)?;
    user(&mut draft);
    service_tier(&mut draft);
    if conversation.stream {
        draft.set("stream", &true);
    }
    others(&mut draft);
    let (body, dropped_params) = draft.body();
    Ok(VendorRequest { path: "/v1/messages".to_owned(), headers: Vec::new(), body, dropped_params })
}

/// Temperature, `top_p` and `top_k`, as far as the model takes them.
fn sampling(draft: &mut Draft<'_>, thinks: bool) {
    let sampling = &draft.conversation.sampling;
    let (temperature, top_p) = (sampling.temperature.as_ref(), sampling.top_p.as_ref());
    let number = |number: Option<&serde_json::Number>| number.and_then(serde_json::Number::as_f64);
    let fixed = draft.abilities.fixed_sampling;
    // While thinking, Anthropic takes no temperature but 1, no `top_p` below 0.95 and no `top_k`.
    let keeps_temperature = number(temperature).filter(|number| !(fixed || thinks && *number != 1.0));
    let keeps_top_p = number(top_p).filter(|number| !(fixed || thinks && *number < 0.95));
    let (keeps_temperature, keeps_top_p) = match (keeps_temperature, keeps_top_p) {
        // Models that take one of them: the one that says something.
        (Some(heat), Some(mass)) if draft.abilities.one_sampling && heat == 1.0 && mass < 1.0 => (None, Some(mass)),
        (Some(heat), Some(_)) if draft.abilities.one_sampling => (Some(heat), None),
        kept => kept,
    };
    match (temperature, keeps_temperature) {
        // OpenAI's scale ends at 2, Anthropic's at 1.
        (Some(_), Some(heat)) if heat > 1.0 => {
            draft.note("temperature>1");
            draft.set("temperature", &1);
        }
        (Some(temperature), Some(_)) => draft.set("temperature", temperature),
        (Some(_), None) => draft.note("temperature"),
        (None, _) => {}
    }
    match (top_p, keeps_top_p) {
        (Some(top_p), Some(_)) => draft.set("top_p", top_p),
        (Some(_), None) => draft.note("top_p"),
        (None, _) => {}
    }
    match sampling.top_k {
        Some(_) if fixed || thinks => draft.note("top_k"),
        Some(top_k) => draft.set("top_k", &top_k),
        None => {}
    }
}

/// The texts that end the answer; Anthropic refuses those of white space alone.
fn stop(draft: &mut Draft<'_>) -> Result<(), BadRequest> {
    let mut stop = draft.conversation.sampling.stop.clone();
    if let Some(own) = draft.rest("stop_sequences") {
        let bad = |_| BadRequest::new("stop_sequences", "'stop_sequences' must be an array of texts.");
        stop = own.read().map_err(bad)?;
    }
    let given = stop.len();
    stop.retain(|text| !text.trim().is_empty());
    if stop.len() < given {
        draft.note(draft.named("stop_sequences", "stop"));
    }
    if !stop.is_empty() {
        draft.set("stop_sequences", &stop);
    }
    Ok(())
}

/// The end user, by which Anthropic finds abuse, and which must be no mail address; other clients' metadata has no
/// counterpart.
fn user(draft: &mut Draft<'_>) {
    let conversation = draft.conversation;
    let mut metadata = conversation.metadata.clone().unwrap_or_default();
    let own = metadata.shift_remove("user_id").and_then(|user| user.as_str().map(str::to_owned));
    let user = conversation.identity.user.clone().or(own);
    let mut told = Map::new();
    match user {
        Some(user) if is_address(&user) => draft.note(draft.named("metadata.user_id", "user")),
        Some(user) => {
            told.insert("user_id".to_owned(), Value::String(user));
        }
        None => {}
    }
    if draft.is_native {
        told.extend(metadata);
    } else if !metadata.is_empty() {
        draft.note("metadata");
    }
    if !told.is_empty() {
        draft.set("metadata", &told);
    }
}

fn is_address(user: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || ".-_+%'".contains(char);
    user.trim().split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && name.chars().chain(host.chars()).all(is_part)
    })
}

fn service_tier(draft: &mut Draft<'_>) {
    match draft.conversation.service_tier.as_deref() {
        None => {}
        // Anthropic's "auto" takes priority capacity where the account has some.
        Some("auto" | "priority") => draft.set("service_tier", &"auto"),
        Some("default" | "standard_only") => draft.set("service_tier", &"standard_only"),
        Some(_) => draft.note("service_tier"),
    }
}

/// A JSON schema has a counterpart in `output_config.format` with models that have structured outputs
/// (<https://platform.claude.com/docs/en/build-with-claude/structured-outputs>); all else is asked for in words, which are
/// given back.
fn output_format(draft: &mut Draft<'_>) -> Option<String> {
    let words = "Answer with one JSON object and nothing else.";
    match draft.conversation.output_format.as_ref()? {
        OutputFormat::JsonSchema { schema, .. } if draft.abilities.structured && schema.is_object() => {
            let schema = if draft.is_native { schema.clone() } else { for_anthropic(schema) };
            draft.set_output("format", &json_schema(&schema));
            None
        }
        OutputFormat::JsonSchema { schema, .. } if schema.is_object() && schema.as_str() != "{}" => {
            draft.note(draft.named("output_config.format", "response_format"));
            let schema = schema.as_str();
            Some(format!("Answer with one JSON object that follows this JSON schema, and nothing else:\n{schema}"))
        }
        _ => {
            draft.note(draft.named("output_config.format", "response_format"));
            Some(words.to_owned())
        }
    }
}

fn json_schema(schema: &crate::common::JsonText) -> impl serde::Serialize + '_ {
    #[derive(serde::Serialize)]
    struct Format<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        schema: &'a crate::common::JsonText,
    }
    Format { kind: "json_schema", schema }
}

/// Fields of the client's format alone: those of this API pass, the others are named.
fn others(draft: &mut Draft<'_>) {
    let conversation = draft.conversation;
    for (name, value) in &conversation.rest {
        if PLACED.contains(&name.as_str()) {
            continue;
        }
        if draft.is_native || OWN.contains(&name.as_str()) {
            draft.set(name, value);
        } else {
            draft.note(name);
        }
    }
    let sampling = &conversation.sampling;
    let is_set = [
        ("seed", sampling.seed.is_some()),
        ("logprobs", sampling.logprobs.is_some()),
        ("top_logprobs", sampling.top_logprobs.is_some()),
        ("logit_bias", sampling.logit_bias.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("verbosity", conversation.verbosity.is_some()),
        ("prompt_cache_key", conversation.identity.cache_key.is_some()),
    ];
    for (name, _) in is_set.iter().filter(|(_, is_set)| *is_set) {
        draft.note(name);
    }
}

/// The type of a field of JSON; empty where there is none.
pub(super) fn kind_of(value: &Value) -> &str {
    value.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// `thinking` of a type alone.
pub(super) fn thinking_of(kind: &str) -> Value {
    json!({ "type": kind })
}
