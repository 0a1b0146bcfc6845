use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;

fn refused(text: &str) -> Option<String> {
    let body = JsonObject::parse(Bytes::from(text.to_owned())).unwrap();
    check_body(&body).err().map(|bad| bad.param.unwrap_or_default())
}

/// M-6, K04: whatever the spelling, a name that stands twice is told by its path.
#[test]
fn a_doubled_name_is_refused() {
    for (text, path) in [
        (r#"{"model":"a","model":"b"}"#, "model"),
        (r#"{"model":"a","x":1,"mod\u0065l":"b"}"#, "model"),
        (r#"{"x_own":1,"x_own":1}"#, "x_own"),
        (r#"{"x\"y":1,"x\"y":1}"#, "x\"y"),
        (r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#, "stream_options.include_usage"),
        (r#"{"messages":[{"role":"user"},{"content":"a","content":[]}]}"#, "messages[1].content"),
        (r#"{"messages":[{"content":[{"type":"text","type":"file"}]}]}"#, "messages[0].content[0].type"),
        (r#"{"tools":[{"function":{"parameters":{"a":{},"b":{"c":1,"c":1}}}}]}"#, "tools[0].function.parameters.b.c"),
        (r#"{"input":[{"role":"user","content":[{"type":"a","type":"b"}]}]}"#, "input[0].content[0].type"),
        (r#"{"":1,"":2}"#, ""),
    ] {
        assert_eq!(refused(text).as_deref(), Some(path), "{text}");
    }
}

/// M-6: a backend that matches names whatever their case, as Go's encoding/json does, would read it.
#[test]
fn a_look_alike_of_a_field_is_refused() {
    for (text, path) in [
        (r#"{"Model":"a"}"#, "Model"),
        (r#"{"MAX_TOKENS":9}"#, "MAX_TOKENS"),
        (r#"{"max_toKens":9}"#, "max_toKens"),
        ("{\"max_to\u{212a}ens\":9}", "max_to\u{212a}ens"),
        ("{\"me\u{17f}\u{17f}ages\":[]}", "me\u{17f}\u{17f}ages"),
        (r#"{"me\u017fsages":[]}"#, "me\u{17f}sages"),
        ("{\"serv\u{130}ce_tier\":1}", "serv\u{130}ce_tier"),
        (r#"{"N":5}"#, "N"),
        (r#"{"stream_options":{"Include_Usage":false}}"#, "stream_options.Include_Usage"),
        (r#"{"messages":[{"role":"user","Content":[]}]}"#, "messages[0].Content"),
        (r#"{"messages":[{"content":[{"Type":"image_url"}]}]}"#, "messages[0].content[0].Type"),
        (r#"{"tools":[{"TYPE":"web_search"}]}"#, "tools[0].TYPE"),
        (r#"{"Max_Output_Tokens":9}"#, "Max_Output_Tokens"),
        (r#"{"Models":["a"]}"#, "Models"),
        (r#"{"system":[{"Type":"text"}]}"#, "system[0].Type"),
        (r#"{"input":[{"Role":"user"}]}"#, "input[0].Role"),
        (r#"{"input":[{"role":"user","content":[{"Image_Url":"a"}]}]}"#, "input[0].content[0].Image_Url"),
        (r#"{"input":[{"type":"function_call_output","output":[{"File_Id":"a"}]}]}"#, "input[0].output[0].File_Id"),
        (r#"{"input":[{"type":"tool_search_output","tools":[{"Type":"a"}]}]}"#, "input[0].tools[0].Type"),
    ] {
        assert_eq!(refused(text).as_deref(), Some(path), "{text}");
    }
}

/// What is nobody's business passes: other names, and names inside texts and schemas.
#[test]
fn other_names_pass() {
    for text in [
        r#"{"model":"a","messages":[{"role":"user","content":"{\"model\":1,\"model\":2}"}]}"#,
        r#"{"models":["a"],"maxTokens":1,"X-Own":1,"x-own":2}"#,
        r#"{"tools":[{"type":"function","function":{"parameters":{"properties":{"Type":{},"Content":{}}}}}]}"#,
        r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#,
        r#"{"metadata":{"Model":"x","model":"y"},"a":{"b":1},"b":{"a":1}}"#,
        r#"{"a":"\\","b":"\"","c":"\ud83d","d":[1,[2,{"a":1}],{"a":1}]}"#,
        "{}",
    ] {
        assert_eq!(refused(text), None, "{text}");
    }
}

/// Many names cost no more than their sorting.
#[test]
fn many_names_are_told_apart() {
    let names: Vec<String> = (0..50_000).map(|n| format!("\"n{n}\":{n}")).collect();
    assert_eq!(refused(&format!("{{{}}}", names.join(","))), None);
    assert_eq!(refused(&format!("{{{},\"n77\":1}}", names.join(","))).as_deref(), Some("n77"));
}

/// A body costs time and memory in proportion to its length, however deep it is.
#[test]
fn what_is_nested_too_deep_is_refused_at_once() {
    let deep = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
        format!(r#"{{"x_own":{open}{{"b":1,"b":2}}{close}}}"#)
    };
    let begun = Instant::now();
    for text in [deep(200_000), format!(r#"{{"x_own":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000))] {
        let body = JsonObject::parse(Bytes::from(text)).unwrap();
        let bad = check_body(&body).unwrap_err();
        assert_eq!(bad.param.as_deref(), Some("x_own"));
        assert!(bad.message.contains("deeper than 128 levels"), "{}", bad.message);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let sound = deep(100).replace(r#","b":2"#, "");
    assert_eq!(refused(&sound), None, "100 levels are fine");
    assert!(check_doubled(sound.as_bytes()).is_ok());
    let told = refused(&deep(120).replace("\"a\"", &format!("\"{}\"", "a".repeat(64)))).unwrap();
    assert!(told.starts_with("x_own.aaa") && told.ends_with("….b") && told.len() < 500, "{told}");
}

#[test]
fn too_many_names_are_refused() {
    let object =
        |count: usize| format!("{{{}}}", (0..count).map(|n| format!("\"n{n}\":1")).collect::<Vec<_>>().join(","));
    assert_eq!(refused(&format!(r#"{{"tools":{}}}"#, object(65_000))), None);
    assert_eq!(refused(&format!(r#"{{"tools":{}}}"#, object(65_536))).as_deref(), Some("tools"));
    let error = JsonObject::parse(Bytes::from(object(65_537))).unwrap_err().to_string();
    assert!(error.contains("65536"), "{error}");
}
