use super::ask;
use super::hash;
use super::lexicon::{ENGLISH, Entry, Lexicon, Sense, VIETNAMESE};
use super::number::Number;
use super::tokens::{Token, Tokens};

/// What a question comes to, once its politeness and its choice among words of the same meaning are taken out.
pub struct Meaning {
    /// The words it was read with.
    pub lexicon: &'static Lexicon,
    /// Whether those are Vietnamese.
    pub vietnamese: bool,
    /// What it speaks of, in its order.
    pub items: Vec<Item>,
    /// Which word has which role: what follows "from", "before", "not".
    pub roles: Vec<(u64, u64)>,
    /// Bits of `ask`.
    pub asks: u16,
    /// Bits of `ask` that its nouns imply.
    pub implied: u16,
    /// How many words bind its parts ("of", "if", "is"): a question that is turned round fairly needs other ones.
    pub links: usize,
    /// "Who does … ?": whom it is done to.
    pub whom: bool,
    /// How often it denies.
    pub negations: usize,
    /// It must be so.
    pub must: bool,
    /// It may be so.
    pub can: bool,
    /// It was so.
    pub past: bool,
    /// It will be so.
    pub future: bool,
    /// It tells who does it after what is done.
    pub passive: bool,
}

/// One thing that a question speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub kind: Kind,
    pub key: u64,
    /// Written as a name.
    pub name: bool,
    /// Acts, so that its place tells who does what to whom.
    pub actor: bool,
    /// A word that no list knows.
    pub unknown: bool,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Number,
    Date,
    Id,
    Unit,
    Scope,
    Content,
}

impl Meaning {
    /// Reads a question.
    pub fn read(text: &str) -> Self {
        let tokens = Tokens::read(text);
        let vietnamese = is_vietnamese(&tokens);
        let lexicon: &'static Lexicon = if vietnamese { &VIETNAMESE } else { &ENGLISH };
        let meaning = Self {
            lexicon,
            vietnamese,
            items: Vec::with_capacity(tokens.len()),
            roles: Vec::new(),
            asks: 0,
            implied: 0,
            links: 0,
            whom: false,
            negations: 0,
            must: false,
            can: false,
            past: false,
            future: false,
            passive: false,
        };
        let mut reader = Reader { meaning, pending: None, by: false, may_be_by: false, number: None };
        reader.read(&tokens);
        reader.end_number();
        reader.meaning
    }
}

struct Reader {
    meaning: Meaning,
    /// The role of the next item.
    pending: Option<u64>,
    /// The next item does it.
    by: bool,
    /// The next item does it if it is somebody.
    may_be_by: bool,
    /// A number that a word such as "million" may still make larger.
    number: Option<Number>,
}

impl Reader {
    fn read(&mut self, tokens: &Tokens) {
        let lexicon = self.meaning.lexicon;
        let english = !self.meaning.vietnamese;
        let keys: Vec<u64> = tokens.iter().map(|(token, word)| word_key(lexicon, token, word, english)).collect();
        self.meaning.links = tokens.iter().filter(|(_, word)| LINKS.contains(word)).count();
        self.meaning.whom = tokens.is_followed(&["who", "whom"], &HELPERS);
        let ends = clause_ends(lexicon, tokens, &keys);
        let mut opens = true;
        let mut at = 0;
        while let Some((token, word)) = tokens.get(at) {
            let taken = match self.special(tokens, at) {
                true => 1,
                false if token.code => {
                    self.code(word);
                    opens = false;
                    1
                }
                false => {
                    let rest = keys.get(at..).unwrap_or_default();
                    let closes = |taken: usize| ends.get(at + taken - 1).copied().unwrap_or(true);
                    match lexicon.longest_phrase(rest, opens, closes) {
                        Some((entry, taken)) => {
                            // "Anh" is a country, "anh" is you; "hall A" is not "a hall".
                            let letter = word.len() == 1;
                            let called = token.name && taken == 1 && (self.meaning.vietnamese || letter);
                            match entry.sense {
                                Sense::Noise if called => {
                                    self.item(Kind::Content, keys.get(at).copied().unwrap_or_default(), true, false)
                                }
                                sense => {
                                    self.meaning.asks |= asked_by_opening(sense, opens && !self.meaning.vietnamese);
                                    self.entry(entry, token.name && taken < 3);
                                }
                            }
                            opens &= entry.sense == Sense::Noise && !called;
                            taken
                        }
                        None => {
                            self.item(Kind::Content, keys.get(at).copied().unwrap_or_default(), token.name, true);
                            opens = false;
                            1
                        }
                    }
                }
            };
            at += taken;
            opens |= tokens.get(at - 1).is_some_and(|(last, _)| last.closes);
        }
    }

    /// Words that only their neighbours tell apart.
    fn special(&mut self, tokens: &Tokens, at: usize) -> bool {
        let Some((token, word)) = tokens.get(at) else { return false };
        let next = || tokens.get(at + 1);
        let after_code = at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|(before, _)| before.code);
        match word {
            "năm" if next().is_some_and(|(_, next)| COUNTED.contains(&next)) => {
                self.number(Number::whole(5));
                true
            }
            "am" if after_code => {
                self.item(Kind::Unit, hash::of("am"), false, false);
                true
            }
            "may" if !self.meaning.vietnamese => {
                let by_number = after_code || next().is_some_and(|(next, _)| next.code);
                if token.name || by_number {
                    self.item(Kind::Date, hash::of("may"), false, false);
                }
                token.name || by_number
            }
            _ => false,
        }
    }

    fn entry(&mut self, Entry { sense, key }: Entry, name: bool) {
        let meaning = &mut self.meaning;
        match sense {
            Sense::Noise => {}
            Sense::Content => self.item(Kind::Content, key, name, false),
            Sense::Date => self.item(Kind::Date, key, false, false),
            Sense::Unit => self.item(Kind::Unit, key, false, false),
            Sense::Scope => self.item(Kind::Scope, key, false, false),
            Sense::Number => self.item(Kind::Number, key, false, false),
            Sense::Times => self.times(u8::try_from(key).unwrap_or(0)),
            Sense::Negation => {
                meaning.negations += 1;
                self.pending = Some(key);
            }
            Sense::Ask => {
                let asked = u16::try_from(key).unwrap_or(0);
                meaning.asks |= asked;
                if asked == ask::WHO {
                    self.by = false;
                    self.may_be_by = false;
                }
            }
            Sense::Must => meaning.must = true,
            Sense::Can => meaning.can = true,
            Sense::Past => meaning.past = true,
            Sense::Future => meaning.future = true,
            Sense::Role => self.pending = Some(key),
            Sense::By => self.by = true,
            Sense::Passive => {
                meaning.can = true;
                self.may_be_by = true;
            }
        }
    }

    /// A word with digits or signs: a number with its unit, or else an id.
    fn code(&mut self, word: &str) {
        let lexicon = self.meaning.lexicon;
        let unit_of =
            |text: &str| lexicon.longest_phrase(&[lexicon.word_key(text)], false, |_| false).map(|(entry, _)| entry);
        let (sign, rest) = match word.chars().next() {
            Some(first) if !first.is_alphanumeric() && word.len() > first.len_utf8() => word.split_at(first.len_utf8()),
            _ => ("", word),
        };
        let sign = match sign {
            "" => None,
            sign => match unit_of(sign) {
                Some(entry) => Some(entry),
                None => return self.item(Kind::Id, hash::of(word), false, false),
            },
        };
        let rest = match rest.strip_prefix('v') {
            Some(version) if version.starts_with(|first: char| first.is_ascii_digit()) => version,
            _ => rest,
        };
        let digits = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.' && sign != ',').unwrap_or(rest.len());
        let (digits, suffix) = rest.split_at(digits);
        let Some(number) = Number::read(digits) else {
            match unit_of(word) {
                Some(entry) => self.entry(entry, false),
                None => self.item(Kind::Id, hash::of(word), false, false),
            }
            return;
        };
        let unit = match suffix {
            "" | "st" | "nd" | "rd" | "th" => None,
            "am" => Some(Entry { sense: Sense::Unit, key: hash::of("am") }),
            suffix => match unit_of(suffix) {
                Some(entry) if matches!(entry.sense, Sense::Unit | Sense::Times) => Some(entry),
                _ => return self.item(Kind::Id, hash::of(word), false, false),
            },
        };
        self.number(number);
        for entry in [unit, sign].into_iter().flatten() {
            self.entry(entry, false);
        }
    }

    fn number(&mut self, number: Number) {
        self.end_number();
        self.number = Some(number);
    }

    fn times(&mut self, power: u8) {
        match self.number.take().and_then(|number| number.times_ten_to(power)) {
            Some(larger) => self.number = Some(larger),
            None => self.item(Kind::Number, hash::then(u64::from(power), hash::of("times")), false, false),
        }
    }

    fn end_number(&mut self) {
        if let Some(number) = self.number.take() {
            self.push(Item { kind: Kind::Number, key: number.key(), name: false, actor: false, unknown: false });
        }
    }

    fn item(&mut self, kind: Kind, key: u64, name: bool, unknown: bool) {
        self.end_number();
        let traits = self.meaning.lexicon.traits(key);
        self.meaning.implied |= traits.asks;
        self.push(Item { kind, key, name, actor: traits.actor, unknown });
        if traits.relation {
            self.pending = Some(key);
        }
    }

    fn push(&mut self, item: Item) {
        if let Some(role) = self.pending.take() {
            self.meaning.roles.push((role, item.key));
        }
        self.meaning.passive |= self.by || (self.may_be_by && item.actor);
        self.by = false;
        self.may_be_by = false;
        self.meaning.items.push(item);
    }
}

/// Words that bind the parts of a question.
const LINKS: [&str; 29] = [
    "of", "for", "in", "on", "at", "with", "by", "if", "when", "is", "are", "be", "was", "were", "được", "bị", "do",
    "bởi", "của", "cho", "với", "khi", "nếu", "thì", "mà", "trong", "ở", "tại", "là",
];
/// Verbs after which a "who" is not the one who does it.
const HELPERS: [&str; 10] = ["do", "does", "did", "should", "can", "will", "must", "may", "would", "could"];

/// Words after which the Vietnamese "năm" is five rather than a year.
const COUNTED: [&str; 13] =
    ["triệu", "tỷ", "tỉ", "nghìn", "ngàn", "trăm", "ngày", "tuần", "tháng", "giờ", "phút", "người", "lần"];

/// "Did it …?", "must it …?": an English question that a verb opens is answered with yes or no.
fn asked_by_opening(sense: Sense, opens: bool) -> u16 {
    let verb = matches!(sense, Sense::Past | Sense::Future | Sense::Must | Sense::Can);
    if opens && verb { ask::YES_NO } else { 0 }
}

/// "IT" and "US" in capital letters are not "it" and "us".
fn word_key(lexicon: &Lexicon, token: &Token, word: &str, english: bool) -> u64 {
    match english && token.capitals && matches!(word, "us" | "it" | "am" | "or" | "in" | "so" | "as" | "do" | "me") {
        true => hash::then(hash::of(word), 1),
        false => lexicon.word_key(word),
    }
}

/// For each word, whether a clause ends after it, particles aside.
fn clause_ends(lexicon: &Lexicon, tokens: &Tokens, keys: &[u64]) -> Vec<bool> {
    let mut ends: Vec<bool> = tokens.iter().map(|(token, _)| token.closes).collect();
    for at in (1..ends.len()).rev() {
        let particle = ends.get(at) == Some(&true) && keys.get(at).is_some_and(|key| lexicon.is_particle(*key));
        if let Some(before) = ends.get_mut(at - 1) {
            *before |= particle;
        }
    }
    ends
}

/// Letters that only Vietnamese has, or a word of its list that is not written in plain letters.
fn is_vietnamese(tokens: &Tokens) -> bool {
    tokens.iter().any(|(_, word)| {
        !word.is_ascii()
            && (word.contains(|letter: char| {
                matches!(letter, 'đ' | 'ă' | 'ơ' | 'ư') || ('\u{1ea0}'..='\u{1ef9}').contains(&letter)
            }) || VIETNAMESE.knows(word))
    })
}
