//! Whether a text is unsafe, by a list of English and Vietnamese phrases.
//!
//! A list of phrases sees what is said in so many words. It does not see what is only meant.

mod category;
mod guard;
mod scores;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use category::{Categories, Category};
pub use guard::{SafetyGuard, SafetyVerdict};
pub use scores::{Scores, Thresholds};

use crate::phrases::lexicon::Lexicon;
use crate::phrases::scan::Scanner;

/// The phrases and the rows that make no sense, of which there are none.
static LEXICON: LazyLock<(Lexicon, Vec<String>)> = LazyLock::new(|| {
    let lists = [
        include_str!("safety/lexicon/cues.txt"),
        include_str!("safety/lexicon/english.txt"),
        include_str!("safety/lexicon/vietnamese.txt"),
    ];
    Lexicon::read(&lists, &|label| label.parse::<Category>().ok().map(|category| category as u8))
});

/// How unsafe a whole text is.
pub fn scores(text: &str) -> Scores {
    let mut scanner = Scanner::new(&LEXICON.0);
    scanner.push(text, &mut |_, _| {});
    scanner.finish(&mut |_, _| {});
    Scores::from_array(scanner.scores())
}

/// Reads the list of phrases, which otherwise happens with the first text. Gives the number of its lines.
pub fn warm_up() -> usize {
    LEXICON.0.lines()
}
