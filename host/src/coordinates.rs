//! Exact coordinates that became known after a backup: what its first boot told, in a file beside the
//! manifest, which itself is never changed.
use crate::{
    artefact::{ArtefactError, OpenArtefact},
    exit::{Classified, Exit},
};
use dbbackup_plugin_api::document::manifest::{CoordinatesRecord, Manifest};
use serde::{Deserialize, Serialize};

/// Schema of the file.
const SCHEMA: &str = "dbbackup.coordinates/1";

/// The content of `NAME.coordinates.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownCoordinates {
    /// Always `dbbackup.coordinates/1`.
    pub(crate) schema: String,
    /// The backup that it speaks of: one that replaced it has another id.
    pub(crate) backup_id: String,
    /// The position of the content.
    pub(crate) coordinates: CoordinatesRecord,
    /// The server whose first boot told it.
    pub(crate) told_by: String,
    /// When, UTC, RFC 3339.
    pub(crate) told_at: String,
}

/// Why the file cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CoordinatesError {
    /// It cannot be read or written.
    #[error("the coordinates beside the artefact")]
    Artefact(#[from] ArtefactError),
    /// It is none of ours, or damaged.
    #[error("the file of exact coordinates holds none")]
    Malformed(#[from] serde_json::Error),
}

impl KnownCoordinates {
    /// What is said of a backup.
    pub(crate) fn new(
        manifest: &Manifest,
        coordinates: CoordinatesRecord,
        told_by: &str,
        told_at: String,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            backup_id: manifest.id.clone(),
            coordinates,
            told_by: told_by.to_owned(),
            told_at,
        }
    }

    /// Writes the file beside the manifest of an artefact, durably, over an earlier one.
    pub(crate) fn write(&self, artefact: &OpenArtefact) -> Result<(), CoordinatesError> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(artefact.write_coordinates(&bytes)?)
    }

    /// What is known of a backup; nothing if there is no file, or one of another backup.
    pub(crate) fn read(
        artefact: &OpenArtefact,
        manifest: &Manifest,
    ) -> Result<Option<Self>, CoordinatesError> {
        let Some(bytes) = artefact.coordinates()? else { return Ok(None) };
        let known: Self = serde_json::from_slice(&bytes)?;
        Ok((known.schema == SCHEMA && known.backup_id == manifest.id).then_some(known))
    }
}

impl Classified for CoordinatesError {
    fn exit(&self) -> Exit {
        match self {
            Self::Artefact(error) => error.exit(),
            Self::Malformed(_) => Exit::VerificationFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Artefact(error) => error.hint(),
            Self::Malformed(_) => Some("dbbackup verify --level boot writes it anew".to_owned()),
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Artefact(_) => "E-COORDINATES-IO".to_owned(),
            Self::Malformed(_) => "E-COORDINATES".to_owned(),
        }
    }
}
