//! A list of phrases as a graph of words.
//!
//! Lines of the text form: `[label label 0.9 firm]` begins a section; each other line is a phrase in the notation of
//! [`super::pattern`]; `#` begins a comment. Flags of a section: `firm` (words nearby do not weaken it), `exact` (never
//! without its accents), `fold` (even a single word without its accents).

use std::collections::HashMap;

use foldhash::fast::FixedState;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::graph::{Edges, Graph, Node};
use super::pattern::{Item, parse};

/// What is left of a phrase's weight when it is written without its accents, by its words: few words without accents
/// mean many things.
const SHORT_WITHOUT_ACCENTS: f64 = 0.75;
const LONG_WITHOUT_ACCENTS: f64 = 0.95;
const LONG_WORDS: u64 = 4;
/// The number of words that no phrase has.
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
    /// It is harmless, with all hits that share a word with it ("bath bomb").
    Exception,
}

/// A phrase of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Phrase {
    /// The line that it came from; variants of one line count once.
    pub(crate) line: u32,
    pub(crate) meaning: Meaning,
    /// What is left of its weight without accents depends on its words; nothing where it is written with them.
    spelling: Spelling,
    /// Whether even a single word counts without its accents.
    folds_single: bool,
}

/// The phrases.
#[derive(Default)]
pub(crate) struct Lexicon {
    words: HashMap<Box<str>, u32, FixedState>,
    graph: Graph,
    /// The edges and the nodes, while the lists are read.
    edges: Edges,
    nodes: Vec<Node>,
    /// The first steps by the number of the word.
    roots: Vec<Vec<u32>>,
    /// Whether a word negates, by its number.
    negates: Vec<bool>,
    lines: u32,
    /// First items with the gaps behind them, and where they lead, while the lists are read.
    beginnings: Vec<(Vec<Item>, Spelling, Vec<u32>)>,
}

impl Phrase {
    /// What is left of its weight where it was found in some words; nothing where it means nothing then.
    pub(crate) fn kept(&self, words: u64) -> Option<f64> {
        match self.spelling {
            Spelling::AsWritten => Some(1.0),
            Spelling::AccentsOptional if words >= LONG_WORDS => Some(LONG_WITHOUT_ACCENTS),
            Spelling::AccentsOptional if words > 1 || self.folds_single => Some(SHORT_WITHOUT_ACCENTS),
            Spelling::AccentsOptional => None,
        }
    }
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
        let mut lexicon = Self { nodes: vec![Node::default()], ..Self::default() };
        let mut wrong = Vec::new();
        for list in lists {
            let mut section = None;
            let mut names = Vec::new();
            for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let read = if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                    section = read_section(header, label);
                    section.map(|_| ())
                } else if let Some((name, part)) = line.strip_prefix('@').and_then(|line| line.split_once(" = ")) {
                    names.push((format!("{{{name}}}"), format!("({})", expanded(part, &names))));
                    Some(())
                } else {
                    section.and_then(|section| lexicon.add_line(&expanded(line, &names), section))
                };
                if read.is_none() {
                    wrong.push(line.to_owned());
                }
            }
        }
        lexicon.beginnings = Vec::new();
        lexicon.roots.resize_with(lexicon.words.len() + 1, Vec::new);
        lexicon.negates.resize(lexicon.words.len() + 1, false);
        let firsts = lexicon.edges.extract_if(|(from, _), _| *from == ROOT);
        for ((_, word), nodes) in firsts {
            let ends = nodes.iter().filter_map(|&node| lexicon.nodes.get(node as usize));
            let negates = ends.flat_map(|node| &node.phrases).any(|phrase| phrase.meaning == Meaning::Negation);
            lexicon.negates.get_mut(word as usize).into_iter().for_each(|known| *known = negates);
            lexicon.roots.get_mut(word as usize).into_iter().for_each(|root| root.clone_from(&nodes));
        }
        lexicon.graph = Graph::new(std::mem::take(&mut lexicon.nodes), &std::mem::take(&mut lexicon.edges));
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

    /// Where a walk goes with one more word: along that word, and along any word unless it negates ("are not").
    pub(crate) fn step(&self, node: u32, word: u32) -> impl Iterator<Item = u32> + '_ {
        let negates = self.negates.get(word as usize).is_some_and(|negates| *negates);
        self.graph.step(node, word, !negates)
    }

    /// The first steps of walks that begin with a word.
    pub(crate) fn first_steps(&self, word: u32) -> &[u32] {
        self.roots.get(word as usize).map_or(&[], Vec::as_slice)
    }

    /// The phrases that end at a node.
    pub(crate) fn phrases(&self, node: u32) -> &[Phrase] {
        self.graph.phrases(node)
    }

    fn undisguised(&self, word: &str) -> Option<u32> {
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        if word.len() > MAX_DISGUISED_BYTES || !(has_digit || is_drawn_out(word)) {
            return None;
        }
        let plain: String = word.chars().map(letter_of_digit).collect();
        let spellings = [Some(plain.clone()), squeeze(&plain, 1), squeeze(&plain, 2)];
        spellings.into_iter().flatten().find_map(|spelling| self.words.get(spelling.as_str()).copied())
    }

    fn add_line(&mut self, line: &str, section: Section) -> Option<()> {
        let items = parse(line)?;
        let Section { meaning, exact, fold } = section;
        let phrase = Phrase { line: self.lines, meaning, spelling: Spelling::AsWritten, folds_single: fold };
        self.lines += 1;
        self.add(&items, phrase)?;
        if exact || line.is_ascii() {
            return Some(());
        }
        self.add(&items, Phrase { spelling: Spelling::AccentsOptional, ..phrase })
    }

    fn add(&mut self, items: &[Item], phrase: Phrase) -> Option<()> {
        let gaps = items.iter().skip(1).take_while(|item| item.is_gap()).count();
        let (first, rest) = items.split_at_checked(1 + gaps)?;
        let begun = self.begin(first, phrase.spelling);
        let end = self.new_node();
        let ends = if rest.is_empty() { begun } else { self.connect(rest, &begun, end, phrase.spelling) };
        if ends.contains(&ROOT) {
            return None;
        }
        for end in ends {
            self.nodes.get_mut(end as usize)?.phrases.push(phrase);
        }
        Some(())
    }

    /// Lays the first item of a phrase and the gap behind it. Phrases that begin alike share them, which saves walks.
    fn begin(&mut self, first: &[Item], spelling: Spelling) -> Vec<u32> {
        let known = self.beginnings.iter().find(|(items, known, _)| items == first && *known == spelling);
        if let Some((_, _, ends)) = known {
            return ends.clone();
        }
        let ends = match first.split_last().filter(|(_, before)| !before.is_empty()) {
            Some((gap, before)) => {
                let begun = self.begin(before, spelling);
                let end = self.new_node();
                self.connect(std::slice::from_ref(gap), &begun, end, spelling)
            }
            None => {
                let end = self.new_node();
                self.connect(first, &[ROOT], end, spelling)
            }
        };
        self.beginnings.push((first.to_vec(), spelling, ends.clone()));
        ends
    }

    /// Lays a sequence from any of some nodes to `end`. Gives the nodes where it may end: `end`, and where its last items
    /// may be empty also nodes before it.
    fn connect(&mut self, items: &[Item], from: &[u32], end: u32, spelling: Spelling) -> Vec<u32> {
        let mut at = from.to_vec();
        for (number, item) in items.iter().enumerate() {
            let next = if number + 1 == items.len() { end } else { self.new_node() };
            at = match item {
                Item::Word(word) => self.connect_word(word, &at, next, spelling),
                Item::AnyWord => {
                    for &from in &at {
                        self.nodes.get_mut(from as usize).into_iter().for_each(|node| node.any.push(next));
                    }
                    vec![next]
                }
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
        self.nodes.push(Node::default());
        self.nodes.len() as u32 - 1
    }
}

/// Reads `label label 0.9 flag`, or `cue`, `negation` or `exception`.
fn read_section(header: &str, label: &dyn Fn(&str) -> Option<u8>) -> Option<Section> {
    let (mut labels, mut weight, mut firm, mut exact, mut fold) = (0_u16, 0.0, false, false, false);
    let mut meaning = None;
    for part in header.split_whitespace() {
        match part {
            "cue" => meaning = Some(Meaning::Cue),
            "negation" => meaning = Some(Meaning::Negation),
            "exception" => meaning = Some(Meaning::Exception),
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

/// Whether some letter stands three times in a row.
fn is_drawn_out(word: &str) -> bool {
    let mut letters = word.chars().map(Some);
    let (mut first, mut second) = (letters.next().flatten(), letters.next().flatten());
    letters.flatten().any(|third| {
        let is_drawn_out = first == second && second == Some(third);
        (first, second) = (second, Some(third));
        is_drawn_out
    })
}

/// A line with what its names stand for.
fn expanded(line: &str, names: &[(String, String)]) -> String {
    names.iter().fold(line.to_owned(), |line, (name, part)| line.replace(name, part))
}
