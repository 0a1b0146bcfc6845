//! What a detector sees of a text: tokens to both sides of a place, and whether it looked past the end of what has come.

use std::cell::Cell;

use crate::pii::token::{Kind, Token, Tokens};

/// Tokens that detectors may look back.
pub(crate) const LOOK_BACK: usize = 64;

/// A look at the tokens around a place.
pub(crate) struct View<'a> {
    tokens: &'a Tokens,
    place: usize,
    has_ended: bool,
    /// A detector that looked past the end may answer otherwise when more has come.
    is_open: Cell<bool>,
}

impl<'a> View<'a> {
    pub(crate) fn new(tokens: &'a Tokens, place: usize, has_ended: bool) -> Self {
        Self { tokens, place, has_ended, is_open: Cell::new(false) }
    }

    /// Whether what was answered may change with the next part.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// The token at an index. An index that wrapped below zero is before the text, not behind it.
    pub(crate) fn get(&self, index: usize) -> Option<&'a Token> {
        if index >= self.tokens.end() {
            if !self.has_ended && index < usize::MAX / 2 {
                self.is_open.set(true);
            }
            return None;
        }
        if index + LOOK_BACK < self.place {
            return None;
        }
        self.tokens.get(index)
    }

    /// The token `count` places before `index`.
    pub(crate) fn before(&self, index: usize, count: usize) -> Option<&'a Token> {
        self.get(index.checked_sub(count)?)
    }

    pub(crate) fn text(&self, token: &Token) -> &'a str {
        self.tokens.text(token)
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.get(index).map(|token| token.kind)
    }

    pub(crate) fn is_symbol(&self, index: usize, symbol: char) -> bool {
        self.kind(index) == Some(Kind::Symbol(symbol))
    }

    pub(crate) fn is_space(&self, index: usize) -> bool {
        self.kind(index) == Some(Kind::Space)
    }

    pub(crate) fn word(&self, index: usize) -> Option<&'a Token> {
        self.get(index).filter(|token| token.kind == Kind::Word)
    }

    pub(crate) fn number(&self, index: usize) -> Option<&'a Token> {
        self.get(index).filter(|token| token.kind == Kind::Number)
    }

    /// The value of a short number.
    pub(crate) fn value(&self, index: usize) -> Option<u32> {
        let token = self.number(index).filter(|token| token.chars <= 6)?;
        self.text(token).parse().ok()
    }

    /// The index after a run of spaces, or the index itself.
    pub(crate) fn skip_space(&self, index: usize) -> usize {
        if self.is_space(index) { index + 1 } else { index }
    }

    /// Whether letters or digits stand right before a place.
    pub(crate) fn is_glued(&self, index: usize) -> bool {
        matches!(index.checked_sub(1).and_then(|before| self.kind(before)), Some(Kind::Word | Kind::Number))
    }

    /// Whether the word at a place has one of some flags, as it is spelt.
    pub(crate) fn has(&self, index: usize, flags: u32) -> bool {
        self.word(index).is_some_and(|token| token.has(flags))
    }

    /// The index of the token before a place, past one space.
    pub(crate) fn skip_space_back(&self, index: usize) -> Option<usize> {
        let before = index.checked_sub(1)?;
        if self.is_space(before) { before.checked_sub(1) } else { Some(before) }
    }

    /// Whether a word may end before a place: no letter or digit follows.
    pub(crate) fn has_suffix_end(&self, index: usize) -> bool {
        !matches!(self.kind(index), Some(Kind::Word | Kind::Number))
    }

    /// Whether a line or the text ends at a place.
    pub(crate) fn is_newline_after(&self, index: usize) -> bool {
        matches!(self.kind(index), None | Some(Kind::Newline))
    }
}
