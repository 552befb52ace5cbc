//! Where an artefact is: a path of this machine, or a name at a location that an engine serves.
use crate::{
    engine_options::EngineOptions,
    pipeline::Encoding,
    plugin::{PluginError, Registry},
    supervisor::job::EnginePin,
};
use serde::{Deserialize, Serialize, Serializer};
use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
};

/// Where an artefact is, or a directory of artefacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A file or directory of this machine.
    Local(PathBuf),
    /// A name at a location that an engine serves.
    Target(Box<TargetPlace>),
}

/// A name at a location that an engine with the target role serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetPlace {
    /// The engine.
    pub engine: EnginePin,
    /// Its options, checked against its schema.
    pub options: serde_json::Value,
    /// The location, without a slash at its end: `s3://bucket/path`.
    pub location: String,
    /// The name there; empty for the location itself.
    pub name: String,
}

impl Place {
    /// What a text means: `SCHEME://…` is served by an engine, everything else is a path.
    ///
    /// # Errors
    /// [`PluginError`]: no engine serves the scheme, or its options are wrong.
    pub fn find(
        text: &OsStr,
        registry: &Registry,
        options: &EngineOptions,
    ) -> Result<Self, PluginError> {
        match text.to_str().filter(|text| is_url(text)) {
            Some(url) => TargetPlace::find(url, registry, options).map(Self::from),
            None => Ok(Self::Local(PathBuf::from(text))),
        }
    }

    /// The path, if it is one.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(path),
            Self::Target(_) => None,
        }
    }

    /// The engine that serves it; none for a path.
    pub(crate) fn engine(&self) -> Option<&EnginePin> {
        match self {
            Self::Local(_) => None,
            Self::Target(place) => Some(&place.engine),
        }
    }

    /// As text, for documents of results.
    pub(crate) fn as_text<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TargetPlace {
    /// The engine that serves a URL, and the name there: what follows the last slash.
    ///
    /// # Errors
    /// As for [`Place::find`].
    pub fn find(
        url: &str,
        registry: &Registry,
        options: &EngineOptions,
    ) -> Result<Self, PluginError> {
        let (scheme, rest) = url.split_once(SEPARATOR).unwrap_or(("", url));
        let found = registry.for_scheme(scheme)?;
        let (location, name) = rest.rsplit_once('/').unwrap_or((rest, ""));
        Ok(Self {
            options: options.of(found.engine)?,
            engine: EnginePin::of(found)?,
            location: format!("{scheme}{SEPARATOR}{}", location.trim_end_matches('/')),
            name: name.to_owned(),
        })
    }

    /// Another name at the same location.
    #[must_use]
    pub fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    /// The location that the name means if it names no artefact but a folder of them.
    #[must_use]
    pub(crate) fn as_folder(&self) -> Self {
        let location = format!("{}/{}", self.location, self.name);
        Self { location, name: String::new(), ..self.clone() }
    }

    /// True for the location itself and for a name that ends as artefacts do; every other name is a
    /// folder's, unless a manifest says otherwise.
    pub(crate) fn looks_like_artefact(&self) -> bool {
        self.name.is_empty() || Encoding::from_output_name(&self.name).is_ok()
    }
}

const SEPARATOR: &str = "://";

/// True for `SCHEME://…`.
pub(crate) fn is_url(text: &str) -> bool {
    text.split_once(SEPARATOR).is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Target(place) => place.fmt(f),
        }
    }
}

impl fmt::Display for TargetPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.location, self.name)
    }
}

impl Default for Place {
    fn default() -> Self {
        Self::Local(PathBuf::new())
    }
}

impl From<TargetPlace> for Place {
    fn from(place: TargetPlace) -> Self {
        Self::Target(Box::new(place))
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::Local(path)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_scheme() {
        assert!(is_url("s3://bucket/a"));
        for path in ["/s3://x", "a/b", "://x", "C:\\x", "s3:/x", "a b://x"] {
            assert!(!is_url(path), "{path}");
        }
    }
}
