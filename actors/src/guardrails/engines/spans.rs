//! Places of a text that engines found, put together.

use std::ops::Range;

use gateway_guard::pii::PiiKind;

use crate::guardrails::Action;

/// The most digits of a token's number: a request has no room for more tokens.
const MAX_TOKEN_DIGITS: usize = 6;

/// A place of a text, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: PiiKind,
    /// What is done with it.
    pub action: Action,
}

/// The places that are to be changed, in order and without overlaps. Where places overlap, all of them become one, with
/// the strictest action and the kind of the longest. What stands for personal data already is none.
pub fn merged(text: &str, spans: Vec<Span>) -> Vec<Span> {
    let placeholders = placeholders(text);
    let mut pieces: Vec<Span> = spans.into_iter().flat_map(|span| without(text, span, &placeholders)).collect();
    pieces.sort_by_key(|span| (span.range.start, span.range.end));
    let mut out: Vec<Span> = Vec::with_capacity(pieces.len());
    for span in pieces {
        match out.last_mut().filter(|last| span.range.start < last.range.end) {
            Some(last) => {
                if span.range.len() > last.range.len() {
                    last.kind = span.kind;
                }
                last.range.end = last.range.end.max(span.range.end);
                last.action = last.action.min(span.action);
            }
            None => out.push(span),
        }
    }
    out
}

/// Findings without those that are only what stands for personal data already.
pub fn beside_placeholders(text: &str, mut findings: Vec<(PiiKind, Range<usize>)>) -> Vec<(PiiKind, Range<usize>)> {
    let placeholders = placeholders(text);
    findings.retain(|(kind, range)| {
        let span = Span { range: range.clone(), kind: *kind, action: Action::Flag };
        !without(text, span, &placeholders).is_empty()
    });
    findings
}

/// What is left of a place without the placeholders in it.
fn without(text: &str, span: Span, placeholders: &[Range<usize>]) -> Vec<Span> {
    let mut pieces = Vec::new();
    let mut from = span.range.start;
    let first = placeholders.partition_point(|place| place.end <= span.range.start);
    let behind = placeholders.get(first..).unwrap_or_default();
    let inside = behind.iter().take_while(|place| place.start < span.range.end);
    for place in inside {
        pieces.push(from..place.start.max(from));
        from = place.end;
    }
    pieces.push(from..span.range.end.max(from));
    let says =
        |range: &Range<usize>| text.get(range.clone()).is_some_and(|piece| piece.contains(char::is_alphanumeric));
    pieces.into_iter().filter(says).map(|range| Span { range, ..span.clone() }).collect()
}

/// Where `[NAME_REDACTED]` and `[NAME_1]` stand.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices('[') {
        let rest = text.get(start + 1..).unwrap_or_default();
        let name = rest.bytes().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
        let length = name.count();
        let name = rest.get(..length).unwrap_or_default();
        let is_ours = name
            .split_once('_')
            .is_some_and(|(kind, rest)| kind.parse::<PiiKind>().is_ok() && (rest == "REDACTED" || is_number(rest)));
        if is_ours && rest.get(length..).is_some_and(|rest| rest.starts_with(']')) {
            found.push(start..start + length + 2);
        }
    }
    found
}

/// Whether a token has this number: a longer one is rather a value that somebody has put between brackets.
fn is_number(text: &str) -> bool {
    (1..=MAX_TOKEN_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(range: Range<usize>, kind: PiiKind, action: Action) -> Span {
        Span { range, kind, action }
    }

    #[test]
    fn overlaps_become_one_with_the_strictest_action() {
        let spans = vec![
            span(3..7, PiiKind::Phone, Action::Redact),
            span(0..4, PiiKind::Name, Action::Tokenize),
            span(9..10, PiiKind::Ip, Action::Flag),
            span(0..9, PiiKind::Address, Action::Tokenize),
        ];
        let all = [span(0..9, PiiKind::Address, Action::Redact), span(9..10, PiiKind::Ip, Action::Flag)];
        assert_eq!(merged("0123456789", spans), all);
    }

    /// D8: what a redaction has put into a text fails no check of an engine.
    #[test]
    fn d8_what_stands_for_a_value_is_no_finding() {
        let text = "Anna [NAME_REDACTED] Lee [CARD_1]";
        let found = vec![(PiiKind::Name, 6..19), (PiiKind::Name, 0..20), (PiiKind::Card, 25..33)];
        assert_eq!(beside_placeholders(text, found), [(PiiKind::Name, 0..20)]);
    }

    #[test]
    fn what_stands_for_a_value_is_not_replaced_again() {
        let text = "Anna [NAME_REDACTED] Lee [CARD_1]";
        let found = |range: Range<usize>| {
            let spans = merged(text, vec![span(range, PiiKind::Name, Action::Redact)]);
            spans.into_iter().map(|span| &text[span.range]).collect::<Vec<_>>()
        };
        assert_eq!(found(0..24), ["Anna ", " Lee"]);
        assert_eq!(found(6..19), [""; 0]);
        assert_eq!(found(25..33), [""; 0]);
        for text in ["[NAME_ZORBLAX]", "[PHONE_0912345678]", "[NAME_]"] {
            let spans = merged(text, vec![span(0..text.len(), PiiKind::Name, Action::Redact)]);
            assert_eq!(spans, [span(0..text.len(), PiiKind::Name, Action::Redact)], "a value between brackets");
        }
    }
}
