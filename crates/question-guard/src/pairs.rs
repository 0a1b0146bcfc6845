//! The pairs as data, for the guard's tests and for the quality bench.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a pair that cannot be read fails the test that reads it")]

const FILES: &[&str] = &[
    include_str!("pairs/tuning_en.tsv"),
    include_str!("pairs/tuning_vi.tsv"),
    include_str!("pairs/tuning_2_en.tsv"),
    include_str!("pairs/tuning_2_vi.tsv"),
    include_str!("pairs/tuning_3.tsv"),
    include_str!("pairs/held_out_en.tsv"),
    include_str!("pairs/held_out_vi.tsv"),
    include_str!("pairs/late_en.tsv"),
    include_str!("pairs/late_vi.tsv"),
    include_str!("pairs/fresh_en.tsv"),
    include_str!("pairs/fresh_vi.tsv"),
];

/// What pairs are for: rules and words are tuned on the first alone. Of the others, `late` was written after the word lists
/// by who knew them, and `fresh` by somebody who had seen neither them nor any other pair; it was measured after all tuning.
pub const HALVES: [&str; 4] = ["tuning", "held_out", "late", "fresh"];

/// Two questions, and whether they may share an answer.
pub struct Pair {
    /// Its name.
    pub id: &'static str,
    /// The language of both questions.
    pub language: &'static str,
    /// What the questions differ in, or have in common.
    pub kind: &'static str,
    /// One of [`HALVES`].
    pub half: &'static str,
    /// Whether they may share an answer.
    pub same: bool,
    /// One question.
    pub a: &'static str,
    /// The other one.
    pub b: &'static str,
}

/// All pairs of all files.
pub fn pairs() -> Vec<Pair> {
    let lines = FILES.iter().flat_map(|file| file.lines().filter(|line| !line.starts_with('#')).skip(1));
    lines
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [id, language, kind, half, same, a, b] => {
                Pair { id, language, kind, half, same: same.parse().unwrap(), a, b }
            }
            _ => panic!("not a pair: {line}"),
        })
        .collect()
}
