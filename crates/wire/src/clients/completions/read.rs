//! The request.

use serde::Deserialize;
use serde_json::{Number, Value};

use crate::BadRequest;
use crate::clients::chat::TYPED;
use crate::common::{BlockKind, Conversation, Family, Identity, JsonText, Role, Sampling, Turn};
use crate::json_object::JsonObject;

/// The most tokens of an answer where the client does not say.
const DEFAULT_MAX_TOKENS: u64 = 16;

/// The fields that are read here; all others are for vendors that know them.
const READ: [&str; 19] = [
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_k",
    "top_p",
    "user",
];

/// Reads a request.
pub(super) fn conversation(body: &JsonObject) -> Result<Conversation, BadRequest> {
    refuse_inexpressible(body)?;
    let tops: Option<u64> = read(body, "logprobs", "a whole number")?;
    let stream_options: Option<StreamOptions> = read(body, "stream_options", "an object")?;
    let sampling = Sampling {
        temperature: number(body, "temperature")?,
        top_p: number(body, "top_p")?,
        top_k: read(body, "top_k", "a whole number")?,
        stop: stop(body)?,
        seed: number(body, "seed")?,
        frequency_penalty: number(body, "frequency_penalty")?,
        presence_penalty: number(body, "presence_penalty")?,
        choices: None,
        logit_bias: read(body, "logit_bias", "an object")?,
        logprobs: tops.map(|_| true),
        top_logprobs: tops,
    };
    let rest = body.fields().filter(|(name, value)| !READ.contains(name) && *value != "null");
    let rest: Result<Vec<(String, JsonText)>, _> =
        rest.map(|(name, value)| Ok((name.to_owned(), JsonText::parse(value)?))).collect();
    let not_json = |error: serde_json::Error| BadRequest { param: None, message: error.to_string() };
    Ok(Conversation {
        model: read(body, "model", "a text")?.ok_or_else(|| BadRequest::new("model", "'model' is required."))?,
        turns: vec![Turn::new(Role::User, vec![BlockKind::text(prompt(body)?).into()])],
        max_output_tokens: Some(read(body, "max_tokens", "a whole number")?.unwrap_or(DEFAULT_MAX_TOKENS)),
        sampling,
        identity: Identity { user: read(body, "user", "a text")?, cache_key: None },
        stream: read(body, "stream", "true or false")?.unwrap_or(false),
        include_usage: stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        rest: rest.map_err(not_json)?,
        rest_family: Some(Family::Other),
        ..Conversation::default()
    })
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

fn read<'a, T: Deserialize<'a>>(body: &'a JsonObject, name: &str, kind: &str) -> Result<Option<T>, BadRequest> {
    body.read(name).map_err(|_| BadRequest::new(name, format!("'{name}' must be {kind}.")))
}

fn number(body: &JsonObject, name: &str) -> Result<Option<Number>, BadRequest> {
    read(body, name, "a number")
}

/// Refuses what only a model that continues texts can do, and what only chat has.
fn refuse_inexpressible(body: &JsonObject) -> Result<(), BadRequest> {
    // Vendors get a chat request, in which such a field would stand beside the one that was read here.
    let is_chats = |name: &str| TYPED.contains(&name) && !READ.contains(&name);
    if let Some((name, _)) = body.fields().find(|(name, value)| is_chats(name) && *value != "null") {
        return Err(BadRequest::new(name, format!("'{name}' is no field of completions: leave it out.")));
    }
    for name in ["n", "best_of"] {
        if number(body, name)?.and_then(|number| number.as_f64()).is_some_and(|number| number > 1.0) {
            let message = format!("One completion is made of a prompt: leave '{name}' out or set it to 1.");
            return Err(BadRequest::new(name, message));
        }
    }
    if read(body, "echo", "true or false")? == Some(true) {
        return Err(BadRequest::new("echo", "The prompt cannot be echoed: leave 'echo' out or set it to false."));
    }
    if read::<String>(body, "suffix", "a text")?.is_some_and(|suffix| !suffix.is_empty()) {
        return Err(BadRequest::new("suffix", "Text cannot be inserted before a suffix: leave 'suffix' out."));
    }
    Ok(())
}

/// The one prompt.
fn prompt(body: &JsonObject) -> Result<String, BadRequest> {
    let wrong = |message: &str| BadRequest::new("prompt", message);
    match read(body, "prompt", "a text")? {
        None => Err(wrong("'prompt' is required.")),
        Some(Value::String(prompt)) => Ok(prompt),
        Some(Value::Array(prompts)) => match &prompts[..] {
            [Value::String(prompt)] => Ok(prompt.clone()),
            [Value::String(_), ..] => Err(wrong("One prompt can be completed at a time: send a request for each.")),
            [] => Err(wrong("'prompt' must not be empty.")),
            _ => Err(wrong("Prompts of tokens cannot be read: send 'prompt' as a text.")),
        },
        Some(_) => Err(wrong("'prompt' must be a text or an array of one text.")),
    }
}

fn stop(body: &JsonObject) -> Result<Vec<String>, BadRequest> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Some(Vec<String>),
    }
    Ok(match read(body, "stop", "a text or an array of texts")? {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Some(texts)) => texts,
    })
}
