//! One provider as one worker thread reaches it: an awc client of its own, so that no provider waits for another's
//! connections. The only file that knows awc.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use awc::body::{MessageBody, SizedStream};
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use awc::{Client, Connector};
use bytes::Bytes;
use futures_util::stream::iter;
use futures_util::{Stream, StreamExt, TryStreamExt};

use crate::failure::FailureKind;
use crate::retry_after;
use crate::secret::Secret;
use crate::settings::ProviderSettings;
use crate::simulator::{Ending, Simulated, SimulatedBody};
use crate::wire::VendorRequest;

/// The bytes of an answer; an error means that the connection broke.
pub type UpstreamBody = Pin<Box<dyn Stream<Item = Result<Bytes, BrokenBody>>>>;

/// The connection broke in the middle of an answer.
#[derive(Debug)]
pub struct BrokenBody;

/// An answer's head, and its body as it comes.
pub struct UpstreamAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the provider asks to wait, in any of the three forms (E4).
    pub retry_after: Option<Duration>,
    /// Where a redirect leads, which is not followed (H2).
    pub location: Option<String>,
    /// The headers, of which [`UpstreamAnswer::header`] reads one.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: UpstreamBody,
}

impl UpstreamAnswer {
    /// The first header of this lower-case name, where its value is a text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(given, _)| given.as_str() == name)?;
        value.to_str().ok()
    }
}

/// What was found at an address.
pub struct Fetched {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: UpstreamBody,
}

/// Idle connections that a thread may keep to one provider beyond twice what it needs.
const SPARE_CONNECTIONS: usize = 16;

/// A larger body is given to awc in pieces: it copies what it is given, and keeps the room for that with the connection
/// (G4).
const PIECE: usize = 16 << 10;

/// A provider's connections from one thread.
pub struct Upstream {
    client: RefCell<Client>,
    connector: Box<dyn Fn() -> Client>,
    load: Rc<Load>,
    base_url: String,
    auth_header: HeaderName,
    auth_prefix: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Upstream {
    /// A client for one provider; `tls` is shared by all, since it holds the root certificates.
    pub fn new(settings: &ProviderSettings, tls: Arc<rustls::ClientConfig>) -> Self {
        let header = |(name, value): (&String, &String)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?));
        Self {
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            auth_header: settings.auth_header.parse().unwrap_or(AUTHORIZATION),
            auth_prefix: settings.auth_prefix.clone(),
            headers: settings.headers.iter().filter_map(header).collect(),
            ..Self::connecting_within(millis_or_day(settings.timeouts.connect_ms), tls)
        }
    }

    /// A client for requests whose path is a whole address and whose credential is a bearer token.
    pub fn anywhere(tls: Arc<rustls::ClientConfig>) -> Self {
        Self::connecting_within(Duration::from_secs(5), tls)
    }

    /// The same, with a limit for the time that a connection takes.
    pub fn connecting_within(timeout: Duration, tls: Arc<rustls::ClientConfig>) -> Self {
        let connector = Box::new(move || {
            let connector = Connector::new()
                .rustls_0_23(tls.clone())
                .timeout(timeout)
                // Our own limit is visible and refuses; awc's would queue silently.
                .limit(0)
                .conn_keep_alive(Duration::from_secs(60))
                .conn_lifetime(Duration::from_secs(600));
            Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers().finish()
        });
        Self {
            client: RefCell::new(connector()),
            connector,
            load: Rc::default(),
            base_url: String::new(),
            auth_header: AUTHORIZATION,
            auth_prefix: "Bearer ".to_owned(),
            headers: Vec::new(),
        }
    }

    /// Gives up the connections that a burst left behind: awc itself closes an idle one only when the next request comes
    /// upon it. Call it at regular intervals; requests under way keep their connections.
    pub fn close_spare_connections(&self) {
        if self.load.take_spare() {
            self.client.replace((self.connector)());
        }
    }

    /// Asks for what is at an address, as it is stored there; a redirect is not followed.
    ///
    /// # Errors
    /// Where no head came; the text says why.
    pub async fn get(&self, address: &str) -> Result<Fetched, String> {
        let call = self.client.borrow().get(address);
        let call = call.insert_header((awc::http::header::USER_AGENT, USER_AGENT));
        let call = call.insert_header((awc::http::header::ACCEPT_ENCODING, "identity"));
        let answer = call.send().await.map_err(|error| error.to_string())?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Fetched { status, headers, body: Box::pin(answer.map_err(|_| BrokenBody)) })
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
        let under_way = Load::begin(&self.load);
        let mut call = self.client.borrow().post([&self.base_url, request.path.as_str()].concat());
        let headers = call.headers_mut();
        headers.insert(awc::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(awc::http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        let own = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.chain(extra.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        if let Some(credential) = credential {
            let text = [self.auth_prefix.as_str(), credential.expose()].concat();
            let value = HeaderValue::from_str(&text).map_err(|_| FailureKind::Connect)?;
            headers.insert(self.auth_header.clone(), value);
        }
        let body = request.body.clone();
        let sending = match body.len() {
            ..=PIECE => call.send_body(body),
            _ => call.send_body(in_pieces(body)),
        };
        let answer = sending.await.map_err(|error| failure_kind(&error))?;
        Ok(UpstreamAnswer {
            status: answer.status().as_u16(),
            // Good answers, the most by far, ask for no wait.
            retry_after: if answer.status().is_success() { None } else { wait_asked(answer.headers()) },
            location: answer.headers().get(LOCATION).and_then(|value| Some(value.to_str().ok()?.to_owned())),
            headers: answer.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            body: Box::pin(answer.map_err(move |_| {
                // Counted until the body is dropped.
                let _ = &under_way;
                BrokenBody
            })),
        })
    }
}

/// A body piece by piece, with its length told beforehand.
fn in_pieces(body: Bytes) -> impl MessageBody {
    let length = body.len();
    let piece = move |from: usize| Ok::<_, Infallible>(body.slice(from..length.min(from + PIECE)));
    SizedStream::new(length as u64, iter((0..length).step_by(PIECE).map(piece)))
}

/// How many requests of one thread are under way at a provider, and have been at once.
#[derive(Default)]
struct Load {
    now: Cell<usize>,
    peak_since_take: Cell<usize>,
    peak_of_client: Cell<usize>,
}

/// One request under way.
struct UnderWay(Rc<Load>);

impl Load {
    fn begin(load: &Rc<Self>) -> UnderWay {
        let now = load.now.get() + 1;
        load.now.set(now);
        load.peak_since_take.set(load.peak_since_take.get().max(now));
        load.peak_of_client.set(load.peak_of_client.get().max(now));
        UnderWay(load.clone())
    }

    /// Whether the client holds many more connections than the time since the last call needed; if so, the count
    /// begins anew for its successor.
    fn take_spare(&self) -> bool {
        let needed = self.peak_since_take.replace(self.now.get());
        let spare = self.peak_of_client.get() > 2 * needed + SPARE_CONNECTIONS;
        if spare {
            self.peak_of_client.set(self.now.get());
        }
        spare
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

const USER_AGENT: &str = concat!("gateway/", env!("CARGO_PKG_VERSION"));

/// The TLS settings that all upstream clients share: Mozilla's roots, and HTTP/1.1, whose one connection a request
/// makes a cancelled call visible to the provider at once.
pub fn tls_config() -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Plays what the simulator scripted.
pub async fn simulate(script: Simulated) -> UpstreamAnswer {
    tokio::time::sleep(script.delay).await;
    let header = |name: &str| script.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
    let retry_after = retry_after::parse(header, SystemTime::now());
    let (events, ending) = match script.body {
        SimulatedBody::Whole { bytes, ending } => (vec![(Duration::ZERO, bytes)], ending),
        SimulatedBody::Stream { events, ending } => (events, ending),
    };
    let played = futures_util::stream::iter(events).then(|(pause, bytes)| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(bytes)
    });
    let end = futures_util::stream::once(async move {
        match ending {
            Ending::Complete => None,
            Ending::Cut => Some(Err(BrokenBody)),
            Ending::Stall => std::future::pending().await,
        }
    });
    let body = played.chain(end.filter_map(std::future::ready));
    let own = |(name, value): (&'static str, String)| {
        Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
    };
    let headers = script.headers.into_iter().filter_map(own).collect();
    UpstreamAnswer { status: script.status, retry_after, location: None, headers, body: Box::pin(body) }
}

fn wait_asked(headers: &HeaderMap) -> Option<Duration> {
    retry_after::parse(|name| headers.get(name).and_then(|value| value.to_str().ok()), SystemTime::now())
}

fn failure_kind(error: &SendRequestError) -> FailureKind {
    match error {
        SendRequestError::Connect(ConnectError::Timeout) => FailureKind::ConnectTimeout,
        SendRequestError::Timeout => FailureKind::FirstByteTimeout,
        SendRequestError::Response(_) => FailureKind::Broken,
        _ => FailureKind::Connect,
    }
}

/// A limit that 0 switches off; a day stands for none, since timers cannot be infinite.
fn millis_or_day(millis: u64) -> Duration {
    if millis == 0 { Duration::from_secs(86_400) } else { Duration::from_millis(millis) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D7: connections that a burst needed are given up once it has passed, and not while it lasts.
    #[test]
    fn d7_connections_of_a_burst_are_given_up() {
        let load = Rc::new(Load::default());
        let burst: Vec<_> = (0..1000).map(|_| Load::begin(&load)).collect();
        assert!(!load.take_spare(), "all are in use");
        drop(burst);
        assert!(!load.take_spare(), "they were in use in this interval");
        assert!(load.take_spare(), "an interval without any use");
        assert!(!load.take_spare(), "and only once");
    }

    #[test]
    fn connections_of_a_steady_load_are_kept() {
        let load = Rc::new(Load::default());
        for _ in 0..10 {
            drop((0..40).map(|_| Load::begin(&load)).collect::<Vec<_>>());
            assert!(!load.take_spare());
        }
    }
}
