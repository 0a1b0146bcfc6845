//! A way through a proxy: `CONNECT`, and what a proxy answers to it.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::address::Origin;
use super::stream::Way;
use crate::failure::ConnectCause;
use crate::secret::Secret;

/// The most bytes of a proxy's answer.
const MAX_HEAD_BYTES: usize = 8 << 10;

/// A proxy: where it is, and what it wants to see. It shows no credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) origin: Arc<Origin>,
    authorization: Option<Secret>,
    address: Secret,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

/// Reads `http://USER:PASSWORD@HOST:PORT`, or `https://…`; without a scheme it is the former.
impl FromStr for Proxy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "must be http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host if the proxy requires it";
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let (origin, _) = Origin::split(&text).ok_or(WRONG)?;
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let authorization = user.map(|(user, _)| Secret::new(format!("Basic {}", STANDARD.encode(decoded(user)))));
        Ok(Self { origin: Arc::new(origin), authorization, address: Secret::new(text) })
    }
}

impl Proxy {
    /// Where it is, without its credential.
    pub fn place(&self) -> String {
        format!("{}://{}", if self.origin.tls { "https" } else { "http" }, self.origin.authority())
    }

    /// Its whole address, for another program that is to use it.
    pub(crate) fn address(&self) -> &Secret {
        &self.address
    }

    /// Asks for a way to an origin.
    pub(super) async fn tunnel(&self, way: &mut Way, to: &Origin) -> Result<(), (ConnectCause, String)> {
        let broken = |error: io::Error| (ConnectCause::ProxyUnreachable, error.to_string());
        let authority = to.authority();
        let mut head = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("proxy-authorization: {}\r\n", authorization.expose()));
        }
        head.push_str("\r\n");
        way.write_all(head.as_bytes()).await.map_err(broken)?;
        way.flush().await.map_err(broken)?;
        match answered(way).await.map_err(broken)? {
            200..300 => Ok(()),
            407 => Err((ConnectCause::ProxyAuth, "the proxy answers 407".to_owned())),
            status => Err((ConnectCause::ProxyRefused, format!("the proxy answers {status}"))),
        }
    }
}

/// The status of a proxy's final answer. It is read byte by byte: what follows is the tunnel's.
async fn answered(way: &mut Way) -> io::Result<u16> {
    loop {
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == MAX_HEAD_BYTES {
                return Err(io::Error::other("the proxy's answer is too long"));
            }
            let mut byte = [0; 1];
            if way.read(&mut byte).await? == 0 {
                return Err(io::Error::other("the proxy closed the connection"));
            }
            head.extend_from_slice(&byte);
        }
        let mut words = head.split(|byte| *byte == b' ');
        let is_http = words.next().is_some_and(|word| word.starts_with(b"HTTP/1."));
        let status = words.next().and_then(|word| str::from_utf8(word.get(..3)?).ok()?.parse().ok());
        match status.filter(|_| is_http) {
            Some(100..200) => {}
            Some(status) => return Ok(status),
            None => return Err(io::Error::other("the proxy does not speak HTTP/1.1")),
        }
    }
}

/// A user and password as they are, out of an address, where `%40` stands for `@`.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|two| const_hex::decode(two).ok());
        match escaped.as_deref() {
            Some([byte]) => {
                bytes.push(*byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K22: a proxy's password is read out of its address, and shown nowhere.
    #[test]
    fn k22_a_proxy_is_read_and_its_password_hidden() {
        let proxy = "http://us%65r:p%40ss:word@proxy.corp:3128/".parse::<Proxy>().unwrap();
        let authorization = proxy.authorization.as_ref().unwrap();
        assert_eq!(authorization.expose(), format!("Basic {}", STANDARD.encode("user:p@ss:word")));
        assert_eq!(format!("{proxy:?}"), "http://proxy.corp:3128");
        assert_eq!("https://proxy.corp".parse::<Proxy>().unwrap().place(), "https://proxy.corp:443");
        assert_eq!("proxy.corp:3128".parse::<Proxy>().unwrap().place(), "http://proxy.corp:3128");
        assert_eq!("http://[::1]:3128".parse::<Proxy>().unwrap().place(), "http://[::1]:3128");
        for wrong in ["socks5://user:secret@proxy:1080", "", "http://", "ftp://x", "http://user:se cret@x"] {
            assert!(!wrong.parse::<Proxy>().unwrap_err().contains("secret"), "{wrong}");
        }
    }
}
