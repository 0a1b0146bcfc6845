//! The outline, beside what serde_json reads.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::*;
use crate::names::check_doubled;

/// The fields, and whether all names are plain.
fn read(text: &[u8]) -> Option<(Vec<(&str, &str)>, bool)> {
    let mut fields = Vec::new();
    let part = |range: Range<usize>| std::str::from_utf8(&text[range]).unwrap();
    let is_plain = outline(text, |name, value| fields.push((part(name), part(value))))?;
    Some((fields, is_plain))
}

#[test]
fn fields_are_found_where_they_stand() {
    let text = br#" { "a" : "x\"y\u00e9" , "b2":[1, {"c":-0.5e+3}, [], {}],"d_":null,"e":true,"f" :false } "#;
    let fields = vec![
        ("a", r#""x\"y\u00e9""#),
        ("b2", r#"[1, {"c":-0.5e+3}, [], {}]"#),
        ("d_", "null"),
        ("e", "true"),
        ("f", "false"),
    ];
    assert_eq!(read(text), Some((fields, true)));
    assert_eq!(read(b"{}"), Some((Vec::new(), true)));
}

#[test]
fn names_that_others_must_look_at_are_told() {
    for (text, is_plain) in [
        (r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}"#, true),
        (r#"{"a":1,"a":2}"#, false),
        (r#"{"x":[{"a":1,"b":2,"a":2}]}"#, false),
        (r#"{"x":{"Model":1}}"#, false),
        (r#"{"$x":1}"#, false),
    ] {
        assert_eq!(read(text.as_bytes()).unwrap().1, is_plain, "{text}");
    }
    let many: Vec<String> = (0..=MAX_NAMES).map(|n| format!("\"n{n}\":0")).collect();
    assert!(!read(format!("{{{}}}", many.join(",")).as_bytes()).unwrap().1);
    for text in [r#"{"\u0061":1}"#, "{\"é\":1}", "{\"a\nb\":1}"] {
        assert_eq!(read(text.as_bytes()), None, "{text}");
    }
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(deep(MAX_DEPTH).as_bytes()).is_some() && read(deep(MAX_DEPTH + 1).as_bytes()).is_none());
}

/// Whatever is taken is JSON, with the same fields, and with names that are told apart; most JSON is taken. The texts are
/// those of a small generator, whole and with one byte changed.
#[test]
fn nothing_is_taken_that_serde_json_refuses() {
    let pieces: [&[u8]; 34] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"a\"",
        b"\"b\"",
        b"\"A\"",
        b"\"\"",
        b"\"a\\n\\u12aF\"",
        b"\"\\x\"",
        b"\"\\u12\"",
        b"\"long text of more than sixteen bytes, \\\" and \\\\\"",
        b"\"\x01\"",
        b"0",
        b"-1",
        b"01",
        b"1.",
        b"1.5",
        b"2e",
        b"2E-7",
        b"-",
        b"true",
        b"t",
        b"false",
        b"null",
        b" ",
        b"\n",
        b"{\"a\":",
        b"{\"a\":1}",
        b"[1,2]",
        b"\"a\":1",
        b"\xc3",
    ];
    let (mut state, mut taken) = (7_u64, 0);
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..300_000 {
        let mut text = b"{\"k\":".to_vec();
        (0..1 + random(6)).for_each(|_| text.extend_from_slice(pieces[random(pieces.len())]));
        text.push(b'}');
        if round % 3 == 0 {
            let at = random(text.len());
            text[at] = [b'"', b'\\', b'{', b'}', b',', b'0', b' '][random(7)];
        }
        let Some((fields, is_plain)) = (std::str::from_utf8(&text).is_ok()).then(|| read(&text)).flatten() else {
            continue;
        };
        taken += 1;
        let shown = String::from_utf8_lossy(&text);
        let read: HashMap<&str, &RawValue> =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {shown}"));
        if is_plain {
            assert_eq!(read.len(), fields.len(), "{shown}");
            assert!(check_doubled(&text).is_ok(), "{shown}");
        }
        let last: HashMap<&str, &str> = fields.into_iter().collect();
        assert!(read.iter().all(|(name, raw)| last.get(name) == Some(&raw.get())), "{shown}");
    }
    assert!(taken > 10_000, "{taken}");
}
