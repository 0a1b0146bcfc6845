//! A server with a certificate of a private authority in front of a plain one.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::temp_dir::TempDir;

/// Makes an authority, and a certificate of it for localhost.
const CERTIFY: &str = "
    new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    openssl req -x509 $new -days 2 -subj '/CN=Private authority' -keyout ca.key -out ca.pem
    openssl req $new -subj /CN=localhost -keyout server.key -out server.csr
    echo 'subjectAltName = DNS:localhost, IP:127.0.0.1' >names
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile names -out server.pem
";

/// The server; it is there as long as this value.
pub struct TlsFront {
    port: u16,
    authority: String,
    listening: JoinHandle<()>,
}

impl TlsFront {
    /// A server in front of the one at `http://HOST:PORT`.
    pub async fn start(folder: &TempDir, origin: &str) -> Self {
        let made = Command::new("sh").args(["-ec", CERTIFY]).current_dir(folder.path()).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let acceptor = acceptor(folder.path());
        let behind = origin.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, behind) = (acceptor.clone(), behind.clone());
                tokio::spawn(async move {
                    let (Ok(mut client), Ok(mut server)) =
                        (acceptor.accept(client).await, TcpStream::connect(behind).await)
                    else {
                        return;
                    };
                    // Either side may leave at any time.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, authority: folder.path().join("ca.pem").display().to_string(), listening }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file with the authority's certificate.
    pub fn authority(&self) -> String {
        self.authority.clone()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(folder.join("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(config.with_single_cert(certificates, key).unwrap()))
}
