//! A list of phrases as a graph of words.
//!
//! Lines of the text form: `[label label 0.9 firm]` begins a section; each other line is a phrase in the notation of
//! [`super::pattern`]; `#` begins a comment. Flags of a section: `firm` (words nearby do not weaken it), `exact` (never
//! without its accents), `fold` (even a single word without its accents).

use std::collections::HashMap;

use foldhash::fast::FixedState;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::pattern::{Item, parse};

/// What is left of a phrase's weight when it is written without its accents.
const WITHOUT_ACCENTS: f64 = 0.75;
/// The word that stands for any word, and the one for words that no phrase has.
const ANY_WORD: u32 = 0;
const NO_WORD: u32 = u32::MAX;
const ROOT: u32 = 0;
/// The longest word, in bytes, that is looked at for a disguise.
const MAX_DISGUISED_BYTES: usize = 32;

/// What a phrase says about the text that it stands in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// It counts for these labels.
    Hit { labels: u16, weight: f64, firm: bool },
    /// Texts that report, help or study use it: hits nearby weigh less.
    Cue,
    /// It turns the hit behind it around ("don't").
    Negation,
}

/// A phrase of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Phrase {
    /// The line that it came from; variants of one line count once.
    pub(crate) line: u32,
    /// The fewest words that it takes to mean something.
    pub(crate) min_words: u64,
    pub(crate) meaning: Meaning,
}

/// The phrases.
#[derive(Default)]
pub(crate) struct Lexicon {
    words: HashMap<Box<str>, u32, FixedState>,
    edges: HashMap<(u32, u32), Vec<u32>, FixedState>,
    /// The phrases that end at each node.
    nodes: Vec<Vec<Phrase>>,
    lines: u32,
}

/// How the words of a phrase may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    AsWritten,
    AccentsOptional,
}

/// A section of the text form.
#[derive(Clone, Copy)]
struct Section {
    meaning: Meaning,
    exact: bool,
    fold: bool,
}

impl Lexicon {
    /// Reads lists; `label` tells the number of a label. The lines that make no sense come back too.
    pub(crate) fn read(lists: &[&str], label: &dyn Fn(&str) -> Option<u8>) -> (Self, Vec<String>) {
        let mut lexicon = Self { nodes: vec![Vec::new()], ..Self::default() };
        let mut wrong = Vec::new();
        for list in lists {
            let mut section = None;
            for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let read = match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                    Some(header) => {
                        section = read_section(header, label);
                        section.map(|_| ())
                    }
                    None => section.and_then(|section| lexicon.add_line(line, section)),
                };
                if read.is_none() {
                    wrong.push(line.to_owned());
                }
            }
        }
        (lexicon, wrong)
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.lines as usize
    }

    /// The number of a word of a text: as it stands, or with digits for letters, or with letters drawn out.
    pub(crate) fn word(&self, word: &str) -> u32 {
        let as_is = self.words.get(word).copied();
        as_is.or_else(|| self.undisguised(word)).unwrap_or(NO_WORD)
    }

    /// Where a walk goes with one more word: along that word, and along any word.
    pub(crate) fn step(&self, node: u32, word: u32) -> impl Iterator<Item = u32> + '_ {
        let along = |word| self.edges.get(&(node, word)).map_or(&[][..], Vec::as_slice).iter().copied();
        along(word).chain(along(ANY_WORD))
    }

    /// The first steps of walks that begin with a word.
    pub(crate) fn first_steps(&self, word: u32) -> impl Iterator<Item = u32> + '_ {
        self.edges.get(&(ROOT, word)).map_or(&[][..], Vec::as_slice).iter().copied()
    }

    /// The phrases that end at a node.
    pub(crate) fn phrases(&self, node: u32) -> &[Phrase] {
        self.nodes.get(node as usize).map_or(&[], Vec::as_slice)
    }

    fn undisguised(&self, word: &str) -> Option<u32> {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        let is_drawn_out = word.as_bytes().windows(3).any(|run| matches!(run, [a, b, c] if a == b && b == c));
        if word.len() > MAX_DISGUISED_BYTES || !(has_digit || is_drawn_out || !word.is_ascii()) {
            return None;
        }
        let plain: String = word.chars().map(letter_of_digit).collect();
        let spellings = [Some(plain.clone()), squeeze(&plain, 1), squeeze(&plain, 2)];
        spellings.into_iter().flatten().find_map(|spelling| self.words.get(spelling.as_str()).copied())
    }

    fn add_line(&mut self, line: &str, section: Section) -> Option<()> {
        let items = parse(line)?;
        let number = self.lines;
        self.lines += 1;
        self.add(&items, Spelling::AsWritten, Phrase { line: number, min_words: 1, meaning: section.meaning })?;
        if section.exact || line.is_ascii() {
            return Some(());
        }
        let meaning = match section.meaning {
            Meaning::Hit { labels, weight, firm } => Meaning::Hit { labels, weight: weight * WITHOUT_ACCENTS, firm },
            other => other,
        };
        let min_words = if section.fold { 1 } else { 2 };
        self.add(&items, Spelling::AccentsOptional, Phrase { line: number, min_words, meaning })
    }

    fn add(&mut self, items: &[Item], spelling: Spelling, phrase: Phrase) -> Option<()> {
        let end = self.new_node();
        let ends = self.connect(items, &[ROOT], end, spelling);
        if ends.contains(&ROOT) {
            return None;
        }
        for end in ends {
            self.nodes.get_mut(end as usize)?.push(phrase);
        }
        Some(())
    }

    /// Lays a sequence from any of some nodes to `end`. Gives the nodes where it may end: `end`, and where its last items
    /// may be empty also nodes before it.
    fn connect(&mut self, items: &[Item], from: &[u32], end: u32, spelling: Spelling) -> Vec<u32> {
        let mut at = from.to_vec();
        for (number, item) in items.iter().enumerate() {
            let next = if number + 1 == items.len() { end } else { self.new_node() };
            at = match item {
                Item::Word(word) => self.connect_word(word, &at, next, spelling),
                Item::AnyWord => self.connect_edge(ANY_WORD, &at, next),
                Item::Choice(choices) => {
                    let mut ends: Vec<u32> =
                        choices.iter().flat_map(|choice| self.connect(choice, &at, next, spelling)).collect();
                    ends.sort_unstable();
                    ends.dedup();
                    ends
                }
            };
        }
        at
    }

    fn connect_word(&mut self, word: &str, from: &[u32], to: u32, spelling: Spelling) -> Vec<u32> {
        if spelling == Spelling::AccentsOptional {
            let plain = self.add_word(&without_accents(word));
            self.connect_edge(plain, from, to);
        }
        let word = self.add_word(word);
        self.connect_edge(word, from, to)
    }

    fn connect_edge(&mut self, word: u32, from: &[u32], to: u32) -> Vec<u32> {
        for &from in from {
            let targets = self.edges.entry((from, word)).or_default();
            if !targets.contains(&to) {
                targets.push(to);
            }
        }
        vec![to]
    }

    fn add_word(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32 + 1;
        *self.words.entry(word.into()).or_insert(next)
    }

    fn new_node(&mut self) -> u32 {
        self.nodes.push(Vec::new());
        self.nodes.len() as u32 - 1
    }
}

/// Reads `label label 0.9 flag`, or `cue`, or `negation`.
fn read_section(header: &str, label: &dyn Fn(&str) -> Option<u8>) -> Option<Section> {
    let (mut labels, mut weight, mut firm, mut exact, mut fold) = (0_u16, 0.0, false, false, false);
    let mut meaning = None;
    for part in header.split_whitespace() {
        match part {
            "cue" => meaning = Some(Meaning::Cue),
            "negation" => meaning = Some(Meaning::Negation),
            "firm" => firm = true,
            "exact" => exact = true,
            "fold" => fold = true,
            part if part.starts_with(|first: char| first.is_ascii_digit()) => weight = part.parse().ok()?,
            part => labels |= 1 << label(part)?,
        }
    }
    let hit = || (labels != 0 && weight > 0.0 && weight <= 1.0).then_some(Meaning::Hit { labels, weight, firm });
    Some(Section { meaning: meaning.or_else(hit)?, exact, fold })
}

/// A text without its accents: `đ` is `d` as well.
fn without_accents(text: &str) -> String {
    let letters = text.nfd().filter(|&character| !is_combining_mark(character));
    letters.map(|letter| if letter == 'đ' { 'd' } else { letter }).collect()
}

fn letter_of_digit(character: char) -> char {
    match character {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        '8' => 'b',
        other => other,
    }
}

/// The word with each letter that stands three times or more in a row written `times` times; nothing where there is none.
fn squeeze(word: &str, times: usize) -> Option<String> {
    let mut squeezed = String::new();
    let mut changed = false;
    let letters: Vec<char> = word.chars().collect();
    for run in letters.chunk_by(|left, right| left == right) {
        let drawn_out = run.len() > 2;
        changed |= drawn_out;
        squeezed.extend(run.iter().take(if drawn_out { times } else { run.len() }));
    }
    changed.then_some(squeezed)
}
