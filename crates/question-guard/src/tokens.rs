use std::ops::Range;

/// A text in small letters, cut into words.
#[derive(Default)]
pub struct Tokens {
    text: String,
    tokens: Vec<Token>,
}

/// A word, and how it stood in the text.
#[derive(Clone)]
pub struct Token {
    range: Range<usize>,
    /// Holds digits or signs, and is read as a whole.
    pub code: bool,
    /// Begins with a capital letter where no sentence begins, or has none but capital letters.
    pub name: bool,
    /// Has none but capital letters, two or more.
    pub capitals: bool,
    /// A comma or the like follows, or the text ends.
    pub closes: bool,
}

/// Signs that mean something by themselves.
const SIGNS: &str = "$€£¥₫%<>=≤≥+*^#°";

impl Tokens {
    /// Reads a text.
    pub fn read(text: &str) -> Self {
        let mut read =
            Self { text: String::with_capacity(text.len() + 8), tokens: Vec::with_capacity(text.len() / 4 + 1) };
        // Where all is in capital letters, they mark nothing; the case of the first letter never counts.
        let shouts = !text.chars().filter(|letter| letter.is_alphabetic()).skip(1).any(char::is_lowercase);
        let mut opens = true;
        for word in text.split_whitespace() {
            let outer = |sign: char| !sign.is_alphanumeric() && !SIGNS.contains(sign) && !is_mark(sign);
            let bare = word.trim_matches(outer);
            let closes = word.ends_with(['.', '?', '!', ',', ';', ':', '…', ')']);
            if !bare.is_empty() {
                let minus = word.starts_with('-') && bare.starts_with(|first: char| first.is_ascii_digit());
                read.word(if minus { word.trim_end_matches(outer) } else { bare }, opens, shouts);
                opens = false;
            }
            if closes {
                if let Some(last) = read.tokens.last_mut() {
                    last.closes = true;
                }
                opens = !word.ends_with([',', ':', ';', ')']);
            }
        }
        if let Some(last) = read.tokens.last_mut() {
            last.closes = true;
        }
        read
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The word at a place, and its text.
    pub fn get(&self, at: usize) -> Option<(&Token, &str)> {
        let token = self.tokens.get(at)?;
        Some((token, self.text.get(token.range.clone())?))
    }

    /// Whether one of some words comes right before one of some others.
    pub fn is_followed(&self, first: &[&str], then: &[&str]) -> bool {
        let next = self.iter().skip(1);
        self.iter().zip(next).any(|((_, word), (_, next))| first.contains(&word) && then.contains(&next))
    }

    /// Every word with its text.
    pub fn iter(&self) -> impl Iterator<Item = (&Token, &str)> {
        self.tokens.iter().filter_map(|token| Some((token, self.text.get(token.range.clone())?)))
    }

    fn word(&mut self, word: &str, opens: bool, shouts: bool) {
        let digits = word.contains(|sign: char| sign.is_numeric());
        if word.contains('@') || word.contains("://") || word.contains(|sign| SIGNS.contains(sign)) || digits {
            // "30-day" is a number and a word; "PO-2024" is a code.
            if let Some((number, rest)) = word.split_once('-')
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && !number.is_empty()
                && rest.chars().all(char::is_alphabetic)
                && !rest.is_empty()
            {
                self.push(number, true, opens, shouts);
                self.push(rest, false, opens, shouts);
                return;
            }
            self.push(word, true, opens, shouts);
            return;
        }
        let mut opens = opens;
        for part in word.split(|sign: char| !sign.is_alphanumeric() && !is_mark(sign) && !matches!(sign, '\'' | '’'))
        {
            self.letters(part.trim_matches(['\'', '’']), opens, shouts);
            opens = false;
        }
    }

    /// A word of letters alone; "can't" is "can not", "what's" is "what".
    fn letters(&mut self, word: &str, opens: bool, shouts: bool) {
        if word.is_empty() {
            return;
        }
        let small = word.to_lowercase();
        match small.as_str() {
            "cannot" | "can't" | "can’t" => return self.denied("can", opens, shouts),
            "won't" | "won’t" => return self.denied("will", opens, shouts),
            _ => {}
        }
        if let Some(verb) = small.strip_suffix("n't").or_else(|| small.strip_suffix("n’t")) {
            return self.denied(verb, opens, shouts);
        }
        match word.find(['\'', '’']) {
            Some(at) => self.push(word.get(..at).unwrap_or(word), false, opens, shouts),
            None => self.push(word, false, opens, shouts),
        }
    }

    fn denied(&mut self, verb: &str, opens: bool, shouts: bool) {
        self.push(verb, false, opens, shouts);
        self.push("not", false, false, shouts);
    }

    fn push(&mut self, word: &str, code: bool, opens: bool, shouts: bool) {
        let start = self.text.len();
        self.text.extend(word.chars().flat_map(char::to_lowercase));
        one_tone_mark(&mut self.text, start);
        let letters = || word.chars().filter(|letter| letter.is_alphabetic());
        let tail_is_large = letters().nth(1).is_some() && letters().skip(1).all(char::is_uppercase);
        let capitals = !shouts && !code && tail_is_large;
        let first_is_large = letters().next().is_some_and(char::is_uppercase);
        let name = !code && !shouts && (capitals || (!opens && first_is_large && word != "I"));
        self.tokens.push(Token { range: start..self.text.len(), code, name, capitals, closes: false });
    }
}

/// Marks that stand on the letter before them.
fn is_mark(sign: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&sign)
}

/// Vietnamese is written with the tone on either vowel ("hoá", "hóa"); here on the first.
fn one_tone_mark(text: &mut String, start: usize) {
    const FORMS: [(&str, &str); 15] = [
        ("oá", "óa"),
        ("oà", "òa"),
        ("oả", "ỏa"),
        ("oã", "õa"),
        ("oạ", "ọa"),
        ("oé", "óe"),
        ("oè", "òe"),
        ("oẻ", "ỏe"),
        ("oẽ", "õe"),
        ("oẹ", "ọe"),
        ("uý", "úy"),
        ("uỳ", "ùy"),
        ("uỷ", "ủy"),
        ("uỹ", "ũy"),
        ("uỵ", "ụy"),
    ];
    let Some(word) = text.get(start..) else { return };
    for (second, first) in FORMS {
        if let Some(head) = word.strip_suffix(second)
            && !head.ends_with('q')
        {
            let kept = start + head.len();
            text.truncate(kept);
            text.push_str(first);
            return;
        }
    }
}
