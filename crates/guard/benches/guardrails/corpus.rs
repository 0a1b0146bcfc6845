//! Lines of text in which personal data is marked: `[[NAME:Nguyễn Văn A]]`.

use std::ops::Range;

use gateway_guard::pii::{self, PiiKind, PiiKinds};

/// A line and its personal data.
#[derive(Clone)]
pub struct Line {
    pub text: String,
    pub gold: Vec<(PiiKind, Range<usize>)>,
}

/// A set of lines.
pub struct Corpus {
    pub name: &'static str,
    pub lines: Vec<Line>,
}

/// What was found of a corpus.
#[derive(Clone, Copy, Default)]
pub struct Score {
    pub gold: usize,
    /// Covered whole, as the kind that it is.
    pub exact: usize,
    /// Covered whole, as any kind.
    pub covered: usize,
    /// Covered in part: the rest of the value leaves.
    pub partly: usize,
    pub found: usize,
    /// Found where nothing is.
    pub spurious: usize,
}

const FILES: [(&str, &str); 19] = [
    ("vi tuned", include_str!("../../corpora/vi_tuned.txt")),
    ("vi held out", include_str!("../../corpora/vi_held.txt")),
    ("vi generated", include_str!("../../corpora/vi_generated.txt")),
    ("vi generated held out", include_str!("../../corpora/vi_generated_held.txt")),
    ("en generated", include_str!("../../corpora/en_generated.txt")),
    ("en tuned", include_str!("../../corpora/en_tuned.txt")),
    ("en held out", include_str!("../../corpora/en_held.txt")),
    ("vi clean tuned", include_str!("../../corpora/vi_clean_tuned.txt")),
    ("vi clean held out", include_str!("../../corpora/vi_clean_held.txt")),
    ("en clean tuned", include_str!("../../corpora/en_clean_tuned.txt")),
    ("en clean held out", include_str!("../../corpora/en_clean_held.txt")),
    ("vi fresh", include_str!("../../corpora/vi_fresh.txt")),
    ("en fresh", include_str!("../../corpora/en_fresh.txt")),
    ("vi clean fresh", include_str!("../../corpora/vi_clean_fresh.txt")),
    ("en clean fresh", include_str!("../../corpora/en_clean_fresh.txt")),
    ("vi blind", include_str!("../../corpora/vi_blind.txt")),
    ("vi clean blind", include_str!("../../corpora/vi_clean_blind.txt")),
    ("vi blind 2", include_str!("../../corpora/vi_blind_2.txt")),
    ("vi clean blind 2", include_str!("../../corpora/vi_clean_blind_2.txt")),
];

/// All corpora.
pub fn corpora() -> Vec<Corpus> {
    FILES.iter().map(|(name, text)| Corpus { name, lines: parse(text) }).collect()
}

pub fn parse(text: &str) -> Vec<Line> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(parse_line).collect()
}

#[expect(clippy::expect_used, reason = "a corpus with a bad mark must be mended")]
fn parse_line(marked: &str) -> Line {
    let mut line = Line { text: String::new(), gold: Vec::new() };
    let mut rest = marked;
    while let Some((before, after)) = rest.split_once("[[") {
        let (inner, after) = after.split_once("]]").expect("a mark ends");
        let (kind, value) = inner.split_once(':').expect("a mark has a kind");
        line.text.push_str(before);
        let start = line.text.len();
        line.text.push_str(value);
        line.gold.push((kind.parse().expect("a kind"), start..line.text.len()));
        rest = after;
    }
    line.text.push_str(rest);
    line
}

impl Line {
    /// What is found of the kinds that `is_counted`.
    pub fn score(&self, is_counted: impl Fn(PiiKind) -> bool) -> Score {
        let found = pii::find(&self.text, PiiKinds::ALL, "");
        let mut score = Score::default();
        for (kind, range) in self.gold.iter().filter(|(kind, _)| is_counted(*kind)) {
            let covers = |finding: &&pii::Finding| finding.range.start <= range.start && finding.range.end >= range.end;
            let cover = found.iter().find(covers);
            score.gold += 1;
            score.covered += usize::from(cover.is_some());
            score.exact += usize::from(cover.is_some_and(|finding| finding.kind == *kind));
            let overlaps = |finding: &pii::Finding| overlap(&finding.range, range);
            score.partly += usize::from(cover.is_none() && found.iter().any(overlaps));
        }
        for finding in found.iter().filter(|finding| is_counted(finding.kind)) {
            let is_gold = |(_, range): &(PiiKind, Range<usize>)| overlap(range, &finding.range);
            score.found += 1;
            score.spurious += usize::from(!self.gold.iter().any(is_gold));
        }
        score
    }
}

/// Whether two ranges have a byte in common.
pub fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

impl std::ops::AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        self.gold += other.gold;
        self.exact += other.exact;
        self.covered += other.covered;
        self.partly += other.partly;
        self.found += other.found;
        self.spurious += other.spurious;
    }
}
