//! Answers as clients were told them, read back.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::common::{Answer, AnswerHead, BlockKind, Finish, FinishReason};
use crate::openai::read_usage;
use crate::sse;

#[derive(Deserialize)]
struct Part<'a> {
    id: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    created: u64,
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    text: String,
    #[serde(borrow, default)]
    logprobs: Option<&'a RawValue>,
    #[serde(default)]
    finish_reason: Option<String>,
}

/// What an answer said; none where it is not whole, or has log probabilities, whose older form says less.
pub fn told(text: &Bytes, is_stream: bool) -> Option<Answer> {
    let text = std::str::from_utf8(text).ok()?;
    if !is_stream {
        return joined([text].into_iter());
    }
    let done = sse::DONE;
    let frames = text
        .strip_suffix(std::str::from_utf8(&done).ok()?)?
        .split("\n\n")
        .filter_map(|frame| frame.strip_prefix("data: "));
    joined(frames)
}

fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Answer> {
    let mut answer = Answer::default();
    let (mut said, mut reason) = (String::new(), None);
    for part in parts {
        let part: Part<'_> = serde_json::from_str(part).ok()?;
        answer.head = AnswerHead { id: part.id, model: part.model, created: part.created, ..AnswerHead::default() };
        answer.usage = part.usage.and_then(read_usage).or(answer.usage);
        for choice in part.choices {
            if choice.logprobs.is_some_and(|logprobs| logprobs.get() != "null") {
                return None;
            }
            said.push_str(&choice.text);
            reason = choice.finish_reason.or(reason);
        }
    }
    let reason = match reason?.as_str() {
        "stop" => FinishReason::End,
        "length" => FinishReason::Length,
        _ => FinishReason::Filter,
    };
    answer.finish = Finish { reason, ..Finish::default() };
    answer.blocks = vec![BlockKind::text(said).into()];
    Some(answer)
}
