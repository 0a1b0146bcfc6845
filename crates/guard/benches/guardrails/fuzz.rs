//! Random splices of corpora, random parts: a stream must give what the whole text gives.

use gateway_guard::pii::{self, PiiKind, PiiKinds};
use gateway_guard::stream::{Replacer, TextGuard};

/// Numbers from a seed: the same documents on every machine.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// Writes the name of a kind.
pub struct Named;

impl Replacer for Named {
    fn replace(&mut self, kind: PiiKind, _: &str, out: &mut String) {
        out.push('[');
        out.push_str(kind.as_str());
        out.push_str("_REDACTED]");
    }
}

const SEPARATORS: [&str; 16] =
    [" ", " ", " ", "", ", ", ". ", "\n", ": ", " - ", "/", "\t", "\u{a0}", " (", "-", "\u{200b}", "; "];

/// A document of pieces of lines.
pub fn document(lines: &[String], random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(6) {
        let Some(line) = lines.get(random.below(lines.len())) else { continue };
        let words: Vec<&str> = line.split(' ').collect();
        let from = random.below(words.len());
        let count = 1 + random.below(words.len() - from);
        text.push_str(&words[from..from + count].join(" "));
        text.push_str(SEPARATORS[random.below(SEPARATORS.len())]);
    }
    text
}

/// The whole text with its personal data replaced.
pub fn whole(text: &str, kinds: PiiKinds) -> String {
    let mut out = String::new();
    let mut at = 0;
    for finding in pii::find(text, kinds, "") {
        out.push_str(&text[at..finding.range.start]);
        Named.replace(finding.kind, "", &mut out);
        at = finding.range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The text in random parts, and the most bytes that were held back.
pub fn streamed(text: &str, most: usize, random: &mut Random) -> (String, usize) {
    let mut guard = TextGuard::new(PiiKinds::ALL, "");
    let (mut out, mut held) = (String::new(), 0);
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = (1 + random.below(most)).min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        guard.push(&rest[..end], &mut Named, &mut out);
        held = held.max(guard.held());
        rest = &rest[end..];
    }
    guard.finish(&mut Named, &mut out);
    (out, held)
}
