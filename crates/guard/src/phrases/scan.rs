//! Scores a text that comes in parts by the phrases in it.
//!
//! Everything looks a fixed number of words to both sides, so that a score never depends on how the text was cut: a hit
//! waits for [`LOOK_AHEAD`] more words before it counts, a cue weakens hits within [`LOOK_BEHIND`] words behind it.

use std::collections::VecDeque;

use super::lexicon::{Lexicon, Meaning, Phrase};
use super::words::{Token, WordReader};

/// Labels that a lexicon may have.
pub(crate) const MAX_LABELS: usize = 13;
/// Words behind a hit, and before it, in which a cue weakens it.
const LOOK_AHEAD: u64 = 6;
const LOOK_BEHIND: u64 = 10;
/// Words between a negation and the hit that it turns around.
const NEGATION_REACH: u64 = 2;
/// What a cue and a negation leave of a weight.
const NEAR_CUE: f64 = 0.6;
const NEGATED: f64 = 0.4;
/// Words over which hits add up.
const PASSAGE: u64 = 64;
/// Walks through the graph at one time.
const MAX_WALKS: usize = 256;

/// The highest score per label.
pub(crate) type LabelScores = [f64; MAX_LABELS];

/// A hit that counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    /// Where it stands in the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The scores after it.
    pub(crate) scores: LabelScores,
}

/// A phrase on its way through the graph.
#[derive(Clone, Copy)]
struct Walk {
    node: u32,
    first: u64,
    start: usize,
}

/// A phrase that was found.
#[derive(Clone, Copy)]
struct Hit {
    line: u32,
    labels: u16,
    weight: f64,
    firm: bool,
    first: u64,
    last: u64,
    start: usize,
    end: usize,
}

/// The state of a text.
pub(crate) struct Scanner<'a> {
    reader: WordReader,
    state: State<'a>,
}

struct State<'a> {
    lexicon: &'a Lexicon,
    /// Words read so far.
    words: u64,
    walks: Vec<Walk>,
    stepped: Vec<Walk>,
    /// Hits that wait for the words behind them.
    pending: VecDeque<Hit>,
    /// Hits that counted and may add up with later ones.
    recent: VecDeque<Hit>,
    cues: VecDeque<u64>,
    negations: VecDeque<u64>,
    /// The first and last words of harmless phrases.
    exceptions: VecDeque<(u64, u64)>,
    scores: LabelScores,
}

impl<'a> Scanner<'a> {
    /// A scanner for one text.
    pub(crate) fn new(lexicon: &'a Lexicon) -> Self {
        let state = State {
            lexicon,
            words: 0,
            walks: Vec::new(),
            stepped: Vec::new(),
            pending: VecDeque::new(),
            recent: VecDeque::new(),
            cues: VecDeque::new(),
            negations: VecDeque::new(),
            exceptions: VecDeque::new(),
            scores: [0.0; MAX_LABELS],
        };
        Self { reader: WordReader::default(), state }
    }

    /// Reads the next part, and tells each hit that counts, with the first byte that was still open then.
    pub(crate) fn push(&mut self, part: &str, counted: &mut dyn FnMut(Counted, usize)) {
        let Self { reader, state } = self;
        reader.push(part, &mut |token| state.take(token, counted));
    }

    /// Reads the rest; the text has ended.
    pub(crate) fn finish(&mut self, counted: &mut dyn FnMut(Counted, usize)) {
        let Self { reader, state } = self;
        reader.finish(&mut |token| state.take(token, counted));
        state.walks.clear();
        state.settle(u64::MAX, counted);
    }

    /// Where the text begins that may still become part of a hit.
    pub(crate) fn open(&self) -> usize {
        self.state.open().unwrap_or(usize::MAX).min(self.reader.open())
    }

    /// The scores so far.
    pub(crate) fn scores(&self) -> LabelScores {
        self.state.scores
    }
}

impl State<'_> {
    fn take(&mut self, token: Token<'_>, counted: &mut dyn FnMut(Counted, usize)) {
        match token {
            Token::Break => self.walks.clear(),
            Token::Word { word, start, end } => {
                self.words += 1;
                self.walk(self.lexicon.word(word), start, end);
                self.settle(self.words, counted);
            }
        }
    }

    /// Takes all walks one word further and begins one.
    fn walk(&mut self, word: u32, start: usize, end: usize) {
        let mut stepped = std::mem::take(&mut self.stepped);
        stepped.clear();
        for walk in &self.walks {
            stepped.extend(self.lexicon.step(walk.node, word).map(|node| Walk { node, ..*walk }));
        }
        let begun = Walk { node: 0, first: self.words, start };
        stepped.extend(self.lexicon.first_steps(word).iter().map(|&node| Walk { node, ..begun }));
        stepped.truncate(MAX_WALKS);
        self.stepped = std::mem::replace(&mut self.walks, stepped);
        for at in 0..self.walks.len() {
            let Some(walk) = self.walks.get(at).copied() else { break };
            for phrase in self.lexicon.phrases(walk.node) {
                self.note(*phrase, walk, end);
            }
        }
    }

    fn note(&mut self, phrase: Phrase, walk: Walk, end: usize) {
        let Some(kept) = phrase.kept(self.words - walk.first + 1) else { return };
        match phrase.meaning {
            Meaning::Cue => self.cues.push_back(self.words),
            Meaning::Negation => self.negations.push_back(self.words),
            Meaning::Exception => self.exceptions.push_back((walk.first, self.words)),
            Meaning::Hit { labels, weight, firm } => self.pending.push_back(Hit {
                line: phrase.line,
                labels,
                weight: weight * kept,
                firm,
                first: walk.first,
                last: self.words,
                start: walk.start,
                end,
            }),
        }
    }

    /// Counts the hits that have seen enough words behind them.
    fn settle(&mut self, words: u64, counted: &mut dyn FnMut(Counted, usize)) {
        while let Some(hit) = self.pending.front().copied().filter(|hit| hit.last.saturating_add(LOOK_AHEAD) <= words) {
            let open = self.open().unwrap_or(hit.start);
            self.pending.pop_front();
            self.count(hit);
            counted(Counted { start: hit.start, end: hit.end, scores: self.scores }, open);
        }
        self.forget(self.words.saturating_sub(PASSAGE));
    }

    /// Forgets what ended before a word.
    fn forget(&mut self, behind: u64) {
        while self.cues.front().is_some_and(|&cue| cue < behind) {
            self.cues.pop_front();
        }
        while self.negations.front().is_some_and(|&negation| negation < behind) {
            self.negations.pop_front();
        }
        while self.exceptions.front().is_some_and(|&(_, last)| last < behind) {
            self.exceptions.pop_front();
        }
        self.recent.retain(|hit| hit.last >= behind);
    }

    fn count(&mut self, hit: Hit) {
        let covers = |other: &Hit| {
            other.first <= hit.first
                && other.last >= hit.last
                && other.last - other.first > hit.last - hit.first
                && other.labels & hit.labels == hit.labels
                && other.weight >= hit.weight
        };
        let is_harmless = self.exceptions.iter().any(|&(first, last)| first <= hit.last && last >= hit.first);
        if is_harmless || self.pending.iter().chain(&self.recent).any(covers) {
            return;
        }
        let damped = Hit { weight: hit.weight * self.damping(&hit), ..hit };
        self.recent.retain(|other| other.line != hit.line || other.weight > damped.weight);
        self.recent.push_back(damped);
        for label in (0..MAX_LABELS).filter(|label| hit.labels & (1 << label) != 0) {
            let score = self.passage_score(1 << label);
            if let Some(highest) = self.scores.get_mut(label) {
                *highest = highest.max(score);
            }
        }
    }

    /// What the hits of this passage make together; lines that hit more than once count once.
    fn passage_score(&self, label: u16) -> f64 {
        let mut clear = 1.0;
        for hit in self.recent.iter().filter(|hit| hit.labels & label != 0) {
            let stronger = |other: &Hit| other.line == hit.line && other.weight > hit.weight;
            if !self.recent.iter().any(stronger) {
                clear *= 1.0 - hit.weight;
            }
        }
        1.0 - clear
    }

    fn damping(&self, hit: &Hit) -> f64 {
        let negated = |&at: &u64| at < hit.first && at + NEGATION_REACH >= hit.first;
        if self.negations.iter().any(negated) {
            return NEGATED;
        }
        let near = |&at: &u64| at + LOOK_BEHIND >= hit.first && at <= hit.last + LOOK_AHEAD;
        if !hit.firm && self.cues.iter().any(near) { NEAR_CUE } else { 1.0 }
    }

    fn open(&self) -> Option<usize> {
        // Walks are in the order in which they began.
        let walk = self.walks.first().map(|walk| walk.start);
        walk.into_iter().chain(self.pending.iter().map(|hit| hit.start)).min()
    }
}
