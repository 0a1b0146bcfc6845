//! The notation of phrases: words, `(a|b c|)` for any of its parts, the empty one too, `_` for any one word that negates
//! nothing, and `~` for up to two of these.

use super::words::words_of;

/// Words that `~` stands for.
const MAX_GAP_WORDS: usize = 2;

/// A part of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A word in the reader's form.
    Word(String),
    /// Any one word that negates nothing.
    AnyWord,
    /// One of several sequences.
    Choice(Vec<Vec<Item>>),
}

impl Item {
    /// Whether it stands for any words.
    pub(crate) fn is_gap(&self) -> bool {
        match self {
            Self::Word(_) => false,
            Self::AnyWord => true,
            Self::Choice(choices) => choices.iter().flatten().all(Self::is_gap),
        }
    }
}

/// Reads a phrase; nothing where its brackets do not match.
pub(crate) fn parse(text: &str) -> Option<Vec<Item>> {
    let (mut choices, rest) = sequence_choices(text)?;
    let only = choices.pop().filter(|_| choices.is_empty())?;
    rest.is_empty().then_some(only)
}

/// Sequences with `|` between them, up to a closing bracket or the end.
fn sequence_choices(text: &str) -> Option<(Vec<Vec<Item>>, &str)> {
    let mut choices = vec![Vec::new()];
    let mut rest = text;
    loop {
        let at = rest.find(['(', ')', '|']).unwrap_or(rest.len());
        let (plain, sign) = rest.split_at(at);
        let current = choices.last_mut()?;
        current.extend(plain.split_whitespace().flat_map(items_of));
        match sign.chars().next() {
            Some('(') => {
                let (inner, after) = sequence_choices(sign.get(1..)?)?;
                current.push(Item::Choice(inner));
                rest = after.strip_prefix(')')?;
            }
            Some('|') => {
                choices.push(Vec::new());
                rest = sign.get(1..)?;
            }
            _ => return Some((choices, sign)),
        }
    }
}

fn items_of(word: &str) -> Vec<Item> {
    match word {
        "_" => vec![Item::AnyWord],
        "~" => vec![Item::Choice((0..=MAX_GAP_WORDS).map(|count| vec![Item::AnyWord; count]).collect())],
        word => words_of(word).into_iter().map(Item::Word).collect(),
    }
}
