//! What a model may write for a token, and what a client may write that looks like one.
//!
//! In brackets: any case, one or two backslashes before `[`, `_` and `]`, spaces inside, and `_`, `-`, a space or nothing
//! before the number. Backslashes before `[` alone are the text's own: `C:\Users\[NAME_1]`. Without brackets: the name in capitals, `_` and the number, as a word of its own. Never a form that
//! is only similar: an unknown name or number is no token.

/// The name of a token that stands for a text which looked like a token.
pub(crate) const TEXT: &str = "TEXT";

/// The names of tokens: those of [`crate::pii::PiiKind`] but `SECRET`, which never comes back, and [`TEXT`].
const NAMES: [&str; 19] = [
    "NAME", "CMND", "CCCD", "TAX", "BHXH", "BHYT", "PASSPORT", "LICENSE", "PHONE", "PLATE", "BANK", "CARD", "DOB",
    "ADDRESS", "EMAIL", "IBAN", "IP", "SSN", TEXT,
];
/// Backslashes before a sign, and spaces inside brackets.
const MAX_BACKSLASHES: usize = 2;
const MAX_SPACES: usize = 2;
/// Digits of a number.
const MAX_DIGITS: usize = 6;

/// How many tokens of each name there are.
#[derive(Clone, Default)]
pub(crate) struct Counts([u32; NAMES.len()]);

/// Whether a text begins with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It does not.
    None,
    /// It may, with more text.
    Open,
    /// It does.
    Token { name: &'static str, number: u32, bytes: usize },
}

impl Counts {
    /// As if every number were known.
    pub(crate) fn unlimited() -> Self {
        Self([u32::MAX; NAMES.len()])
    }

    /// Counts one more and gives its number.
    pub(crate) fn add(&mut self, name: &str) -> u32 {
        let counted = NAMES.iter().zip(&mut self.0).find(|(known, _)| **known == name);
        counted.map_or(0, |(_, count)| {
            *count += 1;
            *count
        })
    }

    fn known(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        NAMES.iter().copied().zip(self.0.iter().copied()).filter(|(_, count)| *count > 0)
    }
}

/// Whether `text` begins with a token, where `before` is the character before it.
pub(crate) fn find(text: &str, before: Option<char>, is_end: bool, counts: &Counts) -> Match {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let is_word_before = before.is_some_and(is_word);
    let found = match text.bytes().next() {
        Some(b'[' | b'\\') => in_brackets(text.as_bytes(), is_end, is_word_before, counts),
        Some(b'A'..=b'Z') if !is_word_before => {
            let mut cursor = Cursor { text: text.as_bytes(), at: 0, is_end };
            name_and_number(&mut cursor, false, counts).and_then(|(name, number)| {
                let next = text.get(cursor.at..).and_then(|rest| rest.chars().next());
                match next {
                    None if !is_end => Err(Match::Open),
                    Some(next) if is_word(next) => Err(Match::None),
                    _ => Ok(Match::Token { name, number, bytes: cursor.at }),
                }
            })
        }
        _ => Err(Match::None),
    };
    found.unwrap_or_else(|unfinished| unfinished)
}

/// A place in a text that may go on.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    is_end: bool,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// What it means that the text stops here.
    fn at_end(&self) -> Match {
        if self.is_end { Match::None } else { Match::Open }
    }

    /// Skips up to `most` of a byte.
    fn skip(&mut self, byte: u8, most: usize) {
        let count = self.text.iter().skip(self.at).take(most).take_while(|&&next| next == byte).count();
        self.at += count;
    }

    fn expect(&mut self, byte: u8) -> Result<(), Match> {
        match self.peek() {
            None => Err(self.at_end()),
            Some(next) if next == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Match::None),
        }
    }
}

fn in_brackets(text: &[u8], is_end: bool, is_word_before: bool, counts: &Counts) -> Result<Match, Match> {
    let mut cursor = Cursor { text, at: 0, is_end };
    cursor.skip(b'\\', MAX_BACKSLASHES);
    let opening = cursor.at;
    cursor.expect(b'[')?;
    cursor.skip(b' ', MAX_SPACES);
    let (name, number) = name_and_number(&mut cursor, true, counts)?;
    cursor.skip(b' ', MAX_SPACES);
    let sign = cursor.at;
    cursor.skip(b'\\', MAX_BACKSLASHES);
    let closing = cursor.at - sign;
    cursor.expect(b']')?;
    if opening > 0 && opening != closing {
        return Err(Match::None);
    }
    // `rows[name_1]` is code.
    let is_exact = || text.get(..cursor.at) == Some(format!("[{name}_{number}]").as_bytes());
    if is_word_before && !is_exact() {
        return Err(Match::None);
    }
    Ok(Match::Token { name, number, bytes: cursor.at })
}

fn name_and_number(cursor: &mut Cursor<'_>, in_brackets: bool, counts: &Counts) -> Result<(&'static str, u32), Match> {
    let rest = cursor.text.get(cursor.at..).unwrap_or_default();
    let agrees = |name: &str| {
        let common = name.len().min(rest.len());
        let (name, rest) = (name.as_bytes().get(..common), rest.get(..common));
        name.zip(rest)
            .is_some_and(|(name, rest)| if in_brackets { name.eq_ignore_ascii_case(rest) } else { name == rest })
    };
    let mut result = Err(Match::None);
    for (name, count) in counts.known().filter(|(name, _)| agrees(name)) {
        if rest.len() < name.len() {
            result = Err(cursor.at_end());
            continue;
        }
        cursor.at += name.len();
        return number_after(cursor, in_brackets, count).map(|number| (name, number));
    }
    result
}

/// The sign before a number and the number.
fn number_after(cursor: &mut Cursor<'_>, in_brackets: bool, count: u32) -> Result<u32, Match> {
    let before = cursor.at;
    cursor.skip(b'\\', MAX_BACKSLASHES);
    match cursor.peek() {
        None => return Err(cursor.at_end()),
        Some(b'_') => cursor.at += 1,
        Some(b' ' | b'-') if in_brackets && cursor.at == before => cursor.at += 1,
        Some(b'0'..=b'9') if in_brackets && cursor.at == before => {}
        Some(_) => return Err(Match::None),
    }
    let digits =
        cursor.text.iter().skip(cursor.at).take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let number = cursor.text.get(cursor.at..cursor.at + digits).and_then(|digits| std::str::from_utf8(digits).ok());
    cursor.at += digits;
    if digits == 0 {
        return Err(if cursor.peek().is_none() { cursor.at_end() } else { Match::None });
    }
    let number = number.filter(|number| digits <= MAX_DIGITS && !number.starts_with('0'));
    match number.and_then(|number| number.parse().ok()).filter(|number| *number <= count) {
        Some(_) if cursor.peek().is_none() && !cursor.is_end => Err(Match::Open),
        Some(number) => Ok(number),
        None => Err(Match::None),
    }
}
