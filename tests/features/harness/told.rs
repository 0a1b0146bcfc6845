//! What a client is told, read out of each client format. Streams are read as strictly as clients read them.

use std::fmt::Write;

use serde_json::{Value, json};

/// A format that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFormat {
    Chat,
    Messages,
    Responses,
}

/// An answer, whatever its format.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// Texts, thoughts and calls in their order, such as `text(a) call(f {"b":1})`.
    pub parts: Vec<Piece>,
    /// `stop`, `tool`, `length`, `refusal`.
    pub finish: &'static str,
    pub input: u64,
    pub output: u64,
    /// The code or type of an error that the stream ended with.
    pub error: Option<String>,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    Thinking(String),
    Refusal(String),
    Call { id: String, name: String, arguments: Value },
}

impl Told {
    pub fn texts(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| if let Piece::Text(text) = part { Some(text.as_str()) } else { None })
            .collect()
    }

    pub fn thoughts(&self) -> String {
        let thought = |part: &Piece| if let Piece::Thinking(text) = part { Some(text.clone()) } else { None };
        self.parts.iter().filter_map(thought).collect()
    }

    pub fn refusals(&self) -> String {
        let refusal = |part: &Piece| if let Piece::Refusal(text) = part { Some(text.clone()) } else { None };
        self.parts.iter().filter_map(refusal).collect()
    }

    /// The calls, as `name {arguments}`, whose ids must differ.
    pub fn calls(&self) -> Vec<String> {
        let (mut ids, mut calls) = (Vec::new(), Vec::new());
        for part in &self.parts {
            if let Piece::Call { id, name, arguments } = part {
                assert!(!id.is_empty() && !ids.contains(id), "the id {id} of {self:?}");
                ids.push(id.clone());
                calls.push(format!("{name} {arguments}"));
            }
        }
        calls
    }

    /// The kinds of its parts in their order.
    pub fn order(&self) -> String {
        let mut order = String::new();
        for part in &self.parts {
            let name = match part {
                Piece::Text(_) => "text",
                Piece::Thinking(_) => "thinking",
                Piece::Refusal(_) => "refusal",
                Piece::Call { .. } => "call",
            };
            write!(order, "{name} ").unwrap();
        }
        order
    }
}

impl ClientFormat {
    pub const ALL: [Self; 3] = [Self::Chat, Self::Messages, Self::Responses];

    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Responses => "/v1/responses",
        }
    }

    /// A request that has a question, a tool and, if wanted, an image.
    pub fn question(self, model: &str, stream: bool, image: Option<&str>) -> Value {
        let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
        let (name, description) = ("get_weather", "The weather of a city.");
        let text = "Xin chào!";
        let mut body = match self {
            Self::Chat => json!({
                "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }],
                "tools": [{ "type": "function",
                    "function": { "name": name, "description": description, "parameters": schema } }],
            }),
            Self::Messages => json!({
                "max_tokens": 1000,
                "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }],
                "tools": [{ "name": name, "description": description, "input_schema": schema }],
            }),
            Self::Responses => json!({
                "input": [{ "role": "user", "content": [{ "type": "input_text", "text": text }] }],
                "tools": [{ "type": "function", "name": name, "description": description, "parameters": schema,
                    "strict": false }],
                "store": false,
            }),
        };
        body["model"] = json!(model);
        if stream {
            body["stream"] = json!(true);
            if self == Self::Chat {
                body["stream_options"] = json!({ "include_usage": true });
            }
        }
        if let Some(data) = image {
            let url = format!("data:image/png;base64,{data}");
            let (turns, image) = match self {
                Self::Chat => ("messages", json!({ "type": "image_url", "image_url": { "url": url } })),
                Self::Messages => (
                    "messages",
                    json!({ "type": "image",
                        "source": { "type": "base64", "media_type": "image/png", "data": data } }),
                ),
                Self::Responses => ("input", json!({ "type": "input_image", "image_url": url, "detail": "auto" })),
            };
            body[turns][0]["content"].as_array_mut().unwrap().push(image);
        }
        body
    }

    /// Reads a whole answer.
    pub fn whole(self, body: &Value) -> Told {
        match self {
            Self::Chat => chat(&body["choices"][0]["message"], &body["choices"][0]["finish_reason"], &body["usage"]),
            Self::Messages => message(body),
            Self::Responses => response(body),
        }
    }

    /// Reads a stream.
    pub fn streamed(self, text: &str) -> Told {
        let events = text.split_terminator("\n\n").filter(|event| !event.starts_with(':'));
        match self {
            Self::Chat => chat_stream(events),
            Self::Messages => messages_stream(events),
            Self::Responses => responses_stream(events),
        }
    }

    /// The object that a stream of Responses ends with, its events checked.
    pub fn streamed_object(self, text: &str) -> Value {
        assert_eq!(self, Self::Responses);
        end_of(text.split_terminator("\n\n")).1
    }

    /// The message of an error that came in an answer's place; the body must have the format's shape.
    pub fn error(self, body: &Value) -> String {
        let error = &body["error"];
        match self {
            Self::Messages => {
                assert_eq!(body["type"], "error", "{body}");
                assert!(body["request_id"].is_string(), "{body}");
            }
            Self::Chat | Self::Responses => {
                for field in ["param", "code"] {
                    assert!(error.get(field).is_some(), "no {field} in {body}");
                }
            }
        }
        assert!(error["type"].is_string(), "{body}");
        error["message"].as_str().unwrap_or_else(|| panic!("no message in {body}")).to_owned()
    }
}

fn push(parts: &mut Vec<Piece>, wrap: fn(String) -> Piece, text: &Value) {
    parts.extend(text.as_str().filter(|text| !text.is_empty()).map(|text| wrap(text.to_owned())));
}

fn arguments(text: &Value) -> Value {
    let text = text.as_str().unwrap_or_else(|| panic!("arguments that are no text: {text}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("arguments that are no JSON ({error}): {text}"))
}

fn chat(message: &Value, finish: &Value, usage: &Value) -> Told {
    let mut parts = Vec::new();
    push(&mut parts, Piece::Thinking, &message["reasoning_content"]);
    push(&mut parts, Piece::Text, &message["content"]);
    push(&mut parts, Piece::Refusal, &message["refusal"]);
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        assert_eq!(call["type"], "function", "{call}");
        let function = &call["function"];
        parts.push(Piece::Call {
            id: call["id"].as_str().unwrap_or_default().to_owned(),
            name: function["name"].as_str().unwrap().to_owned(),
            arguments: arguments(&function["arguments"]),
        });
    }
    let has_refusal = message["refusal"].is_string();
    let finish = match finish.as_str().unwrap_or_else(|| panic!("no finish of {message}")) {
        "tool_calls" => "tool",
        "length" => "length",
        "content_filter" => "refusal",
        "stop" if has_refusal => "refusal",
        "stop" => "stop",
        other => panic!("finish_reason {other}"),
    };
    let count = |field: &str| usage[field].as_u64().unwrap_or_default();
    Told { parts, finish, input: count("prompt_tokens"), output: count("completion_tokens"), error: None }
}

fn data(event: &str) -> &str {
    event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_else(|| panic!("no data: {event:?}"))
}

fn json_of(event: &str) -> Value {
    serde_json::from_str(data(event)).unwrap_or_else(|error| panic!("{error}: {event:?}"))
}

fn chat_stream<'a>(events: impl Iterator<Item = &'a str>) -> Told {
    let (mut message, mut finish, mut usage) = (json!({ "content": null }), Value::Null, Value::Null);
    let mut calls: Vec<Value> = Vec::new();
    let (mut error, mut is_done) = (None, false);
    for event in events {
        assert!(!is_done, "{event} after the end");
        if data(event) == "[DONE]" {
            is_done = true;
            continue;
        }
        let chunk = json_of(event);
        if !chunk["error"].is_null() {
            error = Some(chunk["error"]["code"].as_str().unwrap_or("none").to_owned());
            continue;
        }
        assert!(error.is_none(), "{chunk} after an error");
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        for field in ["content", "reasoning_content", "refusal"] {
            if let Some(more) = choice["delta"][field].as_str() {
                message[field] = json!(message[field].as_str().unwrap_or("").to_owned() + more);
            }
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if index == calls.len() {
                calls.push(call.clone());
                continue;
            }
            let whole = &mut calls[index]["function"]["arguments"];
            let more = call["function"]["arguments"].as_str().unwrap_or("");
            *whole = json!(whole.as_str().unwrap_or("").to_owned() + more);
        }
        if choice["finish_reason"].is_string() {
            finish = choice["finish_reason"].clone();
        }
    }
    if error.is_some() {
        assert!(finish.is_null(), "J3: a finish beside an error");
        return Told { error, ..Told::default() };
    }
    assert!(is_done, "no [DONE]");
    message["tool_calls"] = json!(calls);
    chat(&message, &finish, &usage)
}

fn message(message: &Value) -> Told {
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")), "{message}");
    assert!(message["id"].as_str().is_some_and(|id| id.starts_with("msg_")), "{message}");
    let finish = match message["stop_reason"].as_str().unwrap_or_else(|| panic!("no stop_reason in {message}")) {
        "tool_use" => "tool",
        "max_tokens" => "length",
        "refusal" => "refusal",
        "end_turn" => "stop",
        other => panic!("stop_reason {other}"),
    };
    let mut parts = Vec::new();
    for block in message["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "text" if finish == "refusal" => push(&mut parts, Piece::Refusal, &block["text"]),
            "text" => push(&mut parts, Piece::Text, &block["text"]),
            "thinking" => {
                assert!(block["signature"].is_string(), "{block}");
                push(&mut parts, Piece::Thinking, &block["thinking"]);
            }
            "tool_use" => {
                assert!(block["input"].is_object(), "{block}");
                parts.push(Piece::Call {
                    id: block["id"].as_str().unwrap().to_owned(),
                    name: block["name"].as_str().unwrap().to_owned(),
                    arguments: block["input"].clone(),
                });
            }
            other => panic!("a block {other}"),
        }
    }
    let count = |field: &str| message["usage"][field].as_u64().unwrap_or_default();
    let input = count("input_tokens") + count("cache_read_input_tokens") + count("cache_creation_input_tokens");
    Told { parts, finish, input, output: count("output_tokens"), error: None }
}

/// J2: names, indices without gaps, one block open at a time, input of tools in deltas alone, one end.
fn messages_stream<'a>(events: impl Iterator<Item = &'a str>) -> Told {
    let (mut whole, mut open, mut input) = (Value::Null, None, String::new());
    let (mut deltas, mut stops) = (0, 0);
    for event in events {
        let value = json_of(event);
        let kind = value["type"].as_str().unwrap().to_owned();
        assert_eq!(event.lines().next(), Some(&*format!("event: {kind}")), "{event}");
        assert_eq!(stops, 0, "{event} after the end");
        let index = value["index"].as_u64();
        match kind.as_str() {
            "ping" => {}
            "message_start" => {
                assert!(whole.is_null(), "two starts");
                whole = value["message"].clone();
                assert_eq!(whole["content"], json!([]));
                assert!(whole["stop_reason"].is_null());
                assert!(message_input(&whole["usage"]) > 0, "J14: no input in {whole}");
            }
            "content_block_start" => {
                assert_eq!((open, deltas), (None, 0), "{event}");
                let content = whole["content"].as_array_mut().unwrap();
                assert_eq!(index, Some(content.len() as u64), "{event}");
                content.push(value["content_block"].clone());
                if value["content_block"]["type"] == "tool_use" {
                    assert_eq!(value["content_block"]["input"], json!({}), "{event}");
                }
                (open, input) = (index, String::new());
            }
            "content_block_delta" => {
                assert_eq!(open, index, "{event}");
                let block = whole["content"].as_array_mut().unwrap().last_mut().unwrap();
                let delta = &value["delta"];
                let field = match delta["type"].as_str().unwrap() {
                    "text_delta" => "text",
                    "thinking_delta" => "thinking",
                    "signature_delta" => "signature",
                    "input_json_delta" => {
                        input += delta["partial_json"].as_str().unwrap();
                        continue;
                    }
                    other => panic!("a delta {other}"),
                };
                block[field] = json!(block[field].as_str().unwrap().to_owned() + delta[field].as_str().unwrap());
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index, "{event}");
                let block = whole["content"].as_array_mut().unwrap().last_mut().unwrap();
                if block["type"] == "tool_use" && !input.is_empty() {
                    block["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                deltas += 1;
                assert_eq!((open, deltas), (None, 1), "{event}");
                whole["stop_reason"] = value["delta"]["stop_reason"].clone();
                for (name, count) in value["usage"].as_object().unwrap() {
                    whole["usage"][name] = count.clone();
                }
            }
            "message_stop" => {
                assert_eq!(deltas, 1, "{event}");
                stops += 1;
            }
            "error" => {
                assert_eq!(deltas, 0, "J3: a finish beside an error");
                return Told { error: value["error"]["type"].as_str().map(str::to_owned), ..Told::default() };
            }
            other => panic!("an event {other}"),
        }
    }
    assert_eq!(stops, 1, "no end");
    message(&whole)
}

fn message_input(usage: &Value) -> u64 {
    ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
        .iter()
        .filter_map(|field| usage[field].as_u64())
        .sum()
}

fn response(response: &Value) -> Told {
    assert_eq!(response["object"], "response", "{response}");
    for field in ["error", "incomplete_details", "instructions", "metadata", "parallel_tool_calls", "temperature"] {
        assert!(response.get(field).is_some(), "no {field} in {response}");
    }
    for field in ["tool_choice", "tools", "top_p", "created_at", "model", "usage", "text", "reasoning", "store"] {
        assert!(response.get(field).is_some(), "no {field} in {response}");
    }
    let mut parts = Vec::new();
    for item in response["output"].as_array().unwrap() {
        assert!(item["id"].is_string(), "{item}");
        match item["type"].as_str().unwrap() {
            "message" => {
                for part in item["content"].as_array().unwrap() {
                    match part["type"].as_str().unwrap() {
                        "output_text" => push(&mut parts, Piece::Text, &part["text"]),
                        "refusal" => push(&mut parts, Piece::Refusal, &part["refusal"]),
                        other => panic!("a part {other}"),
                    }
                }
            }
            "reasoning" => {
                for part in item["summary"].as_array().unwrap() {
                    push(&mut parts, Piece::Thinking, &part["text"]);
                }
            }
            "function_call" => parts.push(Piece::Call {
                id: item["call_id"].as_str().unwrap().to_owned(),
                name: item["name"].as_str().unwrap().to_owned(),
                arguments: arguments(&item["arguments"]),
            }),
            other => panic!("an item {other}"),
        }
    }
    let has = |wanted: fn(&Piece) -> bool| parts.iter().any(wanted);
    let finish = match (response["status"].as_str().unwrap(), response["incomplete_details"]["reason"].as_str()) {
        ("incomplete", Some("max_output_tokens")) => "length",
        ("incomplete", Some("content_filter")) => "refusal",
        ("completed", None) if has(|part| matches!(part, Piece::Refusal(_))) => "refusal",
        ("completed", None) if has(|part| matches!(part, Piece::Call { .. })) => "tool",
        ("completed", None) => "stop",
        other => panic!("{other:?} in {response}"),
    };
    let count = |field: &str| response["usage"][field].as_u64().unwrap_or_default();
    Told { parts, finish, input: count("input_tokens"), output: count("output_tokens"), error: None }
}

/// J1: names, numbers and indices without gaps, items open one at a time, and the end holds what the events told.
fn responses_stream<'a>(events: impl Iterator<Item = &'a str>) -> Told {
    let (kind, whole) = end_of(events);
    if kind == "response.failed" {
        return Told { error: whole["error"]["code"].as_str().map(str::to_owned), ..Told::default() };
    }
    response(&whole)
}

/// The last event's name and object.
fn end_of<'a>(events: impl Iterator<Item = &'a str>) -> (String, Value) {
    let (mut items, mut open, mut text) = (Vec::<Value>::new(), None::<Value>, String::new());
    let mut ended = None;
    for (number, event) in events.enumerate() {
        let value = json_of(event);
        let kind = value["type"].as_str().unwrap().to_owned();
        assert_eq!(event.lines().next(), Some(&*format!("event: {kind}")), "{event}");
        assert_eq!(value["sequence_number"], json!(number), "{event}");
        assert!(ended.is_none(), "{event} after the end");
        assert!((number == 0) == (kind == "response.created"), "event {number} is {event}");
        if let Some(index) = value.get("output_index") {
            assert_eq!(*index, json!(items.len()), "{event}");
        }
        if let (Some(id), Some(open)) = (value.get("item_id"), &open) {
            assert_eq!(*id, open["id"], "{event}");
        }
        match kind.as_str() {
            "response.output_item.added" => {
                assert!(open.is_none(), "two items at a time: {event}");
                open = Some(value["item"].clone());
            }
            "response.output_item.done" => {
                let begun = open.take().unwrap_or_else(|| panic!("nothing to end: {event}"));
                assert_eq!((&begun["id"], &begun["type"]), (&value["item"]["id"], &value["item"]["type"]));
                items.push(value["item"].clone());
            }
            "response.content_part.added" | "response.reasoning_summary_part.added" => text.clear(),
            "response.completed" | "response.incomplete" | "response.failed" => ended = Some((kind, value)),
            "response.custom_tool_call_input.done" => text.clear(),
            "response.function_call_arguments.done" => {
                assert_eq!(value["arguments"].as_str(), Some(&*std::mem::take(&mut text)), "{event}");
            }
            _ if kind.ends_with(".delta") => {
                assert!(open.is_some(), "{event}");
                text += value["delta"].as_str().unwrap();
            }
            "response.output_text.done" | "response.reasoning_summary_text.done" => {
                assert_eq!(value["text"].as_str(), Some(&*std::mem::take(&mut text)), "{event}");
            }
            "response.refusal.done" => {
                assert_eq!(value["refusal"].as_str(), Some(&*std::mem::take(&mut text)), "{event}");
            }
            _ => assert!(
                [
                    "response.created",
                    "response.in_progress",
                    "response.content_part.done",
                    "response.reasoning_text.done",
                    "response.reasoning_summary_part.done",
                    "keepalive"
                ]
                .contains(&&*kind),
                "an event {kind}"
            ),
        }
    }
    let (kind, value) = ended.expect("no end");
    let whole = value["response"].clone();
    assert_eq!(kind, format!("response.{}", whole["status"].as_str().unwrap()));
    if kind != "response.failed" {
        assert!(open.is_none(), "an item has no end");
        assert_eq!(whole["output"], json!(items), "the end tells other items than the events");
    }
    (kind, whole)
}
