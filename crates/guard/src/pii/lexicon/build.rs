//! Builds the lexicon from its lists.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::pii::lexicon::{Cue, Ending, Entry, Lexicon, MAX_TITLE_WORDS, Phrase, Spelling, Titles, flags, key};
use crate::pii::normal;

/// The longest phrase, in words.
const MAX_PHRASE_WORDS: usize = 6;
const CUES: [(&str, Cue); 20] = [
    ("id", Cue::Id),
    ("tax", Cue::Tax),
    ("bhxh", Cue::Bhxh),
    ("bhyt", Cue::Bhyt),
    ("passport", Cue::Passport),
    ("license", Cue::License),
    ("phone", Cue::Phone),
    ("plate", Cue::Plate),
    ("bank", Cue::Bank),
    ("card", Cue::Card),
    ("dob", Cue::Dob),
    ("address", Cue::Address),
    ("ssn", Cue::Ssn),
    ("ip", Cue::Ip),
    ("version", Cue::Version),
    ("name", Cue::Name),
    ("title", Cue::Title),
    ("place", Cue::Place),
    ("plain", Cue::Plain),
    ("negative", Cue::Negative),
];

const CLASSES: [(&str, u32); 17] = [
    ("stop", flags::STOP),
    ("unit", flags::UNIT),
    ("street", flags::STREET),
    ("admin", flags::ADMIN),
    ("ensuffix", flags::ENGLISH_SUFFIX),
    ("orgtail", flags::ORGANISATION),
    ("month", flags::MONTH),
    ("notlone", flags::NOT_LONE),
    ("fairsurname", flags::SURNAME_FAIR),
    ("counted", flags::COUNTED),
    ("streetpart", flags::STREET_PART),
    ("distinct", flags::DISTINCT),
    ("break", flags::BREAK),
    ("modal", flags::ENGLISH_MODAL),
    ("initial", flags::INITIAL),
    ("oldtitle", flags::OLD_TITLE),
    ("verb", flags::VERB),
];

const WORD_LISTS: [(&str, u32); 9] = [
    (include_str!("../lists/vi_surnames.txt"), flags::SURNAME),
    (include_str!("../lists/vi_surnames_rare.txt"), flags::SURNAME_RARE),
    (include_str!("../lists/vi_middles_strong.txt"), flags::MIDDLE_STRONG | flags::MIDDLE),
    (include_str!("../lists/vi_middles.txt"), flags::MIDDLE),
    (include_str!("../lists/vi_givens.txt"), flags::GIVEN),
    (include_str!("../lists/vi_given_lone.txt"), flags::GIVEN_LONE | flags::GIVEN),
    (include_str!("../lists/en_first.txt"), flags::ENGLISH_FIRST),
    (include_str!("../lists/en_last.txt"), flags::ENGLISH_LAST),
    (include_str!("../lists/en_common.txt"), flags::ENGLISH_COMMON),
];

impl Lexicon {
    pub(super) fn build() -> Self {
        let mut lexicon = Self {
            entries: HashMap::with_hasher(FixedState::default()),
            phrases: Vec::new(),
            not_persons: HashMap::with_hasher(FixedState::default()),
            compounds: HashMap::with_hasher(FixedState::default()),
            areas: HashMap::with_hasher(FixedState::default()),
        };
        for (list, flags) in WORD_LISTS {
            lines(list).flat_map(str::split_whitespace).for_each(|word| lexicon.add_word(word, flags));
        }
        for (class, words) in lines(include_str!("../lists/words.txt")).filter_map(|line| line.split_once(':')) {
            let flags = CLASSES.iter().find(|(name, _)| *name == class).map_or(0, |(_, flags)| *flags);
            words.split_whitespace().for_each(|word| lexicon.add_word(word, flags));
        }
        for (class, phrases) in lines(include_str!("../lists/phrases.txt")).filter_map(|line| line.split_once(':')) {
            let cue = CUES.iter().find(|(name, _)| *name == class).map_or(Cue::None, |(_, cue)| *cue);
            phrases.split(';').for_each(|phrase| lexicon.add_phrase(phrase, cue));
        }
        lexicon.sort_phrases();
        lexicon.not_persons =
            lexicon.titles(&[include_str!("../lists/vi_not_persons.txt"), include_str!("../lists/en_not_persons.txt")]);
        lexicon.compounds = lexicon.titles(&[include_str!("../lists/vi_compounds.txt")]);
        lexicon.areas = lexicon.titles(&[include_str!("../lists/vi_areas.txt")]);
        lexicon
    }

    fn add_word(&mut self, word: &str, flags: u32) {
        let (_, form) = self.spelling(word);
        let folded: String = word.chars().map(normal::lower).map(normal::fold).collect();
        let entry = self.entries.get_mut(folded.as_str());
        if let Some((_, all)) = entry.and_then(|entry| entry.forms.get_mut(usize::from(form))) {
            *all |= flags;
        }
    }

    /// The id and form of a word, which is known from now on.
    fn spelling(&mut self, word: &str) -> Spelling {
        let lower: String = word.chars().map(normal::lower).collect();
        let folded: String = lower.chars().map(normal::fold).collect();
        let id = self.entries.len() as u32 + 1;
        let entry = self.entries.entry(folded.into()).or_insert_with(|| Entry {
            id,
            forms: Vec::new(),
            flags: 0,
            phrases: Vec::new(),
        });
        let form = entry.forms.iter().position(|(form, _)| **form == *lower).unwrap_or_else(|| {
            entry.forms.push((lower.into(), 0));
            entry.forms.len() - 1
        });
        (entry.id, form as u8)
    }

    fn words_of(&mut self, phrase: &str) -> Vec<Spelling> {
        phrase
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(|word| self.spelling(word))
            .collect()
    }

    /// A phrase, also written as one word: `socmnd`.
    fn add_phrase(&mut self, phrase: &str, cue: Cue) {
        let joined: String = phrase.chars().filter(|char| char.is_alphanumeric()).map(normal::lower).collect();
        let folded: String = joined.chars().map(normal::fold).collect();
        let words = self.words_of(phrase);
        if words.is_empty() || words.len() > MAX_PHRASE_WORDS {
            return;
        }
        if words.len() > 1 && !self.entries.contains_key(folded.as_str()) {
            let joined = self.words_of(&folded);
            self.phrases.push(Phrase { words: joined, cue });
        }
        self.phrases.push(Phrase { words, cue });
    }

    fn sort_phrases(&mut self) {
        let mut by_last: HashMap<u32, Vec<u32>> = HashMap::new();
        for (index, phrase) in self.phrases.iter().enumerate() {
            if let Some((id, _)) = phrase.words.last() {
                by_last.entry(*id).or_default().push(index as u32);
            }
        }
        for entry in self.entries.values_mut() {
            entry.flags = entry.forms.iter().fold(0, |all, (_, flags)| all | flags);
            let mut indices = by_last.remove(&entry.id).unwrap_or_default();
            let words = |index: &u32| self.phrases.get(*index as usize).map_or(&[][..], |phrase| &phrase.words);
            indices.sort_by_key(|index| std::cmp::Reverse(words(index).len()));
            let before = |index: &u32| words(index).iter().rev().nth(1).map_or(0, |(id, _)| *id);
            entry.phrases = indices.iter().map(|index| Ending { before: before(index), phrase: *index }).collect();
        }
    }

    fn titles(&mut self, lists: &[&'static str]) -> Titles {
        let mut titles: HashMap<_, Vec<_>, _> = HashMap::with_hasher(FixedState::default());
        for title in lists.iter().flat_map(|list| lines(list)).flat_map(|line| line.split(';')) {
            let words = self.words_of(title);
            if !words.is_empty() && words.len() <= MAX_TITLE_WORDS {
                titles.entry(key(words.iter().map(|(id, _)| *id))).or_default().push(words);
            }
        }
        titles
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}
