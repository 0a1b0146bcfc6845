//! Ollama's native chat.

use serde_json::{Value, json};

use crate::harness::Reply;

fn line(text: &str, done: bool) -> Value {
    let mut line = json!({ "model": "llama3:8b", "created_at": "2025-01-15T10:00:00Z",
        "message": { "role": "assistant", "content": text }, "done": done });
    if done {
        let counts = json!({ "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 15,
            "total_duration": 5_000_000 });
        line.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
    }
    line
}

/// A reply with a whole answer.
pub fn answer(text: &str) -> Reply {
    Reply::json(200, &line(text, true))
}

/// A reply that streams these words, a line each.
pub fn stream(words: &[&str]) -> Reply {
    let reply = Reply::stream("application/x-ndjson");
    let reply = words.iter().fold(reply, |reply, word| reply.then(&format!("{}\n", line(word, false))));
    reply.then(&format!("{}\n", line("", true)))
}
