//! Compaction: a conversation sealed into one item, which goes on from there (J22).

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::frames::{Frames, Place};
use super::reply::{Envelope, Response, ResponseEvent, Status};
use crate::clients::{ReplyContext, StreamEncoder};
use crate::common::{
    Answer, BlockHead, BlockKind, Conversation, Delta, Event, Family, FinishReason, JsonText, ReasoningToken, Role,
    Turn,
};
use crate::{BadRequest, ErrorBody, Usage, stream_error};

/// Seals a summary, so that no one else can read or make one; none where that fails.
pub type Seal = Box<dyn FnOnce(&str) -> Option<String>>;

/// What asks the model for the summary.
const QUESTION: &str = "Summarise this conversation so that you can go on from the summary alone, without the messages \
    above. Keep: what the user wants and has decided, what was done and found, names of files, commands and values that \
    are still needed, what is left to do, and the next step. Leave out greetings and what is obsolete. Answer with the \
    summary and nothing else; call no tools.";

/// What stands before a summary when the conversation goes on.
const INTRODUCTION: &str = "Summary of the conversation up to here:\n\n";

/// A summary as words of the user.
pub fn introduced(summary: &str) -> String {
    format!("{INTRODUCTION}{summary}")
}

/// The turn that asks for the summary.
pub(super) fn question() -> Turn {
    Turn::new(Role::User, vec![BlockKind::text(QUESTION).into()])
}

/// Opens the sealed summaries of a conversation: each becomes words of the user. `open` gives none for a seal that it
/// does not know. Other vendors' seals stay as they are.
///
/// # Errors
/// Where a seal of this gateway cannot be opened.
pub fn open_compactions(
    conversation: &mut Conversation,
    open: impl Fn(&str) -> Option<String>,
) -> Result<(), BadRequest> {
    for block in conversation.turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
        let BlockKind::Compaction(token) = &block.kind else { continue };
        if token.family == Family::Other {
            let wrong = || BadRequest::new("input", "A compacted conversation in 'input' is not one of this client's.");
            let summary = open(&token.text).ok_or_else(wrong)?;
            block.kind = BlockKind::text(introduced(&summary));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    r#type: &'static str,
    encrypted_content: &'a str,
}

/// Whether an answer that ended so is the whole summary: what a limit or a filter cut off has lost a part of it.
fn is_whole(reason: FinishReason) -> bool {
    matches!(reason, FinishReason::End | FinishReason::StopSequence)
}

fn no_summary() -> ErrorBody {
    stream_error("The model gave no summary of the conversation.", "malformed_answer")
}

/// The item that a summary is sealed into.
///
/// # Errors
/// Where there is no summary.
fn item(summary: &str, id: &str, seal: Seal) -> Result<JsonText, ErrorBody> {
    if summary.trim().is_empty() {
        return Err(no_summary());
    }
    let sealed = seal(summary).ok_or_else(|| stream_error("The summary could not be sealed.", "internal_error"))?;
    let token = ReasoningToken::new(Family::Other, sealed).for_client(Family::OpenAi);
    Ok(JsonText::of(&Item { id, r#type: "compaction", encrypted_content: &token }))
}

/// The item that an answer to a `compaction_trigger` is.
///
/// # Errors
/// Where the answer has no text, or did not come to its end.
pub fn compaction_item(answer: &Answer, context: &ReplyContext<'_>, seal: Seal) -> Result<JsonText, ErrorBody> {
    if !is_whole(answer.finish.reason) {
        return Err(no_summary());
    }
    let texts = answer.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let summary: String = texts.collect();
    item(&summary, &Envelope::of(context).ids.item("cmp", 0), seal)
}

/// The whole answer to a `compaction_trigger`; it has failed where there is no summary.
pub fn whole(answer: &Answer, context: &ReplyContext<'_>, seal: Seal) -> Bytes {
    let item = compaction_item(answer, context, seal);
    let failure = item.as_ref().err().map(Failure::of);
    let output: Vec<JsonText> = item.into_iter().collect();
    let mut envelope = Envelope::whole(context, answer.head.created);
    if !answer.head.model.is_empty() {
        envelope.model.clone_from(&answer.head.model);
    }
    let status = failure.as_ref().map_or(Status::Completed, Status::Failed);
    let response = Response { envelope: &envelope, status, output: &output, usage: answer.usage.as_ref() };
    Bytes::from(JsonText::of(&response).as_str().to_owned())
}

/// The answer of `POST /v1/responses/compact`: items that stay as they are, and the sealed rest, out of the whole answer
/// to a `compaction_trigger`.
///
/// # Errors
/// Where there is no summary.
pub fn compacted(answer: &[u8], kept: Vec<JsonText>) -> Result<Bytes, ErrorBody> {
    #[derive(Deserialize)]
    struct Whole {
        id: String,
        created_at: u64,
        status: String,
        output: Vec<JsonText>,
        usage: Option<JsonText>,
    }
    #[derive(Serialize)]
    struct Compacted {
        id: String,
        object: &'static str,
        created_at: u64,
        output: Vec<JsonText>,
        usage: Option<JsonText>,
    }
    let whole = serde_json::from_slice::<Whole>(answer).ok().filter(|whole| whole.status == "completed");
    let Whole { id, created_at, output, usage, .. } = whole.ok_or_else(no_summary)?;
    let output = kept.into_iter().chain(output).collect();
    let told = Compacted { id, object: "response.compaction", created_at, output, usage };
    Ok(Bytes::from(JsonText::of(&told).as_str().to_owned()))
}

/// A streamed answer to a `compaction_trigger`: exactly one item comes out of it.
pub(super) struct CompactionStream {
    envelope: Envelope,
    frames: Frames,
    seal: Option<Seal>,
    summary: String,
    is_text: bool,
    is_begun: bool,
    usage: Option<Usage>,
    /// How the answer ended, as far as was told.
    reason: FinishReason,
}

impl CompactionStream {
    pub fn new(context: &ReplyContext<'_>, seal: Seal) -> Self {
        Self {
            envelope: Envelope::of(context),
            frames: Frames::default(),
            seal: Some(seal),
            summary: String::new(),
            is_text: false,
            is_begun: false,
            usage: None,
            reason: FinishReason::End,
        }
    }

    fn send(&mut self, status: Status<'_>, event: &str, output: &[JsonText], out: &mut BytesMut) {
        let response = Response { envelope: &self.envelope, status, output, usage: self.usage.as_ref() };
        self.frames.send(event, &ResponseEvent { response }, out);
    }

    fn end(&mut self, out: &mut BytesMut) {
        let Some(seal) = self.seal.take() else { return };
        if !is_whole(self.reason) {
            return self.fail(&no_summary(), out);
        }
        match item(&self.summary, &self.envelope.ids.item("cmp", 0), seal) {
            Ok(item) => {
                let mut place = Place { frames: &mut self.frames, out, index: 0 };
                place.added(&item);
                place.done(&item);
                self.send(Status::Completed, "response.completed", &[item], out);
            }
            Err(error) => self.fail(&error, out),
        }
    }

    fn fail(&mut self, error: &ErrorBody, out: &mut BytesMut) {
        self.seal = None;
        self.send(Status::Failed(&Failure::of(error)), "response.failed", &[], out);
    }
}

impl StreamEncoder for CompactionStream {
    fn push(&mut self, event: Event, out: &mut BytesMut) {
        if self.seal.is_none() {
            return;
        }
        if let Event::Start(head) = &event
            && !head.model.is_empty()
        {
            self.envelope.model.clone_from(&head.model);
        }
        self.begin(out);
        match event {
            Event::BlockStart(_, head) => self.is_text = matches!(head, BlockHead::Text),
            Event::Delta(_, Delta::Text(text)) if self.is_text => self.summary.push_str(&text),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Finish(finish) => self.reason = finish.reason,
            Event::Done => self.end(out),
            Event::Error(error) => self.fail(&error, out),
            _ => {}
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if !self.is_begun {
            self.is_begun = true;
            self.send(Status::InProgress, "response.created", &[], out);
        }
    }
}
