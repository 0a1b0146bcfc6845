//! Every field of a request and of an answer that has a text, one by one, in every format.

use serde_json::{Value, json};

use super::script::{assert_no_part, texts_of};
use super::{PII, REDACTED, choice, pii};
use crate::harness::bodies::openai;
use crate::harness::upstreams::Upstreams;
use crate::harness::{FakeProvider, Reply, Request, Setup};

const VALUES: [&str; 2] = ["Nguyễn Văn A", "123456789"];

fn text(kind: &str) -> Value {
    json!({ "type": kind, "text": PII })
}

fn chat(message: Value) -> Value {
    json!({ "model": "chat/x", "messages": [message, { "role": "user", "content": "hi" }] })
}

/// A turn of the assistant that calls a tool, and its result.
fn chat_calls(call: Value, result: Value) -> Value {
    let called = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
    json!({ "model": "chat/x", "messages": [{ "role": "user", "content": "hi" }, called, result] })
}

fn function_call(arguments: &str) -> Value {
    json!({ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": arguments } })
}

fn chat_result(content: Value) -> Value {
    json!({ "role": "tool", "tool_call_id": "call_1", "content": content })
}

/// Requests in chat, by the field that has the values.
fn of_chat() -> Vec<(&'static str, Value)> {
    let done = || chat_result(json!("done"));
    vec![
        ("content", chat(json!({ "role": "user", "content": PII }))),
        ("a part", chat(json!({ "role": "user", "content": [text("text")] }))),
        (
            "the second part",
            chat(json!({ "role": "user", "content": [{ "type": "text", "text": "a" }, text("text")] })),
        ),
        ("system", chat(json!({ "role": "system", "content": PII }))),
        ("a part of system", chat(json!({ "role": "system", "content": [text("text")] }))),
        ("developer", chat(json!({ "role": "developer", "content": PII }))),
        ("name", chat(json!({ "role": "user", "name": "Nguyễn Văn A", "content": "hi" }))),
        ("assistant", chat(json!({ "role": "assistant", "content": PII }))),
        ("a part of assistant", chat(json!({ "role": "assistant", "content": [text("text")] }))),
        ("reasoning", chat(json!({ "role": "assistant", "content": "a", "reasoning_content": PII }))),
        ("refusal", chat(json!({ "role": "assistant", "refusal": PII }))),
        ("a refusal part", chat(json!({ "role": "assistant", "content": [{ "type": "refusal", "refusal": PII }] }))),
        ("arguments", chat_calls(function_call(&json!({ "note": PII }).to_string()), done())),
        ("a number of arguments", chat_calls(function_call("{\"cmnd\":123456789}"), done())),
        ("no JSON as arguments", chat_calls(function_call(PII), done())),
        (
            "custom input",
            chat_calls(json!({ "id": "call_1", "type": "custom", "custom": { "name": "f", "input": PII } }), done()),
        ),
        ("a tool's result", chat_calls(function_call("{}"), chat_result(json!(PII)))),
        ("a part of a tool's result", chat_calls(function_call("{}"), chat_result(json!([text("text")])))),
        (
            "a file's name",
            chat(json!({ "role": "user", "content": [{ "type": "file",
            "file": { "filename": PII, "file_data": "data:application/pdf;base64,JVBERi0=" } }] })),
        ),
        (
            "prediction",
            json!({ "model": "chat/x", "prediction": { "type": "content", "content": PII },
            "messages": [{ "role": "user", "content": "hi" }] }),
        ),
        ("user", json!({ "model": "chat/x", "user": PII, "messages": [{ "role": "user", "content": "hi" }] })),
        (
            "metadata",
            json!({ "model": "chat/x", "metadata": { "note": PII },
            "messages": [{ "role": "user", "content": "hi" }] }),
        ),
        ("stop", json!({ "model": "chat/x", "stop": [PII], "messages": [{ "role": "user", "content": "hi" }] })),
    ]
}

/// Requests in Messages.
fn of_messages() -> Vec<(&'static str, Value)> {
    let turns = |turns: Value| json!({ "model": "claude/x", "max_tokens": 10, "messages": turns });
    let user = |content: Value| turns(json!([{ "role": "user", "content": content }]));
    let replied = |block: Value| {
        turns(json!([{ "role": "user", "content": "hi" }, { "role": "assistant", "content": [block] },
            { "role": "user", "content": "and?" }]))
    };
    let called = |input: Value, result: Value| {
        turns(json!([{ "role": "user", "content": "hi" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "f", "input": input }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1", "content": result }] }]))
    };
    let mut system = user(json!("hi"));
    system["system"] = json!(PII);
    let mut blocks = user(json!("hi"));
    blocks["system"] = json!([text("text")]);
    let mut metadata = user(json!("hi"));
    metadata["metadata"] = json!({ "user_id": PII });
    let document = |title: &str, source: Value| json!([{ "type": "document", "title": title, "context": title, "source": source }, { "type": "text", "text": "hi" }]);
    let plain = |text: &str| json!({ "type": "text", "media_type": "text/plain", "data": text });
    let found = json!([{ "type": "search_result", "source": "https://example.com/a", "title": PII,
        "content": [text("text")] }]);
    vec![
        ("content", user(json!(PII))),
        ("a block", user(json!([text("text")]))),
        ("the second block", user(json!([{ "type": "text", "text": "a" }, text("text")]))),
        ("system", system),
        ("a block of system", blocks),
        ("metadata", metadata),
        ("a document", user(document("t", plain(PII)))),
        ("a document's title and context", user(document(PII, plain("a")))),
        ("a document's blocks", user(document("t", json!({ "type": "content", "content": [text("text")] })))),
        ("a result of a search", user(found)),
        ("assistant", replied(text("text"))),
        ("thinking", replied(json!({ "type": "thinking", "thinking": PII, "signature": "U0lH" }))),
        ("input", called(json!({ "note": PII }), json!("done"))),
        ("a number of input", called(json!({ "deep": [{ "cmnd": 123_456_789 }] }), json!("done"))),
        ("a name in input", called(json!({ PII: 1 }), json!("done"))),
        ("a tool's result", called(json!({}), json!(PII))),
        ("a block of a tool's result", called(json!({}), json!([text("text")]))),
    ]
}

/// Requests in Responses.
fn of_responses() -> Vec<(&'static str, Value)> {
    let of = |input: Value| json!({ "model": "responses/x", "store": false, "input": input });
    let user = |content: Value| of(json!([{ "role": "user", "content": content }]));
    let called = |call: Value, output: Value| {
        of(json!([{ "role": "user", "content": "hi" }, call,
            { "type": "function_call_output", "call_id": "c", "output": output }]))
    };
    let call =
        |arguments: &str| json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": arguments });
    let said = |part: Value| {
        of(json!([{ "type": "message", "role": "assistant", "content": [part] }, { "role": "user", "content": "hi" }]))
    };
    let mut instructions = of(json!("hi"));
    instructions["instructions"] = json!(PII);
    let mut metadata = of(json!("hi"));
    metadata["metadata"] = json!({ "note": PII });
    let mut owner = of(json!("hi"));
    owner["safety_identifier"] = json!(PII);
    let thought = json!([{ "role": "user", "content": "hi" },
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": PII }] },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "a" }] },
        { "role": "user", "content": "hi" }]);
    vec![
        ("input", of(json!(PII))),
        ("content", user(json!(PII))),
        ("a part", user(json!([text("input_text")]))),
        ("the second part", user(json!([{ "type": "input_text", "text": "a" }, text("input_text")]))),
        ("instructions", instructions),
        ("developer", of(json!([{ "role": "developer", "content": PII }, { "role": "user", "content": "hi" }]))),
        ("metadata", metadata),
        ("safety_identifier", owner),
        ("output", said(text("output_text"))),
        ("refusal", said(json!({ "type": "refusal", "refusal": PII }))),
        ("reasoning", of(thought)),
        ("arguments", called(call(&json!({ "note": PII }).to_string()), json!("done"))),
        ("a number of arguments", called(call("{\"cmnd\":123456789}"), json!("done"))),
        ("a tool's result", called(call("{}"), json!(PII))),
        ("a part of a tool's result", called(call("{}"), json!([text("input_text")]))),
        (
            "a file's name",
            user(json!([{ "type": "input_file", "filename": PII,
            "file_data": "data:application/pdf;base64,JVBERi0=" }])),
        ),
    ]
}

/// Requests of the small endpoints.
fn of_others() -> Vec<(&'static str, &'static str, Value)> {
    let of = |field: &str, value: Value| json!({ "model": "chat/x", field: value });
    let mut ranked = json!({ "model": "chat/x", "query": "q", "documents": ["a", PII] });
    let plain = ranked.clone();
    ranked["documents"] = json!([{ "text": "a" }, { "text": PII }]);
    vec![
        ("/v1/completions", "prompt", of("prompt", json!(PII))),
        ("/v1/embeddings", "input", of("input", json!(PII))),
        ("/v1/embeddings", "the second input", of("input", json!(["a", PII]))),
        ("/v1/moderations", "input", of("input", json!(PII))),
        ("/v1/moderations", "the second input", of("input", json!(["a", PII]))),
        ("/v1/moderations", "a part of input", of("input", json!([text("text")]))),
        ("/v1/rerank", "query", json!({ "model": "chat/x", "query": PII, "documents": ["a", "b"] })),
        ("/v1/rerank", "documents", plain),
        ("/v1/rerank", "documents as objects", ranked),
    ]
}

/// D8, "content string and every text part, system, tool results, tool args, `instructions`, `name`, reasoning, ... embeddings
/// input": a value in any one field of a request does not leave, and the request does.
#[tokio::test]
async fn d8_no_field_of_a_request_shows_a_value_in_any_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let with_path = |path: &'static str, rows: Vec<(&'static str, Value)>| {
        rows.into_iter().map(move |(field, body)| (path, field, body))
    };
    let rows = with_path("/v1/chat/completions", of_chat())
        .chain(with_path("/v1/messages", of_messages()))
        .chain(with_path("/v1/responses", of_responses()))
        .chain(of_others());
    for (path, field, body) in rows {
        let own = body["model"].as_str().unwrap().split('/').next().unwrap().to_owned();
        let elsewhere = if own == "chat" { "claude" } else { "chat" };
        for upstream in [own.as_str(), elsewhere] {
            let is_vendors = matches!(path, "/v1/embeddings" | "/v1/moderations" | "/v1/rerank");
            if is_vendors && upstream != own {
                continue;
            }
            let way = format!("{field} of {path} at {upstream}");
            let mut body = body.clone();
            body["model"] = json!(format!("{upstream}/x"));
            let fake = upstreams.named(upstream);
            let before = fake.count();
            let ask = async |config: &Value| {
                gateway.ask(Request::new("POST", path).key(&key).config(config).json(&body)).await
            };
            let sent = || {
                let mut texts = Vec::new();
                texts_of(&fake.requests().pop().unwrap().body, "", &mut texts);
                texts.join("\n")
            };
            let answer = ask(&pii("input", "redact")).await;
            // What a format has no place for is a 400 that tells so.
            assert!(fake.count() == before + 1 || answer.status == 400, "{way}: {}", answer.text());
            if fake.count() > before {
                let redacted = sent();
                assert_no_part(&way, &redacted, &VALUES);
                if !redacted.contains("_REDACTED]") {
                    ask(&pii("input", "flag")).await;
                    assert_eq!(sent(), redacted, "{way}: nothing of the field is sent");
                }
            }
            let before = fake.count();
            ask(&pii("input", "deny")).await.expect(446);
            assert_eq!(fake.count(), before, "{way}: a denied request leaves");
        }
    }
}

/// D8, "images/audio stated as unscanned": they pass as they are, and the texts beside them are looked at.
#[tokio::test]
async fn d8_pictures_and_sound_pass_unseen() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let sound = json!({ "type": "input_audio", "input_audio": { "data": "UklGRg==", "format": "wav" } });
    let body = chat(json!({ "role": "user", "content": [text("text"), picture, sound] }));
    gateway.ask(Request::chat(&key, &body).config(&pii("input", "redact"))).await.expect(200);
    let sent = upstreams.named("chat").requests().pop().unwrap().body;
    let parts = &sent["messages"][0]["content"];
    assert_eq!((&parts[0]["text"], &parts[1], &parts[2]), (&json!(REDACTED), &picture, &sound), "{sent}");
}

/// D8, "n > 1" and log probabilities: every choice is guarded, and none repeats its words beside them, whole or streamed.
#[tokio::test]
async fn d8_every_choice_and_its_log_probabilities_are_guarded() {
    let openai = FakeProvider::start().await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let logprobs = json!({ "content": [{ "token": PII, "logprob": -0.1, "bytes": null, "top_logprobs": [] }] });
    let choice = |index: u64, field: &str| {
        json!({ "index": index, (field): { "role": "assistant", "content": PII }, "logprobs": logprobs,
            "finish_reason": "stop" })
    };
    let mut whole = openai::completion("");
    whole["choices"] = json!([choice(0, "message"), choice(1, "message"), choice(2, "message")]);
    let mut chunk = whole.clone();
    chunk["object"] = json!("chat.completion.chunk");
    chunk["choices"] = json!([choice(2, "delta"), choice(0, "delta"), choice(1, "delta")]);
    openai.once(Reply::json(200, &whole)).once(Reply::events([openai::event(&chunk), openai::DONE.to_owned()]));
    for stream in [false, true] {
        let body = json!({ "model": "gpt-4o-mini", "n": 3, "logprobs": true, "stream": stream,
            "messages": [{ "role": "user", "content": "hi" }] });
        let answer = gateway.ask(Request::chat(&key, &body).config(&pii("output", "redact"))).await.expect(200).text();
        assert_no_part("the answer", &answer, &["Nguyễn Văn A"]);
        assert!(!answer.contains("123456789"), "{answer}");
        assert_eq!(answer.matches("[CMND_REDACTED]").count(), 3, "{answer}");
    }
}
