//! Faults that were seen: each by the id of its case.

use serde_json::{Number, Value, json};

use super::requests::tool;
use super::{question, told, turns};
use crate::common::{
    BlockKind, Conversation, Effort, JsonText, Media, MediaSource, OutputFormat, Reasoning, Role, ToolUse,
};

const SONNET: &str = "claude-sonnet-4-5-20250929";

fn sampled(temperature: f64, top_p: f64) -> Conversation {
    let mut conversation = question();
    conversation.sampling.temperature = Number::from_f64(temperature);
    conversation.sampling.top_p = Number::from_f64(top_p);
    conversation
}

/// claude-temperature-and-top-p, claude-temperature-and-top-p-defaults
#[test]
fn temperature_excludes_top_p() {
    let cases = [
        (0.7, 0.9, SONNET, (Some(0.7), None), vec!["top_p"]),
        (1.0, 1.0, "claude-opus-4-6", (Some(1.0), None), vec!["top_p"]),
        (1.0, 0.9, SONNET, (None, Some(0.9)), vec!["temperature"]),
        (0.7, 0.9, "claude-3-5-haiku-20241022", (Some(0.7), Some(0.9)), vec![]),
    ];
    for (temperature, top_p, model, expected, lost) in cases {
        let (body, dropped) = told(&sampled(temperature, top_p), model).unwrap();
        assert_eq!((body["temperature"].as_f64(), body["top_p"].as_f64()), expected, "{model}");
        assert_eq!(dropped, lost, "{model}");
    }
}

/// claude-user-is-an-email, claude-metadata-user-is-an-email
#[test]
fn a_mail_address_is_no_user() {
    let mut conversation = question();
    conversation.identity.user = Some("nobody@example.com".into());
    let (body, dropped) = told(&conversation, SONNET).unwrap();
    assert_eq!((body.get("metadata"), dropped), (None, vec!["user".to_owned()]));
    conversation.identity.user = None;
    conversation.metadata = json!({"user_id": "nobody@example.com"}).as_object().cloned();
    let (body, dropped) = told(&conversation, SONNET).unwrap();
    assert_eq!((body.get("metadata"), dropped), (None, vec!["user".to_owned()]));
    for user in ["u@1", "{\"email\":\"a@b.c\"}", "u"] {
        conversation.identity.user = Some(user.into());
        assert_eq!(told(&conversation, SONNET).unwrap().0["metadata"]["user_id"], user);
    }
}

/// claude-blank-stop
#[test]
fn a_blank_stop_is_left_out() {
    let mut conversation = question();
    conversation.sampling.stop = vec!["\n".into(), "END".into()];
    let (body, dropped) = told(&conversation, SONNET).unwrap();
    assert_eq!((&body["stop_sequences"], dropped), (&json!(["END"]), vec!["stop".to_owned()]));
}

/// claude-image-jpg
#[test]
fn a_jpg_is_a_jpeg() {
    let source = MediaSource::Inline { mime: "image/jpg".into(), base64: "/9j/".into() };
    let image = BlockKind::Image(Media { source, ..Media::default() }, None);
    let (body, _) = told(&turns(vec![(Role::User, vec![image])]), SONNET).unwrap();
    assert_eq!(body["messages"][0]["content"][0]["source"]["media_type"], "image/jpeg");
}

/// claude-prefill-ends-with-blank
#[test]
fn a_prefill_ends_without_a_blank() {
    let mut conversation = question();
    conversation.turns.extend(turns(vec![(Role::Assistant, vec![BlockKind::text("The answer is: ")])]).turns);
    let (body, _) = told(&conversation, SONNET).unwrap();
    assert_eq!(body["messages"][1]["content"][0]["text"], "The answer is:");
}

/// claude-system-alone, claude-empty-turns
#[test]
fn blank_talks_are_refused() {
    let blank = || (Role::User, vec![BlockKind::text(" \n")]);
    let said = || (Role::Assistant, vec![BlockKind::text("a")]);
    let cases = [
        (turns(vec![]), "messages"),
        (turns(vec![blank()]), "messages"),
        (turns(vec![said(), blank()]), "messages[1].content"),
    ];
    for (mut conversation, param) in cases {
        conversation.system = vec![BlockKind::text("Name a colour.").into()];
        assert_eq!(told(&conversation, SONNET).unwrap_err().param.as_deref(), Some(param));
    }
}

fn with_schema(schema: Value) -> Conversation {
    let schema = JsonText::from(schema);
    let format = OutputFormat::JsonSchema { name: None, description: None, schema, strict: None };
    Conversation { output_format: Some(format), ..question() }
}

/// claude-old-model-json-schema
#[test]
fn an_older_model_is_asked_for_json_in_words() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let (body, dropped) = told(&with_schema(schema), "claude-3-5-haiku-20241022").unwrap();
    assert_eq!((body.get("output_config"), dropped), (None, vec!["response_format".to_owned()]));
    assert!(body["system"][0]["text"].as_str().unwrap().contains(r#""properties":{"a""#));
    let conversation = Conversation { tools: vec![tool("f", None, Some(true))], ..question() };
    let (body, dropped) = told(&conversation, "claude-sonnet-4-20250514").unwrap();
    assert_eq!((body["tools"][0].get("strict"), dropped), (None, vec!["tools[].strict".to_owned()]));
}

/// claude-schema-open-objects, claude-schema-additional-true
#[test]
fn schemas_are_closed() {
    let inner = json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}});
    let schema = json!({"type": "object", "properties": {"who": inner}, "additionalProperties": true});
    let (body, _) = told(&with_schema(schema.clone()), SONNET).unwrap();
    let found = &body["output_config"]["format"]["schema"];
    assert_eq!(
        (&found["additionalProperties"], &found["properties"]["who"]["additionalProperties"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(found["properties"]["who"]["properties"]["name"].get("maxLength"), None);
    let conversation = Conversation { tools: vec![tool("f", Some(schema), Some(true))], ..question() };
    let (body, _) = told(&conversation, SONNET).unwrap();
    assert_eq!(body["tools"][0]["input_schema"]["additionalProperties"], false);
}

/// claude-old-model-reasoning, claude-oldest-model-reasoning, claude-reasoning-none, claude-effort-beyond-the-most-output
#[test]
fn thinking_fits_the_model() {
    let ask = |effort: Effort, bound: Option<u64>, model: &str| {
        let reasoning = Some(Reasoning { effort: Some(effort), ..Reasoning::default() });
        told(&Conversation { reasoning, max_output_tokens: bound, ..question() }, model).unwrap()
    };
    for model in ["claude-3-5-haiku-20241022", "claude-3-haiku-20240307"] {
        let (body, dropped) = ask(Effort::Medium, Some(4000), model);
        assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning_effort".to_owned()]), "{model}");
    }
    let (body, dropped) = ask(Effort::None, None, "claude-opus-5");
    assert_eq!((&body["thinking"], dropped.len()), (&json!({"type": "disabled"}), 0));
    let (body, dropped) = ask(Effort::None, None, "claude-sonnet-5-5");
    assert_eq!((&body["thinking"], dropped.len()), (&json!({"type": "between_tools"}), 0));
    let (body, dropped) = ask(Effort::None, None, "claude-opus-5-5");
    assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning_effort".to_owned()]));
    let (body, _) = ask(Effort::XHigh, None, "claude-opus-4-1-20250805");
    assert_eq!((body["max_tokens"].as_u64(), body["thinking"]["budget_tokens"].as_u64()), (Some(28_096), Some(24_000)));
    // A model that thinks unless told otherwise has room for that.
    assert_eq!(told(&question(), "claude-opus-5").unwrap().0["max_tokens"], 20_480);
}

/// claude-fraction-sent-back, and arguments that are no object.
#[test]
fn arguments_keep_their_digits() {
    let said = |arguments: &str| {
        let call = ToolUse { call_id: "c".into(), name: "f".into(), arguments: arguments.into(), ..ToolUse::default() };
        let mut conversation = question();
        conversation.turns.extend(turns(vec![(Role::Assistant, vec![BlockKind::ToolUse(call)])]).turns);
        conversation
    };
    let quirks = crate::vendors::Quirks::default();
    let target = crate::vendors::TargetModel { model: SONNET, quirks: &quirks, max_output_tokens: None };
    let arguments = r#"{"x":117.63331139400017,"y":12345678901234567890123}"#;
    let request = crate::vendors::VendorFormat::request(&super::Anthropic, &said(arguments), &target).unwrap();
    assert!(String::from_utf8(request.body.to_vec()).unwrap().contains(arguments));
    for broken in ["{broken", "[1]"] {
        let error = told(&said(broken), SONNET).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[1].content[0].function.arguments"), "{broken}");
    }
}

/// What cannot be said names its place.
#[test]
fn what_cannot_be_said_names_its_place() {
    let inline = |mime: &str| Media {
        source: MediaSource::Inline { mime: mime.into(), base64: "AA==".into() },
        ..Media::default()
    };
    let foreign = Media { source: MediaSource::FileId("f".into(), crate::common::Family::OpenAi), ..Media::default() };
    let cases = [
        (BlockKind::Audio(inline("audio/wav")), "messages[0].content[0]"),
        (BlockKind::File(inline("audio/mp3")), "messages[0].content[0].file.file_data"),
        (BlockKind::File(foreign), "messages[0].content[0].file.file_id"),
    ];
    for (kind, param) in cases {
        let error = told(&turns(vec![(Role::User, vec![kind])]), SONNET).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param));
        assert!(error.message.len() > 10);
    }
}
