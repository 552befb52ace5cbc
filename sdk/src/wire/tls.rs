//! TLS with the meaning of the stock client's `--ssl-mode`, on rustls with ring.
//!
//! Servers of this family make their own certificates: without alternative names, signed by a CA of
//! their own. So `VERIFY_CA` checks the chain to the CA given and no name, `VERIFY_IDENTITY` accepts
//! the common name where a certificate has no alternative names, as OpenSSL does, and `REQUIRED`
//! checks nothing. The CAs of the web are never trusted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
};
use x509_cert::{
    Certificate,
    der::{Decode, asn1::ObjectIdentifier},
};

use crate::wire::{Address, ConnectOptions, Ssl, SslMode, WireError};

/// Object identifiers of the common name and of the alternative names.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// Builds the TLS configuration that `ssl` asks for.
pub(crate) fn client_config(ssl: &Ssl) -> Result<Arc<ClientConfig>, WireError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(ssl, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| WireError::TlsOptions { reason: "no protocol version is left" })?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match (&ssl.cert, &ssl.key) {
        (Some(cert), Some(key)) => {
            let refused = WireError::TlsFileContent { path: key.clone(), what: "private key" };
            builder
                .with_client_auth_cert(read_certificates(cert)?, read_key(key)?)
                .map_err(|_| refused)?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(WireError::TlsOptions { reason: "a certificate needs its key" });
        }
        (None, Some(_)) => {
            return Err(WireError::TlsOptions { reason: "a key needs its certificate" });
        }
    };
    // The stock client sends no server name either, unless it is told to.
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// The name that the certificate has to carry in `VERIFY_IDENTITY`.
pub(crate) fn server_name(options: &ConnectOptions) -> Result<ServerName<'static>, WireError> {
    let host = match options.address() {
        Address::Tcp { host, .. } => host,
        Address::Unix(_) => options.host.clone().unwrap_or_else(|| String::from("localhost")),
    };
    match ServerName::try_from(host) {
        Ok(name) => Ok(name),
        Err(_) if options.ssl.mode == SslMode::VerifyIdentity => Err(WireError::TlsOptions {
            reason: "the host is no name that a certificate can carry",
        }),
        Err(_) => ServerName::try_from("localhost")
            .map_err(|_| WireError::TlsOptions { reason: "the host is no name" }),
    }
}

fn verifier(
    ssl: &Ssl,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, WireError> {
    let name_check = match ssl.mode {
        SslMode::VerifyCa => NameCheck::None,
        SslMode::VerifyIdentity => NameCheck::Host,
        _ => return Ok(Arc::new(Unverified { provider })),
    };
    let mut authorities = Vec::new();
    if let Some(file) = &ssl.ca {
        authorities.extend(read_certificates(file)?);
    }
    if let Some(directory) = &ssl.capath {
        authorities.extend(read_directory(directory)?);
    }
    if authorities.is_empty() {
        return Err(WireError::TlsOptions {
            reason: "VERIFY_CA and VERIFY_IDENTITY need a CA file or directory",
        });
    }
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(authorities.iter().cloned());
    if usable == 0 {
        let path = ssl.ca.clone().or_else(|| ssl.capath.clone()).unwrap_or_default();
        return Err(WireError::TlsFileContent { path, what: "certificate" });
    }
    Ok(Arc::new(SignedByAuthority { authorities, roots, name_check, provider }))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let content =
        fs::read(path).map_err(|source| WireError::TlsFile { path: path.to_owned(), source })?;
    let certificates: Result<Vec<_>, pem::Error> =
        CertificateDer::pem_slice_iter(&content).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(WireError::TlsFileContent { path: path.to_owned(), what: "certificate" }),
    }
}

/// Files of a CA directory that are longer hold something else: it may be a data directory, where
/// MySQL puts its certificates beside its tables.
const CA_FILE_BYTES: u64 = 1 << 20;

/// Every certificate of a directory; other files in it are no error, as for OpenSSL.
fn read_directory(directory: &Path) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let unreadable = |source| WireError::TlsFile { path: directory.to_owned(), source };
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(unreadable)?;
    paths.sort();
    let mut certificates = Vec::new();
    let may_hold_one = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.len() <= CA_FILE_BYTES)
    };
    for path in paths.into_iter().filter(may_hold_one) {
        match read_certificates(&path) {
            Ok(found) => certificates.extend(found),
            // Private keys lie beside certificates in a server's directory, and are not ours to read.
            Err(error) => tracing::debug!(%error, "file of the CA directory passed over"),
        }
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, WireError> {
    let content = zeroize::Zeroizing::new(
        fs::read(path).map_err(|source| WireError::TlsFile { path: path.to_owned(), source })?,
    );
    PrivateKeyDer::from_pem_slice(&content)
        .map_err(|_| WireError::TlsFileContent { path: path.to_owned(), what: "private key" })
}

/// `PREFERRED` and `REQUIRED`: encryption against listeners, no proof of who the server is.
#[derive(Debug)]
struct Unverified {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    // A signature by a key that nobody vouches for proves nothing, and the check would refuse the
    // version 1 certificates that old servers have.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameCheck {
    None,
    Host,
}

/// `VERIFY_CA` and `VERIFY_IDENTITY`.
#[derive(Debug)]
struct SignedByAuthority {
    authorities: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    name_check: NameCheck,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SignedByAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        // A self-signed certificate given as its own CA is trusted as it is.
        if !self.authorities.iter().any(|authority| authority == end_entity) {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.roots,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.name_check == NameCheck::Host {
            match verify_server_name(&parsed, server_name) {
                Err(_) if common_name_matches(end_entity, server_name) => {}
                verdict => verdict?,
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate without alternative names has the host as its common name.
fn common_name_matches(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return false;
    };
    let body = &certificate.tbs_certificate;
    let extensions = body.extensions.as_deref().unwrap_or_default();
    if extensions.iter().any(|extension| extension.extn_id == ALTERNATIVE_NAME) {
        return false;
    }
    let ServerName::DnsName(host) = name else {
        return false;
    };
    let host = host.as_ref();
    let attributes = body.subject.0.iter().flat_map(|set| set.0.iter());
    attributes.filter(|attribute| attribute.oid == COMMON_NAME).any(|attribute| {
        std::str::from_utf8(attribute.value.value())
            .is_ok_and(|common_name| host_matches(common_name, host))
    })
}

/// Compares a host with a name that may begin with one `*.` label.
fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain)),
    }
}

/// What the operator can do about a certificate that was refused.
pub(crate) fn hint(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Some("the certificate is not signed by the CA given; check --ssl-ca")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Some("the certificate names another host; VERIFY_CA checks no name"),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => Some("the server's certificate has expired"),
        _ => None,
    }
}
