//! What each client's request becomes at each vendor, and what each vendor's stream becomes at each client, as files that
//! a reviewer reads: `tests/golden/CLIENT/CASE.VENDOR.snap`. `UPDATE_GOLDEN=1 cargo test -p gateway-wire --test golden`
//! writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use gateway_wire::clients::{ClientKind, ReplyContext};
use gateway_wire::common::Conversation;
use gateway_wire::dialect::AnswerStamp;
use gateway_wire::exchange::{Exchange, Way};
use gateway_wire::json_object::JsonObject;
use gateway_wire::openai::{StreamOptions, chat_request};
use gateway_wire::vendors::{Quirks, TargetModel};
use gateway_wire::{BadRequest, Dialect, StreamEvent, VendorRequest, formats, sse};
use serde_json::Value;

const CLIENTS: [(&str, ClientKind); 3] =
    [("chat", ClientKind::Chat), ("messages", ClientKind::Messages), ("responses", ClientKind::Responses)];

/// The vendors, and how the files of their streams end.
const VENDORS: [(&str, Dialect, &str); 4] = [
    ("openai_chat", Dialect::OpenAi, "sse"),
    ("openai_responses", Dialect::Responses, "sse"),
    ("anthropic", Dialect::Anthropic, "sse"),
    ("ollama", Dialect::Ollama, "ndjson"),
];

/// The cases of the table in `reference/formats.md` that have a stream, and a conversation that holds much.
const CASES: [&str; 10] =
    ["text", "reasoning", "tool", "two-tools", "mixed", "image", "refusal", "length", "late", "history"];

/// Cases of one client alone.
const OWN_CASES: [(&str, &str); 2] = [("responses", "client-tool-search"), ("responses", "hosted-tool-search")];

const REQUEST_ID: &str = "0123456789abcdef0123456789abcdef";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(path: &str) -> String {
    fs::read_to_string(folder().join("fixtures").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A client's request, in its own form and in the common one.
struct Asked {
    kind: ClientKind,
    body: JsonObject,
    conversation: Arc<Conversation>,
}

impl Asked {
    fn read((name, kind): (&str, ClientKind), case: &str) -> Self {
        let request: Value = serde_json::from_str(&read(&format!("clients/{name}/{case}.json"))).unwrap();
        // Without the spaces and line breaks that the file has for its readers, as clients write it.
        let body = JsonObject::parse(Bytes::from(request.to_string())).unwrap();
        let conversation = Arc::new(formats::client(kind).read(&body).unwrap());
        Self { kind, body, conversation }
    }

    fn is_passed_to(&self, dialect: Dialect) -> bool {
        self.kind == ClientKind::Chat && dialect == Dialect::OpenAi
    }

    /// The request that a vendor gets, as the gateway makes it without a config and a budget.
    fn request(&self, dialect: Dialect) -> Result<VendorRequest, BadRequest> {
        if self.is_passed_to(dialect) {
            return chat_request(&self.body, "vendor-model", StreamOptions::WithUsage);
        }
        if formats::native(self.kind, dialect).is_some() {
            return formats::native_request(self.kind, &self.body, "vendor-model", None, None);
        }
        let quirks = Quirks { max_completion_tokens: Some(true), ..Quirks::default() };
        let target = TargetModel { model: "vendor-model", quirks: &quirks, max_output_tokens: Some(8_192) };
        formats::vendor(dialect).request(&self.conversation, &target)
    }

    /// The stream that the client gets, whatever the chunking of the vendor's (D5).
    fn stream(&self, dialect: Dialect, told: &str) -> String {
        let whole = self.streamed(dialect, told, usize::MAX);
        for size in [1, 7, 1_000] {
            assert_eq!(self.streamed(dialect, told, size), whole, "D5: in pieces of {size}");
        }
        whole
    }

    fn streamed(&self, dialect: Dialect, told: &str, size: usize) -> String {
        let context = ReplyContext {
            request_id: REQUEST_ID,
            conversation: &self.conversation,
            now: 1_795_000_000,
            input_estimate: Some(99),
            strict: false,
            sealer: None,
        };
        let between = formats::between(self.kind, dialect);
        let way = match formats::native(self.kind, dialect) {
            _ if self.is_passed_to(dialect) => Way::Chat,
            Some(native) => Way::Native(between, context, native),
            None => Way::Translated(between, context),
        };
        let id = format!("chatcmpl-{REQUEST_ID}");
        let stamp = AnswerStamp {
            id: &id,
            model: "client-model",
            created: context.now,
            strict: false,
            choices: 1,
            shows_usage: false,
        };
        let mut decoder = Exchange { dialect, stamp, way, guards: None }.stream();
        let mut events = Vec::new();
        for piece in told.as_bytes().chunks(size.min(told.len())) {
            decoder.push(Bytes::copy_from_slice(piece), &mut events);
        }
        decoder.finish(&mut events);
        let mut out = BytesMut::new();
        for event in events {
            match event {
                StreamEvent::Chunk { frame, .. } | StreamEvent::Framed { frame, .. } => out.extend_from_slice(&frame),
                StreamEvent::Usage { chunk, .. } if chunk.is_empty() => {}
                StreamEvent::Usage { chunk, .. } => out.extend_from_slice(&sse::frame(&chunk)),
                StreamEvent::Done => out.extend_from_slice(&decoder.end()),
                StreamEvent::Error(error) | StreamEvent::Denied(error) => out.extend_from_slice(&decoder.fail(&error)),
            }
        }
        String::from_utf8(out.to_vec()).unwrap()
    }
}

/// A file's text: the vendor's request, and the client's stream.
fn snapshot(asked: &Asked, dialect: Dialect, stream: &str) -> String {
    let mut text = String::new();
    match asked.request(dialect) {
        Ok(sent) => {
            writeln!(text, "POST {}", sent.path).unwrap();
            sent.headers.iter().for_each(|(name, value)| writeln!(text, "{name}: {value}").unwrap());
            if !sent.dropped_params.is_empty() {
                writeln!(text, "dropped: {}", sent.dropped_params.join(", ")).unwrap();
            }
            let body: Value = serde_json::from_slice(&sent.body).unwrap();
            writeln!(text, "\n{body:#}").unwrap();
        }
        Err(bad) => writeln!(text, "400 {}: {}", bad.param.unwrap_or_default(), bad.message).unwrap(),
    }
    writeln!(text, "\n---- the vendor's stream, as the client gets it ----\n").unwrap();
    text + &asked.stream(dialect, stream)
}

/// J1, J2, D5: every cell is as its file says.
#[test]
fn every_request_and_every_stream_is_as_its_file_says() {
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (mut differing, mut known) = (Vec::new(), Vec::new());
    for client in CLIENTS {
        let own = OWN_CASES.iter().filter(|(name, _)| *name == client.0).map(|(_, case)| *case);
        for case in CASES.into_iter().chain(own) {
            let asked = Asked::read(client, case);
            for (vendor, dialect, ending) in VENDORS {
                let has_stream = CASES.contains(&case) && !["image", "history"].contains(&case);
                let scene = if has_stream { case } else { "text" };
                let stream = read(&format!("vendors/{vendor}/{scene}.{ending}"));
                let text = snapshot(&asked, dialect, &stream);
                let path = folder().join(client.0).join(format!("{case}.{vendor}.snap"));
                if is_update {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, &text).unwrap();
                } else if fs::read_to_string(&path).ok().as_deref() != Some(text.as_str()) {
                    differing.push(format!("{}\n{text}", path.display()));
                }
                known.push(path);
            }
        }
    }
    assert!(differing.is_empty(), "UPDATE_GOLDEN=1 writes what is told now:\n{}", differing.join("\n\n"));
    for (name, _) in CLIENTS {
        for file in fs::read_dir(folder().join(name)).unwrap() {
            let path = file.unwrap().path();
            assert!(known.contains(&path), "no case has the file {}", path.display());
        }
    }
}
