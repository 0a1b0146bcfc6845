//! Why no connection stood, or none that lasted until an answer.

use std::io;

/// A cause in one bounded word, for logs, metrics and `/admin/actors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectCause {
    /// The name has no address.
    Dns,
    /// Nothing listens there.
    Refused,
    /// No way leads there.
    NoRoute,
    /// The certificate is not trusted, has expired, or is another's.
    TlsCertificate,
    /// Both sides have no TLS version or cipher in common.
    TlsVersion,
    /// TLS failed in another way.
    Tls,
    /// The proxy does not lead there.
    ProxyRefused,
    /// The proxy wants another credential.
    ProxyAuth,
    /// The proxy itself cannot be reached, or does not answer in time.
    ProxyUnreachable,
    /// The provider took the request, and closed the connection without a byte of an answer.
    ClosedBeforeAnswer,
    /// This machine has no descriptor left.
    OutOfDescriptors,
    /// This machine has no port left for a connection.
    OutOfPorts,
    /// This machine has no memory left for a connection.
    OutOfMemory,
    /// Anything else.
    Other,
}

impl ConnectCause {
    /// The word.
    pub fn as_str(self) -> &'static str {
        self.row().label
    }

    /// Whether this machine is at fault, so that no provider is to blame.
    pub fn is_own_fault(self) -> bool {
        !self.row().blames_provider
    }

    /// What an error of the system means, if it is a known one.
    pub(crate) fn from_error(error: &io::Error) -> Self {
        // The numbers are Linux's, macOS's and the BSDs': EMFILE, ENFILE, ENOMEM.
        match (error.kind(), error.raw_os_error()) {
            (_, Some(23 | 24)) => Self::OutOfDescriptors,
            (io::ErrorKind::AddrNotAvailable, _) => Self::OutOfPorts,
            (io::ErrorKind::OutOfMemory, _) | (_, Some(12 | 105)) => Self::OutOfMemory,
            (io::ErrorKind::ConnectionRefused, _) => Self::Refused,
            (io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => Self::NoRoute,
            _ => Self::Other,
        }
    }

    /// What an error of a TLS handshake means.
    pub(crate) fn of_tls(error: &io::Error) -> Self {
        use rustls::AlertDescription::{HandshakeFailure, ProtocolVersion};
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => Self::TlsCertificate,
            Some(
                rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(ProtocolVersion | HandshakeFailure),
            ) => Self::TlsVersion,
            _ => Self::Tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J 15: what this machine lacks is told apart from what a provider does.
    #[test]
    fn j15_a_want_of_this_machine_is_its_own_fault() {
        for number in [12, 23, 24] {
            assert!(ConnectCause::from_error(&io::Error::from_raw_os_error(number)).is_own_fault(), "{number}");
        }
        assert!(ConnectCause::from_error(&io::ErrorKind::AddrNotAvailable.into()).is_own_fault());
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::HostUnreachable, io::ErrorKind::Other] {
            assert!(!ConnectCause::from_error(&kind.into()).is_own_fault(), "{kind}");
        }
    }
}
