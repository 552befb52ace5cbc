//! Tables whose files a crash damages, as their files tell: an account that may take a backup need not
//! be allowed to see all tables, and what it cannot see must not be torn for that.

use std::{fs, path::Path};

use super::error::SnapshotError;

/// Endings of files with rows, and whose they are.
const ENDINGS: [(&str, &str); 3] = [("MYD", "MyISAM"), ("CSV", "CSV"), ("ARZ", "ARCHIVE")];
/// Schemas of the server, whose logs may be in such tables.
const OWN_SCHEMAS: [&str; 3] = ["mysql", "performance_schema", "sys"];

/// `schema.table (engine)` for each file with rows in it, in the order of their names.
pub(super) fn tables(data: &Path) -> Result<Vec<String>, SnapshotError> {
    let mut found = Vec::new();
    for schema in fs::read_dir(data).map_err(SnapshotError::io("list", data))? {
        let schema = schema.map_err(SnapshotError::io("list", data))?;
        let name = schema.file_name().to_string_lossy().into_owned();
        let is_directory = schema.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && !OWN_SCHEMAS.contains(&name.as_str()) && !name.starts_with(['#', '.']) {
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
        // One that is dropped in this moment is no table any more.
        if fs::metadata(&path).is_ok_and(|file| file.len() > 0) {
            let table = path.file_stem().map(|name| name.to_string_lossy()).unwrap_or_default();
            found.push(format!("{schema}.{table} ({engine})"));
        }
    }
    Ok(())
}
