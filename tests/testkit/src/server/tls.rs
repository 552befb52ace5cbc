//! Certificates for one server, from an authority that exists for it alone.
use super::{ServerOptions, Tls};
use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use std::fs;
use std::path::{Path, PathBuf};

const CA: &str = "ca.pem";
const CERTIFICATE: &str = "server-cert.pem";
const KEY: &str = "server-key.pem";

/// Writes the certificates that the options ask for into `directory`.
pub(super) fn provide(options: &ServerOptions, directory: &Path) -> Result<()> {
    if options.tls != Tls::Issued {
        return Ok(());
    }
    let directory = directory.join("tls");
    fs::create_dir_all(&directory).context("create the directory of certificates")?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "dbbackup test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &issuer)?;
    fs::write(directory.join(CA), authority_certificate.pem())?;
    fs::write(directory.join(CERTIFICATE), certificate.pem())?;
    fs::write(directory.join(KEY), key.serialize_pem())?;
    Ok(())
}

/// The server options that name the certificates in `directory`.
pub(super) fn arguments(directory: &Path) -> [String; 3] {
    let file = |name: &str| directory.join("tls").join(name);
    [
        format!("--ssl-ca={}", file(CA).display()),
        format!("--ssl-cert={}", file(CERTIFICATE).display()),
        format!("--ssl-key={}", file(KEY).display()),
    ]
}

/// The authority's certificate in `directory`.
pub(super) fn ca_path(directory: &Path) -> PathBuf {
    directory.join("tls").join(CA)
}
