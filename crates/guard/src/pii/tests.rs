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

/// The name of a column stands above what it announces.
#[test]
fn tables_are_read_by_their_columns() {
    let csv = "ho_ten,cmnd,sdt,ma_don\nPhạm Minh Đức,123456789,0987654321,0912345678\nLê An,012345678,0281234567,1\n";
    let redacted = "ho_ten,cmnd,sdt,ma_don\n[NAME_REDACTED],[CMND_REDACTED],[PHONE_REDACTED],0912345678\n\
                    [NAME_REDACTED],[CMND_REDACTED],[PHONE_REDACTED],1\n";
    assert_eq!(redact(csv), redacted);
    let table = "| STT | Họ tên | Ngày sinh | Số tài khoản |\n|---|---|---|---|\n| 1 | Trần Văn Bảy | 02/03/1990 | 1903678901 |\n";
    let redacted = "| STT | Họ tên | Ngày sinh | Số tài khoản |\n|---|---|---|---|\n\
                    | 1 | [NAME_REDACTED] | [DOB_REDACTED] | [BANK_REDACTED] |\n";
    assert_eq!(redact(table), redacted);
    let plain = "Không có bảng nào ở đây, chỉ có cmnd\n123456780, 123456781\nhết rồi";
    assert_eq!(redact(&format!("a,b\n1,2\n\n{plain}")), format!("a,b\n1,2\n\n{}", redact(plain)));
}

/// A text that never ends holds back no more than a bounded part of it, and a secret of any length goes at once.
#[test]
fn what_is_held_back_is_bounded() {
    let texts = [
        "1",
        "a",
        "1 ",
        "A",
        "Nguyễn ",
        "số 1 đường ",
        "a.",
        "a@",
        "\u{200b}",
        "\u{301}",
        "eyJhbGciA1b",
        "+",
        "(",
        "-",
        " ",
        "é",
        "sk-",
        "2001:",
    ];
    for text in texts {
        let mut guard = TextGuard::new(PiiKinds::ALL, "");
        let mut most = 0;
        for _ in 0..4_000 {
            guard.push(text, &mut Named, &mut String::new());
            most = most.max(guard.held());
        }
        assert!(most <= 1_024, "{most} bytes of {text:?}");
    }
}
