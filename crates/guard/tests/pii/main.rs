//! Streams against whole texts, and the transforms of corpora.

#[path = "../../benches/guardrails/corpus.rs"]
mod corpus;
#[path = "../../benches/guardrails/fuzz.rs"]
mod fuzz;
#[path = "../../benches/guardrails/transform.rs"]
mod transform;

use corpus::Score;
use fuzz::Random;
use gateway_guard::json_strings::{ArgumentsGuard, redact_json};
use gateway_guard::pii::{PiiKind, PiiKinds};
use proptest::prelude::*;

fn lines() -> Vec<String> {
    corpus::corpora()
        .iter()
        .flat_map(|corpus| &corpus.lines)
        .flat_map(|line| transform::TRANSFORMS.map(|(_, transform)| transform::apply(line, transform).text))
        .collect()
}

/// D8: a value that is split over any boundary never leaves: the stream is the whole text with its values replaced.
#[test]
fn spliced_documents_are_redacted_in_a_stream_as_they_are_whole() {
    let lines = lines();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4_000 {
        let text = fuzz::document(&lines, &mut random);
        let most = [1, 4, 12, 40][random.below(4)];
        let (out, _) = fuzz::streamed(&text, most, &mut random);
        assert_eq!(out, fuzz::whole(&text, PiiKinds::ALL), "of {text:?}");
        assert!(fuzz::has_same_arguments(&text, most, &mut random), "of {text:?}");
    }
}

/// D8: no part of a value of four characters is in what a stream lets go.
#[test]
fn no_part_of_a_value_leaves_a_stream() {
    let mut random = Random(77);
    for line in corpus::corpora().iter().flat_map(|corpus| &corpus.lines) {
        let (out, _) = fuzz::streamed(&line.text, 4, &mut random);
        assert!(!fuzz::has_leak(&line.text, &out), "of {:?}: {out:?}", line.text);
    }
}

/// Plain prose waits for no more than a run of words.
#[test]
fn plain_prose_is_hardly_held_back() {
    let prose = "The committee met on a rainy day and talked about the new library, which opens next spring. \
                 Hôm qua trời mưa to nên chúng tôi ở nhà đọc sách và nấu ăn, rồi xem một bộ phim cũ rất hay. ";
    let mut random = Random(5);
    let (out, held) = fuzz::streamed(&prose.repeat(20), 4, &mut random);
    assert_eq!(out, prose.repeat(20));
    assert!(held <= 64, "{held} bytes were held");
}

/// The recall of values and names that are written otherwise: the targets are 0.95 and 0.9.
#[test]
fn texts_that_are_written_otherwise_are_read_as_well() {
    for (name, transform) in transform::TRANSFORMS {
        for (class, is_name, least) in [("values", false, 0.95), ("names", true, 0.9)] {
            let mut score = Score::default();
            for line in
                corpus::corpora().iter().filter(|corpus| corpus.name.starts_with("vi")).flat_map(|corpus| &corpus.lines)
            {
                score += transform::apply(line, transform).score(|kind| (kind == PiiKind::Name) == is_name);
            }
            let recall = score.covered as f64 / score.gold as f64;
            assert!(recall >= least, "{class} in {name}: {} of {}", score.covered, score.gold);
        }
    }
}

/// D8 for the arguments of tool calls: parts do not matter, and what was JSON is JSON.
#[test]
fn arguments_of_tools_are_redacted_in_parts_as_they_are_whole() {
    let lines = lines();
    let keys = ["cmnd", "note", "soDienThoai", "customer_name", "order_id", "địa chỉ", "a\"b"];
    let mut random = Random(0xabcdef);
    for _ in 0..1_500 {
        let mut object = serde_json::Map::new();
        for _ in 0..=random.below(4) {
            let value = match random.below(4) {
                0 => serde_json::json!(random.below(2_000_000_000) as u64 * 97),
                1 => serde_json::json!([lines[random.below(lines.len())], {"x": null}]),
                _ => serde_json::json!(lines[random.below(lines.len())]),
            };
            object.insert(keys[random.below(keys.len())].to_owned(), value);
        }
        let text = serde_json::Value::Object(object).to_string();
        let text = if random.below(2) == 0 { escaped(&text) } else { text };
        let whole = redact_json(&text, PiiKinds::ALL, &mut fuzz::Named);
        let (mut guard, mut out) = (ArgumentsGuard::new(PiiKinds::ALL), String::new());
        let parts = fuzz::parts(&text, 7, &mut random);
        parts.iter().for_each(|part| guard.push(part, &mut fuzz::Named, &mut out));
        guard.finish(&mut fuzz::Named, &mut out);
        assert_eq!(out, whole, "of {text}");
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
    }
}

/// A JSON text with all that is not ASCII as escapes.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            char.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

proptest! {
    /// D8, for texts of any characters.
    #[test]
    fn any_text_is_redacted_in_a_stream_as_it_is_whole(
        text in "([a-zA-Z0-9 .,:@+()/_-]|Nguyễn|Trần Văn|CMND |số |eyJhbGci|[0-9]{3}|\\PC|\n){0,60}",
        seed in 1u64..u64::MAX,
    ) {
        let (out, _) = fuzz::streamed(&text, 6, &mut Random(seed));
        prop_assert_eq!(out, fuzz::whole(&text, PiiKinds::ALL));
    }
}
