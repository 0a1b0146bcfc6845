//! One provider as one worker thread reaches it: connections of its own, so that no provider waits for another's. The
//! only room that reads HTTP.

#![expect(clippy::disallowed_types, reason = "the room that talks to providers")]

mod address;
mod answer_head;
mod body;
mod connection;
mod decoding;
mod dial;
mod framing;
mod outbound;
mod pool;
mod proxies;
mod proxy;
mod request_head;
mod simulated;
mod stream;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::stream::empty;
use gateway_wire::VendorRequest;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, AsHeaderName, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use zeroize::Zeroizing;

use super::retry_after;
use super::settings::ProviderSettings;
use crate::failure::{ConnectCause, FailureKind};
use crate::secret::Secret;
use address::{Address, Origin};
use answer_head::AnswerHead;
use body::{AnswerBody, Live};
pub use body::{BrokenBody, UpstreamBody};
use connection::{Connection, ExchangeError, Message};
use dial::Dialler;
pub use outbound::Outbound;
use pool::Pool;
pub use proxies::{NoProxy, ProxyRules};
pub use proxy::Proxy;
use request_head::RequestHead;
pub use simulated::simulate;

/// How long an idle connection is kept where nobody says otherwise.
const KEEP_ALIVE: Duration = Duration::from_secs(50);

/// How long after a line about a failed connection the next one is written.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// How long after a request was sent on a used connection its close still means that the server had given it up before:
/// what ends later may have been read, worked on and charged for.
const RESEND_WITHIN: Duration = Duration::from_secs(1);

static KEEP_ALIVE_TOLD: HeaderName = HeaderName::from_static("keep-alive");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const AGENT: HeaderValue = HeaderValue::from_static(concat!("gateway/", env!("CARGO_PKG_VERSION")));

/// An answer's head, and its body as it comes.
pub struct UpstreamAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the provider asks to wait, in any of the three forms (E4).
    pub retry_after: Option<Duration>,
    /// The coding of a body that cannot be read, and is therefore not there.
    pub unknown_coding: Option<String>,
    /// The headers, of which [`UpstreamAnswer::header`] reads one.
    headers: HeaderMap,
    /// The body.
    pub body: UpstreamBody,
}

impl UpstreamAnswer {
    /// The first header of this name, where its value is a text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What was found at an address.
pub struct FetchResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: UpstreamBody,
}

/// A provider's connections from one thread.
pub struct Upstream {
    dialler: Dialler,
    pool: Rc<Pool>,
    /// When [`Upstream::close_spare_connections`] was last called.
    looked: Cell<Instant>,
    /// When a line about a failed connection was last written.
    told: Cell<Option<Instant>>,
    /// None where each request brings a whole address.
    base: Option<(Rc<Origin>, Address)>,
    auth_header: HeaderName,
    auth_prefix: String,
    headers: HeaderMap,
    /// The same as they are sent.
    lines: Bytes,
}

impl Upstream {
    /// A client for one provider.
    pub fn new(settings: &ProviderSettings, outbound: &Outbound) -> Self {
        let within = millis_or_day(settings.timeouts.connect_ms);
        let mut upstream = Self::connecting_within(within, outbound);
        upstream.pool = Rc::new(Pool::new(Duration::from_millis(settings.keep_alive_ms)));
        upstream.base = Origin::split(&settings.base_url).map(|(origin, address)| (Rc::new(origin), address));
        upstream.auth_header = settings.auth_header.parse().unwrap_or(AUTHORIZATION);
        upstream.auth_prefix.clone_from(&settings.auth_prefix);
        let given = settings.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // Here once, so that no request's own map must grow for them.
        if let Some((origin, _)) = &upstream.base {
            upstream.headers.insert(HOST, origin.header.clone());
        }
        upstream.headers.insert(CONTENT_TYPE, JSON);
        set_all(&mut upstream.headers, given);
        upstream.lines = request_head::lines(&upstream.headers);
        upstream
    }

    /// A client for requests whose path is a whole address and whose credential is a bearer token.
    pub fn anywhere(outbound: &Outbound) -> Self {
        Self::connecting_within(Duration::from_secs(5), outbound)
    }

    /// The same, with a limit for the time that a connection takes.
    pub fn connecting_within(timeout: Duration, outbound: &Outbound) -> Self {
        let headers = [(USER_AGENT, AGENT), (ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
        let headers: HeaderMap = headers.into_iter().collect();
        Self {
            dialler: Dialler::new(outbound.clone(), timeout),
            pool: Rc::new(Pool::new(KEEP_ALIVE)),
            looked: Cell::new(Instant::now()),
            told: Cell::new(None),
            base: None,
            auth_header: AUTHORIZATION,
            auth_prefix: "Bearer ".to_owned(),
            lines: request_head::lines(&headers),
            headers,
        }
    }

    /// Gives up the connections that a burst left behind. Call it at regular intervals; requests under way keep theirs.
    pub fn close_spare_connections(&self) {
        let now = Instant::now();
        self.pool.close_spare(self.looked.replace(now), now);
    }

    /// Asks for what is at an address, as it is stored there; a redirect is not followed.
    ///
    /// # Errors
    /// Where no head came; the text says why.
    pub async fn get(&self, address: &str) -> Result<FetchResponse, String> {
        let (origin, path) = whole_address(address).ok_or("no http or https address")?;
        let mut headers = self.headers.clone();
        headers.insert(HOST, origin.header.clone());
        let mut head = RequestHead::new(&Method::GET, &path);
        head.lines(&request_head::lines(&headers));
        let (head, body) = head.finish(false, Bytes::new());
        let message = Message { head, body, is_head: false };
        let (head, body) =
            self.exchange(&origin, message).await.map_err(|kind| format!("cannot be reached ({})", kind.as_str()))?;
        Ok(FetchResponse { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends a request and waits for the head of the answer; dropping the future closes the connection.
    ///
    /// # Errors
    /// Where no head came; `extra` are headers of this client request alone.
    pub async fn send(
        &self,
        request: &VendorRequest,
        credential: Option<&Secret>,
        extra: &[(String, String)],
    ) -> Result<UpstreamAnswer, FailureKind> {
        self.send_as(&Method::POST, request, credential, extra).await
    }

    /// The same by any method.
    ///
    /// # Errors
    /// As [`Upstream::send`].
    pub async fn send_as(
        &self,
        method: &Method,
        request: &VendorRequest,
        credential: Option<&Secret>,
        extra: &[(String, String)],
    ) -> Result<UpstreamAnswer, FailureKind> {
        let to = match &self.base {
            Some((origin, address)) => address.join(&request.path).map(|path| (origin.clone(), path)),
            None => whole_address(&request.path),
        };
        let (origin, path) = to.ok_or(FailureKind::NotReady)?;
        let credential = match credential {
            Some(secret) => {
                let text = Zeroizing::new([self.auth_prefix.as_str(), secret.expose()].concat());
                Some(HeaderValue::from_str(&text).map_err(|_| FailureKind::NotReady)?)
            }
            None => None,
        };
        let (head, body) = self.head(method, request, (&origin, &path), credential, extra);
        let message = Message { head, body, is_head: method == Method::HEAD };
        let (head, body) = self.exchange(&origin, message).await?;
        let (body, unknown_coding) = match decoding::undo(body, &head.headers) {
            Ok(body) => (body, None),
            Err(coding) => (Box::pin(empty()) as UpstreamBody, Some(coding)),
        };
        Ok(UpstreamAnswer {
            status: head.status.as_u16(),
            // Good answers, the most by far, ask for no wait.
            retry_after: if head.status.is_success() { None } else { wait_asked(&head.headers) },
            unknown_coding,
            headers: head.headers,
            body,
        })
    }

    /// The head of a request, and what follows it.
    fn head(
        &self,
        method: &Method,
        request: &VendorRequest,
        (origin, path): (&Origin, &PathAndQuery),
        credential: Option<HeaderValue>,
        extra: &[(String, String)],
    ) -> (Bytes, Bytes) {
        let mut head = RequestHead::new(method, path);
        let has_own = !request.headers.is_empty() || !extra.is_empty() || self.base.is_none();
        if !has_own && !self.headers.contains_key(&self.auth_header) {
            head.lines(&self.lines);
            if let Some(credential) = &credential {
                head.line(&self.auth_header, credential);
            }
        } else {
            let mut headers = self.headers.clone();
            headers.insert(HOST, origin.header.clone());
            headers.entry(CONTENT_TYPE).or_insert(JSON);
            set_all(&mut headers, request.headers.iter().map(|(name, value)| (*name, value.as_str())));
            set_all(&mut headers, extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            if let Some(credential) = credential {
                headers.insert(self.auth_header.clone(), credential);
            }
            head.lines(&request_head::lines(&headers));
        }
        let tells_length = !request.body.is_empty() || [Method::POST, Method::PUT, Method::PATCH].contains(method);
        head.finish(tells_length, request.body.clone())
    }

    /// Sends a request on a connection that is idle, or on a new one. Where an idle one ends at once, the request is sent
    /// once more on a new one: its server may have closed it at the same moment (J 7).
    async fn exchange(&self, origin: &Rc<Origin>, message: Message) -> Result<(AnswerHead, UpstreamBody), FailureKind> {
        let mut may_reuse = true;
        loop {
            let begun = Instant::now();
            let idle = if may_reuse { self.pool.take(origin, begun) } else { None };
            let is_reused = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.connect(origin).await?,
            };
            let exchanged = connection.exchange(message.clone()).await;
            let was_given_up = || is_reused && begun.elapsed() < RESEND_WITHIN;
            match exchanged {
                Ok(head) if is_farewell(&head) && was_given_up() => may_reuse = false,
                Ok(head) => return Ok(self.answer(head, connection, origin.clone())),
                Err(ExchangeError::NotSent) if is_reused => {}
                Err(ExchangeError::Closed) if was_given_up() => may_reuse = false,
                Err(ExchangeError::Broken) => return Err(FailureKind::Broken),
                Err(_) => return Err(FailureKind::Connect(ConnectCause::ClosedBeforeAnswer)),
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<Connection>, FailureKind> {
        let failed = match self.dialler.connect(origin).await {
            Ok(connection) => return Ok(connection),
            Err(failed) => failed,
        };
        if self.told.get().is_none_or(|told| told.elapsed() > WARNING_INTERVAL) {
            self.told.set(Some(Instant::now()));
            log::warn!(
                to = origin.authority(), cause = failed.kind.as_str(), detail = failed.detail;
                "no connection could be made"
            );
        }
        Err(failed.kind)
    }

    fn answer(&self, head: AnswerHead, connection: Box<Connection>, origin: Rc<Origin>) -> (AnswerHead, UpstreamBody) {
        let live = Live {
            framing: head.framing.clone(),
            connection,
            pool: self.pool.clone(),
            origin,
            keeps_alive: head.keeps_alive,
            keep_alive: keep_alive_told(&head.headers),
        };
        (head, Box::pin(AnswerBody::new(live)))
    }
}

/// Whether an answer says that a server gave the connection up before it had a request (408, which Node, HAProxy and
/// others send unasked): what was sent since was not read.
fn is_farewell(head: &AnswerHead) -> bool {
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    head.status == 408 && head.headers.get(CONNECTION).is_some_and(closes)
}

/// How long a server says that it keeps an idle connection (`Keep-Alive: timeout=5`), less what a request may take to
/// reach it.
fn keep_alive_told(headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get(&KEEP_ALIVE_TOLD)?.to_str().ok()?;
    let seconds = told.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse::<u32>().ok())?
    })?;
    Some(Duration::from_secs(seconds.into()).saturating_sub(Duration::from_millis(500)).max(Duration::ZERO))
}

fn whole_address(text: &str) -> Option<(Rc<Origin>, PathAndQuery)> {
    let (origin, address) = Origin::split(text)?;
    Some((Rc::new(origin), address.join("")?))
}

/// Sets headers; what no header can carry is left out.
fn set_all<'a>(headers: &mut HeaderMap, given: impl Iterator<Item = (&'a str, &'a str)>) {
    for (name, value) in given {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
}

fn wait_asked(headers: &HeaderMap) -> Option<Duration> {
    retry_after::parse(|name| headers.get(name).and_then(|value| value.to_str().ok()), SystemTime::now())
}

/// A limit that 0 switches off; a day stands for none, since timers cannot be infinite.
fn millis_or_day(millis: u64) -> Duration {
    if millis == 0 { Duration::from_secs(86_400) } else { Duration::from_millis(millis) }
}
