//! Words, numbers and symbols of a text, with all that detectors ask about them.

use crate::pii::latin;
use crate::pii::lexicon::{self, Announcement, Cue, Lexicon, Word};
use crate::pii::normal::{self, INVISIBLE, NormalChar, Normalizer};
use crate::pii::table::Table;

/// Longer runs are cut here, so that no token is held back without end.
const MAX_LETTERS: usize = 48;
const MAX_INVISIBLE: usize = 16;
/// Words that tell whether a text has capitals and accents at all.
const MEMORY_WORDS: u8 = 24;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    Space,
    Newline,
    Symbol(char),
}

/// How a word is capitalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Lower,
    Title,
    Upper,
    Mixed,
}

/// A word, a number, a run of spaces or a symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) case: Case,
    /// Characters, up to the limit of a token.
    pub(crate) chars: u8,
    pub(crate) is_ascii: bool,
    /// A space with a tab in it.
    pub(crate) is_tab: bool,
    /// The text so far has had no capitals for many words.
    pub(crate) is_lower_text: bool,
    /// The text so far has had capitals only.
    pub(crate) is_upper_text: bool,
    /// The text so far has had accents in the last words.
    pub(crate) is_accented_text: bool,
    /// Bytes of the normal text.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Bytes of the original.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) word: Word,
    /// What the phrase that ends here announces, and its tokens.
    pub(crate) cue: Cue,
    pub(crate) cue_tokens: u8,
    /// The phrase is spelt without diacritics, which means nothing in a text that has them.
    pub(crate) is_folded_cue: bool,
    /// What the column of a table announces.
    pub(crate) column: Cue,
}

impl Token {
    /// What the phrase that ends here announces for what stands at `place`.
    pub(crate) fn cue_for(&self, place: &Self) -> Cue {
        if self.is_folded_cue && place.is_accented_text { Cue::None } else { self.cue }
    }

    /// Whether the word has one of some flags; in a text with diacritics, only as it is spelt.
    pub(crate) fn has(&self, flags: u32) -> bool {
        if self.is_accented_text { self.word.has_exact(flags) } else { self.word.has(flags) }
    }
}

/// A token that may still grow.
#[derive(Clone, Copy)]
struct Open {
    kind: Kind,
    start: usize,
    from: usize,
    to: usize,
    chars: u8,
    capitals: u8,
    begins_capital: bool,
    ends_lower: bool,
    is_ascii: bool,
    is_tab: bool,
    invisible: usize,
}

/// The tokens of a text that comes in parts.
pub(crate) struct Tokens {
    normalizer: Normalizer,
    list: Vec<Token>,
    /// The index of the first token of the list.
    base: usize,
    text: String,
    text_base: usize,
    open: Option<Open>,
    lower: String,
    folded: String,
    words_since_capital: u8,
    words_since_accent: u8,
    words_since_lower: u8,
    words_since_upper: u8,
    table: Table,
    lexicon: &'static Lexicon,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            normalizer: Normalizer::default(),
            list: Vec::new(),
            base: 0,
            text: String::new(),
            text_base: 0,
            open: None,
            lower: String::new(),
            folded: String::new(),
            words_since_capital: MEMORY_WORDS,
            words_since_accent: MEMORY_WORDS,
            words_since_lower: MEMORY_WORDS,
            words_since_upper: MEMORY_WORDS,
            table: Table::default(),
            lexicon: lexicon::lexicon(),
        }
    }

    /// Takes the next part of the original.
    pub(crate) fn push(&mut self, part: &str) {
        let mut normalizer = std::mem::take(&mut self.normalizer);
        normalizer.push(part, |char| self.take(char));
        self.normalizer = normalizer;
    }

    /// Closes the last token; the text has ended.
    pub(crate) fn finish(&mut self) {
        let mut normalizer = std::mem::take(&mut self.normalizer);
        normalizer.flush(&mut |char| self.take(char));
        self.normalizer = normalizer;
        self.close();
    }

    /// The name of the field, as words before the text that are no part of it.
    pub(crate) fn push_cue(&mut self, cue: &str) {
        let mut previous = ' ';
        let name = cue.chars().flat_map(|char| {
            let is_hump = char.is_uppercase() && previous.is_lowercase();
            previous = char;
            is_hump.then_some(' ').into_iter().chain(std::iter::once(char))
        });
        for char in name.chain(": ".chars()).collect::<Vec<_>>() {
            self.take(NormalChar { char, start: 0, end: 0 });
        }
        self.close();
        self.words_since_capital = MEMORY_WORDS;
        self.words_since_accent = MEMORY_WORDS;
        self.words_since_lower = MEMORY_WORDS;
        self.words_since_upper = MEMORY_WORDS;
    }

    /// The first token that is remembered.
    pub(crate) fn first(&self) -> usize {
        self.base
    }

    /// One past the last complete token.
    pub(crate) fn end(&self) -> usize {
        self.base + self.list.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Token> {
        self.list.get(index.checked_sub(self.base)?)
    }

    /// The normal text of a token, as it is capitalised.
    pub(crate) fn text(&self, token: &Token) -> &str {
        self.text.get(token.start - self.text_base..token.end - self.text_base).unwrap_or_default()
    }

    /// The byte of the original from which on tokens are not complete.
    pub(crate) fn complete(&self) -> usize {
        let open = self.open.map(|open| open.from);
        open.or(self.normalizer.open()).unwrap_or(self.normalizer.position())
    }

    /// Forgets the tokens before `index`.
    pub(crate) fn forget(&mut self, index: usize) {
        let count = index.saturating_sub(self.base).min(self.list.len());
        if let Some(token) = self.list.get(count) {
            self.text.drain(..token.start - self.text_base);
            self.text_base = token.start;
            self.list.drain(..count);
            self.base += count;
        }
    }

    fn take(&mut self, char: NormalChar) {
        if char.char == INVISIBLE {
            return self.take_invisible();
        }
        if char.char.is_ascii_lowercase() && self.go_on(char) {
            return;
        }
        let kind = kind_of(char.char);
        if let Some(open) = &self.open
            && !self.continues(open, kind, char.char)
        {
            self.close();
        }
        let position = self.text_base + self.text.len();
        let open = self.open.get_or_insert(Open {
            kind,
            start: position,
            from: char.start,
            to: char.end,
            chars: 0,
            capitals: 0,
            begins_capital: false,
            ends_lower: false,
            is_ascii: true,
            is_tab: false,
            invisible: 0,
        });
        open.to = char.end;
        open.invisible = 0;
        open.is_tab |= char.char == '\t';
        self.text.push(char.char);
        if kind == Kind::Word {
            let (lower, folded) = normal::lower_and_folded(char.char);
            let is_capital = lower != char.char;
            open.begins_capital |= is_capital && open.chars == 0;
            open.capitals += u8::from(is_capital);
            open.ends_lower = !is_capital;
            open.is_ascii &= lower.is_ascii();
            self.lower.push(lower);
            self.folded.push(folded);
        }
        open.chars += 1;
    }

    /// Goes on a word with one more small letter of ASCII, as most letters are.
    fn go_on(&mut self, char: NormalChar) -> bool {
        let is_word = |open: &&mut Open| open.kind == Kind::Word && usize::from(open.chars) < MAX_LETTERS;
        let Some(open) = self.open.as_mut().filter(is_word) else { return false };
        open.to = char.end;
        open.invisible = 0;
        open.ends_lower = true;
        open.chars += 1;
        self.text.push(char.char);
        self.lower.push(char.char);
        self.folded.push(char.char);
        true
    }

    fn continues(&self, open: &Open, kind: Kind, char: char) -> bool {
        let is_hump = open.invisible > 0 && open.ends_lower && char.is_uppercase();
        open.kind == kind
            && matches!(kind, Kind::Word | Kind::Number | Kind::Space)
            && usize::from(open.chars) < MAX_LETTERS
            && !is_hump
            && !(char.is_uppercase() && self.escape(open).is_some())
    }

    /// What the letter after a backslash stands for, in a text with escapes: `\nNguyễn Văn A`, `\t0912345678`.
    fn escape(&self, open: &Open) -> Option<Kind> {
        let is_escape = open.kind == Kind::Word
            && open.chars == 1
            && open.capitals == 0
            && self.list.last().is_some_and(|last| last.kind == Kind::Symbol('\\'));
        match self.lower.as_str() {
            "n" | "r" if is_escape => Some(Kind::Newline),
            "t" if is_escape => Some(Kind::Space),
            _ => None,
        }
    }

    fn take_invisible(&mut self) {
        let Some(open) = &mut self.open else { return };
        open.invisible += 1;
        if open.invisible > MAX_INVISIBLE {
            self.close();
        }
    }

    /// Whether a capitalised word follows another one: without diacritics, a part of a name looks like many a cue.
    fn is_inside_name(&self, token: &Token) -> bool {
        let before = self.list.len().checked_sub(2).and_then(|index| self.list.get(index));
        token.case == Case::Title
            && self.list.last().is_some_and(|last| last.kind == Kind::Space)
            && before.is_some_and(|before| before.kind == Kind::Word && before.case == Case::Title)
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let kind = self.escape(&open).unwrap_or(open.kind);
        let mut token = Token {
            kind,
            case: open.case(),
            chars: open.chars,
            is_ascii: open.is_ascii,
            is_tab: open.is_tab || kind == Kind::Space && open.kind == Kind::Word,
            is_lower_text: self.words_since_capital >= MEMORY_WORDS,
            is_upper_text: self.words_since_lower >= MEMORY_WORDS && self.words_since_upper < MEMORY_WORDS,
            is_accented_text: self.words_since_accent < MEMORY_WORDS,
            start: open.start,
            end: self.text_base + self.text.len(),
            from: open.from,
            to: open.to,
            word: Word::default(),
            cue: Cue::None,
            cue_tokens: 0,
            is_folded_cue: false,
            column: Cue::None,
        };
        if kind == Kind::Word {
            let entry = self.lexicon.entry(&self.folded);
            token.word = entry.map_or(Word::unknown(open.is_ascii), |entry| entry.word(&self.lower, open.is_ascii));
            let since = |is_now: bool, words: u8| if is_now { 0 } else { (words + 1).min(MEMORY_WORDS) };
            self.words_since_capital = since(open.capitals > 0, self.words_since_capital);
            self.words_since_accent = since(!open.is_ascii, self.words_since_accent);
            self.words_since_lower = since(open.case() != Case::Upper && open.chars > 1, self.words_since_lower);
            self.words_since_upper = since(open.case() == Case::Upper, self.words_since_upper);
            token.is_lower_text &= open.capitals == 0;
            let announcement =
                entry.map_or_else(Announcement::default, |entry| self.lexicon.phrase(entry, &token, &self.list));
            (token.cue, token.cue_tokens) = (announcement.cue, announcement.tokens);
            token.is_folded_cue = announcement.is_folded;
            if announcement.is_folded && announcement.tokens == 1 && self.is_inside_name(&token) {
                token.cue = Cue::None;
            }
        }
        self.lower.clear();
        self.folded.clear();
        token.column = self.table.push(&token);
        self.list.push(token);
    }
}

impl Open {
    fn case(&self) -> Case {
        match self.capitals {
            0 => Case::Lower,
            1 if self.begins_capital => Case::Title,
            capitals if capitals == self.chars => Case::Upper,
            _ => Case::Mixed,
        }
    }
}

fn kind_of(char: char) -> Kind {
    match char {
        'a'..='z' | 'A'..='Z' => Kind::Word,
        '0'..='9' => Kind::Number,
        ' ' | '\t' => Kind::Space,
        '\n' | '\r' => Kind::Newline,
        _ if char.is_ascii() => Kind::Symbol(char),
        _ if latin::is_letter(char) => Kind::Word,
        _ if char.is_alphabetic() => Kind::Word,
        _ if char.is_whitespace() => Kind::Space,
        _ => Kind::Symbol(char),
    }
}
