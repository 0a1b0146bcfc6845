//! Log probabilities as legacy completions have them: rows beside each other in the place of a list of tokens.

use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use crate::common::JsonText;

#[derive(Deserialize)]
struct Token {
    token: String,
    logprob: Option<Number>,
    #[serde(default)]
    top_logprobs: Vec<Top>,
}

#[derive(Deserialize)]
struct Top {
    token: String,
    logprob: Number,
}

/// Tells log probabilities, and where in the text their tokens stand.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    /// The characters of the text so far.
    offset: usize,
}

impl Legacy {
    /// Lists of tokens as rows; null where there are none.
    pub(super) fn told(&mut self, lists: &[JsonText]) -> Value {
        let tokens = lists.iter().filter_map(|list| list.read::<Vec<Token>>().ok()).flatten();
        let (mut names, mut values, mut tops, mut offsets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for token in tokens {
            offsets.push(self.offset);
            self.offset += token.token.chars().count();
            values.push(token.logprob);
            let top: Map<String, Value> =
                token.top_logprobs.into_iter().map(|top| (top.token, Value::Number(top.logprob))).collect();
            tops.push(top);
            names.push(token.token);
        }
        if names.is_empty() {
            return Value::Null;
        }
        json!({"tokens": names, "token_logprobs": values, "top_logprobs": tops, "text_offset": offsets})
    }
}
