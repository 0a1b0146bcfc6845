//! The response object, around whatever output it has.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json as value};

use super::failure::Failure;
use super::ids::Ids;
use super::offered::Offered;
use crate::Usage;
use crate::clients::ReplyContext;
use crate::common::{FinishReason, JsonText};

/// What an answer repeats of its request, and its ids.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Ids of the answer and of its items.
    pub ids: Ids,
    /// The tools that calls may mean.
    pub offered: Offered,
    /// Whether sealed reasoning is told.
    pub wants_token: bool,
    /// The model that answers; the requested one until it is known.
    pub model: String,
    created_at: u64,
    completed_at: Option<u64>,
    service_tier: String,
    echo: Vec<(String, JsonText)>,
}

/// How a response stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Status<'a> {
    InProgress,
    Completed,
    /// It was cut, for a reason.
    Incomplete(&'static str),
    Failed(&'a Failure),
}

impl Status<'_> {
    /// The status that a finish reason stands for.
    pub fn of(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Length | FinishReason::ContextWindow => Self::Incomplete("max_output_tokens"),
            FinishReason::Filter => Self::Incomplete("content_filter"),
            _ => Self::Completed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }

    /// The event that ends a stream so.
    pub fn event(self) -> &'static str {
        match self {
            Self::InProgress => "response.in_progress",
            Self::Completed => "response.completed",
            Self::Incomplete(_) => "response.incomplete",
            Self::Failed(_) => "response.failed",
        }
    }
}

/// A response object.
pub(super) struct Response<'a> {
    /// What it has of its request.
    pub envelope: &'a Envelope,
    /// How it stands.
    pub status: Status<'a>,
    /// The items.
    pub output: &'a [JsonText],
    /// What was counted.
    pub usage: Option<&'a Usage>,
}

/// The event that carries a response object.
#[derive(Serialize)]
pub(super) struct ResponseEvent<'a> {
    pub response: Response<'a>,
}

impl Envelope {
    /// The envelope of a streamed answer.
    pub fn of(context: &ReplyContext<'_>) -> Self {
        let conversation = context.conversation;
        Self {
            ids: Ids::of(context.request_id),
            offered: Offered::of(conversation),
            wants_token: super::wants_token(conversation),
            model: conversation.model.clone(),
            created_at: context.now,
            completed_at: None,
            service_tier: conversation.service_tier.clone().unwrap_or_else(|| "default".to_owned()),
            echo: conversation.echo.clone(),
        }
    }

    /// The same for a whole answer, that was begun at a time if that is told.
    pub fn whole(context: &ReplyContext<'_>, created: u64) -> Self {
        let created_at = if created == 0 { context.now } else { created };
        Self { created_at, completed_at: Some(context.now), ..Self::of(context) }
    }

    fn echoed(&self, name: &str) -> Option<&JsonText> {
        self.echo.iter().find(|(known, _)| known == name).map(|(_, text)| text)
    }
}

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let envelope = self.envelope;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &envelope.ids.answer())?;
        map.serialize_entry("object", "response")?;
        map.serialize_entry("created_at", &envelope.created_at)?;
        map.serialize_entry("status", self.status.word())?;
        map.serialize_entry("background", &false)?;
        let completed_at = envelope.completed_at.filter(|_| matches!(self.status, Status::Completed));
        map.serialize_entry("completed_at", &completed_at)?;
        let failure = if let Status::Failed(failure) = self.status { Some(failure) } else { None };
        map.serialize_entry("error", &failure)?;
        let reason = if let Status::Incomplete(reason) = self.status { Some(value!({"reason": reason})) } else { None };
        map.serialize_entry("incomplete_details", &reason)?;
        for (name, default) in REPEATED {
            match (*name, envelope.echoed(name), *default) {
                ("model", ..) => map.serialize_entry(name, &envelope.model)?,
                ("output", ..) => map.serialize_entry(name, self.output)?,
                ("service_tier", ..) => map.serialize_entry(name, self.service_tier())?,
                (_, Some(text), _) => map.serialize_entry(name, text)?,
                (_, None, Some(default)) => {
                    let raw: Option<&RawValue> = serde_json::from_str(default).ok();
                    map.serialize_entry(name, &raw)?;
                }
                (_, None, None) => {}
            }
        }
        map.serialize_entry("usage", &self.usage.map(usage_json))?;
        map.end()
    }
}

/// The fields in their order, and what stands for those that the request does not have.
const REPEATED: &[(&str, Option<&str>)] = &[
    ("instructions", Some("null")),
    ("max_output_tokens", Some("null")),
    ("max_tool_calls", Some("null")),
    ("metadata", Some("{}")),
    ("model", None),
    ("output", None),
    ("parallel_tool_calls", Some("true")),
    ("previous_response_id", Some("null")),
    ("prompt_cache_key", None),
    ("reasoning", Some(r#"{"effort":null,"summary":null}"#)),
    ("safety_identifier", None),
    ("service_tier", None),
    ("store", Some("false")),
    ("temperature", Some("null")),
    ("text", Some(r#"{"format":{"type":"text"}}"#)),
    ("tool_choice", Some("\"auto\"")),
    ("tools", Some("[]")),
    ("top_logprobs", None),
    ("top_p", Some("null")),
    ("truncation", Some("\"disabled\"")),
];

impl Response<'_> {
    /// The tier that served, once it is known.
    fn service_tier(&self) -> &str {
        self.usage.map_or(self.envelope.service_tier.as_str(), |usage| usage.service_tier.as_str())
    }
}

/// What was counted, with all that clients need.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    let written = usage.cache_write_tokens.saturating_add(usage.cache_write_1h_tokens);
    value!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": written},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens(),
    })
}
