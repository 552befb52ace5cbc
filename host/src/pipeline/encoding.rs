//! How an artefact is written: container, compression, encryption, and the name endings for them.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What holds the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// One text: stream entries one after the other.
    Sql,
    /// A PAX tar archive.
    Tar,
    /// A directory of plain files.
    Directory,
}

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip members, one a block.
    Gzip,
    /// zstd frames, one a block.
    Zstd,
}

/// Container, compression and encryption of an artefact; written as the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Encoding {
    container: Container,
    compression: Compression,
    encrypted: bool,
}

/// The endings that are taken, each with what it means; longer ones before their tails.
const ENDINGS: [(&str, Container, Compression); 8] = [
    (".sql", Container::Sql, Compression::None),
    (".sql.gz", Container::Sql, Compression::Gzip),
    (".sql.zst", Container::Sql, Compression::Zstd),
    (".tar", Container::Tar, Compression::None),
    (".tar.gz", Container::Tar, Compression::Gzip),
    (".tgz", Container::Tar, Compression::Gzip),
    (".tar.zst", Container::Tar, Compression::Zstd),
    ("/", Container::Directory, Compression::None),
];

/// A name whose ending says nothing about the encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} does not say how to write the backup: end it in .sql, .sql.gz, .sql.zst, .tar, \
     .tar.gz, .tgz or .tar.zst, each also with .age behind it, or in / for a directory"
)]
pub struct EncodingError {
    /// The name.
    pub name: String,
}

impl Encoding {
    /// An encoding without encryption; a directory is never compressed.
    pub fn new(container: Container, compression: Compression) -> Self {
        let compression = match container {
            Container::Directory => Compression::None,
            Container::Sql | Container::Tar => compression,
        };
        Self { container, compression, encrypted: false }
    }

    /// The same encoding, encrypted; a directory never is.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { encrypted: self.container != Container::Directory, ..self }
    }

    /// Reads the encoding off the ending of an output name.
    ///
    /// # Errors
    /// [`EncodingError`] lists the endings that are taken.
    pub fn from_output_name(name: &str) -> Result<Self, EncodingError> {
        let (plain, encrypted) = match name.strip_suffix(".age") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let (_, container, compression) = ENDINGS
            .into_iter()
            .find(|(ending, container, _)| {
                plain.ends_with(ending) && !(encrypted && *container == Container::Directory)
            })
            .ok_or_else(|| EncodingError { name: name.to_owned() })?;
        Ok(Self { container, compression, encrypted })
    }

    /// What holds the entries.
    pub fn container(self) -> Container {
        self.container
    }

    /// How blocks are compressed.
    pub fn compression(self) -> Compression {
        self.compression
    }

    /// True if the artefact is an age file.
    pub fn is_encrypted(self) -> bool {
        self.encrypted
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = ENDINGS
            .into_iter()
            .find(|(_, container, compression)| {
                (*container, *compression) == (self.container, self.compression)
            })
            .map_or("", |(ending, _, _)| ending);
        f.write_str(ending)?;
        f.write_str(if self.encrypted { ".age" } else { "" })
    }
}

impl FromStr for Encoding {
    type Err = EncodingError;

    fn from_str(ending: &str) -> Result<Self, EncodingError> {
        Self::from_output_name(ending)
    }
}

impl TryFrom<String> for Encoding {
    type Error = EncodingError;

    fn try_from(ending: String) -> Result<Self, EncodingError> {
        Self::from_output_name(&ending)
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.to_string()
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sql => "sql",
            Self::Tar => "tar",
            Self::Directory => "directory",
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests;
