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

#[test]
fn every_kind_is_found_by_its_rule() {
    let cases = [
        ("CMND 123 456 789", "CMND [CMND_REDACTED]"),
        ("123456789 là số CMND của tôi", "[CMND_REDACTED] là số CMND của tôi"),
        ("số 079095123456 nhé", "số [CCCD_REDACTED] nhé"),
        ("MST: 0101243150-001", "MST: [TAX_REDACTED]"),
        ("số sổ BHXH 7916123456", "số sổ BHXH [BHXH_REDACTED]"),
        ("thẻ DN4790123456789", "thẻ [BHYT_REDACTED]"),
        ("hộ chiếu số B1234567", "hộ chiếu số [PASSPORT_REDACTED]"),
        ("GPLX 790123456789", "GPLX [LICENSE_REDACTED]"),
        ("gọi 0912.345.678 hoặc (028) 3822 1234", "gọi [PHONE_REDACTED] hoặc [PHONE_REDACTED]"),
        ("(415) 555-2671, +1 415 555 2671", "[PHONE_REDACTED], [PHONE_REDACTED]"),
        ("xe 51F-123.45", "xe [PLATE_REDACTED]"),
        ("STK 1903 6789 0123", "STK [BANK_REDACTED]"),
        ("thẻ 9704 1800 0000 0000 018", "thẻ [CARD_REDACTED]"),
        ("sinh ngày 12 tháng 5 năm 1990", "sinh ngày [DOB_REDACTED]"),
        ("born on May 12, 1990", "born on [DOB_REDACTED]"),
        ("ở 12/34 Lê Lợi, P. Bến Nghé, Q.1, TP.HCM nhé", "ở [ADDRESS_REDACTED] nhé"),
        ("thôn Đoài, xã Tân Lập, Hà Nội", "[ADDRESS_REDACTED]"),
        ("at 123 Main Street, Springfield, IL 62701.", "at [ADDRESS_REDACTED]."),
        ("thư tới an.le+1@example.com.vn.", "thư tới [EMAIL_REDACTED]."),
        ("GB82 WEST 1234 5698 7654 32", "[IBAN_REDACTED]"),
        ("113.161.72.15 và 2001:db8::ff00:42:8329", "[IP_REDACTED] và [IP_REDACTED]"),
        ("SSN 078-05-1120", "SSN [SSN_REDACTED]"),
        ("Mr. Smith met Emily Carter", "Mr. [NAME_REDACTED] met [NAME_REDACTED]"),
        ("chị Lan, anh Tuấn Anh", "chị [NAME_REDACTED], anh [NAME_REDACTED]"),
        ("key=sk-proj-Ab1defghijklmnop_qrs-tuv!", "key=[SECRET_REDACTED]!"),
        ("vk-Ab1defghijklmnopqrstuvwxyz012345", "[SECRET_REDACTED]"),
        (
            r"ho_ten,sdt\nNguyễn An,0912345678\t0987654321",
            r"ho_ten,sdt\n[NAME_REDACTED],[PHONE_REDACTED]\t[PHONE_REDACTED]",
        ),
        ("gửi cho nguyễn thị chắt và võ văn kiệm ạ", "gửi cho [NAME_REDACTED] và [NAME_REDACTED] ạ"),
        ("anh Quách Văn Tới hết hạn", "anh [NAME_REDACTED] hết hạn"),
        ("Địa chỉ: Căn hộ 1508, tòa S2.03, Gia Lâm, Hà Nội", "Địa chỉ: [ADDRESS_REDACTED]"),
        ("My name is Oluwaseun Adeyemi and I", "My name is [NAME_REDACTED] and I"),
        (r#"{"lastName": "Vexler", "city": "Vexler"}"#, r#"{"lastName": "[NAME_REDACTED]", "city": "Vexler"}"#),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=\n-----END PRIVATE KEY-----\nxong", "[SECRET_REDACTED]\nxong"),
    ];
    cases.iter().for_each(|(text, redacted)| assert_eq!(redact(text), *redacted));
}

#[test]
fn what_only_looks_like_personal_data_stays() {
    let texts = [
        "123456789",
        "mã đơn hàng 123456789, vận đơn 079095123456",
        "IMEI 356938035643809, ISBN 978-604-1-12345-6",
        "giá 15.990.000đ, doanh thu 123456789 đồng",
        "phiên bản 1.2.3.4, 127.0.0.1, 10.0.0.0/8, 100.000.000.000 đồng",
        "hotline 1900 1234, tổng đài 18001091",
        "ngày 12/05/1990 ký hợp đồng",
        "10.762622, 106.660172",
        "đường Nguyễn Huệ, trường THPT Chu Văn An, công ty Hoàng Anh Gia Lai",
        "cơ quan đại diện, chủ trương, thẩm quyền, thành công",
        "chị em, anh hùng, ông nội, bà con, cô giáo, chú thích",
        "std::vec::Vec, a::b::c, 12:30:45, 00:1A:2B:3C:4D:5E",
        "078-05-11209, 1-800-555-0199, git@github.com:a/b.git",
        "550e8400-e29b-41d4-a716-446655440000",
        r"C:\new\temp, \nabla f, \theta",
        "kỹ sư Mỹ, chuyên gia Nhật",
        "cục quản lý thị trường và sở quản lý văn hóa đã xử lý văn bản",
        "duong le loi rat dong",
        "Upgrade to 12.14.30.118, cập nhật lên 12.14.30.118",
        "The file name is Report Draft.",
    ];
    texts.iter().for_each(|text| assert_eq!(redact(text), *text));
}

/// The ways to write a letter or a digit are one, and what is found is told in bytes of the original.
#[test]
fn findings_are_bytes_of_the_text_as_it_is_written() {
    let nfd = "Nguye\u{302}\u{303}n Va\u{306}n A";
    let text = format!("{nfd}, CMND\u{a0}１２３\u{200b}４５６７８９.");
    let found = find(&text, PiiKinds::ALL, "");
    let values: Vec<&str> = found.iter().map(|finding| &text[finding.range.clone()]).collect();
    assert_eq!(values, [nfd, "１２３\u{200b}４５６７８９"]);
}

#[test]
fn kinds_that_are_not_asked_for_stay() {
    let kinds = PiiKinds::NONE.with(PiiKind::Cmnd);
    let found = find("Nguyễn Văn A, CMND 123456789, key sk-proj-Ab1defghijklmnop_qrs", kinds, "");
    assert_eq!(found.len(), 1);
    let mut guard = TextGuard::new(kinds, "cmnd");
    let mut out = String::new();
    guard.push("123456789, key sk-proj-Ab1defghijklmnop_qrs-tuv xong", &mut Named, &mut out);
    guard.finish(&mut Named, &mut out);
    assert_eq!(out, "[CMND_REDACTED], key sk-proj-Ab1defghijklmnop_qrs-tuv xong");
}

/// "dân số" is the population, but not in "chứng minh nhân dân số".
#[test]
fn the_longest_phrase_decides() {
    assert_eq!(redact("chứng minh nhân dân số 123456789"), "chứng minh nhân dân số [CMND_REDACTED]");
    assert_eq!(redact("căn cước công dân số: 123456789012"), "căn cước công dân số: [CCCD_REDACTED]");
    assert_eq!(redact("dân số 123456789"), "dân số 123456789");
    assert_eq!(redact("id card number 123456789"), "id card number [CMND_REDACTED]");
}
