//! Repairs JSON text whose producer cut a surrogate pair in two (`"\ud83d"` in one event, `"\ude00"` in the next): such
//! text is refused by strict readers, and would break the stream.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// What replaces a surrogate that stays alone.
const REPLACEMENT: &[u8; 6] = br"\ufffd";

/// A `\uXXXX` escape.
type Escape = [u8; 6];

/// Joins surrogate pairs over the events of one stream.
#[derive(Debug, Default)]
pub struct SurrogateRepair {
    /// High surrogates that ended a string, each with the key of that string, so that only its continuation takes it.
    held: Vec<(Vec<u8>, Escape)>,
}

impl SurrogateRepair {
    /// Whether no half of a pair waits for the other.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// The event's text with every surrogate paired: a high one that ends a string waits for the next string under the
    /// same key; one that stays alone becomes U+FFFD.
    pub fn repair<'a>(&mut self, json: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_empty() && !has_surrogate(json) {
            return Cow::Borrowed(json);
        }
        Cow::Owned(rewrite(json, &mut self.held))
    }
}

/// A text that nothing follows, with U+FFFD for every surrogate that stands alone.
pub fn replace_lone(json: &[u8]) -> Cow<'_, [u8]> {
    if !has_surrogate(json) {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, body, after)) = next_string(rest) {
        out.extend_from_slice(before);
        if push_string(&mut out, body).is_some() {
            out.extend_from_slice(REPLACEMENT);
        }
        out.push(b'"');
        rest = after;
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

fn rewrite(json: &[u8], held: &mut Vec<(Vec<u8>, Escape)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + 12);
    let mut key: &[u8] = b"";
    let mut rest = json;
    while let Some((before, body, after)) = next_string(rest) {
        out.extend_from_slice(before);
        rest = after;
        let is_key = after.trim_ascii_start().first() == Some(&b':');
        if is_key {
            key = body;
            if push_string(&mut out, body).is_some() {
                out.extend_from_slice(REPLACEMENT);
            }
            out.push(b'"');
            continue;
        }
        let waiting = held.iter().position(|(name, _)| name == key && !body.is_empty());
        let mut body = body;
        if let Some((_, high)) = waiting.map(|at| held.swap_remove(at)) {
            match escape(body).filter(|low| kind(low) == Kind::Low) {
                Some(low) => {
                    out.extend_from_slice(&high);
                    out.extend_from_slice(&low);
                    body = body.get(6..).unwrap_or_default();
                }
                None => out.extend_from_slice(REPLACEMENT),
            }
        }
        if let Some(high) = push_string(&mut out, body) {
            held.push((key.to_vec(), high));
        }
        out.push(b'"');
    }
    out.extend_from_slice(rest);
    out
}

/// The text up to and with the quote that opens the next string, that string's body, and what follows its closing quote.
fn next_string(json: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let start = memchr(b'"', json)? + 1;
    let (before, text) = json.split_at_checked(start)?;
    let mut end = 0;
    loop {
        end += memchr2(b'"', b'\\', text.get(end..)?)?;
        if text.get(end) == Some(&b'"') {
            return Some((before, text.get(..end)?, text.get(end + 1..)?));
        }
        end += 2;
    }
}

/// Copies a string's body; the high surrogate that ends it, if any, is left out and given back.
fn push_string(out: &mut Vec<u8>, body: &[u8]) -> Option<Escape> {
    let mut rest = body;
    while let Some(at) = memchr(b'\\', rest) {
        let (plain, tail) = rest.split_at_checked(at)?;
        out.extend_from_slice(plain);
        let Some(found) = escape(tail) else {
            let length = tail.len().min(2);
            out.extend_from_slice(tail.get(..length)?);
            rest = tail.get(length..)?;
            continue;
        };
        rest = tail.get(6..)?;
        match kind(&found) {
            Kind::Plain => out.extend_from_slice(&found),
            Kind::Low => out.extend_from_slice(REPLACEMENT),
            Kind::High => match escape(rest).filter(|next| kind(next) == Kind::Low) {
                Some(low) => {
                    out.extend_from_slice(&found);
                    out.extend_from_slice(&low);
                    rest = rest.get(6..)?;
                }
                None if rest.is_empty() => return Some(found),
                None => out.extend_from_slice(REPLACEMENT),
            },
        }
    }
    out.extend_from_slice(rest);
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    High,
    Low,
}

fn kind(escape: &Escape) -> Kind {
    match escape {
        [_, _, b'd' | b'D', b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B', ..] => Kind::High,
        [_, _, b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Kind::Low,
        _ => Kind::Plain,
    }
}

/// The `\uXXXX` that the text begins with.
fn escape(text: &[u8]) -> Option<Escape> {
    let escape: Escape = text.get(..6)?.try_into().ok()?;
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
        let text = |event: &&str| String::from_utf8(repair.repair(event.as_bytes()).into_owned()).unwrap();
        events.iter().map(text).collect()
    }

    #[test]
    fn a_pair_over_two_events_is_joined() {
        assert_eq!(
            repaired(&[r#"{"c":"a\ud83d"}"#, r#"{"c":"\uDE00b"}"#]),
            [r#"{"c":"a"}"#, r#"{"c":"\ud83d\uDE00b"}"#]
        );
    }

    #[test]
    fn a_pair_is_joined_over_pings_empty_texts_and_other_fields() {
        assert_eq!(
            repaired(&[
                r#"{"id":"x","c":"a\ud83d"}"#,
                r#"{"type":"ping"}"#,
                r#"{"id":"x", "c" : ""}"#,
                r#"{"id":"x", "c" : "\ude00b"}"#
            ]),
            [
                r#"{"id":"x","c":"a"}"#,
                r#"{"type":"ping"}"#,
                r#"{"id":"x", "c" : ""}"#,
                r#"{"id":"x", "c" : "\ud83d\ude00b"}"#
            ]
        );
    }

    #[test]
    fn whole_pairs_and_other_escapes_stay() {
        let text = r#"{"c":"\ud83d\ude00 \\ud83d \u00e9 \n \" \\"}"#;
        assert_eq!(repaired(&[text]), [text]);
        assert_eq!(replace_lone(text.as_bytes()), text.as_bytes());
        let plain = br#"{"c":"\u00e9"}"#;
        assert!(matches!(SurrogateRepair::default().repair(plain), Cow::Borrowed(_)));
        assert!(matches!(replace_lone(plain), Cow::Borrowed(_)));
    }

    #[test]
    fn a_surrogate_that_stays_alone_is_replaced() {
        assert_eq!(
            repaired(&[r#"{"c":"\ud83dx"}"#, r#"{"c":"\ude00"}"#, r#"{"c":"x\ude00"}"#]),
            [r#"{"c":"\ufffdx"}"#, r#"{"c":"\ufffd"}"#, r#"{"c":"x\ufffd"}"#]
        );
        assert_eq!(repaired(&[r#"{"c":"a\ud83d"}"#, r#"{"c":"b"}"#]), [r#"{"c":"a"}"#, r#"{"c":"\ufffdb"}"#]);
        // A second high surrogate leaves the first one alone.
        assert_eq!(
            repaired(&[r#"{"c":"\ud83d"}"#, r#"{"c":"\ud83d"}"#, r#"{"c":"\ude00"}"#]),
            [r#"{"c":""}"#, r#"{"c":"\ufffd"}"#, r#"{"c":"\ud83d\ude00"}"#]
        );
        assert_eq!(replace_lone(br#"{"c":"a\ud83d","d":"\ude00"}"#), &br#"{"c":"a\ufffd","d":"\ufffd"}"#[..]);
    }

    /// Whatever the escapes and cuts, what comes out is JSON.
    #[test]
    fn what_comes_out_is_always_json() {
        let parts = [r"\ud83d", r"\ude00", r"\\", r#"\""#, r"\n", "x", "ế", r"\u00e9", ""];
        let mut repair = SurrogateRepair::default();
        for a in parts {
            for b in parts {
                for c in parts {
                    let event = format!(r#"{{"c":"{a}{b}{c}","d":["{c}{a}"]}}"#);
                    for text in [repair.repair(event.as_bytes()), replace_lone(event.as_bytes())] {
                        serde_json::from_slice::<serde_json::Value>(&text).expect(&event);
                    }
                }
            }
        }
    }

    #[test]
    fn text_that_is_no_json_passes() {
        for text in [r#"{"c":"\ud83d"#, r"\ud83d", r#""\"#, r#"{"a":"b","c":"\ude00"#] {
            let mut repair = SurrogateRepair::default();
            assert_eq!(repair.repair(text.as_bytes()), text.as_bytes());
        }
    }
}
