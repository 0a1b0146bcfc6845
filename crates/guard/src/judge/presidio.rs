//! Detectors of personal data with Presidio's `POST /analyze`.

use std::ops::Range;

use serde_json::{Value, json};

use super::JudgeError;
use crate::pii::PiiKind;

/// The path below the detector's base URL.
pub const PATH: &str = "/analyze";

/// A place that a detector found.
#[derive(Clone, Debug, PartialEq)]
pub struct OutsideFinding {
    /// The detector's own name of what it is.
    pub entity_type: String,
    /// Our name, if there is one.
    pub kind: Option<PiiKind>,
    /// Where it stands, in bytes of the text.
    pub range: Range<usize>,
    /// How sure the detector is, from 0 to 1.
    pub score: f64,
}

/// A request for one text.
pub fn request(text: &str, language: &str) -> Value {
    json!({"text": text, "language": language})
}

/// Reads what was found in `text` with at least `min_score`, in order; places may overlap. The detector counts
/// characters, the result bytes.
pub fn read(body: &[u8], text: &str, min_score: f64) -> Result<Vec<OutsideFinding>, JudgeError> {
    let answer = super::json(body)?;
    let places = answer.as_array().ok_or(JudgeError("the answer is not a list"))?;
    let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    starts.push(text.len());
    let mut findings = places.iter().map(|place| read_place(place, &starts)).collect::<Result<Vec<_>, _>>()?;
    findings.retain(|finding| finding.score >= min_score);
    findings.sort_by_key(|finding| (finding.range.start, finding.range.end));
    Ok(findings)
}

/// Reads one place; `starts` has the byte at which each character begins.
fn read_place(place: &Value, starts: &[usize]) -> Result<OutsideFinding, JudgeError> {
    let entity_type = place.get("entity_type").and_then(Value::as_str);
    let entity_type = entity_type.ok_or(JudgeError("a place has no `entity_type`"))?;
    let at = |field: &str| {
        let character = usize::try_from(place.get(field)?.as_u64()?).ok()?;
        starts.get(character).copied()
    };
    let range = at("start").zip(at("end")).filter(|(start, end)| start < end).map(|(start, end)| start..end);
    let score = place.get("score").and_then(Value::as_f64).filter(|score| (0.0..=1.0).contains(score));
    Ok(OutsideFinding {
        entity_type: entity_type.to_owned(),
        kind: kind_of(entity_type),
        range: range.ok_or(JudgeError("a place lies outside the text"))?,
        score: score.ok_or(JudgeError("a place has no `score` from 0 to 1"))?,
    })
}

/// Our name for a detector's.
fn kind_of(entity_type: &str) -> Option<PiiKind> {
    let kind = match entity_type {
        "PERSON" => PiiKind::Name,
        "EMAIL_ADDRESS" => PiiKind::Email,
        "PHONE_NUMBER" => PiiKind::Phone,
        "CREDIT_CARD" => PiiKind::Card,
        "IBAN_CODE" => PiiKind::Iban,
        "IP_ADDRESS" => PiiKind::Ip,
        "US_SSN" => PiiKind::Ssn,
        "LOCATION" => PiiKind::Address,
        "US_BANK_NUMBER" => PiiKind::Bank,
        "US_DRIVER_LICENSE" => PiiKind::License,
        "US_PASSPORT" | "IN_PASSPORT" | "IT_PASSPORT" | "UK_PASSPORT" => PiiKind::Passport,
        other => return other.strip_prefix("VN_").unwrap_or(other).parse().ok(),
    };
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_characters_and_become_bytes() {
        let text = "Nhân viên Nguyễn Văn A, số 0912345678";
        let body = json!([
            {"entity_type": "PHONE_NUMBER", "start": 27, "end": 37, "score": 0.9},
            {"entity_type": "PERSON", "start": 10, "end": 22, "score": 0.85},
            {"entity_type": "VN_CCCD", "start": 0, "end": 4, "score": 0.1},
            {"entity_type": "CRYPTO", "start": 0, "end": 4, "score": 0.7},
        ]);
        let found = read(body.to_string().as_bytes(), text, 0.5).unwrap();
        let shown: Vec<_> = found.iter().map(|found| (found.kind, &text[found.range.clone()])).collect();
        assert_eq!(
            shown,
            [(None, "Nhân"), (Some(PiiKind::Name), "Nguyễn Văn A"), (Some(PiiKind::Phone), "0912345678"),]
        );
        assert_eq!(read(b"[]", text, 0.5).unwrap(), []);
        assert_eq!(request(text, "vi"), json!({"text": text, "language": "vi"}));
    }

    #[test]
    fn garbage_is_an_error_and_no_verdict() {
        for body in [
            "",
            "{}",
            "[1]",
            r#"[{"entity_type": "PERSON", "start": 0, "end": 6, "score": 0.9}]"#,
            r#"[{"entity_type": "PERSON", "start": 3, "end": 2, "score": 0.9}]"#,
            r#"[{"entity_type": "PERSON", "start": -1, "end": 2, "score": 0.9}]"#,
            r#"[{"entity_type": "PERSON", "start": 0, "end": 2, "score": 7}]"#,
            r#"[{"start": 0, "end": 2, "score": 0.9}]"#,
        ] {
            assert!(read(body.as_bytes(), "hello", 0.5).is_err(), "{body}");
        }
    }
}
