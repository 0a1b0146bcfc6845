//! Checks of a configuration and answers of judges: nothing panics, and a replacement in parts is that of the whole text.

#![no_main]

use std::sync::Arc;

use gateway_guard::checks::{Check, IDS, RegexReplaceGuard, Subject};
use gateway_guard::judge::{llama_guard, moderations, presidio};
use gateway_guard_fuzz::Input;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let Some(mut input) = Input::new(data) else { return };
    // One more for the check that streams, so that it has two of the places.
    let id = IDS.get(input.choose(IDS.len() + 1)).unwrap_or(&"regexReplace");
    let operator = ["any", "all", "none", "some"][input.choose(4)];
    let (rule, text) = input.texts();
    judges(&rule, &text);
    let Ok(check) = Check::from_json(id, &parameters(&rule, operator)) else { return };
    let metadata = Map::from_iter([(rule.clone(), Value::from(text.as_str()))]);
    let subject =
        Subject { text: &text, model: Some(&rule), request_type: Some("chatComplete"), metadata: Some(&metadata) };
    check.run(&subject);
    let Some(replace) = check.regex_replace().filter(|replace| replace.is_bounded()) else { return };
    let Some(mut guard) = RegexReplaceGuard::new(Arc::new(replace.clone())) else { return };
    let mut out = String::new();
    input.parts(&text).iter().for_each(|part| guard.push(part, &mut out));
    guard.finish(&mut out);
    assert_eq!(out, replace.replace(&text), "a stream differs from the whole text");
    assert_eq!(guard.held(), 0);
});

fn judges(answer: &str, text: &str) {
    let _ = llama_guard::read(answer.as_bytes());
    let _ = moderations::read(answer.as_bytes(), 1);
    for finding in presidio::read(answer.as_bytes(), text, 0.5).unwrap_or_default() {
        assert!(text.get(finding.range.clone()).is_some(), "a place that the text has not");
    }
}

/// Parameters of all checks: what one does not know it ignores.
fn parameters(rule: &str, operator: &str) -> Map<String, Value> {
    let read: Value = serde_json::from_str(rule).unwrap_or_else(|_| Value::from(rule));
    let words: Vec<&str> = rule.split(',').collect();
    let parameters = json!({
        "rule": rule, "redactText": words.last(), "words": words, "operator": operator, "suffix": rule,
        "minWords": words.len(), "maxWords": rule.len(), "minSentences": words.len(), "maxSentences": rule.len(),
        "minCharacters": words.len(), "maxCharacters": rule.len(), "format": "SQL", "schema": read, "keys": words,
        "models": words, "rules": read, "allowedTypes": words, "metadataKeys": words, "prefix": rule,
    });
    if let Value::Object(parameters) = parameters { parameters } else { Map::new() }
}
