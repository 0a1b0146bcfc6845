//! Content safety of a text that comes in parts.

use super::LEXICON;
use super::category::Category;
use super::scores::{Scores, Thresholds};
use crate::phrases::scan::Scanner;

/// What is known of a text so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SafetyVerdict {
    /// No threshold is reached.
    Clear,
    /// The threshold of a category is reached.
    Reached {
        /// The category.
        category: Category,
        /// Its score at that point.
        score: f64,
        /// Where the text that reached it ends, in bytes of the whole text.
        at: usize,
    },
}

/// A text on its way: lets go of what can no longer be part of a hit, until a threshold is reached. The verdict and what
/// was let go are those of the whole text, however it was cut.
pub struct SafetyGuard {
    thresholds: Thresholds,
    scanner: Scanner<'static>,
    pending: String,
    /// Bytes let go so far.
    released: usize,
    verdict: SafetyVerdict,
    scores: Scores,
}

impl SafetyGuard {
    /// A guard for one text.
    pub fn new(thresholds: Thresholds) -> Self {
        let scores = Scores::default();
        // A threshold of 0 is reached by any text.
        let verdict = thresholds
            .reached(&scores)
            .map_or(SafetyVerdict::Clear, |(category, score)| SafetyVerdict::Reached { category, score, at: 0 });
        let scanner = Scanner::new(&LEXICON.0);
        Self { thresholds, scanner, pending: String::new(), released: 0, verdict, scores }
    }

    /// Takes the next part, and writes what is free to go. Once a threshold is reached it writes nothing more.
    pub fn push(&mut self, part: &str, out: &mut String) -> SafetyVerdict {
        self.take(part, false, out)
    }

    /// Writes the rest if no threshold is reached; the text has ended.
    pub fn finish(&mut self, out: &mut String) -> SafetyVerdict {
        self.take("", true, out)
    }

    /// The scores so far; those of the whole text after `finish`, as long as no threshold was reached.
    pub fn scores(&self) -> Scores {
        self.scores
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    fn take(&mut self, part: &str, is_end: bool, out: &mut String) -> SafetyVerdict {
        if self.verdict != SafetyVerdict::Clear {
            return self.verdict;
        }
        self.pending.push_str(part);
        let Self { thresholds, scanner, verdict, scores, .. } = self;
        let mut stop = None;
        let mut counted = |hit: crate::phrases::scan::Counted, open: usize| {
            if *verdict != SafetyVerdict::Clear {
                return;
            }
            *scores = Scores::from_array(hit.scores);
            if let Some((category, score)) = thresholds.reached(scores) {
                *verdict = SafetyVerdict::Reached { category, score, at: hit.end };
                stop = Some(open.min(hit.start));
            }
        };
        if is_end {
            scanner.finish(&mut counted)
        } else {
            scanner.push(part, &mut counted)
        }
        match (stop, is_end) {
            (Some(stop), _) => {
                self.release(stop, out);
                self.pending.clear();
            }
            (None, true) => self.release(usize::MAX, out),
            (None, false) => self.release(self.scanner.open(), out),
        }
        self.verdict
    }

    /// Writes what stands before a place of the text.
    fn release(&mut self, until: usize, out: &mut String) {
        let count = until.saturating_sub(self.released).min(self.pending.len());
        if let Some((free, _)) = self.pending.split_at_checked(count) {
            out.push_str(free);
            self.pending.drain(..count);
            self.released += count;
        }
    }
}
