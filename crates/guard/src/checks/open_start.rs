//! Where a regular expression may still match differently with more text.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// The memory that the states of one text take.
const CACHE_BYTES: usize = 64 << 10;

/// An expression that tells, for a start, whether more text could change what matches there.
#[derive(Clone, Debug)]
pub(super) struct OpenStart(DFA);

impl OpenStart {
    /// Nothing where the expression does not go into the memory.
    pub(super) fn new(rule: &str) -> Option<Self> {
        let config = DFA::config().cache_capacity(CACHE_BYTES).unicode_word_boundary(true);
        DFA::builder().configure(config).syntax(syntax::Config::new()).build(rule).ok().map(Self)
    }

    pub(super) fn cache(&self) -> Cache {
        self.0.create_cache()
    }

    /// The first open start of a text from `begin` on; its end where there is none.
    pub(super) fn find(&self, cache: &mut Cache, text: &str, begin: usize) -> usize {
        let starts = text.get(begin..).unwrap_or_default().char_indices().map(|(at, _)| begin + at);
        starts.into_iter().find(|&start| self.is_open(cache, text.as_bytes(), start)).unwrap_or(text.len())
    }

    fn is_open(&self, cache: &mut Cache, text: &[u8], start: usize) -> bool {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let Ok(mut state) = self.0.start_state_forward(cache, &input) else { return true };
        for &byte in text.get(start..).unwrap_or_default() {
            match self.0.next_state(cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                // It has seen what it cannot judge: a character beyond ASCII beside a word boundary.
                Ok(next) if next.is_quit() => return true,
                Ok(next) => state = next,
                Err(_) => return true,
            }
        }
        true
    }
}
