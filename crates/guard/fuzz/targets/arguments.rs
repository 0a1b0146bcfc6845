//! The arguments of tools: a stream gives what the whole text gives, and what was JSON stays JSON of the same shape.

#![no_main]

use gateway_guard::json_strings::{ArgumentsGuard, redact_json};
use gateway_guard_fuzz::{Input, Named};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Names of fields that are cues, and some that are none.
const KEYS: [&str; 8] = ["cmnd", "note", "soDienThoai", "customer_name", "order_id", "địa chỉ", "a\"b", "so_tai_khoan"];

fuzz_target!(|data: &[u8]| {
    let Some(mut input) = Input::new(data) else { return };
    let (kinds, form) = (input.kinds(), input.choose(4));
    let mut text = input.text();
    if form > 0 {
        text = value(&mut text.split('\0'), 0).to_string();
    }
    if form == 3 {
        text = escaped(&text);
    }
    let mut guard = ArgumentsGuard::new(kinds);
    let mut out = String::new();
    input.parts(&text).iter().for_each(|part| guard.push(part, &mut Named, &mut out));
    guard.finish(&mut Named, &mut out);
    assert_eq!(guard.held(), 0);
    assert_eq!(out, redact_json(&text, kinds, &mut Named), "a stream differs from the whole text");
    if text.starts_with(['{', '[']) && serde_json::from_str::<Value>(&text).is_ok() {
        assert!(serde_json::from_str::<Value>(&out).is_ok(), "no JSON: {out}");
        assert_eq!(shape(&out), shape(&text));
    }
});

/// A value of some texts: the first character of each tells what it becomes.
fn value<'a>(texts: &mut impl Iterator<Item = &'a str>, depth: usize) -> Value {
    let text = texts.next().unwrap_or_default();
    let mut chars = text.chars();
    let choice = chars.next().map_or(0, |first| first as usize);
    let rest = chars.as_str();
    match choice % 8 {
        0..3 if depth < 6 => {
            let mut object = serde_json::Map::new();
            for index in 0..=choice / 8 % 4 {
                let key = if index == 3 { rest } else { KEYS[(choice / 3 + index) % KEYS.len()] };
                object.insert(key.to_owned(), value(texts, depth + 1));
            }
            Value::Object(object)
        }
        3 if depth < 6 => (0..=choice / 8 % 3).map(|_| value(texts, depth + 1)).collect(),
        4 => rest.parse::<i64>().map_or(json!(choice as u64 * 1_234_567_891), Value::from),
        5 => json!(rest.parse::<f64>().unwrap_or_default()),
        6 => [json!(null), json!(true), json!(false)][choice / 8 % 3].clone(),
        _ => Value::from(text),
    }
}

/// A JSON text with all that is not ASCII as escapes.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

/// A JSON text with a point for each string and each number.
fn shape(text: &str) -> String {
    let (mut shape, mut chars) = (String::new(), text.chars().peekable());
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                while let Some(inner) = chars.next().filter(|inner| *inner != '"') {
                    if inner == '\\' {
                        chars.next();
                    }
                }
                shape.push('.');
            }
            '-' | '0'..='9' => {
                while chars.next_if(|next| next.is_ascii_alphanumeric() || ".+-".contains(*next)).is_some() {}
                shape.push('.');
            }
            _ => shape.push(char),
        }
    }
    shape
}
