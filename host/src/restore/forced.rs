//! `--force` with an artefact that nothing vouches for: the manifest inside it, if it can be read.
use crate::{
    artefact::{ArtefactError, Identified, OpenArtefact},
    exit::Failure,
    manifest::{self, ManifestError},
    pipeline::{CancelFlag, Container, Encoding},
    remote::Place,
    target::INNER_MANIFEST,
};
use dbbackup_plugin_api::document::manifest::{EncodingRecord, Manifest};
use std::path::{Path, PathBuf};

/// Largest manifest that is taken out of an artefact, bytes.
const MAX_INNER_BYTES: usize = 1 << 28;

/// The manifest from inside an artefact. It vouches for the members alone, not for the artefact.
pub(super) fn manifest(
    artefact: &OpenArtefact,
    place: &Place,
    identities: &[PathBuf],
) -> Result<Manifest, Failure> {
    let inner = PathBuf::from(format!("{place}/{INNER_MANIFEST}"));
    if artefact.local().is_some_and(Path::is_dir) {
        return Ok(manifest::read(&inner)?);
    }
    let encoding = Encoding::from_output_name(&place.to_string()).map_err(ArtefactError::from)?;
    let record = EncodingRecord {
        container: encoding.container().to_string(),
        compression: encoding.compression().to_string(),
        encryption: if encoding.is_encrypted() { "age" } else { "none" }.to_owned(),
        recipients: Vec::new(),
    };
    let missing = || ManifestError::Missing { path: inner.clone() };
    if encoding.container() != Container::Tar {
        return Err(missing().into());
    }
    let bytes = inner_manifest(&artefact.identified(&record, &[], identities)?)?;
    let bytes = bytes.ok_or_else(missing)?;
    Ok(manifest::parse(&bytes, &inner)?)
}

/// Reads through an archive up to its manifest.
fn inner_manifest(artefact: &Identified) -> Result<Option<Vec<u8>>, ArtefactError> {
    let mut members = artefact.unrecorded_members(&CancelFlag::new())?;
    while let Some(member) = members.next_member()? {
        if member.path.as_bytes() != INNER_MANIFEST.as_bytes() {
            continue;
        }
        let mut text = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = members.read(&mut buffer)?;
            text.extend_from_slice(buffer.get(..length).unwrap_or_default());
            if length == 0 || text.len() > MAX_INNER_BYTES {
                return Ok(Some(text));
            }
        }
    }
    Ok(None)
}
