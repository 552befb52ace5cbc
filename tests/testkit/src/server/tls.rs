//! The certificates of one server.
use super::{ServerOptions, Tls};
use crate::certificates::CertificateFiles;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Writes the certificates that the options ask for into `directory`.
pub(super) fn provide(options: &ServerOptions, directory: &Path) -> Result<()> {
    if options.tls == Tls::Issued {
        CertificateFiles::issue(&directory.join("tls"))?;
    }
    Ok(())
}

/// The server options that name the certificates in `directory`.
pub(super) fn arguments(directory: &Path) -> [String; 3] {
    let files = CertificateFiles::within(&directory.join("tls"));
    [
        format!("--ssl-ca={}", files.ca.display()),
        format!("--ssl-cert={}", files.certificate.display()),
        format!("--ssl-key={}", files.key.display()),
    ]
}

/// The authority's certificate in `directory`.
pub(super) fn ca_path(directory: &Path) -> PathBuf {
    CertificateFiles::within(&directory.join("tls")).ca
}
