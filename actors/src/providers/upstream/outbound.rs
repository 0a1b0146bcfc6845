//! How requests leave this process: whom it trusts, and which proxies lead where.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::address::Origin;
use super::proxies::ProxyRules;
use super::proxy::Proxy;
use crate::providers::settings::ProviderSettings;

/// Where Linux systems, and others, keep what they trust.
const SYSTEM_STORES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The way out of this process; a clone is the same way.
#[derive(Clone, Debug)]
pub struct Outbound {
    roots: Arc<RootCertStore>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) proxies: Arc<ProxyRules>,
}

impl Outbound {
    /// The way by these proxies. Trusted are Mozilla's roots, the system's, and those of `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR`; what cannot be read of the latter is told in the log.
    ///
    /// # Errors
    /// Where TLS has no protocol version.
    pub fn new(proxies: ProxyRules) -> Result<Self, rustls::Error> {
        let roots = Arc::new(trusted_roots());
        Ok(Self { tls: tls_config(&roots)?, roots, proxies: Arc::new(proxies) })
    }

    /// Whether a provider's own proxy and certificate authority can be read.
    ///
    /// # Errors
    /// The name of the setting that is wrong, and why; a proxy's address is not repeated.
    pub fn check(settings: &ProviderSettings) -> Result<(), (&'static str, String)> {
        own_proxy(settings).map_err(|why| ("proxy", format!("{why}, or \"direct\"")))?;
        match &settings.ca {
            None => Ok(()),
            Some(path) => read_authorities(path.as_ref(), &mut RootCertStore::empty())
                .map_err(|why| ("ca", format!("{path}: {why}"))),
        }
    }

    /// The way to one provider, which may have a proxy and a certificate authority of its own.
    ///
    /// # Errors
    /// Where one of them cannot be read; the text begins with the name of the setting.
    pub fn to_provider(&self, settings: &ProviderSettings) -> Result<Self, String> {
        let mut own = self.clone();
        if let Some(path) = &settings.ca {
            let mut roots = RootCertStore::clone(&self.roots);
            read_authorities(path.as_ref(), &mut roots).map_err(|why| format!("ca: {path}: {why}"))?;
            own.roots = Arc::new(roots);
            own.tls = tls_config(&own.roots).map_err(|error| format!("ca: {path}: {error}"))?;
        }
        if let Some(proxy) = own_proxy(settings).map_err(|why| format!("proxy: {why}"))? {
            own.proxies = Arc::new(proxy);
        }
        Ok(own)
    }

    /// The proxy that leads to an address, without its credential; none where the way is direct.
    pub fn proxy_to(&self, address: &str) -> Option<String> {
        self.proxies.to(&Origin::split(address)?.0).map(Proxy::place)
    }
}

/// A provider's own proxy, for whatever scheme; no proxy at all where it says `direct`.
fn own_proxy(settings: &ProviderSettings) -> Result<Option<ProxyRules>, &'static str> {
    match settings.proxy.as_deref() {
        None | Some("") => Ok(None),
        Some("direct") => Ok(Some(ProxyRules::default())),
        Some(address) => {
            let proxy = address.parse::<Proxy>()?;
            Ok(Some(ProxyRules { https: Some(proxy.clone()), http: Some(proxy), except: Vec::new() }))
        }
    }
}

/// Adds the certificate authorities of a PEM file.
///
/// # Errors
/// Where it cannot be read, or holds none.
fn read_authorities(path: &Path, roots: &mut RootCertStore) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.len() == before { Err("no certificate in it".to_owned()) } else { Ok(()) }
}

fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut found = rustls_native_certs::load_native_certs();
    if ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some()) {
        // The variables stand beside the system's store here, not in its place.
        let system = SYSTEM_STORES.iter().map(Path::new).find(|path| path.exists());
        found.certs.extend(rustls_native_certs::load_certs_from_paths(system, None).certs);
        found.errors.iter().for_each(|error| log::warn!("SSL_CERT_FILE, SSL_CERT_DIR: {error}"));
    }
    // Old ones that no program could use any more are among them.
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    log::debug!("{} certificate authorities are trusted, {ignored} cannot be read", roots.len());
    roots
}

/// HTTP/1.1 alone: its one connection a request makes a cancelled call visible to the provider at once.
fn tls_config(roots: &Arc<RootCertStore>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
