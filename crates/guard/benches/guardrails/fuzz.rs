//! Random splices of corpora, random parts: a stream must give what the whole text gives.

use gateway_guard::json_strings::{ArgumentsGuard, redact_json};
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
    for part in parts(text, most, random) {
        guard.push(part, &mut Named, &mut out);
        held = held.max(guard.held());
    }
    guard.finish(&mut Named, &mut out);
    (out, held)
}

/// Random parts of a text, of at most some bytes and the rest of a character.
pub fn parts<'a>(text: &'a str, most: usize, random: &mut Random) -> Vec<&'a str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.ceil_char_boundary(1 + random.below(most)));
        parts.push(part);
        rest = after;
    }
    parts
}

/// Whether the text as an argument of a tool is the same in parts as it is whole, and stays JSON.
pub fn has_same_arguments(text: &str, most: usize, random: &mut Random) -> bool {
    let key = ["note", "cmnd", "phone"][random.below(3)];
    let arguments = serde_json::json!({ key: text }).to_string();
    let (mut guard, mut out) = (ArgumentsGuard::new(PiiKinds::ALL), String::new());
    parts(&arguments, most, random).iter().for_each(|part| guard.push(part, &mut Named, &mut out));
    guard.finish(&mut Named, &mut out);
    let is_json = serde_json::from_str::<serde_json::Value>(&out).is_ok();
    is_json && out == redact_json(&arguments, PiiKinds::ALL, &mut Named)
}

/// Whether four characters of a value that is found in `text` are in `out`, though they stand nowhere else in `text`.
pub fn has_leak(text: &str, out: &str) -> bool {
    let found = pii::find(text, PiiKinds::ALL, "");
    let kinds = (0..).map_while(PiiKind::from_index);
    let placeholder = |kind: PiiKind| format!("[{}_REDACTED]", kind.as_str());
    let out = kinds.fold(out.to_owned(), |out, kind| out.replace(&placeholder(kind), "\n"));
    let mut rest = text.to_owned();
    found.iter().rev().for_each(|finding| rest.replace_range(finding.range.clone(), "\n"));
    found.iter().any(|finding| {
        let value: Vec<char> = text[finding.range.clone()].chars().collect();
        let mut parts = value.windows(4).map(|part| part.iter().collect::<String>());
        parts.any(|part| out.contains(&part) && !rest.contains(&part))
    })
}
