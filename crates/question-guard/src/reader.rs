//! Reads the words of a question, one after the other, into its meaning.

use super::ask;
use super::hash;
use super::lexicon::{Lexicon, LexiconEntry, Sense};
use super::meaning::{Item, Kind, Lead, Meaning};
use super::number::Number;
use super::tokens::{Token, Tokens};

/// Reads the words of a question into its meaning.
pub struct Reader {
    meaning: Meaning,
    /// The role of the next item.
    pending: Option<u64>,
    /// The next item does it.
    by: bool,
    /// The next item does it if it is somebody.
    may_be_by: bool,
    /// A number that a word such as "million" may still make larger, and its lead.
    number: Option<(Number, Lead)>,
    /// The lead of the next item.
    lead: Lead,
    /// What stood before "by" or "bị".
    before_by: Option<u64>,
    /// The next item begins a condition.
    condition: bool,
    /// "How many" came right before.
    counts: bool,
}

impl Reader {
    /// Begins with a meaning that has no words yet.
    pub fn new(meaning: Meaning) -> Self {
        Self {
            meaning,
            pending: None,
            by: false,
            may_be_by: false,
            number: None,
            lead: Lead { apart: true, ..Lead::default() },
            before_by: None,
            condition: false,
            counts: false,
        }
    }

    /// Reads all words.
    pub fn read(mut self, tokens: &Tokens) -> Meaning {
        self.words(tokens);
        self.end_number();
        self.spare_both();
        self.set_or_aside();
        self.spare_what_is_asked();
        self.meaning
    }

    fn words(&mut self, tokens: &Tokens) {
        let lexicon = self.meaning.lexicon;
        let english = !self.meaning.vietnamese;
        let keys: Vec<u64> = tokens.iter().map(|(token, word)| word_key(lexicon, token, word, english)).collect();
        self.meaning.links = tokens.iter().filter(|(_, word)| LINKS.contains(word)).count();
        self.meaning.whom = tokens.is_followed(&["who", "whom"], &HELPERS);
        // "X là bao nhiêu" asks no more than "X" alone does.
        for (noun, bit) in [(&["bao", "mấy"][..], ask::HOW_MUCH), (&["ai"], ask::WHO)] {
            let asked = !english && tokens.is_followed(&["là"], noun);
            self.meaning.copula |= if asked { bit } else { 0 };
        }
        self.meaning.present = english && tokens.iter().any(|(_, word)| PRESENT.contains(&word));
        let ends = clause_ends(lexicon, tokens, &keys);
        let mut opens = true;
        let mut at = 0;
        while let Some((_, word)) = tokens.get(at) {
            let vocative = if opens { self.vocative(tokens, at) } else { 0 };
            if vocative > 0 {
                at += vocative;
                continue;
            }
            self.meaning.perfect |= english && opens && matches!(word, "has" | "have");
            let before = self.meaning.items.len() + usize::from(self.number.is_some());
            let taken = self.take(tokens, (&keys, &ends), at, &mut opens);
            let is_item = self.meaning.items.len() + usize::from(self.number.is_some()) > before;
            if is_item {
                let or = JOINS.contains(&word) && taken == 1;
                self.lead = Lead { joined: or, apart: or || self.lead.apart, ..Lead::default() };
            } else {
                self.lead.apart = true;
                (at..at + taken).filter_map(|at| tokens.get(at)).for_each(|(_, word)| self.bind(word, taken));
            }
            at += taken;
            let closes = tokens.get(at - 1).is_some_and(|(last, _)| last.closes);
            if is_item
                && english
                && word.ends_with("est")
                && word.len() > 5
                && let Some(last) = self.meaning.items.last_mut()
            {
                last.degree = true;
            }
            if closes {
                self.end_clause();
            }
            opens |= closes;
        }
    }

    /// Reads what begins at a word, and tells how many words that is. `opens` is whether it begins its sentence.
    fn take(&mut self, tokens: &Tokens, (keys, ends): (&[u64], &[bool]), at: usize, opens: &mut bool) -> usize {
        let Some((token, word)) = tokens.get(at) else { return 1 };
        if self.special(tokens, at) {
            return 1;
        }
        if token.code {
            self.code(word);
            *opens = false;
            return 1;
        }
        let key = keys.get(at).copied().unwrap_or_default();
        let closes = |taken: usize| ends.get(at + taken - 1).copied().unwrap_or(true);
        let lexicon = self.meaning.lexicon;
        let Some((entry, taken)) = lexicon.longest_phrase(keys.get(at..).unwrap_or_default(), *opens, closes) else {
            self.item(Kind::Content, key, token.name, true);
            *opens = false;
            return 1;
        };
        // "Anh" is a country, "anh" is you; "hall A" is not "a hall".
        let called = token.name && taken == 1 && (self.meaning.vietnamese || word.len() == 1);
        if called && entry.sense == Sense::Noise {
            self.item(Kind::Content, key, true, false);
        } else {
            let before = at.checked_sub(1).and_then(|before| tokens.get(before));
            let states = before.is_some_and(|(_, word)| STATES.contains(&word));
            self.meaning.asks |= asked_by_opening(entry.sense, *opens && !self.meaning.vietnamese && !states);
            self.entry(entry, token.name && taken < 3 && !lexicon.traits(entry.key).thing);
        }
        *opens &= matches!(entry.sense, Sense::Noise | Sense::If) && !called;
        taken
    }

    /// How many words speak to somebody: "Hi Anna," or "bác sĩ ơi".
    fn vocative(&self, tokens: &Tokens, at: usize) -> usize {
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|(_, other)| other == word);
        let runs_on = |at: usize| tokens.get(at).is_some_and(|(token, _)| !token.closes && !token.code);
        if let Some(called) = (at..at + 3).find(|called| is(called + 1, "ơi")) {
            return if (at..=called).all(runs_on) { called + 2 - at } else { 0 };
        }
        let Some((_, first)) = tokens.get(at).filter(|_| runs_on(at)) else { return 0 };
        let lexicon = self.meaning.lexicon;
        let greeted = |(token, word): (&Token, &str)| {
            let noise = || lexicon.longest_phrase(&[lexicon.word_key(word)], false, |_| false);
            !token.code
                && (token.name
                    || GREETED.contains(&word)
                    || noise().is_some_and(|(entry, _)| entry.sense == Sense::Noise))
        };
        let ends = (at + 1..at + 4).find(|at| !runs_on(*at)).filter(|end| end + 1 < tokens.len());
        match ends {
            Some(end) if GREETINGS.contains(&first) && (at + 1..=end).all(|at| tokens.get(at).is_some_and(greeted)) => {
                end + 1 - at
            }
            _ => 0,
        }
    }

    /// A word that is no item tells how the next item hangs on the one before.
    fn bind(&mut self, word: &str, taken: usize) {
        self.lead.joined |= JOINS.contains(&word);
        if BINDS.contains(&word) {
            self.lead.link = hash::word(word);
        }
        let follows_item = self.meaning.items.last().is_some_and(|item| item.kind == Kind::Content && !item.ends);
        if taken == 1 && self.meaning.vietnamese && SPEAKERS.contains(&word) && follows_item && self.lead.link == 0 {
            self.meaning.done_to_speaker = true;
        }
        if word == "thì" {
            self.end_clause();
        }
    }

    /// "Both A and B" is "A and B".
    fn spare_both(&mut self) {
        let items = &mut self.meaning.items;
        let both = |item: &Item| item.kind == Kind::Scope && item.key == hash::word("both");
        if let Some(at) = items.iter().position(both)
            && items.iter().skip(at + 1).take(4).any(|item| item.lead.joined)
        {
            items.remove(at);
        }
    }

    /// An "or" counts, but has no place in the order of things.
    fn set_or_aside(&mut self) {
        let or = |item: &Item| item.key == hash::word("or") || item.key == hash::word("hoặc");
        if let Some(at) = self.meaning.items.iter().position(or) {
            let or = self.meaning.items.remove(at);
            self.meaning.items.push(or);
        }
    }

    /// "Ai là người duyệt" is "ai duyệt", "thời gian giao hàng là bao lâu" is "giao hàng bao lâu".
    fn spare_what_is_asked(&mut self) {
        let Meaning { items, asks, vietnamese, lexicon, .. } = &mut self.meaning;
        if !*vietnamese {
            return;
        }
        for (bits, noun) in SPARED {
            if *asks & bits != 0 {
                let key = lexicon.content_key(noun);
                items.retain(|item| item.key != key || (item.ends && *asks & ask::WHO != 0));
            }
        }
    }

    fn end_clause(&mut self) {
        self.end_number();
        if let Some(last) = self.meaning.items.last_mut() {
            last.ends = true;
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
            // "Trên 10 triệu" is more than that, "trên Windows" is a place; "một nhánh" is just a branch.
            "trên" | "một" if self.meaning.vietnamese && !self.counts_on(tokens, at) => {
                self.lead.apart = true;
                true
            }
            "am" if after_code => {
                self.item(Kind::Unit, hash::word("am"), false, false);
                true
            }
            "may" if !self.meaning.vietnamese => {
                let by_number = after_code || next().is_some_and(|(next, _)| next.code);
                if token.name || by_number {
                    self.item(Kind::Date, hash::word("may"), false, false);
                }
                token.name || by_number
            }
            _ => false,
        }
    }

    /// Whether "trên" is "more than" here, and "một" a number.
    fn counts_on(&self, tokens: &Tokens, at: usize) -> bool {
        let lexicon = self.meaning.lexicon;
        let Some((token, word)) = tokens.get(at + 1) else { return true };
        let next = || lexicon.longest_phrase(&[lexicon.word_key(word)], false, |_| false).map(|(entry, _)| entry.sense);
        let after_scope = self.meaning.items.last().is_some_and(|item| item.kind == Kind::Scope);
        let in_phrase = |taken: usize| {
            let words: Vec<u64> =
                (at..at + taken).filter_map(|at| tokens.get(at)).map(|(_, word)| lexicon.word_key(word)).collect();
            words.len() == taken && lexicon.longest_phrase(&words, false, |_| false).is_some_and(|(_, n)| n > 1)
        };
        let ends = tokens.get(at).is_some_and(|(token, _)| token.closes);
        ends || token.code
            || after_scope
            || LEVELS.contains(&word)
            || matches!(next(), Some(Sense::Number | Sense::Unit | Sense::Times | Sense::Scope | Sense::Date))
            || in_phrase(2)
            || in_phrase(3)
    }

    fn entry(&mut self, LexiconEntry { sense, key }: LexiconEntry, name: bool) {
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
                self.counts = asked & ask::COUNTS != 0;
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
            Sense::By => {
                self.by = true;
                self.before_by = meaning.items.last().map(|item| item.key);
            }
            Sense::Passive => {
                meaning.can = true;
                self.may_be_by = true;
                self.before_by = meaning.items.last().map(|item| item.key);
            }
            Sense::If => self.condition = true,
        }
    }

    /// A word with digits or signs: a number with its unit, or else an id.
    fn code(&mut self, word: &str) {
        let lexicon = self.meaning.lexicon;
        let known = lexicon.longest_phrase(&[lexicon.word_key(word)], false, |_| false);
        if let Some((entry, _)) = known.filter(|(entry, _)| entry.sense == Sense::Content) {
            return self.entry(entry, false);
        }
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
                None => return self.item(Kind::Id, hash::word(word), false, false),
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
                None => self.item(Kind::Id, hash::word(word), false, false),
            }
            return;
        };
        let unit = match suffix {
            "" | "st" | "nd" | "rd" | "th" => None,
            "am" => Some(LexiconEntry { sense: Sense::Unit, key: hash::word("am") }),
            suffix => match unit_of(suffix) {
                Some(entry) if matches!(entry.sense, Sense::Unit | Sense::Times) => Some(entry),
                _ => return self.item(Kind::Id, hash::word(word), false, false),
            },
        };
        self.number(number);
        for entry in [unit, sign].into_iter().flatten() {
            self.entry(entry, false);
        }
    }

    fn number(&mut self, number: Number) {
        self.end_number();
        self.number = Some((number, std::mem::take(&mut self.lead)));
    }

    fn times(&mut self, power: u8) {
        let larger = self.number.take().and_then(|(number, lead)| Some((number.times_ten_to(power)?, lead)));
        match larger {
            Some(larger) => self.number = Some(larger),
            None => self.item(Kind::Number, hash::then(u64::from(power), hash::word("times")), false, false),
        }
    }

    fn end_number(&mut self) {
        if let Some((number, lead)) = self.number.take() {
            let (kind, key) = (Kind::Number, number.key());
            self.push(Item { kind, key, name: false, actor: false, unknown: false, lead, ends: false, degree: false });
        }
    }

    fn item(&mut self, kind: Kind, key: u64, name: bool, unknown: bool) {
        self.end_number();
        let traits = self.meaning.lexicon.traits(key);
        self.meaning.implied |= traits.asks;
        self.meaning.suggested |= traits.suggests;
        if kind == Kind::Unit && self.counts && TIMES.iter().any(|time| hash::word(time) == key) {
            self.meaning.counted_time = Some(key);
        }
        let lead = std::mem::take(&mut self.lead);
        self.push(Item { kind, key, name, actor: traits.actor, unknown, lead, ends: false, degree: false });
        if traits.relation {
            self.pending = Some(key);
        }
        self.lead.apart = traits.lists;
    }

    fn push(&mut self, mut item: Item) {
        item.lead.apart |= self.meaning.items.last().is_some_and(|last| last.ends);
        if let Some(role) = self.pending.take() {
            self.meaning.roles.push((role, item.key));
            item.lead.apart = true;
        }
        if std::mem::take(&mut self.condition) {
            self.meaning.condition = self.meaning.condition.or(Some(item.key));
        }
        if self.by || self.may_be_by {
            let agent = self.before_by.take().map(|before| (before, item.key));
            self.meaning.agent = self.meaning.agent.or(agent);
        }
        self.counts = false;
        self.meaning.passive |= self.by || (self.may_be_by && (item.actor || item.name));
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
/// Words that bind a thing to the one before it.
const BINDS: [&str; 21] = [
    "of", "for", "in", "on", "at", "with", "about", "per", "during", "to", "as", "của", "cho", "với", "trong", "ở",
    "tại", "về", "theo", "trên", "dưới",
];
/// Words that put two things side by side.
const JOINS: [&str; 8] = ["and", "or", "with", "và", "hoặc", "hay", "với", "lẫn"];
/// The speaker, if nobody is spoken to.
const SPEAKERS: [&str; 5] = ["tôi", "em", "mình", "tui", "tớ"];
/// Words after "trên" that tell how much.
const LEVELS: [&str; 12] =
    ["mức", "ngưỡng", "hạn", "trung", "tối", "định", "chuẩn", "năm", "lần", "người", "phần", "trăm"];
/// The present in English.
const PRESENT: [&str; 5] = ["is", "are", "am", "do", "does"];
/// Who is before a verb that asks nothing: "I must".
const STATES: [&str; 6] = ["i", "we", "they", "he", "she", "it"];
/// Vietnamese nouns that say again what a question asks for.
const SPARED: [(u16, &str); 5] = [
    (ask::WHO, "người"),
    (ask::HOW_LONG | ask::WHEN, "thời gian"),
    (ask::WHEN, "thời điểm"),
    (ask::WHERE, "địa điểm"),
    (ask::WHERE, "vị trí"),
];
/// Units that answer "how long".
const TIMES: [&str; 7] = ["s", "min", "h", "d", "wk", "mo", "y"];

/// Verbs after which a "who" is not the one who does it.
const HELPERS: [&str; 10] = ["do", "does", "did", "should", "can", "will", "must", "may", "would", "could"];

/// Words after which the Vietnamese "năm" is five rather than a year.
const COUNTED: [&str; 13] =
    ["triệu", "tỷ", "tỉ", "nghìn", "ngàn", "trăm", "ngày", "tuần", "tháng", "giờ", "phút", "người", "lần"];

/// Words that begin a letter, and whom it may speak to.
const GREETINGS: [&str; 7] = ["hi", "hello", "hey", "dear", "chào", "kính", "thưa"];
const GREETED: [&str; 10] =
    ["support", "team", "all", "everyone", "helpdesk", "hr", "sir", "madam", "folks", "colleagues"];

/// "Did it …?", "must it …?": an English question that a verb opens is answered with yes or no.
fn asked_by_opening(sense: Sense, opens: bool) -> u16 {
    let verb = matches!(sense, Sense::Past | Sense::Future | Sense::Must | Sense::Can);
    if opens && verb { ask::YES_NO } else { 0 }
}

/// "IT" and "US" in capital letters are not "it" and "us".
fn word_key(lexicon: &Lexicon, token: &Token, word: &str, english: bool) -> u64 {
    match english && token.capitals && matches!(word, "us" | "it" | "am" | "or" | "in" | "so" | "as" | "do" | "me") {
        true => hash::then(hash::word(word), 1),
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
