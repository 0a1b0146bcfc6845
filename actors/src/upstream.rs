//! One provider as one worker thread reaches it: an awc client of its own, so that no provider waits for another's
//! connections. The only file that knows awc.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{HeaderMap, HeaderName, HeaderValue};
use awc::{Client, Connector};
use bytes::Bytes;
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
    /// The body.
    pub body: UpstreamBody,
}

/// A provider's connections from one thread.
pub struct Upstream {
    client: Client,
    base_url: String,
    auth_header: HeaderName,
    auth_prefix: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Upstream {
    /// A client for one provider; `tls` is shared by all, since it holds the root certificates.
    pub fn new(settings: &ProviderSettings, tls: Arc<rustls::ClientConfig>) -> Self {
        let connector = Connector::new()
            .rustls_0_23(tls)
            .timeout(millis_or_day(settings.timeouts.connect_ms))
            // Our own limit is visible and refuses; awc's would queue silently.
            .limit(0)
            .conn_keep_alive(Duration::from_secs(60))
            .conn_lifetime(Duration::from_secs(600));
        let client = Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers();
        let header = |(name, value): (&String, &String)| Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?));
        Self {
            client: client.finish(),
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            auth_header: settings.auth_header.parse().unwrap_or(awc::http::header::AUTHORIZATION),
            auth_prefix: settings.auth_prefix.clone(),
            headers: settings.headers.iter().filter_map(header).collect(),
        }
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
        let mut call = self.client.post([&self.base_url, request.path.as_str()].concat());
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
        let answer = call.send_body(request.body.clone()).await.map_err(|error| failure_kind(&error))?;
        Ok(UpstreamAnswer {
            status: answer.status().as_u16(),
            retry_after: wait_asked(answer.headers()),
            body: Box::pin(answer.map_err(|_| BrokenBody)),
        })
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
    UpstreamAnswer { status: script.status, retry_after, body: Box::pin(body) }
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
