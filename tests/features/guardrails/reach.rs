//! What guardrails reach beside the usual texts: pictures, definitions of tools, rankings, what passes through, and the next
//! target of a fallback.

use serde_json::{Value, json};

use super::script::texts_of;
use super::{PII, REDACTED, assert_clean, choice, guardrails, pii};
use crate::harness::bodies::openai;
use crate::harness::clients::CLIENTS;
use crate::harness::money::log_rows;
use crate::harness::told::ClientFormat;
use crate::harness::upstreams::Upstreams;
use crate::harness::{FakeProvider, Reply, Request, Setup};

const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

/// What cannot be looked at is denied where a guardrail, or the operator, wants that; it passes where nobody does.
#[tokio::test]
async fn d8_pictures_are_denied_where_that_is_asked() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let strict = upstreams.setup().set("guardrails.media", "deny");
    let (strict, strict_key) = strict.start().await.with_key().await;
    let media = guardrails("input", json!({ "type": "pii_detection", "action": "redact", "media": "deny" }));
    for client in ClientFormat::ALL {
        let of = |picture: Option<&str>| {
            Request::new("POST", client.path()).json(&client.question("chat/x", false, picture))
        };
        let ask = async |config: &Value, picture: Option<&str>| gateway.ask(of(picture).key(&key).config(config)).await;
        let ask_strict =
            async |config: &Value, picture: Option<&str>| strict.ask(of(picture).key(&strict_key).config(config)).await;
        ask(&pii("input", "redact"), Some(PICTURE)).await.expect(200);
        ask(&media, None).await.expect(200);
        ask_strict(&pii("input", "flag"), None).await.expect(200);
        ask_strict(&json!({ "provider": "chat" }), Some(PICTURE)).await.expect(200);
        let count = upstreams.counts();
        let denied = ask(&media, Some(PICTURE)).await.expect(446);
        assert!(client.error(&denied.json()).contains("guardrail checks"), "{client:?}");
        assert!(denied.text().contains(r#""MEDIA":1"#) || client == ClientFormat::Responses, "{}", denied.text());
        ask_strict(&pii("input", "flag"), Some(PICTURE)).await.expect(446);
        assert_eq!(upstreams.counts(), count, "{client:?}: nothing is sent");
    }
    for (wrong, field) in [
        (guardrails("input", json!({ "type": "pii_detection", "media": "no" })), "input[0].media"),
        (guardrails("input", json!({ "type": "pii_detection", "tools": "yes" })), "input[0].tools"),
        (guardrails("output", json!({ "type": "pii_detection", "media": "deny" })), "output[0].media"),
    ] {
        let told = gateway.ask(CLIENTS[0].asks(&key, "chat/x", "hi", false).config(&wrong)).await.expect(400).text();
        assert!(told.contains(field), "{told}");
    }
}

/// Definitions of tools are looked at where a guardrail asks for that, and credentials of their servers stay.
#[tokio::test]
async fn d8_definitions_of_tools_are_guarded_where_that_is_asked() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let schema = json!({ "type": "object", "properties": { "who": { "type": "string", "description": PII } } });
    for client in ClientFormat::ALL {
        let mut body = client.question("chat/x", false, None);
        let tool = &mut body["tools"][0];
        match client {
            ClientFormat::Chat => {
                tool["function"]["description"] = json!(PII);
                tool["function"]["parameters"] = schema.clone();
            }
            ClientFormat::Messages => (tool["description"], tool["input_schema"]) = (json!(PII), schema.clone()),
            ClientFormat::Responses => (tool["description"], tool["parameters"]) = (json!(PII), schema.clone()),
        }
        let ask = async |tools: bool, action: &str| {
            let config = guardrails("input", json!({ "type": "pii_detection", "action": action, "tools": tools }));
            gateway.ask(Request::new("POST", client.path()).key(&key).config(&config).json(&body)).await
        };
        let sent = || upstreams.named("chat").requests().pop().unwrap().body["tools"][0]["function"].clone();
        ask(false, "redact").await.expect(200);
        assert_eq!(sent()["description"], PII, "{client:?}");
        ask(true, "redact").await.expect(200);
        let function = sent();
        assert_eq!(function["description"], REDACTED, "{client:?}");
        assert_eq!(function["parameters"]["properties"]["who"]["description"], REDACTED, "{client:?}: {function}");
        assert_eq!((&function["name"], &function["parameters"]["type"]), (&json!("get_weather"), &json!("object")));
        ask(true, "deny").await.expect(446);
        ask(false, "deny").await.expect(200);
    }
    let secret = "Bearer sk-proj-Zq8vT3nLw5xK2mRb7YcJ4hPd9sFg6uEa1oNi0BkQ";
    let server = json!({ "type": "mcp", "server_label": "s", "server_url": "https://example.com/mcp", "authorization": secret,
        "server_description": PII });
    let body = json!({ "model": "responses/x", "store": false, "input": "hi", "tools": [server] });
    let config = guardrails("input", json!({ "type": "pii_detection", "action": "redact", "tools": true }));
    gateway.ask(Request::new("POST", "/v1/responses").key(&key).config(&config).json(&body)).await.expect(200);
    let sent = upstreams.named("responses").requests().pop().unwrap().body["tools"][0].clone();
    assert_eq!((&sent["authorization"], &sent["server_description"]), (&json!(secret), &json!(REDACTED)), "{sent}");
}

/// A denial tells its results in every format that has room for them, whole and streamed.
#[tokio::test]
async fn denials_tell_their_results_in_messages_too() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    let client = &CLIENTS[1];
    let ask = |stream: bool, side: &str| {
        gateway.ask(
            client.asks(&key, "chat/text", if side == "input" { PII } else { "hi" }, stream).config(&pii(side, "deny")),
        )
    };
    for (answer, hooks) in [
        (ask(false, "input").await.expect(446), "before_request_hooks"),
        (ask(false, "output").await.expect(446), "after_request_hooks"),
    ] {
        let told = answer.json();
        assert_eq!(
            (&told["type"], &told["error"]["type"]),
            (&json!("error"), &json!("invalid_request_error")),
            "{told}"
        );
        assert_eq!(told["hook_results"][hooks][0]["checks"][0]["data"]["counts"]["NAME"], 1, "{told}");
    }
    let streamed = ask(true, "output").await.expect(200).text();
    let last = streamed.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(
        (&last["type"], &last["hook_results"]["after_request_hooks"][0]["verdict"]),
        (&json!("error"), &json!(false))
    );
    assert_clean("the stream", &streamed);
}

/// A ranking gives documents back with the values that tokens stood for, and passes the guardrails of answers.
#[tokio::test]
async fn d8_rankings_give_values_back() {
    let openai = FakeProvider::start().await;
    openai.by_body(|body| {
        let document =
            |index: usize| json!({ "index": index, "relevance_score": 0.5, "document": body["documents"][index] });
        Reply::json(
            200,
            &json!({ "model": "m", "results": [document(1), document(0)], "usage": { "total_tokens": 9 } }),
        )
    });
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    for documents in [json!(["a", PII]), json!([{ "text": "a" }, { "text": PII }])] {
        let body = json!({ "model": "text-embedding-3-small", "query": PII, "documents": documents });
        let ask = async |config: &Value| {
            gateway.ask(Request::new("POST", "/v1/rerank").key(&key).config(config).json(&body)).await
        };
        let told = ask(&pii("input", "tokenize")).await.expect(200).json();
        let sent = openai.requests().pop().unwrap().body.to_string();
        assert_clean("the request", &sent);
        assert!(sent.contains("CMND [CMND_1]"), "{sent}");
        assert_eq!(told["results"][0]["document"], documents[1], "{told}");
        assert_eq!(told["results"][1]["document"], documents[0], "{told}");
        let redacted = ask(&pii("output", "redact")).await.expect(200).text();
        assert_clean("a redacted answer", &redacted);
        let denied = ask(&pii("output", "deny")).await.expect(446);
        assert_clean("a denied answer", &denied.text());
    }
}

/// E2: 446 and, where it is named, 246 lead on to the next target, as with Portkey; what came of the first is booked.
#[tokio::test]
async fn e2_a_failed_guardrail_leads_on_to_the_next_target() {
    for (deny, status) in [(true, 446), (false, 246)] {
        for (side, calls) in [("input_guardrails", 0), ("output_guardrails", 1)] {
            let (first, second) = (FakeProvider::answering(openai::answer(PII)).await, FakeProvider::start().await);
            second.always(openai::answer("hello"));
            let more = format!(
                "[providers.other]\ndialect = \"openai\"\nbase_url = \"{}/v1\"\napi_key_env = \"OPENAI_API_KEY\"\n",
                second.origin()
            );
            let (gateway, key) = Setup::new().openai(&first).toml(&more).start().await.with_key().await;
            let check = json!({ "portkey.pii": {}, "deny": deny, "async": false });
            let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": PII }] });
            let way = format!("{status} of {side}");
            let ask = async |strategy: Value| {
                let config = json!({ "strategy": strategy, "targets": [
                    { "provider": "openai", side: [check] }, { "provider": "other" }] });
                gateway.ask(Request::chat(&key, &body).config(&config)).await
            };
            let named = ask(json!({ "mode": "fallback", "on_status_codes": [status] })).await.expect(200);
            assert_eq!(
                (named.content().as_str(), named.header("x-portkey-provider")),
                ("hello", Some("other")),
                "{way}"
            );
            assert_eq!((first.count(), second.count()), (calls, 1), "{way}");
            let rows = log_rows(&gateway, calls as i64 + 1).await;
            let statuses: Vec<&Value> = rows.iter().map(|row| &row["status"]).collect();
            let of_first = json!(if deny { "denied" } else { "success" });
            let expected = [&of_first, &json!("success")];
            assert_eq!(statuses, expected[1 - calls..], "{way}: {rows:?}");

            // Others do not lead on; nothing said, 446 does and 246 does not.
            ask(json!({ "mode": "fallback", "on_status_codes": [500] })).await.expect(status);
            let unsaid = ask(json!({ "mode": "fallback" })).await;
            assert_eq!(unsaid.status, if deny { 200 } else { 246 }, "{way}: {}", unsaid.text());
        }
    }
}

/// E2: where the last target fails its guardrails too, its answer is told.
#[tokio::test]
async fn e2_the_last_target_answers_with_its_246() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    let check = json!([{ "portkey.pii": {}, "deny": false, "async": false }]);
    let config = json!({ "strategy": { "mode": "fallback", "on_status_codes": [246] }, "input_guardrails": check,
        "targets": [{ "provider": "openai" }, { "provider": "openai" }] });
    for stream in [false, true] {
        let body =
            json!({ "model": "gpt-4o-mini", "stream": stream, "messages": [{ "role": "user", "content": PII }] });
        if stream {
            openai.once(openai::stream(&["hel", "lo"]));
        }
        let count = openai.count();
        let told = gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(246);
        assert_eq!(openai.count() - count, 1, "the first is not asked");
        assert!(stream || told.json()["hook_results"].is_object(), "{}", told.text());
    }
}

/// D8: guardrails of the gateway's own default config hold for what passes through too.
#[tokio::test]
async fn d8_what_passes_through_is_refused_under_a_guarded_default() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let open = "[providers.openai]\npass_through = [{ path = \"/chat/completions\", methods = [\"POST\"] }]\n";
    let strict = "[configs.strict.guardrails]\ninput = [{ type = \"pii_detection\", action = \"redact\" }]\n\
                  [configs.plain]\nprovider = \"openai\"\n";
    let setup = Setup::new().openai(&openai).toml(open).toml(strict).set("routing.default_config", "strict");
    let (gateway, key) = setup.start().await.with_key().await;
    let plain = gateway.new_key(json!({ "config": "plain" })).await;
    let body = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": PII }] });
    let ask = async |key: &str| {
        gateway.ask(Request::new("POST", "/v1/proxy/openai/chat/completions").key(key).json(&body)).await
    };
    assert_eq!(ask(&key).await.expect(400).json()["error"]["code"], "not_supported");
    assert_eq!(openai.count(), 0, "nothing is sent");
    // A key with a config of its own does not follow the default.
    ask(&plain).await.expect(200);
    let mut sent = Vec::new();
    texts_of(&openai.requests().pop().unwrap().body, "", &mut sent);
    assert!(sent.join("\n").contains(PII));
}
