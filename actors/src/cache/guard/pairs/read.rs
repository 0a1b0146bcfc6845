//! The pairs as data, for the guard's tests and for the quality bench, which takes this file in by its path.

const FILES: [&str; 6] = [
    include_str!("tuning_en.tsv"),
    include_str!("tuning_vi.tsv"),
    include_str!("held_out_en.tsv"),
    include_str!("held_out_vi.tsv"),
    include_str!("held_out_late_en.tsv"),
    include_str!("held_out_late_vi.tsv"),
];

/// Two questions, and whether they may share an answer.
pub struct Pair {
    pub id: &'static str,
    pub language: &'static str,
    pub kind: &'static str,
    pub half: &'static str,
    /// Held out, and written after the word lists.
    pub late: bool,
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
                Pair { id, language, kind, half, late: id.contains("-l-"), same: same.parse().unwrap(), a, b }
            }
            _ => panic!("not a pair: {line}"),
        })
        .collect()
}
