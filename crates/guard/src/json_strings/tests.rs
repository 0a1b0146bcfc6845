use super::*;
use crate::pii::PiiKind;

/// Writes the name of a kind.
struct Named;

impl Replacer for Named {
    fn replace(&mut self, kind: PiiKind, _: &str, out: &mut String) {
        out.push_str(&format!("[{}_REDACTED]", kind.as_str()));
    }
}

fn in_parts(text: &str, size: usize) -> String {
    let mut guard = ArgumentsGuard::new(PiiKinds::ALL);
    let mut out = String::new();
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).for_each(|part| guard.push(&part.iter().collect::<String>(), &mut Named, &mut out));
    guard.finish(&mut Named, &mut out);
    assert_eq!(guard.held(), 0);
    out
}

fn redact(text: &str) -> String {
    let whole = redact_json(text, PiiKinds::ALL, &mut Named);
    (1..=text.chars().count()).for_each(|size| assert_eq!(in_parts(text, size), whole, "parts of {size}"));
    whole
}

/// D8: the name of a field is a cue, and a value that is split over any boundary never leaves.
#[test]
fn values_are_found_by_the_names_of_their_fields() {
    let cases = [
        (r#"{"cmnd":"123456789"}"#, r#"{"cmnd":"[CMND_REDACTED]"}"#),
        (r#"{"cmnd": 123456789, "order_id": 123456789}"#, r#"{"cmnd": "[CMND_REDACTED]", "order_id": 123456789}"#),
        (r#"{"cccd":79095123456}"#, r#"{"cccd":"[CCCD_REDACTED]"}"#),
        (r#"{"soDienThoai":912345678,"total":350000000}"#, r#"{"soDienThoai":"[PHONE_REDACTED]","total":350000000}"#),
        (r#"{"phones":["0912345678",{"x":1.5}],"ok":true}"#, r#"{"phones":["[PHONE_REDACTED]",{"x":1.5}],"ok":true}"#),
        (r#"{"account_number":"0071000123456"}"#, r#"{"account_number":"[BANK_REDACTED]"}"#),
        (r#"{"0912345678":null}"#, r#"{"[PHONE_REDACTED]":null}"#),
        (r#"{"ngay_sinh":"1990-05-12"}"#, r#"{"ngay_sinh":"[DOB_REDACTED]"}"#),
        (r#"{"created":"1990-05-12"}"#, r#"{"created":"1990-05-12"}"#),
    ];
    cases.iter().for_each(|(text, redacted)| assert_eq!(redact(text), *redacted));
}

#[test]
fn escapes_are_read_and_written_again() {
    let text = r#"{"ghi_chu":"Kh\u00e1ch Nguy\u1ec5n V\u0103n A\n\"CMND\" 123456789 \ud83d\ude00 \u0001"}"#;
    let redacted = r#"{"ghi_chu":"Khách [NAME_REDACTED]\n\"CMND\" [CMND_REDACTED] 😀 \u0001"}"#;
    assert_eq!(redact(text), redacted);
}

#[test]
fn what_is_no_json_is_plain_text() {
    assert_eq!(redact("Nguyễn Văn A, CMND 123456789"), "[NAME_REDACTED], CMND [CMND_REDACTED]");
    assert_eq!(redact(r#"{"a": CMND 123456789"#), r#"{"a": CMND [CMND_REDACTED]"#);
    assert_eq!(redact(r#"{"a":"CMND 123456789"#), r#"{"a":"CMND [CMND_REDACTED]"#);
    assert_eq!(redact("]"), "]");
}

/// D8: what only begins like JSON is plain text from its first character.
#[test]
fn d8_what_begins_like_json_is_plain_text() {
    let cases = [
        ("0912 345 678 là số", "[PHONE_REDACTED] là số"),
        ("4111 1111 1111 1111", "[CARD_REDACTED]"),
        ("123456789 là số CMND của tôi", "[CMND_REDACTED] là số CMND của tôi"),
        ("192.168.10.20", "[IP_REDACTED]"),
        (r#"{"a":1}0912 345 678"#, r#"{"a":1}[PHONE_REDACTED]"#),
        (r#"{"a":0912 345 678}"#, r#"{"a":[PHONE_REDACTED]}"#),
        (r#"{"a":[true, null ,false]} gọi 0912345678"#, r#"{"a":[true, null ,false]} gọi [PHONE_REDACTED]"#),
        (r#"{"cmnd":-123456789,"so_cmnd":123456789.0 }"#, r#"{"cmnd":"[CMND_REDACTED]","so_cmnd":"[CMND_REDACTED]" }"#),
    ];
    cases.iter().for_each(|(text, redacted)| assert_eq!(redact(text), *redacted));
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----";
    assert!(redact(key).contains("[SECRET_REDACTED]"), "{}", redact(key));
    for name in ["trần văn bình ở đây", "[trần văn bình ở đây"] {
        assert_eq!(redact(name), redact(&format!(" {name}")).trim_start());
        let mut guard = TextGuard::new(PiiKinds::ALL, "");
        let mut whole = String::new();
        guard.push(name, &mut Named, &mut whole);
        guard.finish(&mut Named, &mut whole);
        assert_eq!(redact(name), whole);
    }
}

#[test]
fn a_text_of_any_depth_is_read_with_little_memory() {
    let deep = "[".repeat(100_000);
    assert_eq!(redact_json(&deep, PiiKinds::ALL, &mut Named), deep);
}
