use super::*;

/// A body and what a config makes of it: the text, and what was dropped.
fn applied(config: Value, body: &'static str) -> (String, Vec<String>) {
    let body = JsonObject::parse(Bytes::from_static(body.as_bytes())).unwrap();
    let applied = apply(&body, &chain(config).steps[0].target).unwrap();
    (String::from_utf8(applied.body.to_vec()).unwrap(), applied.dropped)
}

#[test]
fn defaults_overrides_and_drops_are_applied() {
    let config = json!({"override_params": {"temperature": 0}, "default_params": {"top_p": 0.5, "user": "d"},
        "drop_params": ["seed", "messages[*].name", "absent"]});
    let body = r#"{"model":"m","seed":1,"user":"u","temperature":1,"messages":[{"name":"x","content":"c"}]}"#;
    let (text, dropped) = applied(config, body);
    let expected = json!({"model": "m", "user": "u", "temperature": 0, "top_p": 0.5, "messages": [{"content": "c"}]});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert_eq!(dropped, ["seed", "messages[*].name"], "I6: what was dropped can be told");
}

#[test]
fn the_bytes_stay_where_nothing_changes() {
    let body = "{ \"model\" : \"m\", \"temperature\": 0.10, \"top_p\":1, \"messages\":[ {\"content\":\"\\ud83d\"} ] }";
    for config in [
        json!({}),
        json!({"model": "another", "default_params": {"temperature": 1, "top_p": 2}}),
        json!({"override_params": {"top_p": 1}}),
        json!({"drop_params": ["seed", "tools[*].strict", "metadata.a"]}),
    ] {
        assert_eq!(applied(config.clone(), body), (body.to_owned(), vec![]), "{config}");
    }
}

/// A deep drop builds only its own value: the others keep their bytes, also such as no tree could hold.
#[test]
fn a_deep_drop_leaves_the_rest_as_it_is() {
    let config = json!({"drop_params": ["metadata[\"a.b\"]", "stop[0]", "tools[*].function.strict"]});
    let body = r#"{"n":1.50,"x":"\ud83d","metadata":{"a.b":1,"c":2},"stop":["a","b"],"tools":[{"function":{"strict":true,"name":"f"}},{}]}"#;
    let (text, dropped) = applied(config, body);
    assert_eq!(
        text,
        r#"{"n":1.50,"x":"\ud83d","metadata":{"c":2},"stop":["b"],"tools":[{"function":{"name":"f"}},{}]}"#
    );
    assert_eq!(dropped, ["metadata[\"a.b\"]", "stop[0]", "tools[*].function.strict"]);
}

/// A child may drop what its parent sets.
#[test]
fn drops_come_last() {
    let config = json!({"strategy": "single", "override_params": {"temperature": 0, "meta": {"a": 1, "b": 2}},
        "targets": [{"provider": "a", "drop_params": ["temperature", "meta.a"]}]});
    let (text, dropped) = applied(config, r#"{"n":1,"temperature":1}"#);
    assert_eq!(text, r#"{"n":1,"meta":{"b":2}}"#);
    assert_eq!(dropped, ["temperature", "meta.a"]);
}

#[test]
fn a_name_that_is_both_default_and_override_is_set_once() {
    let config = json!({"override_params": {"n": 2}, "default_params": {"n": 1}});
    assert_eq!(applied(config, "{}").0, r#"{"n":2}"#);
}
