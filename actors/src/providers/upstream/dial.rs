//! From an origin to a connection that stands: a name's addresses, TCP, TLS.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::address::Origin;
use super::connection::Connection;
use super::outbound::Outbound;
use super::proxy::Proxy;
use super::stream::Way;
use crate::failure::{ConnectCause, FailureKind};

/// How long one address of a name has before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// Makes connections.
pub(super) struct Dialler {
    outbound: Outbound,
    within: Duration,
}

/// Why there is no connection.
pub(super) struct NotConnected {
    pub(super) kind: FailureKind,
    /// For the log; it holds no credential.
    pub(super) detail: String,
}

/// Why one step towards a connection failed.
struct DialError {
    cause: ConnectCause,
    detail: String,
}

impl DialError {
    fn tcp(error: &io::Error) -> Self {
        Self { cause: ConnectCause::from_error(error), detail: error.to_string() }
    }

    fn tls(error: &io::Error) -> Self {
        Self { cause: ConnectCause::of_tls(error), detail: error.to_string() }
    }

    /// The same on the way to a proxy.
    fn of_proxy(self) -> Self {
        let cause = if self.cause.is_own_fault() { self.cause } else { ConnectCause::ProxyUnreachable };
        Self { cause, detail: format!("the proxy: {}", self.detail) }
    }
}

impl Dialler {
    /// `within` is the limit for all of it, proxy and TLS included.
    pub(super) fn new(outbound: Outbound, within: Duration) -> Self {
        Self { outbound, within }
    }

    /// A new connection to an origin.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Box<Connection>, NotConnected> {
        let is_at_proxy = Cell::new(false);
        match timeout(self.within, self.dial(origin, &is_at_proxy)).await {
            Ok(Ok(connection)) => Ok(Box::new(connection)),
            Ok(Err(DialError { cause, detail })) => Err(NotConnected { kind: FailureKind::Connect(cause), detail }),
            Err(_) => {
                let detail = format!("not within {} ms", self.within.as_millis());
                let kind = match is_at_proxy.get() {
                    true => FailureKind::Connect(ConnectCause::ProxyUnreachable),
                    false => FailureKind::ConnectTimeout,
                };
                Err(NotConnected { kind, detail })
            }
        }
    }

    async fn dial(&self, origin: &Origin, is_at_proxy: &Cell<bool>) -> Result<Connection, DialError> {
        let mut way = match self.outbound.proxies.to(origin) {
            None => plain(origin).await?,
            Some(proxy) => {
                is_at_proxy.set(true);
                let way = self.through(proxy, origin).await?;
                is_at_proxy.set(false);
                way
            }
        };
        if origin.tls {
            way = self.encrypted(way, &origin.host).await?;
        }
        Ok(Connection::new(way))
    }

    /// A way to an origin through a proxy.
    async fn through(&self, proxy: &Proxy, origin: &Origin) -> Result<Way, DialError> {
        let mut way = plain(&proxy.origin).await.map_err(DialError::of_proxy)?;
        if proxy.origin.tls {
            way = self.encrypted(way, &proxy.origin.host).await.map_err(DialError::of_proxy)?;
        }
        proxy.tunnel(&mut way, origin).await.map_err(|(cause, detail)| DialError { cause, detail })?;
        Ok(way)
    }

    async fn encrypted(&self, way: Way, host: &str) -> Result<Way, DialError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| DialError { cause: ConnectCause::Dns, detail: error.to_string() })?;
        let tls = TlsConnector::from(self.outbound.tls.clone())
            .connect(name, way)
            .await
            .map_err(|error| DialError::tls(&error))?;
        Ok(Way::Tls(Box::new(tls)))
    }
}

async fn plain(origin: &Origin) -> Result<Way, DialError> {
    Ok(Way::Plain(tcp(&origin.host, origin.port).await?))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => {
            let found = tokio::net::lookup_host((host, port)).await;
            alternating(found.map_err(|error| unknown(&error))?.collect())
        }
    };
    let tcp = first_to_answer(addresses).await.map_err(|error| DialError::tcp(&error))?;
    tcp.set_nodelay(true).map_err(|error| DialError::tcp(&error))?;
    Ok(tcp)
}

/// Why a name could not be looked up: the resolver does not say when it only lacks descriptors.
fn unknown(error: &io::Error) -> DialError {
    let is_own = |error: &io::Error| ConnectCause::from_error(error).is_own_fault();
    if let Err(own) = std::fs::File::open("/dev/null")
        && is_own(&own)
    {
        return DialError::tcp(&own);
    }
    let cause = if is_own(error) { ConnectCause::from_error(error) } else { ConnectCause::Dns };
    DialError { cause, detail: error.to_string() }
}

/// Addresses with both families in turn, as one of them may lead nowhere.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut ones, mut others): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first);
    let mut all = Vec::with_capacity(ones.len() + others.len());
    while !ones.is_empty() || !others.is_empty() {
        all.extend(ones.pop_front());
        all.extend(others.pop_front());
    }
    all
}

/// Connects to the first address that answers; each next one is tried when the one before has failed, or takes long.
async fn first_to_answer(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut left = addresses.into_iter();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        match left.next() {
            Some(address) => attempts.push(TcpStream::connect(address)),
            None if attempts.is_empty() => return Err(failed),
            None => {}
        }
        let is_last = left.len() == 0;
        let head_start = async { if is_last { pending().await } else { sleep(HEAD_START).await } };
        tokio::select! {
            Some(connected) = attempts.next() => match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            },
            () = head_start => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_of_addresses_take_turns() {
        let addresses =
            |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]);
        assert_eq!(alternating(given), addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]));
        assert!(alternating(Vec::new()).is_empty());
    }

    /// An address at which nobody listens does not stand in the way of one that does.
    #[tokio::test]
    async fn the_next_address_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let there = listener.local_addr().unwrap();
        let stream = first_to_answer(vec![gone, there]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert_eq!(first_to_answer(vec![gone]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(first_to_answer(Vec::new()).await.is_err());
    }
}
