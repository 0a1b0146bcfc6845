//! One attempt at one target: send, wait for the head and the first content, and say what came of it.

mod read;

use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use gateway_wire::exchange::Exchange;
use gateway_wire::formats;
use gateway_wire::json_object::JsonObject;
use gateway_wire::{Endpoint, ErrorBody, StreamDecoder, StreamEvent, Usage, VendorRequest, WholeAnswer};
use http::HeaderName;
use http::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};

use crate::failure::message::{explain, redacted};
use crate::failure::{Failure, FailureKind};
use crate::guardrails::OutputGuards;
use crate::providers::settings::Timeouts;
use crate::providers::simulator;
use crate::providers::upstream::{self, Upstream, UpstreamAnswer, UpstreamBody};
use crate::request::stream::judged::JudgedStream;
use crate::secret::Secret;

/// The largest error answer that is read.
const MAX_ERROR_BYTES: usize = 256 << 10;

/// The most events of a stream that may come before its first content.
const MAX_OPENING_EVENTS: usize = 10_000;

/// The most bytes of a stream that may come before its first content.
const MAX_OPENING_BYTES: usize = 32 << 20;

/// How much of a redirect's address is logged, in characters.
const MAX_LOCATION_CHARS: usize = 500;

/// Where vendors put their own id of a request.
static REQUEST_ID: [HeaderName; 3] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("apim-request-id"),
];

/// How much of a provider's id of a request is kept, in characters.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// A limit that the client or its config sets, unlike the provider's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientDeadline {
    /// When it ends.
    pub at: Instant,
    /// How long it was, for messages.
    pub length: Duration,
}

/// Everything that one attempt needs to know.
pub struct Attempt<'a> {
    /// The provider's connections; `None` for the simulator.
    pub upstream: Option<&'a Upstream>,
    /// The provider's name, for messages.
    pub provider: &'a str,
    /// The provider's time limits.
    pub timeouts: Timeouts,
    /// The sooner of the target's `request_timeout` and the client's deadline.
    pub limit: Option<ClientDeadline>,
    /// The question.
    pub endpoint: Endpoint,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// The credential to send.
    pub credential: Option<&'a Secret>,
    /// Headers of this request alone.
    pub headers: &'a [(String, String)],
    /// How the answer is told to the client.
    pub exchange: Exchange<'a>,
    /// What has outside engines judge the answer, where some do.
    pub judges: Option<&'a OutputGuards>,
}

/// An answer that is good so far.
pub enum AttemptAnswer {
    /// The whole answer.
    Whole(WholeAnswer),
    /// A stream that has shown its first content.
    Stream(OpenStream),
}

/// A stream that has shown its first content (D1), or its end.
pub struct OpenStream {
    /// The rest of the provider's bytes.
    pub body: UpstreamBody,
    /// What reads them.
    pub decoder: Box<dyn StreamDecoder>,
    /// What was read so far.
    pub events: Vec<StreamEvent>,
    /// When the attempt must be over.
    pub deadline: Option<Instant>,
    /// What no error of this stream may show.
    pub credential: Option<Secret>,
}

impl Attempt<'_> {
    /// Makes the attempt. Dropping the future closes the connection. `noted` takes in what the provider told beside its
    /// answer, and where it fails what it counted all the same (B7).
    ///
    /// # Errors
    /// Where the provider gave no good answer, or for a stream no good beginning.
    pub async fn run(&self, request: &VendorRequest, noted: &mut ProviderNotes) -> Result<AttemptAnswer, Failure> {
        let made = self.make(request, noted).await;
        made.map_err(|failure| failure.with_request_id(noted.request_id.as_deref()))
    }

    async fn make(&self, request: &VendorRequest, noted: &mut ProviderNotes) -> Result<AttemptAnswer, Failure> {
        let begun = Instant::now();
        let total = after(begun, self.timeouts.total_ms);
        let head = self.head_deadline(begun, total);
        let sent = timeout_at(head.at, self.send(request)).await.map_err(|_| self.failure(head.kind))?;
        let answer = sent.map_err(|kind| self.failure(kind))?;
        let id = REQUEST_ID.iter().find_map(|name| answer.header(name));
        noted.request_id = id.map(|id| id.chars().take(MAX_REQUEST_ID_CHARS).collect());
        if let (200..300, Some(coding)) = (answer.status, &answer.unknown_coding) {
            return Err(self.broken(unreadable(self.provider, coding)));
        }
        match answer.status {
            200..300 => {}
            300..400 => return Err(self.redirected(&answer)),
            _ => return Err(self.refused(answer, noted).await),
        }
        let last = self.last_deadline(begun, total);
        if !self.stream {
            let read = timeout_at(last.at, self.whole(answer, noted)).await;
            let given = read.map_err(|_| self.failure(last.kind))??;
            return self.judged(given, noted).await.map(AttemptAnswer::Whole);
        }
        // One JSON text is an answer as a whole, whatever was asked for.
        let is_json = read::is_json(answer.header(CONTENT_TYPE));
        let (open_by, idle_ms) = if is_json { (last, self.timeouts.idle_ms) } else { (head, 0) };
        let mut opening = Opening { decoder: self.decoder(), events: Vec::new() };
        let open = timeout_at(open_by.at, self.first_content(answer.body, idle_ms, &mut opening)).await;
        match open.map_err(|_| self.failure(open_by.kind)).flatten() {
            Ok(body) => Ok(AttemptAnswer::Stream(opening.goes_on(body, total, self.credential.cloned()))),
            Err(failure) => {
                noted.usage = opening.give_up();
                Err(failure)
            }
        }
    }

    /// What reads a streamed answer.
    fn decoder(&self) -> Box<dyn StreamDecoder> {
        match self.judges.filter(|judges| judges.passes() > 1) {
            None => self.exchange.stream(),
            Some(judges) => Box::new(JudgedStream::new(judges.clone(), || self.exchange.stream())),
        }
    }

    async fn send(&self, request: &VendorRequest) -> Result<UpstreamAnswer, FailureKind> {
        match self.upstream {
            Some(upstream) => upstream.send(request, self.credential, self.headers).await,
            None => {
                let stamp = &self.exchange.stamp;
                let body = JsonObject::parse(request.body.clone()).map_err(|_| FailureKind::Broken)?;
                let script = match self.endpoint {
                    Endpoint::Chat => simulator::answer(&body, stamp.model, self.stream, stamp.id, stamp.created),
                    Endpoint::Embeddings { .. } => simulator::embeddings(&body, stamp.model),
                    Endpoint::Moderations => simulator::moderations(&body, stamp.model),
                    Endpoint::Rerank => simulator::rerank(&body, stamp.model),
                };
                Ok(upstream::simulate(script).await)
            }
        }
    }

    /// Until when the head, and for a stream the first content, must be here. The head of a whole answer comes when all
    /// of it is made, so that its limit alone is that of all.
    fn head_deadline(&self, begun: Instant, total: Option<Instant>) -> FirstEventDeadline {
        if !self.stream {
            return self.last_deadline(begun, total);
        }
        let first_byte = after(begun, self.timeouts.first_byte_ms);
        let provider = match (first_byte, total) {
            (Some(first_byte), Some(total)) => Some(first_byte.min(total)),
            (one, other) => one.or(other),
        };
        match self.limit {
            Some(limit) => FirstEventDeadline::sooner(
                limit.at,
                FailureKind::RequestTimeout,
                provider,
                FailureKind::FirstByteTimeout,
            ),
            None => {
                FirstEventDeadline { at: provider.unwrap_or_else(|| begun + DAY), kind: FailureKind::FirstByteTimeout }
            }
        }
    }

    /// Until when a whole answer must be here.
    fn last_deadline(&self, begun: Instant, total: Option<Instant>) -> FirstEventDeadline {
        match self.limit {
            Some(limit) => {
                FirstEventDeadline::sooner(limit.at, FailureKind::RequestTimeout, total, FailureKind::TotalTimeout)
            }
            None => FirstEventDeadline { at: total.unwrap_or_else(|| begun + DAY), kind: FailureKind::TotalTimeout },
        }
    }

    /// Reads a stream up to its first content, so that another target can still take over before it (D1). `idle_ms` is
    /// the longest silence; 0 for none.
    async fn first_content(
        &self,
        mut body: UpstreamBody,
        idle_ms: u64,
        opening: &mut Opening,
    ) -> Result<UpstreamBody, Failure> {
        let Opening { decoder, events } = opening;
        let mut read = 0;
        loop {
            let known = events.len();
            match self.next(&mut body, idle_ms).await? {
                Some(Ok(bytes)) => {
                    read += bytes.len();
                    decoder.push(bytes, events);
                }
                Some(Err(_)) => return Err(self.failure(FailureKind::Broken)),
                None => decoder.finish(events),
            }
            for event in events.iter().skip(known) {
                match event {
                    StreamEvent::Chunk { content: true, .. }
                    | StreamEvent::Framed { content: true, .. }
                    | StreamEvent::Done
                    | StreamEvent::Denied(_) => return Ok(body),
                    StreamEvent::Error(error) => return Err(self.broken(error.clone())),
                    StreamEvent::Chunk { .. } | StreamEvent::Framed { .. } | StreamEvent::Usage { .. } => {}
                }
            }
            if events.len() > MAX_OPENING_EVENTS || read > MAX_OPENING_BYTES {
                return Err(self.failure(FailureKind::Broken));
            }
        }
    }

    /// The failure that a non-2xx answer means.
    async fn refused(&self, mut answer: UpstreamAnswer, noted: &mut ProviderNotes) -> Failure {
        let limit = Instant::now() + Duration::from_secs(5);
        let mut text = BytesMut::new();
        while let Ok(Some(Ok(bytes))) = timeout_at(limit, answer.body.next()).await {
            text.extend_from_slice(&bytes);
            if text.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        let vendor = formats::vendor(self.exchange.dialect);
        noted.usage = vendor.usage_in(&text);
        let mut error = vendor.error(answer.status, &text);
        let should_retry = match answer.header("x-should-retry").map(str::trim) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        if let Some(coding) = &answer.unknown_coding {
            error.message = format!("{} (status {})", unreadable(self.provider, coding).message, answer.status);
        }
        if should_retry.is_some() {
            error.vendor_fields.get_or_insert_default().should_retry = should_retry;
        }
        // What is no status of an error is none to pass on.
        let is_error = (400..600).contains(&answer.status);
        let kind = if is_error { FailureKind::Status(answer.status) } else { FailureKind::Broken };
        Failure { kind, error: redacted(error, self.credential), retry_after: answer.retry_after }
    }

    /// The failure that a redirect means: it is not followed (H2), and only the operator can put it right.
    fn redirected(&self, answer: &UpstreamAnswer) -> Failure {
        let (provider, status) = (self.provider, answer.status);
        let to = answer.header("location").unwrap_or("nowhere");
        // A query may be signed, and a host inside is nobody's business but the operator's.
        let to = to.split(['?', '#']).next().unwrap_or_default();
        let to = redacted(ErrorBody::new("", "", to), self.credential).message;
        let to: String = to.chars().take(MAX_LOCATION_CHARS).collect();
        log::warn!("'{provider}' answered with a redirect ({status}) to {to:?}: correct its base_url");
        self.broken(ErrorBody::new(
            "api_error",
            "provider_redirects",
            format!(
                "The provider '{provider}' answered with a redirect ({status}), which is not followed: correct its \
                 base_url. The gateway's log tells where it leads."
            ),
        ))
    }

    fn failure(&self, kind: FailureKind) -> Failure {
        Failure { kind, error: explain(kind, self.provider, self.limit.map(|limit| limit.length)), retry_after: None }
    }

    fn broken(&self, error: ErrorBody) -> Failure {
        Failure { kind: FailureKind::Broken, error: redacted(error, self.credential), retry_after: None }
    }
}

/// What a provider tells beside its answer.
#[derive(Debug, Default)]
pub struct ProviderNotes {
    /// What it counted of an attempt that failed.
    pub usage: Option<Usage>,
    /// Its own id of the request.
    pub request_id: Option<String>,
}

/// A stream before its first content.
struct Opening {
    decoder: Box<dyn StreamDecoder>,
    events: Vec<StreamEvent>,
}

impl Opening {
    fn goes_on(self, body: UpstreamBody, deadline: Option<Instant>, credential: Option<Secret>) -> OpenStream {
        let Self { decoder, events } = self;
        OpenStream { body, decoder, events, deadline, credential }
    }

    /// What the provider has counted of a stream that nobody reads on.
    fn give_up(mut self) -> Option<Usage> {
        self.decoder.broken(&mut self.events);
        self.events.iter().find_map(|event| match event {
            StreamEvent::Usage { usage, .. } => Some(*usage),
            _ => None,
        })
    }
}

/// What is told of an answer in a coding that nobody asked for.
fn unreadable(provider: &str, coding: &str) -> ErrorBody {
    ErrorBody::new(
        "api_error",
        "unknown_content_encoding",
        format!("The answer of the provider '{provider}' has the content-encoding '{coding}', which is not known."),
    )
}

const DAY: Duration = Duration::from_secs(86_400);

/// The instant `millis` after `begun`; `None` where 0 switches the limit off.
fn after(begun: Instant, millis: u64) -> Option<Instant> {
    (millis > 0).then(|| begun + Duration::from_millis(millis))
}

/// When patience ends, and what that means.
struct FirstEventDeadline {
    at: Instant,
    kind: FailureKind,
}

impl FirstEventDeadline {
    fn sooner(at: Instant, kind: FailureKind, other: Option<Instant>, other_kind: FailureKind) -> Self {
        match other {
            Some(other) if other < at => Self { at: other, kind: other_kind },
            _ => Self { at, kind },
        }
    }
}
