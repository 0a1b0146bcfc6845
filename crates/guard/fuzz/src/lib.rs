//! What the fuzz targets share: texts made of bytes, and texts in parts.

#[path = "../../benches/guardrails/corpus.rs"]
#[allow(dead_code, reason = "written for the benchmark")]
mod corpus;
#[path = "../../benches/guardrails/fuzz.rs"]
#[allow(dead_code, reason = "written for the benchmark")]
mod splice;

use std::sync::LazyLock;

use gateway_guard::pii::{PiiKind, PiiKinds};

pub use splice::{Named, Random, has_leak, whole};

/// The lines that pieces are taken of, as words: those of the corpora of personal data and of unsafe texts.
static LINES: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let marked = corpus::corpora().into_iter().flat_map(|corpus| corpus.lines).map(|line| line.text);
    let labelled = [
        include_str!("../../corpora/safety_tune.txt"),
        include_str!("../../corpora/safety_fresh.txt"),
        include_str!("../../corpora/injection_tune.txt"),
    ];
    let labelled = labelled.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once('\t'));
    let lines = marked.chain(labelled.map(|(_, text)| text.to_owned()));
    lines.map(|line| line.split(' ').map(str::to_owned).collect()).collect()
});

/// The bytes of a fuzzer as choices and a text.
pub struct Input<'a> {
    /// Bytes for choices.
    choices: &'a [u8],
    /// Where the text is cut.
    random: Random,
    text: &'a [u8],
}

impl<'a> Input<'a> {
    /// The first bytes are choices.
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (choices, text) = data.split_at_checked(6)?;
        let (seed, choices) = choices.split_at_checked(2)?;
        let seed = u64::from(u16::from_be_bytes([*seed.first()?, *seed.last()?]));
        Some(Self { choices, random: Random(0x9e37_79b9_7f4a_7c15 ^ seed), text })
    }

    /// A number below `limit`.
    pub fn choose(&mut self, limit: usize) -> usize {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        usize::from(*first) % limit
    }

    /// All kinds, or some.
    pub fn kinds(&mut self) -> PiiKinds {
        let some = self.choose(64);
        if some < 48 {
            return PiiKinds::ALL;
        }
        let kinds = (0..).map_while(PiiKind::from_index).filter(|kind| (*kind as usize + some) % 3 == 0);
        kinds.fold(PiiKinds::NONE, PiiKinds::with)
    }

    /// The text. ASCII stands for itself, other bytes for pieces of the corpora or for any character.
    pub fn text(&self) -> String {
        decode(self.text)
    }

    /// The text in two: up to the first byte that is zero, and the rest.
    pub fn texts(&self) -> (String, String) {
        let mut halves = self.text.splitn(2, |byte| *byte == 0);
        (decode(halves.next().unwrap_or_default()), decode(halves.next().unwrap_or_default()))
    }

    /// A text in parts.
    pub fn parts<'t>(&mut self, text: &'t str) -> Vec<&'t str> {
        let most = [1, 3, 7, 40][self.random.below(4)];
        splice::parts(text, most, &mut self.random)
    }
}

fn decode(bytes: &[u8]) -> String {
    let (mut text, mut rest) = (String::new(), bytes);
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first.is_ascii() {
            text.push(char::from(first));
            continue;
        }
        let (operands, after) = rest.split_at(rest.len().min(2));
        let value = operands.iter().fold(u32::from(first & 0x7f), |value, byte| value << 8 | u32::from(*byte));
        if first >= 0xf0 {
            text.extend(char::from_u32(value & 0xf_ffff));
        } else {
            text.push_str(&piece(value as usize));
        }
        rest = after;
    }
    text
}

/// Some words of a line.
fn piece(value: usize) -> String {
    let line = LINES.get(value / 64 % LINES.len().max(1)).map_or(&[][..], Vec::as_slice);
    let from = value / 8 % 8 * line.len() / 8;
    let count = 1 + value % 8;
    line.get(from..).unwrap_or_default().iter().take(count).map(String::as_str).collect::<Vec<_>>().join(" ")
}
