//! What conversations of coding agents become at each kind of upstream, over real sockets.

use serde_json::{Value, json};

use crate::harness::bodies::scene::{Part, Scene};
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::{THOUGHT, Upstreams};
use crate::harness::{Answer, Gateway, Reply, Request};

/// A gateway before a provider of each kind, and a key.
struct Rig {
    upstreams: Upstreams,
    gateway: Gateway,
    key: String,
}

impl Rig {
    async fn start() -> Self {
        let upstreams = Upstreams::start().await;
        let (gateway, key) = upstreams.setup().start().await.with_key().await;
        Self { upstreams, gateway, key }
    }

    fn request(&self, client: ClientFormat, body: &Value) -> Request {
        Request::new("POST", client.path()).key(&self.key).json(body)
    }

    async fn ask(&self, client: ClientFormat, body: &Value) -> Answer {
        self.gateway.ask(self.request(client, body)).await
    }

    /// What the provider of this name was asked last.
    fn last(&self, upstream: &str) -> Value {
        self.upstreams.named(upstream).requests().pop().unwrap().body
    }
}

/// A Messages request as Claude Code makes it: a wish for effort on every model, a long name of the user, betas, and
/// lines for Anthropic alone.
fn claude_code(model: &str, turns: &Value) -> Value {
    json!({
        "model": model, "max_tokens": 32_000, "messages": turns,
        "system": [
            { "type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=1f3a;" },
            { "type": "text", "text": "You are an agent.", "cache_control": { "type": "ephemeral" } },
        ],
        "tools": [
            { "name": "Write", "description": "Writes.", "input_schema": { "type": "object" } },
            { "name": "WebFetch", "description": "Fetches.", "input_schema": { "type": "object" },
                "defer_loading": true },
        ],
        "thinking": { "type": "adaptive", "display": "omitted" }, "output_config": { "effort": "high" },
        "context_management": { "edits": [{ "type": "clear_thinking_20251015", "keep": "all" }] },
        "metadata": { "user_id": json!({ "device_id": "d".repeat(64), "session_id": "s".repeat(36) }).to_string() },
    })
}

/// J4, J17: what Claude Code sends on every model reaches a vendor as far as that takes it: no beta, no wish that a model
/// refuses, no name of a user that is too long, and no line that changes with each version.
#[tokio::test]
async fn what_claude_code_sends_is_refused_by_no_vendor() {
    let rig = Rig::start().await;
    let turns = json!([{ "role": "user", "content": "hi" }]);
    for upstream in ["chat", "responses", "llama"] {
        let body = claude_code(&format!("{upstream}/text"), &turns);
        let request =
            rig.request(ClientFormat::Messages, &body).header("anthropic-beta", "context-management-2025-06-27");
        let answer = rig.gateway.ask(request).await.expect(200);
        let dropped = answer.header("x-gateway-dropped-params").unwrap_or_default();
        assert!(dropped.contains("context_management"), "{upstream}: {dropped}");
        let seen = rig.upstreams.named(upstream).requests().pop().unwrap();
        assert_eq!(seen.header("anthropic-beta"), None);
        let text = seen.body.to_string();
        for unknown in
            ["billing-header", "context_management", "output_config", "thinking", "cache_control", "defer_loading"]
        {
            assert!(!text.contains(unknown), "{upstream} got {unknown}: {text}");
        }
        for wish in ["reasoning_effort", "reasoning", "think"] {
            assert!(seen.body.get(wish).is_none(), "{upstream} got {wish}: {text}");
        }
        for name in ["user", "safety_identifier"] {
            assert!(seen.body[name].as_str().is_none_or(|name| name.len() <= 64), "{upstream}: {text}");
        }
    }
    // Its own vendor gets all of it.
    let body = claude_code("claude/text", &turns);
    let request = rig.request(ClientFormat::Messages, &body).header("anthropic-beta", "context-management-2025-06-27");
    rig.gateway.ask(request).await.expect(200);
    let seen = rig.upstreams.named("claude").requests().pop().unwrap();
    assert_eq!(seen.header("anthropic-beta"), Some("context-management-2025-06-27"));
    assert_eq!(seen.body, {
        let mut own = body;
        own["model"] = json!("text");
        own
    });
}

/// J17: the next turn's request begins with all that the last one said, on every upstream.
#[tokio::test]
async fn a_turn_begins_with_the_last_one() {
    let rig = Rig::start().await;
    let said = |text: &str| json!({ "role": "assistant", "content": [{ "type": "text", "text": text }] });
    let asked = |text: &str| json!({ "role": "user", "content": text });
    let reminder = json!({ "role": "system", "content": "Be brief." });
    let first = json!([asked("one"), reminder]);
    let second = json!([asked("one"), reminder, said("1"), asked("two")]);
    for (upstream, field) in
        [("chat", "messages"), ("responses", "input"), ("claude", "messages"), ("llama", "messages")]
    {
        let mut seen = Vec::new();
        for turns in [&first, &second] {
            let body = claude_code(&format!("{upstream}/text"), turns);
            rig.ask(ClientFormat::Messages, &body).await.expect(200);
            seen.push(rig.last(upstream));
        }
        assert_eq!(seen[0]["tools"], seen[1]["tools"], "{upstream}");
        assert_eq!(seen[0].get("system"), seen[1].get("system"), "{upstream}");
        assert_eq!(seen[0].get("instructions"), seen[1].get("instructions"), "{upstream}");
        let turns = |at: usize| seen[at][field].as_array().unwrap().clone();
        assert!(turns(1).starts_with(&turns(0)), "{upstream}: {:#?}", seen);
    }
}

/// J16: a system turn, a deferred tool and the result of a search for tools reach every upstream; the deferred tool is
/// offered once the search has named it.
#[tokio::test]
async fn deferred_tools_are_offered_once_they_are_found() {
    let rig = Rig::start().await;
    let asked = json!([{ "role": "user", "content": "hi" }, { "role": "system", "content": "Be brief." }]);
    let found = json!([
        { "role": "user", "content": "hi" }, { "role": "system", "content": "Be brief." },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "ToolSearch",
            "input": { "query": "fetch" } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1",
            "content": [{ "type": "tool_reference", "tool_name": "WebFetch" }] }] },
    ]);
    for upstream in ["chat", "responses", "llama"] {
        for (turns, expected) in [(&asked, false), (&found, true)] {
            let body = claude_code(&format!("{upstream}/text"), turns);
            rig.ask(ClientFormat::Messages, &body).await.expect(200);
            let seen = rig.last(upstream);
            assert!(seen.to_string().contains("Be brief."), "{upstream}: {seen}");
            assert_eq!(seen["tools"].to_string().contains("WebFetch"), expected, "{upstream}: {seen}");
        }
    }
}

/// J5, J7: what Claude thought goes back to Claude alone, sealed as it was; and so does what an OpenAI model reasoned,
/// directly before what it led to.
#[tokio::test]
async fn reasoning_goes_back_to_its_own_vendor_alone() {
    let rig = Rig::start().await;
    let mut turns = vec![json!({ "role": "user", "content": "one" })];
    for upstream in ["claude", "chat", "claude"] {
        let body = json!({ "model": format!("{upstream}/reasoning"), "max_tokens": 5000, "messages": turns,
            "thinking": { "type": "enabled", "budget_tokens": 1024 } });
        let answer = rig.ask(ClientFormat::Messages, &body).await.expect(200).json();
        turns.push(json!({ "role": "assistant", "content": answer["content"] }));
        turns.push(json!({ "role": "user", "content": "next" }));
    }
    let to_chat = rig.last("chat").to_string();
    assert!(!to_chat.contains("U0lH") && !to_chat.contains("signature"), "{to_chat}");
    let to_claude = rig.last("claude");
    let blocks = |turn: usize| to_claude["messages"][turn]["content"].as_array().unwrap().clone();
    assert_eq!(blocks(1)[0], json!({ "type": "thinking", "thinking": THOUGHT, "signature": "U0lH" }), "{to_claude}");
    assert!(blocks(3).iter().all(|block| block["type"] == "text"), "B's thoughts are not A's: {to_claude}");

    let mut input = vec![json!({ "role": "user", "content": "one" })];
    for upstream in ["responses", "chat", "responses"] {
        let body = json!({ "model": format!("{upstream}/reasoning"), "input": input, "store": false,
            "include": ["reasoning.encrypted_content"] });
        let answer = rig.ask(ClientFormat::Responses, &body).await.expect(200).json();
        input.extend(answer["output"].as_array().unwrap().clone());
        input.push(json!({ "role": "user", "content": "next" }));
    }
    let to_chat = rig.last("chat").to_string();
    assert!(!to_chat.contains("RU5D"), "{to_chat}");
    let items = rig.last("responses")["input"].as_array().unwrap().clone();
    let reasoned: Vec<usize> = (0..items.len()).filter(|at| items[*at]["type"] == "reasoning").collect();
    assert_eq!(reasoned.len(), 1, "only its own: {items:#?}");
    assert_eq!(items[reasoned[0]]["encrypted_content"], "RU5D");
    let next = &items[reasoned[0] + 1];
    assert_eq!((&next["type"], &next["role"]), (&json!("message"), &json!("assistant")), "{items:#?}");
}

/// J10, J12: Codex's custom and namespaced tools are functions for vendors that know these alone, and come back as what
/// they are; ids that a vendor refuses are others there, and the same ones in call and result.
#[tokio::test]
async fn codex_gets_its_own_tools_back() {
    let rig = Rig::start().await;
    let tools = json!([
        { "type": "namespace", "name": "files", "description": "Files.", "tools": [
            { "type": "custom", "name": "patch", "description": "Patches.", "format": { "type": "text" } },
            { "type": "function", "name": "read", "parameters": { "type": "object" }, "strict": false } ] },
        { "type": "web_search" },
    ]);
    let id = "an id/with spaces & ünïcode ".repeat(4);
    let input = json!([{ "role": "user", "content": "hi" },
        { "type": "function_call", "call_id": id, "namespace": "files", "name": "read", "arguments": "{}" },
        { "type": "function_call_output", "call_id": id, "output": "text" }]);
    for upstream in ["chat", "claude", "llama"] {
        let fake = rig.upstreams.named(upstream);
        let call = |id, name: &str, arguments| Part::Call { id, name: name.to_owned(), arguments };
        let scene = Scene::of([
            call("call_1", "files__patch", json!({ "input": "*** Begin" })),
            call("call_2", "files__read", json!({ "path": "a" })),
        ]);
        for stream in [false, true] {
            let kind = crate::harness::upstreams::UPSTREAMS.iter().find(|(name, _)| *name == upstream).unwrap().1;
            fake.once(kind.reply(&scene, &json!({ "stream": stream })));
            let body = json!({ "model": format!("{upstream}/any"), "input": input, "tools": tools, "stream": stream });
            let answer = rig.ask(ClientFormat::Responses, &body).await.expect(200);
            let response = if stream {
                let text = answer.text();
                ClientFormat::Responses.streamed_object(&text)
            } else {
                answer.json()
            };
            let [patch, read] = [&response["output"][0], &response["output"][1]];
            assert_eq!(
                (&patch["type"], &patch["namespace"], &patch["name"], &patch["input"]),
                (&json!("custom_tool_call"), &json!("files"), &json!("patch"), &json!("*** Begin")),
                "{upstream}: {response}"
            );
            assert_eq!(
                (&read["type"], &read["namespace"], &read["name"]),
                (&json!("function_call"), &json!("files"), &json!("read")),
                "{upstream}: {response}"
            );
        }
        let seen = rig.last(upstream);
        let ids: Vec<&str> = match upstream {
            "chat" => vec![
                seen["messages"][1]["tool_calls"][0]["id"].as_str().unwrap(),
                seen["messages"][2]["tool_call_id"].as_str().unwrap(),
            ],
            "claude" => vec![
                seen["messages"][1]["content"][0]["id"].as_str().unwrap(),
                seen["messages"][2]["content"][0]["tool_use_id"].as_str().unwrap(),
            ],
            _ => continue,
        };
        assert_eq!(ids[0], ids[1], "{seen}");
        assert!(ids[0].bytes().all(|byte| byte.is_ascii_graphic()) && ids[0].len() <= 64, "{seen}");
    }
}

/// J13: an overflow of the model's context is told in each client's own words, at the same status.
#[tokio::test]
async fn an_overflow_is_told_as_each_client_knows_it() {
    let rig = Rig::start().await;
    let openais = json!({ "error": { "type": "invalid_request_error", "param": "messages",
        "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 10007 tokens. \
                    Please reduce the length of the messages.",
        "code": "context_length_exceeded" } });
    let anthropics = json!({ "type": "error", "error": { "type": "invalid_request_error",
        "message": "prompt is too long: 10007 tokens > 8192 maximum" } });
    for (upstream, body) in [("chat", &openais), ("responses", &openais), ("claude", &anthropics)] {
        for client in ClientFormat::ALL {
            rig.upstreams.named(upstream).once(Reply::json(400, body));
            let question = client.question(&format!("{upstream}/any"), true, None);
            let error = rig.ask(client, &question).await.expect(400).json();
            match client {
                ClientFormat::Messages => {
                    let message = client.error(&error);
                    assert!(message.contains("prompt is too long: 10007 tokens > 8192 maximum"), "{upstream}: {error}");
                }
                _ => assert_eq!(error["error"]["code"], "context_length_exceeded", "{upstream}: {error}"),
            }
        }
    }
}

/// J13: a limit beyond what a model can is lowered to that, and told.
#[tokio::test]
async fn a_limit_beyond_the_models_is_lowered() {
    let upstreams = Upstreams::start().await;
    let (gateway, key) = upstreams.setup().openai(upstreams.named("chat")).start().await.with_key().await;
    let body = json!({ "model": "gpt-4o-mini", "max_tokens": 128_000,
        "messages": [{ "role": "user", "content": "hi" }] });
    let request = Request::new("POST", "/v1/messages").key(&key).json(&body);
    let answer = gateway.ask(request).await.expect(200);
    assert_eq!(answer.header("x-gateway-dropped-params"), Some("max_completion_tokens>16384"));
    assert_eq!(upstreams.named("chat").requests()[0].body["max_completion_tokens"], 16_384);
}

/// J11: a listed model that is asked for tools together with an effort is asked at `/responses`, else on chat.
#[tokio::test]
async fn tools_with_an_effort_leave_as_responses_for_listed_models() {
    let upstreams = Upstreams::start().await;
    let fake = upstreams.named("responses");
    let listed = format!(
        "[providers.listed]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nserves_responses = true\nresponses_models_with_tools = [\"tool*\"]",
        fake.origin()
    );
    let (gateway, key) = upstreams.setup().toml(&listed).start().await.with_key().await;
    let mut body = ClientFormat::Chat.question("listed/tool", true, None);
    body["reasoning_effort"] = json!("high");
    let answer = gateway.ask(Request::chat(&key, &body)).await.expect(200);
    let told = ClientFormat::Chat.streamed(&answer.text());
    assert_eq!((told.calls(), told.finish), (vec![r#"get_weather {"city":"Hà Nội"}"#.to_owned()], "tool"));
    let seen = fake.request(1).await;
    assert_eq!((seen.path.as_str(), &seen.body["reasoning"]["effort"]), ("/v1/responses", &json!("high")));
    for (field, value) in [("reasoning_effort", json!("none")), ("tools", json!([])), ("model", json!("listed/text"))] {
        let mut other = body.clone();
        other[field] = value;
        let before = fake.count();
        gateway.ask(Request::chat(&key, &other)).await;
        assert_eq!(fake.request(before + 1).await.path, "/v1/chat/completions", "{field}");
    }
}
