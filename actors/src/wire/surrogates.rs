//! Repairs JSON text whose producer cut a surrogate pair in two (`"\ud83d"` in one event, `"\ude00"` in the next): such
//! text is refused by strict readers, and would break the stream.

use std::borrow::Cow;

/// Joins surrogate pairs over the events of one stream.
#[derive(Debug, Default)]
pub struct SurrogateRepair {
    /// A high surrogate that ended a string of the last event.
    held: Option<[u8; 6]>,
}

/// What replaces a surrogate that stays alone.
const REPLACEMENT: &[u8; 6] = br"\ufffd";

impl SurrogateRepair {
    /// The event's text with every surrogate paired: a high one that ends a string waits for the next event, whose text
    /// it opens; one that stays alone becomes U+FFFD.
    pub fn repair<'a>(&mut self, json: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_none() && !has_surrogate(json) {
            return Cow::Borrowed(json);
        }
        let mut out = Vec::with_capacity(json.len() + 12);
        let mut rest = json;
        while let Some((&byte, tail)) = rest.split_first() {
            if byte != b'\\' {
                out.push(byte);
                rest = tail;
                continue;
            }
            let Some(escape) = unicode_escape(rest) else {
                let length = rest.len().min(2);
                out.extend_from_slice(rest.get(..length).unwrap_or_default());
                rest = rest.get(length..).unwrap_or_default();
                continue;
            };
            let after = rest.get(6..).unwrap_or_default();
            rest = after;
            match kind(&escape) {
                Kind::Plain => out.extend_from_slice(&escape),
                Kind::High => match unicode_escape(after).filter(|next| matches!(kind(next), Kind::Low)) {
                    Some(low) => {
                        out.extend_from_slice(&escape);
                        out.extend_from_slice(&low);
                        rest = after.get(6..).unwrap_or_default();
                    }
                    None if after.first() == Some(&b'"') => {
                        // An older one that still waits has lost its chance.
                        self.held = Some(escape);
                    }
                    None => out.extend_from_slice(REPLACEMENT),
                },
                Kind::Low => match self.held.take_if(|_| out.last() == Some(&b'"')) {
                    Some(high) => {
                        out.extend_from_slice(&high);
                        out.extend_from_slice(&escape);
                    }
                    None => out.extend_from_slice(REPLACEMENT),
                },
            }
        }
        Cow::Owned(out)
    }
}

enum Kind {
    Plain,
    High,
    Low,
}

fn kind(escape: &[u8; 6]) -> Kind {
    match escape {
        [_, _, b'd' | b'D', b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B', ..] => Kind::High,
        [_, _, b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Kind::Low,
        _ => Kind::Plain,
    }
}

/// The `\uXXXX` that the text begins with.
fn unicode_escape(text: &[u8]) -> Option<[u8; 6]> {
    let escape: [u8; 6] = text.get(..6)?.try_into().ok()?;
    let hex = escape.get(2..)?.iter().all(u8::is_ascii_hexdigit);
    (escape.starts_with(br"\u") && hex).then_some(escape)
}

/// Whether a surrogate escape may be in the text: one scan, no allocation.
fn has_surrogate(json: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', json).any(|at| {
        matches!(json.get(at + 1..at + 4), Some([b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(events: &[&str]) -> Vec<String> {
        let mut repair = SurrogateRepair::default();
        events.iter().map(|event| String::from_utf8(repair.repair(event.as_bytes()).into_owned()).unwrap()).collect()
    }

    #[test]
    fn a_pair_over_two_events_is_joined() {
        assert_eq!(
            repaired(&[r#"{"c":"a\ud83d"}"#, r#"{"c":"\uDE00b"}"#]),
            [r#"{"c":"a"}"#, r#"{"c":"\ud83d\uDE00b"}"#]
        );
    }

    #[test]
    fn whole_pairs_and_other_escapes_stay() {
        let text = r#"{"c":"\ud83d\ude00 \\ud83d \u00e9 \n"}"#;
        assert_eq!(repaired(&[text]), [text]);
        let plain = br#"{"c":"\u00e9"}"#;
        assert!(matches!(SurrogateRepair::default().repair(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn a_surrogate_that_stays_alone_is_replaced() {
        let events = [r#"{"c":"\ud83dx"}"#, r#"{"c":"\ude00"}"#, r#"{"c":"x\ude00"}"#];
        assert_eq!(repaired(&events), [r#"{"c":"\ufffdx"}"#, r#"{"c":"\ufffd"}"#, r#"{"c":"x\ufffd"}"#]);
        for event in repaired(&[r#"{"c":"\ud83d"}"#, r#"{"c":"","d":1}"#, r#"{"c":"\ude00"}"#]) {
            serde_json::from_str::<serde_json::Value>(&event).unwrap();
        }
    }
}
