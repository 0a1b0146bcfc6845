//! Judges that are chat models and answer `safe`, or `unsafe` and codes of hazards in the next line.

use serde_json::{Value, json};

use super::JudgeError;
use crate::safety::{Category, Scores};

/// The highest hazard code.
const MAX_CODE: u8 = 14;
/// Enough for `unsafe` and all codes.
const MAX_ANSWER_TOKENS: u32 = 64;

/// Whose text is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// A judge's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaGuardVerdict {
    /// The scores of the hazards that have a category.
    pub scores: Scores,
    /// How sure the judge is that the text is unsafe, whatever the hazard.
    pub score: f64,
    /// The codes as they came (2 for the second), with those that have no category.
    pub codes: Vec<u8>,
}

/// A chat request that has a text judged. `logprobs` gives scores between 0 and 1 where the server knows them.
pub fn request(model: &str, author: Author, text: &str, logprobs: bool) -> Value {
    let messages = match author {
        Author::User => json!([{"role": "user", "content": text}]),
        Author::Assistant => json!([{"role": "user", "content": "…"}, {"role": "assistant", "content": text}]),
    };
    let mut request = json!({
        "model": model,
        "messages": messages,
        "temperature": 0,
        "max_tokens": MAX_ANSWER_TOKENS,
    });
    if logprobs && let Some(fields) = request.as_object_mut() {
        fields.insert("logprobs".to_owned(), Value::Bool(true));
    }
    request
}

/// Reads a chat answer.
pub fn read(body: &[u8]) -> Result<LlamaGuardVerdict, JudgeError> {
    let answer = super::json(body)?;
    let choice = answer.pointer("/choices/0").ok_or(JudgeError("the answer has no choice"))?;
    let text = choice.pointer("/message/content").and_then(Value::as_str);
    let text = text.ok_or(JudgeError("the answer has no text"))?.trim();
    let mut verdict = LlamaGuardVerdict { scores: Scores::default(), score: 0.0, codes: Vec::new() };
    if text == "safe" {
        return Ok(verdict);
    }
    let codes = text.strip_prefix("unsafe").filter(|codes| codes.starts_with(char::is_whitespace));
    let codes = codes.ok_or(JudgeError("the answer is neither `safe` nor `unsafe` with codes"))?;
    let score = probability_of_unsafe(choice).unwrap_or(1.0);
    verdict.score = score;
    for code in codes.split([',', '\n', ' ', '\r']).filter(|code| !code.is_empty()) {
        let code = read_code(code).ok_or(JudgeError("the answer has an unknown code"))?;
        verdict.codes.push(code);
        for category in categories(code) {
            verdict.scores.raise(*category, score);
        }
    }
    if verdict.codes.is_empty() { Err(JudgeError("the answer has no code")) } else { Ok(verdict) }
}

fn read_code(code: &str) -> Option<u8> {
    let number = code.strip_prefix('S')?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|code| is_number && (1..=MAX_CODE).contains(code))
}

/// The categories of a hazard code. Those without one are told and not scored.
fn categories(code: u8) -> &'static [Category] {
    match code {
        1 => &[Category::Violence, Category::IllicitViolent],
        2 => &[Category::Illicit],
        3 | 12 => &[Category::Sexual],
        4 => &[Category::SexualMinors],
        9 => &[Category::IllicitViolent],
        10 => &[Category::Hate],
        11 => &[Category::SelfHarm],
        _ => &[],
    }
}

/// How sure the judge is of `unsafe`, from the log probabilities of the tokens that make it.
fn probability_of_unsafe(choice: &Value) -> Option<f64> {
    let tokens = choice.pointer("/logprobs/content").and_then(Value::as_array)?;
    let mut text = String::new();
    let mut sum = 0.0;
    for token in tokens {
        text.push_str(token.get("token").and_then(Value::as_str)?);
        if text.trim_start().is_empty() {
            continue;
        }
        sum += token.get("logprob").and_then(Value::as_f64)?;
        if text.trim_start().starts_with("unsafe") {
            return Some(sum.exp().clamp(0.0, 1.0));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<LlamaGuardVerdict, JudgeError> {
        read(json!({"choices": [{"message": {"role": "assistant", "content": text}}]}).to_string().as_bytes())
    }

    #[test]
    fn codes_become_categories() {
        assert_eq!(answer("\n\nsafe").unwrap().scores, Scores::default());
        let verdict = answer("unsafe\nS2,S10").unwrap();
        assert_eq!(verdict.codes, [2, 10]);
        assert_eq!((verdict.scores.get(Category::Illicit), verdict.scores.get(Category::Hate)), (1.0, 1.0));
        let told = answer("unsafe\nS7").unwrap();
        assert_eq!((told.scores, told.codes), (Scores::default(), vec![7]));
    }

    #[test]
    fn log_probabilities_make_scores_between_0_and_1() {
        let body = json!({"choices": [{
            "message": {"content": "unsafe\nS1"},
            "logprobs": {"content": [
                {"token": "\n\n", "logprob": 0.0},
                {"token": "un", "logprob": 0.5_f64.ln()},
                {"token": "safe", "logprob": 0.8_f64.ln()},
                {"token": "\nS1", "logprob": -3.0},
            ]},
        }]});
        let scores = read(body.to_string().as_bytes()).unwrap().scores;
        assert!((scores.get(Category::Violence) - 0.4).abs() < 1e-9);
    }

    #[test]
    fn anything_else_is_an_error_and_no_verdict() {
        for text in [
            "",
            "Safe",
            "safe.",
            "This is safe",
            "unsafe",
            "unsafe\n",
            "unsafeS2",
            "unsafe\nS15",
            "unsafe\nS+1",
            "unsafe\nviolence",
            "I cannot",
        ] {
            assert!(answer(text).is_err(), "{text}");
        }
        for body in ["", "{}", r#"{"choices": []}"#, r#"{"choices": [{"message": {"content": null}}]}"#] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn a_models_text_is_judged_as_the_models() {
        let asked = request("llama-guard", Author::Assistant, "text", true);
        assert_eq!(asked["messages"][1], json!({"role": "assistant", "content": "text"}));
        assert_eq!(asked["logprobs"], true);
        assert!(request("llama-guard", Author::User, "text", false).get("logprobs").is_none());
    }
}
