//! An artefact in use: a path, or a place together with the worker that serves it.
use super::{
    ArtefactBytes, ArtefactError, Identified, encoding_of, open_manifest, read_identities,
};
use crate::{
    manifest::{self, ManifestError},
    pipeline::read::RangedRead,
    remote::{Place, Refusal, RemoteError, RemoteTarget, joined},
    supervisor::{CancelFlag, Runtime},
    target::{COORDINATES_ENDING, MANIFEST_ENDING, coordinates_path, durable},
};
use dbbackup_plugin_api::document::manifest::{EncodingRecord, Manifest, ObjectRecord};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Largest file of coordinates that is read, bytes: a GTID set of a long history included.
const MAX_COORDINATES_BYTES: u64 = 16 << 20;

/// An artefact that can be asked for its manifest and its bytes.
pub(crate) enum OpenArtefact {
    /// A file or directory of this machine.
    Local(PathBuf),
    /// A name at a place.
    Remote(Arc<RemoteTarget>),
}

impl OpenArtefact {
    /// Opens a place; a path needs nothing.
    ///
    /// # Errors
    /// [`ArtefactError::Remote`] if no worker can be started.
    pub(crate) fn open(
        place: &Place,
        runtime: &Runtime<'_>,
        cancel: &CancelFlag,
    ) -> Result<Self, ArtefactError> {
        match place {
            Place::Local(path) => Ok(Self::Local(path.clone())),
            Place::Target(place) => Ok(Self::Remote(RemoteTarget::open(place, runtime, cancel)?)),
        }
    }

    /// The path, if it is one.
    pub(crate) fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Remote(_) => None,
        }
    }

    /// The manifest, after a look at whether it can belong to the artefact: name and size.
    ///
    /// # Errors
    /// [`ArtefactError::Manifest`] if there is none, [`ArtefactError::Mismatch`] if it is another's.
    pub(crate) fn manifest(&self) -> Result<Manifest, ArtefactError> {
        match self {
            Self::Local(path) => open_manifest(path),
            Self::Remote(target) => {
                let manifest = remote_manifest(target)?;
                manifest.objects.iter().try_for_each(|object| check_object(target, object))?;
                Ok(manifest)
            }
        }
    }

    /// The artefact that a manifest describes, and the keys that open it.
    ///
    /// # Errors
    /// [`ArtefactError`]: an object is not there, or a key file is none.
    pub(crate) fn identified(
        &self,
        encoding: &EncodingRecord,
        objects: &[ObjectRecord],
        identities: &[PathBuf],
    ) -> Result<Identified, ArtefactError> {
        let target = match self {
            Self::Local(path) => return Identified::local(path, encoding, identities),
            Self::Remote(target) => target,
        };
        let open = |name: &str| -> Result<Arc<dyn RangedRead>, ArtefactError> {
            Ok(Arc::new(target.open_object(name)?))
        };
        let bytes = match objects {
            [] => open(&target.place().name)?,
            objects => joined(objects, open)?,
        };
        Ok(Identified {
            name: target.place().to_string(),
            bytes: ArtefactBytes::Ranged(bytes),
            encoding: encoding_of(encoding)?,
            identities: read_identities(identities)?,
        })
    }

    /// The file of exact coordinates beside the artefact; none if there is none.
    pub(crate) fn coordinates(&self) -> Result<Option<Vec<u8>>, ArtefactError> {
        match self {
            Self::Local(path) => {
                let path = coordinates_path(path);
                let mut bytes = Vec::new();
                let read = File::open(&path)
                    .and_then(|file| file.take(MAX_COORDINATES_BYTES).read_to_end(&mut bytes));
                match read {
                    Ok(_) => Ok(Some(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(ArtefactError::io(&path, error)),
                }
            }
            Self::Remote(target) => absent_is_none(target.read(&coordinates_name(target))),
        }
    }

    /// Writes the file of exact coordinates beside the artefact, over an earlier one.
    pub(crate) fn write_coordinates(&self, bytes: &[u8]) -> Result<(), ArtefactError> {
        match self {
            Self::Local(path) => {
                let path = coordinates_path(path);
                durable::write_file(&path, bytes, durable::Rename::Replace)
                    .map_err(|error| ArtefactError::Target(Box::new(error)))
            }
            Self::Remote(target) => {
                target.put(&coordinates_name(target), false, bytes)?;
                Ok(())
            }
        }
    }
}

fn coordinates_name(target: &RemoteTarget) -> String {
    format!("{}{COORDINATES_ENDING}", target.place().name)
}

/// The manifest of a name at a place.
pub(crate) fn remote_manifest(target: &Arc<RemoteTarget>) -> Result<Manifest, ArtefactError> {
    let name = format!("{}{MANIFEST_ENDING}", target.place().name);
    let path = PathBuf::from(target.place().named(&name).to_string());
    let bytes = absent_is_none(target.read(&name))?;
    let bytes = bytes.ok_or_else(|| ManifestError::Missing { path: path.clone() })?;
    Ok(manifest::parse(&bytes, &path)?)
}

fn check_object(target: &RemoteTarget, object: &ObjectRecord) -> Result<(), ArtefactError> {
    let path = || PathBuf::from(target.place().named(&object.name).to_string());
    let mismatch = |what: String| Err(ArtefactError::Mismatch { path: path(), what });
    match absent_is_none(target.head(&object.name))? {
        None => mismatch("it is missing".to_owned()),
        Some(facts) if facts.size_bytes != object.size_bytes => mismatch(format!(
            "it has {} bytes, the manifest says {}",
            facts.size_bytes, object.size_bytes
        )),
        Some(_) => Ok(()),
    }
}

/// What is not there is none, everything else stays an error.
fn absent_is_none<T>(answer: Result<T, RemoteError>) -> Result<Option<T>, ArtefactError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.refusal() == Some(Refusal::Missing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
