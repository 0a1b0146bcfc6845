//! The list of phrases, the scores and the guard of streams.

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
        "dm may",
    ] {
        let highest = scores(text).max(Categories::ALL);
        assert!(highest >= 0.6, "{text}: {highest}");
    }
}
