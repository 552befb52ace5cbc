//! A certificate for a server on this machine, from an authority that exists for it alone.
use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a server with TLS. The authority is another certificate than the server's:
/// rustls refuses an authority that is presented as a server.
#[derive(Debug, Clone)]
pub(crate) struct CertificateFiles {
    /// The authority's certificate, for clients.
    pub(crate) ca: PathBuf,
    /// The server's certificate, valid for `localhost` and 127.0.0.1.
    pub(crate) certificate: PathBuf,
    /// The server's private key.
    pub(crate) key: PathBuf,
}

impl CertificateFiles {
    /// The paths in `directory`, whether or not the files have been written.
    pub(crate) fn within(directory: &Path) -> Self {
        Self {
            ca: directory.join("ca.pem"),
            certificate: directory.join("server-cert.pem"),
            key: directory.join("server-key.pem"),
        }
    }

    /// Makes an authority and a certificate that it signs, and writes both into `directory`.
    pub(crate) fn issue(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).context("create the directory of certificates")?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "dbbackup test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;
        let files = Self::within(directory);
        fs::write(&files.ca, authority_certificate.pem())?;
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}
