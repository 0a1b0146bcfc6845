//! Prints how much personal data is found and what it costs: `cargo bench -p gateway-guard --bench guardrails`.
//! `-- --documents 1000` sets the number of fuzzed documents; `-- --misses` tells each value that is missed, and each find
//! that is wrong; `-- --cost` only what it costs; `-- --prose FILE…` what is
//! found in files. Fails where a stream differs from its whole text.

mod corpus;
mod fuzz;
mod speed;
mod transform;

use std::ops::Range;
use std::process::ExitCode;

use corpus::{Corpus, Score};
use fuzz::Random;
use gateway_guard::pii::{self, PiiKind, PiiKinds};

const DOCUMENTS: usize = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let documents = arguments.iter().skip_while(|argument| *argument != "--documents").nth(1);
    let documents = documents.and_then(|text| text.parse().ok()).unwrap_or(DOCUMENTS);
    let corpora = corpus::corpora();
    if arguments.iter().any(|argument| argument == "--cost") {
        speed::print(&corpora);
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--prose") {
        prose(arguments.iter().skip_while(|argument| *argument != "--prose").skip(1));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--misses") {
        corpora.iter().for_each(misses);
        return ExitCode::SUCCESS;
    }
    kinds(&corpora);
    transforms(&corpora);
    clean_lines(&corpora);
    speed::print(&corpora);
    if fuzzed(&corpora, documents) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints what is missed and what is wrong, as a line is written and in other letters.
fn misses(corpus: &Corpus) {
    for (name, transform) in transform::TRANSFORMS.iter().take(4) {
        for line in corpus.lines.iter().map(|line| transform::apply(line, *transform)) {
            let found = pii::find(&line.text, PiiKinds::ALL, "");
            let row = |what: &str, kind: PiiKind, range: &Range<usize>| {
                let value = &line.text[range.clone()];
                println!("{}, {name}: {what} {} {value:?} in {}", corpus.name, kind.as_str(), line.text);
            };
            let covers = |range: &Range<usize>, finding: &pii::Finding| {
                finding.range.start <= range.start && finding.range.end >= range.end
            };
            line.gold
                .iter()
                .filter(|(_, range)| !found.iter().any(|finding| covers(range, finding)))
                .for_each(|(kind, range)| row("missed", *kind, range));
            found
                .iter()
                .filter(|finding| !line.gold.iter().any(|(_, range)| corpus::overlap(range, &finding.range)))
                .for_each(|finding| row("wrong", finding.kind, &finding.range));
        }
    }
}

/// Prints what is found in files.
fn prose<'a>(paths: impl Iterator<Item = &'a String>) {
    let (mut bytes, mut count) = (0, 0);
    for text in paths.filter_map(|path| std::fs::read_to_string(path).ok()) {
        bytes += text.len();
        for finding in pii::find(&text, PiiKinds::ALL, "") {
            count += 1;
            println!("{} {:?}", finding.kind.as_str(), &text[finding.range]);
        }
    }
    println!("{count} found in {} kB", bytes / 1000);
}

/// Prints how many clean lines are changed.
fn clean_lines(corpora: &[Corpus]) {
    println!("\n| written | clean lines | changed |\n|---|---|---|");
    for (name, transform) in transform::TRANSFORMS {
        for corpus in corpora.iter().filter(|corpus| corpus.name.contains("clean")) {
            let is_changed = |text: &str| !pii::find(text, PiiKinds::ALL, "").is_empty();
            let changed =
                corpus.lines.iter().filter(|line| is_changed(&transform::apply(line, transform).text)).count();
            println!("| {name}, {} | {} | {changed} |", corpus.name, corpus.lines.len());
        }
    }
}

fn kinds(corpora: &[Corpus]) {
    println!(
        "| corpus | kind | marked | found whole | in part | as this kind | recall | precision | false |\n|---|---|---|---|---|---|---|---|---|"
    );
    for corpus in corpora {
        for kind in (0..19).filter_map(PiiKind::from_index) {
            let mut score = Score::default();
            corpus.lines.iter().for_each(|line| score += line.score(|other| other == kind));
            if score.gold + score.spurious > 0 {
                print_row(&format!("| {} | {}", corpus.name, kind.as_str()), &score);
            }
        }
    }
}

fn transforms(corpora: &[Corpus]) {
    println!(
        "\n| written | corpus | structured, or names | marked | found whole | in part | as this kind | recall | precision | false |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for (name, transform) in transform::TRANSFORMS {
        for corpus in corpora {
            for (class, is_name) in [("structured", false), ("names", true)] {
                let mut score = Score::default();
                let counts = |kind: PiiKind| (kind == PiiKind::Name) == is_name;
                corpus.lines.iter().for_each(|line| score += transform::apply(line, transform).score(counts));
                print_row(&format!("| {name} | {} | {class}", corpus.name), &score);
            }
        }
    }
}

fn print_row(head: &str, score: &Score) {
    let recall = if score.gold == 0 { 1.0 } else { score.covered as f64 / score.gold as f64 };
    let precision = if score.found == 0 { 1.0 } else { 1.0 - score.spurious as f64 / score.found as f64 };
    println!(
        "{head} | {} | {} | {} | {} | {recall:.3} | {precision:.3} | {} |",
        score.gold, score.covered, score.partly, score.exact, score.spurious
    );
}

/// Splices documents, sends them in parts as texts and as arguments of tools, and tells how many differ.
fn fuzzed(corpora: &[Corpus], documents: usize) -> usize {
    let lines: Vec<String> = corpora
        .iter()
        .flat_map(|corpus| &corpus.lines)
        .flat_map(|line| transform::TRANSFORMS.map(|(_, transform)| transform::apply(line, transform).text))
        .collect();
    let mut random = Random(0x5eed);
    let (mut differences, mut leaks, mut held) = (0, 0, Vec::new());
    for _ in 0..documents {
        let text = fuzz::document(&lines, &mut random);
        let most = [1, 4, 12, 40][random.below(4)];
        let (out, most_held) = fuzz::streamed(&text, most, &mut random);
        held.push(most_held);
        leaks += usize::from(fuzz::has_leak(&text, &out));
        if out != fuzz::whole(&text, PiiKinds::ALL) || !fuzz::has_same_arguments(&text, most, &mut random) {
            differences += 1;
            println!("differs: {text:?}");
        }
    }
    held.sort_unstable();
    let at = |part: f64| held.get((held.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "\n{documents} fuzzed documents: {differences} differ, {leaks} let a part of a value go; most held of a document: \
         p50 {} B, p99 {} B, max {} B",
        at(0.5),
        at(0.99),
        held.last().copied().unwrap_or_default()
    );
    differences + leaks
}
