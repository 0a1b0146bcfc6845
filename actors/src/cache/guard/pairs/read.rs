//! The pairs as data, for the guard's tests and for the quality bench, which takes this file in by its path.

const FILES: &[&str] = &[
    include_str!("tuning_en.tsv"),
    include_str!("tuning_vi.tsv"),
    include_str!("tuning_2_en.tsv"),
    include_str!("tuning_2_vi.tsv"),
    include_str!("tuning_3.tsv"),
    include_str!("held_out_en.tsv"),
    include_str!("held_out_vi.tsv"),
    include_str!("late_en.tsv"),
    include_str!("late_vi.tsv"),
    include_str!("fresh_en.tsv"),
    include_str!("fresh_vi.tsv"),
];

/// What pairs are for: rules and words are tuned on the first alone. Of the others, `late` was written after the word lists
/// by who knew them, and `fresh` by somebody who had seen neither them nor any other pair; it was measured after all tuning.
pub const HALVES: [&str; 4] = ["tuning", "held_out", "late", "fresh"];

/// Two questions, and whether they may share an answer.
pub struct Pair {
    pub id: &'static str,
    pub language: &'static str,
    pub kind: &'static str,
    /// One of [`HALVES`].
    pub half: &'static str,
    pub same: bool,
    pub a: &'static str,
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
