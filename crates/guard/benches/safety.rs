//! Recall and false alarms of content safety and of the patterns of prompt injection, and what they cost.
//!
//! `cargo bench -p gateway-guard --bench safety` prints a table. With `-- --misses`, also what went wrong.

use std::time::Instant;

use gateway_guard::injection;
use gateway_guard::safety::{Categories, Category, SafetyGuard, Thresholds, scores};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The threshold of a config that names none.
const THRESHOLD: f64 = 0.8;
const SAFETY: [(&str, &str); 7] = [
    ("tuned on", include_str!("../corpora/safety_tune.txt")),
    ("held out", include_str!("../corpora/safety_heldout.txt")),
    ("tuned on later", include_str!("../corpora/safety_tune_2.txt")),
    ("tuned on last", include_str!("../corpora/safety_tune_3.txt")),
    ("fresh", include_str!("../corpora/safety_fresh.txt")),
    ("fresh, later", include_str!("../corpora/safety_fresh_2.txt")),
    ("last", include_str!("../corpora/safety_last.txt")),
];
const INJECTION: [(&str, &str); 5] = [
    ("tuned on", include_str!("../corpora/injection_tune.txt")),
    ("held out", include_str!("../corpora/injection_heldout.txt")),
    ("tuned on later", include_str!("../corpora/injection_tune_2.txt")),
    ("tuned on last", include_str!("../corpora/injection_tune_3.txt")),
    ("fresh", include_str!("../corpora/injection_fresh.txt")),
];

fn main() {
    let begin = Instant::now();
    let lines = gateway_guard::safety::warm_up() + injection::warm_up();
    println!("Read {lines} lines of phrases in {:.1} ms.", begin.elapsed().as_secs_f64() * 1e3);
    let shows_misses = std::env::args().any(|argument| argument == "--misses");
    println!("Threshold {THRESHOLD}.\n");
    println!("| content | half | language | any category | right category | false alarms |");
    println!("|---|---|---|---|---|---|");
    for (half, corpus) in SAFETY {
        for language in ["English", "Vietnamese"] {
            safety_row(half, language, corpus, shows_misses);
        }
    }
    transforms();
    println!("\n| prompt injection | half | language | found | false alarms |");
    println!("|---|---|---|---|---|");
    for (half, corpus) in INJECTION {
        for language in ["English", "Vietnamese"] {
            injection_row(half, language, corpus, shows_misses);
        }
    }
    prose(shows_misses);
    cost();
}

fn lines<'a>(corpus: &'a str, language: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let rows = corpus.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'));
    rows.filter(move |(_, text)| is_vietnamese(text) == (language == "Vietnamese"))
}

/// Whether a line of the corpora is Vietnamese: it has its letters, or words of it without accents.
fn is_vietnamese(text: &str) -> bool {
    let words = [
        "may", "tao", "khong", "bo", "thang", "minh", "tu", "lam", "tien", "tat", "huong", "ngu", "muon", "nhanh",
        "mua", "dau", "gui", "cua", "dit",
    ];
    let plain = |word: &str| words.contains(&word.to_lowercase().as_str());
    !text.is_ascii() || text.split(' ').filter(|word| plain(word.trim_matches([',', '.']))).count() >= 2
}

fn safety_row(half: &str, language: &str, corpus: &str, shows_misses: bool) {
    let (mut bad, mut any, mut right, mut clean, mut alarms) = (0, 0, 0, 0, 0);
    for (label, text) in lines(corpus, language) {
        let found = scores(text);
        let highest = found.max(Categories::ALL);
        match label.parse::<Category>() {
            Ok(category) => {
                bad += 1;
                any += usize::from(highest >= THRESHOLD);
                right += usize::from(found.get(category) >= THRESHOLD);
                if shows_misses && highest < THRESHOLD {
                    println!("missed {category:?} ({highest:.2}): {text}");
                }
            }
            Err(()) => {
                clean += 1;
                alarms += usize::from(highest >= THRESHOLD);
                if shows_misses && highest >= THRESHOLD {
                    println!("false alarm ({highest:.2}): {text}");
                }
            }
        }
    }
    println!("| safety | {half} | {language} | {any}/{bad} | {right}/{bad} | {alarms}/{clean} |");
}

/// The same with each line written in another way. The corpora's own false alarms are in the table above.
fn transforms() {
    type Rewrite = fn(&str) -> String;
    let rewrites: [(&str, Rewrite); 7] = [
        ("as it is", |text| text.to_owned()),
        ("UPPER", |text| text.to_uppercase()),
        ("without accents", without_accents),
        ("NFD", |text| text.nfd().collect()),
        ("NBSP", |text| text.replace(' ', "\u{a0}")),
        ("full-width", |text| text.chars().map(full_width).collect()),
        ("zero-width", |text| text.chars().flat_map(|letter| [letter, '\u{200b}']).collect()),
    ];
    println!("\n| all lines, written | found | false alarms |");
    println!("|---|---|---|");
    for (name, rewrite) in rewrites {
        let (mut bad, mut found, mut clean, mut alarms) = (0, 0, 0, 0);
        for (label, text) in
            SAFETY.iter().flat_map(|(_, corpus)| corpus.lines()).filter_map(|line| line.split_once('\t'))
        {
            let is_over = scores(&rewrite(text)).max(Categories::ALL) >= THRESHOLD;
            let is_bad = label.parse::<Category>().is_ok();
            bad += usize::from(is_bad);
            found += usize::from(is_bad && is_over);
            clean += usize::from(label == "clean");
            alarms += usize::from(label == "clean" && is_over);
        }
        println!("| {name} | {found}/{bad} | {alarms}/{clean} |");
    }
}

fn without_accents(text: &str) -> String {
    text.nfd().filter(|letter| !is_combining_mark(*letter)).collect::<String>().replace('đ', "d").replace('Đ', "D")
}

fn full_width(letter: char) -> char {
    let is_plain = letter.is_ascii_alphanumeric();
    if is_plain { char::from_u32(letter as u32 + 0xfee0).unwrap_or(letter) } else { letter }
}

fn injection_row(half: &str, language: &str, corpus: &str, shows_misses: bool) {
    let (mut bad, mut found, mut clean, mut alarms) = (0, 0, 0, 0);
    for (label, text) in lines(corpus, language) {
        let score = injection::score(text);
        let is_over = score >= THRESHOLD;
        let is_bad = label == "injection";
        bad += usize::from(is_bad);
        clean += usize::from(!is_bad);
        found += usize::from(is_bad && is_over);
        alarms += usize::from(!is_bad && is_over);
        if shows_misses && is_bad != is_over {
            println!("{} ({score:.2}): {text}", if is_bad { "missed" } else { "false alarm" });
        }
    }
    println!("| prompt injection | {half} | {language} | {found}/{bad} | {alarms}/{clean} |");
}

/// False alarms in the project's own documents and in the questions that its semantic cache is measured with.
fn prose(shows_misses: bool) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let (mut bytes, mut paragraphs, mut unsafe_ones, mut injections) = (0, 0, 0, 0);
    for folder in ["docs/src", "crates/question-guard/src/pairs"] {
        for text in files(&std::path::Path::new(root).join(folder)) {
            for paragraph in text.split("\n\n").flat_map(|paragraph| paragraph.split('\t')) {
                bytes += paragraph.len();
                paragraphs += 1;
                let is_unsafe = scores(paragraph).max(Categories::ALL) >= THRESHOLD;
                let is_injection = injection::score(paragraph) >= THRESHOLD;
                unsafe_ones += usize::from(is_unsafe);
                injections += usize::from(is_injection);
                if shows_misses && (is_unsafe || is_injection) {
                    println!("false alarm: {}", paragraph.chars().take(300).collect::<String>());
                }
            }
        }
    }
    println!(
        "\nProse: {} kB, {paragraphs} paragraphs and questions: {unsafe_ones} unsafe, {injections} injections (all false).",
        bytes / 1000
    );
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut texts = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            texts.extend(files(&path));
        } else {
            texts.extend(std::fs::read_to_string(&path));
        }
    }
    texts
}

fn cost() {
    let clean = |corpus: &str| -> String {
        corpus.lines().filter_map(|line| line.strip_prefix("clean\t")).collect::<Vec<_>>().join(" ")
    };
    let mut text = clean(SAFETY[0].1) + &clean(SAFETY[1].1);
    text.truncate(text.floor_char_boundary(2000));
    println!("scores() of {} bytes: {:.1} µs", text.len(), micros(2000, || scores(&text).max(Categories::ALL)));
    println!("injection::score() of {} bytes: {:.1} µs", text.len(), micros(2000, || injection::score(&text)));
    let hostile = "you will kill you how to make a ".repeat(3200);
    println!(
        "scores() of {} hostile bytes: {:.0} µs",
        hostile.len(),
        micros(20, || scores(&hostile).max(Categories::ALL))
    );
    let Some(thresholds) = Thresholds::new(THRESHOLD, Categories::ALL) else { return };
    let characters: Vec<char> = text.chars().collect();
    let chunks: Vec<String> = characters.chunks(4).map(|chunk| chunk.iter().collect()).collect();
    let mut held = Vec::new();
    let per_text = micros(500, || {
        let (mut guard, mut out) = (SafetyGuard::new(thresholds), String::new());
        held.clear();
        for chunk in &chunks {
            guard.push(chunk, &mut out);
            held.push(guard.held());
        }
        guard.finish(&mut out);
        out.len() as f64
    });
    held.sort_unstable();
    let at = |part: usize| held.get(held.len() * part / 100).copied().unwrap_or_default();
    println!(
        "SafetyGuard, chunks of 4 characters: {:.2} µs a chunk; held p50 {} B, p90 {} B, p99 {} B, max {} B",
        per_text / chunks.len() as f64,
        at(50),
        at(90),
        at(99),
        held.last().copied().unwrap_or_default()
    );
}

/// The time of one run, in microseconds: the best of ten batches, as other processes share the machine.
fn micros(runs: u32, mut run: impl FnMut() -> f64) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..10 {
        let begin = Instant::now();
        for _ in 0..runs.div_ceil(10) {
            std::hint::black_box(run());
        }
        best = best.min(begin.elapsed().as_secs_f64() * 1e6 / f64::from(runs.div_ceil(10)));
    }
    best
}
