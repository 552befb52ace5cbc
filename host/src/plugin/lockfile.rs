//! `plugins.lock`: what the operator pinned or disabled, one file in each plugin directory.
//!
//! Loading always hashes. Listing compares size, time and inode, and hashes only where those
//! differ (after a directory was copied, for example), so that a listing is quick and still right.
use super::trust;
use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256 as Hasher};
use std::{
    collections::BTreeSet,
    fmt,
    fs::{File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Name of the lock file in a plugin directory.
pub const LOCK_FILE_NAME: &str = "plugins.lock";

const SCHEMA: &str = "dbbackup.plugins-lock/1";
const LONGEST_BYTES: u64 = 16 << 20;

/// The content of a lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// `dbbackup.plugins-lock/1`.
    pub schema: String,
    /// Pinned plugins, by id.
    #[serde(default)]
    pub plugins: Vec<LockEntry>,
    /// Ids of disabled plugins that are not pinned.
    #[serde(default)]
    pub disabled: BTreeSet<String>,
}

/// A pinned plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// Its id.
    pub id: String,
    /// Name of its file in the directory.
    pub file: String,
    /// Its version.
    pub version: Version,
    /// Contract that it was built with.
    pub api: Version,
    /// Digest of the file.
    pub sha256: Sha256,
    /// Length of the file, bytes.
    pub size_bytes: u64,
    /// Time of last change, nanoseconds since 1970.
    pub modified_ns: i64,
    /// Inode number, for the quick comparison.
    pub inode: u64,
    /// Where it was installed from, or `locked in place`.
    pub source: String,
    /// False if the operator disabled it.
    pub enabled: bool,
}

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It cannot be read or written.
    #[error("{step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The lock file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others can change it, or it is no regular file.
    #[error("{} {what}", path.display())]
    Untrusted {
        /// The lock file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is not what we write.
    #[error("{} is no {SCHEMA} document", path.display())]
    Malformed {
        /// The lock file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It is of another schema.
    #[error("{} is of schema {found}, this version reads {SCHEMA}", path.display())]
    OtherSchema {
        /// The lock file.
        path: PathBuf,
        /// Its schema.
        found: String,
    },
}

impl Default for LockFile {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), plugins: Vec::new(), disabled: BTreeSet::new() }
    }
}

impl LockFile {
    /// Reads the lock file of a directory; absent is empty.
    ///
    /// # Errors
    /// [`LockFileError`]: what is there cannot be used. It is never taken for empty.
    pub fn read(directory: &Path) -> Result<Self, LockFileError> {
        let path = directory.join(LOCK_FILE_NAME);
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(LockFileError::Io { step: "read", path, source }),
            Ok(_) => {}
        }
        let untrusted = |reason: super::Reason| LockFileError::Untrusted {
            path: path.clone(),
            what: reason.to_string(),
        };
        let (file, metadata) = trust::open_regular(&path).map_err(untrusted)?;
        trust::check_file(&path, &metadata).map_err(untrusted)?;
        let mut text = String::new();
        let read = file.take(LONGEST_BYTES).read_to_string(&mut text);
        read.map_err(|source| LockFileError::Io { step: "read", path: path.clone(), source })?;
        let lock: Self = serde_json::from_str(&text)
            .map_err(|source| LockFileError::Malformed { path: path.clone(), source })?;
        if lock.schema != SCHEMA {
            return Err(LockFileError::OtherSchema { path, found: lock.schema });
        }
        Ok(lock)
    }

    /// Writes the lock file of a directory: temporary file, sync, rename, sync of the directory.
    ///
    /// # Errors
    /// [`LockFileError::Io`]; the old content is still there.
    pub fn write(&mut self, directory: &Path) -> Result<(), LockFileError> {
        self.plugins.sort_by(|a, b| a.id.cmp(&b.id));
        let path = directory.join(LOCK_FILE_NAME);
        let io = |step| {
            let path = path.clone();
            move |source| LockFileError::Io { step, path, source }
        };
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| LockFileError::Malformed { path: path.clone(), source })?;
        text.push('\n');
        let mut temporary = tempfile::NamedTempFile::new_in(directory).map_err(io("write"))?;
        temporary.write_all(text.as_bytes()).map_err(io("write"))?;
        commit(temporary.path(), &path, 0o644).map_err(io("write"))
    }

    /// The entry of a plugin.
    pub fn entry(&self, id: &str) -> Option<&LockEntry> {
        self.plugins.iter().find(|entry| entry.id == id)
    }

    /// True if the operator disabled the plugin.
    pub fn is_disabled(&self, id: &str) -> bool {
        self.disabled.contains(id) || self.entry(id).is_some_and(|entry| !entry.enabled)
    }

    /// Enables or disables a plugin, pinned or not. True if that changed something.
    pub fn set_enabled(&mut self, id: &str, enabled: bool) -> bool {
        let before = self.clone();
        match self.plugins.iter_mut().find(|entry| entry.id == id) {
            Some(entry) => {
                entry.enabled = enabled;
                self.disabled.remove(id);
            }
            None if enabled => drop(self.disabled.remove(id)),
            None => drop(self.disabled.insert(id.to_owned())),
        }
        *self != before
    }

    /// Puts an entry in the place of the one with the same id.
    pub fn replace(&mut self, entry: LockEntry) {
        self.disabled.remove(&entry.id);
        self.plugins.retain(|other| other.id != entry.id);
        self.plugins.push(entry);
    }

    /// Forgets a plugin. True if it was known.
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.plugins.len();
        self.plugins.retain(|entry| entry.id != id);
        self.disabled.remove(id) || self.plugins.len() < before
    }
}

impl LockEntry {
    /// True if size, time and inode are those of the file: it need not be hashed for a listing.
    pub(super) fn looks_like(&self, metadata: &Metadata) -> bool {
        self.size_bytes == metadata.len()
            && self.modified_ns == modified_ns(metadata)
            && self.inode == metadata.ino()
    }
}

/// Time of last change of a file, nanoseconds since 1970.
pub(super) fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// Gives a written file its mode and its final name, and makes both durable.
pub(super) fn commit(written: &Path, path: &Path, mode: u32) -> io::Result<()> {
    let file = File::open(written)?;
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_bits_truncate(mode))?;
    file.sync_all()?;
    rustix::fs::rename(written, path)?;
    sync_directory(path)
}

/// Makes the entry of `path` in its directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), io::Error> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// A SHA-256 digest; its text is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Hasher::digest(bytes).into())
    }

    /// The digest of everything that a reader gives.
    ///
    /// # Errors
    /// What the reader answers.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::new();
        io::copy(&mut reader, &mut hasher)?;
        Ok(Self(hasher.finalize().into()))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// A text that is no SHA-256 digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no sha256: 64 hexadecimal digits")]
pub struct NoSha256(String);

impl FromStr for Sha256 {
    type Err = NoSha256;
    fn from_str(text: &str) -> Result<Self, NoSha256> {
        let error = || NoSha256(text.to_owned());
        if text.len() != 64 || !text.is_ascii() {
            return Err(error());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| error())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(Self(digest))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
