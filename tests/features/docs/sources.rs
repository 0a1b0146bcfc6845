//! The program's source, as far as names are read from it.

use std::collections::BTreeSet;

use super::book::{ROOT, files_below};

/// One source file without its tests.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// Every file of the program.
    pub fn all() -> Vec<Self> {
        let folders = ["src", "actors/src", "crates"];
        let paths = folders.iter().flat_map(|folder| files_below(folder, "rs"));
        let is_test = |path: &String| path.split('/').any(|part| part.starts_with("test") || part == "testkit");
        paths.filter(|path| !is_test(path)).map(Self::read).collect()
    }

    fn read(path: String) -> Self {
        let text = std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
        let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
        Self { path, text: text[..end].to_owned() }
    }

    /// The plain texts of the file, each with what stands before and after it.
    pub fn literals(&self) -> Vec<Literal<'_>> {
        let mut found = Vec::new();
        let mut rest = 0;
        while let Some(start) = self.text[rest..].find('"').map(|at| rest + at) {
            let Some(length) = self.text[start + 1..].find('"') else { break };
            let end = start + 1 + length;
            let word = &self.text[start + 1..end];
            if !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && c != '\\') {
                found.push(Literal { word, before: &self.text[..start], after: &self.text[end + 1..] });
                rest = end + 1;
            } else {
                // A sentence, or the space between two words: the next one may begin at its end.
                rest = if word.contains('\n') || word.is_empty() { end } else { end + 1 };
            }
        }
        found
    }
}

/// A word in quotes.
pub struct Literal<'a> {
    pub word: &'a str,
    pub before: &'a str,
    pub after: &'a str,
}

/// Whether the word is made of these characters alone.
pub fn is_made_of(word: &str, others: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || others.contains(c))
}

/// The maximal runs of such characters in a text.
pub fn runs<'a>(text: &'a str, is_part: impl Fn(char) -> bool + 'a) -> impl Iterator<Item = &'a str> + 'a {
    text.split(move |c| !is_part(c)).filter(|run| !run.is_empty())
}

/// Every word in quotes of the program.
pub fn words() -> BTreeSet<String> {
    let sources = Source::all();
    sources.iter().flat_map(Source::literals).map(|literal| literal.word.to_owned()).collect()
}
