//! Exact coordinates that became known after a backup: what its first boot told, in a file beside the
//! manifest, which itself is never changed.
use crate::{
    exit::{Classified, Exit},
    target::{
        TargetError, coordinates_path,
        durable::{self, Rename},
    },
};
use dbbackup_plugin_api::document::manifest::{CoordinatesRecord, Manifest};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Schema of the file.
const SCHEMA: &str = "dbbackup.coordinates/1";
/// Largest file that is read, bytes: a GTID set of a long history included.
const MAX_BYTES: u64 = 16 << 20;

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
    /// It cannot be read.
    #[error("read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none of ours, or damaged.
    #[error("{} holds no coordinates", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It cannot be written.
    #[error(transparent)]
    Target(#[from] TargetError),
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
    pub(crate) fn write(&self, artefact: &Path) -> Result<PathBuf, CoordinatesError> {
        let path = coordinates_path(artefact);
        let malformed = |source| CoordinatesError::Malformed { path: path.clone(), source };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(malformed)?;
        bytes.push(b'\n');
        durable::write_file(&path, &bytes, Rename::Replace)?;
        Ok(path)
    }

    /// What is known of a backup; nothing if there is no file, or one of another backup.
    pub(crate) fn read(
        artefact: &Path,
        manifest: &Manifest,
    ) -> Result<Option<Self>, CoordinatesError> {
        let path = coordinates_path(artefact);
        let failed = |source| CoordinatesError::Io { path: path.clone(), source };
        let mut bytes = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let malformed = |source| CoordinatesError::Malformed { path: path.clone(), source };
        let known: Self = serde_json::from_slice(&bytes).map_err(malformed)?;
        Ok((known.schema == SCHEMA && known.backup_id == manifest.id).then_some(known))
    }
}

impl Classified for CoordinatesError {
    fn exit(&self) -> Exit {
        match self {
            Self::Io { .. } => Exit::Target,
            Self::Malformed { .. } => Exit::VerificationFailed,
            Self::Target(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { .. } => {
                Some("dbbackup verify --level boot writes it anew".to_owned())
            }
            Self::Io { .. } => None,
            Self::Target(error) => error.hint(),
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Io { .. } => "E-COORDINATES-IO".to_owned(),
            Self::Malformed { .. } => "E-COORDINATES".to_owned(),
            Self::Target(error) => error.code(),
        }
    }
}
