//! What a sink needs to speak `https`.
use crate::certificates::CertificateFiles;
use crate::scratch::Scratch;
use anyhow::{Context, Result};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// A certificate, its key, and the authority's certificate in a file for clients.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    files: CertificateFiles,
    /// Where the files are.
    _scratch: Scratch,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let files = CertificateFiles::issue(&scratch.join("tls"))?;
        let certificate = CertificateDer::from_pem_file(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .context("use the certificate of the S3 sink")?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), files, _scratch: scratch })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// The authority's certificate.
    pub(super) fn ca(&self) -> &Path {
        &self.files.ca
    }
}
