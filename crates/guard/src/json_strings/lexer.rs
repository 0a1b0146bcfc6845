//! Takes a JSON text apart that comes in parts.

/// Deeper texts are taken as plain.
const MAX_DEPTH: usize = 128;
/// The rest of a longer key is no cue.
const MAX_KEY_BYTES: usize = 64;
/// Longer numbers are plain text.
const MAX_NUMBER_CHARS: usize = 64;

/// A piece of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A bracket, a sign or a space.
    Structure(char),
    StringStart,
    /// A part of a string, without escapes.
    StringPart(&'a str),
    StringEnd,
    /// A character of a number, of `true`, `false` or `null`, or a space behind one.
    Number(char),
    NumberEnd,
    /// What began as a number goes on as no JSON.
    NumberIsText,
    /// What is no JSON.
    Text(&'a str),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// In a number, or behind it, where only a comma or a bracket may follow.
    Number {
        is_over: bool,
    },
    /// In a string; a key, if it is one.
    String {
        is_key: bool,
    },
    /// After a backslash.
    Escape {
        is_key: bool,
    },
    /// After `\u` and some digits.
    Unicode {
        is_key: bool,
        digits: u8,
        value: u32,
    },
    Literal(&'static str),
    /// No JSON: all that follows is plain text.
    Text,
}

/// Where a JSON text has come to.
#[derive(Default)]
pub(super) struct Lexer {
    state: State,
    /// For each container, whether it is an object, and the key that it stands under.
    containers: Vec<(bool, String)>,
    expects_key: bool,
    key: String,
    /// The first half of a character of two escapes.
    high: Option<u32>,
    decoded: String,
    number_chars: usize,
    /// Whether the value is complete: what follows is plain text.
    is_complete: bool,
}

impl Lexer {
    /// Whether the text is no JSON.
    pub(super) fn is_text(&self) -> bool {
        self.state == State::Text
    }

    /// Bytes that are kept.
    pub(super) fn held(&self) -> usize {
        self.decoded.len()
    }

    /// Takes the next part; `emit` gets each piece and the key that it stands under.
    pub(super) fn push(&mut self, part: &str, mut emit: impl FnMut(Piece<'_>, &str)) {
        for (index, char) in part.char_indices() {
            if self.state == State::Text {
                return emit(Piece::Text(part.get(index..).unwrap_or_default()), &self.key);
            }
            self.take(char, &mut emit);
        }
        self.flush(&mut emit);
    }

    /// Ends a number or a half character; the text has ended.
    pub(super) fn finish(&mut self, mut emit: impl FnMut(Piece<'_>, &str)) {
        if matches!(self.state, State::Number { .. } | State::Literal(_)) {
            emit(Piece::NumberEnd, &self.key);
        }
        self.end_half();
        self.flush(&mut emit);
    }

    fn take(&mut self, char: char, emit: &mut impl FnMut(Piece<'_>, &str)) {
        match self.state {
            State::Between => self.between(char, emit),
            State::Number { is_over } => self.number(char, is_over, emit),
            State::Literal(rest) => self.literal(char, rest, emit),
            State::String { is_key } => self.string(char, is_key, emit),
            State::Escape { is_key } => self.escape(char, is_key),
            State::Unicode { is_key, digits, value } => self.unicode(char, is_key, digits, value),
            State::Text => self.text(char, emit),
        }
    }

    fn between(&mut self, char: char, emit: &mut impl FnMut(Piece<'_>, &str)) {
        let is_object = self.containers.last().is_some_and(|(is_object, _)| *is_object);
        // Only objects and lists are JSON here: what else a text begins with may be anybody's words.
        if self.containers.is_empty() && (self.is_complete || !matches!(char, ' ' | '\n' | '\r' | '\t' | '{' | '[')) {
            return self.text(char, emit);
        }
        match char {
            ' ' | '\n' | '\r' | '\t' => {}
            '"' => {
                let is_key = is_object && self.expects_key;
                if is_key {
                    self.key.clear();
                }
                self.state = State::String { is_key };
                return emit(Piece::StringStart, if is_key { "" } else { &self.key });
            }
            '{' | '[' if self.containers.len() < MAX_DEPTH => {
                self.containers.push((char == '{', self.key.clone()));
                self.expects_key = char == '{';
            }
            '}' | ']' if is_object == (char == '}') && !self.containers.is_empty() => {
                self.key = self.containers.pop().map(|(_, key)| key).unwrap_or_default();
                self.expects_key = false;
                self.is_complete = self.containers.is_empty();
            }
            ':' if is_object => self.expects_key = false,
            ',' if !self.containers.is_empty() => self.expects_key = is_object,
            '-' | '0'..='9' => return self.begin_number(char, State::Number { is_over: false }, emit),
            't' => return self.begin_number(char, State::Literal("rue"), emit),
            'f' => return self.begin_number(char, State::Literal("alse"), emit),
            'n' => return self.begin_number(char, State::Literal("ull"), emit),
            _ => return self.text(char, emit),
        }
        emit(Piece::Structure(char), &self.key);
    }

    fn begin_number(&mut self, char: char, state: State, emit: &mut impl FnMut(Piece<'_>, &str)) {
        self.state = state;
        self.number_chars = 1;
        emit(Piece::Number(char), &self.key);
    }

    fn number(&mut self, char: char, is_over: bool, emit: &mut impl FnMut(Piece<'_>, &str)) {
        let is_space = matches!(char, ' ' | '\n' | '\r' | '\t');
        let goes_on = !is_over && matches!(char, '0'..='9' | '.' | 'e' | 'E' | '+' | '-');
        let has_room = self.number_chars < MAX_NUMBER_CHARS;
        if (goes_on || is_space) && has_room {
            self.number_chars += 1;
            self.state = State::Number { is_over: is_over || is_space };
            return emit(Piece::Number(char), &self.key);
        }
        if !is_space && !matches!(char, ',' | '}' | ']') {
            emit(Piece::NumberIsText, &self.key);
            return self.text(char, emit);
        }
        emit(Piece::NumberEnd, &self.key);
        self.state = State::Between;
        self.between(char, emit);
    }

    fn literal(&mut self, char: char, rest: &'static str, emit: &mut impl FnMut(Piece<'_>, &str)) {
        match rest.strip_prefix(char) {
            Some(after) => {
                self.state = if after.is_empty() { State::Number { is_over: true } } else { State::Literal(after) };
                emit(Piece::Number(char), &self.key);
            }
            None => {
                emit(Piece::NumberIsText, &self.key);
                self.text(char, emit);
            }
        }
    }

    fn text(&mut self, char: char, emit: &mut impl FnMut(Piece<'_>, &str)) {
        self.state = State::Text;
        emit(Piece::Text(char.encode_utf8(&mut [0; 4])), &self.key);
    }

    fn string(&mut self, char: char, is_key: bool, emit: &mut impl FnMut(Piece<'_>, &str)) {
        match char {
            '"' => {
                self.end_half();
                self.flush(emit);
                self.state = State::Between;
                emit(Piece::StringEnd, &self.key);
            }
            '\\' => self.state = State::Escape { is_key },
            _ => self.decode(char, is_key),
        }
    }

    fn escape(&mut self, char: char, is_key: bool) {
        self.state = State::String { is_key };
        match char {
            'n' => self.decode('\n', is_key),
            't' => self.decode('\t', is_key),
            'r' => self.decode('\r', is_key),
            'b' => self.decode('\u{8}', is_key),
            'f' => self.decode('\u{c}', is_key),
            'u' => self.state = State::Unicode { is_key, digits: 0, value: 0 },
            _ => self.decode(char, is_key),
        }
    }

    fn unicode(&mut self, char: char, is_key: bool, digits: u8, value: u32) {
        let Some(digit) = char.to_digit(16) else {
            self.state = State::String { is_key };
            return self.decode(char, is_key);
        };
        let value = value * 16 + digit;
        if digits < 3 {
            self.state = State::Unicode { is_key, digits: digits + 1, value };
            return;
        }
        self.state = State::String { is_key };
        match (self.high.take(), value) {
            (Some(high), 0xdc00..=0xdfff) => {
                let whole = 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00);
                self.decode(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER), is_key);
            }
            (lone, 0xd800..=0xdbff) => {
                self.high = lone;
                self.end_half();
                self.high = Some(value);
            }
            (lone, _) => {
                self.high = lone;
                self.decode(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER), is_key);
            }
        }
    }

    fn decode(&mut self, char: char, is_key: bool) {
        self.end_half();
        self.decoded.push(char);
        if is_key && self.key.len() < MAX_KEY_BYTES {
            self.key.push(char);
        }
    }

    /// Half a character without its other half is no character.
    fn end_half(&mut self) {
        if self.high.take().is_some() {
            self.decoded.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn flush(&mut self, emit: &mut impl FnMut(Piece<'_>, &str)) {
        if !self.decoded.is_empty() {
            emit(Piece::StringPart(&self.decoded), &self.key);
            self.decoded.clear();
        }
    }
}
