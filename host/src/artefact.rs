//! An artefact that is to be read: its manifest, its bytes, and its members in one order, whether
//! it is a file or a directory.
use crate::{
    exit::{Classified, Exit},
    manifest::{self, ManifestError},
    pipeline::{
        CancelFlag, Compression, Container, Encoding, EncodingError, OutputDigest,
        read::{Identities, IdentityError, LocalFile, Members, RangedRead, ReadError, ReadSpec},
    },
    remote::{RemoteError, joined},
    supervisor::job::ArtefactInput,
    target::{TargetError, manifest_path},
};
use dbbackup_plugin_api::document::{
    entry::EntryKind,
    manifest::{EncodingRecord, FileRecord, Manifest, ObjectRecord},
    path::EntryPath,
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

mod chosen;
mod directory;
mod objects;
mod opened;
mod streams;

use chosen::ChosenMembers;
pub(crate) use directory::DirectoryMembers;
use objects::{check_objects, facts_of};
pub(crate) use objects::{first_path, object_path};
pub(crate) use opened::{OpenArtefact, remote_manifest};
use streams::Source;
pub(crate) use streams::{EntryReader, StreamEntry};

/// Why an artefact cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Its manifest cannot be had.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Its bytes cannot be had, or are not those that were written.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// The manifest speaks of another artefact.
    #[error("{} does not belong to its manifest: {what}", path.display())]
    Mismatch {
        /// The artefact.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A member of a directory is not as it was written.
    #[error("{}: {what}", path.display())]
    Member {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file cannot be opened or read.
    #[error("read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An identity file cannot be used.
    #[error("use the identity file {}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IdentityError,
    },
    /// The manifest names an encoding that this version does not know.
    #[error("the encoding {container}, {compression} is not known")]
    Encoding {
        /// Container recorded.
        container: String,
        /// Compression recorded.
        compression: String,
    },
    /// Neither a manifest nor the name says how it is written.
    #[error(transparent)]
    Name(#[from] EncodingError),
    /// Something beside it cannot be written.
    #[error(transparent)]
    Target(Box<TargetError>),
    /// The place that it lies at cannot be used.
    #[error(transparent)]
    Remote(Box<RemoteError>),
}

impl From<RemoteError> for ArtefactError {
    fn from(error: RemoteError) -> Self {
        Self::Remote(Box::new(error))
    }
}

impl From<ReadError> for ArtefactError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Cancelled => Self::Cancelled,
            error => Self::Read(Box::new(error)),
        }
    }
}

impl ArtefactError {
    /// True if the artefact is not what was written, false if it could not be read at all.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Read(error) => error.is_damage(),
            Self::Mismatch { .. } | Self::Member { .. } => true,
            Self::Manifest(error) => error.exit() == Exit::VerificationFailed,
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The bytes of an artefact.
#[derive(Clone)]
enum ArtefactBytes {
    /// A file or directory of this machine.
    Local(PathBuf),
    /// Something that is read by ranges.
    Ranged(Arc<dyn RangedRead>),
}

/// An artefact whose bytes can be had, how it is written, and the keys that open it.
#[derive(Clone)]
pub(crate) struct Identified {
    name: String,
    bytes: ArtefactBytes,
    encoding: Encoding,
    identities: Identities,
}

impl Identified {
    /// A file or directory of this machine.
    pub(crate) fn local(
        path: &Path,
        encoding: &EncodingRecord,
        identities: &[PathBuf],
    ) -> Result<Self, ArtefactError> {
        Ok(Self {
            name: path.display().to_string(),
            bytes: ArtefactBytes::Local(path.to_owned()),
            encoding: encoding_of(encoding)?,
            identities: read_identities(identities)?,
        })
    }

    /// The artefact of a worker's job; `bytes` if it lies at a target.
    pub(crate) fn from_input(
        input: &ArtefactInput,
        bytes: Option<Arc<dyn RangedRead>>,
    ) -> Result<Self, ArtefactError> {
        let local = || input.place.local().unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            name: input.place.to_string(),
            bytes: bytes.map_or_else(|| ArtefactBytes::Local(local()), ArtefactBytes::Ranged),
            encoding: input.encoding.parse()?,
            identities: read_identities(&input.identities)?,
        })
    }

    /// How it is written.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// All members, each compared with its record.
    pub(crate) fn members(
        &self,
        manifest: &Manifest,
        cancel: &CancelFlag,
    ) -> Result<ArtefactMembers, ArtefactError> {
        if let (Container::Directory, ArtefactBytes::Local(path)) =
            (self.encoding.container(), &self.bytes)
        {
            let members = DirectoryMembers::new(path, manifest.files.clone(), cancel);
            return Ok(ArtefactMembers::Directory(Box::new(members)));
        }
        let bytes = self.bytes(&manifest.objects)?;
        let members = self.read_spec(manifest, cancel).members_of(bytes)?;
        Ok(ArtefactMembers::Archive(Box::new(members)))
    }

    /// The members that are wanted: where they are a small part of an archive, each is read alone, from
    /// where it lies; the archive as a whole is then not compared with its digest, its members are.
    pub(crate) fn chosen_members(
        &self,
        manifest: &Manifest,
        is_wanted: impl Fn(&FileRecord) -> bool,
        cancel: &CancelFlag,
    ) -> Result<ArtefactMembers, ArtefactError> {
        let sum = |files: &mut dyn Iterator<Item = &FileRecord>| -> u64 {
            files.map(|file| file.size_bytes).sum()
        };
        let wanted: VecDeque<FileRecord> =
            manifest.files.iter().filter(|record| is_wanted(record)).cloned().collect();
        let is_small = sum(&mut wanted.iter()) < sum(&mut manifest.files.iter()) / 2;
        let can_be_found = wanted.iter().all(|record| record.seek.is_some());
        if self.encoding.container() != Container::Tar || !is_small || !can_be_found {
            return self.members(manifest, cancel);
        }
        let (spec, bytes) = (self.read_spec(manifest, cancel), self.bytes(&manifest.objects)?);
        Ok(ArtefactMembers::Chosen(Box::new(ChosenMembers::new(spec, bytes, wanted))))
    }

    /// All members of an archive as it stands, with nothing to compare them with.
    pub(crate) fn unrecorded_members(
        &self,
        cancel: &CancelFlag,
    ) -> Result<ArtefactMembers, ArtefactError> {
        let spec = ReadSpec {
            identities: self.identities.clone(),
            cancel: cancel.clone(),
            ..ReadSpec::new(self.name.clone(), self.encoding)
        };
        Ok(ArtefactMembers::Archive(Box::new(spec.members_of(self.bytes(&[])?)?)))
    }

    /// The stream entries alone, joined from their pieces.
    pub(crate) fn streams(
        &self,
        manifest: &Manifest,
        cancel: &CancelFlag,
    ) -> Result<EntryReader, ArtefactError> {
        let source = match self.encoding.container() {
            Container::Tar => Source::ByPiece {
                spec: Box::new(self.read_spec(manifest, cancel)),
                bytes: self.bytes(&manifest.objects)?,
            },
            Container::Sql | Container::Directory => {
                Source::InOrder(Some(self.members(manifest, cancel)?))
            }
        };
        EntryReader::new(source, manifest, cancel)
    }

    /// All bytes, joined from the objects that the artefact continues in.
    fn bytes(&self, objects: &[ObjectRecord]) -> Result<Arc<dyn RangedRead>, ArtefactError> {
        let path = match &self.bytes {
            ArtefactBytes::Ranged(bytes) => return Ok(Arc::clone(bytes)),
            ArtefactBytes::Local(path) => path,
        };
        let open = |path: &Path| -> Result<Arc<dyn RangedRead>, ArtefactError> {
            let file = LocalFile::open(path).map_err(|error| ArtefactError::io(path, error))?;
            Ok(Arc::new(file))
        };
        match objects {
            [] => open(path),
            objects => joined(objects, |name| open(&object_path(path, objects, name))),
        }
    }

    fn read_spec(&self, manifest: &Manifest, cancel: &CancelFlag) -> ReadSpec {
        let digest = |object: &ObjectRecord| OutputDigest {
            size_bytes: object.size_bytes,
            sha256: object.sha256.clone(),
        };
        ReadSpec {
            identities: self.identities.clone(),
            cancel: cancel.clone(),
            digests: manifest.objects.iter().map(digest).collect(),
            records: Some(manifest.files.clone()),
            ..ReadSpec::new(self.name.clone(), self.encoding)
        }
    }
}

/// What is known of a member before its content.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) path: EntryPath,
    pub(crate) kind: EntryKind,
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) modified_unix: Option<u64>,
    /// Its record, if the manifest knows it.
    pub(crate) record: Option<FileRecord>,
}

/// Members of an artefact, one after the other.
pub(crate) enum ArtefactMembers {
    Archive(Box<Members>),
    Directory(Box<DirectoryMembers>),
    Chosen(Box<ChosenMembers>),
}

/// The next member of an archive with what is known of it.
fn of_archive(archive: &mut Members) -> Result<Option<Member>, ArtefactError> {
    let Some(header) = archive.next_member()?.cloned() else { return Ok(None) };
    let record = archive.record().cloned();
    Ok(Some(Member {
        // A stream is a plain file in an archive: the record alone tells them apart.
        kind: record.as_ref().map_or(header.kind, |record| record.kind),
        path: header.path,
        mode: Some(header.mode),
        uid: Some(header.uid),
        gid: Some(header.gid),
        modified_unix: Some(header.modified_unix),
        record,
    }))
}

impl ArtefactMembers {
    /// Goes to the next member; none at the end, after everything was found good.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, ArtefactError> {
        match self {
            Self::Archive(archive) => of_archive(archive),
            Self::Directory(directory) => directory.next_member(),
            Self::Chosen(chosen) => chosen.next_member(),
        }
    }

    /// Reads content; 0 at its end, and only after it was found to fit its record.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArtefactError> {
        match self {
            Self::Archive(archive) => Ok(archive.read(buffer)?),
            Self::Directory(directory) => directory.read(buffer),
            Self::Chosen(chosen) => chosen.read(buffer),
        }
    }

    /// Writes the content into an empty file, holes as holes, checked against its record.
    pub(crate) fn copy_to_file(&mut self, file: &File, path: &Path) -> Result<u64, ArtefactError> {
        match self {
            Self::Archive(archive) => Ok(archive.copy_to_file(file, path)?),
            Self::Directory(directory) => directory.copy_to_file(file, path),
            Self::Chosen(chosen) => chosen.copy_to_file(file, path),
        }
    }
}

/// The manifest of an artefact, after a look at whether it can belong to it: name and size.
///
/// # Errors
/// [`ArtefactError::Manifest`] if there is none, [`ArtefactError::Mismatch`] if it is another's or has
/// outlived the artefact.
pub fn open_manifest(artefact: &Path) -> Result<Manifest, ArtefactError> {
    let facts = std::fs::metadata(artefact);
    let manifest = match (manifest::read(&manifest_path(artefact)), facts) {
        // Nothing is there at all: the path is more likely wrong than the backup gone.
        (Err(ManifestError::Missing { .. }), Err(source)) => {
            return Err(ArtefactError::io(artefact, source));
        }
        (manifest, _) => manifest?,
    };
    check_belonging(artefact, &manifest)?;
    Ok(manifest)
}

/// Compares what can be compared without reading the artefact.
pub(crate) fn check_belonging(artefact: &Path, manifest: &Manifest) -> Result<(), ArtefactError> {
    let facts = facts_of(&first_path(artefact, &manifest.objects))?;
    let mismatch = |what: String| Err(ArtefactError::Mismatch { path: artefact.to_owned(), what });
    let is_directory = manifest.encoding.container == Container::Directory.to_string();
    match (facts.is_dir(), is_directory) {
        (true, true) => Ok(()),
        (false, false) => check_objects(artefact, &manifest.objects),
        (true, false) => mismatch("it is a directory, the manifest is that of a file".to_owned()),
        (false, true) => mismatch("it is a file, the manifest is that of a directory".to_owned()),
    }
}

/// The encoding that a manifest records.
pub(crate) fn encoding_of(record: &EncodingRecord) -> Result<Encoding, ArtefactError> {
    let containers = [Container::Sql, Container::Tar, Container::Directory];
    let compressions = [Compression::None, Compression::Gzip, Compression::Zstd];
    let container = containers.into_iter().find(|c| c.to_string() == record.container);
    let compression = compressions.into_iter().find(|c| c.to_string() == record.compression);
    let (Some(container), Some(compression)) = (container, compression) else {
        return Err(ArtefactError::Encoding {
            container: record.container.clone(),
            compression: record.compression.clone(),
        });
    };
    let encoding = Encoding::new(container, compression);
    Ok(if record.encryption == "none" { encoding } else { encoding.encrypted() })
}

/// Reads the keys of all identity files.
fn read_identities(paths: &[PathBuf]) -> Result<Identities, ArtefactError> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    for path in paths {
        let bytes = std::fs::read(path).map_err(|source| ArtefactError::io(path, source))?;
        text.extend_from_slice(&zeroize::Zeroizing::new(bytes));
        text.push(b'\n');
    }
    let Some(last) = paths.last() else { return Ok(Identities::default()) };
    Identities::parse(BufReader::new(text.as_slice()))
        .map_err(|source| ArtefactError::Identity { path: last.clone(), source })
}

impl Classified for ArtefactError {
    fn exit(&self) -> Exit {
        match self {
            Self::Cancelled => Exit::Interrupted,
            Self::Manifest(error) => error.exit(),
            Self::Remote(error) => error.exit(),
            Self::Target(error) => error.exit(),
            Self::Read(error) if error.is_damage() => Exit::VerificationFailed,
            Self::Read(error) => match **error {
                ReadError::Decrypt { .. } | ReadError::IdentityMissing { .. } => Exit::Precondition,
                ReadError::WriteFile { ref source, .. } => crate::target::exit_of_io(source.kind()),
                _ => Exit::Target,
            },
            Self::Mismatch { .. } | Self::Member { .. } => Exit::VerificationFailed,
            Self::Io { .. } => Exit::Target,
            Self::Identity { .. } => Exit::Configuration,
            Self::Encoding { .. } => Exit::Precondition,
            Self::Name(_) => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Manifest(error) => error.hint(),
            Self::Remote(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Read(error) => match **error {
                ReadError::Decrypt { .. } | ReadError::IdentityMissing { .. } => {
                    Some("name the file with the secret key: --identity FILE".to_owned())
                }
                _ if error.is_damage() => {
                    Some("restore from another backup: this one is damaged".to_owned())
                }
                _ => None,
            },
            Self::Mismatch { .. } | Self::Member { .. } => {
                Some("restore from another backup: this one is damaged".to_owned())
            }
            _ => None,
        }
    }

    fn code(&self) -> String {
        let code = match self {
            Self::Manifest(error) => return error.code(),
            Self::Remote(error) => return error.code(),
            Self::Target(error) => return error.code(),
            Self::Cancelled => "E-INTERRUPTED",
            Self::Read(error) if error.is_damage() => "E-ARTEFACT-DAMAGED",
            Self::Read(_) | Self::Io { .. } => "E-ARTEFACT-READ",
            Self::Mismatch { .. } => "E-ARTEFACT-MISMATCH",
            Self::Member { .. } => "E-ARTEFACT-DAMAGED",
            Self::Identity { .. } => "E-IDENTITY",
            Self::Encoding { .. } | Self::Name(_) => "E-ARTEFACT-ENCODING",
        };
        code.to_owned()
    }
}
