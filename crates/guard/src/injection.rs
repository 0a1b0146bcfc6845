//! Whether a text tries to turn a model against its instructions, by patterns in English and Vietnamese.
//!
//! Patterns see the well-known forms. They do not see an instruction that is only worded as one, nor other languages.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use crate::phrases::lexicon::Lexicon;
use crate::phrases::scan::Scanner;

/// The patterns and the rows that make no sense, of which there are none.
static PATTERNS: LazyLock<(Lexicon, Vec<String>)> = LazyLock::new(|| {
    let lists = [include_str!("injection/english.txt"), include_str!("injection/vietnamese.txt")];
    Lexicon::read(&lists, &|label| (label == "injection").then_some(0))
});

/// How likely a whole text is a prompt injection, from 0 to 1.
pub fn score(text: &str) -> f64 {
    let mut scanner = Scanner::new(&PATTERNS.0);
    scanner.push(text, &mut |_, _| {});
    scanner.finish(&mut |_, _| {});
    scanner.scores().first().copied().unwrap_or_default()
}

/// Reads the patterns, which otherwise happens with the first text. Gives the number of their lines.
pub fn warm_up() -> usize {
    PATTERNS.0.lines()
}
