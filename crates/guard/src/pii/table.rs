//! Tables in texts: the header of a column is a cue for what stands below it.

use crate::pii::lexicon::Cue;
use crate::pii::token::{Kind, Token};

const MAX_COLUMNS: usize = 32;
/// Headers are short.
const MAX_HEADER_TOKENS: usize = 160;

/// The columns of the table that the text is in, if it is in one.
#[derive(Default)]
pub(crate) struct Table {
    header: Option<Header>,
    line: Header,
    column: usize,
    tokens: usize,
    has_number: bool,
    is_quoted: bool,
}

#[derive(Clone, Copy, Default)]
struct Header {
    delimiter: Option<char>,
    columns: usize,
    cues: [Cue; MAX_COLUMNS],
}

impl Table {
    /// Takes the next token; the answer is what its column announces.
    pub(crate) fn push(&mut self, token: &Token) -> Cue {
        self.tokens += 1;
        match token.kind {
            Kind::Newline => self.end_line(),
            Kind::Symbol('"') => self.is_quoted = !self.is_quoted,
            Kind::Symbol(char @ (',' | ';' | '|')) if !self.is_quoted => self.next_cell(char),
            Kind::Space if token.is_tab => self.next_cell('\t'),
            Kind::Number => self.has_number = true,
            Kind::Word if token.cue != Cue::None => {
                if let Some(cue) = self.line.cues.get_mut(self.column) {
                    *cue = token.cue;
                }
            }
            _ => {}
        }
        let header = self.header.as_ref().filter(|header| self.line.delimiter == header.delimiter || self.column == 0);
        header.and_then(|header| header.cues.get(self.column)).copied().unwrap_or_default()
    }

    fn next_cell(&mut self, delimiter: char) {
        if *self.line.delimiter.get_or_insert(delimiter) == delimiter {
            self.column += 1;
            self.line.columns = self.column + 1;
        }
    }

    fn end_line(&mut self) {
        let cues = self.line.cues.iter().filter(|cue| **cue != Cue::None).count();
        if self.line.columns < 2 && self.tokens > 1 {
            self.header = None;
        } else if !self.has_number && cues * 2 >= self.line.columns && cues > 0 && self.tokens < MAX_HEADER_TOKENS {
            self.header = Some(self.line);
        }
        *self = Self { header: self.header, ..Self::default() };
    }
}
