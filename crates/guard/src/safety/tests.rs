//! The list of phrases, the scores and the guard of streams.

use proptest::prelude::*;

use super::*;

#[test]
fn every_line_of_the_lists_makes_sense() {
    assert_eq!(LEXICON.1, Vec::<String>::new());
    assert!(warm_up() > 150);
}

#[test]
fn disguises_do_not_help() {
    for text in [
        "I will kill you",
        "k1ll y0u",
        "I want to kiiiill you",
        "i w\u{200b}ill ki\u{200b}ll you",
        "Ｉ ｗｉｌｌ ｋｉｌｌ ｙｏｕ",
        "tao sẽ giết mày",
        "tao se giet may, giet ca nha may",
        "đ.ị.t m.ẹ mày",
        "đ ị t m ẹ",
        "f u c k  y o u",
        "f u c k y o u",
        "dm may",
    ] {
        let highest = scores(text).max(Categories::ALL);
        assert!(highest >= 0.6, "{text}: {highest}");
    }
}

#[test]
fn plain_and_technical_talk_is_clean() {
    for text in [
        "Run kill -9 to kill the process.",
        "Scunthorpe United lost at home.",
        "Execute the script and abort if it fails.",
        "Cái lồng chim này giá bao nhiêu?",
        "Máy bay bắn phá thành phố suốt đêm.",
        "How to make a bath bomb at home?",
        "Cách làm bom tắm từ baking soda.",
    ] {
        assert!(scores(text).max(Categories::ALL) < 0.5, "{text}: {:?}", scores(text));
    }
}

#[test]
fn a_text_that_reports_or_helps_weighs_less_than_one_that_asks() {
    let asks = scores("I want to buy cocaine online.").get(Category::Illicit);
    let reports = scores("Police arrested a man who tried to buy cocaine online.").get(Category::Illicit);
    assert!(asks > 0.8 && reports < 0.6, "{asks} {reports}");
    let threat = "I will kill you";
    assert_eq!(
        scores(&format!("{threat}, says the news")).get(Category::Violence),
        scores(threat).get(Category::Violence)
    );
}

#[test]
fn a_negation_turns_a_hit_around() {
    assert!(scores("Do not kill yourself, please.").max(Categories::ALL) < 0.5);
    assert!(scores("Đừng tự tử, hãy gọi cho mình.").max(Categories::ALL) < 0.5);
}

#[test]
fn a_category_is_known_by_its_name() {
    for category in Category::all() {
        assert_eq!(category.as_str().parse(), Ok(category));
    }
    assert_eq!(Category::all().count(), Category::COUNT);
    assert_eq!("Harassment".parse::<Category>(), Err(()));
    assert_eq!(Category::SexualMinors.as_str(), "sexual/minors");
}

/// "Config: unknown type/action, threshold 1.5, empty category list": a threshold is a number from 0 to 1.
#[test]
fn a_threshold_is_a_number_from_0_to_1() {
    for threshold in [-0.1, 1.1, 1.5, f64::NAN, f64::INFINITY] {
        assert_eq!(Thresholds::new(threshold, Categories::ALL), None);
        assert_eq!(Thresholds::new(0.5, Categories::ALL).and_then(|all| all.with(Category::Hate, threshold)), None);
    }
}

#[test]
fn only_chosen_categories_and_their_thresholds_count() {
    let mut found = Scores::default();
    found.raise(Category::Hate, 0.7);
    found.raise(Category::Sexual, 0.9);
    let hate = Thresholds::new(0.8, Categories::NONE.with(Category::Hate)).unwrap();
    assert_eq!(hate.reached(&found), None);
    assert_eq!(hate.with(Category::Hate, 0.6).unwrap().reached(&found), Some((Category::Hate, 0.7)));
    assert_eq!(
        Thresholds::new(0.0, Categories::ALL).unwrap().reached(&Scores::default()).map(|(_, score)| score),
        Some(0.0)
    );
}

/// What a guard makes of a text in parts: its verdict, what it let go, and its scores.
fn guarded(parts: &[String], thresholds: Thresholds) -> (SafetyVerdict, String, Scores) {
    let mut guard = SafetyGuard::new(thresholds);
    let mut out = String::new();
    for part in parts {
        guard.push(part, &mut out);
    }
    let verdict = guard.finish(&mut out);
    (verdict, out, guard.scores())
}

/// D8: "a token split over any chunk boundary never reaches the client".
#[test]
fn nothing_of_a_hit_is_let_go_whatever_the_cut() {
    let text = "Hello there, my friend. I will kill you tomorrow, and that is all that I have to say.";
    let thresholds = Thresholds::new(0.8, Categories::ALL).unwrap();
    for size in 1..text.len() {
        let characters: Vec<char> = text.chars().collect();
        let parts: Vec<String> = characters.chunks(size).map(|part| part.iter().collect()).collect();
        let (verdict, out, _) = guarded(&parts, thresholds);
        assert!(matches!(verdict, SafetyVerdict::Reached { at: 39, .. }), "{size}: {verdict:?}");
        assert_eq!(out, "Hello there, my friend. ", "{size}");
    }
}

#[test]
fn plain_prose_is_held_for_a_few_words_only() {
    let mut guard = SafetyGuard::new(Thresholds::new(0.8, Categories::ALL).unwrap());
    let mut out = String::new();
    for word in "The parent process stops its children and writes a log line about each of them".split_inclusive(' ') {
        guard.push(word, &mut out);
        assert!(guard.held() <= 32, "{}", guard.held());
    }
    guard.finish(&mut out);
    assert!(out.ends_with("each of them"));
}

/// Pieces of hits, of cues and of disguises.
const PIECES: [&str; 44] = [
    "I will",
    "kill",
    "you",
    " ",
    " ",
    " ",
    ". ",
    "\n",
    "how to make a ",
    "bomb",
    "bath ",
    "k",
    "i",
    "l",
    "đ.ị.t",
    "m.ẹ",
    "mày",
    "tao",
    "sẽ ",
    "giết ",
    "police",
    "hỗ trợ",
    "don't ",
    "kiiiill",
    "k1ll",
    "\u{200b}",
    "porn",
    "you bitch",
    "fuck",
    ", ",
    "!",
    "-",
    "e\u{301}",
    "the",
    "process",
    "nghiên cứu",
    "want to die",
    "I ",
    "f*ck",
    "chết",
    "đi",
    "khongdau",
    "😀",
    "murder massacre torture ",
];

/// A text of pieces, and the same text cut into parts.
fn cut_text() -> impl Strategy<Value = (String, Vec<String>)> {
    let pieces = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40);
    (pieces, prop::collection::vec(1..12_usize, 1..16)).prop_map(|(pieces, cuts)| {
        let text = pieces.concat();
        let mut rest: Vec<char> = text.chars().collect();
        let (mut parts, mut cut) = (Vec::new(), cuts.iter().cycle());
        while !rest.is_empty() {
            let after = rest.split_off((*cut.next().unwrap()).min(rest.len()));
            parts.push(rest.iter().collect());
            rest = after;
        }
        (text, parts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]

    /// D8: "for fuzzed splices (not only corpus lines) and any re-chunking", the stream has the verdict of the whole text.
    #[test]
    fn a_stream_has_the_verdict_of_the_whole_text((text, parts) in cut_text(), threshold in 0.3..1.0_f64) {
        let thresholds = Thresholds::new(threshold, Categories::ALL).unwrap();
        let (verdict, out, found) = guarded(&parts, thresholds);
        let whole = guarded(std::slice::from_ref(&text), thresholds);
        prop_assert_eq!((verdict, &out), (whole.0, &whole.1));
        prop_assert_eq!(verdict != SafetyVerdict::Clear, thresholds.reached(&scores(&text)).is_some());
        match verdict {
            SafetyVerdict::Clear => prop_assert_eq!((out, found), (text.clone(), scores(&text))),
            SafetyVerdict::Reached { at, .. } => prop_assert!(text.starts_with(&out) && out.len() < at),
        }
    }

    /// A guard that only looks never stops, and ends with the scores of the whole text.
    #[test]
    fn a_guard_without_categories_lets_all_go((text, parts) in cut_text()) {
        let (verdict, out, found) = guarded(&parts, Thresholds::new(1.0, Categories::NONE).unwrap());
        prop_assert_eq!((verdict, out, found), (SafetyVerdict::Clear, text.clone(), scores(&text)));
    }
}

/// The corpora that the lists were tuned on, by label and text.
fn tuned() -> impl Iterator<Item = (Option<Category>, &'static str)> {
    let corpora = [
        include_str!("../../corpora/safety_tune.txt"),
        include_str!("../../corpora/safety_tune_2.txt"),
        include_str!("../../corpora/safety_tune_3.txt"),
    ];
    let lines = corpora.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t')).map(|(label, text)| (label.parse().ok(), text))
}

fn is_unsafe(text: &str) -> bool {
    scores(text).max(Categories::ALL) >= 0.8
}

#[test]
fn the_lists_find_what_they_were_tuned_on_and_leave_clean_lines_alone() {
    let (bad, clean): (Vec<_>, Vec<_>) = tuned().partition(|(category, _)| category.is_some());
    let found = bad.iter().filter(|(_, text)| is_unsafe(text)).count();
    assert!(found * 100 >= bad.len() * 95, "{found} of {}", bad.len());
    let alarms: Vec<_> = clean.iter().filter(|(_, text)| is_unsafe(text)).collect();
    assert!(alarms.is_empty(), "{alarms:?}");
}

/// "Transform matrix: lower, no-diacritics, UPPER, NFD, NBSP, full-width, zero-width."
#[test]
fn another_spelling_of_a_line_has_the_same_scores() {
    use unicode_normalization::UnicodeNormalization;

    let full_width = |letter: char| match letter {
        '!'..='~' if letter.is_ascii_alphanumeric() => char::from_u32(letter as u32 + 0xfee0).unwrap(),
        other => other,
    };
    for (_, text) in tuned() {
        let spellings = [
            text.to_lowercase(),
            text.to_uppercase(),
            text.nfd().collect(),
            text.replace(' ', "\u{a0}"),
            text.chars().map(full_width).collect(),
            text.chars().flat_map(|letter| [letter, '\u{200b}']).collect(),
        ];
        for spelling in spellings {
            assert_eq!(scores(&spelling), scores(text), "{spelling}");
        }
    }
}
