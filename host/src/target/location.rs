//! Names: where an artefact goes and where its manifest is.
use crate::remote::TargetPlace;
use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Ending of a name while its content is being written.
pub(crate) const PARTIAL_ENDING: &str = ".partial";
/// Ending of a manifest beside its artefact.
pub(crate) const MANIFEST_ENDING: &str = ".manifest.json";
/// Ending of the file of exact coordinates beside its artefact.
pub(crate) const COORDINATES_ENDING: &str = ".coordinates.json";
/// Where that file lies inside a directory.
const INNER_COORDINATES: &str = ".dbbackup/coordinates.json";
/// Where a manifest lies inside an artefact.
pub(crate) const INNER_MANIFEST: &str = ".dbbackup/manifest.json";

/// Where a backup is written to.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputLocation {
    /// A file.
    File(PathBuf),
    /// A directory: written with a `/` at its end.
    Directory(PathBuf),
    /// Standard output: written as `-`.
    Stdout,
    /// A name at a place that an engine serves: written as `s3://bucket/path/name`.
    Target(Box<TargetPlace>),
}

impl OutputLocation {
    /// The file or directory; none for standard output and places that an engine serves.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Directory(path) => Some(path),
            Self::Stdout | Self::Target(_) => None,
        }
    }
}

impl From<&OsStr> for OutputLocation {
    fn from(text: &OsStr) -> Self {
        match text.as_encoded_bytes() {
            b"-" => Self::Stdout,
            bytes if bytes.ends_with(b"/") => Self::Directory(PathBuf::from(text)),
            _ => Self::File(PathBuf::from(text)),
        }
    }
}

impl From<OsString> for OutputLocation {
    fn from(text: OsString) -> Self {
        Self::from(text.as_os_str())
    }
}

impl FromStr for OutputLocation {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(OsStr::new(text)))
    }
}

impl fmt::Display for OutputLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Directory(path) => {
                let text = path.display().to_string();
                write!(f, "{}/", text.trim_end_matches('/'))
            }
            Self::Stdout => f.write_str("-"),
            Self::Target(place) => place.fmt(f),
        }
    }
}

/// Where the manifest of an artefact is: inside a directory, beside a file.
pub fn manifest_path(artefact: &Path) -> PathBuf {
    if artefact.is_dir() {
        directory_manifest_path(artefact)
    } else {
        with_ending(artefact, MANIFEST_ENDING)
    }
}

/// Where the manifest of a directory is.
pub(crate) fn directory_manifest_path(directory: &Path) -> PathBuf {
    directory.join(INNER_MANIFEST)
}

/// Where the exact coordinates of an artefact are, once they are known: inside a directory, beside a
/// file.
pub fn coordinates_path(artefact: &Path) -> PathBuf {
    if artefact.is_dir() {
        artefact.join(INNER_COORDINATES)
    } else {
        with_ending(artefact, COORDINATES_ENDING)
    }
}

/// The name of an artefact while it is being written.
pub(crate) fn partial_path(artefact: &Path) -> PathBuf {
    with_ending(artefact, PARTIAL_ENDING)
}

/// A path with more text at the end of its last component, whatever slashes follow that.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    // `components` drops slashes at the end, which would otherwise end up inside the name.
    let mut text = path.components().as_path().as_os_str().to_owned();
    text.push(ending);
    PathBuf::from(text)
}

#[cfg(test)]
mod tests;
