//! What is compared: each is asked for the same, and answers the same.

use std::path::Path;

use crate::load::{self, Events, Format};
use crate::proxies::{Floor, Gateway, Nginx, Upstream};

/// What most are asked.
const HELLO: &str = "Hello!";

/// The reverse proxy's name.
pub const NGINX: &str = "nginx";

/// The bare handler's name.
pub const FLOOR: &str = "floor: a bare handler";

/// How answers come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Whole,
    Stream,
}

/// One row of the comparison.
pub struct Subject {
    pub name: String,
    pub kind: Kind,
    pub port: u16,
    pub request: Vec<u8>,
    pub events: Events,
    /// The processes whose CPU counts; none for the way without a proxy.
    pub processes: Vec<u32>,
}

impl Subject {
    fn whole(name: String, port: u16, (key, question): (&str, &str), processes: Vec<u32>) -> Self {
        let request = load::request(key, false, question);
        Self { name, kind: Kind::Whole, port, request, events: Events::None, processes }
    }

    fn stream(name: String, port: u16, (key, format): (&str, Format), processes: Vec<u32>) -> Self {
        let (request, events) = load::streamed(key, format);
        Self { name, kind: Kind::Stream, port, request, events, processes }
    }

    /// Both kinds of answers.
    fn both(name: &str, [whole, stream]: [u16; 2], processes: &[u32]) -> [Self; 2] {
        [
            Self::whole(name.to_owned(), whole, ("", HELLO), processes.to_vec()),
            Self::stream(name.to_owned(), stream, ("", Format::Chat), processes.to_vec()),
        ]
    }
}

/// The upstream itself.
pub fn direct(upstream: &Upstream) -> [Subject; 2] {
    Subject::both("no proxy", [upstream.port; 2], &[])
}

/// nginx.
pub fn nginx(nginx: &Nginx) -> [Subject; 2] {
    Subject::both(NGINX, [nginx.buffered_port, nginx.unbuffered_port], &nginx.processes())
}

/// The bare handler.
pub fn floor(floor: &Floor) -> [Subject; 2] {
    Subject::both(FLOOR, [floor.port; 2], &[floor.process()])
}

/// A gateway that answers from the answer to another question.
pub fn by_meaning(gateway: &Gateway, question: &str) -> Subject {
    let asked = (&*gateway.meaning_key, question);
    Subject::whole("gateway, semantic hit".to_owned(), gateway.port, asked, vec![gateway.process()])
}

/// One binary as it is used: without a usage log, with one, and as a replica of a fleet.
pub struct Set {
    plain: Gateway,
    accounting: Gateway,
    fleet: Gateway,
}

impl Set {
    /// Starts this binary, or the one that was just built.
    pub async fn start(binary: Option<&str>, folder: &Path, upstream: u16, stores: &[(&str, String)]) -> Self {
        Self {
            plain: Gateway::start(binary, &folder.join("plain"), upstream, false, &[]).await,
            accounting: Gateway::start(binary, &folder.join("accounting"), upstream, true, &[]).await,
            fleet: Gateway::start(binary, &folder.join("fleet"), upstream, true, stores).await,
        }
    }

    /// Its rows, each with `which` before its name.
    pub fn subjects(&self, which: &str) -> Vec<Subject> {
        let Self { plain, accounting, fleet } = self;
        let name = |name: &str| format!("{which}gateway{name}");
        let whole = |called: &str, gateway: &Gateway, key: &str| {
            Subject::whole(name(called), gateway.port, (key, HELLO), vec![gateway.process()])
        };
        let stream = |called: &str, gateway: &Gateway, key: &str, format| {
            Subject::stream(name(called), gateway.port, (key, format), vec![gateway.process()])
        };
        vec![
            whole("", plain, &plain.key),
            whole(", exact cache hit", plain, &plain.cached_key),
            whole(", usage log (SQLite)", accounting, &accounting.key),
            whole(", everything on (SQLite)", accounting, &accounting.full_key),
            whole(", everything on (PostgreSQL and Redis)", fleet, &fleet.full_key),
            stream("", plain, &plain.key, Format::Chat),
            stream(", everything on (SQLite)", accounting, &accounting.full_key, Format::Chat),
            stream(", everything on (PostgreSQL and Redis)", fleet, &fleet.full_key, Format::Chat),
            stream(", Messages from OpenAI's stream", plain, &plain.key, Format::Messages),
            stream(", Responses from OpenAI's stream", plain, &plain.key, Format::Responses),
        ]
    }
}
