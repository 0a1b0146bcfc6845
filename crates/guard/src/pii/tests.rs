use super::*;
use crate::stream::{Replacer, TextGuard};

/// Writes the name of a kind.
struct Named;

impl Replacer for Named {
    fn replace(&mut self, kind: PiiKind, _: &str, out: &mut String) {
        out.push_str(&format!("[{}_REDACTED]", kind.as_str()));
    }
}

/// A text with its personal data replaced.
fn redact(text: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for finding in find(text, PiiKinds::ALL, "") {
        out.push_str(&text[at..finding.range.start]);
        out.push_str(&format!("[{}_REDACTED]", finding.kind.as_str()));
        at = finding.range.end;
    }
    out + &text[at..]
}

#[test]
fn the_line_of_the_example_is_redacted_exactly() {
    assert_eq!(redact("Nhân viên Nguyễn Văn A, CMND 123456789"), "Nhân viên [NAME_REDACTED], CMND [CMND_REDACTED]");
}

/// D8: a value that is split over any boundary never leaves.
#[test]
fn a_stream_is_redacted_as_the_whole_text_is_however_it_is_cut() {
    let text = "Khách Nguyễn Thị Mai Hương, CMND 123 456 789, sđt 0912.345.678, ở số 12 ngõ 5 đường Láng, phường Láng Hạ, \
                quận Đống Đa, Hà Nội; key sk-proj-abcdefghijklmnop1234567890abcdef, thẻ 4111 1111 1111 1111.";
    for size in 1..=text.chars().count() {
        let chars: Vec<char> = text.chars().collect();
        let mut guard = TextGuard::new(PiiKinds::ALL, "");
        let mut out = String::new();
        chars.chunks(size).for_each(|part| guard.push(&part.iter().collect::<String>(), &mut Named, &mut out));
        guard.finish(&mut Named, &mut out);
        assert_eq!(out, redact(text), "parts of {size} characters");
    }
}
