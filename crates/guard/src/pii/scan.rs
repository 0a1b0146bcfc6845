//! Goes through a text from left to right: at each token, the first detector that answers decides. A place is decided
//! once no detector looks past what has come, so that the parts of a text do not matter.

use std::ops::Range;

use crate::pii::secret::Tail;
use crate::pii::token::Tokens;
use crate::pii::view::{LOOK_BACK, View};
use crate::pii::{Finding, PiiKind, PiiKinds, detect};

/// Whole texts are looked through in parts of so many bytes, so that the tokens of a long one need little room.
const PART_BYTES: usize = 4096;
/// Tokens are forgotten when so many are decided.
const MAX_DECIDED: usize = 256;

/// What a scan tells of a text.
pub(crate) trait Sink {
    /// Personal data at some bytes of the original; a secret may go on behind them.
    fn found(&mut self, kind: PiiKind, range: Range<usize>);
    /// The secret that was told last goes on up to `end`.
    fn extended(&mut self, end: usize);
}

/// A text on its way.
pub(crate) struct Scan {
    tokens: Tokens,
    /// The first token that is not decided.
    place: usize,
    /// The tail of the secret that the text is in.
    tail: Option<Tail>,
    /// The number of tokens at the last look.
    seen: usize,
}

impl Scan {
    pub(crate) fn new(cue: &str) -> Self {
        let mut tokens = Tokens::new();
        if !cue.is_empty() {
            tokens.push_cue(cue);
        }
        Self { place: tokens.end(), seen: tokens.end(), tokens, tail: None }
    }

    /// Takes the next part, and tells what is certain; the answer is the byte up to which all is decided.
    pub(crate) fn push(&mut self, part: &str, sink: &mut impl Sink) -> usize {
        self.tokens.push(part);
        if self.tokens.end() > self.seen {
            self.seen = self.tokens.end();
            self.decide(false, sink);
        }
        self.decided()
    }

    /// Tells the rest; the text has ended.
    pub(crate) fn finish(&mut self, sink: &mut impl Sink) {
        self.tokens.finish();
        self.decide(true, sink);
    }

    /// Whether the text is in a secret whose end is not known.
    pub(crate) fn is_in_secret(&self) -> bool {
        self.tail.is_some()
    }

    fn decided(&self) -> usize {
        self.tokens.get(self.place).map_or_else(|| self.tokens.complete(), |token| token.from)
    }

    fn decide(&mut self, has_ended: bool, sink: &mut impl Sink) {
        while self.place < self.tokens.end() {
            let view = View::new(&self.tokens, self.place, has_ended);
            let is_decided = match self.tail {
                Some(tail) => self.go_on(tail, has_ended, sink),
                None => {
                    let found = detect::at(&view, self.place);
                    if view.is_open() {
                        return;
                    }
                    match found {
                        Some(found) => {
                            let from = self.tokens.get(self.place).map_or(0, |token| token.from);
                            let to = self.tokens.get(found.end - 1).map_or(from, |token| token.to);
                            sink.found(found.kind, from..to);
                            self.tail = found.tail;
                            self.place = found.end;
                        }
                        None => self.place += 1,
                    }
                    true
                }
            };
            if !is_decided {
                return;
            }
            self.forget();
        }
    }

    /// Goes on along a secret.
    fn go_on(&mut self, tail: Tail, has_ended: bool, sink: &mut impl Sink) -> bool {
        let view = View::new(&self.tokens, self.place, has_ended);
        let step = tail.step(&view, self.place);
        if view.is_open() {
            return false;
        }
        match step {
            Some(step) => {
                if let Some(token) = self.tokens.get(step.next - 1) {
                    sink.extended(token.to);
                }
                self.place = step.next;
                if step.is_last {
                    self.tail = None;
                }
            }
            None => self.tail = None,
        }
        true
    }

    fn forget(&mut self) {
        if self.place > self.tokens.first() + LOOK_BACK + MAX_DECIDED {
            self.tokens.forget(self.place - LOOK_BACK);
        }
    }
}

/// Collects what a whole text has.
struct Findings {
    kinds: PiiKinds,
    list: Vec<Finding>,
    is_wanted: bool,
}

impl Sink for Findings {
    fn found(&mut self, kind: PiiKind, range: Range<usize>) {
        self.is_wanted = self.kinds.has(kind);
        if self.is_wanted {
            self.list.push(Finding { kind, range });
        }
    }

    fn extended(&mut self, end: usize) {
        if let Some(last) = self.list.last_mut().filter(|_| self.is_wanted) {
            last.range.end = end;
        }
    }
}

/// The personal data of a whole text.
pub(crate) fn find(text: &str, kinds: PiiKinds, cue: &str) -> Vec<Finding> {
    let mut findings = Findings { kinds, list: Vec::new(), is_wanted: false };
    let mut scan = Scan::new(cue);
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = PART_BYTES.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (part, after) = rest.split_at(end);
        scan.push(part, &mut findings);
        rest = after;
    }
    scan.finish(&mut findings);
    findings.list
}
