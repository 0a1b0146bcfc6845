use proptest::prelude::*;

use super::super::differs;
use super::pairs::texts;

/// Words that the rules look at, so that random sentences of them take every path.
const WORDS: [&str; 48] = [
    "how", "When", "not", "enable", "disable", "from", "to", "10k", "5%", "$20", "kg", "v2.1", "PO-77", "all", "only",
    "must", "can", "Paris", "US", "manager", "employee", "before", "the", "invoice,", "approve.", "by", "May",
    "30-day", "không", "chưa", "bật", "tắt", "từ", "sang", "Hà", "Nội", "năm", "triệu", "ngày", "được", "nhân", "viên",
    "ạ", "hoá", "anh", "ai", "đã", "-5",
];

fn sentence() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..12);
    prop_oneof![
        words.prop_map(|words| words.join(" ")),
        prop::sample::select(texts()).prop_map(str::to_owned),
        "\\PC{0,40}"
    ]
}

/// A text whose first letter has the other case, where that is one letter for one.
fn other_case(text: &str) -> Option<String> {
    let first = text.chars().next()?;
    let other: String =
        if first.is_lowercase() { first.to_uppercase().collect() } else { first.to_lowercase().collect() };
    let back: String = other.to_lowercase();
    (first.is_alphabetic() && back == first.to_lowercase().to_string()).then(|| other + &text[first.len_utf8()..])
}

proptest! {
    /// F3: it does not matter which question was asked first.
    #[test]
    fn f3_either_way_round(a in sentence(), b in sentence()) {
        prop_assert_eq!(differs(&a, &b).is_some(), differs(&b, &a).is_some());
    }

    /// F3: a question never differs from itself, however it is spaced and ended.
    #[test]
    fn f3_a_question_is_itself(text in sentence()) {
        prop_assert_eq!(differs(&text, &text), None);
        let spaced = text.split_whitespace().collect::<Vec<_>>().join(" \n ");
        prop_assert_eq!(differs(&text, &format!("  {spaced} ")), None);
    }

    /// F3: neither the case of the first letter nor the final punctuation matters.
    #[test]
    fn f3_the_outer_form_does_not_matter(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 1..12)) {
        let text = words.join(" ");
        for end in ["?", ".", "!", "…", " ?", "?!"] {
            prop_assert_eq!(differs(&text, &format!("{text}{end}")), None, "{}", end);
        }
        if let Some(other) = other_case(&text) {
            prop_assert_eq!(differs(&text, &other), None, "{}", other);
        }
    }

    /// F3: and that holds for natural questions too.
    #[test]
    fn f3_natural_questions_in_other_forms(text in prop::sample::select(texts())) {
        let bare = text.trim_end_matches(['?', '.', '!']);
        prop_assert_eq!(differs(text, bare), None);
        if let Some(other) = other_case(text) {
            prop_assert_eq!(differs(text, &other), None, "{}", other);
        }
    }
}
