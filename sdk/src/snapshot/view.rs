//! Where the files of the live server are found inside a snapshot.

use std::path::{Path, PathBuf};

/// Pairs of a live directory and the same directory inside the snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotView(Vec<(PathBuf, PathBuf)>);

impl SnapshotView {
    /// A view of live directories (real paths, without links) and their places in the snapshot. Of
    /// several that hold a path, the deepest counts: a ZFS data set mounted inside another one.
    #[must_use]
    pub fn new(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        Self(pairs)
    }

    /// The place of a live path; nothing if the snapshot does not hold it.
    #[must_use]
    pub fn of(&self, live: &Path) -> Option<PathBuf> {
        let (prefix, inside) = self.pair(live)?;
        let rest = live.strip_prefix(prefix).ok()?;
        // Joining an empty path would add a slash.
        Some(if rest.as_os_str().is_empty() { inside.clone() } else { inside.join(rest) })
    }

    /// Whether another part of the snapshot begins at this live directory.
    pub(super) fn begins_at(&self, live: &Path) -> bool {
        self.0.iter().any(|(prefix, _)| prefix == live)
    }

    fn pair(&self, live: &Path) -> Option<&(PathBuf, PathBuf)> {
        let holding = self.0.iter().filter(|(prefix, _)| live.starts_with(prefix));
        holding.max_by_key(|(prefix, _)| prefix.components().count())
    }
}

#[cfg(test)]
mod tests;
