//! What backups a location holds, told by their manifests alone.
//!
//! Order is by what a backup contains (the instant at which it was consistent, else its start), never
//! by times or order of files. Bytes without a manifest are shown as incomplete, never as a backup.
use crate::{
    artefact::{first_path, object_path},
    exit::{Classified, Exit},
    manifest::ManifestError,
    pipeline::Encoding,
    remote::{Place, RemoteError},
    target::{MANIFEST_ENDING, PARTIAL_ENDING, directory_manifest_path, manifest_path},
};
use dbbackup_plugin_api::document::{
    Document,
    manifest::{
        BackupState, CoordinatesRecord, EncodingRecord, EngineRecord, Manifest, ObjectRecord,
        SourceRecord, TimesRecord,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Cursor, Read, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

/// The backups of one location.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Catalog {
    /// Newest first; incomplete ones last.
    pub entries: Vec<CatalogEntry>,
}

/// One artefact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CatalogEntry {
    /// The file or directory, or the name at a place.
    #[serde(serialize_with = "Place::as_text")]
    pub artefact: Place,
    /// Whether it is a backup.
    pub state: EntryState,
    /// True for something that a run is writing, or was when it ended.
    #[serde(skip)]
    pub unfinished: bool,
    /// What its manifest says, without the list of its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupHead>,
}

/// Whether an artefact is a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EntryState {
    /// Every promise holds.
    Complete,
    /// Restorable, with weaker promises.
    Degraded,
    /// No backup: its bytes or its manifest are missing.
    Incomplete {
        /// What is missing or wrong.
        why: String,
    },
}

/// A manifest without its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupHead {
    /// Schema of the manifest.
    pub schema: String,
    /// Id of the backup.
    pub id: String,
    /// What it promises.
    pub state: BackupState,
    /// Promises that do not hold.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// The engine and its choice.
    pub engine: EngineRecord,
    /// The server.
    pub source: SourceRecord,
    /// When things happened.
    pub times: TimesRecord,
    /// Position in the server's history.
    pub coordinates: CoordinatesRecord,
    /// How the bytes are written.
    pub encoding: EncodingRecord,
    /// The objects that make up the artefact.
    pub objects: Vec<ObjectRecord>,
}

impl BackupHead {
    /// The instant by which backups are ordered: that at which the content was true, else the start
    /// of the run.
    pub fn instant(&self) -> Option<Timestamp> {
        self.times.consistent.as_deref().unwrap_or(&self.times.started).parse().ok()
    }
}

/// A location cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A directory or file of this machine.
    #[error("look through {}", path.display())]
    Local {
        /// The location.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A place that an engine serves.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl Catalog {
    /// Looks through a directory, or at one artefact.
    ///
    /// # Errors
    /// [`CatalogError`] if the location cannot be read.
    pub fn scan(location: &Path) -> Result<Self, CatalogError> {
        let failed = |source| CatalogError::Local { path: location.to_owned(), source };
        let facts = match fs::metadata(location) {
            Err(source)
                if source.kind() == io::ErrorKind::NotFound
                    && manifest_path(location).is_file() =>
            {
                return Ok(Self { entries: vec![look_at(location)] });
            }
            facts => facts.map_err(failed)?,
        };
        if !facts.is_dir() || directory_manifest_path(location).is_file() {
            return Ok(Self { entries: vec![look_at(location)] });
        }
        let mut artefacts = Vec::new();
        for entry in fs::read_dir(location).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if let Some(artefact) = artefact_of(&path) {
                artefacts.push(artefact);
            }
        }
        artefacts.sort();
        artefacts.dedup();
        Ok(Self::sorted(without_objects(artefacts.iter().map(|path| look_at(path)).collect())))
    }

    /// Newest first; what has no instant sorts behind everything that has one.
    fn sorted(mut entries: Vec<CatalogEntry>) -> Self {
        entries.sort_by_key(|entry| {
            std::cmp::Reverse(entry.backup.as_ref().and_then(BackupHead::instant))
        });
        Self { entries }
    }

    /// The newest backup that can be restored.
    pub fn newest(&self) -> Option<&CatalogEntry> {
        self.entries.iter().find(|entry| !matches!(entry.state, EntryState::Incomplete { .. }))
    }

    /// Whether the newest backup is young enough.
    pub fn freshness(&self, now: Timestamp, max_age: Duration) -> Freshness {
        let instant = self.newest().and_then(|entry| entry.backup.as_ref()?.instant());
        let Some(instant) = instant else { return Freshness::NoBackup };
        // A backup of the future is as young as can be.
        let age = Duration::try_from(now.duration_since(instant)).unwrap_or(Duration::ZERO);
        if age > max_age { Freshness::TooOld { age } } else { Freshness::Fresh { age } }
    }
}

/// Age of the newest backup against a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Young enough.
    Fresh {
        /// Its age.
        age: Duration,
    },
    /// Older than the threshold.
    TooOld {
        /// Its age.
        age: Duration,
    },
    /// There is none.
    NoBackup,
}

impl Freshness {
    /// [`Exit::Done`] or [`Exit::TooOld`].
    pub fn exit(self) -> Exit {
        match self {
            Self::Fresh { .. } => Exit::Done,
            Self::TooOld { .. } | Self::NoBackup => Exit::TooOld,
        }
    }
}

/// The artefact that a directory entry is, or belongs to; none for files that are not ours.
fn artefact_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(PARTIAL_ENDING) {
        let plain = name.trim_end_matches(PARTIAL_ENDING);
        let ours = Encoding::from_output_name(plain).is_ok() || path.is_dir();
        return (ours && !plain.ends_with(MANIFEST_ENDING)).then(|| path.to_owned());
    }
    if let Some(artefact) = name.strip_suffix(MANIFEST_ENDING) {
        return Some(path.with_file_name(artefact));
    }
    let ours = if path.is_dir() {
        directory_manifest_path(path).is_file()
    } else {
        Encoding::from_output_name(name).is_ok()
    };
    ours.then(|| path.to_owned())
}

/// The artefacts without those that are objects of others: what replaced a backup in a store, and was copied
/// from there, has objects with names of their own.
fn without_objects(mut entries: Vec<CatalogEntry>) -> Vec<CatalogEntry> {
    let objects_of = |entry: &CatalogEntry| -> Vec<PathBuf> {
        let (Some(artefact), Some(head)) = (entry.artefact.local(), &entry.backup) else {
            return Vec::new();
        };
        head.objects.iter().map(|object| artefact.with_file_name(&object.name)).collect()
    };
    let objects: BTreeSet<PathBuf> = entries.iter().flat_map(objects_of).collect();
    entries.retain(|entry| {
        let path = entry.artefact.local();
        !path.is_some_and(|path| objects.contains(path) && !manifest_path(path).exists())
    });
    entries
}

/// What an artefact is, told by its manifest and its size.
fn look_at(artefact: &Path) -> CatalogEntry {
    let place = Place::from(artefact);
    let incomplete = |why: String| CatalogEntry::incomplete(place.clone(), why);
    if artefact.extension() == Some(OsStr::new("partial")) {
        return CatalogEntry { unfinished: true, ..incomplete(NOT_ENDED.to_owned()) };
    }
    let head = match read_head(&manifest_path(artefact)) {
        Ok(head) => head,
        Err(error) => return incomplete(crate::exit::Failure::from(error).chain()),
    };
    let missing = missing_bytes(artefact, &head);
    CatalogEntry::of_head(place, head, missing)
}

/// What is said of bytes that a run is writing.
const NOT_ENDED: &str = "its run has not ended";

impl CatalogEntry {
    /// Something that is no backup.
    fn incomplete(artefact: Place, why: String) -> Self {
        let state = EntryState::Incomplete { why };
        Self { artefact, state, unfinished: false, backup: None }
    }

    /// What a manifest says, and what of its bytes is missing.
    fn of_head(artefact: Place, head: BackupHead, missing: Option<String>) -> Self {
        let state = match (missing, head.state) {
            (Some(why), _) => EntryState::Incomplete { why },
            (None, BackupState::Complete) => EntryState::Complete,
            (None, BackupState::Degraded) => EntryState::Degraded,
        };
        Self { artefact, state, unfinished: false, backup: Some(head) }
    }
}

/// What of the bytes is not there.
fn missing_bytes(artefact: &Path, head: &BackupHead) -> Option<String> {
    match fs::metadata(first_path(artefact, &head.objects)) {
        Err(_) => return Some("its bytes are missing".to_owned()),
        Ok(facts) if facts.is_dir() => return None,
        Ok(_) if head.objects.is_empty() => return Some("its manifest names no bytes".to_owned()),
        Ok(_) => {}
    }
    head.objects.iter().find_map(|object| {
        let expected = object.size_bytes;
        let name = &object.name;
        match fs::metadata(object_path(artefact, &head.objects, name)) {
            Err(_) => Some(format!("object {name} is missing")),
            Ok(facts) if facts.len() == expected => None,
            Ok(facts) if head.objects.len() == 1 => {
                Some(format!("it has {} bytes instead of {expected}", facts.len()))
            }
            Ok(facts) => {
                Some(format!("object {name} has {} bytes instead of {expected}", facts.len()))
            }
        }
    })
}

/// Reads a manifest without keeping its members.
fn read_head(path: &Path) -> Result<BackupHead, ManifestError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ManifestError::Missing { path: path.to_owned() },
        _ => ManifestError::Io { path: path.to_owned(), source },
    })?;
    head_of(BufReader::new(file), path)
}

/// Parses the bytes of a manifest.
fn parse_head(bytes: &[u8], path: &Path) -> Result<BackupHead, ManifestError> {
    head_of(Cursor::new(bytes), path)
}

/// What does not parse may be another schema with another shape, which is told by the schema alone.
/// Only then is the manifest read twice: with its members, it can be long.
fn head_of(mut from: impl Read + Seek, path: &Path) -> Result<BackupHead, ManifestError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let newer = |schema| ManifestError::Newer { path: path.to_owned(), schema };
    let source = match serde_json::from_reader::<_, BackupHead>(&mut from) {
        Ok(head) if head.schema == Manifest::SCHEMA => return Ok(head),
        Ok(head) => return Err(newer(head.schema)),
        Err(source) => source,
    };
    from.rewind().map_err(|source| ManifestError::Io { path: path.to_owned(), source })?;
    match serde_json::from_reader::<_, Schema>(from) {
        Ok(Schema { schema }) if schema != Manifest::SCHEMA => Err(newer(schema)),
        _ => Err(ManifestError::Malformed { path: path.to_owned(), source }),
    }
}

impl Classified for CatalogError {
    fn exit(&self) -> Exit {
        match self {
            Self::Local { .. } => Exit::Target,
            Self::Remote(error) => error.exit(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Local { .. } => None,
            Self::Remote(error) => error.hint(),
        }
    }

    fn code(&self) -> String {
        match self {
            Self::Local { .. } => "E-CATALOG".to_owned(),
            Self::Remote(error) => error.code(),
        }
    }
}

mod remote;
pub(crate) use remote::head as remote_head;

#[cfg(test)]
mod tests;
