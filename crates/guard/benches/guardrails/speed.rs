//! What texts and parts of them cost.

use std::time::{Duration, Instant};

use gateway_guard::pii::{self, PiiKinds};
use gateway_guard::safety::{Categories, SafetyGuard, Thresholds, scores};
use gateway_guard::stream::TextGuard;

use crate::corpus::Corpus;
use crate::fuzz::Named;

/// Characters of a part, as providers send them.
const PART_CHARS: usize = 4;

/// Prints the cost of whole texts, of parts, and of bad input.
pub fn print(corpora: &[Corpus]) {
    let text: String = corpora.iter().flat_map(|corpus| &corpus.lines).map(|line| format!("{}\n", line.text)).collect();
    pii::find(&text, PiiKinds::ALL, "");
    for size in [500, 2_000, 8_000, 32_000] {
        println!("\nwhole text of {size} B: {:?}", whole(&text, size));
    }
    println!("\nrequest and answer of 2000 B each, for personal data and unsafe content: {:?}", request(&text, 2_000));
    println!("the same, the answer in parts of {PART_CHARS} characters: {:?}", streamed_request(&text, 2_000));
    let (times, held) = parts(&text);
    let at = |part: f64| (times[(times.len() as f64 * part) as usize], held[(held.len() as f64 * part) as usize]);
    println!(
        "\nparts of {PART_CHARS} characters (cost, held bytes): p50 {:?}, p90 {:?}, p99 {:?}, max {:?}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999_999)
    );
    for (name, text) in bad_inputs() {
        let start = Instant::now();
        let found = pii::find(&text, PiiKinds::ALL, "").len();
        println!("{name}, {} B: {:?}, {found} found", text.len(), start.elapsed());
    }
}

fn whole(text: &str, size: usize) -> Duration {
    let text: String = text.repeat(1 + size / text.len());
    let text = &text[..text.ceil_char_boundary(size)];
    median(|| {
        std::hint::black_box(pii::find(text, PiiKinds::ALL, ""));
    })
}

/// Both guards over a question and over its answer.
fn request(text: &str, size: usize) -> Duration {
    let text = &text[..text.ceil_char_boundary(size)];
    median(|| {
        for _ in 0..2 {
            std::hint::black_box(pii::find(text, PiiKinds::ALL, ""));
            std::hint::black_box(scores(text));
        }
    })
}

/// The same with an answer that streams.
fn streamed_request(text: &str, size: usize) -> Duration {
    let text = &text[..text.ceil_char_boundary(size)];
    let chars: Vec<char> = text.chars().collect();
    let parts: Vec<String> = chars.chunks(PART_CHARS).map(|part| part.iter().collect()).collect();
    let Some(thresholds) = Thresholds::new(0.8, Categories::ALL) else { return Duration::ZERO };
    median(|| {
        std::hint::black_box(pii::find(text, PiiKinds::ALL, ""));
        std::hint::black_box(scores(text));
        let (mut guard, mut safety) = (TextGuard::new(PiiKinds::ALL, ""), SafetyGuard::new(thresholds));
        let (mut clear, mut out) = (String::new(), String::new());
        for part in &parts {
            guard.push(part, &mut Named, &mut clear);
            safety.push(&clear, &mut out);
            clear.clear();
        }
        guard.finish(&mut Named, &mut clear);
        safety.push(&clear, &mut out);
        safety.finish(&mut out);
    })
}

/// The median time of 200 runs.
fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[100]
}

fn parts(text: &str) -> (Vec<Duration>, Vec<usize>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut times, mut held) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let mut guard = TextGuard::new(PiiKinds::ALL, "");
        let mut out = String::new();
        for part in chars.chunks(PART_CHARS) {
            let part: String = part.iter().collect();
            let start = Instant::now();
            guard.push(&part, &mut Named, &mut out);
            times.push(start.elapsed());
            held.push(guard.held());
        }
        guard.finish(&mut Named, &mut out);
    }
    times.sort_unstable();
    held.sort_unstable();
    (times, held)
}

fn bad_inputs() -> [(&'static str, String); 9] {
    [
        ("digits", "1234567890".repeat(20_000)),
        ("groups of digits", "1 23 456 7890 ".repeat(14_000)),
        ("cards", "4111 1111 1111 1111 ".repeat(10_000)),
        ("capitals", "Nguyễn Trần Lê Phạm ".repeat(9_000)),
        ("letters", "a".repeat(200_000)),
        ("invisible", "\u{200b}".repeat(70_000)),
        ("dots", "a.b.".repeat(50_000)),
        ("streets", "số 1 đường ".repeat(14_000)),
        ("web token", format!("eyJhbGci{}", "Ab1_".repeat(50_000))),
    ]
}
