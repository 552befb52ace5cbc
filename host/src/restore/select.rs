//! `--only`: which members are wanted.
use super::error::RestoreError;
use dbbackup_plugin_api::document::path::EntryPath;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// Patterns, or everything.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    patterns: Option<GlobSet>,
    text: String,
}

impl Selection {
    /// Everything if there are no patterns. A pattern is compared with the whole name of a member
    /// (`data/shop/orders.ibd`) and with what lies below its root (`shop/orders.ibd`).
    pub(crate) fn new(only: &[String]) -> Result<Self, RestoreError> {
        let text = only.join(", ");
        if only.is_empty() {
            return Ok(Self { patterns: None, text });
        }
        let mut builder = GlobSetBuilder::new();
        for pattern in only {
            let failed = |source| RestoreError::Pattern { pattern: pattern.clone(), source };
            builder.add(Glob::new(pattern).map_err(failed)?);
        }
        let pattern = text.clone();
        let patterns =
            builder.build().map_err(|source| RestoreError::Pattern { pattern, source })?;
        Ok(Self { patterns: Some(patterns), text })
    }

    /// True if the member is wanted.
    pub(crate) fn takes(&self, member: &EntryPath) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        let bytes = member.as_bytes();
        let below = bytes.iter().position(|byte| *byte == b'/').and_then(|i| bytes.get(i + 1..));
        let fits = |bytes: &[u8]| patterns.is_match(Path::new(OsStr::from_bytes(bytes)));
        fits(bytes) || below.is_some_and(fits)
    }

    /// The patterns, if there are any.
    pub(crate) fn patterns(&self) -> Option<&str> {
        self.patterns.as_ref().map(|_| self.text.as_str())
    }
}
