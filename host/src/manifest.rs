//! The manifest of a backup: put together from what is known, written, and read back with care.
use crate::{
    exit::{Classified, Exit},
    supervisor::job::ManifestDraft,
    target::MANIFEST_ENDING,
};
use dbbackup_plugin_api::{
    API_VERSION,
    document::{
        Document,
        backup::BackupSummary,
        manifest::{
            BackupState, FileRecord, Manifest, ObjectRecord, PagesRecord, TimesRecord, ToolRecord,
        },
    },
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

mod restore_text;

pub(crate) use restore_text::restore_text;

/// Largest manifest that is read, bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 30;

/// Why a manifest cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is none: whatever lies there is no backup.
    #[error("{}", missing_text(path))]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A later version wrote it, in a way that this one would misunderstand.
    #[error("{} has the schema {schema}, this version knows {}", path.display(), Manifest::SCHEMA)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema found.
        schema: String,
    },
    /// It is no manifest, or a damaged one.
    #[error("{} is no manifest", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is larger than any manifest of ours.
    #[error("{} is larger than {MAX_MANIFEST_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written as JSON: a fault of the program.
    #[error("write a manifest as JSON")]
    Unwritable {
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Whoever completes a name at the prompt comes to the manifest in place of the backup.
fn missing_text(path: &Path) -> String {
    let path = path.display().to_string();
    let backup = path.strip_suffix(MANIFEST_ENDING).and_then(|it| it.strip_suffix(MANIFEST_ENDING));
    match backup {
        Some(backup) => {
            format!("{backup}{MANIFEST_ENDING} is a manifest: name its backup, {backup}")
        }
        None => format!("there is no manifest {path}"),
    }
}

/// What the worker and the target have found out.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) summary: BackupSummary,
    pub(crate) files: Vec<FileRecord>,
    pub(crate) objects: Vec<ObjectRecord>,
    pub(crate) pages: PagesRecord,
}

/// Puts the manifest of a written backup together.
pub(crate) fn assemble(draft: ManifestDraft, written: Written, ended: Timestamp) -> Manifest {
    let Written { summary, files, objects, pages } = written;
    let mut degraded = summary.degraded;
    if pages.bad > 0 {
        degraded.push(format!("{} pages are damaged in the source", pages.bad));
    }
    let mut source = draft.source;
    source.facts.extend(summary.source);
    let roots = roots_of(draft.roots, &summary.roots, &files);
    Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        id: draft.id,
        state: if degraded.is_empty() { BackupState::Complete } else { BackupState::Degraded },
        degraded,
        tool: ToolRecord {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            api: API_VERSION.to_owned(),
        },
        engine: draft.engine,
        source,
        roots,
        times: TimesRecord {
            started: draft.started,
            consistent: summary.consistent_at,
            ended: rfc3339(ended),
        },
        coordinates: summary.coordinates,
        replica_sources: summary.replica_sources,
        locks: summary.locks,
        excluded: summary.excluded,
        restore_needs: summary.restore_needs,
        encoding: draft.encoding,
        objects,
        files,
        pages,
        extra: summary.extra,
    }
}

/// All roots that the engine names: streams may lead to one that no member lies below, such as a
/// directory that DDL alone has brought into a clone. Where it names none, those of the environment
/// that the members use.
pub(crate) fn roots_of(
    environment: BTreeMap<String, String>,
    engine: &BTreeMap<String, String>,
    files: &[FileRecord],
) -> BTreeMap<String, String> {
    if engine.is_empty() { used_roots(environment, files) } else { engine.clone() }
}

/// Roots that some member lies below: a dump holds no data directory, whatever the server has.
fn used_roots(
    mut roots: BTreeMap<String, String>,
    files: &[FileRecord],
) -> BTreeMap<String, String> {
    let is_below = |file: &FileRecord, root: &str| {
        let rest = file.path.as_bytes().strip_prefix(root.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    roots.retain(|root, _| files.iter().any(|file| is_below(file, root)));
    roots
}

/// A time as manifests write it: UTC, milliseconds.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The bytes of a manifest file.
pub(crate) fn to_bytes(manifest: &Manifest) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = serde_json::to_vec_pretty(manifest)
        .map_err(|source| ManifestError::Unwritable { source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a manifest file.
///
/// # Errors
/// [`ManifestError`]; a manifest of a later schema is never half understood.
pub fn read(path: &Path) -> Result<Manifest, ManifestError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ManifestError::Missing { path: path.to_owned() },
        _ => ManifestError::Io { path: path.to_owned(), source },
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let length = file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MAX_MANIFEST_BYTES {
        return Err(ManifestError::TooLarge { path: path.to_owned() });
    }
    parse(&bytes, path)
}

/// Parses the bytes of the manifest at `path`.
pub(crate) fn parse(bytes: &[u8], path: &Path) -> Result<Manifest, ManifestError> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let malformed = |source| ManifestError::Malformed { path: path.to_owned(), source };
    let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
    if head.schema != Manifest::SCHEMA {
        return Err(ManifestError::Newer { path: path.to_owned(), schema: head.schema });
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(malformed)?;
    // A name leads nowhere but to the manifest's own folder.
    match manifest.objects.iter().find(|object| !is_plain_name(&object.name)) {
        None => Ok(manifest),
        Some(object) => {
            let text = format!("the object {:?} has no plain name", object.name);
            Err(malformed(serde::de::Error::custom(text)))
        }
    }
}

/// The bytes of a directory have no name.
fn is_plain_name(name: &str) -> bool {
    !name.contains(['/', '\0']) && ![".", ".."].contains(&name)
}

impl Classified for ManifestError {
    fn exit(&self) -> Exit {
        match self {
            Self::Missing { .. } => Exit::Refused,
            Self::Newer { .. } => Exit::Precondition,
            Self::Malformed { .. } | Self::TooLarge { .. } => Exit::VerificationFailed,
            Self::Io { .. } => Exit::Target,
            Self::Unwritable { .. } => Exit::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Missing { .. } => {
                "bytes without a manifest are not a backup: the run that wrote them did not end well"
            }
            Self::Newer { .. } => "use the version of dbbackup that wrote it, or a later one",
            Self::Malformed { .. } | Self::TooLarge { .. } => {
                "a copy of the manifest is the last member of a tar artefact: .dbbackup/manifest.json"
            }
            Self::Io { .. } | Self::Unwritable { .. } => return None,
        };
        Some(text.to_owned())
    }

    fn code(&self) -> String {
        let code = match self {
            Self::Missing { .. } => "E-MANIFEST-MISSING",
            Self::Newer { .. } => "E-MANIFEST-NEWER",
            Self::Malformed { .. } | Self::TooLarge { .. } => "E-MANIFEST-DAMAGED",
            Self::Io { .. } => "E-MANIFEST-IO",
            Self::Unwritable { .. } => "E-MANIFEST-WRITE",
        };
        code.to_owned()
    }
}

#[cfg(test)]
pub(crate) mod tests;
