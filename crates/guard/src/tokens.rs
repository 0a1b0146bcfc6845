//! Reversible tokens: personal data leaves as `[NAME_1]` and comes back as what it was.

mod lookalike;
mod restorer;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use zeroize::Zeroizing;

pub use restorer::{Restorer, ValueForm};

use crate::pii::PiiKind;
use crate::stream::Replacer;
use lookalike::{Counts, Match, TEXT};

/// What stands for a credential, for good.
pub const SECRET_REDACTED: &str = "[SECRET_REDACTED]";

/// A line for the system message that asks a model to leave tokens alone.
pub const KEEP_TOKENS_INSTRUCTION: &str = "Keep tokens such as [NAME_1] exactly as they are.";

/// The values of one request and their tokens, numbered by first appearance: the same value has the same token. The
/// values are overwritten when the vault is dropped.
#[derive(Default)]
pub struct Vault {
    values: HashMap<(&'static str, u32), Zeroizing<String>>,
    /// The numbers of the values with a hash.
    numbers: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
    counts: Counts,
}

impl Vault {
    /// A vault without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no token to restore.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Writes a text of a client with all that already looks like a token replaced by `[TEXT_1]` and so on, so that a
    /// client cannot ask for the value of a token. Comes before the search for personal data.
    pub fn escape(&mut self, text: &str, out: &mut String) {
        let begin = out.len();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let written = out.get(begin..).unwrap_or_default();
            let found = lookalike::find(rest, written.chars().next_back(), true, &Counts::unlimited());
            if let Match::Token { bytes, .. } = found
                && let Some((token, after)) = rest.split_at_checked(bytes)
            {
                // Backslashes before it would be taken for a part of its token.
                let kept = begin + written.trim_end_matches('\\').len();
                let value = Zeroizing::new(out.split_off(kept) + token);
                self.write_token(TEXT, &value, out);
                rest = after;
                continue;
            }
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }

    /// A whole text with its tokens restored.
    pub fn restore(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut restorer = Restorer::new(ValueForm::Text);
        restorer.push(text, self, &mut out);
        restorer.finish(self, &mut out);
        out
    }

    fn value(&self, name: &'static str, number: u32) -> Option<&str> {
        self.values.get(&(name, number)).map(|value| value.as_str())
    }

    fn write_token(&mut self, name: &'static str, value: &str, out: &mut String) {
        let numbers = self.numbers.entry(self.hasher.hash_one((name, value))).or_default();
        let is_same = |number: &&u32| self.values.get(&(name, **number)).is_some_and(|known| known.as_str() == value);
        let number = match numbers.iter().find(is_same) {
            Some(&number) => number,
            None => {
                let number = self.counts.add(name);
                numbers.push(number);
                self.values.insert((name, number), Zeroizing::new(value.to_owned()));
                number
            }
        };
        out.push_str(&format!("[{name}_{number}]"));
    }
}

impl Replacer for Vault {
    fn replace(&mut self, kind: PiiKind, value: &str, out: &mut String) {
        match kind {
            PiiKind::Secret => out.push_str(SECRET_REDACTED),
            kind => self.write_token(kind.as_str(), value, out),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vault").field("tokens", &self.len()).finish_non_exhaustive()
    }
}
