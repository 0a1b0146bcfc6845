//! Prints how much personal data is found and what it costs: `cargo bench -p gateway-guard --bench guardrails`.
//! `GUARD_FUZZ_DOCUMENTS` sets the number of fuzzed documents.

mod corpus;
mod fuzz;
mod speed;
mod transform;

use corpus::{Corpus, Score};
use fuzz::Random;
use gateway_guard::pii::PiiKind;

const DOCUMENTS: usize = 1_000_000;

fn main() {
    let corpora = corpus::corpora();
    kinds(&corpora);
    transforms(&corpora);
    speed::print(&corpora);
    fuzzed(&corpora);
}

fn kinds(corpora: &[Corpus]) {
    println!("| corpus | kind | marked | found whole | as this kind | recall | false |\n|---|---|---|---|---|---|---|");
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
        "\n| written | corpus | structured, or names | marked | found whole | as this kind | recall | false |\n|---|---|---|---|---|---|---|---|"
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
    println!("{head} | {} | {} | {} | {recall:.3} | {} |", score.gold, score.covered, score.exact, score.spurious);
}

fn fuzzed(corpora: &[Corpus]) {
    let documents = std::env::var("GUARD_FUZZ_DOCUMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(DOCUMENTS);
    let lines: Vec<String> = corpora
        .iter()
        .flat_map(|corpus| &corpus.lines)
        .flat_map(|line| transform::TRANSFORMS.map(|(_, transform)| transform::apply(line, transform).text))
        .collect();
    let mut random = Random(0x5eed);
    let (mut differences, mut held) = (0, Vec::new());
    for _ in 0..documents {
        let text = fuzz::document(&lines, &mut random);
        let most = [1, 4, 12, 40][random.below(4)];
        let (out, most_held) = fuzz::streamed(&text, most, &mut random);
        held.push(most_held);
        if out != fuzz::whole(&text, gateway_guard::pii::PiiKinds::ALL) {
            differences += 1;
            println!("differs: {text:?}");
        }
    }
    held.sort_unstable();
    let at = |part: f64| held.get((held.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "\n{documents} fuzzed documents: {differences} differ; most held of a document: p50 {} B, p99 {} B, max {} B",
        at(0.5),
        at(0.99),
        held.last().copied().unwrap_or_default()
    );
}
