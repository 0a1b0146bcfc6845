//! Chat answers.

use std::time::Duration;

use bytes::Bytes;
use gateway_wire::json_object::JsonObject;
use gateway_wire::sse;
use gateway_wire::surrogates::replace_lone;
use serde_json::{Value, json};

use super::{Ending, SimulatedAnswer, SimulatedBody, refusal, tokens, whole};

/// The longest stream that can be asked for, in chunks, since a script is made whole.
const MAX_CHUNKS: usize = 10_000;

const FRIENDLY: &str = "Xin chào! This is the gateway's built-in simulator. Everything works.";
const REASONING: &str = "The user wants an answer. The simulator always has the same one.";

/// What a model does.
struct Script {
    text: String,
    reasoning: Option<&'static str>,
    tool: bool,
    delay: Duration,
    /// The chunks of a stream's text, and the wait before each.
    chunks: Option<usize>,
    pause: Duration,
    ending: Ending,
}

/// The answer of a model to a chat request.
pub fn answer(body: &JsonObject, model: &str, stream: bool, id: &str, created: u64) -> SimulatedAnswer {
    if let Some(status) = model.strip_prefix("sim-status-").and_then(|text| text.parse::<u16>().ok())
        && (200..600).contains(&status)
    {
        return refusal(status, "simulated", &format!("The simulator answers {status}, as asked."));
    }
    let Some(script) = script(body, model) else {
        return refusal(404, "model_not_found", &format!("The simulator has no model '{model}'."));
    };
    let head = Head { id, created, model, usage: usage(body, &script) };
    let body = if stream { streamed(body, &script, &head) } else { at_once(body, &script, &head) };
    let silent = !stream && script.ending == Ending::Stall;
    // A day is longer than any time limit.
    let delay = if silent { Duration::from_secs(86_400) } else { script.delay };
    SimulatedAnswer { delay, status: 200, headers: Vec::new(), body }
}

struct Head<'a> {
    id: &'a str,
    created: u64,
    model: &'a str,
    usage: Value,
}

fn script(body: &JsonObject, model: &str) -> Option<Script> {
    let mut script = Script {
        text: FRIENDLY.to_owned(),
        reasoning: None,
        tool: false,
        delay: Duration::ZERO,
        chunks: None,
        pause: Duration::ZERO,
        ending: Ending::Complete,
    };
    match model {
        "sim-text" => {}
        "sim-echo" => script.text = last_user_text(body),
        "sim-stall" => script.ending = Ending::Stall,
        "sim-cut" => script.ending = Ending::Cut,
        "sim-tool" => script.tool = true,
        "sim-reasoning" => script.reasoning = Some(REASONING),
        _ => {
            if let Some(millis) = model.strip_prefix("sim-delay-") {
                script.delay = Duration::from_millis(millis.parse().ok()?);
            } else {
                let (chunks, millis) = model.strip_prefix("sim-slow-")?.split_once('x')?;
                let chunks = chunks.parse::<usize>().ok().filter(|chunks| (1..=MAX_CHUNKS).contains(chunks))?;
                script.text = (0..chunks).map(|n| format!("{n} ")).collect();
                script.chunks = Some(chunks);
                script.pause = Duration::from_millis(millis.parse().ok()?);
            }
        }
    }
    Some(script)
}

fn at_once(body: &JsonObject, script: &Script, head: &Head<'_>) -> SimulatedBody {
    let mut message = json!({"role": "assistant", "content": script.text});
    if let Some(reasoning) = script.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    if script.tool {
        message["content"] = Value::Null;
        message["tool_calls"] = json!([tool_call(body)]);
    }
    let answer = json!({
        "id": head.id, "object": "chat.completion", "created": head.created, "model": head.model,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(script)}],
        "usage": head.usage,
    });
    match script.ending {
        Ending::Complete => whole(&answer),
        ending => {
            let text = answer.to_string();
            let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default();
            SimulatedBody::Whole { bytes: Bytes::copy_from_slice(half), ending }
        }
    }
}

fn streamed(body: &JsonObject, script: &Script, head: &Head<'_>) -> SimulatedBody {
    let chunk = |choices: Value| {
        json!({"id": head.id, "object": "chat.completion.chunk", "created": head.created, "model": head.model,
            "choices": choices})
    };
    let frame = |chunk: Value| sse::frame(chunk.to_string().as_bytes());
    let delta = |delta: Value| frame(chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}])));
    let mut events = vec![(Duration::ZERO, delta(json!({"role": "assistant", "content": ""})))];
    if let Some(reasoning) = script.reasoning {
        let parts = pieces(reasoning, 3);
        events.extend(parts.iter().map(|part| (Duration::ZERO, delta(json!({"reasoning_content": part})))));
    }
    if script.tool {
        let mut call = tool_call(body);
        call["index"] = json!(0);
        let arguments = call["function"]["arguments"].take();
        call["function"]["arguments"] = json!("");
        events.push((Duration::ZERO, delta(json!({"tool_calls": [call]}))));
        for part in pieces(arguments.as_str().unwrap_or_default(), 3) {
            let part = json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
            events.push((Duration::ZERO, delta(part)));
        }
    } else {
        let parts = pieces(&script.text, script.chunks.unwrap_or(6));
        events.extend(parts.iter().map(|part| (script.pause, delta(json!({"content": part})))));
    }
    if script.ending == Ending::Complete {
        let end = chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish_reason(script)}]));
        events.push((Duration::ZERO, frame(end)));
        if wants_usage(body) {
            let mut last = chunk(json!([]));
            last["usage"] = head.usage.clone();
            events.push((Duration::ZERO, frame(last)));
        }
        events.push((Duration::ZERO, sse::DONE));
    } else {
        // The role and two pieces of text.
        events.truncate(3);
    }
    SimulatedBody::Stream { events, ending: script.ending }
}

fn finish_reason(script: &Script) -> &'static str {
    if script.tool { "tool_calls" } else { "stop" }
}

fn wants_usage(body: &JsonObject) -> bool {
    lenient(body, "stream_options").is_some_and(|options| options["include_usage"] == true)
}

/// A text in about `count` pieces, cut at words where it can be.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive([' ', ',', ':']).collect();
    words.chunks(words.len().div_ceil(count.max(1)).max(1)).map(|words| words.concat()).collect()
}

fn tool_call(body: &JsonObject) -> Value {
    let tools = lenient(body, "tools");
    let name = tools.as_ref().and_then(|tools| tools.get(0)?["function"]["name"].as_str()).unwrap_or("get_weather");
    let arguments = json!({"city": "Hà Nội", "unit": "celsius"}).to_string();
    json!({"id": "call_sim_1", "type": "function", "function": {"name": name, "arguments": arguments}})
}

fn usage(body: &JsonObject, script: &Script) -> Value {
    let prompt = tokens(body.get("messages").unwrap_or_default());
    let reasoning = script.reasoning.map_or(0, tokens);
    let told = if script.tool { tokens(&tool_call(body).to_string()) } else { tokens(&script.text) };
    let completion = told + reasoning;
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": reasoning}})
}

fn last_user_text(body: &JsonObject) -> String {
    let messages = lenient(body, "messages");
    let messages = messages.as_ref().and_then(Value::as_array);
    let last = messages.and_then(|messages| messages.iter().rev().find(|message| message["role"] == "user"));
    match last.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// A field of the request; half a surrogate pair in it is no reason to fail.
fn lenient(body: &JsonObject, name: &str) -> Option<Value> {
    serde_json::from_slice(&replace_lone(body.get(name)?.as_bytes())).ok()
}
