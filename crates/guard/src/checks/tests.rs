//! The checks: what they refuse, what they find, and that a stream is replaced like the whole text.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn check(id: &str, parameters: Value) -> Check {
    Check::from_json(id, parameters.as_object().unwrap()).unwrap()
}

fn verdict(id: &str, parameters: Value, text: &str) -> bool {
    check(id, parameters).run(&Subject { text, ..Subject::default() }).verdict
}

fn blamed(id: &str, parameters: Value) -> String {
    Check::from_json(id, parameters.as_object().unwrap()).unwrap_err().path
}

#[test]
fn an_id_is_known_in_any_case_and_without_its_prefix() {
    for id in ["default.allUppercase", "alluppercase", "AllUpperCase", "default.alluppercase"] {
        assert_eq!(check(id, json!({})).id(), "alluppercase");
    }
    assert_eq!(check("modelWhitelist", json!({"models": ["a"]})).id(), "modelwhitelist");
    assert!(Check::from_json("default.webhook", &Map::new()).unwrap_err().message.contains("default.regexMatch"));
}

#[test]
fn texts_pass_or_fail_and_not_turns_it_around() {
    for (id, parameters, good, wrong) in [
        ("regexMatch", json!({"rule": "\\d{9}"}), "CMND 123456789", "none"),
        ("contains", json!({"words": ["a", "b"], "operator": "any"}), "xbx", "xyz"),
        ("contains", json!({"words": ["a", "b"], "operator": "all"}), "ab", "a"),
        ("contains", json!({"words": ["a", "b"], "operator": "none"}), "xyz", "b"),
        ("wordCount", json!({"minWords": 2, "maxWords": 3}), " xin  chào ", "một hai ba bốn"),
        ("sentenceCount", json!({"minSentences": 2, "maxSentences": 2}), "Một. Hai!", "Một."),
        ("characterCount", json!({"maxCharacters": 4}), "chào", "chào!"),
        ("alluppercase", json!({}), "ĐƯỢC 1!", "Được"),
        ("alllowercase", json!({}), "được 1!", "Được"),
        ("endsWith", json!({"suffix": "hết"}), "Đã hết.", "Đã hết rồi"),
        ("notNull", json!({}), "x", " \n"),
        ("containsCode", json!({"format": "Python"}), "Code:\n```py\nprint(1)\n```\n", "```sql\nselect 1\n```"),
        ("containsCode", json!({"format": "C#"}), "```csharp\nx\n```", "```csharp\nx"),
        (
            "validUrls",
            json!({"onlyDNS": true}),
            "See https://example.com/a?b=1). Or (http://127.0.0.1:80/).",
            "See http://a..b",
        ),
        ("validUrls", json!({}), "none at all", "https://exa_mple"),
        (
            "jsonKeys",
            json!({"keys": ["a", "b"], "operator": "all"}),
            "So: {\"a\": {\"x\": 1}, \"b\": 2} ok",
            "{\"a\": 1}",
        ),
        (
            "jsonSchema",
            json!({"schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}}),
            "```json\n{\"a\": 1}\n```",
            "{\"a\": \"1\"}",
        ),
    ] {
        assert!(verdict(id, parameters.clone(), good), "{id} {good}");
        assert!(!verdict(id, parameters.clone(), wrong), "{id} {wrong}");
        let mut turned = parameters;
        turned["not"] = json!(true);
        assert!(!verdict(id, turned.clone(), good), "not {id} {good}");
        assert!(verdict(id, turned, wrong), "not {id} {wrong}");
    }
}

#[test]
fn the_request_is_checked_by_its_model_type_and_metadata() {
    let metadata = json!({"team": "research", "tags": ["x"]});
    let subject =
        Subject { model: Some("gpt-4o"), request_type: Some("chatComplete"), metadata: metadata.as_object(), text: "" };
    let run = |id: &str, parameters: Value| check(id, parameters).run(&subject);
    assert!(run("modelwhitelist", json!({"models": ["gpt-4o"]})).verdict);
    assert!(!run("modelwhitelist", json!({"models": ["gpt-4o"], "not": true})).verdict);
    let rule =
        json!({"models": ["o3"], "metadataRules": [{"metadataKey": "tags", "values": ["x"], "models": ["gpt-4o"]}]});
    assert!(run("modelwhitelist", rule).verdict);
    assert!(run("modelRules", json!({"rules": {"metadata": {"team": {"research": ["gpt-4o"]}}}})).verdict);
    assert!(
        !run("modelRules", json!({"rules": {"defaults": ["gpt-4o"], "metadata": {"team": {"research": ["o3"]}}}}))
            .verdict
    );
    assert!(run("allowedRequestTypes", json!({"allowedTypes": "embed, chatComplete"})).verdict);
    assert!(!run("allowedRequestTypes", json!({"blockedTypes": ["chatComplete"]})).verdict);
    assert!(run("requiredMetadataKeys", json!({"metadataKeys": ["team", "x"], "operator": "any"})).verdict);
    assert!(!run("requiredMetadataKeys", json!({"metadataKeys": ["team", "x"], "operator": "all"})).verdict);
    let no_model = check("modelwhitelist", json!({"models": ["a"], "not": true})).run(&Subject::default());
    assert_eq!((no_model.verdict, no_model.error), (false, Some("The request has no model.")));
}

/// "Config: unknown type/action, threshold 1.5, empty category list -> 400 naming the path."
#[test]
fn bad_parameters_are_refused_by_their_path() {
    for (id, parameters, path) in [
        ("default.nothing", json!({}), ""),
        ("regexMatch", json!({}), "rule"),
        ("regexMatch", json!({"rule": 5}), "rule"),
        ("regexMatch", json!({"rule": "("}), "rule"),
        ("regexMatch", json!({"rule": "(?=a)"}), "rule"),
        ("regexMatch", json!({"rule": "(a{1000}){1000}"}), "rule"),
        ("regexMatch", json!({"rule": "a", "not": "yes"}), "not"),
        ("contains", json!({"words": [], "operator": "any"}), "words"),
        ("contains", json!({"words": ["a", 1], "operator": "any"}), "words[1]"),
        ("contains", json!({"words": ["a"], "operator": "some"}), "operator"),
        ("wordCount", json!({"minWords": -1}), "minWords"),
        ("wordCount", json!({"minWords": 5, "maxWords": 4}), "minWords"),
        ("containsCode", json!({"format": "Cobol"}), "format"),
        ("validUrls", json!({"onlyDNS": "no"}), "onlyDNS"),
        ("jsonSchema", json!({}), "schema"),
        ("jsonSchema", json!({"schema": {"type": 5}}), "schema"),
        ("jsonSchema", json!({"schema": {"properties": {"a": {"pattern": "(a{900}){900}"}}}}), "schema"),
        ("jsonSchema", json!({"schema": {"$ref": "file:///etc/passwd"}}), "schema"),
        ("jsonSchema", json!({"schema": {"$ref": "http://example.com/x.json"}}), "schema"),
        ("jsonKeys", json!({"keys": ["a"]}), "operator"),
        ("modelwhitelist", json!({}), "models"),
        (
            "modelwhitelist",
            json!({"metadataRules": [{"metadataKey": "a", "values": [], "models": ["b"]}]}),
            "metadataRules[0].values",
        ),
        ("modelRules", json!({"rules": {"metadata": {"team": {"a": "b"}}}}), "rules.metadata.team.a"),
        ("allowedRequestTypes", json!({"allowedTypes": ["a"], "blockedTypes": ["a"]}), "blockedTypes"),
        ("requiredMetadataKeys", json!({"metadataKeys": "a", "operator": "all"}), "metadataKeys"),
        ("regexReplace", json!({"rule": "["}), "rule"),
        ("addPrefix", json!({"prefix": "x", "applyToRole": "boss"}), "applyToRole"),
    ] {
        assert_eq!(blamed(id, parameters.clone()), path, "{id} {parameters}");
    }
}

#[test]
fn what_a_check_tells_holds_nothing_of_the_text() {
    let canary = "CANARY";
    let text = format!("{canary} {{\"a\": \"{canary}\"}} https://{canary} ```{canary}\n{canary}\n```");
    for (id, parameters) in [
        ("regexMatch", json!({"rule": "CAN[A-Z]+"})),
        ("regexReplace", json!({"rule": "CAN[A-Z]+"})),
        ("contains", json!({"words": ["x"], "operator": "any"})),
        ("containsCode", json!({"format": "SQL"})),
        ("validUrls", json!({})),
        ("jsonKeys", json!({"keys": ["b"], "operator": "all"})),
        (
            "jsonSchema",
            json!({"schema": {"properties": {"a": {"type": "integer"}}, "required": ["z"], "additionalProperties": false}}),
        ),
        ("jsonSchema", json!({"schema": {"properties": {"a": {"enum": ["x"]}, "b": false}}})),
        ("wordCount", json!({"maxWords": 1})),
        ("endsWith", json!({"suffix": "x"})),
    ] {
        let result = check(id, parameters).run(&Subject { text: &text, ..Subject::default() });
        assert!(!result.data.to_string().contains(canary), "{id}: {}", result.data);
    }
}

#[test]
fn a_transform_gives_the_text_to_use_instead() {
    let replaced =
        |parameters: Value, text| check("regexReplace", parameters).run(&Subject { text, ..Subject::default() });
    let result = replaced(json!({"rule": "\\d{3}"}), "a 123 b 456");
    assert_eq!((result.verdict, result.transformed.as_deref()), (true, Some("a [REDACTED] b [REDACTED]")));
    let result = replaced(json!({"rule": "(\\d)(\\d)", "redactText": "<$2$1 $$ $&>", "failOnDetection": true}), "12");
    assert_eq!((result.verdict, result.transformed.as_deref()), (false, Some("<21 $ 12>")));
    assert_eq!(replaced(json!({"rule": "x"}), "a").transformed, None);
    let prefixed = check("addPrefix", json!({"prefix": "Hi. "})).run(&Subject { text: "you", ..Subject::default() });
    assert_eq!(prefixed.transformed.as_deref(), Some("Hi. you"));
}

#[test]
fn only_a_bounded_rule_may_change_a_stream() {
    for (rule, is_bounded) in [
        ("\\d{9}", true),
        ("(?i)secret-[a-z]{1,20}", true),
        (".*", false),
        ("a+", false),
        ("x?", false),
        ("a{300}", false),
    ] {
        let check = check("regexReplace", json!({"rule": rule}));
        assert_eq!(check.is_bounded(), is_bounded, "{rule}");
        let guard = RegexReplaceGuard::new(Arc::new(check.regex_replace().unwrap().clone()));
        assert_eq!(guard.is_some(), is_bounded, "{rule}");
    }
}

#[test]
fn only_what_may_still_match_is_held() {
    let held = |rule: &str, text: &str| {
        let check = check("regexReplace", json!({"rule": rule}));
        let mut guard = RegexReplaceGuard::new(Arc::new(check.regex_replace().unwrap().clone())).unwrap();
        let mut out = String::new();
        guard.push(text, &mut out);
        guard.held()
    };
    let email = "[a-z0-9.]{1,64}@[a-z0-9.]{1,100}";
    assert_eq!(held(email, "Write to me. "), 0);
    assert_eq!(held(email, "Write to an.nguyen"), 9);
    assert_eq!(held("\\d{9}", "CMND 1234"), 4);
    assert_eq!(held("\\d{9}", "CMND 123456789. "), 0);
    assert_eq!(held("\\bsecret\\b", "a secret"), 6);
}

/// Rules whose matches overlap, touch, and depend on what stands beside them.
const RULES: [&str; 12] = [
    "\\d{2,4}",
    "\\b\\d{3}\\b",
    "^ab|cd$",
    "(?m)^a|b$",
    "ab|abab|ababc",
    "(?:ab){1,3}?c?",
    "\\Bb",
    "é.?b",
    "[^\\s]{3}\\s",
    "(a)(b)?",
    "aaaa|a",
    "\\bab\\b|\\b1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// D8: the stream is the whole text replaced, however it was cut.
    #[test]
    fn a_stream_is_replaced_like_the_whole_text(
        rule in prop::sample::select(&RULES[..]),
        text in "[ab12cdé \\n]{0,40}",
        cuts in prop::collection::vec(1..9_usize, 1..10),
    ) {
        let check = check("regexReplace", json!({"rule": rule, "redactText": "<$1>"}));
        let rule = Arc::new(check.regex_replace().unwrap().clone());
        let mut guard = RegexReplaceGuard::new(Arc::clone(&rule)).unwrap();
        let (mut out, mut cut) = (String::new(), cuts.iter().cycle());
        let mut rest: Vec<char> = text.chars().collect();
        while !rest.is_empty() {
            let after = rest.split_off((*cut.next().unwrap()).min(rest.len()));
            guard.push(&rest.iter().collect::<String>(), &mut out);
            rest = after;
        }
        guard.finish(&mut out);
        prop_assert_eq!(out, rule.replace(&text));
    }
}
