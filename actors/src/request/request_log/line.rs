//! A request's log line, written field by field: there is one for each request.

use super::RequestLine;
use crate::usage::json_line::{JsonLine, key};

/// What is known at the end alone.
pub(super) struct End {
    pub status: u16,
    pub duration_us: u64,
    pub first_token_us: Option<u64>,
    pub overhead_us: u64,
}

impl RequestLine {
    /// The line as a JSON object.
    pub(super) fn text(&self, end: &End) -> String {
        let mut line = JsonLine::open();
        line.word(key!("message"), "request");
        line.text(key!("trace_id"), &self.trace_id);
        line.text(key!("request_id"), &self.request_id);
        line.word(key!("path"), self.path);
        line.text_if(key!("key_id"), self.key_id.as_deref());
        line.text_if(key!("user_id"), self.user_id.as_deref());
        line.text_if(key!("team_id"), self.team_id.as_deref());
        line.text_if(key!("provider"), self.provider.as_deref());
        line.text_if(key!("model"), self.model.as_deref());
        line.text_if(key!("provider_request_id"), self.provider_request_id.as_deref());
        line.flag(key!("stream"), self.stream);
        line.number(key!("attempts"), self.attempts);
        line.text_if(key!("cache"), self.cache);
        line.text_if(key!("guardrails"), self.guardrails.as_deref());
        line.number_if(key!("prompt_tokens"), self.prompt_tokens);
        line.number_if(key!("completion_tokens"), self.completion_tokens);
        if let Some(cost) = self.cost_usd {
            line.amount(key!("cost_usd"), cost);
        }
        line.text_if(key!("cause"), self.cause);
        line.text_if(key!("error"), self.error.as_deref());
        line.number(key!("status"), end.status);
        line.millis(key!("duration_ms"), end.duration_us);
        if let Some(micros) = end.first_token_us {
            line.millis(key!("time_to_first_token_ms"), micros);
        }
        line.number(key!("overhead_us"), end.overhead_us);
        line.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::amount::PicoUsd;

    /// H1, G8: a line is JSON, whatever a client puts into its own texts.
    #[test]
    fn a_line_is_json() {
        let line = RequestLine {
            trace_id: "a\"b\\c\nd\u{1}é".to_owned(),
            path: "/v1/chat/completions",
            model: Some("gpt".to_owned()),
            prompt_tokens: Some(7),
            cost_usd: Some(PicoUsd::from_picos(1)),
            ..RequestLine::default()
        };
        let end = End { status: 200, duration_us: 1_042, first_token_us: Some(999), overhead_us: 12 };
        let text = line.text(&end);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["trace_id"], "a\"b\\c\nd\u{1}é");
        assert_eq!(json["duration_ms"], 1.042);
        assert_eq!(json["time_to_first_token_ms"], 0.999);
        assert_eq!((&json["status"], &json["stream"]), (&200.into(), &false.into()));
        assert!(text.contains(r#""cost_usd":0.000000000001"#) && json.get("user_id").is_none(), "{text}");
    }
}
