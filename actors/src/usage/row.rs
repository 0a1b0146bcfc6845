//! One row of `llm_usage_log`: an upstream attempt that cost money or served a client. No prompt, no credential (G7).

use std::borrow::Cow;
use std::sync::Arc;

use gateway_wire::Usage;
use serde::Deserialize;
use uuid::Uuid;

use super::charge::Charge;
use super::json_line::JsonLine;

/// The row, as it stands in the journal too.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct UsageRow {
    /// What makes the row the same one however often it is written.
    pub id: Uuid,
    /// When the request began, in microseconds since 1970, UTC.
    pub timestamp: i64,
    /// The caller's trace id, or one made here.
    pub trace_id: String,
    /// The gateway's id of the request.
    pub request_id: String,
    /// The virtual key's id.
    pub virtual_key_id: Arc<str>,
    /// The key's user.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The key's team.
    #[serde(default)]
    pub team_id: Option<String>,
    /// The provider.
    pub provider: Arc<str>,
    /// The model that the provider was asked for.
    pub model: String,
    /// The route, such as `/v1/chat/completions`.
    pub endpoint: Cow<'static, str>,
    /// `success`, `error` or `cancelled`.
    pub status: Cow<'static, str>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// What was counted.
    pub usage: Usage,
    /// Pico-dollars; none where the model has no price.
    #[serde(default)]
    pub cost: Option<i64>,
    /// Pico-dollars that it would have cost at the model that was asked for; none where that is the same or not known.
    #[serde(default)]
    pub baseline_cost: Option<i64>,
    /// Whether the gateway counted because the vendor did not.
    pub estimated: bool,
    /// Whether the answer was streamed.
    pub stream: bool,
    /// From the request's arrival to the end of the attempt.
    pub duration_ms: i64,
    /// From the request's arrival to the first content of its stream.
    #[serde(default)]
    pub time_to_first_token_ms: Option<i64>,
    /// The process that served it.
    pub replica: Arc<str>,
    /// Where its cost is added up.
    pub charges: Vec<Charge>,
}

impl UsageRow {
    /// The row as one line of JSON, which its `Deserialize` reads.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        let mut line = JsonLine::open();
        line.text("id", self.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        line.number("timestamp", self.timestamp);
        line.text("trace_id", &self.trace_id);
        line.text("request_id", &self.request_id);
        line.text("virtual_key_id", &self.virtual_key_id);
        line.text_if("user_id", self.user_id.as_deref());
        line.text_if("team_id", self.team_id.as_deref());
        line.text("provider", &self.provider);
        line.text("model", &self.model);
        line.text("endpoint", &self.endpoint);
        line.text("status", &self.status);
        line.number("attempt", self.attempt);
        line.json("usage", &serde_json::to_string(&self.usage)?);
        line.number_if("cost", self.cost);
        line.number_if("baseline_cost", self.baseline_cost);
        line.flag("estimated", self.estimated);
        line.flag("stream", self.stream);
        line.number("duration_ms", self.duration_ms);
        line.number_if("time_to_first_token_ms", self.time_to_first_token_ms);
        line.text("replica", &self.replica);
        line.json("charges", &serde_json::to_string(&self.charges)?);
        Ok(line.close())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scope::{Scope, ScopeKind};

    /// A row that differs from others by its number.
    pub(crate) fn row(number: u128) -> UsageRow {
        UsageRow {
            id: Uuid::from_u128(number),
            timestamp: i64::try_from(number).unwrap(),
            trace_id: "a trace, \"quoted\"".to_owned(),
            request_id: "r".to_owned(),
            virtual_key_id: "k".into(),
            user_id: Some("ann".to_owned()),
            team_id: None,
            provider: "openai".into(),
            model: "gpt-4o-mini".to_owned(),
            endpoint: "/v1/chat/completions".into(),
            status: "success".into(),
            attempt: 1,
            usage: Usage { prompt_tokens: 10, completion_tokens: 5, ..Usage::default() },
            cost: Some(7),
            baseline_cost: None,
            estimated: false,
            stream: false,
            duration_ms: 3,
            time_to_first_token_ms: None,
            replica: "one".into(),
            charges: Vec::new(),
        }
    }

    /// Whatever a row holds, its line is read as the same row.
    #[test]
    fn a_line_is_read_as_its_row() {
        let full = UsageRow {
            trace_id: "a \"quote\", a \\, a \n and é".to_owned(),
            team_id: Some("core".to_owned()),
            usage: Usage { reasoning_tokens: 3, is_fast: Some(true), ..row(1).usage },
            cost: None,
            baseline_cost: Some(-9),
            estimated: true,
            stream: true,
            time_to_first_token_ms: Some(12),
            charges: vec![Charge { scope: Scope::new(ScopeKind::Team, "core"), period: "2026-11".into() }],
            ..row(7)
        };
        for row in [row(1), full] {
            let line = row.to_line().unwrap();
            assert_eq!(serde_json::from_str::<UsageRow>(&line).unwrap(), row, "{line}");
        }
    }
}
