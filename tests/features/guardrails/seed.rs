//! The example of guardrails as printed in the mission.

use serde_json::json;

use crate::harness::bodies::openai;
use crate::harness::{FakeProvider, Request, Setup};
use crate::python::run;

/// D8: the example works as printed with the openai client, whole and streamed.
#[tokio::test]
async fn d8_the_printed_example_works_with_the_openai_package() {
    let openai = FakeProvider::start().await;
    openai.by_body(|body| {
        let text = body["messages"][0]["content"].as_str().unwrap();
        match body["stream"] == json!(true) {
            true => openai::stream(&[&text[..8], &text[8..]]),
            false => openai::answer(text),
        }
    });
    let (gateway, key) = Setup::new().openai(&openai).start().await.with_key().await;
    run("guardrails.py", &gateway, &[("KEY", &key)]).await;
    let line = "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED]";
    for request in openai.requests() {
        let text = request.body["messages"][0]["content"].as_str().unwrap();
        assert!(text == line || text.starts_with("Trả lời"), "{text}");
    }
}

/// The simulator shows the example without an account.
#[tokio::test]
async fn the_simulator_shows_the_example() {
    let (gateway, key) = Setup::new().start().await.with_key().await;
    let config = json!({ "guardrails": { "input": [{ "type": "pii_detection", "action": "redact" }] } });
    let body = json!({ "model": "sim-echo", "messages": [
        { "role": "user", "content": "Nhân viên Nguyễn Văn A, CMND 123456789" }] });
    let answer = gateway.ask(Request::chat(&key, &body).config(&config)).await.expect(200);
    assert!(answer.content().contains("Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED]"), "{}", answer.content());
}
