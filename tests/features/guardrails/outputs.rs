//! Every field of an answer that has a text, one by one: as vendors of each format tell it, whole and streamed.

use serde_json::{Value, json};

use super::script::{assert_no_part, texts_of};
use super::{PII, pii};
use crate::harness::bodies::anthropic;
use crate::harness::bodies::openai;
use crate::harness::clients::CLIENTS;
use crate::harness::{FakeProvider, Reply, Setup};

const VALUES: [&str; 2] = ["Nguyễn Văn A", "123456789"];

/// Messages of chat, by the field that has the values; streams tell them as a delta.
fn of_chat() -> Rows {
    let said = |name: &str, value: Value| {
        let mut message = json!({ "role": "assistant", "content": "Xong." });
        message[name] = value;
        message
    };
    let call = |arguments: &str| {
        json!([{ "index": 0, "id": "call_1", "type": "function",
        "function": { "name": "f", "arguments": arguments } }])
    };
    vec![
        ("content", said("content", json!(PII))),
        ("parts", said("content", json!([{ "type": "text", "text": PII }]))),
        ("refusal", said("refusal", json!(PII))),
        ("reasoning_content", said("reasoning_content", json!(PII))),
        ("reasoning", said("reasoning", json!(PII))),
        (
            "reasoning_details",
            said("reasoning_details", json!([{ "type": "reasoning.text", "text": PII, "index": 0 }])),
        ),
        (
            "thinking_blocks",
            said("thinking_blocks", json!([{ "type": "thinking", "thinking": PII, "signature": "U0lH" }])),
        ),
        ("arguments", said("tool_calls", call(&json!({ "note": PII }).to_string()))),
        ("a number of arguments", said("tool_calls", call("{\"cmnd\":123456789}"))),
        ("no JSON as arguments", said("tool_calls", call(PII))),
        (
            "function_call",
            said("function_call", json!({ "name": "f", "arguments": json!({ "note": PII }).to_string() })),
        ),
        (
            "a custom tool's input",
            said(
                "tool_calls",
                json!([{ "index": 0, "id": "call_1", "type": "custom",
            "custom": { "name": "f", "input": PII } }]),
            ),
        ),
        (
            "annotations",
            said(
                "annotations",
                json!([{ "type": "url_citation",
            "url_citation": { "url": "https://example.com/a", "title": PII, "start_index": 0, "end_index": 1 } }]),
            ),
        ),
        ("audio", said("audio", json!({ "id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": PII }))),
        ("a field that only the vendor knows", said("thoughts_of_the_vendor", json!({ "deep": [PII] }))),
    ]
}

/// Blocks of Messages.
fn of_messages() -> Rows {
    let page = json!({ "type": "web_search_result", "url": "https://example.com/a", "title": PII, "encrypted_content": "RU5D",
        "page_age": null });
    let cited = json!([{ "type": "char_location", "cited_text": PII, "document_index": 0, "document_title": PII,
        "start_char_index": 0, "end_char_index": 1 }]);
    vec![
        ("text", json!({ "type": "text", "text": PII })),
        ("citations", json!({ "type": "text", "text": "Xong.", "citations": cited })),
        ("thinking", json!({ "type": "thinking", "thinking": PII, "signature": "U0lH" })),
        ("input", json!({ "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "note": PII } })),
        (
            "a number of input",
            json!({ "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "cmnd": 123_456_789 } }),
        ),
        (
            "a hosted tool's input",
            json!({ "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search",
            "input": { "query": PII } }),
        ),
        (
            "a hosted tool's result",
            json!({ "type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [page] }),
        ),
        (
            "a program's output",
            json!({ "type": "bash_code_execution_tool_result", "tool_use_id": "srvtoolu_1",
            "content": { "type": "bash_code_execution_result", "stdout": PII, "stderr": PII, "return_code": 0, "content": [] } }),
        ),
        (
            "a server's result",
            json!({ "type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": false,
            "content": [{ "type": "text", "text": PII }] }),
        ),
    ]
}

/// Items of Responses.
fn of_responses() -> Rows {
    let message = |part: Value| json!({ "id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part] });
    let citation = json!({ "type": "url_citation", "url": "https://example.com/a", "title": PII, "start_index": 0,
        "end_index": 1 });
    let call = |kind: &str, more: Value| {
        let mut item = json!({ "id": "x_1", "type": kind, "status": "completed" });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    vec![
        ("text", message(json!({ "type": "output_text", "text": PII, "annotations": [], "logprobs": [] }))),
        (
            "annotations",
            message(json!({ "type": "output_text", "text": "Xong.", "annotations": [citation], "logprobs": [] })),
        ),
        ("refusal", message(json!({ "type": "refusal", "refusal": PII }))),
        ("summary", json!({ "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": PII }] })),
        (
            "reasoning",
            json!({ "id": "rs_1", "type": "reasoning", "summary": [],
            "content": [{ "type": "reasoning_text", "text": PII }] }),
        ),
        (
            "arguments",
            call(
                "function_call",
                json!({ "call_id": "call_1", "name": "f",
            "arguments": json!({ "note": PII }).to_string() }),
            ),
        ),
        ("a custom tool's input", call("custom_tool_call", json!({ "call_id": "call_1", "name": "f", "input": PII }))),
        ("a search", call("web_search_call", json!({ "action": { "type": "search", "query": PII } }))),
        (
            "results of files",
            call(
                "file_search_call",
                json!({ "queries": [PII],
            "results": [{ "file_id": "file_1", "filename": "a", "score": 0.5, "text": PII, "attributes": { "who": PII } }] }),
            ),
        ),
        (
            "a program",
            call(
                "code_interpreter_call",
                json!({ "container_id": "c_1", "code": PII,
            "outputs": [{ "type": "logs", "logs": PII }] }),
            ),
        ),
        (
            "a server's call",
            call(
                "mcp_call",
                json!({ "name": "f", "server_label": "s", "output": PII, "error": null,
            "arguments": json!({ "note": PII }).to_string() }),
            ),
        ),
        ("a picture's prompt", call("image_generation_call", json!({ "result": "aGk=", "revised_prompt": PII }))),
    ]
}

fn chat_reply(message: &Value, stream: bool) -> Reply {
    if stream {
        let end = [openai::finish("stop"), openai::usage(), openai::DONE.to_owned()];
        return Reply::events(std::iter::once(openai::delta(message.clone())).chain(end));
    }
    let mut whole = openai::completion("");
    whole["choices"][0]["message"] = message.clone();
    Reply::json(200, &whole)
}

/// Blocks of hosted tools come whole with their start; others come in one delta.
fn messages_reply(block: &Value, stream: bool) -> Reply {
    if !stream {
        return Reply::json(200, &anthropic::message(json!([block]), "end_turn"));
    }
    let mut start = block.clone();
    let deltas = match block["type"].as_str().unwrap() {
        "text" => {
            start["text"] = json!("");
            start["citations"] = json!([]);
            let cited = block["citations"].as_array().into_iter().flatten();
            let cited = cited.map(|citation| json!({ "type": "citations_delta", "citation": citation }));
            std::iter::once(json!({ "type": "text_delta", "text": block["text"] })).chain(cited).collect()
        }
        "thinking" => {
            (start["thinking"], start["signature"]) = (json!(""), json!(""));
            vec![
                json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
                json!({ "type": "signature_delta", "signature": "U0lH" }),
            ]
        }
        "tool_use" | "server_tool_use" => {
            start["input"] = json!({});
            vec![json!({ "type": "input_json_delta", "partial_json": block["input"].to_string() })]
        }
        _ => Vec::new(),
    };
    let mut events = anthropic::start();
    events.push(anthropic::event("content_block_start", json!({ "index": 0, "content_block": start })));
    events.extend(
        deltas.iter().map(|delta| anthropic::event("content_block_delta", json!({ "index": 0, "delta": delta }))),
    );
    events.push(anthropic::event("content_block_stop", json!({ "index": 0 })));
    events.extend(anthropic::end("end_turn"));
    Reply::events(events)
}

/// A stream tells the item at its start, at its end, and once more with the whole.
fn responses_reply(item: &Value, stream: bool) -> Reply {
    let response = |status: &str, output: Value| {
        json!({ "id": "resp_1", "object": "response", "created_at": 1_736_935_200, "status": status, "error": null,
            "incomplete_details": null, "instructions": null, "model": "gpt-4o-mini", "output": output,
            "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "metadata": {},
            "usage": { "input_tokens": 10, "output_tokens": 15, "total_tokens": 25 } })
    };
    if !stream {
        return Reply::json(200, &response("completed", json!([item])));
    }
    let events = [
        ("response.created", json!({ "response": response("in_progress", json!([])) })),
        ("response.output_item.added", json!({ "output_index": 0, "item": item })),
        ("response.output_item.done", json!({ "output_index": 0, "item": item })),
        ("response.completed", json!({ "response": response("completed", json!([item])) })),
    ];
    let told = events.into_iter().enumerate().map(|(number, (name, mut data))| {
        (data["type"], data["sequence_number"]) = (json!(name), json!(number));
        format!("event: {name}\ndata: {data}\n\n")
    });
    Reply::events(told)
}

/// All texts that a client got, whole or as events; those of deltas follow one another.
fn texts(answer: &str) -> String {
    let mut texts = Vec::new();
    let values = answer.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    for value in values.filter_map(|line| serde_json::from_str(line).ok()) {
        texts_of(&value, "", &mut texts);
    }
    texts.join("\n")
}

/// Parts of an answer, by the field that has the values.
type Rows = Vec<(&'static str, Value)>;

/// Makes a reply that tells a message, a block or an item, whole or streamed.
type Tell = fn(&Value, bool) -> Reply;

/// D8, "fields": a value in any one field of an answer is not told, whole or streamed, by a vendor of whatever format to a
/// client of whatever format; a denied one is a 446, or an error in the stream.
#[tokio::test]
async fn d8_no_field_of_an_answer_shows_a_value_in_any_format() {
    let fake = FakeProvider::start().await;
    let responses = format!(
        "[providers.responses]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nserves_responses = true\n\
         responses_models = [\"*\"]\napi_key_env = \"OPENAI_API_KEY\"",
        fake.origin()
    );
    let (gateway, key) = Setup::new().openai(&fake).anthropic(&fake).toml(&responses).start().await.with_key().await;
    let vendors: [(&str, Tell, Rows); 3] = [
        ("openai/gpt-4o-mini", chat_reply, of_chat()),
        ("anthropic/claude-3-sonnet-20240229", messages_reply, of_messages()),
        ("responses/gpt-4o-mini", responses_reply, of_responses()),
    ];
    let own = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];
    for client in &CLIENTS {
        for (vendor, (model, tell, rows)) in vendors.iter().enumerate() {
            for (field, told) in rows {
                for stream in [false, true] {
                    let way = format!("{field} of {model} to {}, stream={stream}", client.path);
                    let ask = async |action: &str| {
                        fake.once(tell(told, stream));
                        gateway.ask(client.asks(&key, model, "hi", stream).config(&pii("output", action))).await
                    };
                    let flagged = ask("flag").await.text();
                    let is_told = flagged.contains("123456789");
                    assert!(is_told || client.path != own[vendor], "{way}: there is something to find: {flagged}");
                    let redacted = ask("redact").await.text();
                    assert_no_part(&way, &texts(&redacted), &VALUES);
                    assert!(!redacted.contains("123456789"), "{way}: {redacted}");
                    let denied = ask("deny").await.text();
                    assert_no_part(&way, &texts(&denied), &VALUES);
                    assert!(!denied.contains("123456789"), "{way}: {denied}");
                    if is_told {
                        assert!(!redacted.contains("\"error\":{"), "{way}: {redacted}");
                        assert!(denied.contains("guardrail checks"), "{way}: {denied}");
                    }
                    fake.forget();
                }
            }
        }
    }
}
