//! Values that are cut between the parts of a message, which a model reads as one text.

use std::ops::Range;

use gateway_guard::pii;
use gateway_guard::stream::Replacer;

use super::replacer::PolicyReplacer;

/// Bytes at both ends of a part that are looked at together with its neighbours.
const NEAR: usize = 256;

/// What may stand between parts where a model reads them.
const SEPARATORS: [&str; 2] = ["", "\n"];

/// What stands where nothing of a part is left: some providers refuse empty ones.
const NOTHING: &str = "…";

/// Replaces what is personal data only together with the texts around it; gives whether anything was.
pub(super) fn replace_across(texts: &mut [String], replacer: &mut PolicyReplacer<'_>) -> bool {
    SEPARATORS.iter().fold(false, |is_changed, separator| {
        let edits = edits(texts, separator, replacer);
        apply(texts, &edits) || is_changed
    })
}

/// A piece of a text, and where it stands among all.
struct Piece {
    text: usize,
    from: usize,
    start: usize,
    end: usize,
}

/// What is to stand for a range of a text.
struct Edit {
    text: usize,
    range: Range<usize>,
    told: String,
}

fn edits(texts: &[String], separator: &str, replacer: &mut PolicyReplacer<'_>) -> Vec<Edit> {
    let (joined, pieces) = join(texts, separator);
    let kinds = replacer.actions.all;
    let mut known = Vec::new();
    for piece in &pieces {
        let own = joined.get(piece.start..piece.end).unwrap_or_default();
        let found = pii::find(own, kinds, "").into_iter();
        known.extend(found.map(|found| piece.start + found.range.start..piece.start + found.range.end));
    }
    let mut edits = Vec::new();
    for finding in pii::find(&joined, kinds, "") {
        let Some(value) = joined.get(finding.range.clone()).filter(|_| !known.contains(&finding.range)) else {
            continue;
        };
        let mut told = String::new();
        replacer.replace(finding.kind, value, &mut told);
        if told == value {
            continue;
        }
        for piece in &pieces {
            let (start, end) = (finding.range.start.max(piece.start), finding.range.end.min(piece.end));
            if start < end {
                let range = piece.from + start - piece.start..piece.from + end - piece.start;
                edits.push(Edit { text: piece.text, range, told: std::mem::take(&mut told) });
            }
        }
    }
    edits
}

/// The ends of all texts as one.
fn join(texts: &[String], separator: &str) -> (String, Vec<Piece>) {
    let (mut joined, mut pieces) = (String::new(), Vec::new());
    let mut add = |joined: &mut String, text: usize, range: Range<usize>| {
        let piece = texts.get(text).and_then(|text| text.get(range.clone())).unwrap_or_default();
        let start = joined.len();
        joined.push_str(piece);
        pieces.push(Piece { text, from: range.start, start, end: joined.len() });
    };
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        if text.len() <= 2 * NEAR {
            add(&mut joined, at, 0..text.len());
            continue;
        }
        add(&mut joined, at, 0..boundary(text, NEAR));
        joined.push_str("\n\n");
        add(&mut joined, at, boundary(text, text.len() - NEAR)..text.len());
    }
    (joined, pieces)
}

/// The last place up to `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn apply(texts: &mut [String], edits: &[Edit]) -> bool {
    // From the last on, so that the places of the others stay.
    for Edit { text, range, told } in edits.iter().rev() {
        let Some(text) = texts.get_mut(*text).filter(|text| text.get(range.clone()).is_some()) else { continue };
        text.replace_range(range.clone(), told);
        if text.is_empty() {
            text.push_str(NOTHING);
        }
    }
    !edits.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Policy, Tally};
    use super::*;
    use crate::routing::read_floor;

    fn redacted(texts: &[&str]) -> Vec<String> {
        let floor = read_floor(&[json!({"type": "pii_detection", "action": "redact"})], &[]).unwrap();
        let (policy, mut tally) = (Policy::new(floor.input), Tally::default());
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        replace_across(&mut texts, &mut PolicyReplacer::new(&policy.pii, &mut tally, None));
        texts
    }

    /// D8: a value is found where its parts or its cue stand in several texts.
    #[test]
    fn d8_values_over_several_texts_are_found() {
        assert_eq!(redacted(&["CMND 1234", "56789"]), ["CMND [CMND_REDACTED]", "…"]);
        assert_eq!(redacted(&["Số CMND:", "123456789"]), ["Số CMND:", "[CMND_REDACTED]"]);
        assert_eq!(redacted(&["Gọi 0912", "345", "678 nhé"]), ["Gọi [PHONE_REDACTED]", "…", " nhé"]);
        let long = "Xin chào. ".repeat(100);
        let told = redacted(&[&format!("{long}CMND 1234"), &format!("56789. {long}")]);
        assert_eq!(told, [format!("{long}CMND [CMND_REDACTED]"), format!(". {long}")]);
        assert_eq!(redacted(&["one", "two", ""]), ["one", "two", ""]);
    }
}
