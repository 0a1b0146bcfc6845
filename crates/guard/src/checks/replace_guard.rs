//! `regexReplace` of a text that comes in parts.

use std::sync::Arc;

use regex_automata::hybrid::dfa::Cache;

use super::transform::RegexReplace;

/// A text on its way: matches are replaced. All that it lets go is the whole text with its matches replaced, however the
/// text was cut.
pub struct RegexReplaceGuard {
    rule: Arc<RegexReplace>,
    max_match_bytes: usize,
    /// The last character that was let go, which an expression may look back at, and what is held back.
    window: String,
    /// Bytes of `window` that were let go.
    released: usize,
    cache: Option<Cache>,
    matches: usize,
}

impl RegexReplaceGuard {
    /// A guard for one text; nothing where the rule is not [`RegexReplace::is_bounded`].
    pub fn new(rule: Arc<RegexReplace>) -> Option<Self> {
        let max_match_bytes = rule.max_match_bytes().filter(|_| rule.is_bounded())?;
        let cache = rule.open_start.as_ref().map(|open_start| open_start.cache());
        Some(Self { rule, max_match_bytes, window: String::new(), released: 0, cache, matches: 0 })
    }

    /// Takes the next part, and writes what is free to go.
    pub fn push(&mut self, part: &str, out: &mut String) {
        self.window.push_str(part);
        // A match that begins before this byte has ended, with at least one character behind it.
        let by_length = self.window.floor_char_boundary(self.window.len().saturating_sub(self.max_match_bytes));
        let by_state = match (&self.rule.open_start, &mut self.cache) {
            (Some(open_start), Some(cache)) => open_start.find(cache, &self.window, by_length.max(self.released)),
            _ => 0,
        };
        self.release(by_length.max(by_state), out);
    }

    /// Writes the rest; the text has ended.
    pub fn finish(&mut self, out: &mut String) {
        self.release(usize::MAX, out);
    }

    /// The matches so far.
    pub fn matches(&self) -> usize {
        self.matches
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.window.len() - self.released
    }

    /// Replaces the matches that begin before `decided`, and writes the text up to there.
    fn release(&mut self, decided: usize, out: &mut String) {
        let rule = Arc::clone(&self.rule);
        let mut at = self.released;
        while at < decided.min(self.window.len()) {
            let Some(captures) = rule.regex.captures_at(&self.window, at) else { break };
            let Some(found) = captures.get(0).filter(|found| found.start() < decided) else { break };
            out.push_str(self.window.get(at..found.start()).unwrap_or_default());
            captures.expand(&rule.replacement, out);
            self.matches += 1;
            at = found.end();
        }
        let until = decided.clamp(at, self.window.len().max(at));
        out.push_str(self.window.get(at..until).unwrap_or_default());
        let kept =
            self.window.get(..until).and_then(|gone| gone.char_indices().next_back()).map_or(0, |(last, _)| last);
        self.window.drain(..kept);
        self.released = until - kept;
    }
}
