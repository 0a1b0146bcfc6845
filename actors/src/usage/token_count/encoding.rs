//! OpenAI's newest encoding, kept from texts that it cannot bear.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use super::estimate;
use super::pieces::Pieces;

/// Bytes that are encoded at a time.
const PIECE: usize = 64 << 10;

/// Bytes of a text up to which all of it is counted; of a longer one samples are.
const MAX_EXACT: usize = 256 << 10;

/// How many samples are taken of a long text, and the bytes of each.
const SAMPLES: usize = 64;
const SAMPLE: usize = 2 << 10;

/// Whether the encoding stands in memory.
static LOADED: AtomicBool = AtomicBool::new(false);

/// Loads the encoding, which takes about a tenth of a second: keep it off the worker threads.
pub(super) fn load() {
    tiktoken_rs::o200k_base_singleton();
    LOADED.store(true, Ordering::Release);
}

/// Whether a count would not have to load the encoding first.
pub(super) fn is_loaded() -> bool {
    LOADED.load(Ordering::Acquire)
}

/// Tokens of a text by OpenAI's newest encoding, exact up to 256 KiB and by samples beyond. Other vendors' encodings
/// differ by some percent.
pub fn count(text: &str) -> u64 {
    count_unless(&|| false, text).unwrap_or_else(|| estimate(text.len()))
}

/// The same; none once `give_up` says so, which it is asked every few milliseconds.
pub(super) fn count_unless(give_up: &dyn Fn() -> bool, text: &str) -> Option<u64> {
    if text.len() <= MAX_EXACT {
        return sum(give_up, text);
    }
    let (mut bytes, mut tokens) = (0, 0);
    for sample in samples(text) {
        bytes += sample.len() as u64;
        tokens += sum(give_up, sample)?;
    }
    Some(scaled(tokens, text.len() as u64, bytes))
}

fn sum(give_up: &dyn Fn() -> bool, text: &str) -> Option<u64> {
    let mut tokens = 0;
    for piece in Pieces::new(text, PIECE) {
        if give_up() {
            return None;
        }
        tokens += count_piece(piece);
    }
    Some(tokens)
}

/// Tokens of a piece. The encoding may panic on a text that nobody thought of: see [`unless_panic`].
pub(super) fn count_piece(piece: &str) -> u64 {
    #[cfg(test)]
    assert!(!piece.contains(PANICS), "as a text that the encoding cannot bear");
    tiktoken_rs::o200k_base_singleton().encode_ordinary(piece).len() as u64
}

/// A text on which counting panics, in tests.
#[cfg(test)]
pub(super) const PANICS: &str = "\u{10ffff}";

/// What `count` gives, or none where it panics.
pub(super) fn unless_panic<T>(count: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(count)).ok()
}

/// Parts of a long text, evenly spread.
pub(super) fn samples(text: &str) -> impl Iterator<Item = &str> {
    let step = text.len() / SAMPLES;
    (0..SAMPLES).filter_map(move |number| {
        let start = text.floor_char_boundary(number * step);
        text.get(start..text.floor_char_boundary(start + SAMPLE.min(step)))
    })
}

/// What `tokens` of `bytes` come to for `all` bytes.
pub(super) fn scaled(tokens: u64, all: u64, bytes: u64) -> u64 {
    let whole = u128::from(tokens) * u128::from(all) / u128::from(bytes.max(1));
    u64::try_from(whole).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const PARAGRAPH: &str = "It was the best of times, it was the worst of times: 1,859 pages\n\n  - of \"wisdom\", and\tof \
        foolishness. Đó là thời kỳ tốt đẹp nhất; c'était l'âge de la foi. 那是最美好的时代，那是最糟糕的时代。\n";

    fn exactly(text: &str) -> u64 {
        tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len() as u64
    }

    /// C5: what is short, or has words, is counted as the encoding does.
    #[test]
    fn c5_usual_texts_are_counted_exactly() {
        for text in ["", " ", "Hello world", "\n\n/a\n/b", "  two  blanks  ", PARAGRAPH, &PARAGRAPH.repeat(1_000)] {
            assert_eq!(count(text), exactly(text), "{} bytes", text.len());
        }
        let small: u64 = Pieces::new(&PARAGRAPH.repeat(20), 256).map(count_piece).sum();
        let whole = exactly(&PARAGRAPH.repeat(20));
        assert!(small.abs_diff(whole) * 100 <= whole, "{small} in small pieces, {whole} as a whole");
    }

    /// C5: of a long text samples tell.
    #[test]
    fn c5_long_texts_are_counted_within_a_hundredth() {
        let text = PARAGRAPH.repeat(3_000);
        assert!(text.len() > 2 * MAX_EXACT);
        let (counted, whole) = (count(&text), exactly(&text));
        assert!(counted.abs_diff(whole) * 100 <= whole, "{counted} by samples, {whole} as a whole");
    }

    /// H-1: texts on which the encoding's expression overflows, or takes seconds, cost no more than others of their size.
    #[test]
    fn h1_no_text_is_too_much() {
        let begun = Instant::now();
        for text in [" ", "a", "A", "\n", "\t ", "!", "字", "\u{301}", "aA", "0", "\u{3000}"] {
            let long = text.repeat((8 << 20) / text.len());
            let tokens = count(&long);
            assert!(tokens > 0 && tokens <= long.len() as u64, "{tokens} tokens of {text:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_count_ends_when_it_is_given_up() {
        assert_eq!(count_unless(&|| true, PARAGRAPH), None);
        assert_eq!(unless_panic(|| count_piece(PANICS)), None);
    }
}
