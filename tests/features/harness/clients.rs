//! Every client format as one row of a table: how it asks, and what it reads out of what it is told (J24).

use serde_json::{Value, json};

use super::Request;
use super::client::Event;

/// How a kind of client asks, and what it reads out of the answer.
pub struct Client {
    pub path: &'static str,
    /// The body of a question to a model; whether it wants a stream.
    pub body: fn(&str, &str, bool) -> Value,
    /// The text and the first call of a whole answer.
    pub said: fn(&Value) -> (String, Value),
    /// Whether the format has calls of tools.
    pub has_calls: bool,
    /// The text that an event of a stream adds.
    pub piece: fn(&Value) -> Option<&str>,
    /// Whether an event tells of a failure.
    pub is_failure: fn(&Value) -> bool,
    /// What the last events of a whole stream have in them.
    pub end: &'static str,
    /// Whether this is a sign of life.
    pub is_beat: fn(&Event) -> bool,
    /// The type and code of the error of a used-up budget.
    pub over_budget: (&'static str, Option<&'static str>),
    /// The kinds of upstreams that its requests are tried at: one that speaks another format, and its own.
    pub upstreams: &'static [&'static str],
}

fn is_comment(event: &Event) -> bool {
    matches!(event, Event::Comment(_))
}

/// The row of each format.
pub const CLIENTS: [Client; 4] = [
    Client {
        path: "/v1/chat/completions",
        body: |model, text, stream| {
            json!({ "model": model, "max_tokens": 100, "stream": stream,
                "messages": [{ "role": "user", "content": text }] })
        },
        said: |answer| {
            let message = &answer["choices"][0]["message"];
            let call = &message["tool_calls"][0]["function"];
            (message["content"].as_str().unwrap_or_default().to_owned(), json!([call["name"], call["arguments"]]))
        },
        has_calls: true,
        piece: |event| event["choices"][0]["delta"]["content"].as_str(),
        is_failure: |event| !event["error"].is_null(),
        end: "data: [DONE]",
        is_beat: is_comment,
        over_budget: ("insufficient_quota", Some("budget_exceeded")),
        upstreams: &["chat", "claude"],
    },
    Client {
        path: "/v1/messages",
        body: |model, text, stream| {
            json!({ "model": model, "max_tokens": 100, "stream": stream,
                "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }] })
        },
        said: |answer| {
            let blocks = answer["content"].as_array().unwrap();
            let of = |kind: &str| blocks.iter().find(|block| block["type"] == kind).cloned().unwrap_or_default();
            let call = of("tool_use");
            let arguments = call.get("input").map_or(Value::Null, |input| json!(input.to_string()));
            (of("text")["text"].as_str().unwrap_or_default().to_owned(), json!([call["name"], arguments]))
        },
        has_calls: true,
        piece: |event| event["delta"]["text"].as_str(),
        is_failure: |event| event["type"] == "error",
        end: "event: message_stop",
        is_beat: |event| matches!(event, Event::Data(event) if event["type"] == "ping"),
        over_budget: ("rate_limit_error", None),
        upstreams: &["chat", "claude"],
    },
    Client {
        path: "/v1/responses",
        body: |model, text, stream| json!({ "model": model, "max_output_tokens": 100, "stream": stream, "store": false, "input": text }),
        said: |answer| {
            let items = answer["output"].as_array().unwrap();
            let of = |kind: &str| items.iter().find(|item| item["type"] == kind).cloned().unwrap_or_default();
            let (message, call) = (of("message"), of("function_call"));
            let text = message["content"][0]["text"].as_str().unwrap_or_default();
            (text.to_owned(), json!([call["name"], call["arguments"]]))
        },
        has_calls: true,
        piece: |event| if event["type"] == "response.output_text.delta" { event["delta"].as_str() } else { None },
        is_failure: |event| event["type"] == "response.failed" || event["type"] == "error",
        end: "event: response.completed",
        is_beat: |event| matches!(event, Event::Data(event) if event["type"] == "keepalive"),
        over_budget: ("insufficient_quota", Some("insufficient_quota")),
        upstreams: &["chat", "responses"],
    },
    Client {
        path: "/v1/completions",
        body: |model, text, stream| json!({ "model": model, "max_tokens": 100, "stream": stream, "prompt": text }),
        said: |answer| (answer["choices"][0]["text"].as_str().unwrap_or_default().to_owned(), json!([null, null])),
        has_calls: false,
        piece: |event| event["choices"][0]["text"].as_str(),
        is_failure: |event| !event["error"].is_null(),
        end: "data: [DONE]",
        is_beat: is_comment,
        over_budget: ("insufficient_quota", Some("budget_exceeded")),
        upstreams: &["chat", "claude"],
    },
];

impl Client {
    /// A question to a model.
    pub fn asks(&self, key: &str, model: &str, text: &str, stream: bool) -> Request {
        Request::new("POST", self.path).key(key).json(&(self.body)(model, text, stream))
    }

    /// The text of a stream's events.
    pub fn text(&self, events: &[Event]) -> String {
        let data = events.iter().filter_map(|event| if let Event::Data(data) = event { Some(data) } else { None });
        data.filter_map(self.piece).collect()
    }

    /// How many of a stream's events tell of a failure.
    pub fn failures(&self, events: &[Event]) -> usize {
        events.iter().filter(|event| matches!(event, Event::Data(data) if (self.is_failure)(data))).count()
    }
}
