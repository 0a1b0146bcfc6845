//! One row of `llm_usage_log`: an upstream attempt that cost money or served a client. No prompt, no credential (G7).

use std::borrow::Cow;
use std::sync::Arc;

use gateway_wire::Usage;
use serde::Deserialize;
use uuid::Uuid;

use super::charge::Charge;
use super::json_line::{JsonLine, key};

/// The row, as it stands in the journal too.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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

/// Rows that are written where they are, by whichever thread does it; boxed, so that each can be filled again.
pub type SharedRows = Arc<Vec<Box<UsageRow>>>;

impl UsageRow {
    /// The row as one line of JSON, which its `Deserialize` reads.
    pub fn to_line(&self) -> String {
        let mut line = JsonLine::open();
        line.word(key!("id"), self.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        line.number(key!("timestamp"), self.timestamp);
        line.text(key!("trace_id"), &self.trace_id);
        line.text(key!("request_id"), &self.request_id);
        line.text(key!("virtual_key_id"), &self.virtual_key_id);
        line.text_if(key!("user_id"), self.user_id.as_deref());
        line.text_if(key!("team_id"), self.team_id.as_deref());
        line.text(key!("provider"), &self.provider);
        line.text(key!("model"), &self.model);
        line.text(key!("endpoint"), &self.endpoint);
        line.text(key!("status"), &self.status);
        line.number(key!("attempt"), self.attempt);
        usage(&mut line, &self.usage);
        line.number_if(key!("cost"), self.cost);
        line.number_if(key!("baseline_cost"), self.baseline_cost);
        line.flag(key!("estimated"), self.estimated);
        line.flag(key!("stream"), self.stream);
        line.number(key!("duration_ms"), self.duration_ms);
        line.number_if(key!("time_to_first_token_ms"), self.time_to_first_token_ms);
        line.text(key!("replica"), &self.replica);
        line.begin(key!("charges"), '[');
        self.charges.iter().for_each(|charge| charge.write(&mut line));
        line.end(']');
        line.close()
    }
}

/// What was counted, as its `Deserialize` reads it.
fn usage(line: &mut JsonLine, usage: &Usage) {
    let Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens,
        cache_write_tokens,
        cache_write_1h_tokens,
        reasoning_tokens,
        audio_prompt_tokens,
        audio_completion_tokens,
        image_prompt_tokens,
        service_tier,
        is_fast,
        is_in_us,
        is_sum: _,
    } = *usage;
    let some = |count: u64| (count > 0).then_some(count);
    line.begin(key!("usage"), '{');
    line.number_if(key!("prompt_tokens"), some(prompt_tokens));
    line.number_if(key!("completion_tokens"), some(completion_tokens));
    line.number_if(key!("cached_tokens"), some(cached_tokens));
    line.number_if(key!("cache_write_tokens"), some(cache_write_tokens));
    line.number_if(key!("cache_write_1h_tokens"), some(cache_write_1h_tokens));
    line.number_if(key!("reasoning_tokens"), some(reasoning_tokens));
    line.number_if(key!("audio_prompt_tokens"), some(audio_prompt_tokens));
    line.number_if(key!("audio_completion_tokens"), some(audio_completion_tokens));
    line.number_if(key!("image_prompt_tokens"), some(image_prompt_tokens));
    line.text_if(key!("service_tier"), (!service_tier.is_default()).then(|| service_tier.as_str()));
    if let Some(is_fast) = is_fast {
        line.flag(key!("is_fast"), is_fast);
    }
    if let Some(is_in_us) = is_in_us {
        line.flag(key!("is_in_us"), is_in_us);
    }
    line.end('}');
}

#[cfg(test)]
pub(crate) mod tests {
    use gateway_wire::ServiceTier;

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
            usage: Usage {
                prompt_tokens: 1,
                completion_tokens: 2,
                cached_tokens: 3,
                cache_write_tokens: 4,
                cache_write_1h_tokens: 5,
                reasoning_tokens: 6,
                audio_prompt_tokens: 7,
                audio_completion_tokens: 8,
                image_prompt_tokens: 9,
                service_tier: ServiceTier::Flex,
                is_fast: Some(true),
                is_in_us: Some(false),
                is_sum: false,
            },
            cost: None,
            baseline_cost: Some(-9),
            estimated: true,
            stream: true,
            time_to_first_token_ms: Some(12),
            charges: [(ScopeKind::Team, "core"), (ScopeKind::User, "a \"b\"")]
                .map(|(kind, id)| Charge { scope: Scope::new(kind, id), period: "2026-11".into() })
                .into(),
            ..row(7)
        };
        for row in [row(1), full] {
            let line = row.to_line();
            assert_eq!(serde_json::from_str::<UsageRow>(&line).unwrap(), row, "{line}");
        }
    }
}
