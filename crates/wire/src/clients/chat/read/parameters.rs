//! All else that a request has beside its messages and tools.

use serde_json::{Map, Number, Value};

use super::super::fields::{self, Fields};
use crate::BadRequest;
use crate::common::{Conversation, Effort, JsonText, OutputFormat, Reasoning, Sampling};

/// Fields that are typed in the common form; all others stand in `rest`.
pub(crate) const TYPED: [&str; 34] = [
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "output_config",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "stop_sequences",
    "stream",
    "stream_options",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
];

/// Reads them.
pub(super) fn read(body: &Fields<'_>, conversation: &mut Conversation) -> Result<(), BadRequest> {
    conversation.model = body.text("model").unwrap_or_default();
    conversation.max_output_tokens = match whole(body, "max_completion_tokens")? {
        None => whole(body, "max_tokens")?,
        bound => bound,
    };
    conversation.sampling = sampling(body)?;
    let config = body.get("output_config").map(output_config).transpose()?;
    conversation.reasoning = reasoning(body, config.as_ref())?;
    conversation.output_format = output_format(body, config.as_ref())?;
    conversation.verbosity = body.text("verbosity");
    conversation.identity.user = ["safety_identifier", "user"].iter().find_map(|name| body.text(name));
    conversation.identity.cache_key = body.text("prompt_cache_key");
    conversation.service_tier = body.text("service_tier");
    conversation.metadata = body.read::<Map<String, Value>>("metadata");
    if conversation.identity.user.is_none() {
        let user = conversation.metadata.as_ref().and_then(|metadata| metadata.get("user_id"));
        conversation.identity.user = user.and_then(Value::as_str).map(str::to_owned);
    }
    conversation.stream = body.read("stream").unwrap_or(false);
    conversation.include_usage = match body.get("stream_options") {
        None => false,
        Some(options) => {
            let bad = || BadRequest::new("stream_options", "'stream_options' must be an object.");
            Fields::of(options).ok_or_else(bad)?.read("include_usage").unwrap_or(false)
        }
    };
    let rest = body.iter().filter(|(name, _)| !TYPED.contains(name));
    conversation.rest = rest.filter_map(|(name, json)| Some((name.to_owned(), JsonText::parse(json).ok()?))).collect();
    conversation.rest.extend(config.and_then(OutputConfig::rest));
    Ok(())
}

fn whole(body: &Fields<'_>, name: &str) -> Result<Option<u64>, BadRequest> {
    let Some(json) = body.get(name) else { return Ok(None) };
    let bad = || BadRequest::new(name, format!("'{name}' must be a whole number."));
    let count = serde_json::from_str::<crate::usage::Count>(json).ok().and_then(|count| count.0);
    count.map(Some).ok_or_else(bad)
}

fn number(body: &Fields<'_>, name: &str) -> Result<Option<Number>, BadRequest> {
    let Some(json) = body.get(name) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|_| BadRequest::new(name, format!("'{name}' must be a number.")))
}

fn sampling(body: &Fields<'_>) -> Result<Sampling, BadRequest> {
    let stop = match body.get("stop") {
        None => body.read("stop_sequences").unwrap_or_default(),
        Some(json) => stop(json)?,
    };
    Ok(Sampling {
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        top_k: whole(body, "top_k")?,
        stop,
        seed: number(body, "seed")?,
        frequency_penalty: number(body, "frequency_penalty")?,
        presence_penalty: number(body, "presence_penalty")?,
        choices: whole(body, "n")?,
        logit_bias: body.json("logit_bias"),
        logprobs: body.read("logprobs"),
        top_logprobs: whole(body, "top_logprobs")?,
    })
}

fn stop(json: &str) -> Result<Vec<String>, BadRequest> {
    if let Some(text) = fields::text(json) {
        return Ok(vec![text]);
    }
    serde_json::from_str(json).map_err(|_| BadRequest::new("stop", "'stop' must be a text or an array of texts."))
}

/// Anthropic's `output_config`.
struct OutputConfig {
    effort: Option<Effort>,
    schema: Option<JsonText>,
    /// What else it has.
    others: Map<String, Value>,
}

impl OutputConfig {
    fn rest(self) -> Option<(String, JsonText)> {
        (!self.others.is_empty()).then(|| ("output_config".to_owned(), Value::Object(self.others).into()))
    }
}

fn output_config(json: &str) -> Result<OutputConfig, BadRequest> {
    let bad = |path: &str, message: &str| BadRequest::new(path, message);
    let fields = Fields::of(json).ok_or_else(|| bad("output_config", "'output_config' must be an object."))?;
    let effort = match fields.text("effort") {
        None => None,
        Some(word) => Some(effort(&word, "output_config.effort")?),
    };
    let schema = fields.object("format").and_then(|format| format.json("schema"));
    let is_known = |name: &str| name == "effort" || (name == "format" && schema.is_some());
    let others = fields.iter().filter(|(name, _)| !is_known(name));
    let others = others.filter_map(|(name, json)| Some((name.to_owned(), serde_json::from_str(json).ok()?))).collect();
    Ok(OutputConfig { effort, schema, others })
}

fn effort(word: &str, path: &str) -> Result<Effort, BadRequest> {
    let message = format!("'{path}' must be none, minimal, low, medium, high, xhigh or max.");
    Effort::from_word(word).ok_or_else(|| BadRequest::new(path, message))
}

/// OpenAI's effort, and Anthropic's `thinking` and effort.
fn reasoning(body: &Fields<'_>, config: Option<&OutputConfig>) -> Result<Option<Reasoning>, BadRequest> {
    let mut reasoning = Reasoning { effort: config.and_then(|config| config.effort), ..Reasoning::default() };
    if let Some(json) = body.get("reasoning_effort") {
        let own = effort(&fields::text(json).unwrap_or_default(), "reasoning_effort")?;
        reasoning.effort.get_or_insert(own);
    }
    if let Some(json) = body.get("thinking") {
        let bad = |path: &str, message: &str| BadRequest::new(path, message);
        let thinking = Fields::of(json).ok_or_else(|| bad("thinking", "'thinking' must be an object."))?;
        match thinking.text("type").as_deref() {
            Some("disabled") => reasoning.effort = Some(Effort::None),
            Some("adaptive") => reasoning.adaptive = true,
            Some("enabled") => {
                let budget = thinking.read::<crate::usage::Count>("budget_tokens").and_then(|budget| budget.0);
                reasoning.budget_tokens = budget;
                if budget.is_none() {
                    reasoning.effort.get_or_insert(Effort::Medium);
                }
            }
            _ => return Err(bad("thinking.type", "'thinking.type' must be enabled, disabled or adaptive.")),
        }
        reasoning.summary = thinking.text("display");
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn output_format(body: &Fields<'_>, config: Option<&OutputConfig>) -> Result<Option<OutputFormat>, BadRequest> {
    if let Some(schema) = config.and_then(|config| config.schema.clone()) {
        return Ok(Some(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None }));
    }
    let Some(json) = body.get("response_format") else { return Ok(None) };
    let format = Fields::of(json).unwrap_or_default();
    let inner = format.object("json_schema").unwrap_or_default();
    let schema = inner.json("schema").filter(JsonText::is_object);
    match (format.text("type").as_deref(), schema) {
        (Some("text"), _) => Ok(None),
        (Some("json_schema"), Some(schema)) => Ok(Some(OutputFormat::JsonSchema {
            name: inner.text("name"),
            description: inner.text("description"),
            schema,
            strict: inner.read("strict"),
        })),
        (Some("json_schema" | "json_object"), _) => Ok(Some(OutputFormat::JsonObject)),
        _ => {
            let message = "'response_format.type' must be text, json_object or json_schema.";
            Err(BadRequest::new("response_format.type", message))
        }
    }
}
