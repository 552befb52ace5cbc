//! Tables whose files a crash damages, as their files tell: an account that may take a backup need not
//! be allowed to see all tables, and what it cannot see must not be torn for that.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::error::SnapshotError;

/// Endings of files with rows, and whose they are.
const ENDINGS: [(&str, &str); 3] = [("MYD", "MyISAM"), ("CSV", "CSV"), ("ARZ", "ARCHIVE")];
/// Tables of MySQL 8.0's own that may be in such files: its logs. All others of its schemas are
/// InnoDB's, so that whatever else is found there is somebody's.
pub(super) const OWN_TABLES: [(&str, &str); 2] = [("mysql", "general_log"), ("mysql", "slow_log")];

/// The tables at risk when the server was not locked yet.
#[derive(Debug)]
pub(super) struct AtRisk {
    data: PathBuf,
    tables: Vec<String>,
}

impl AtRisk {
    pub(super) fn new(data: &Path, tables: Vec<String>) -> Self {
        Self { data: data.to_owned(), tables }
    }

    /// What a snapshot under a lock that lets their writes flow on cannot promise.
    pub(super) fn torn(&self) -> Vec<String> {
        self.tables.iter().map(|table| format!("{table}: may be torn")).collect()
    }

    /// The same of those that have got their first rows since. Only asked after the snapshot does it
    /// find all of them: each one that had rows by then.
    pub(super) fn torn_since(&self) -> Result<Vec<String>, SnapshotError> {
        let mut now = tables(&self.data)?;
        now.retain(|table| !self.tables.contains(table));
        let torn =
            |table: String| format!("{table}: got its first rows meanwhile, and may be torn");
        Ok(now.into_iter().map(torn).collect())
    }
}

/// `schema.table (engine)` for each file with rows in it, in the order of their names.
///
/// Of MySQL 8.0 and later: older servers, and MariaDB, have tables of their own in such files.
pub(super) fn tables(data: &Path) -> Result<Vec<String>, SnapshotError> {
    let mut found = Vec::new();
    for schema in fs::read_dir(data).map_err(SnapshotError::io("list", data))? {
        let schema = schema.map_err(SnapshotError::io("list", data))?;
        let name = schema.file_name().to_string_lossy().into_owned();
        let is_directory = schema.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && !name.starts_with(['#', '.']) {
            add(&schema.path(), &name, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn add(directory: &Path, schema: &str, found: &mut Vec<String>) -> Result<(), SnapshotError> {
    for file in fs::read_dir(directory).map_err(SnapshotError::io("list", directory))? {
        let path = file.map_err(SnapshotError::io("list", directory))?.path();
        let ending = path.extension().map(|ending| ending.to_string_lossy()).unwrap_or_default();
        let Some((_, engine)) = ENDINGS.iter().find(|(known, _)| *known == ending) else {
            continue;
        };
        let table = path.file_stem().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_own = OWN_TABLES.contains(&(schema, &*table));
        // One that is dropped in this moment is no table any more.
        if !is_own && fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
            found.push(format!("{schema}.{table} ({engine})"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
