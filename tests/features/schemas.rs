//! What goes out to vendors and comes back to clients fits the published types: those of the official SDKs.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::told::ClientFormat;
use crate::harness::upstreams::{THOUGHT, Upstreams};
use crate::harness::{Gateway, Request, TEST_TIMEOUT};

/// The kinds of answers that the upstreams give.
const ANSWERS: [&str; 9] =
    ["text", "reasoning", "tool", "two-tools", "mixed", "refusal", "length", "early-429", "late"];

/// The upstreams whose format an SDK describes, and its name there.
const DESCRIBED: [(&str, &str); 3] = [("chat", "chat"), ("responses", "responses"), ("claude", "messages")];

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn kind(client: ClientFormat) -> &'static str {
    match client {
        ClientFormat::Chat => "chat",
        ClientFormat::Messages => "messages",
        ClientFormat::Responses => "responses",
    }
}

/// What was captured, as lines for the checker.
#[derive(Default)]
struct Captured(String);

impl Captured {
    fn add(&mut self, kind: String, place: &str, json: &Value) {
        self.0 += &json!({ "kind": kind, "place": place, "json": json }).to_string();
        self.0.push('\n');
    }

    /// Asks once; takes down the request that the vendor got, and the answer or the events of it.
    async fn ask(
        &mut self,
        (gateway, key): (&Gateway, &str),
        (client, body): (ClientFormat, &Value),
        (upstream, upstreams): (&str, &Upstreams),
    ) {
        let place = format!("{} to {}", client.path(), body["model"]);
        let answer = gateway.ask(Request::new("POST", client.path()).key(key).json(body)).await;
        if let Some((_, described)) = DESCRIBED.iter().find(|(name, _)| *name == upstream) {
            let sent = upstreams.named(upstream).requests().pop().unwrap().body;
            self.add(format!("{described} request"), &place, &sent);
        }
        let told = kind(client);
        if answer.status != 200 {
            return self.add(format!("{told} error"), &place, &answer.json());
        }
        if body["stream"] != true {
            return self.add(format!("{told} answer"), &place, &answer.json());
        }
        let text = answer.text();
        let events: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
        assert!(!events.is_empty(), "{place}: {text}");
        for event in events {
            let is_error = !event["error"].is_null() && ["chat", "messages"].contains(&told);
            self.add(format!("{told} {}", if is_error { "error" } else { "event" }), &place, &event);
        }
    }

    /// Holds all lines to the types.
    async fn check(self) {
        let python = std::env::var_os("GATEWAY_TEST_PYTHON")
            .expect("run scripts/test: it installs the clients' packages and sets GATEWAY_TEST_PYTHON");
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/python/schemas.py"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let lines = self.0;
        tokio::spawn(async move { input.write_all(lines.as_bytes()).await });
        let ran = tokio::time::timeout(3 * TEST_TIMEOUT, child.wait_with_output()).await;
        let ran = ran.expect("the checker ends in time").unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{out}\n{err}");
    }
}

/// A conversation with a system's words, reasoning, two calls, an image among the results and a failed one, and with
/// settings that each format has.
fn rich(client: ClientFormat, model: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { "c": { "type": "string" } }, "required": ["c"] });
    match client {
        ClientFormat::Chat => json!({
            "model": model, "max_completion_tokens": 1000, "temperature": 0.5, "stop": ["END"], "user": "ann",
            "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": schema, "strict": true } },
            "tool_choice": { "type": "function", "function": { "name": "wx" } }, "parallel_tool_calls": false,
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [{ "type": "text", "text": "Weather in A and B?" },
                    { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } }] },
                { "role": "assistant", "content": "Looking.", "tool_calls": [
                    { "id": "call_a", "type": "function", "function": { "name": "wx", "arguments": "{\"c\":\"A\"}" } },
                    { "id": "call_b", "type": "function", "function": { "name": "wx", "arguments": "" } }] },
                { "role": "tool", "tool_call_id": "call_a", "content": "sunny" },
                { "role": "tool", "tool_call_id": "call_b", "content": "Error: no such city" },
                { "role": "user", "content": "And?" },
            ],
            "tools": [{ "type": "function", "function": { "name": "wx", "description": "weather", "parameters": schema } }],
        }),
        ClientFormat::Messages => json!({
            "model": model, "max_tokens": 3000, "stop_sequences": ["END"], "metadata": { "user_id": "ann" },
            "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } }],
            "thinking": { "type": "enabled", "budget_tokens": 1024 },
            "messages": [
                { "role": "user", "content": "Weather in A and B?" },
                { "role": "assistant", "content": [
                    { "type": "thinking", "thinking": THOUGHT, "signature": "SIG" },
                    { "type": "text", "text": "Looking." },
                    { "type": "tool_use", "id": "call_a", "name": "wx", "input": { "c": "A" } },
                    { "type": "tool_use", "id": "call_b", "name": "wx", "input": { "c": "B" } }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "call_a", "content": [{ "type": "text", "text": "sunny" },
                        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": PNG } }] },
                    { "type": "tool_result", "tool_use_id": "call_b", "is_error": true, "content": "no such city" },
                    { "type": "text", "text": "And?" }] },
            ],
            "tools": [{ "name": "wx", "description": "weather", "input_schema": schema }],
        }),
        ClientFormat::Responses => json!({
            "model": model, "store": false, "include": ["reasoning.encrypted_content"], "max_output_tokens": 1000,
            "instructions": "Be brief.", "reasoning": { "effort": "low", "summary": "auto" },
            "text": { "format": { "type": "json_schema", "name": "s", "schema": schema, "strict": true } },
            "tool_choice": "required",
            "input": [
                { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Weather in A and B?" }] },
                { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": THOUGHT }],
                    "encrypted_content": "ENC" },
                { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                    "content": [{ "type": "output_text", "text": "Looking.", "annotations": [] }] },
                { "type": "function_call", "call_id": "call_a", "name": "wx", "arguments": "{\"c\":\"A\"}" },
                { "type": "function_call", "call_id": "call_b", "name": "wx", "arguments": "{\"c\":\"B\"}" },
                { "type": "function_call_output", "call_id": "call_a", "output": [
                    { "type": "input_text", "text": "sunny" },
                    { "type": "input_image", "detail": "auto", "image_url": format!("data:image/png;base64,{PNG}") }] },
                { "type": "function_call_output", "call_id": "call_b", "output": "Error: no such city" },
                { "type": "custom_tool_call", "call_id": "call_c", "name": "patch", "input": "*** Begin" },
                { "type": "custom_tool_call_output", "call_id": "call_c", "output": "done" },
            ],
            "tools": [
                { "type": "function", "name": "wx", "description": "weather", "strict": false, "parameters": schema },
                { "type": "custom", "name": "patch", "description": "patches",
                    "format": { "type": "grammar", "syntax": "lark", "definition": "start: /.+/" } },
            ],
        }),
    }
}

/// J1, J2, J9, J14: every request to a vendor, every whole answer, event and error to a client, of every cell of the table
/// and of a conversation that holds much, is what the SDKs' own types say.
#[tokio::test]
async fn j1_j2_what_is_sent_and_told_fits_the_sdks_types() {
    let upstreams = Upstreams::start().await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let mut captured = Captured::default();
    for client in ClientFormat::ALL {
        for upstream in ["chat", "responses", "claude", "llama"] {
            for stream in [false, true] {
                for answer in ANSWERS {
                    let body = client.question(&format!("{upstream}/{answer}"), stream, Some(PNG));
                    captured.ask((&gateway, &key), (client, &body), (upstream, &upstreams)).await;
                }
                let mut body = rich(client, &format!("{upstream}/two-tools"));
                body["stream"] = json!(stream);
                captured.ask((&gateway, &key), (client, &body), (upstream, &upstreams)).await;
            }
        }
    }
    captured.check().await;
}
