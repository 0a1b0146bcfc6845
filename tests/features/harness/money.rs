//! What requests cost in front of the fake OpenAI.

use serde_json::{Value, json};

use super::client::{Request, hello};

/// What one answer of the fake provider costs, in pico-dollars.
pub const COST: i128 = 10_500_000;

/// A question whose answer has at most the tokens that the fake provider counts.
pub fn bounded(key: &str) -> Request {
    let mut body = hello("gpt-4o-mini");
    body["max_tokens"] = json!(15);
    Request::chat(key, &body)
}

/// A decimal text of dollars in pico-dollars.
pub fn picos(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (dollars, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{dollars}{rest:0<12}").parse().unwrap()
}
