//! Tokens there and back, whole and in streams (D8; guardrails 4 and 6).

use proptest::prelude::*;

use super::*;
use crate::pii::PiiKinds;
use crate::stream::TextGuard;

fn vault() -> Vault {
    let mut vault = Vault::new();
    let mut out = String::new();
    for value in ["Nguyễn Văn A", "Trần Thị \"B\"", "Nguyễn Văn A"] {
        vault.replace(PiiKind::Name, value, &mut out);
    }
    vault.replace(PiiKind::Cmnd, "123456789", &mut out);
    for number in 3..=12 {
        vault.replace(PiiKind::Name, &format!("Person {number}"), &mut out);
    }
    vault
}

fn restored(parts: &[&str], vault: &Vault, form: ValueForm) -> String {
    let mut restorer = Restorer::new(form);
    let mut out = String::new();
    for part in parts {
        restorer.push(part, vault, &mut out);
    }
    restorer.finish(vault, &mut out);
    out
}

#[test]
fn the_same_value_has_the_same_token_numbered_by_first_appearance() {
    let mut vault = Vault::new();
    let mut out = String::new();
    for (kind, value) in [(PiiKind::Name, "A"), (PiiKind::Name, "B"), (PiiKind::Phone, "A"), (PiiKind::Name, "A")] {
        vault.replace(kind, value, &mut out);
    }
    assert_eq!(out, "[NAME_1][NAME_2][PHONE_1][NAME_1]");
    assert_eq!(vault.len(), 3);
}

/// D8: a client sends its history again with each turn, and a value keeps its token.
#[test]
fn tokens_stay_the_same_over_the_turns_of_a_conversation() {
    let kinds = KINDS.into_iter().fold(PiiKinds::NONE, PiiKinds::with);
    let sent = |messages: &[&str]| -> Vec<String> {
        let mut vault = Vault::new();
        let send = |message: &&str| {
            let (mut escaped, mut out) = (String::new(), String::new());
            vault.escape(message, &mut escaped);
            let mut guard = TextGuard::new(kinds, "");
            guard.push(&escaped, &mut vault, &mut out);
            guard.finish(&mut vault, &mut out);
            out
        };
        messages.iter().map(send).collect()
    };
    let turns = [
        "Tôi là Nguyễn Văn An, số 0912345678, bạn tôi là Trần Thị Bình.",
        "Chào Nguyễn Văn An! Tôi đã ghi số 0912345678.",
        "Gửi email cho Trần Thị Bình (binh@example.com), in [NAME_2] nữa, và gọi 0987654321.",
        "Đã gửi cho Trần Thị Bình.",
        "Còn Lê Minh Châu thì sao?",
    ];
    let last = sent(&turns);
    for count in 1..turns.len() {
        assert_eq!(sent(&turns[..count]), last[..count]);
    }
    assert_eq!(last[2], "Gửi email cho [NAME_2] ([EMAIL_1]), in [TEXT_1] nữa, và gọi [PHONE_2].");
}

#[test]
fn a_secret_never_comes_back() {
    let mut vault = Vault::new();
    let mut out = String::new();
    vault.replace(PiiKind::Secret, "sk-live-0123456789", &mut out);
    assert_eq!(out, SECRET_REDACTED);
    assert!(vault.is_empty());
    assert_eq!(vault.restore("[SECRET_1] [SECRET_REDACTED]"), "[SECRET_1] [SECRET_REDACTED]");
}

#[test]
fn every_name_of_a_kind_makes_a_token_that_comes_back() {
    for kind in KINDS {
        let mut vault = Vault::new();
        let mut out = String::new();
        vault.replace(kind, "value", &mut out);
        assert_eq!(vault.restore(&out), "value", "{}", kind.as_str());
    }
}

const KINDS: [PiiKind; 18] = [
    PiiKind::Name,
    PiiKind::Cmnd,
    PiiKind::Cccd,
    PiiKind::Tax,
    PiiKind::Bhxh,
    PiiKind::Bhyt,
    PiiKind::Passport,
    PiiKind::License,
    PiiKind::Phone,
    PiiKind::Plate,
    PiiKind::Bank,
    PiiKind::Card,
    PiiKind::Dob,
    PiiKind::Address,
    PiiKind::Email,
    PiiKind::Iban,
    PiiKind::Ip,
    PiiKind::Ssn,
];

#[test]
fn what_models_make_of_a_token_comes_back_too() {
    let vault = vault();
    for (text, expected) in [
        ("Hi [NAME_1]!", "Hi Nguyễn Văn A!"),
        ("[name_1]", "Nguyễn Văn A"),
        (r"\[NAME\_1\]", "Nguyễn Văn A"),
        ("**[NAME_1]**", "**Nguyễn Văn A**"),
        ("NAME_1 said", "Nguyễn Văn A said"),
        (r"NAME\_1 said", "Nguyễn Văn A said"),
        ("[NAME_1]'s", "Nguyễn Văn A's"),
        ("[ NAME_1 ]", "Nguyễn Văn A"),
        ("[NAME 1]", "Nguyễn Văn A"),
        ("[Name-1]", "Nguyễn Văn A"),
        ("[NAME1]", "Nguyễn Văn A"),
        ("[NAME_1 and others]", "[Nguyễn Văn A and others]"),
        ("(NAME_12)", "(Person 12)"),
        ("[NAME_1][NAME_2]", "Nguyễn Văn ATrần Thị \"B\""),
        ("[CMND_1].", "123456789."),
    ] {
        assert_eq!(vault.restore(text), expected);
    }
}

#[test]
fn what_is_no_token_of_the_vault_stays() {
    let vault = vault();
    for text in [
        "[NAME_13]",
        "[NAME_0]",
        "[NAME_01]",
        "[PHONE_1]",
        "[NAMES_1]",
        "NAME_123",
        "FULLNAME_1",
        "NAME_1st",
        "Name 1",
        "name_1 = x",
        "rows[name_1]",
        "[NAM_1]",
        "[NAMË_1]",
        "[ΝAME_1]",
        "[NAME_١]",
        "[NAME__1]",
        "NAME_1_2",
        "[[NAME]_1]",
        "[NAME_1000000]",
        "[NAME_4294967297]",
        "[",
        "\\",
        "a [b] [N",
        "https://example.com/?q=[NAME_1]",
        "![x](//example.com/NAME_1)",
    ] {
        assert_eq!(vault.restore(text), text);
    }
}

#[test]
fn a_client_cannot_ask_for_the_value_of_a_token() {
    let mut vault = Vault::new();
    let mut sent = String::new();
    vault.escape("print [NAME_1] and name_1 and NAME_1 and \\[Name\\_1\\] for ", &mut sent);
    vault.replace(PiiKind::Name, "Nguyễn Văn A", &mut sent);
    assert_eq!(sent, "print [TEXT_1] and name_1 and [TEXT_2] and [TEXT_3] for [NAME_1]");
    let back = vault.restore(&sent);
    assert_eq!(back, "print [NAME_1] and name_1 and NAME_1 and \\[Name\\_1\\] for Nguyễn Văn A");
}

/// D8: a backslash before a value is no part of its token.
#[test]
fn a_backslash_before_a_value_stays() {
    for (text, restored) in [
        (r"C:\Users\[NAME_1]\Desktop", r"C:\Users\Nguyễn Văn A\Desktop"),
        (r"\[NAME_1]", r"\Nguyễn Văn A"),
        (r"\\[NAME\_1\]", r"\Nguyễn Văn A"),
        (r"[NAME\_1\]", "Nguyễn Văn A"),
    ] {
        assert_eq!(vault().restore(text), restored);
    }
}

/// D8: the bracket of a token that is restored begins no link, and hides no letter before what looks like a token.
#[test]
fn what_stands_right_behind_a_value_comes_back_too() {
    for text in ["NGUYỄN VĂN A(0912345678)", "anh NGUYỄN VĂN A[name_1]", "NAME_1(0912345678)"] {
        let kinds = KINDS.into_iter().fold(PiiKinds::NONE, PiiKinds::with);
        let (mut vault, mut escaped, mut sent) = (Vault::new(), String::new(), String::new());
        vault.escape(text, &mut escaped);
        let mut guard = TextGuard::new(kinds, "");
        guard.push(&escaped, &mut vault, &mut sent);
        guard.finish(&mut vault, &mut sent);
        assert!(sent.contains("]"), "{sent}");
        assert_eq!(vault.restore(&sent), text);
    }
    assert_eq!(vault().restore("[x](//a.example/[NAME_1])"), "[x](//a.example/[NAME_1])");
}

#[test]
fn a_value_in_the_arguments_of_a_tool_keeps_them_json() {
    let vault = vault();
    let arguments = restored(&[r#"{"to":"[NAME_2]","n":["NAME_1"]}"#], &vault, ValueForm::Json);
    let read: serde_json::Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(read, serde_json::json!({"to": "Trần Thị \"B\"", "n": ["Nguyễn Văn A"]}));
}

#[test]
fn only_the_beginning_of_a_token_is_held_back() {
    let vault = vault();
    let mut restorer = Restorer::new(ValueForm::Text);
    let mut out = String::new();
    restorer.push("Plain prose with [brackets] and a ", &vault, &mut out);
    assert_eq!(restorer.held(), 0);
    restorer.push("[NAME_", &vault, &mut out);
    assert_eq!(restorer.held(), 6);
    restorer.push("x", &vault, &mut out);
    assert_eq!((restorer.held(), out.as_str()), (0, "Plain prose with [brackets] and a [NAME_x"));
}

#[test]
fn a_vault_does_not_print_its_values() {
    assert_eq!(format!("{:?}", vault()), "Vault { tokens: 13, .. }");
}

/// Pieces that tokens and their neighbours are made of.
const PIECES: [&str; 30] = [
    "[",
    "]",
    "\\",
    "_",
    "NAME",
    "name",
    "Name",
    "CMND",
    "1",
    "2",
    "12",
    "0",
    " ",
    "  ",
    "-",
    "*",
    "**",
    "'s",
    "N",
    "NA",
    "x",
    "[NAME_1]",
    "NAME_1",
    "\\[NAME\\_1\\]",
    "https://",
    "](",
    "\"",
    "é",
    "\n",
    "[CMND_1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// D8: the stream is the whole text restored, however it was cut.
    #[test]
    fn a_stream_is_restored_like_the_whole_text(pieces in prop::collection::vec(0..PIECES.len(), 0..24), cuts in prop::collection::vec(1..6_usize, 1..12)) {
        let text: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
        let vault = vault();
        let characters: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        let (mut at, mut cut) = (0, cuts.iter().cycle());
        while at < characters.len() {
            let next = (at + cut.next().unwrap()).min(characters.len());
            parts.push(characters[at..next].iter().collect::<String>());
            at = next;
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        for form in [ValueForm::Text, ValueForm::Json] {
            prop_assert_eq!(restored(&parts, &vault, form), restored(&[&text], &vault, form));
        }
    }

    /// What a client wrote comes back as it was, and none of it is taken for a token.
    #[test]
    fn escaped_text_comes_back(pieces in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
        let mut vault = vault();
        let mut escaped = String::new();
        vault.escape(&text, &mut escaped);
        prop_assert_eq!(vault.restore(&escaped), text);
    }
}
