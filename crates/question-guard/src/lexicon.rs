use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::ask;
use super::hash;
use super::stem::{Vowel, stem};
use super::tokens::Tokens;

/// What a phrase does to the meaning of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sense {
    /// Nothing: politeness and function words.
    Noise,
    /// Stands for a thing, a deed or a quality.
    Content,
    /// A number word.
    Number,
    /// A word that makes a number larger by a power of ten.
    Times,
    /// A day, a month, a season.
    Date,
    /// A unit or a currency.
    Unit,
    /// A quantifier or a comparison.
    Scope,
    /// Denies.
    Negation,
    /// Asks for something (a bit of `ask`).
    Ask,
    /// It must be so.
    Must,
    /// It may be so.
    Can,
    /// It was so.
    Past,
    /// It will be so.
    Future,
    /// The next word has this role: from, to, than.
    Role,
    /// The next word is who does it.
    By,
    /// The next word, if it is somebody, is who does it ("được", "bị").
    Passive,
    /// Nothing, but a clause begins on which the question depends.
    If,
}

/// A phrase's sense, and what it stands for.
#[derive(Clone, Copy, Debug)]
pub struct LexiconEntry {
    pub sense: Sense,
    pub key: u64,
}

/// What is known of a content word beside what it stands for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// Somebody or something that acts: the order of two of them tells who does what to whom.
    pub actor: bool,
    /// The next word has a role by it: before, after, instead of.
    pub relation: bool,
    /// A verb whose objects may be told in any order ("mix A and B"), or the "or" between them.
    pub lists: bool,
    /// Bits of `ask` that it implies: a deadline is a "when".
    pub asks: u16,
    /// Bits of `ask` that it implies where a question asks for nothing by itself.
    pub suggests: u16,
    /// No name, even in capital letters ("Wi-Fi").
    pub thing: bool,
}

/// The words of one language.
pub struct Lexicon {
    stems: bool,
    phrases: HashMap<u64, LexiconEntry>,
    /// How many words the longest phrase has that begins with a word.
    longest: HashMap<u64, usize>,
    traits: HashMap<u64, Traits>,
    opposites: HashSet<(u64, u64)>,
    /// Words before which a clause may end ("không ạ?").
    particles: HashSet<u64>,
}

/// English.
pub static ENGLISH: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(include_str!("words/en.txt"), true));
/// Vietnamese.
pub static VIETNAMESE: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::read(include_str!("words/vi.txt"), false));

const OPENS: u64 = 0x5e;
const CLOSES: u64 = 0x24;

impl Lexicon {
    /// Reads a word list; where a phrase is listed twice, the first line counts.
    pub fn read(list: &str, stems: bool) -> Self {
        let mut lexicon = Self {
            stems,
            phrases: HashMap::new(),
            longest: HashMap::new(),
            traits: HashMap::new(),
            opposites: HashSet::new(),
            particles: HashSet::new(),
        };
        let lines = || {
            let lines = list.lines().filter(|line| !line.starts_with('#'));
            lines.filter_map(|line| {
                let (head, phrases) = line.split_once(": ")?;
                let phrases = phrases.split(',').flat_map(|phrase| spelt_out(phrase.trim()));
                Some((head.split_once(' ').unwrap_or((head, "")), phrases))
            })
        };
        for ((name, key), phrases) in lines() {
            let Some(sense) = sense(name) else { continue };
            let mut first = None;
            for phrase in phrases {
                let own = lexicon.key_of(&phrase);
                let same = *first.get_or_insert(own);
                let key = match sense {
                    Sense::Content if matches!(name, "word" | "joined") => own,
                    Sense::Content => same,
                    Sense::Number => key.parse().map(|value| super::number::Number::whole(value).key()).unwrap_or(own),
                    Sense::Times => key.parse().unwrap_or(0),
                    Sense::Ask => ask::bit(key).into(),
                    _ => hash::word(if key.is_empty() { name } else { key }),
                };
                lexicon.add(&phrase, LexiconEntry { sense, key });
                if name == "joined" {
                    lexicon.add(&phrase.replace(' ', ""), LexiconEntry { sense, key });
                }
            }
        }
        for ((name, key), phrases) in lines() {
            let mut first = None;
            for phrase in phrases {
                match name {
                    "particle" => {
                        let word = lexicon.word_key(&phrase);
                        lexicon.particles.insert(word);
                    }
                    "opposite" => {
                        if let Some((one, other)) = phrase.split_once(" / ") {
                            let (one, other) = (lexicon.content(one, None), lexicon.content(other, None));
                            lexicon.opposites.insert((one.min(other), one.max(other)));
                        }
                    }
                    "actor" | "relation" | "lists" | "hint" | "suggest" | "thing" => {
                        let phrase_key = lexicon.content(&phrase, first);
                        first = first.or(Some(phrase_key));
                        let traits = lexicon.traits.entry(phrase_key).or_default();
                        traits.actor |= name == "actor";
                        traits.relation |= name == "relation";
                        traits.lists |= name == "lists";
                        traits.thing |= name == "thing";
                        traits.asks |= if name == "hint" { ask::bit(key) } else { 0 };
                        traits.suggests |= if name == "suggest" { ask::bit(key) } else { 0 };
                    }
                    _ => {}
                }
            }
        }
        lexicon
    }

    /// How many pairs of opposites there are.
    #[cfg(test)]
    pub fn opposites(&self) -> usize {
        self.opposites.len()
    }

    /// What stands for a word of a text.
    pub fn word_key(&self, word: &str) -> u64 {
        if !self.stems {
            return hash::word(word);
        }
        let stem = stem(word);
        match stem.vowel {
            Vowel::None => hash::word(stem.text),
            vowel => hash::then(hash::word(stem.text), vowel as u64),
        }
    }

    /// What stands for a thing that a phrase names.
    pub fn content_key(&self, phrase: &str) -> u64 {
        let own = whole(&self.words_of(phrase));
        self.phrases.get(&own).map_or(own, |entry| entry.key)
    }

    /// Whether a word of the text is a phrase here.
    pub fn knows(&self, word: &str) -> bool {
        self.phrases.contains_key(&self.word_key(word))
    }

    /// Whether a clause may end before this word.
    pub fn is_particle(&self, word: u64) -> bool {
        self.particles.contains(&word)
    }

    /// The longest phrase at the beginning of these words, and how many of them it takes; `opens` tells whether a clause
    /// begins here, `closes(n)` whether one ends after n of them.
    pub fn longest_phrase(
        &self,
        words: &[u64],
        opens: bool,
        closes: impl Fn(usize) -> bool,
    ) -> Option<(LexiconEntry, usize)> {
        let longest = *self.longest.get(words.first()?)?;
        (1..=longest.min(words.len())).rev().find_map(|taken| {
            let plain = whole(words.get(..taken)?);
            let found = |opens: bool, closes: bool| self.phrases.get(&bounded(plain, opens, closes)).copied();
            let closed = closes(taken);
            let entry = (opens && closed).then(|| found(true, true)).flatten();
            let entry = entry.or_else(|| opens.then(|| found(true, false)).flatten());
            let entry = entry.or_else(|| closed.then(|| found(false, true)).flatten());
            entry.or_else(|| found(false, false)).map(|entry| (entry, taken))
        })
    }

    /// What is known of a content word.
    pub fn traits(&self, key: u64) -> Traits {
        self.traits.get(&key).copied().unwrap_or_default()
    }

    /// Whether two content words mean the opposite of each other.
    pub fn are_opposite(&self, one: u64, other: u64) -> bool {
        self.opposites.contains(&(one.min(other), one.max(other)))
    }

    fn words_of(&self, phrase: &str) -> Vec<u64> {
        Tokens::read(phrase).iter().map(|(_, word)| self.word_key(word)).collect()
    }

    fn key_of(&self, phrase: &str) -> u64 {
        let words = self.words_of(phrase.trim_start_matches('^'));
        let opens = phrase.starts_with('^');
        bounded(whole(&words), opens, false)
    }

    /// What stands for a phrase, which is added as a content word if it is not here.
    fn content(&mut self, phrase: &str, key: Option<u64>) -> u64 {
        let own = whole(&self.words_of(phrase));
        match self.phrases.get(&own) {
            Some(entry) => entry.key,
            None => {
                let key = key.unwrap_or(own);
                self.add(phrase, LexiconEntry { sense: Sense::Content, key });
                key
            }
        }
    }

    fn add(&mut self, phrase: &str, entry: LexiconEntry) {
        let opens = phrase.len() > 1 && phrase.starts_with('^');
        let closes = phrase.len() > 1 && phrase.ends_with('$');
        let bare = if opens || closes { phrase.trim_matches(['^', '$']) } else { phrase };
        let words = self.words_of(bare);
        let Some(first) = words.first() else { return };
        let longest = self.longest.entry(*first).or_default();
        *longest = (*longest).max(words.len());
        self.phrases.entry(bounded(whole(&words), opens, closes)).or_insert(entry);
    }
}

/// The phrases that a line's "[could|can] you [please|]" stands for.
fn spelt_out(phrase: &str) -> Vec<String> {
    let parts = phrase.split_once('[').and_then(|(head, rest)| Some((head, rest.split_once(']')?)));
    let Some((head, (choices, tail))) = parts else { return vec![phrase.to_owned()] };
    let tails = spelt_out(tail);
    choices.split('|').flat_map(|choice| tails.iter().map(move |tail| format!("{head}{choice}{tail}"))).collect()
}

fn whole(words: &[u64]) -> u64 {
    match words {
        [word] => *word,
        words => words.iter().fold(0, |before, word| hash::then(before, *word)),
    }
}

fn bounded(phrase: u64, opens: bool, closes: bool) -> u64 {
    let phrase = if opens { hash::then(phrase, OPENS) } else { phrase };
    if closes { hash::then(phrase, CLOSES) } else { phrase }
}

fn sense(name: &str) -> Option<Sense> {
    Some(match name {
        "noise" => Sense::Noise,
        "same" | "word" | "joined" | "recommended" => Sense::Content,
        "number" => Sense::Number,
        "times" => Sense::Times,
        "date" => Sense::Date,
        "unit" => Sense::Unit,
        "scope" => Sense::Scope,
        "negation" => Sense::Negation,
        "ask" => Sense::Ask,
        "must" => Sense::Must,
        "can" => Sense::Can,
        "past" => Sense::Past,
        "future" => Sense::Future,
        "from" | "to" | "than" | "between" => Sense::Role,
        "by" => Sense::By,
        "passive" => Sense::Passive,
        "if" => Sense::If,
        _ => return None,
    })
}
