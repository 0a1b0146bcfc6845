//! One answer, told in the format of each kind of upstream.

mod chat;
mod messages;
mod ollama;
mod responses;

use serde_json::{Value, json};

use crate::harness::{Gate, Reply};

/// A kind of upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Chat,
    Responses,
    Anthropic,
    Ollama,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(&'static str),
    Thinking(&'static str),
    Refusal(&'static str),
    Call { id: &'static str, name: String, arguments: Value },
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Length,
}

/// An answer. Its counts are distinct primes: 101 tokens in, 13 of them cached, and 37 out, 7 of them reasoning.
#[derive(Clone, Debug)]
pub struct Scene {
    pub parts: Vec<Part>,
    pub end: End,
    /// The characters before which streams cut a text; in two halves where there are none.
    pub cuts: Vec<usize>,
}

impl Scene {
    pub fn of(parts: impl Into<Vec<Part>>) -> Self {
        Self { parts: parts.into(), end: End::Done, cuts: Vec::new() }
    }

    pub fn text(text: &'static str) -> Self {
        Self::of([Part::Text(text)])
    }

    /// A text in the pieces in which a stream tells it.
    fn pieces_of<'a>(&self, text: &'a str) -> Vec<&'a str> {
        let half = [text.chars().count() / 2];
        let (cuts, mut pieces, mut from) = (if self.cuts.is_empty() { &half[..] } else { &self.cuts }, Vec::new(), 0);
        for (_, (at, _)) in text.char_indices().enumerate().filter(|(number, _)| *number > 0 && cuts.contains(number)) {
            pieces.push(&text[from..at]);
            from = at;
        }
        pieces.push(&text[from..]);
        pieces
    }

    fn has_calls(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Call { .. }))
    }

    fn is_refused(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Refusal(_)))
    }
}

impl Upstream {
    /// The answer to a request, streamed where the request asks for it.
    pub fn reply(self, scene: &Scene, request: &Value) -> Reply {
        if request["stream"] == json!(true) {
            let (mut pieces, end) = self.pieces(scene);
            pieces.extend(end);
            return self.stream(pieces);
        }
        Reply::json(
            200,
            &match self {
                Self::Chat => chat::whole(scene),
                Self::Responses => responses::whole(scene),
                Self::Anthropic => messages::whole(scene),
                Self::Ollama => ollama::whole(scene),
            },
        )
    }

    /// A stream that breaks off behind the content; whole answers break off in their middle.
    pub fn cut(self, scene: &Scene, request: &Value) -> Reply {
        if request["stream"] == json!(true) {
            return self.stream(self.pieces(scene).0).cut();
        }
        Reply::stream("application/json").then("{\"id\":\"").cut()
    }

    /// A stream that falls silent behind the content.
    pub fn stall(self, scene: &Scene) -> Reply {
        self.stream(self.pieces(scene).0).stall()
    }

    /// A stream that waits for the gate behind the piece that says this.
    pub fn pause_behind(self, said: &str, scene: &Scene, gate: &Gate) -> Reply {
        let (mut pieces, end) = self.pieces(scene);
        pieces.extend(end);
        let next = pieces.iter().position(|piece| piece.contains(said)).unwrap() + 1;
        let rest = pieces.split_off(next);
        rest.iter().fold(self.stream(pieces).wait(gate), |reply, piece| reply.then(piece))
    }

    /// A stream that tells of an error behind the content.
    pub fn fail_late(self, scene: &Scene) -> Reply {
        let mut pieces = self.pieces(scene).0;
        let message = "the upstream fell over";
        pieces.push(match self {
            Self::Chat => {
                format!(
                    "data: {}\n\n",
                    json!({ "error": { "message": message, "type": "server_error", "code": null } })
                )
            }
            Self::Responses => responses::failure(scene, message),
            Self::Anthropic => {
                let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": message } });
                format!("event: error\ndata: {error}\n\n")
            }
            Self::Ollama => format!("{}\n", json!({ "error": message })),
        });
        self.stream(pieces)
    }

    /// A refusal before any content.
    pub fn refuse(self, status: u16) -> Reply {
        let message = format!("the upstream says {status}");
        let body = match self {
            Self::Chat | Self::Responses => {
                json!({ "error": { "message": message, "type": "fake_error", "param": null, "code": null } })
            }
            Self::Anthropic => {
                json!({ "type": "error", "error": { "type": "fake_error", "message": message }, "request_id": "req_1" })
            }
            Self::Ollama => json!({ "error": message }),
        };
        Reply::json(status, &body)
    }

    fn pieces(self, scene: &Scene) -> (Vec<String>, Vec<String>) {
        match self {
            Self::Chat => chat::stream(scene),
            Self::Responses => responses::stream(scene),
            Self::Anthropic => messages::stream(scene),
            Self::Ollama => ollama::stream(scene),
        }
    }

    fn stream(self, pieces: Vec<String>) -> Reply {
        let kind = if self == Self::Ollama { "application/x-ndjson" } else { "text/event-stream" };
        pieces.iter().fold(Reply::stream(kind), |reply, piece| reply.then(piece))
    }
}
