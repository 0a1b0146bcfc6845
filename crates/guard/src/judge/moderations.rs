//! Judges with OpenAI's `POST /v1/moderations`.

use serde_json::{Value, json};

use super::JudgeError;
use crate::safety::{Category, Scores};

/// The path below a provider's base URL.
pub const PATH: &str = "/moderations";

/// A request for some texts at once.
pub fn request(model: &str, texts: &[&str]) -> Value {
    json!({"model": model, "input": texts})
}

/// Reads the scores of `texts` texts, in their order. Only scores decide: `flagged` depends on thresholds of the vendor.
pub fn read(body: &[u8], texts: usize) -> Result<Vec<Scores>, JudgeError> {
    let answer = super::json(body)?;
    let results = answer.get("results").and_then(Value::as_array).ok_or(JudgeError("the answer has no `results`"))?;
    if results.len() != texts {
        return Err(JudgeError("the answer has not one result for each text"));
    }
    results.iter().map(read_result).collect()
}

fn read_result(result: &Value) -> Result<Scores, JudgeError> {
    let scores = result.get("category_scores").and_then(Value::as_object);
    let scores = scores.ok_or(JudgeError("a result has no `category_scores`"))?;
    let mut read = Scores::default();
    let mut known = 0;
    for (category, score) in scores.iter().filter_map(|(name, score)| Some((name.parse::<Category>().ok()?, score))) {
        let score = score.as_f64().filter(|score| (0.0..=1.0).contains(score));
        read.raise(category, score.ok_or(JudgeError("a score is not a number from 0 to 1"))?);
        known += 1;
    }
    if known == 0 { Err(JudgeError("a result has no known category")) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_all_texts_at_once() {
        let asked = request("omni-moderation-latest", &["a", "b"]);
        assert_eq!(asked, json!({"model": "omni-moderation-latest", "input": ["a", "b"]}));
    }

    #[test]
    fn only_scores_decide_and_not_what_is_flagged() {
        let answer = json!({"results": [
            {"flagged": true, "categories": {"hate": true}, "category_scores": {"hate": 0.2, "sexual/minors": 0.0, "novel": 0.9}},
            {"flagged": false, "category_scores": {"violence/graphic": 0.97}},
        ]});
        let scores = read(answer.to_string().as_bytes(), 2).unwrap();
        assert_eq!(scores[0].get(Category::Hate), 0.2);
        assert_eq!(scores[1].get(Category::ViolenceGraphic), 0.97);
    }

    /// "Fail modes: judge timeout, 500, garbage, slow": garbage is an error.
    #[test]
    fn garbage_is_an_error_and_no_verdict() {
        for body in [
            "",
            "<html>",
            "null",
            "{}",
            r#"{"results": []}"#,
            r#"{"results": [{}]}"#,
            r#"{"results": [{"flagged": false}]}"#,
            r#"{"results": [{"category_scores": {}}]}"#,
            r#"{"results": [{"category_scores": {"hate": "0.1"}}]}"#,
            r#"{"results": [{"category_scores": {"hate": 1.5}}]}"#,
            r#"{"results": [{"category_scores": {"hate": null}}]}"#,
            r#"{"results": [{"category_scores": {"hate": 0}}, {"category_scores": {"hate": 0}}]}"#,
        ] {
            assert!(read(body.as_bytes(), 1).is_err(), "{body}");
        }
    }
}
